//! Rows of a run, window by window, into the files of their partitions.
//!
//! A window is a stretch of the input that is cut by content alone. What a window holds for one partition is encoded in
//! one go as a row group, so the bytes written depend on windows but not on chunks or threads. Of a partition for which a
//! window holds only a few, rows wait for more; when rows that wait take too much memory they go to disk, and their
//! partitions are encoded at the end.
//!
//! Rows that another row of the same key replaces are known only at the end, so files that hold such rows are written
//! again without them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Decimal128Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;

use super::keys::{KeyEntry, Keys, Loser, RowPlace};
use super::parquet_file::{
    Codec, DataFile, EncodedGroup, MAX_FILE_BYTES, MAX_GROUP_BYTES, MAX_GROUP_ROWS, OpenFile, Setup,
};
use super::partition::{PartitionKey, Partitioning};
use super::spill::{Run, RunWriter};
use crate::model::cells::Cells;
use crate::model::columns::{self, COLUMNS, Column};
use crate::model::counts::{RowFacts, SourceCounts};
use crate::model::money::{Amount, Currency, Money};
use crate::model::transaction::Amounts;
use crate::model::vocabulary::{AmountCheck, Classification, State};

/// Fewer rows than this wait for more, so that row groups are not too small.
const LEAST_GROUP_ROWS: usize = 2048;
/// What the numbers of a row take, at most.
const NUMBER_BYTES: usize = 128;
/// How many partitions are finished at once.
const FINISH_AT_ONCE: usize = 16;
/// Rows of a partition that are fetched from disk are encoded when they take more memory than this.
const FETCH_BYTES: usize = 4 << 20;

/// Rows of one stretch of the input, ordered by partition.
#[derive(Debug, Default)]
pub struct Batch {
    /// Rows.
    pub rows: usize,
    /// The values of every column; `None` for one that is null throughout.
    pub columns: Vec<Option<Cells>>,
    /// The partitions in order, with how many rows each has.
    pub partitions: Vec<(PartitionKey, usize)>,
    /// What decides between rows of one key, by row.
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
    /// A directory for what does not fit in memory.
    pub spill_directory: PathBuf,
    /// Bytes that rows that wait may use, and keys likewise.
    pub memory: usize,
    /// Whether rows of one key are all kept.
    pub keep_duplicates: bool,
}

/// What the loader wrote.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The data files, by partition directory and number.
    pub files: Vec<DataFile>,
    /// Rows that others replaced.
    pub dropped: Dropped,
}

/// Rows that were dropped because another one of their key stays.
#[derive(Debug, Default)]
pub struct Dropped {
    /// Counts by source.
    pub sources: BTreeMap<String, SourceCounts>,
    /// How many by dump.
    pub dumps: BTreeMap<String, u64>,
}

impl Dropped {
    fn add(&mut self, other: Self) {
        for (source, counts) in other.sources {
            *self.sources.entry(source).or_default() += counts;
        }
        for (dump, count) in other.dumps {
            *self.dumps.entry(dump).or_default() += count;
        }
    }

    /// Counts the row at `at`, read back.
    fn row(&mut self, rows: &RowReader<'_>, at: usize, identical: bool) -> Result<()> {
        let counts = self.sources.entry(rows.text("source", at)?.to_owned()).or_default();
        counts.row(&rows.facts(at)?);
        *(if identical { &mut counts.identical } else { &mut counts.differing }) += 1;
        *self.dumps.entry(rows.text("source_file", at)?.to_owned()).or_default() += 1;
        Ok(())
    }
}

/// Writes the rows of a run.
#[derive(Debug)]
pub struct Loader {
    setup: Setup,
    settings: LoaderSettings,
    partitions: BTreeMap<PartitionKey, usize>,
    writers: Vec<PartitionWriter>,
    keys: Keys,
    runs: Vec<Run>,
}

impl Loader {
    /// A loader with nothing in it.
    ///
    /// # Errors
    /// When the Parquet schema can't be made.
    pub fn new(settings: LoaderSettings) -> Result<Self> {
        let setup = Setup::new(settings.codec, settings.bloom_filter)?;
        let keys = Keys::new(settings.spill_directory.join("keys"), settings.memory);
        let (partitions, writers, runs) = (BTreeMap::new(), Vec::new(), Vec::new());
        Ok(Self { setup, settings, partitions, writers, keys, runs })
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
        self.keys.relieve()?;
        self.spill()
    }

    /// Finds the partition of every row and notes the keys.
    fn sort_out<'b>(&mut self, batch: &'b Batch, slices: &mut Vec<Vec<Slice<'b>>>) {
        let mut start = 0;
        for &(key, rows) in &batch.partitions {
            let number = self.partition(key);
            let writer = &mut self.writers[number];
            if !self.settings.keep_duplicates {
                let partition = u32::try_from(number).expect("fewer than 4 billion partitions");
                let ids = batch.columns[columns::TRANSACTION_ID].as_ref().expect("no row is without an id");
                for (at, row) in (start..start + rows).zip(writer.rows..) {
                    self.keys.push(&batch.keys[at], ids.text(at), RowPlace { partition, row });
                }
            }
            writer.rows += u32::try_from(rows).expect("a batch is small");
            slices.resize_with(self.writers.len(), Vec::new);
            slices[number].push(Slice { columns: &batch.columns, start, rows });
            start += rows;
        }
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

    /// Writes rows that wait to disk when they take too much memory.
    fn spill(&mut self) -> Result<()> {
        let waiting: usize = self.writers.iter().map(|writer| writer.waiting_bytes).sum();
        if waiting <= self.settings.memory {
            return Ok(());
        }
        let path = self.settings.spill_directory.join(format!("rows-{}", self.runs.len()));
        let mut run = RunWriter::create(&path, self.setup.arrow_schema())?;
        for &number in self.partitions.values() {
            let writer = &mut self.writers[number];
            if !writer.waiting.is_empty() {
                run.push(u32::try_from(number).expect("as above"), writer.take_waiting(&self.setup)?)?;
                writer.spilled = true;
            }
        }
        self.runs.push(run.finish(&path)?);
        Ok(())
    }

    /// Writes what is left, drops the rows that others replace, and ends the files with `facts` in their footers;
    /// `name` is how the files are called, a number comes behind it.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn finish(self, facts: &[(&str, String)], name: &str) -> Result<Loaded> {
        let Self { setup, writers, partitions, keys, mut runs, .. } = self;
        let losers = keys.losers()?;
        let mut writers: Vec<Option<PartitionWriter>> = writers.into_iter().map(Some).collect();
        let in_order: Vec<usize> = partitions.into_values().collect();
        let mut loaded = Loaded::default();
        for some in in_order.chunks(FINISH_AT_ONCE) {
            let mut work = Vec::with_capacity(some.len());
            for &number in some {
                let mut writer = writers[number].take().expect("each is taken once");
                let partition = u32::try_from(number).expect("as above");
                if writer.spilled {
                    writer.fetch(&setup, partition, &mut runs)?;
                }
                work.push((writer, losers_of(&losers, partition)));
            }
            let finish = |(writer, losers): (PartitionWriter, &[Loser])| writer.finish(&setup, facts, name, losers);
            for (files, dropped) in work.into_par_iter().map(finish).collect::<Result<Vec<_>>>()? {
                loaded.files.extend(files);
                loaded.dropped.add(dropped);
            }
        }
        Ok(loaded)
    }
}

/// The part of the sorted losers that is in a partition.
fn losers_of(losers: &[Loser], partition: u32) -> &[Loser] {
    let start = losers.partition_point(|loser| loser.place.partition < partition);
    let end = losers.partition_point(|loser| loser.place.partition <= partition);
    &losers[start..end]
}

/// Consecutive rows of a batch.
#[derive(Clone, Copy, Debug)]
struct Slice<'b> {
    columns: &'b [Option<Cells>],
    start: usize,
    rows: usize,
}

impl Slice<'_> {
    fn range(&self) -> Range<usize> {
        self.start..self.start + self.rows
    }

    /// Whether a column is null throughout.
    fn is_null(&self, number: usize) -> bool {
        self.columns[number].as_ref().is_none_or(|cells| cells.is_null(self.range()))
    }

    /// Roughly what the rows take.
    fn bytes(&self) -> usize {
        self.text_bytes(0..self.rows) + self.rows * NUMBER_BYTES
    }

    /// Bytes of text in these rows.
    fn text_bytes(&self, rows: Range<usize>) -> usize {
        let rows = self.start + rows.start..self.start + rows.end;
        self.columns.iter().flatten().map(|cells| cells.text_bytes(rows.clone())).sum()
    }
}

/// The files of one partition.
#[derive(Debug)]
struct PartitionWriter {
    directory: PathBuf,
    /// Rows that are not encoded yet.
    waiting: Vec<OwnedSlice>,
    waiting_bytes: usize,
    /// Whether rows that come before those that wait are on disk.
    spilled: bool,
    files: Vec<OpenFile>,
    /// Rows so far, for the places of keys.
    rows: u32,
}

/// Rows that wait to be encoded.
#[derive(Debug)]
struct OwnedSlice {
    columns: Vec<Option<Cells>>,
    rows: usize,
}

impl OwnedSlice {
    fn of(batch: &RecordBatch) -> Self {
        let cells = |(column, array): (&Column, &ArrayRef)| Cells::of_array(column.kind, array);
        Self { columns: COLUMNS.iter().zip(batch.columns()).map(cells).collect(), rows: batch.num_rows() }
    }

    fn all(&self) -> Slice<'_> {
        Slice { columns: &self.columns, start: 0, rows: self.rows }
    }
}

impl PartitionWriter {
    fn new(directory: PathBuf) -> Self {
        let (waiting, files) = (Vec::new(), Vec::new());
        Self { directory, waiting, waiting_bytes: 0, spilled: false, files, rows: 0 }
    }

    /// Takes a window's rows: they are encoded, or wait.
    fn take(&mut self, setup: &Setup, slices: &[Slice<'_>]) -> Result<()> {
        let new: usize = slices.iter().map(|slice| slice.rows).sum();
        let waiting: usize = self.waiting.iter().map(|slice| slice.rows).sum();
        if self.spilled || waiting + new < LEAST_GROUP_ROWS {
            let columns: Vec<_> = (0..COLUMNS.len()).map(|number| gather(slices, number)).collect();
            let bytes = columns.iter().flatten().map(Cells::memory).sum::<usize>();
            self.waiting_bytes += bytes + columns.len() * size_of::<Option<Cells>>();
            self.waiting.push(OwnedSlice { columns, rows: new });
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let all: Vec<Slice<'_>> = waiting.iter().map(OwnedSlice::all).chain(slices.iter().copied()).collect();
        self.encode(setup, &all)
    }

    /// The rows that wait, as one batch; none wait then.
    fn take_waiting(&mut self, setup: &Setup) -> Result<RecordBatch> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let slices: Vec<Slice<'_>> = waiting.iter().map(OwnedSlice::all).collect();
        let rows = waiting.iter().map(|owned| owned.rows).sum();
        let array = |(number, column): (usize, &Column)| match gather(&slices, number) {
            Some(cells) => cells.into_array(column.kind),
            None => Ok(new_null_array(&column.kind.data_type(), rows)),
        };
        let arrays = COLUMNS.iter().enumerate().map(array).collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(setup.arrow_schema().clone(), arrays)?)
    }

    /// Fetches the partition's rows from disk, which come before those that wait; when there are many, they are encoded
    /// on the way.
    fn fetch(&mut self, setup: &Setup, partition: u32, runs: &mut [Run]) -> Result<()> {
        let last = std::mem::take(&mut self.waiting);
        for run in runs {
            self.waiting.extend(run.take(partition)?.iter().map(OwnedSlice::of));
            let bytes: usize = self.waiting.iter().map(|owned| owned.all().bytes()).sum();
            if bytes > FETCH_BYTES {
                self.flush(setup)?;
            }
        }
        self.waiting.extend(last);
        Ok(())
    }

    /// Encodes rows as row groups and appends them.
    fn encode(&mut self, setup: &Setup, slices: &[Slice<'_>]) -> Result<()> {
        let mut rest = slices.to_vec();
        while !rest.is_empty() {
            let (now, later) = split(&rest, group_rows(&rest));
            let rows = now.iter().map(|slice| slice.rows).sum();
            let null = |number: &usize| now.iter().all(|slice| slice.is_null(*number));
            let nulls = (0..COLUMNS.len()).filter(null).fold(0, |bits, number| bits | 1 << number);
            let group = setup.encode(rows, nulls, |number| gather(&now, number))?;
            self.append(setup, group)?;
            rest = later;
        }
        Ok(())
    }

    /// Appends a row group to the partition's last file, or to a new one.
    fn append(&mut self, setup: &Setup, group: EncodedGroup) -> Result<()> {
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

    /// Encodes what waits.
    fn flush(&mut self, setup: &Setup) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let slices: Vec<Slice<'_>> = waiting.iter().map(OwnedSlice::all).collect();
        self.encode(setup, &slices)
    }

    fn finish(
        mut self,
        setup: &Setup,
        facts: &[(&str, String)],
        name: &str,
        losers: &[Loser],
    ) -> Result<(Vec<DataFile>, Dropped)> {
        self.flush(setup)?;
        let directory = self.directory;
        let mut files = Vec::with_capacity(self.files.len());
        for file in self.files {
            files.push(file.finish(facts)?);
        }
        let mut dropped = Dropped::default();
        if !losers.is_empty() {
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

/// How many of the first rows make a row group: at most [`MAX_GROUP_ROWS`], of at most [`MAX_GROUP_BYTES`], at least one.
///
/// Rows are counted one by one, so that it does not matter how they are cut into slices.
fn group_rows(slices: &[Slice<'_>]) -> usize {
    let rows: usize = slices.iter().map(|slice| slice.rows).sum();
    if slices.iter().map(|slice| slice.text_bytes(0..slice.rows)).sum::<usize>() < MAX_GROUP_BYTES / 2 {
        return rows.min(MAX_GROUP_ROWS);
    }
    let mut bytes = 0;
    let sizes = slices.iter().flat_map(|slice| (0..slice.rows).map(|row| slice.text_bytes(row..row + 1)));
    let fits = |size: usize| {
        bytes += size + NUMBER_BYTES;
        bytes <= MAX_GROUP_BYTES
    };
    sizes.map(fits).take_while(|fits| *fits).count().clamp(1, MAX_GROUP_ROWS)
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

/// One column of consecutive slices; `None` when all of it is null.
fn gather(slices: &[Slice<'_>], number: usize) -> Option<Cells> {
    let parts: Vec<_> = slices.iter().map(|slice| (slice.columns[number].as_ref(), slice.range())).collect();
    if parts.iter().all(|(part, _)| part.is_none()) {
        return None;
    }
    Some(Cells::join(COLUMNS[number].kind, &parts))
}

/// Writes the rows of `files` again, but for the `losers`.
fn without(
    setup: &Setup,
    directory: &Path,
    files: Vec<DataFile>,
    facts: &[(&str, String)],
    losers: &[Loser],
) -> Result<(Vec<DataFile>, Dropped)> {
    let mut writer = PartitionWriter::new(directory.join("rewritten"));
    let mut dropped = Dropped::default();
    let mut losers = losers.iter().peekable();
    let mut first = 0;
    for file in files {
        let context = || format!("can't read {} again", file.path.display());
        let input = File::open(&file.path).with_context(context)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(input)?.with_batch_size(1 << 16).build()?;
        for batch in reader {
            let batch = batch.with_context(context)?;
            let mut keep = vec![true; batch.num_rows()];
            let rows = RowReader(&batch);
            let end = first + batch.num_rows();
            while let Some(loser) = losers.next_if(|loser| (loser.place.row as usize) < end) {
                let at = loser.place.row as usize - first;
                keep[at] = false;
                dropped.row(&rows, at, loser.identical)?;
            }
            first = end;
            let kept = filter_record_batch(&batch, &BooleanArray::from(keep))?;
            writer.take(setup, &[OwnedSlice::of(&kept).all()])?;
        }
        fs::remove_file(&file.path).with_context(context)?;
    }
    writer.flush(setup)?;
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

/// Reads values of rows that were written.
struct RowReader<'b>(&'b RecordBatch);

impl<'b> RowReader<'b> {
    fn column(&self, name: &str) -> Result<&'b ArrayRef> {
        self.0.column_by_name(name).with_context(|| format!("the column {name} is missing"))
    }

    fn optional_text(&self, name: &str, at: usize) -> Result<Option<&'b str>> {
        let values = self.column(name)?.as_string_opt::<i32>().with_context(|| format!("{name} is no text"))?;
        Ok((!values.is_null(at)).then(|| values.value(at)))
    }

    fn text(&self, name: &str, at: usize) -> Result<&'b str> {
        self.optional_text(name, at)?.with_context(|| format!("{name} is null"))
    }

    fn money(&self, amount: &str, currency: &str, at: usize) -> Result<Option<Money>> {
        let values = self.column(amount)?.as_primitive_opt::<Decimal128Type>().context("an amount is no decimal")?;
        if values.is_null(at) {
            return Ok(None);
        }
        let units = i64::try_from(values.value(at)).ok().and_then(Amount::from_units);
        let currency = self.optional_text(currency, at)?.and_then(Currency::parse);
        Ok(Some(Money { amount: units.context("an amount is out of range")?, currency }))
    }

    fn facts(&self, at: usize) -> Result<RowFacts> {
        let unknown = "a word that is not in the schema";
        Ok(RowFacts {
            state: State::parse(self.text("state", at)?).context(unknown)?,
            classification: Classification::parse(self.text("classification", at)?).context(unknown)?,
            amounts: Amounts {
                gross: self.money("gross_amount", "currency", at)?,
                net: self.money("net_amount", "net_currency", at)?,
                fee: self.money("fee_amount", "fee_currency", at)?,
                check: AmountCheck::parse(self.text("amount_check", at)?).context(unknown)?,
            },
        })
    }
}
