//! The run: reads ‖ normalizes ‖ writes. Order, memory and threads live here.
//!
//! One thread reads, counts and notes keys in input order; all others, and that one where it has to wait, normalize what
//! was read. Rows fill a window, and a window is encoded by all threads. It ends where the content says, so the bytes
//! written depend neither on the threads nor on which of them was first.
//! Whatever is counted is counted where it happens and must add up before anything is published.

pub mod check;
mod earlier;
mod feed;
mod kept;
pub mod maintain;
mod personal;
mod settings;
mod underway;
mod workspace;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tracing::{info, warn};

use crate::config::{Config, Mode};
use crate::extract::chunks::Shapes;
use crate::extract::discover::{Discovered, Dump, STANDARD_INPUT, discover};
use crate::load::commit::{self, Existing, Staging, existing};
use crate::load::ledger::{Ledger, Run, RunKind};
use crate::load::loader::{self, Batch, Loaded, Loader, LoaderSettings};
use crate::load::manifest::{self, DumpFacts, FileFacts, Manifest};
use crate::load::parquet_file::DataFile;
use crate::load::quarantine::{self, Again, QuarantineWriter, Rejected};
use crate::load::read_back::Dropped;
use crate::model::columns;
use crate::model::counts::{Cases, SourceCounts, add_cases};
use crate::model::paths::shown;
use crate::model::reject::Reason;
use crate::normalize::Normalized;
use crate::report::{MergeReport, Report, RunFacts};
use crate::sources;
use earlier::Earlier;
use feed::{Event, Feed, Stop};
use underway::{ChunkFacts, Known, Normalizer, Underway};
use workspace::Workspace;

/// A block of more bytes, as large records make it, is a window of its own: encoding takes several times its size.
const LARGE: u64 = 16 << 20;

/// Why a run wrote nothing.
#[derive(Debug)]
pub enum Failure {
    /// What was asked for makes no sense here.
    Usage(anyhow::Error),
    /// Another run works on the same output.
    Locked,
    /// A signal came.
    Interrupted(usize),
    /// Something failed.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<commit::Refused> for Failure {
    fn from(refused: commit::Refused) -> Self {
        match refused {
            commit::Refused::Locked => Self::Locked,
            commit::Refused::Failed(error) => Self::Failed(error),
        }
    }
}

/// Runs; `signal` holds the number of a signal that came, or 0. On success the dataset is visible.
///
/// # Errors
/// Why nothing visible has changed.
pub fn run(config: &Config, signal: &AtomicUsize) -> Result<Report, Failure> {
    let there = check_output(config)?;
    if (config.mode, there) != (Mode::Merge, Existing::Dataset) {
        config.redactor().map_err(Failure::Usage)?;
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(config.threads).build().context("can't start threads")?;
    let staging = Staging::begin(&config.out)?;
    info!(out = shown(&config.out), mode = config.mode.name(), threads = pool.current_num_threads(), "run begins");
    let build = || match (config.mode, there) {
        (Mode::Merge, Existing::Dataset) => {
            let earlier = Earlier::read(&config.out)?;
            let config = earlier.adapt_personal(&earlier.adapt(config)?)?;
            build(&config, &staging, signal, Some(&earlier))
        }
        _ => build(config, &staging, signal, None),
    };
    let done = pool.install(build);
    end(staging, config, done)
}

/// What work in staging came to, and the id of the run that is to be published, if any.
type Done<T> = Result<(T, Option<String>), Failure>;

/// Publishes what was done, or clears it away.
fn end<T>(staging: Staging, config: &Config, done: Done<T>) -> Result<T, Failure> {
    let out = shown(&config.out);
    if let Ok((report, Some(run_id))) = done {
        staging.commit()?;
        info!(out, run_id, "published");
        return Ok(report);
    }
    staging.discard()?;
    done.map(|(report, _)| {
        info!(out, "nothing new");
        report
    })
}

/// Refuses an output that must not be written to, before anything is read.
fn check_output(config: &Config) -> Result<Existing, Failure> {
    let out = shown(&config.out);
    let there = existing(&config.out)?;
    match (config.mode, there) {
        (_, Existing::Nothing | Existing::Empty) | (Mode::Replace | Mode::Merge, Existing::Dataset) => {}
        (Mode::Create, Existing::Dataset) => {
            Staging::clear_left(&config.out);
            let hint = "add to it with --mode merge, or replace it with --mode replace";
            return Err(Failure::Usage(anyhow!("{out} holds a dataset already; {hint}")));
        }
        (_, Existing::Foreign) => {
            return Err(Failure::Usage(anyhow!("{out} is no dataset of paynorm and not empty; choose another output")));
        }
    }
    let inputs: Vec<PathBuf> = config.inputs.iter().filter(|input| !is_standard_input(input)).cloned().collect();
    commit::check_apart(&config.out, &inputs).map_err(Failure::Usage)?;
    if there == Existing::Dataset {
        commit::check_ours(&config.out).map_err(Failure::Usage)?;
    }
    Ok(there)
}

fn is_standard_input(input: &std::path::Path) -> bool {
    input.as_os_str() == STANDARD_INPUT
}

/// Builds the new snapshot in staging, starting over when a dump turns out bad late; tells whether there is anything new.
fn build(config: &Config, staging: &Staging, signal: &AtomicUsize, earlier: Option<&Earlier>) -> Done<Report> {
    let mut found = find_dumps(config, staging, signal)?;
    let mut merge = None;
    if let Some(earlier) = earlier {
        let again = earlier.read_again(config, &found.dumps);
        let known = earlier.take_known(&mut found.dumps, &again, signal);
        check_signal(signal)?;
        info!(dumps = known, "known already");
        if found.dumps.is_empty() {
            return Ok((earlier.nothing_new(known, &found.skipped), None));
        }
        merge = Some(Merge { earlier, ledger: earlier.ledger()?, again, known });
    }
    let mut refused = BTreeMap::new();
    loop {
        match Attempt::new(config, staging, signal, &found, &refused, merge.as_ref())?.go()? {
            Outcome::Done(report) => {
                let run_id = Some(report.run_id.clone());
                return Ok((*report, run_id));
            }
            Outcome::Restart(rejected) => {
                refused.insert(rejected.dump, *rejected);
                staging.restart()?;
            }
        }
    }
}

/// Finds the dumps; standard input is kept in a file, so that it is a dump like any other.
fn find_dumps(config: &Config, staging: &Staging, signal: &AtomicUsize) -> Result<Discovered, Failure> {
    let (standard, inputs): (Vec<_>, Vec<_>) =
        config.inputs.iter().cloned().partition(|input| is_standard_input(input));
    let mut found = if inputs.is_empty() {
        Discovered::default()
    } else {
        discover(&inputs, config.base.as_deref(), &config.own_files).map_err(Failure::Usage)?
    };
    if !standard.is_empty() {
        let path = staging.spool();
        // It may hold personal data that the rows will not.
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("can't create {}", shown(&path)))?;
        let size = keep_standard_input(&mut file, signal)?;
        let dump = Dump { path, name: STANDARD_INPUT.to_owned(), size };
        let place = found.dumps.partition_point(|other| other.name.as_bytes() < dump.name.as_bytes());
        found.dumps.insert(place, dump);
    }
    for skipped in &found.skipped {
        info!(path = skipped.name, why = skipped.why, "skipped");
    }
    let bytes: u64 = found.dumps.iter().map(|dump| dump.size).sum();
    info!(dumps = found.dumps.len(), bytes, skipped = found.skipped.len(), "dumps found");
    Ok(found)
}

/// Copies standard input into a file, looking for signals while nothing comes.
fn keep_standard_input(file: &mut File, signal: &AtomicUsize) -> Result<u64, Failure> {
    let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let mut input = io::stdin().lock();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        check_signal(signal)?;
        let ready = match poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&wait)) {
            Ok(ready) => ready,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(anyhow::Error::new(error).context("can't wait for standard input").into()),
        };
        if ready == 0 {
            continue;
        }
        let count = input.read(&mut buffer).context("can't read standard input")?;
        if count == 0 {
            return Ok(size);
        }
        file.write_all(&buffer[..count]).context("can't keep standard input")?;
        size += count as u64;
    }
}

fn check_signal(signal: &AtomicUsize) -> Result<(), Failure> {
    match signal.load(Ordering::Relaxed) {
        0 => Ok(()),
        number => Err(Failure::Interrupted(number)),
    }
}

enum Outcome {
    Done(Box<Report>),
    Restart(Box<Rejected>),
}

/// What is counted of a run.
#[derive(Debug, Default)]
struct Totals {
    /// Counts by the number of the source.
    sources: Vec<SourceCounts>,
    reasons: BTreeMap<Reason, Cases>,
    dumps: Vec<DumpFacts>,
    /// Items handed on by the readers, by dump.
    items: Vec<u64>,
    /// Items without records, by dump.
    empty: Vec<u64>,
    seen: u64,
    quarantined: u64,
    identical: u64,
    differing: u64,
}

impl Totals {
    fn new(dumps: usize) -> Self {
        Self {
            sources: vec![SourceCounts::default(); sources::ALL.len()],
            dumps: vec![DumpFacts::default(); dumps],
            items: vec![0; dumps],
            empty: vec![0; dumps],
            ..Self::default()
        }
    }

    /// What is told of a run in the history.
    fn run(&self) -> Run {
        Run {
            dumps: self.dumps.len(),
            records: self.seen,
            rows: self.sources.iter().map(|counts| counts.cube.rows()).sum(),
            quarantined: self.quarantined,
            dropped_identical: self.identical,
            dropped_differing: self.differing,
            ..Run::new(RunKind::Create)
        }
    }

    /// Conservation: what the readers found is in rows, quarantine or duplicates, per dump and in all.
    fn check(&self, written: u64) -> Result<()> {
        for ((dump, items), empty) in self.dumps.iter().zip(&self.items).zip(&self.empty) {
            let accounted = dump.rows + dump.quarantined + empty;
            ensure!(*items == accounted, "{}: {items} items were found, {accounted} are accounted for", dump.path);
            ensure!(dump.records == dump.rows + dump.quarantined, "{}: records are not accounted for", dump.path);
            ensure!(dump.duplicates <= dump.rows, "{}: more rows were dropped than read", dump.path);
        }
        let sum = |of: fn(&DumpFacts) -> u64| self.dumps.iter().map(of).sum::<u64>();
        let counted: u64 = self.sources.iter().map(|counts| counts.cube.rows()).sum();
        let (rows, dropped) = (sum(|dump| dump.rows), self.identical + self.differing);
        ensure!(self.seen == rows + self.quarantined, "records seen are not all rows or quarantined");
        ensure!(self.quarantined == sum(|dump| dump.quarantined), "quarantined records are not accounted for");
        ensure!(dropped == sum(|dump| dump.duplicates), "dropped duplicates are not accounted for");
        ensure!(rows == written + dropped, "{rows} rows were read, {written} written and {dropped} dropped");
        ensure!(written == counted, "{written} rows were written, {counted} are in the totals");
        Ok(())
    }
}

/// Rows that are not written yet.
#[derive(Default)]
struct Window {
    batches: Vec<Batch>,
    /// How many of the first batches the loader has noted.
    noted: usize,
    /// Size of the records they come from.
    bytes: u64,
}

impl Window {
    fn not_noted(&self) -> &[Batch] {
        &self.batches[self.noted..]
    }
}

/// What a merge adds to.
struct Merge<'a> {
    earlier: &'a Earlier,
    /// What it keeps of itself.
    ledger: Ledger,
    /// Dumps that are read again.
    again: Again<'a>,
    /// Dumps that are in it already.
    known: usize,
}

struct Attempt<'a> {
    config: &'a Config,
    staging: &'a Staging,
    signal: &'a AtomicUsize,
    found: &'a Discovered,
    refused: &'a BTreeMap<usize, Rejected>,
    merge: Option<&'a Merge<'a>>,
    /// The paths of all dumps in order, those of earlier runs included.
    paths: Arc<Vec<String>>,
    totals: Totals,
    quarantine: QuarantineWriter,
    /// Lines of the quarantine that are of earlier runs.
    quarantined_before: u64,
    /// What the loader adds to.
    snapshot: Option<loader::Earlier>,
    window: Window,
    /// What came since the last block ended.
    block: Window,
    workspace: Arc<Workspace>,
}

impl<'a> Attempt<'a> {
    fn new(
        config: &'a Config,
        staging: &'a Staging,
        signal: &'a AtomicUsize,
        found: &'a Discovered,
        refused: &'a BTreeMap<usize, Rejected>,
        merge: Option<&'a Merge<'a>>,
    ) -> Result<Self> {
        let path = staging.meta().join(quarantine::FILE_NAME);
        let mut quarantine =
            QuarantineWriter::create(&path).with_context(|| format!("can't create {}", shown(&path)))?;
        let mut paths = Arc::new(found.dumps.iter().map(|dump| dump.name.clone()).collect());
        let mut quarantined_before = 0;
        let mut snapshot = None;
        if let Some(Merge { earlier, again, .. }) = merge {
            quarantined_before = quarantine.copy(&earlier.quarantine(), &earlier.manifest.quarantine_digest, again)?;
            earlier.keep_replaced(staging, &|| signal.load(Ordering::Relaxed) != 0)?;
            paths = earlier.paths(&found.dumps);
            snapshot = Some(earlier.snapshot());
        }
        let mut totals = Totals::new(found.dumps.len());
        for (facts, dump) in totals.dumps.iter_mut().zip(&found.dumps) {
            facts.path.clone_from(&dump.name);
        }
        Ok(Self {
            config,
            staging,
            signal,
            found,
            refused,
            merge,
            paths,
            snapshot,
            totals,
            quarantine,
            quarantined_before,
            window: Window::default(),
            block: Window::default(),
            workspace: Arc::default(),
        })
    }

    fn go(mut self) -> Result<Outcome, Failure> {
        let mut loader = self.loader(false)?;
        if let Some(rejected) = self.read_all(&mut loader)? {
            return Ok(Outcome::Restart(rejected));
        }
        let report = self.finish(loader)?;
        Ok(Outcome::Done(Box::new(report)))
    }

    fn loader(&mut self, keys_only: bool) -> Result<Loader> {
        let settings = loader_settings(self.config, self.staging, &self.paths, self.snapshot.take());
        Loader::new(LoaderSettings { keys_only, ..settings })
    }

    /// Reads the dumps to their ends, or until one turns out bad of which something was taken already.
    fn read_all(&mut self, loader: &mut Loader) -> Result<Option<Box<Rejected>>, Failure> {
        let keys = sources::envelope_keys();
        let shapes = Shapes { envelope_keys: &keys, told: &sources::told };
        let found = self.found;
        let (dumps, workspace) = (&found.dumps, Arc::clone(&self.workspace));
        let normalizer = Normalizer::new(self.config, dumps, &self.paths, &workspace)?;
        let mut feed = Feed::new(self.config, shapes, &workspace.buffers, dumps, self.refused);
        self.config.progress.begin(dumps.iter().map(|dump| dump.size).sum());
        let restart =
            rayon::in_place_scope_fifo(|scope| self.take_all(&mut feed, Underway::new(&normalizer, scope), loader))?;
        if restart.is_none() {
            self.end_block(loader)?;
            self.write(loader)?;
        }
        self.workspace = Arc::default();
        Ok(restart)
    }

    /// Has events normalized as they are read, and takes them in order.
    fn take_all(
        &mut self,
        feed: &mut Feed<'_>,
        mut underway: Underway<'_, '_>,
        loader: &mut Loader,
    ) -> Result<Option<Box<Rejected>>, Failure> {
        let most = self.config.ahead_bytes();
        loop {
            let events = match feed.next(most / 4) {
                Ok(events) => events,
                Err(Stop::Restart(rejected)) => {
                    let dump = &self.found.dumps[rejected.dump].name;
                    warn!(dump, reason = rejected.reject.reason.code(), "begins again without a dump");
                    return Ok(Some(rejected));
                }
                Err(Stop::Failed(error)) => return Err(error.into()),
            };
            let is_end = events.is_empty();
            for event in events {
                underway.push(event);
                self.take_until(most, &mut underway, loader)?;
            }
            if is_end {
                self.take_until(0, &mut underway, loader)?;
            }
            self.note(loader)?;
            self.interrupted()?;
            if is_end {
                return Ok(None);
            }
        }
    }

    /// Takes what is normalized, and waits for more until what is under way takes no more than `most` bytes.
    fn take_until(&mut self, most: usize, underway: &mut Underway<'_, '_>, loader: &mut Loader) -> Result<()> {
        loop {
            let known = if underway.weight() > most { underway.next()? } else { underway.done()? };
            let Some(known) = known else { return Ok(()) };
            self.take(known, loader)?;
        }
    }

    fn interrupted(&self) -> Result<(), Failure> {
        check_signal(self.signal)
    }

    /// Counts what was normalized, in input order, and ends windows where blocks end.
    fn take(&mut self, known: Known, loader: &mut Loader) -> Result<()> {
        match known {
            Known::Chunk { dump, facts, normalized } => self.take_chunk(dump, &facts, *normalized, loader)?,
            Known::Event(Event::Chunk(..)) => bail!("a chunk was left out"),
            Known::Event(Event::End(dump, facts, counts)) => {
                let dump = &mut self.totals.dumps[dump];
                dump.stored_bytes = facts.stored_bytes;
                dump.digest = facts.digest;
                dump.bytes = counts.read;
                let DumpFacts { path, source, bytes, records, rows, quarantined, .. } = &*dump;
                info!(dump = path, source, bytes, records, rows, quarantined, "dump read");
                self.end_block(loader)?;
            }
            Known::Event(Event::Refused(rejected)) => {
                let dump = &mut self.totals.dumps[rejected.dump];
                dump.stored_bytes = rejected.length;
                dump.records += 1;
                self.totals.items[rejected.dump] += 1;
                self.totals.seen += 1;
                self.config.progress.add_records(1, 1);
                warn!(dump = dump.path, reason = rejected.reject.reason.code(), "dump refused");
                self.quarantine(&rejected)?;
                self.end_block(loader)?;
            }
        }
        Ok(())
    }

    fn take_chunk(
        &mut self,
        number: usize,
        facts: &ChunkFacts,
        normalized: Normalized,
        loader: &mut Loader,
    ) -> Result<()> {
        let dump = &mut self.totals.dumps[number];
        dump.source = facts.source.map(|source| sources::ALL[source].name().to_owned());
        dump.records += normalized.seen;
        dump.rows += normalized.batch.rows() as u64;
        self.totals.items[number] += facts.items;
        self.totals.empty[number] += normalized.empty;
        self.totals.seen += normalized.seen;
        self.config.progress.add_records(normalized.seen, normalized.rejects.len() as u64);
        for (counts, more) in self.totals.sources.iter_mut().zip(normalized.counts) {
            *counts += more;
        }
        for rejected in &normalized.rejects {
            self.quarantine(rejected)?;
        }
        self.block.bytes += facts.record_bytes;
        if normalized.batch.rows() > 0 {
            self.block.batches.push(normalized.batch);
        }
        if facts.ends_block {
            self.end_block(loader)?;
        }
        Ok(())
    }

    /// Takes the block into the window, which is written when it is full; before, if the block is too much for it.
    fn end_block(&mut self, loader: &mut Loader) -> Result<()> {
        let most = self.config.window_bytes();
        let block = std::mem::take(&mut self.block);
        let is_alone = block.bytes > LARGE.max(2 * self.config.sizes().block);
        if is_alone || self.window.bytes + block.bytes > most + most / 4 {
            self.write(loader)?;
        }
        if block.noted > 0 {
            self.window.noted = self.window.batches.len() + block.noted;
        }
        self.window.bytes += block.bytes;
        self.window.batches.extend(block.batches);
        if is_alone || self.window.bytes >= most { self.write(loader) } else { Ok(()) }
    }

    /// Has the loader note the keys of what it has not noted yet, and takes them out.
    fn note(&mut self, loader: &mut Loader) -> Result<()> {
        for window in [&mut self.window, &mut self.block] {
            window.not_noted().iter().try_for_each(|batch| loader.note(batch))?;
            self.workspace.take_keys(&mut window.batches[window.noted..]);
            window.noted = window.batches.len();
        }
        Ok(())
    }

    fn write(&mut self, loader: &mut Loader) -> Result<()> {
        let window = std::mem::take(&mut self.window);
        window.not_noted().iter().try_for_each(|batch| loader.note(batch))?;
        if window.batches.is_empty() {
            return Ok(());
        }
        // Encoding needs the memory of those that no batch of the window needed.
        self.workspace.drop_cells();
        loader.write(&window.batches)?;
        self.workspace.take_cells(window.batches);
        Ok(())
    }

    fn quarantine(&mut self, rejected: &Rejected) -> Result<()> {
        let case = Cases { count: 1, first: (rejected.dump, rejected.offset) };
        add_cases(&mut self.totals.reasons, rejected.reject.reason, case);
        self.totals.dumps[rejected.dump].quarantined += 1;
        self.totals.quarantined += 1;
        let (dump, texts) = (&self.found.dumps[rejected.dump], self.config.quarantine_raw.unwrap_or_default());
        self.quarantine.write(rejected, &dump.name, texts).context("can't write the quarantine")
    }

    /// Ends the files, checks that everything adds up, and writes what tells of the run.
    fn finish(mut self, loader: Loader) -> Result<Report, Failure> {
        self.check_limit()?;
        let run_id = self.run_id();
        let (facts, name) = run_facts(&run_id);
        let signal = self.signal;
        let written = loader.finish(&facts, &name, &|| signal.load(Ordering::Relaxed) != 0);
        self.interrupted()?;
        let written = written?;
        let (new, kept, dropped) = (written.files.len(), written.kept.len(), written.dropped.rows());
        info!(
            files = new,
            files_kept = kept,
            rows_dropped = dropped,
            rows_replaced = written.replaced.rows(),
            "written"
        );
        self.drop_counts(&written.dropped)?;
        let mut files = file_facts(self.staging, &written)?;
        let earlier_rows = self.merge.map_or(0, |merge| merge.earlier.rows()).saturating_sub(written.replaced.rows());
        let kept_rows = written.kept.iter().map(|file| file.rows).sum::<u64>();
        let rows = files.iter().map(|file| file.rows).sum::<u64>() + kept_rows;
        let context = "the numbers of this run do not add up, so nothing is published";
        self.totals.check(rows.saturating_sub(earlier_rows)).context(context)?;
        let (quarantine_digest, quarantine) = self.quarantine.finish().context("can't write the quarantine")?;
        let run_files = files.clone();
        files.extend(written.kept.iter().cloned());
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut run = Run { skipped: self.found.skipped.len(), ..self.totals.run() };
        let run_dumps = std::mem::take(&mut self.totals.dumps);
        let mut manifest = Manifest {
            version: manifest::VERSION,
            tool: manifest::TOOL.to_owned(),
            schema_version: columns::VERSION,
            run_id: run_id.clone(),
            partition_by: self.config.partitioning.to_string(),
            compression: self.config.codec.name().to_owned(),
            keep_duplicates: self.config.keep_duplicates,
            personal: self.config.personal_facts(),
            settings: self.config.settings_facts(),
            rows,
            quarantined: self.totals.quarantined,
            quarantine_digest,
            duplicates: self.totals.identical + self.totals.differing,
            dumps: run_dumps.clone(),
            files,
            replaced: replaced_facts(self.staging, &written)?,
            beside: BTreeMap::new(),
        };
        let mut ledger = Ledger::default();
        if let Some(Merge { earlier, ledger: before, again, known }) = self.merge {
            manifest = earlier.add(manifest, again, &written.replaced)?;
            ledger.clone_from(before);
            (run.kind, run.known_dumps) = (RunKind::Merge, *known);
            run.released = earlier.manifest.quarantined - self.quarantined_before;
            (run.replaced_identical, run.replaced_differing) = written.replaced.split();
        }
        for (source, counts) in sources::ALL.iter().zip(&self.totals.sources) {
            ledger.add(source.name(), counts, |dump| &run_dumps[dump].path);
        }
        let ended = ledger.take_out(&written.replaced).and_then(|()| ledger.end(run, &manifest, None));
        let settings_changed = ended.context(context)?;
        let lines = self.quarantined_before + self.totals.quarantined;
        if manifest.quarantined != lines {
            return Err(anyhow!("{context}: the quarantine has {lines} lines").into());
        }
        let report = Report::new(&RunFacts {
            manifest: &manifest,
            dumps: &run_dumps,
            files: &run_files,
            sources: &self.totals.sources,
            reasons: &self.totals.reasons,
            seen: self.totals.seen,
            identical: self.totals.identical,
            differing: self.totals.differing,
            examples: &written.examples,
            skipped: &self.found.skipped,
            merge: self
                .merge
                .map(|merge| MergeReport { settings_changed, ..merge.earlier.merge_report(merge.known, &written) }),
        });
        kept::write(self.staging, manifest, &ledger, &quarantine, json(&report)?)?;
        Ok(report)
    }

    fn check_limit(&self) -> Result<()> {
        let (bad, seen) = (self.totals.quarantined, self.totals.seen);
        let passed = self.config.max_quarantined.is_some_and(|limit| limit.is_passed(bad, seen));
        ensure!(!passed, "{bad} of {seen} records are bad, more than --max-quarantined allows; nothing is written");
        Ok(())
    }

    /// A digest of what was read and of the settings that shape the output.
    fn run_id(&self) -> String {
        let mut digest = blake3::Hasher::new();
        digest.update(concat!("paynorm ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
        digest.update(format!("schema {}\n{}\n", columns::VERSION, self.config.shape()).as_bytes());
        if let Some(Merge { earlier, .. }) = self.merge {
            digest.update(format!("after {}\n", earlier.run_id()).as_bytes());
        }
        for dump in &self.totals.dumps {
            digest.update(format!("{} {}\n", dump.digest, dump.path).as_bytes());
        }
        digest.finalize().to_hex().as_str()[..32].to_owned()
    }

    /// Takes the rows that others replaced out of the counts.
    fn drop_counts(&mut self, dropped: &Dropped) -> Result<()> {
        for (source, counts) in &dropped.sources {
            let number = sources::number_of(source).context("an unknown source")?;
            ensure!(self.totals.sources[number].take_out(counts), "rows of {source} were dropped that were not read");
            self.totals.identical += counts.identical;
            self.totals.differing += counts.differing;
        }
        for (path, count) in &dropped.dumps {
            let dump = self.totals.dumps.iter_mut().find(|dump| dump.path == *path).context("an unknown dump")?;
            dump.duplicates += count;
        }
        Ok(())
    }
}

/// How the loader of a run works; `paths` are those of all dumps in order, `earlier` is what it adds to.
fn loader_settings(
    config: &Config,
    staging: &Staging,
    paths: &Arc<Vec<String>>,
    earlier: Option<loader::Earlier>,
) -> LoaderSettings {
    LoaderSettings {
        directory: staging.snapshot(),
        spill_directory: staging.spill(),
        partitioning: config.partitioning.clone(),
        codec: config.codec,
        bloom_filter: config.bloom_filter,
        memory: usize::try_from(config.waiting_bytes()).unwrap_or(usize::MAX),
        keep_duplicates: config.keep_duplicates,
        sources: sources::ALL.iter().map(|source| source.name()).collect(),
        dumps: Arc::clone(paths),
        keys_only: false,
        earlier,
    }
}

/// What a run's data files tell in their footers, and what they are called.
fn run_facts(run_id: &str) -> ([(&'static str, String); 3], String) {
    let facts = [
        ("paynorm.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("paynorm.schema_version", columns::VERSION.to_string()),
        ("paynorm.run_id", run_id.to_owned()),
    ];
    (facts, run_id[..16].to_owned())
}

/// The data files that were written, as the manifest tells of them.
fn file_facts(staging: &Staging, loaded: &Loaded) -> Result<Vec<FileFacts>> {
    facts_of(staging, &loaded.files)
}

/// The file, if any, that tells where replaced records stood, as the manifest tells of it.
fn replaced_facts(staging: &Staging, loaded: &Loaded) -> Result<Vec<FileFacts>> {
    facts_of(staging, loaded.replaced_file.as_slice())
}

fn facts_of(staging: &Staging, files: &[DataFile]) -> Result<Vec<FileFacts>> {
    let root = staging.snapshot();
    let fact = |file: &DataFile| {
        let path = file.path.strip_prefix(&root).context("a data file lies outside staging")?;
        let path = path.to_str().context("a data file's name is no text")?.to_owned();
        let (rows, row_groups) = (file.rows, file.row_groups as u64);
        Ok(FileFacts { path, rows, row_groups, bytes: file.bytes, digest: file.digest.clone() })
    };
    files.iter().map(fact).collect()
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}
