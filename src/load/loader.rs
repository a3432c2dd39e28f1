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
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use rayon::prelude::*;

use super::commit::{EarlySync, META_DIRECTORY};
use super::keys::{KeyEntry, Keys, Loser, RowPlace};
use super::manifest::{FileFacts, Stop};
use super::parquet_file::{
    Codec, DataFile, EncodedGroup, MAX_FILE_BYTES, MAX_GROUP_BYTES, MAX_GROUP_ROWS, OpenFile, Setup,
};
use super::partition::{PartitionKey, Partitioning};
use super::read_back::{Dropped, EarlierKey, FactColumns, RowReader, keys_again, open, row_hashes};
use super::replaced::{self, Lost, LostRows, Names, ReplacedWriter, Replacement};
use super::spill::{Run, RunWriter};
use crate::model::cells::{self, Cells, Slice};
use crate::model::columns::{COLUMNS, TRANSACTION_ID};
use crate::model::memory::ask_for_all;
use crate::model::paths::shown;

/// Fewer rows than this wait for more, so that row groups are not too small, …
const LEAST_GROUP_ROWS: usize = 2048;
/// … unless they have so many bytes of text.
const LEAST_GROUP_BYTES: usize = 8 << 20;
/// What the numbers of a row take, at most.
const NUMBER_BYTES: usize = 128;
/// How many partitions are finished at once.
const FINISH_AT_ONCE: usize = 16;
/// Rows of a partition that are fetched from disk are encoded when they take more memory than this.
const FETCH_BYTES: usize = 4 << 20;

/// Rows that are written again one file after the other are encoded when they take more memory than this.
const COLLECT_BYTES: usize = 64 << 20;
/// From this many on, rows that were replaced are compared and noted.
const NOTE_AT_ONCE: usize = 1 << 19;
/// Where files are written again.
pub(super) const REWRITTEN: &str = "rewritten";

/// Rows of one stretch of the input, ordered by partition.
#[derive(Debug, Default)]
pub struct Batch {
    /// The rows.
    pub cells: Cells,
    /// The partitions in order, with how many rows each has.
    pub partitions: Vec<(PartitionKey, usize)>,
    /// What decides between rows of one key, by row.
    pub keys: Vec<KeyEntry>,
}

impl Batch {
    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.cells.rows()
    }
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
    /// The names of the sources, by number.
    pub sources: Vec<&'static str>,
    /// The paths of all dumps in order, those of earlier runs included.
    pub dumps: Arc<Vec<String>>,
    /// Whether rows are only counted, and nothing is written.
    pub keys_only: bool,
    /// The snapshot to add to.
    pub earlier: Option<Earlier>,
}

/// The snapshot that a merge adds to.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// Its directory.
    pub directory: PathBuf,
    /// Its data files.
    pub files: Vec<FileFacts>,
}

/// What the loader wrote.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The data files, by partition directory and number.
    pub files: Vec<DataFile>,
    /// Files of the snapshot before that stay as they are.
    pub kept: Vec<FileFacts>,
    /// How many files of the snapshot before were written again.
    pub rewritten: usize,
    /// Rows of this run that others replaced.
    pub dropped: Dropped,
    /// Rows of earlier runs that others replaced.
    pub replaced: Dropped,
    /// The file that tells where both stood.
    pub replaced_file: Option<DataFile>,
    /// Of each source one that said the same as what took its place, and one that did not.
    pub examples: Vec<Replacement>,
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
    syncing: EarlySync,
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
        Ok(Self { setup, settings, partitions, writers, keys, runs, syncing: EarlySync::default() })
    }

    /// Notes the keys of the next batch in input order, which is written later.
    ///
    /// # Errors
    /// When keys can't be written to disk.
    pub fn note(&mut self, batch: &Batch) -> Result<()> {
        Slice::ask_for(&[batch.cells.all()], TRANSACTION_ID);
        ask_for_all(&batch.keys);
        let mut start = 0;
        for &(key, rows) in &batch.partitions {
            let number = self.partition(key);
            let writer = &mut self.writers[number];
            if !self.settings.keep_duplicates {
                let partition = u32::try_from(number).expect("fewer than 4 billion partitions");
                for (at, row) in (start..start + rows).zip(writer.rows..) {
                    let id = batch.cells.text(TRANSACTION_ID, at);
                    self.keys.push(&batch.keys[at], id, RowPlace { partition, row });
                }
            }
            writer.rows += u32::try_from(rows).expect("a batch is small");
            start += rows;
        }
        self.keys.relieve()
    }

    /// Takes the rows of a window, in input order; their keys are noted.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn write(&mut self, window: &[Batch]) -> Result<()> {
        if self.settings.keys_only {
            return Ok(());
        }
        let mut slices: Vec<Vec<Slice<'_>>> = Vec::new();
        slices.resize_with(self.writers.len(), Vec::new);
        for batch in window {
            let mut start = 0;
            for (key, rows) in &batch.partitions {
                let number = self.partitions[key];
                slices[number].push(Slice { cells: &batch.cells, start, rows: *rows });
                start += rows;
            }
        }
        let setup = &self.setup;
        let work = self.writers.par_iter_mut().zip(slices).filter(|(_, slices)| !slices.is_empty());
        work.try_for_each(|(writer, slices)| writer.take(setup, &slices))?;
        self.syncing.begin(self.writers.iter_mut().filter_map(|writer| writer.appended.take()))?;
        self.spill()
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
    /// `name` is how the files are called, a number comes behind it. Where much is read, `stop` is asked.
    ///
    /// # Errors
    /// When a file can't be written, one of the snapshot before is damaged, or it is to stop.
    pub fn finish(mut self, facts: &[(&str, String)], name: &str, stop: Stop<'_>) -> Result<Loaded> {
        self.find_earlier_keys(stop)?;
        let Self { setup, settings, writers, partitions, keys, mut runs, syncing } = self;
        let mut places: BTreeMap<PathBuf, Place> = BTreeMap::new();
        let mut writers: Vec<Option<PartitionWriter>> = writers.into_iter().map(Some).collect();
        let mut written: Vec<Vec<DataFile>> = vec![Vec::new(); writers.len()];
        let in_order: Vec<usize> = partitions.into_values().collect();
        for some in in_order.chunks(FINISH_AT_ONCE) {
            let mut work = Vec::with_capacity(some.len());
            for &number in some {
                let mut writer = writers[number].take().expect("each is taken once");
                if writer.spilled {
                    writer.fetch(&setup, u32::try_from(number).expect("as above"), &mut runs)?;
                }
                work.push((number, writer));
            }
            let end = |(number, writer): (usize, PartitionWriter)| {
                Ok((number, writer.directory.clone(), writer.end(&setup, facts)?))
            };
            for (number, directory, files) in work.into_par_iter().map(end).collect::<Result<Vec<_>>>()? {
                written[number] = files;
                places.entry(directory).or_default().partition = Some(number);
            }
        }
        // Files are renamed from here on.
        syncing.end()?;
        let path = settings.directory.join(META_DIRECTORY).join(replaced::file_name(name));
        let names = Names { sources: &settings.sources, dumps: &settings.dumps };
        let mut noted = Noted { lost: Lost::default(), file: ReplacedWriter::new(path, names) };
        let mut waiting = Vec::new();
        for losers in keys.losers() {
            waiting.append(&mut losers?);
            if waiting.len() >= NOTE_AT_ONCE {
                noted.take(std::mem::take(&mut waiting), &written, settings.earlier.as_ref())?;
            }
        }
        noted.take(waiting, &written, settings.earlier.as_ref())?;
        if let Some(earlier) = &settings.earlier {
            for (number, file) in earlier.files.iter().enumerate() {
                let path = settings.directory.join(&file.path);
                places.entry(path.parent().unwrap_or(&path).to_owned()).or_default().earlier.push(number);
            }
        }
        let Noted { lost, file } = noted;
        let finisher = Finisher { setup: &setup, facts, name, lost: &lost, earlier: settings.earlier.as_ref() };
        let work: Vec<_> = places
            .into_iter()
            .map(|(directory, place)| {
                let files = place.partition.map(|number| (number, std::mem::take(&mut written[number])));
                (directory, files, place.earlier)
            })
            .collect();
        let finish = |(directory, files, earlier): (PathBuf, Option<_>, Vec<usize>)| {
            finisher.finish(&directory, files, &earlier)
        };
        let (replaced_file, examples) = file.finish()?;
        let mut loaded = Loaded { replaced_file, examples, ..Loaded::default() };
        for place in work.into_par_iter().map(finish).collect::<Result<Vec<_>>>()? {
            loaded.files.extend(place.files);
            loaded.kept.extend(place.kept);
            loaded.rewritten += place.rewritten;
            loaded.dropped.add(place.dropped);
            loaded.replaced.add(place.replaced);
        }
        Ok(loaded)
    }

    /// How many rows others of their key would replace: by the number of the source, and whether they say the same.
    ///
    /// # Errors
    /// When keys on disk can't be read.
    pub fn duplicates(self) -> Result<BTreeMap<(u8, bool), u64>> {
        let mut counts = BTreeMap::new();
        for losers in self.keys.losers() {
            for loser in losers? {
                *counts.entry((loser.source, loser.identical)).or_default() += 1;
            }
        }
        Ok(counts)
    }

    /// Checks the files of the snapshot before, and adds the keys in them that came again.
    fn find_earlier_keys(&mut self, stop: Stop<'_>) -> Result<()> {
        let Some(earlier) = &self.settings.earlier else { return Ok(()) };
        let filter = match self.settings.keep_duplicates {
            true => None,
            false => Some(self.keys.filter(self.settings.memory)?),
        };
        let read = |file: &FileFacts| -> Result<Vec<EarlierKey>> {
            let path = earlier.directory.join(&file.path);
            file.check(&path, stop)?;
            let rank = |dump: &str| rank(&self.settings.dumps, dump);
            filter.as_ref().map_or(Ok(Vec::new()), |filter| keys_again(&path, filter, &self.settings.sources, rank))
        };
        for (some, first) in earlier.files.chunks(FINISH_AT_ONCE).zip((0..).step_by(FINISH_AT_ONCE)) {
            let found = some.par_iter().map(read).collect::<Result<Vec<_>>>()?;
            for (keys, number) in found.into_iter().zip(first..) {
                for EarlierKey { entry, id, row } in keys {
                    self.keys.push(&entry, id.as_bytes(), RowPlace { partition: RowPlace::EARLIER | number, row });
                }
            }
            self.keys.relieve()?;
        }
        Ok(())
    }
}

/// The directory of a partition: which partition of this run it is, and which files the snapshot before has there.
#[derive(Default)]
struct Place {
    partition: Option<usize>,
    earlier: Vec<usize>,
}

/// The place of a dump among all `dumps` in order.
#[must_use]
pub fn rank(dumps: &[String], dump: &str) -> Option<u32> {
    let place = dumps.binary_search_by(|other| other.as_str().cmp(dump)).ok()?;
    u32::try_from(place).ok()
}

/// What is noted of rows that others replaced.
struct Noted<'a> {
    lost: Lost,
    file: ReplacedWriter<'a>,
}

impl Noted<'_> {
    fn take(&mut self, mut losers: Vec<Loser>, written: &[Vec<DataFile>], earlier: Option<&Earlier>) -> Result<()> {
        if let Some(earlier) = earlier {
            compare_with_earlier(&mut losers, written, earlier)?;
        }
        losers.par_sort_unstable_by_key(|loser| (loser.position, loser.place));
        for loser in &losers {
            self.lost.note(loser);
        }
        self.file.push(&losers)
    }
}

/// Tells of replaced rows whose winners are of another run whether they say the same.
fn compare_with_earlier(losers: &mut [Loser], written: &[Vec<DataFile>], earlier: &Earlier) -> Result<()> {
    let mut across: Vec<&mut Loser> =
        losers.iter_mut().filter(|loser| loser.place.is_earlier() || loser.winner.is_earlier()).collect();
    let mut places: Vec<RowPlace> = across.iter().flat_map(|loser| [loser.place, loser.winner]).collect();
    places.sort_unstable();
    places.dedup();
    let hashes = |same: &[RowPlace]| {
        let rows: Vec<u32> = same.iter().map(|place| place.row).collect();
        let number = (same[0].partition & !RowPlace::EARLIER) as usize;
        if same[0].is_earlier() {
            let file = &earlier.files[number];
            let path = earlier.directory.join(&file.path);
            return row_hashes(std::iter::once((&*path, file.rows)), &rows);
        }
        row_hashes(written[number].iter().map(|file| (&*file.path, file.rows)), &rows)
    };
    let by_partition: Vec<&[RowPlace]> = places.chunk_by(|a, b| a.partition == b.partition).collect();
    let hashes = by_partition.into_par_iter().map(hashes).collect::<Result<Vec<_>>>()?.concat();
    let hash = |place| hashes[places.binary_search(&place).expect("it was just put there")];
    for loser in &mut across {
        loser.identical = hash(loser.place) == hash(loser.winner);
    }
    Ok(())
}

/// Ends the directories of partitions.
struct Finisher<'a> {
    setup: &'a Setup,
    facts: &'a [(&'a str, String)],
    name: &'a str,
    lost: &'a Lost,
    earlier: Option<&'a Earlier>,
}

impl Finisher<'_> {
    /// Gives the files of this run their names, and takes over those of the snapshot before; rows that others replaced
    /// are dropped.
    fn finish(&self, directory: &Path, own: Option<(usize, Vec<DataFile>)>, earlier: &[usize]) -> Result<Loaded> {
        let mut loaded = Loaded::default();
        if let Some((number, mut files)) = own {
            if let Some(lost) = self.lost.of(u32::try_from(number).expect("as above")) {
                let paths: Vec<_> = files.into_iter().map(|file| file.path).collect();
                files = self.without(directory, &paths, lost, &mut loaded.dropped)?;
                for path in &paths {
                    fs::remove_file(path).with_context(|| format!("can't remove {}", shown(path)))?;
                }
            }
            adopt(directory, self.name, files, &mut loaded.files)?;
        }
        for &number in earlier {
            let Some(snapshot) = self.earlier else { continue };
            let file = &snapshot.files[number];
            let path = snapshot.directory.join(&file.path);
            let place = RowPlace::EARLIER | u32::try_from(number).expect("fewer than 2 billion files");
            if let Some(lost) = self.lost.of(place) {
                let files = self.without(directory, &[path], lost, &mut loaded.replaced)?;
                adopt(directory, self.name, files, &mut loaded.files)?;
                loaded.rewritten += 1;
            } else {
                keep(snapshot, file, directory, &mut loaded)?;
            }
        }
        if loaded.files.is_empty() && loaded.kept.is_empty() {
            remove_empty(directory)?;
        }
        Ok(loaded)
    }

    /// Writes the rows of files again, but for the `lost` ones.
    fn without(
        &self,
        directory: &Path,
        paths: &[PathBuf],
        lost: &LostRows,
        dropped: &mut Dropped,
    ) -> Result<Vec<DataFile>> {
        let mut writer = PartitionWriter::new(directory.join(REWRITTEN));
        let mut first = 0;
        for path in paths {
            for batch in open(path, None, None)? {
                let batch = batch.with_context(|| format!("can't read {} again", shown(path)))?;
                let mut keep = vec![true; batch.num_rows()];
                let (rows, facts) = (RowReader(&batch), FactColumns::of(&batch)?);
                for (at, keep) in keep.iter_mut().enumerate() {
                    if let Some(identical) = lost.get(first + at) {
                        *keep = false;
                        dropped.row(&rows, &facts, at, identical)?;
                    }
                }
                first += batch.num_rows();
                let kept = filter_record_batch(&batch, &BooleanArray::from(keep))?;
                writer.take(self.setup, &[Cells::of_batch(&kept).all()])?;
            }
        }
        writer.end(self.setup, self.facts)
    }
}

/// Gives files their names, `name` and a number, after those that are there already.
pub(super) fn adopt(directory: &Path, name: &str, files: Vec<DataFile>, adopted: &mut Vec<DataFile>) -> Result<()> {
    for mut file in files {
        let path = directory.join(super::commit::data_file_name(name, adopted.len()));
        super::commit::rename_staged(&file.path, &path)?;
        file.path = path;
        adopted.push(file);
    }
    remove_empty(&directory.join(REWRITTEN))
}

/// Removes an empty directory, if it is there.
fn remove_empty(directory: &Path) -> Result<()> {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", shown(directory)))
        }
        _ => Ok(()),
    }
}

/// Takes a file of the snapshot before over as it is.
pub(super) fn keep(earlier: &Earlier, file: &FileFacts, directory: &Path, loaded: &mut Loaded) -> Result<()> {
    let path = earlier.directory.join(&file.path);
    let name = path.file_name().context("a data file has a name")?;
    create_directory(directory)?;
    super::commit::link(&path, &directory.join(name))?;
    loaded.kept.push(file.clone());
    Ok(())
}

/// Roughly what rows take.
fn size(slice: &Slice<'_>) -> usize {
    slice.text_bytes() + slice.rows * NUMBER_BYTES
}

/// The files of one partition.
#[derive(Debug)]
pub(super) struct PartitionWriter {
    directory: PathBuf,
    /// Rows that are not encoded yet.
    waiting: Vec<Cells>,
    waiting_bytes: usize,
    /// Whether rows that come before those that wait are on disk.
    spilled: bool,
    files: Vec<OpenFile>,
    /// A file to which rows were appended since it was last asked for.
    appended: Option<PathBuf>,
    /// Rows so far, for the places of keys.
    rows: u32,
}

impl PartitionWriter {
    pub(super) fn new(directory: PathBuf) -> Self {
        let (waiting, files) = (Vec::new(), Vec::new());
        Self { directory, waiting, waiting_bytes: 0, spilled: false, files, appended: None, rows: 0 }
    }

    /// Takes a window's rows: they are encoded, or wait.
    fn take(&mut self, setup: &Setup, slices: &[Slice<'_>]) -> Result<()> {
        let new: usize = slices.iter().map(|slice| slice.rows).sum();
        let waiting: usize = self.waiting.iter().map(Cells::rows).sum();
        let bytes = || -> usize {
            let all = slices.iter().copied().chain(self.waiting.iter().map(Cells::all));
            all.map(|slice| slice.text_bytes()).sum()
        };
        if self.spilled || waiting + new < LEAST_GROUP_ROWS && bytes() < LEAST_GROUP_BYTES {
            let cells = Cells::of_slices(slices);
            self.waiting_bytes += cells.memory() + size_of::<Cells>();
            self.waiting.push(cells);
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let all: Vec<Slice<'_>> = waiting.iter().map(Cells::all).chain(slices.iter().copied()).collect();
        self.encode(setup, &all)
    }

    /// The rows that wait, as one batch; none wait then.
    fn take_waiting(&mut self, setup: &Setup) -> Result<RecordBatch> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let slices: Vec<Slice<'_>> = waiting.iter().map(Cells::all).collect();
        let array = |number| cells::array(&slices, number);
        let arrays = (0..COLUMNS.len()).map(array).collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(setup.arrow_schema().clone(), arrays)?)
    }

    /// Fetches the partition's rows from disk, which come before those that wait; when there are many, they are encoded
    /// on the way.
    fn fetch(&mut self, setup: &Setup, partition: u32, runs: &mut [Run]) -> Result<()> {
        let last = std::mem::take(&mut self.waiting);
        for run in runs {
            self.waiting.extend(run.take(partition)?.iter().map(Cells::of_batch));
            let bytes: usize = self.waiting.iter().map(|cells| size(&cells.all())).sum();
            if bytes > FETCH_BYTES {
                self.flush(setup)?;
            }
        }
        self.waiting.extend(last);
        Ok(())
    }

    /// Encodes rows as row groups and appends them.
    fn encode(&mut self, setup: &Setup, slices: &[Slice<'_>]) -> Result<()> {
        let mut rest: Vec<_> = slices.iter().copied().filter(|slice| slice.rows > 0).collect();
        while !rest.is_empty() {
            let (now, later) = split(&rest, group_rows(&rest));
            self.append(setup, setup.encode(&now)?)?;
            rest = later;
        }
        Ok(())
    }

    /// Appends a row group to the partition's last file, or to a new one.
    fn append(&mut self, setup: &Setup, group: EncodedGroup) -> Result<()> {
        if self.files.last().is_none_or(|file| file.bytes() >= MAX_FILE_BYTES) {
            if self.files.is_empty() {
                create_directory(&self.directory)?;
            }
            self.files.push(OpenFile::create(setup, self.staged(self.files.len()))?);
        }
        self.appended = Some(self.staged(self.files.len() - 1));
        self.files.last_mut().expect("there is one now").append(group)
    }

    fn staged(&self, number: usize) -> PathBuf {
        self.directory.join(format!("staged-{number:05}.parquet"))
    }

    /// Encodes what waits.
    fn flush(&mut self, setup: &Setup) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let slices: Vec<Slice<'_>> = waiting.iter().map(Cells::all).collect();
        self.encode(setup, &slices)
    }

    /// Takes rows that are encoded when there are many.
    pub(super) fn collect(&mut self, setup: &Setup, rows: &RecordBatch) -> Result<()> {
        let cells = Cells::of_batch(rows);
        self.waiting_bytes += size(&cells.all());
        self.waiting.push(cells);
        if self.waiting_bytes > COLLECT_BYTES { self.flush(setup) } else { Ok(()) }
    }

    /// Encodes what waits and ends the files, in staging.
    pub(super) fn end(mut self, setup: &Setup, facts: &[(&str, String)]) -> Result<Vec<DataFile>> {
        self.flush(setup)?;
        self.files.into_iter().map(|file| file.finish(facts)).collect()
    }
}

fn create_directory(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("can't create {}", shown(directory)))
}

/// How many of the first rows make a row group: at most [`MAX_GROUP_ROWS`], of at most [`MAX_GROUP_BYTES`], at least one.
///
/// Rows are counted one by one, so that it does not matter how they are cut into slices.
fn group_rows(slices: &[Slice<'_>]) -> usize {
    let rows: usize = slices.iter().map(|slice| slice.rows).sum();
    if slices.iter().map(Slice::text_bytes).sum::<usize>() < MAX_GROUP_BYTES / 2 {
        return rows.min(MAX_GROUP_ROWS);
    }
    let mut bytes = 0;
    let sizes = slices.iter().flat_map(|slice| (0..slice.rows).map(|row| size(&slice.row(row))));
    let fits = |size: usize| {
        bytes += size;
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
