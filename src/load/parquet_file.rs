//! One Parquet file: how its columns are encoded, and how row groups are built and appended.
//!
//! Encoding is apart from writing: an [`EncodedGroup`] is memory alone, so that many columns of many partitions are encoded
//! at once. A row group is encoded in one go, as encoders and their compression cost too much memory to stay open. A
//! file's footer is written last, when the run id is known; between row groups no file stays open.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterPropertiesPtr, WriterVersion,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, TypePtr};
use rayon::prelude::*;
use twox_hash::XxHash3_64;

use super::commit::close;
use crate::model::cells::{Slice, some_texts};
use crate::model::columns::{self, COLUMNS, Kind, Values};

/// Most rows of a row group.
pub const MAX_GROUP_ROWS: usize = 1 << 20;
/// Most bytes of values in a row group, but for a single larger row: below 128 MiB with what Parquet adds.
pub const MAX_GROUP_BYTES: usize = 120 << 20;
/// A column that holds a larger text is encoded with as few copies of it as can be.
pub const LARGE_TEXT: usize = 1 << 20;
/// So many texts tell whether those of a column repeat.
const SAMPLE: usize = 128;
/// A file ends when its size passes this.
pub const MAX_FILE_BYTES: u64 = 256 << 20;

/// How data files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// zstd, small and fast.
    #[default]
    Zstd,
    /// Snappy and plain encodings, for readers that know little.
    Snappy,
}

impl Codec {
    /// The codec with that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Zstd, Self::Snappy].into_iter().find(|codec| codec.name() == name)
    }

    /// The name, as in flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
        }
    }
}

/// What all files of a run share.
pub struct Setup {
    arrow_schema: SchemaRef,
    root: TypePtr,
    codec: Codec,
    bloom_filter: bool,
    properties: WriterPropertiesPtr,
    /// Makers of encoders.
    factories: Mutex<BTreeMap<Looks, Arc<ArrowRowGroupWriterFactory>>>,
}

/// More makers of encoders than this are not kept.
const MOST_FACTORIES: usize = 64;

/// What the values of a column of a row group look like, which decides how they are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// They repeat, or not.
    Of(Values),
    /// Null throughout: they need no compression, and a compressor costs more than a small row group.
    Null,
    /// One is a text of more than [`LARGE_TEXT`] bytes: there are neither statistics nor dictionaries, which would each keep
    /// a copy.
    Large,
}

impl Look {
    /// What the values of a column look like, those of texts by some that are spread over the rows.
    #[must_use]
    pub fn of(slices: &[Slice<'_>], number: usize) -> Self {
        let column = &COLUMNS[number];
        if slices.iter().all(|slice| slice.is_null(number)) {
            return Self::Null;
        }
        if slices.iter().any(|slice| slice.has_text_over(LARGE_TEXT, number)) {
            return Self::Large;
        }
        if column.kind != Kind::Text {
            return Self::Of(column.values);
        }
        let mut hashes: Vec<u64> = some_texts(slices, number, SAMPLE).map(XxHash3_64::oneshot).collect();
        let (sampled, usual) = (hashes.len(), column.values);
        hashes.sort_unstable();
        hashes.dedup();
        Self::Of(match (usual, hashes.len()) {
            _ if sampled < SAMPLE / 8 => usual,
            (Values::Few, 1) => Values::Few,
            (Values::Few, _) => Values::Words,
            (_, different) if 4 * different <= 3 * sampled => Values::Words,
            (_, different) if different == sampled => Values::Unique,
            _ => usual,
        })
    }
}

/// The look of each column.
type Looks = Vec<Look>;

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").finish_non_exhaustive()
    }
}

impl Setup {
    /// Prepares the schema and the settings of every column.
    ///
    /// # Errors
    /// When the schema does not convert, which would be a mistake of ours.
    pub fn new(codec: Codec, bloom_filter: bool) -> Result<Self> {
        let arrow_schema = columns::schema();
        let usual = COLUMNS.iter().map(|column| Look::Of(column.values));
        let properties = Arc::new(properties(codec, bloom_filter, usual).build());
        let root = ArrowSchemaConverter::new().convert(&arrow_schema)?.root_schema_ptr();
        Ok(Self { arrow_schema, root, codec, properties, bloom_filter, factories: Mutex::default() })
    }

    fn factory(&self, looks: Looks) -> Result<Arc<ArrowRowGroupWriterFactory>> {
        let mut factories = self.factories.lock().expect("nobody panics with the lock");
        if let Some(factory) = factories.get(&looks) {
            return Ok(factory.clone());
        }
        let properties = properties(self.codec, self.bloom_filter, looks.iter().copied()).build();
        let template = SerializedFileWriter::new(io::sink(), self.root.clone(), Arc::new(properties))?;
        let factory = Arc::new(ArrowRowGroupWriterFactory::new(&template, self.arrow_schema.clone()));
        if factories.len() >= MOST_FACTORIES {
            factories.clear();
        }
        factories.insert(looks, factory.clone());
        Ok(factory)
    }

    /// The unified schema.
    #[must_use]
    pub fn arrow_schema(&self) -> &SchemaRef {
        &self.arrow_schema
    }

    /// Encodes a row group of `rows` rows; `values` gives each column's, which look like `look`.
    ///
    /// # Errors
    /// When a column can't be encoded.
    pub fn encode(
        &self,
        rows: usize,
        look: impl Fn(usize) -> Look,
        values: impl Fn(usize) -> Result<ArrayRef> + Sync,
    ) -> Result<EncodedGroup> {
        let encode = |(number, mut writer): (usize, ArrowColumnWriter)| -> Result<ArrowColumnChunk> {
            let field = self.arrow_schema.field(number);
            for leaf in compute_leaves(field, &values(number)?)? {
                writer.write(&leaf)?;
            }
            Ok(writer.close()?)
        };
        let writers = self.factory((0..COLUMNS.len()).map(look).collect())?.create_column_writers(0)?;
        let columns = writers.into_par_iter().enumerate().map(encode).collect::<Result<_>>()?;
        Ok(EncodedGroup { columns, rows })
    }
}

fn properties(codec: Codec, bloom_filter: bool, looks: impl Iterator<Item = Look>) -> WriterPropertiesBuilder {
    let compression = match codec {
        Codec::Zstd => Compression::ZSTD(ZstdLevel::try_new(1).expect("a valid level")),
        Codec::Snappy => Compression::SNAPPY,
    };
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(compression)
        .set_created_by(concat!("paynorm ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_dictionary_enabled(false)
        .set_column_bloom_filter_enabled(ColumnPath::from("transaction_id"), bloom_filter);
    for (column, look) in COLUMNS.iter().zip(looks) {
        let path = ColumnPath::from(column.name);
        match (look, column.kind) {
            (Look::Null, _) => builder = builder.set_column_compression(path, Compression::UNCOMPRESSED),
            (Look::Large, _) => builder = builder.set_column_statistics_enabled(path, EnabledStatistics::None),
            (Look::Of(Values::Few), _) => {
                builder = builder.set_column_dictionary_enabled(path.clone(), true);
                builder = builder.set_column_compression(path, Compression::UNCOMPRESSED);
            }
            (Look::Of(Values::Words), _) => builder = builder.set_column_dictionary_enabled(path, true),
            (Look::Of(Values::Unique), Kind::Text) if codec == Codec::Zstd => {
                builder = builder.set_column_encoding(path, Encoding::DELTA_LENGTH_BYTE_ARRAY);
            }
            // Differences of numbers that grow take fewer bits than what compression leaves of them, and less time.
            (Look::Of(Values::Unique), Kind::Time | Kind::Large) if codec == Codec::Zstd => {
                builder = builder.set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
                builder = builder.set_column_compression(path, Compression::UNCOMPRESSED);
            }
            (Look::Of(Values::Unique), _) => {}
        }
    }
    builder
}

/// A row group in memory.
#[derive(Debug)]
pub struct EncodedGroup {
    columns: Vec<ArrowColumnChunk>,
    rows: usize,
}

/// A data file that is not ended yet.
pub struct OpenFile {
    writer: SerializedFileWriter<StagedFile>,
    rows: u64,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenFile").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// The facts of a finished file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Its path in staging.
    pub path: PathBuf,
    /// Rows.
    pub rows: u64,
    /// Row groups.
    pub row_groups: usize,
    /// Bytes.
    pub bytes: u64,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub digest: String,
}

impl OpenFile {
    /// Creates the file.
    ///
    /// # Errors
    /// When it can't be created or written.
    pub fn create(setup: &Setup, path: PathBuf) -> Result<Self> {
        let shown = path.display().to_string();
        let writer = SerializedFileWriter::new(StagedFile::new(path), setup.root.clone(), setup.properties.clone())
            .with_context(|| format!("can't write {shown}"))?;
        Ok(Self { writer, rows: 0 })
    }

    /// Bytes written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Appends a row group.
    ///
    /// # Errors
    /// When it can't be encoded or written.
    pub fn append(&mut self, group: EncodedGroup) -> Result<()> {
        self.rows += group.rows as u64;
        let context = |path: &Path| format!("can't write {}", path.display());
        let path = self.writer.inner().path.clone();
        let mut row_group = self.writer.next_row_group().with_context(|| context(&path))?;
        for column in group.columns {
            column.append_to_row_group(&mut row_group).with_context(|| context(&path))?;
        }
        row_group.close().with_context(|| context(&path))?;
        self.writer.flush().with_context(|| context(&path))?;
        self.writer.inner_mut().close().with_context(|| context(&path))
    }

    /// Writes the footer with `facts` as key-values.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn finish(mut self, facts: &[(&str, String)]) -> Result<DataFile> {
        for (key, value) in facts {
            self.writer.append_key_value_metadata(KeyValue::new((*key).to_owned(), value.clone()));
        }
        let path = self.writer.inner().path.clone();
        let context = || format!("can't write {}", path.display());
        let row_groups = self.writer.flushed_row_groups().len();
        self.writer.finish().with_context(context)?;
        self.writer.inner_mut().close().with_context(context)?;
        Ok(self.writer.inner().facts(self.rows, row_groups))
    }
}

/// A file that is open only while it is written, counted and digested.
#[derive(Debug)]
pub(super) struct StagedFile {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
    digest: blake3::Hasher,
    created: bool,
    /// Its permissions, before the process takes some away.
    mode: u32,
}

impl StagedFile {
    /// The file at `path`, which is created when something is written.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, bytes: 0, digest: blake3::Hasher::new(), created: false, mode: 0o666 }
    }

    /// The file at `path`, for its owner alone.
    pub(super) fn private(path: PathBuf) -> Self {
        Self { mode: 0o600, ..Self::new(path) }
    }

    /// What was written, as the facts of a file with that many rows.
    pub(super) fn facts(&self, rows: u64, row_groups: usize) -> DataFile {
        DataFile { path: self.path.clone(), rows, row_groups, bytes: self.bytes, digest: self.digest() }
    }

    /// BLAKE3 of what was written, in hexadecimal.
    pub(super) fn digest(&self) -> String {
        self.digest.finalize().to_hex().to_string()
    }

    /// Opens the file, and creates it at first.
    pub(super) fn open(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            options.append(true).create_new(!self.created).mode(self.mode);
            self.file = Some(options.open(&self.path)?);
            self.created = true;
        }
        Ok(self.file.as_mut().expect("it was just opened"))
    }

    /// Closes the file until more is written.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.file.take().map_or(Ok(()), close)
    }
}

impl Write for StagedFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.open()?.write(buffer)?;
        self.digest.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
