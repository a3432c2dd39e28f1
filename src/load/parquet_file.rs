//! One Parquet file: how its columns are encoded, and how row groups are built and appended.
//!
//! Encoding is apart from writing: an [`EncodedGroup`] is memory alone, so that many columns of many partitions are encoded
//! at once. A row group is encoded in one go, as encoders and their compression cost too much memory to stay open. A
//! file's footer is written last, when the run id is known; between row groups no file stays open.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Context, Result};
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};
use rayon::prelude::*;

use super::column::{EncodedColumn, Encoder, Scratch};
use super::commit::close;
use crate::model::cells::Slice;
use crate::model::columns::{self, TRANSACTION_ID};

/// Most rows of a row group.
pub const MAX_GROUP_ROWS: usize = 1 << 20;
/// Most bytes of values in a row group, but for a single larger row: below 128 MiB with what Parquet adds.
pub const MAX_GROUP_BYTES: usize = 120 << 20;
/// So much is written to a file at once.
const PENDING: usize = 64 << 10;
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
    schema: SchemaDescriptor,
    codec: Codec,
    bloom_filter: bool,
    properties: WriterPropertiesPtr,
    /// Memory for columns that are encoded next.
    spare: Mutex<Vec<Scratch>>,
}

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
        let schema = ArrowSchemaConverter::new().convert(&arrow_schema)?;
        let created_by = concat!("paynorm ", env!("CARGO_PKG_VERSION")).to_owned();
        let properties =
            WriterProperties::builder().set_writer_version(WriterVersion::PARQUET_1_0).set_created_by(created_by);
        let properties = Arc::new(properties.build());
        Ok(Self { arrow_schema, schema, codec, bloom_filter, properties, spare: Mutex::default() })
    }

    /// The unified schema.
    #[must_use]
    pub fn arrow_schema(&self) -> &SchemaRef {
        &self.arrow_schema
    }

    /// Encodes rows as a row group.
    ///
    /// # Errors
    /// When a column can't be encoded.
    pub fn encode(&self, slices: &[Slice<'_>]) -> Result<EncodedGroup> {
        let encode = |(number, descriptor): (usize, &ColumnDescPtr)| {
            let bloom_filter = self.bloom_filter && number == TRANSACTION_ID;
            let mut scratch = self.spare().pop().unwrap_or_default();
            let column = Encoder { number, descriptor, codec: self.codec, bloom_filter };
            let encoded = column.encode(slices, &mut scratch);
            if scratch.is_spare() {
                self.spare().push(scratch);
            }
            encoded
        };
        let columns = self.schema.columns().par_iter().enumerate().map(encode).collect::<Result<_>>()?;
        Ok(EncodedGroup { columns, rows: slices.iter().map(|slice| slice.rows).sum() })
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Scratch>> {
        self.spare.lock().expect("nobody panics with the lock")
    }
}

/// A row group in memory.
#[derive(Debug)]
pub struct EncodedGroup {
    columns: Vec<EncodedColumn>,
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
        let writer =
            SerializedFileWriter::new(StagedFile::new(path), setup.schema.root_schema_ptr(), setup.properties.clone())
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
            row_group.append_column(&column.bytes, column.facts).with_context(|| context(&path))?;
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
    /// What is not in the file yet: the digest is fastest with much at once.
    pending: Vec<u8>,
    bytes: u64,
    digest: blake3::Hasher,
    created: bool,
    /// Its permissions, before the process takes some away.
    mode: u32,
}

impl StagedFile {
    /// The file at `path`, which is created when something is written.
    pub(super) fn new(path: PathBuf) -> Self {
        let (pending, digest) = (Vec::new(), blake3::Hasher::new());
        Self { path, file: None, pending, bytes: 0, digest, created: false, mode: 0o666 }
    }

    /// The file at `path`, for its owner alone.
    pub(super) fn private(path: PathBuf) -> Self {
        Self { mode: 0o600, ..Self::new(path) }
    }

    /// What was written until it was closed, as the facts of a file with that many rows.
    pub(super) fn facts(&self, rows: u64, row_groups: usize) -> DataFile {
        DataFile { path: self.path.clone(), rows, row_groups, bytes: self.bytes, digest: self.digest() }
    }

    /// BLAKE3 of what was written until it was closed, in hexadecimal.
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
        self.write_pending()?;
        self.pending = Vec::new();
        self.file.take().map_or(Ok(()), close)
    }

    fn write_pending(&mut self) -> io::Result<()> {
        let mut pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            self.write_now(&pending)?;
            pending.clear();
        }
        self.pending = pending;
        Ok(())
    }

    fn write_now(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open()?.write_all(bytes)?;
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

impl Write for StagedFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.pending.len() + buffer.len() > PENDING {
            self.write_pending()?;
        }
        match buffer.len() {
            PENDING.. => self.write_now(buffer)?,
            _ => self.pending.extend_from_slice(buffer),
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
