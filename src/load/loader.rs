//! Rows of a run, window by window, into the files of their partitions.
//!
//! A window is a stretch of the input that is cut by content alone. What a window holds for one partition is encoded in
//! one go, so the bytes written depend on windows but not on chunks or threads. Open row groups keep encoded columns in
//! memory; when they grow over the budget, the largest are closed. A partition that is still small keeps its rows as
//! they are, for encoders cost memory of their own.
//!
//! Rows that another row of the same key replaces are known only at the end, so files that hold such rows are written
//! again without them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{concat, filter_record_batch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;

use super::keys::{KeyEntry, Keys, RowPlace};
use super::parquet_file::{
    Codec, DataFile, MAX_FILE_BYTES, MAX_GROUP_BYTES, MAX_GROUP_ROWS, OpenFile, OpenGroup, Setup,
};
use super::partition::{PartitionKey, Partitioning};
use crate::model::columns::ColumnValues;

/// From this many rows on a partition gets encoders of its own.
const ENCODE_ROWS: usize = 1024;

/// Rows of one stretch of the input, ordered by partition.
#[derive(Debug, Default)]
pub struct Batch {
    /// Rows.
    pub rows: usize,
    /// The values of every column.
    pub columns: Vec<ColumnValues>,
    /// The partitions in order, with how many rows each has.
    pub partitions: Vec<(PartitionKey, usize)>,
    /// The keys of the rows; their sequence is the place in the batch's input order.
    pub keys: Vec<KeyEntry>,
}

/// How the loader works.
#[derive(Clone, Debug)]
pub struct LoaderSettings {
    /// The directory under which files are written.
    pub directory: PathBuf,
    /// The partition levels.
    pub partitioning: Partitioning,
    /// Compression.
    pub codec: Codec,
    /// Whether `transaction_id` gets a bloom filter.
    pub bloom_filter: bool,
    /// Bytes that open row groups may use.
    pub encoder_memory: usize,
    /// Whether rows of one key are all kept.
    pub keep_duplicates: bool,
}

/// What the loader wrote.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The data files, by partition directory and number.
    pub files: Vec<DataFile>,
    /// Rows that another one replaced.
    pub dropped: Vec<Dropped>,
}

/// A row that was dropped because another one of its key stays.
#[derive(Debug)]
pub struct Dropped {
    /// Whether the record was the same, byte by byte.
    pub identical: bool,
    /// All its columns, one row.
    pub row: RecordBatch,
}

/// Writes the rows of a run.
#[derive(Debug)]
pub struct Loader {
    setup: Setup,
    settings: LoaderSettings,
    partitions: BTreeMap<PartitionKey, usize>,
    writers: Vec<PartitionWriter>,
    keys: Keys,
    sequence: u64,
}

impl Loader {
    /// A loader with nothing in it.
    ///
    /// # Errors
    /// When the Parquet schema can't be made.
    pub fn new(settings: LoaderSettings) -> Result<Self> {
        let setup = Setup::new(settings.codec, settings.bloom_filter)?;
        let (partitions, writers) = (BTreeMap::new(), Vec::new());
        Ok(Self { setup, settings, partitions, writers, keys: Keys::default(), sequence: 0 })
    }

    /// Takes the rows of a window, in input order.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn write(&mut self, window: &[Batch]) -> Result<()> {
        let mut slices: Vec<Vec<Slice<'_>>> = Vec::new();
        for batch in window {
            self.sort_out(batch, &mut slices);
        }
        let setup = &self.setup;
        let work = self.writers.par_iter_mut().zip(slices).filter(|(_, slices)| !slices.is_empty());
        work.try_for_each(|(writer, slices)| writer.take(setup, &slices))?;
        self.relieve()
    }

    /// Finds the partition of every row and notes the keys.
    fn sort_out<'b>(&mut self, batch: &'b Batch, slices: &mut Vec<Vec<Slice<'b>>>) {
        let mut start = 0;
        for &(key, rows) in &batch.partitions {
            let number = self.partition(key);
            let writer = &mut self.writers[number];
            if !self.settings.keep_duplicates {
                for (entry, row) in batch.keys[start..start + rows].iter().zip(writer.rows..) {
                    let sequence = self.sequence + entry.sequence;
                    self.keys.push(KeyEntry { sequence, ..*entry }, RowPlace { partition: number, row });
                }
            }
            writer.rows += rows as u64;
            slices.resize_with(self.writers.len(), Vec::new);
            slices[number].push(Slice { columns: &batch.columns, start, rows });
            start += rows;
        }
        self.sequence += batch.rows as u64;
        slices.resize_with(self.writers.len(), Vec::new);
    }

    fn partition(&mut self, key: PartitionKey) -> usize {
        let (settings, writers) = (&self.settings, &mut self.writers);
        *self.partitions.entry(key).or_insert_with(|| {
            let directory = settings.directory.join(settings.partitioning.directory(&key));
            writers.push(PartitionWriter::new(directory));
            writers.len() - 1
        })
    }

    /// Closes the largest row groups until the open ones fit the budget again.
    fn relieve(&mut self) -> Result<()> {
        let mut sizes: Vec<(usize, usize)> = self.writers.iter().map(PartitionWriter::memory).zip(0..).collect();
        let mut total: usize = sizes.iter().map(|size| size.0).sum();
        if total <= self.settings.encoder_memory {
            return Ok(());
        }
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        for (size, number) in sizes {
            if total <= self.settings.encoder_memory / 2 {
                break;
            }
            self.writers[number].close_group(&self.setup)?;
            total -= size;
        }
        Ok(())
    }

    /// Writes what is left, drops the rows that others replace, and ends the files with `facts` in their footers;
    /// `name` is how the files are called, a number comes behind it.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn finish(self, facts: &[(&str, String)], name: &str) -> Result<Loaded> {
        let Self { setup, mut writers, partitions, keys, .. } = self;
        let losers = keys.losers();
        writers.par_iter_mut().try_for_each(|writer| writer.flush(&setup))?;
        let by_path: Vec<usize> = partitions.into_values().collect();
        let mut numbered: Vec<Option<PartitionWriter>> = writers.into_iter().map(Some).collect();
        let in_order: Vec<(usize, PartitionWriter)> =
            by_path.into_iter().map(|number| (number, numbered[number].take().expect("each is taken once"))).collect();
        let finished: Vec<(Vec<DataFile>, Vec<Dropped>)> = in_order
            .into_par_iter()
            .map(|(number, writer)| writer.finish(&setup, facts, name, losers.rows.get(&number)))
            .collect::<Result<_>>()?;
        let mut loaded = Loaded::default();
        for (files, dropped) in finished {
            loaded.files.extend(files);
            loaded.dropped.extend(dropped);
        }
        Ok(loaded)
    }
}

/// Consecutive rows of a batch.
#[derive(Clone, Copy, Debug)]
struct Slice<'b> {
    columns: &'b [ColumnValues],
    start: usize,
    rows: usize,
}

/// The files of one partition.
#[derive(Debug)]
struct PartitionWriter {
    directory: PathBuf,
    /// Rows that are not encoded yet.
    waiting: Vec<OwnedSlice>,
    group: Option<OpenGroup>,
    files: Vec<OpenFile>,
    /// Rows so far, for the places of keys.
    rows: u64,
}

/// Rows that wait to be encoded.
#[derive(Debug)]
struct OwnedSlice {
    columns: Vec<ColumnValues>,
    rows: usize,
}

impl PartitionWriter {
    fn new(directory: PathBuf) -> Self {
        Self { directory, waiting: Vec::new(), group: None, files: Vec::new(), rows: 0 }
    }

    fn memory(&self) -> usize {
        self.group.as_ref().map_or(0, OpenGroup::memory)
    }

    /// Takes a window's rows: to the encoders, or to those that wait.
    fn take(&mut self, setup: &Setup, slices: &[Slice<'_>]) -> Result<()> {
        let new: usize = slices.iter().map(|slice| slice.rows).sum();
        let waiting: usize = self.waiting.iter().map(|slice| slice.rows).sum();
        if self.group.is_none() && waiting + new < ENCODE_ROWS {
            let columns = (0..setup.arrow_schema().fields().len()).map(|number| gather(setup, slices, number));
            self.waiting.push(OwnedSlice { columns: columns.collect::<Result<_>>()?, rows: new });
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let owned = waiting.iter().map(|owned| Slice { columns: &owned.columns, start: 0, rows: owned.rows });
        let all: Vec<Slice<'_>> = owned.chain(slices.iter().copied()).collect();
        self.encode(setup, &all)
    }

    /// Encodes rows, ending row groups where they are full.
    fn encode(&mut self, setup: &Setup, slices: &[Slice<'_>]) -> Result<()> {
        let mut rest = slices.to_vec();
        while !rest.is_empty() {
            let group = match &mut self.group {
                Some(group) => group,
                none => none.insert(setup.open_group()?),
            };
            let (now, later) = split(&rest, MAX_GROUP_ROWS - group.rows());
            let rows = now.iter().map(|slice| slice.rows).sum();
            group.push(setup, rows, |number| gather(setup, &now, number))?;
            if group.rows() >= MAX_GROUP_ROWS || group.encoded_bytes() >= MAX_GROUP_BYTES {
                self.close_group(setup)?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Appends the open row group to the partition's last file, or to a new one.
    fn close_group(&mut self, setup: &Setup) -> Result<()> {
        let Some(group) = self.group.take() else { return Ok(()) };
        if self.files.last().is_none_or(|file| file.bytes() >= MAX_FILE_BYTES) {
            if self.files.is_empty() {
                fs::create_dir_all(&self.directory)
                    .with_context(|| format!("can't create {}", self.directory.display()))?;
            }
            self.files.push(OpenFile::create(setup, self.staged(self.files.len()))?);
        }
        self.files.last_mut().expect("there is one now").append(group)
    }

    fn staged(&self, number: usize) -> PathBuf {
        self.directory.join(format!("staged-{number:05}.parquet"))
    }

    /// Encodes what waits and ends the row group.
    fn flush(&mut self, setup: &Setup) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let slices: Vec<Slice<'_>> =
            waiting.iter().map(|owned| Slice { columns: &owned.columns, start: 0, rows: owned.rows }).collect();
        self.encode(setup, &slices)?;
        self.close_group(setup)
    }

    fn finish(
        self,
        setup: &Setup,
        facts: &[(&str, String)],
        name: &str,
        losers: Option<&Vec<(u64, bool)>>,
    ) -> Result<(Vec<DataFile>, Vec<Dropped>)> {
        let directory = self.directory;
        let mut files = Vec::with_capacity(self.files.len());
        for file in self.files {
            files.push(file.finish(facts)?);
        }
        let mut dropped = Vec::new();
        if let Some(losers) = losers {
            (files, dropped) = without(setup, &directory, files, facts, losers)?;
        }
        for (number, file) in files.iter_mut().enumerate() {
            let path = directory.join(format!("{name}-{number:05}.parquet"));
            super::commit::rename_staged(&file.path, &path)?;
            file.path = path;
        }
        Ok((files, dropped))
    }
}

/// The first `rows` rows, and the others.
fn split<'b>(slices: &[Slice<'b>], mut rows: usize) -> (Vec<Slice<'b>>, Vec<Slice<'b>>) {
    let (mut now, mut later) = (Vec::new(), Vec::new());
    for &slice in slices {
        let taken = slice.rows.min(rows);
        rows -= taken;
        if taken > 0 {
            now.push(Slice { rows: taken, ..slice });
        }
        if taken < slice.rows {
            later.push(Slice { start: slice.start + taken, rows: slice.rows - taken, ..slice });
        }
    }
    (now, later)
}

/// One column of consecutive slices as one array; `None` when all of it is null.
fn gather(setup: &Setup, slices: &[Slice<'_>], number: usize) -> Result<ColumnValues> {
    if slices.iter().all(|slice| slice.columns[number].is_none()) {
        return Ok(None);
    }
    let kind = setup.arrow_schema().field(number).data_type();
    let parts: Vec<ArrayRef> = slices
        .iter()
        .map(|slice| match &slice.columns[number] {
            Some(values) => values.slice(slice.start, slice.rows),
            None => new_null_array(kind, slice.rows),
        })
        .collect();
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(Some(concat(&parts)?))
}

/// Writes the rows of `files` again, but for the `losers`.
fn without(
    setup: &Setup,
    directory: &Path,
    files: Vec<DataFile>,
    facts: &[(&str, String)],
    losers: &[(u64, bool)],
) -> Result<(Vec<DataFile>, Vec<Dropped>)> {
    let mut writer = PartitionWriter::new(directory.join("rewritten"));
    let mut dropped = Vec::new();
    let mut losers = losers.iter().peekable();
    let mut first = 0_u64;
    for file in files {
        let context = || format!("can't read {} again", file.path.display());
        let input = File::open(&file.path).with_context(context)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(input)?.with_batch_size(1 << 16).build()?;
        for batch in reader {
            let batch = batch.with_context(context)?;
            let mut keep = vec![true; batch.num_rows()];
            while let Some((row, identical)) = losers.next_if(|(row, _)| *row < first + batch.num_rows() as u64) {
                let at = usize::try_from(row - first).expect("a row of this batch");
                keep[at] = false;
                dropped.push(Dropped { identical: *identical, row: batch.slice(at, 1) });
            }
            first += batch.num_rows() as u64;
            let kept = filter_record_batch(&batch, &BooleanArray::from(keep))?;
            let columns: Vec<ColumnValues> = kept.columns().iter().map(|column| Some(column.clone())).collect();
            writer.encode(setup, &[Slice { columns: &columns, start: 0, rows: kept.num_rows() }])?;
        }
        fs::remove_file(&file.path).with_context(context)?;
    }
    writer.close_group(setup)?;
    let mut rewritten = Vec::new();
    for (number, file) in writer.files.into_iter().enumerate() {
        let mut file = file.finish(facts)?;
        let path = directory.join(format!("staged-{number:05}.parquet"));
        super::commit::rename_staged(&file.path, &path)?;
        file.path = path;
        rewritten.push(file);
    }
    if !rewritten.is_empty() {
        fs::remove_dir(directory.join("rewritten")).context("can't remove a staging directory")?;
    }
    Ok((rewritten, dropped))
}

/// The text of a column of a single row.
#[must_use]
pub fn text_of<'a>(row: &'a RecordBatch, column: &str) -> Option<&'a str> {
    let values = row.column_by_name(column)?.as_string_opt::<i32>()?;
    (!values.is_null(0)).then(|| values.value(0))
}
