//! Checks a dataset against its manifest: files, footers, rows, keys, sums, totals and quarantine.
//!
//! Every byte of the data is read, files in parallel. A file that is not, byte by byte, what the manifest says is not
//! looked into further. Of the rows, those columns are read that tell where a row belongs, and it is they that count, not
//! statistics. Keys are compared by hash first, 8 bytes of memory a row; only those whose hash occurs twice are read again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use parquet::arrow::ProjectionMask;
use parquet::file::metadata::ParquetMetaData;
use rayon::prelude::*;
use serde::Serialize;
use twox_hash::XxHash3_64;

use super::{
    DataReader, Failure, RUN_ID, footer_fact, guarded, is_inside, manifest_path, manifest_text, open_data_file, places,
    quarantine_lines, schema_fault,
};
use crate::load::commit::META_DIRECTORY;
use crate::load::ledger::{self, Ledger, SourceTotals, by_currency};
use crate::load::manifest::{DumpFacts, FileFacts, Manifest};
use crate::load::partition::{PartitionKey, Partitioning};
use crate::load::quarantine;
use crate::load::read_back::FactColumns;
use crate::model::columns;
use crate::model::cube::{Cube, Tally};
use crate::model::paths::{escape_bytes, printable, shown};
use crate::model::reject::Reason;
use crate::model::time::Timestamp;
use crate::report::text::{counted, grouped, size};
use crate::report::{self, html};
use crate::sources::{self, Source};

/// Rows read at once.
const BATCH_ROWS: usize = 1 << 14;

const RESTORE: &str = "restore it from a copy, or normalize the dumps again with --mode replace";
const REMOVE: &str = "remove it, or keep it outside the dataset";
const AGAIN: &str = "normalize the dumps again with --mode replace";

/// Something that is wrong.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Fault {
    /// The path in the dataset.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub help: &'static str,
}

impl Fault {
    fn new(path: &str, what: impl Into<String>, help: &'static str) -> Self {
        Self { path: path.to_owned(), what: what.into(), help }
    }
}

/// What was checked, and what is wrong.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verified {
    /// The run that wrote the manifest; absent when it can't be read.
    pub run_id: Option<String>,
    /// Data files, as listed.
    pub files: usize,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Dumps, as listed.
    pub dumps: usize,
    /// Records in quarantine, as listed.
    pub quarantined: u64,
    /// Totals of the rows that were read.
    pub totals: Vec<SourceTotals>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// A line for each fault, and one on what was checked.
impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "{}: {}; {}", printable(&fault.path), printable(&fault.what), fault.help)?;
        }
        let faults = match self.faults.len() {
            0 => "all is well".to_owned(),
            number => counted(number as u64, "fault"),
        };
        if self.run_id.is_none() {
            return writeln!(f, "checked the manifest alone: {faults}");
        }
        writeln!(
            f,
            "checked {} ({}), {}, {} and {} in quarantine: {faults}",
            counted(self.files as u64, "file"),
            size(self.bytes),
            counted(self.rows, "row"),
            counted(self.dumps as u64, "dump"),
            counted(self.quarantined, "record"),
        )
    }
}

/// Checks the dataset in the directory `dataset`.
///
/// # Errors
/// When there is no dataset, or its manifest can't be read from the disk. What is wrong in it is no error.
pub fn verify(dataset: &Path) -> Result<Verified, Failure> {
    let text = manifest_text(dataset)?;
    let at = shown(&manifest_path());
    let manifest = match Manifest::parse(&text) {
        Ok(manifest) => manifest,
        Err(what) => return Ok(Verified { faults: vec![Fault::new(&at, what, RESTORE)], ..Verified::default() }),
    };
    let mut faults = Vec::new();
    let totals = check_all(dataset, &manifest, &mut faults);
    if manifest_text(dataset)? != text {
        let what = "it changed while the dataset was checked";
        faults = vec![Fault::new(&at, what, "check again when no run works on the dataset")];
    }
    Ok(Verified {
        files: manifest.files.len(),
        rows: manifest.rows,
        bytes: manifest.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes)),
        dumps: manifest.dumps.len(),
        quarantined: manifest.quarantined,
        totals: by_currency(&totals),
        run_id: Some(manifest.run_id),
        faults,
    })
}

/// Checks everything; gives the totals of the rows that were read.
fn check_all(dataset: &Path, manifest: &Manifest, faults: &mut Vec<Fault>) -> BTreeMap<String, Cube> {
    let at = shown(&manifest_path());
    let Ok(partitioning) = Partitioning::parse(&manifest.partition_by) else {
        faults.push(Fault::new(&at, "partition levels that this paynorm does not know", RESTORE));
        return BTreeMap::new();
    };
    let there = Listing::of(dataset, faults);
    let check = |file: &FileFacts| Checked::of(dataset, file, &there, &partitioning);
    let checked: Vec<Checked> = manifest.files.par_iter().map(check).collect();
    faults.extend(checked.iter().flat_map(|checked| checked.faults.iter().cloned()));
    unlisted(manifest, there, faults);
    sums(manifest, |what| faults.push(Fault::new(&at, what, AGAIN)));
    if checked.iter().all(|checked| checked.whole) {
        rows_of_dumps(manifest, &checked, |what| faults.push(Fault::new(&at, what, AGAIN)));
    }
    if !manifest.keep_duplicates {
        one_row_per_key(dataset, manifest, &checked, faults);
    }
    for file in &manifest.replaced {
        let path = dataset.join(&file.path);
        let is_file = is_inside(&file.path) && fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file());
        if !is_file || !digest(&path).is_ok_and(|(_, digest)| digest == file.digest) {
            faults.push(Fault::new(&file.path, "is not the file that was written", RESTORE));
        }
    }
    check_quarantine(dataset, manifest, faults);
    let mut totals: BTreeMap<String, Cube> = BTreeMap::new();
    for (source, cube) in checked.iter().flat_map(|checked| &checked.totals) {
        *totals.entry(source.clone()).or_default() += cube;
    }
    totals.retain(|_, cube| *cube != Cube::default());
    check_ledger(dataset, manifest, &totals, faults);
    totals
}

/// Checks what the dataset keeps of itself: the digests of the files beside the manifest and, where nothing else is wrong
/// that would show here again, whether the totals are those of the rows.
fn check_ledger(dataset: &Path, manifest: &Manifest, totals: &BTreeMap<String, Cube>, faults: &mut Vec<Fault>) {
    for name in [ledger::DRIFT, ledger::HISTORY, ledger::TOTALS, report::FILE_NAME, html::FILE_NAME] {
        let path = Path::new(META_DIRECTORY).join(name);
        let mut fault = |what: String, help| faults.push(Fault::new(&shown(&path), what, help));
        let said = manifest.beside.get(name);
        match fs::symlink_metadata(dataset.join(&path)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => fault("is missing".to_owned(), RESTORE),
            Ok(metadata) if metadata.is_file() => match digest(&dataset.join(&path)) {
                Err(error) => fault(format!("can't be read: {}", error.kind()), "check its permissions and the disk"),
                Ok((_, found)) if said != Some(&found) => fault("its digest is not the manifest's".to_owned(), RESTORE),
                Ok(_) => {}
            },
            _ => fault("is no regular file".to_owned(), RESTORE),
        }
    }
    if faults.is_empty() {
        compare_ledger(dataset, manifest, totals, faults);
    }
}

fn compare_ledger(dataset: &Path, manifest: &Manifest, totals: &BTreeMap<String, Cube>, faults: &mut Vec<Fault>) {
    let at = |name: &str| shown(&Path::new(META_DIRECTORY).join(name));
    let last = Ledger::read(dataset, manifest).and_then(|ledger| Ok((ledger.history.last(1)?.pop(), ledger)));
    let Ok((last, ledger)) = last else {
        faults.push(Fault::new(&at(ledger::HISTORY), "it or a file beside it has a line that is none", RESTORE));
        return;
    };
    if ledger.totals != *totals {
        let what = format!("{} of its totals are not those of the rows", differing(&ledger.totals, totals));
        faults.push(Fault::new(&at(ledger::TOTALS), what, AGAIN));
    }
    let is_last = last.is_some_and(|last| {
        let is = last.dataset;
        (last.run_id == manifest.run_id && last.totals == by_currency(&ledger.totals))
            && last.settings == manifest.settings
            && (is.rows, is.quarantined) == (manifest.rows, manifest.quarantined)
            && (is.dumps, is.files) == (manifest.dumps.len(), manifest.files.len())
            && is.identical.checked_add(is.differing) == Some(manifest.duplicates)
    });
    if !is_last {
        faults.push(Fault::new(&at(ledger::HISTORY), "its last run did not leave the dataset that is there", RESTORE));
    }
}

/// How many cells differ.
fn differing(some: &BTreeMap<String, Cube>, others: &BTreeMap<String, Cube>) -> usize {
    let cells = |cubes: &BTreeMap<String, Cube>| -> BTreeSet<String> {
        let cells = cubes.iter().flat_map(|(source, cube)| cube.cells().map(move |cell| format!("{source} {cell:?}")));
        cells.collect()
    };
    cells(some).symmetric_difference(&cells(others)).count()
}

/// What lies in a dataset, outside `_paynorm`.
#[derive(Default)]
struct Listing {
    /// Regular files.
    files: BTreeSet<String>,
    /// Symbolic links by which readers come to data files.
    links: BTreeSet<String>,
    /// Neither files nor directories, and no such links.
    others: BTreeSet<String>,
}

impl Listing {
    fn of(dataset: &Path, faults: &mut Vec<Fault>) -> Self {
        let mut listing = Self::default();
        let mut directories = vec![dataset.to_owned()];
        while let Some(directory) = directories.pop() {
            if let Err(error) = listing.add(dataset, &directory, &mut directories) {
                let what = format!("can't be listed: {}", error.kind());
                faults.push(Fault::new(&name_of(dataset, &directory), what, "check its permissions and the disk"));
            }
        }
        listing
    }

    fn add(
        &mut self,
        dataset: &Path,
        directory: &Path,
        directories: &mut Vec<std::path::PathBuf>,
    ) -> std::io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let (kind, path) = entry.and_then(|entry| Ok((entry.file_type()?, entry.path())))?;
            let name = name_of(dataset, &path);
            if kind.is_dir() {
                if name != META_DIRECTORY {
                    directories.push(path);
                }
            } else if kind.is_file() {
                self.files.insert(name);
            } else if kind.is_symlink() && (path.is_dir() || is_data(&name)) {
                self.links.insert(name);
            } else {
                self.others.insert(name);
            }
        }
        Ok(())
    }
}

/// A path relative to the dataset.
fn name_of(dataset: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(dataset).unwrap_or(path).components();
    let parts: Vec<_> = parts.map(|part| escape_bytes(part.as_os_str())).collect();
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// Whether readers of `**/*.parquet` take a file for data.
fn is_data(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "parquet")
}

fn unlisted(manifest: &Manifest, there: Listing, faults: &mut Vec<Fault>) {
    let mut listed = BTreeSet::new();
    for file in &manifest.files {
        if !listed.insert(file.path.as_str()) {
            faults.push(Fault::new(&file.path, "is listed twice in the manifest", RESTORE));
        }
    }
    let stray = there.files.into_iter().filter(|name| !listed.contains(name.as_str()));
    let (data, foreign): (Vec<_>, Vec<_>) = stray.partition(|name| is_data(name));
    let link = "a symbolic link, by which readers may come to other data";
    let is_foreign = "is not of paynorm, which refuses to change a dataset that holds it";
    for (names, what) in [
        (data, "a data file that the manifest does not list"),
        (there.links.into_iter().collect(), link),
        (foreign.into_iter().chain(there.others).collect(), is_foreign),
    ] {
        faults.extend(names.iter().map(|name| Fault::new(name, what, REMOVE)));
    }
}

/// What was found in one file.
#[derive(Default)]
struct Checked {
    faults: Vec<Fault>,
    /// Whether all its rows were read.
    whole: bool,
    /// Rows by the dump that they are from.
    dumps: BTreeMap<String, u64>,
    /// The hash of every row's key.
    keys: Vec<u64>,
    /// The rows by source.
    totals: BTreeMap<String, Cube>,
    /// Whether some could not be counted.
    uncounted: bool,
}

impl Checked {
    fn of(dataset: &Path, file: &FileFacts, there: &Listing, partitioning: &Partitioning) -> Self {
        let mut checked = Self::default();
        if let Err((what, help)) = checked.check(dataset, file, there, partitioning) {
            checked.fault(file, what, help);
        }
        checked
    }

    fn fault(&mut self, file: &FileFacts, what: impl Into<String>, help: &'static str) {
        self.faults.push(Fault::new(&file.path, what, help));
    }

    /// Checks a file from the outside in; the fault that makes looking further pointless is the error.
    fn check(
        &mut self,
        dataset: &Path,
        file: &FileFacts,
        there: &Listing,
        partitioning: &Partitioning,
    ) -> Result<(), (String, &'static str)> {
        let path = dataset.join(&file.path);
        if !is_inside(&file.path) {
            return Err(("the manifest lists a path that leads out of the dataset".to_owned(), RESTORE));
        }
        if !there.files.contains(&file.path) {
            let absent = fs::symlink_metadata(&path).is_err();
            let what = if absent { "is missing" } else { "is no regular file, or a link leads to it" };
            return Err((what.to_owned(), RESTORE));
        }
        let unreadable = |error: &std::io::Error| format!("can't be read: {}", error.kind());
        let (bytes, digest) = digest(&path).map_err(|e| (unreadable(&e), "check its permissions and the disk"))?;
        if bytes != file.bytes {
            return Err((format!("{bytes} bytes, and the manifest says {}", file.bytes), RESTORE));
        }
        if digest != file.digest {
            return Err(("its digest is not the manifest's".to_owned(), RESTORE));
        }
        let reader = guarded(|| open_data_file(&path)).map_err(|_| ("its footer can't be read".to_owned(), RESTORE))?;
        if let Some(what) = schema_fault(reader.parquet_schema()) {
            return Err((format!("not of the unified schema: {what}"), AGAIN));
        }
        self.footer(file, reader.metadata());
        guarded(|| self.rows(file, reader, partitioning)).map_err(|_| ("its rows can't be read".to_owned(), RESTORE))
    }

    fn footer(&mut self, file: &FileFacts, metadata: &ParquetMetaData) {
        let rows = metadata.file_metadata().num_rows();
        for (what, found, said) in [
            ("rows", u64::try_from(rows).unwrap_or_default(), file.rows),
            ("row groups", metadata.num_row_groups() as u64, file.row_groups),
        ] {
            if found != said {
                self.fault(file, format!("{found} {what}, and the manifest says {said}"), RESTORE);
            }
        }
        let schema_version = columns::VERSION.to_string();
        if footer_fact(metadata, "paynorm.schema_version") != Some(&schema_version) {
            self.fault(file, format!("its footer does not say schema version {schema_version}"), AGAIN);
        }
        for key in ["paynorm.version", RUN_ID] {
            if footer_fact(metadata, key).is_none() {
                self.fault(file, format!("its footer does not say {key}"), AGAIN);
            }
        }
    }

    /// Reads what tells where the rows belong.
    fn rows(&mut self, file: &FileFacts, reader: DataReader, partitioning: &Partitioning) -> Result<()> {
        let directory = file.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let mut belongs: Option<PartitionKey> = None;
        let (mut strangers, mut unknown) = (0, 0);
        let names = [&["source", "transaction_id", "source_file"][..], &FactColumns::NAMES].concat();
        for batch in read(reader, &names)? {
            let rows = KeyRows::of(batch?)?;
            self.count(&rows)?;
            for at in 0..rows.batch.num_rows() {
                self.keys.push(rows.hash(at));
                let Some(key) = rows.partition(partitioning, at) else {
                    unknown += 1;
                    continue;
                };
                if belongs != Some(key) {
                    if partitioning.directory(&key) == directory { belongs = Some(key) } else { strangers += 1 }
                }
            }
            count_runs(rows.text(&rows.source_file), &mut self.dumps);
        }
        self.whole = true;
        if self.uncounted && unknown == 0 {
            self.fault(file, "some of its rows have a word or amount that this paynorm does not know", AGAIN);
        }
        for (number, what) in [
            (strangers, "belong in another partition directory"),
            (unknown, "are of a source or time that this paynorm does not know"),
        ] {
            if number > 0 {
                self.fault(file, format!("{} of its rows {what}", grouped(number)), AGAIN);
            }
        }
        Ok(())
    }
}

impl Checked {
    /// Counts rows, stretch by stretch of one source.
    fn count(&mut self, rows: &KeyRows) -> Result<()> {
        let facts = FactColumns::of(&rows.batch)?;
        let mut tally = Tally::default();
        let mut at = 0;
        while at < rows.batch.num_rows() {
            let source = rows.key(at).0;
            let cube = match self.totals.get_mut(source) {
                Some(cube) => cube,
                None => self.totals.entry(source.to_owned()).or_default(),
            };
            while at < rows.batch.num_rows() && rows.key(at).0 == source {
                match facts.row(at) {
                    Ok(row) => tally.row(&row),
                    Err(_) => self.uncounted = true,
                }
                at += 1;
            }
            *cube += &tally.take();
        }
        Ok(())
    }
}

/// The size of a file and its BLAKE3, in hexadecimal.
fn digest(path: &Path) -> std::io::Result<(u64, String)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok((hasher.count(), hasher.finalize().to_hex().to_string()))
}

/// Reads some columns of a file of the unified schema.
fn read(reader: DataReader, names: &[&str]) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
    let mask = ProjectionMask::leaves(reader.parquet_schema(), places(names));
    let batches = reader.with_projection(mask).with_batch_size(BATCH_ROWS).build()?;
    Ok(batches.map(|batch| Ok(batch?)))
}

fn count_runs<'t>(texts: impl Iterator<Item = &'t str>, counts: &mut BTreeMap<String, u64>) {
    let mut texts = texts.peekable();
    while let Some(text) = texts.next() {
        let mut count = 1;
        while texts.next_if_eq(&text).is_some() {
            count += 1;
        }
        match counts.get_mut(text) {
            Some(counted) => *counted += count,
            None => _ = counts.insert(text.to_owned(), count),
        }
    }
}

/// The columns of rows that tell where they belong.
struct KeyRows {
    batch: RecordBatch,
    source: ArrayRef,
    id: ArrayRef,
    source_file: ArrayRef,
}

impl KeyRows {
    fn of(batch: RecordBatch) -> Result<Self> {
        let column = |name| batch.column_by_name(name).cloned().with_context(|| format!("no column {name}"));
        let (source, id, source_file) = (column("source")?, column("transaction_id")?, column("source_file")?);
        Ok(Self { batch, source, id, source_file })
    }

    fn text<'c>(&self, column: &'c ArrayRef) -> impl Iterator<Item = &'c str> {
        (0..self.batch.num_rows()).map(|at| column.as_string::<i32>().value(at))
    }

    fn key(&self, at: usize) -> (&str, &str) {
        (self.source.as_string::<i32>().value(at), self.id.as_string::<i32>().value(at))
    }

    fn hash(&self, at: usize) -> u64 {
        let (source, id) = self.key(at);
        XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(source.as_bytes()), id.as_bytes())
    }

    fn partition(&self, partitioning: &Partitioning, at: usize) -> Option<PartitionKey> {
        let time = self.batch.column_by_name("occurred_at")?.as_primitive_opt::<TimestampMicrosecondType>()?.value(at);
        let source = sources::by_name(self.key(at).0).map(Source::name)?;
        Some(partitioning.key(source, Timestamp::from_micros(time)?))
    }

    /// Where the record of a row stands.
    fn place(&self, at: usize) -> Option<String> {
        let offset = self.batch.column_by_name("source_offset")?.as_primitive_opt::<Int64Type>()?.value(at);
        Some(format!("{}:{offset}", self.source_file.as_string::<i32>().value(at)))
    }
}

/// Whether what the manifest counts adds up.
fn sums(manifest: &Manifest, mut wrong: impl FnMut(String)) {
    let of_dumps = |of: fn(&DumpFacts) -> u64| manifest.dumps.iter().map(|dump| u128::from(of(dump))).sum::<u128>();
    let of_files = manifest.files.iter().map(|file| u128::from(file.rows)).sum::<u128>();
    let (rows, duplicates) = (of_dumps(|dump| dump.rows), of_dumps(|dump| dump.duplicates));
    for dump in &manifest.dumps {
        if u128::from(dump.records) != u128::from(dump.rows) + u128::from(dump.quarantined) {
            let (records, rows, quarantined) = (dump.records, dump.rows, dump.quarantined);
            wrong(format!("{records} records of {} are {rows} rows and {quarantined} quarantined", dump.path));
        }
        if dump.duplicates > dump.rows {
            wrong(format!("more rows of {} are replaced than there were", dump.path));
        }
    }
    for (what, said, sum) in [
        ("rows", manifest.rows, of_files),
        ("quarantined records", manifest.quarantined, of_dumps(|dump| dump.quarantined)),
        ("duplicates", manifest.duplicates, duplicates),
    ] {
        if u128::from(said) != sum {
            wrong(format!("{said} {what} in all, and the parts add up to {sum}"));
        }
    }
    let replaced = manifest.replaced.iter().map(|file| u128::from(file.rows)).sum::<u128>();
    if u128::from(manifest.duplicates) == duplicates && duplicates != replaced {
        wrong(format!("{duplicates} rows are replaced, and where their records stood is told of {replaced}"));
    }
    if rows != of_files + duplicates {
        wrong(format!("{rows} rows were read, and {of_files} written and {duplicates} replaced"));
    }
}

/// Whether of every dump as many rows are there as it gave and others did not replace.
fn rows_of_dumps(manifest: &Manifest, checked: &[Checked], mut wrong: impl FnMut(String)) {
    let mut dumps: BTreeMap<&str, (i128, i128)> = BTreeMap::new();
    for dump in &manifest.dumps {
        dumps.entry(&dump.path).or_default().0 += i128::from(dump.rows) - i128::from(dump.duplicates);
    }
    for (path, rows) in checked.iter().flat_map(|checked| &checked.dumps) {
        dumps.entry(path).or_default().1 += i128::from(*rows);
    }
    for (path, (said, found)) in dumps {
        if said != found {
            wrong(format!("{said} rows should be of {path}, and {found} are"));
        }
    }
}

/// Looks for rows of one key. Of equal keys the hashes are equal, so a hash that occurs once needs no second look.
fn one_row_per_key(dataset: &Path, manifest: &Manifest, checked: &[Checked], faults: &mut Vec<Fault>) {
    let mut hashes: Vec<u64> = checked.iter().flat_map(|checked| checked.keys.iter().copied()).collect();
    hashes.par_sort_unstable();
    let mut twice: Vec<u64> = hashes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    twice.dedup();
    if twice.is_empty() {
        return;
    }
    let read_again = |(file, checked): (&FileFacts, &Checked)| {
        let candidates = checked.keys.iter().any(|hash| twice.binary_search(hash).is_ok());
        if candidates { guarded(|| candidate_rows(&dataset.join(&file.path), &twice)) } else { Ok(Vec::new()) }
    };
    let found: Vec<_> = manifest.files.par_iter().zip(checked).map(read_again).collect();
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for row in found.iter().flatten().flatten() {
        *counts.entry(row.key()).or_default() += 1;
    }
    for (file, rows) in manifest.files.iter().zip(&found) {
        let Ok(rows) = rows else {
            faults.push(Fault::new(&file.path, "could not be read a second time", "check again"));
            continue;
        };
        let mut shared = rows.iter().filter(|row| counts.get(&row.key()).is_some_and(|count| *count > 1));
        if let Some(first) = shared.next() {
            let number = grouped(1 + shared.count() as u64);
            let what = format!("{number} of its rows have a key that another row has, the first from {}", first.place);
            faults.push(Fault::new(&file.path, what, AGAIN));
        }
    }
}

/// A row whose key may occur twice.
struct Candidate {
    source: String,
    id: String,
    place: String,
}

impl Candidate {
    fn key(&self) -> (&str, &str) {
        (&self.source, &self.id)
    }
}

fn candidate_rows(path: &Path, hashes: &[u64]) -> Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    for batch in read(open_data_file(path)?, &["source", "transaction_id", "source_file", "source_offset"])? {
        let rows = KeyRows::of(batch?)?;
        for at in (0..rows.batch.num_rows()).filter(|at| hashes.binary_search(&rows.hash(*at)).is_ok()) {
            let (source, id) = rows.key(at);
            let place = rows.place(at).context("no offset")?;
            candidates.push(Candidate { source: source.to_owned(), id: id.to_owned(), place });
        }
    }
    Ok(candidates)
}

fn check_quarantine(dataset: &Path, manifest: &Manifest, faults: &mut Vec<Fault>) {
    let path = Path::new(META_DIRECTORY).join(quarantine::FILE_NAME);
    for (path, help) in [
        (Path::new(META_DIRECTORY), "take the rights of others away: chmod 700"),
        (&path, "take the rights of others away: chmod 600"),
    ] {
        let mode = fs::metadata(dataset.join(path)).map(|metadata| metadata.permissions().mode() & 0o777);
        if let Ok(mode) = mode
            && mode & 0o077 != 0
        {
            let what = format!("mode {mode:03o} lets others see the quarantine");
            faults.push(Fault::new(&shown(path), what, help));
        }
    }
    let mut fault = |what: String, help| faults.push(Fault::new(&shown(&path), what, help));
    match QuarantineCounts::of(dataset) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => fault("is missing".to_owned(), RESTORE),
        Err(error) => fault(format!("can't be read: {}", error.kind()), "check its permissions and the disk"),
        Ok(counts) => {
            let mut wrong = Vec::new();
            counts.compare(manifest, |what| wrong.push(what));
            let same = digest(&dataset.join(&path)).is_ok_and(|(_, digest)| digest == manifest.quarantine_digest);
            if wrong.is_empty() && !same {
                wrong.push("is not the file that was written".to_owned());
            }
            for what in wrong {
                fault(what, RESTORE);
            }
        }
    }
}

/// What is in a quarantine.
#[derive(Default)]
struct QuarantineCounts {
    lines: u64,
    /// Number of the first line that is none, and of the first of an unknown reason.
    broken: Option<u64>,
    unknown: Option<u64>,
    dumps: BTreeMap<String, u64>,
}

impl QuarantineCounts {
    fn of(dataset: &Path) -> std::io::Result<Self> {
        let mut counts = Self::default();
        for line in quarantine_lines(dataset)? {
            counts.lines += 1;
            let Some(entry) = line? else {
                counts.broken.get_or_insert(counts.lines);
                continue;
            };
            if Reason::ALL.iter().all(|reason| reason.code() != entry.reason) {
                counts.unknown.get_or_insert(counts.lines);
            }
            *counts.dumps.entry(entry.source_file).or_default() += 1;
        }
        Ok(counts)
    }

    fn compare(mut self, manifest: &Manifest, mut wrong: impl FnMut(String)) {
        if self.lines != manifest.quarantined {
            wrong(format!("{} lines, and the manifest says {}", self.lines, manifest.quarantined));
        }
        if let Some(line) = self.unknown {
            wrong(format!("line {line} has a reason that this paynorm does not know"));
        }
        if let Some(line) = self.broken {
            return wrong(format!("line {line} is no entry of a quarantine"));
        }
        let mut said: BTreeMap<&str, u64> = BTreeMap::new();
        for dump in manifest.dumps.iter().filter(|dump| dump.quarantined > 0) {
            let sum = said.entry(&dump.path).or_default();
            *sum = sum.saturating_add(dump.quarantined);
        }
        for (path, said) in said {
            let found = self.dumps.remove(path).unwrap_or_default();
            if said != found {
                wrong(format!("{found} lines are of {path}, and the manifest says {said}"));
            }
        }
        if let Some((path, _)) = self.dumps.into_iter().next() {
            wrong(format!("it has lines of {path}, of which the manifest quarantines none"));
        }
    }
}
