//! What is done to a dataset without reading dumps: small files are put together, and the quarantine is tried again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, ensure};
use serde::Serialize;

use super::earlier::Earlier;
use super::{Done, Failure, check_signal, end, file_facts, kept, loader_settings, replaced_facts, run_facts};
use crate::config::Config;
use crate::extract::chunks::{Buffers, Chunk, Chunks, Shapes, Sizes};
use crate::load::commit::{self, Existing, Staging, existing};
use crate::load::compact;
use crate::load::keys::Reading;
use crate::load::ledger::{ChangedSetting, Ledger, Run, RunKind};
use crate::load::loader::{self, Batch, Loaded, Loader};
use crate::load::manifest::{DumpFacts, Manifest, SettingsFacts};
use crate::load::parquet_file::Setup;
use crate::load::quarantine::{self, Again, Entry, QuarantineWriter};
use crate::model::counts::SourceCounts;
use crate::model::paths::shown;
use crate::normalize::{Origin, Rules, Scratch, normalize};
use crate::sources;

/// Rows of so much text are encoded in one go.
const WINDOW_BYTES: usize = 32 << 20;

/// What putting files together came to.
#[derive(Clone, Debug, Serialize)]
pub struct CompactReport {
    /// The dataset's run id now.
    pub run_id: String,
    /// Rows; they are the same as before.
    pub rows: u64,
    /// Data files before.
    pub files_before: usize,
    /// Data files now.
    pub files_now: usize,
    /// Files whose rows were written again.
    pub rewritten: usize,
}

/// What trying the quarantine again came to.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayReport {
    /// The dataset's run id now.
    pub run_id: String,
    /// Entries that were tried.
    pub tried: u64,
    /// Entries that gave rows and are in quarantine no longer.
    pub passed: u64,
    /// Rows that they gave.
    pub rows: u64,
    /// Rows of them that did not stay, as another one of their key does.
    pub dropped: u64,
    /// Rows of the dataset that they replaced.
    pub replaced: u64,
    /// Entries that are still in quarantine.
    pub quarantined: u64,
    /// Entries of them that can't be tried, as no text of them is kept.
    pub without_text: u64,
    /// What is told of sources otherwise than before; absent where nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings_changed: Vec<ChangedSetting>,
}

/// Works on the dataset at `config.out` with a lock; `work` builds the new snapshot.
fn maintain<T: Send>(
    config: &Config,
    work: impl FnOnce(&Config, &Staging, &Earlier) -> Done<T> + Send,
) -> Result<T, Failure> {
    if existing(&config.out)? != Existing::Dataset {
        return Err(Failure::Usage(anyhow!("{} is no dataset of paynorm", shown(&config.out))));
    }
    commit::check_ours(&config.out).map_err(Failure::Usage)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(config.threads).build().context("can't start threads")?;
    let staging = Staging::begin(&config.out)?;
    let done = pool.install(|| {
        let earlier = Earlier::read(&config.out)?;
        let config = earlier.adopt(config)?;
        work(&config, &staging, &earlier)
    });
    end(staging, config, done)
}

/// The id of a dataset that comes from another one by `what`.
fn next_run_id(earlier: &Manifest, what: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let text = format!("paynorm {version}\n{what}\nafter {}\n", earlier.run_id);
    blake3::hash(text.as_bytes()).to_hex().as_str()[..32].to_owned()
}

/// What a snapshot ends with.
struct End<'a> {
    manifest: Manifest,
    loaded: &'a Loaded,
    ledger: Ledger,
    quarantine: quarantine::Summary,
    run: Run,
    /// Settings that held for this run alone.
    once: Option<BTreeMap<String, SettingsFacts>>,
}

/// Ends a snapshot: its manifest with the files in `loaded`, the run in its history, and the report of the run before.
/// Tells the settings that are others now.
fn finish(staging: &Staging, earlier: &Earlier, end: End<'_>) -> Result<Vec<ChangedSetting>> {
    let End { mut manifest, loaded, mut ledger, quarantine, run, once } = end;
    let mut files = file_facts(staging, loaded)?;
    files.extend(loaded.kept.iter().cloned());
    files.sort_by(|a, b| a.path.cmp(&b.path));
    manifest.rows = files.iter().map(|file| file.rows).sum();
    manifest.files = files;
    manifest.replaced.extend(replaced_facts(staging, loaded)?);
    let context = "the numbers of this run do not add up, so nothing is published";
    let settings_changed = ledger.end(run, &manifest, once).context(context)?;
    kept::write(staging, manifest, &ledger, &quarantine, earlier.report()?)?;
    Ok(settings_changed)
}

/// Puts small files of the dataset at `config.out` together; rows stay as they are.
///
/// # Errors
/// Why nothing visible has changed.
pub fn compact(config: &Config, signal: &AtomicUsize) -> Result<CompactReport, Failure> {
    maintain(config, |config, staging, earlier| {
        let before = &earlier.manifest;
        let ledger = earlier.ledger()?;
        let run_id = next_run_id(before, "compact");
        let setup = Setup::new(config.codec, config.bloom_filter)?;
        let (facts, name) = run_facts(&run_id);
        let snapshot = earlier.snapshot();
        let stop = || signal.load(Ordering::Relaxed) != 0;
        let loaded = compact::compact(&snapshot, &staging.snapshot(), &setup, &facts, &name, &stop);
        check_signal(signal)?;
        let loaded = loaded?;
        let report = |run_id: &str| CompactReport {
            run_id: run_id.to_owned(),
            rows: before.rows,
            files_before: before.files.len(),
            files_now: loaded.files.len() + loaded.kept.len(),
            rewritten: loaded.rewritten,
        };
        if loaded.rewritten == 0 {
            return Ok((report(&before.run_id), None));
        }
        earlier.keep_replaced(staging, &stop)?;
        let rows = |loaded: &Loaded| -> u64 {
            loaded.files.iter().map(|file| file.rows).chain(loaded.kept.iter().map(|file| file.rows)).sum()
        };
        if rows(&loaded) != before.rows {
            return Err(anyhow!("rows before and after are not the same number, so nothing is published").into());
        }
        let path = staging.meta().join(quarantine::FILE_NAME);
        let mut quarantine = QuarantineWriter::create(&path).context("can't create the quarantine")?;
        quarantine.copy(&earlier.quarantine(), &before.quarantine_digest, &Again::default())?;
        let (quarantine_digest, quarantine) = quarantine.finish().context("can't write the quarantine")?;
        let manifest = Manifest { run_id: run_id.clone(), quarantine_digest, ..before.clone() };
        let run = Run::new(RunKind::Compact);
        finish(staging, earlier, End { manifest, loaded: &loaded, ledger, quarantine, run, once: None })?;
        Ok((report(&run_id), Some(run_id)))
    })
}

/// Tries the quarantine of the dataset at `config.out` again, with what is told now and else its own settings: an entry
/// that gives nothing but rows leaves it, and its rows are merged.
///
/// # Errors
/// Why nothing visible has changed.
pub fn replay(config: &Config, signal: &AtomicUsize) -> Result<ReplayReport, Failure> {
    maintain(config, |config, staging, earlier| {
        let config = earlier.adapt_personal(config)?;
        let mut replay = Replay::new(&config, staging, earlier)?;
        replay.try_all(&earlier.quarantine(), signal)?;
        replay.finish(signal)
    })
}

/// The quarantine on its way through the mapping again.
struct Replay<'a> {
    config: &'a Config,
    staging: &'a Staging,
    earlier: &'a Earlier,
    rules: Rules,
    loader: Loader,
    quarantine: QuarantineWriter,
    scratch: Scratch,
    window: Vec<Batch>,
    window_bytes: usize,
    paths: Arc<Vec<String>>,
    dumps: Vec<DumpFacts>,
    versions: Versions,
    ledger: Ledger,
    report: ReplayReport,
}

/// Which dump an entry of the quarantine is of, where dumps of one path were read one after the other: the manifest and
/// the quarantine both have them in that order.
struct Versions(BTreeMap<String, Vec<Version>>);

/// One of the dumps of a path.
struct Version {
    /// Its number in the manifest.
    dump: usize,
    /// How many entries of it are still to come.
    entries: u64,
    /// When it was read. Rows do not tell which version they are of: those of the newest count as newer than any row,
    /// as the row of an older version is what a corrected record has to replace.
    reading: Reading,
}

impl Versions {
    fn of(dumps: &[DumpFacts]) -> Self {
        let mut versions: BTreeMap<String, Vec<Version>> = BTreeMap::new();
        for (number, dump) in dumps.iter().enumerate() {
            let of_path = versions.entry(dump.path.clone()).or_default();
            if let Some(older) = of_path.last_mut() {
                older.reading = Reading::Older;
            }
            let reading = if of_path.is_empty() { Reading::There } else { Reading::Newer };
            of_path.push(Version { dump: number, entries: dump.quarantined, reading });
        }
        Self(versions)
    }

    /// The version that the next entry of `path` is of.
    fn next(&mut self, path: &str) -> Result<&Version> {
        let of_path = self.0.get_mut(path).into_iter().flatten();
        let version = of_path.into_iter().find(|version| version.entries > 0);
        let version = version.context("the manifest and the quarantine do not agree")?;
        version.entries -= 1;
        Ok(version)
    }
}

impl<'a> Replay<'a> {
    fn new(config: &'a Config, staging: &'a Staging, earlier: &'a Earlier) -> Result<Self> {
        let paths = earlier.paths(&[]);
        let loader = Loader::new(loader_settings(config, staging, &paths, Some(earlier.snapshot())))?;
        let path = staging.meta().join(quarantine::FILE_NAME);
        let run_id = earlier.manifest.run_id.clone();
        Ok(Self {
            config,
            staging,
            earlier,
            rules: Rules {
                settings: config.settings.clone(),
                partitioning: config.partitioning.clone(),
                redactor: config.redactor()?,
            },
            loader,
            quarantine: QuarantineWriter::create(&path).context("can't create the quarantine")?,
            scratch: Scratch::default(),
            window: Vec::new(),
            window_bytes: 0,
            paths,
            dumps: earlier.manifest.dumps.clone(),
            versions: Versions::of(&earlier.manifest.dumps),
            ledger: earlier.ledger()?,
            report: ReplayReport {
                run_id,
                tried: 0,
                passed: 0,
                rows: 0,
                dropped: 0,
                replaced: 0,
                quarantined: 0,
                without_text: 0,
                settings_changed: Vec::new(),
            },
        })
    }

    fn try_all(&mut self, path: &Path, signal: &AtomicUsize) -> Result<(), Failure> {
        let digest = &self.earlier.manifest.quarantine_digest;
        quarantine::read_lines(path, digest, |line| -> Result<(), Failure> {
            check_signal(signal)?;
            let entry = Entry::parse(line).ok_or_else(|| anyhow!("{} is damaged", shown(path)))?;
            self.report.tried += 1;
            let &Version { dump, reading, .. } = self.versions.next(&entry.source_file)?;
            let text = entry.text();
            self.report.without_text += u64::from(text.is_none());
            let rows = text.map_or(Ok(0), |text| self.try_one(&entry, &text, (dump, reading)))?;
            if rows == 0 {
                self.report.quarantined += 1;
                self.quarantine.keep(line).context("can't write the quarantine")?;
            } else {
                self.report.passed += 1;
                self.report.rows += rows;
            }
            if self.window_bytes >= WINDOW_BYTES {
                self.write()?;
            }
            Ok(())
        })?;
        self.write()?;
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        self.window_bytes = 0;
        let window = std::mem::take(&mut self.window);
        window.iter().try_for_each(|batch| self.loader.note(batch))?;
        self.loader.write(&window)
    }

    /// The rows that an entry gives; none if anything in it is still bad.
    fn try_one(&mut self, entry: &Entry, text: &[u8], (dump, reading): (usize, Reading)) -> Result<u64> {
        let keys = sources::envelope_keys();
        let shapes = Shapes { envelope_keys: &keys, told: &sources::told };
        let buffers = Buffers::default();
        let sizes = Sizes { read: text.len().max(1), chunk: text.len(), block: u64::MAX };
        let source = entry.source.as_deref().and_then(sources::number_of);
        let source = self.config.forced_source(&entry.source_file).or(source);
        let mut chunks = Chunks::new(text, shapes, &buffers, sizes, source);
        let rank = loader::rank(&self.paths, &entry.source_file).context("an entry's dump is not in the manifest")?;
        let mut batches = Vec::new();
        let mut counts = vec![SourceCounts::default(); sources::ALL.len()];
        while let Some(chunk) = chunks.next_chunk()? {
            let chunk = Chunk { base: chunk.base + entry.source_offset, ..chunk };
            let origin = Origin { dump: 0, rank, reading, source_file: &entry.source_file };
            let normalized = normalize(&chunk, origin, &self.rules, &mut self.scratch);
            if !normalized.rejects.is_empty() || normalized.empty > 0 {
                return Ok(0);
            }
            batches.push(normalized.batch);
            for (counts, more) in counts.iter_mut().zip(normalized.counts) {
                *counts += more;
            }
        }
        let rows = batches.iter().map(|batch| batch.rows() as u64).sum();
        if rows > 0 {
            self.account(dump, rows, &counts);
        }
        self.window_bytes += text.len();
        self.window.extend(batches.into_iter().filter(|batch| batch.rows() > 0));
        Ok(rows)
    }

    /// Notes that an entry of the dump with that number is in quarantine no longer, and what was counted of its rows.
    fn account(&mut self, number: usize, rows: u64, counts: &[SourceCounts]) {
        let dump = &mut self.dumps[number];
        dump.quarantined -= 1;
        dump.rows += rows;
        dump.records += rows - 1;
        for (source, counts) in sources::ALL.iter().zip(counts) {
            self.ledger.add(source.name(), counts, |_| &dump.path);
            if counts.cube.rows() > 0 {
                // Nothing told it while the dump had no row.
                dump.source.get_or_insert_with(|| source.name().to_owned());
            }
        }
    }

    fn finish(mut self, signal: &AtomicUsize) -> Done<ReplayReport> {
        let (quarantine_digest, quarantine) = self.quarantine.finish().context("can't write the quarantine")?;
        if self.report.passed == 0 {
            return Ok((self.report, None));
        }
        let before = &self.earlier.manifest;
        let run_id = next_run_id(before, &format!("replay {}", self.config.shape()));
        let (facts, name) = run_facts(&run_id);
        let stop = || signal.load(Ordering::Relaxed) != 0;
        let loaded =
            self.earlier.keep_replaced(self.staging, &stop).and_then(|()| self.loader.finish(&facts, &name, &stop));
        check_signal(signal)?;
        let loaded = loaded?;
        (self.report.dropped, self.report.replaced) = (loaded.dropped.rows(), loaded.replaced.rows());
        let settings = self.config.settings_facts();
        let once = (settings != before.settings).then_some(settings);
        let mut manifest = Manifest { run_id: run_id.clone(), quarantine_digest, dumps: self.dumps, ..before.clone() };
        for dropped in [&loaded.dropped, &loaded.replaced] {
            dropped.take_from(&mut manifest.dumps)?;
        }
        manifest.quarantined = manifest.dumps.iter().map(|dump| dump.quarantined).sum();
        manifest.duplicates = manifest.dumps.iter().map(|dump| dump.duplicates).sum();
        let rows: u64 = loaded.files.iter().map(|file| file.rows).chain(loaded.kept.iter().map(|file| file.rows)).sum();
        let report = &self.report;
        let check = || -> Result<()> {
            ensure!(rows + report.dropped + report.replaced == before.rows + report.rows, "rows are not accounted for");
            ensure!(manifest.quarantined == report.quarantined, "quarantined records are not accounted for");
            Ok(())
        };
        check().context("the numbers of this run do not add up, so nothing is published")?;
        for gone in [&loaded.dropped, &loaded.replaced] {
            self.ledger.take_out(gone)?;
        }
        let mut run = Run { records: report.rows, rows: report.rows - report.dropped, ..Run::new(RunKind::Replay) };
        run.released = report.passed;
        (run.dropped_identical, run.dropped_differing) = loaded.dropped.split();
        (run.replaced_identical, run.replaced_differing) = loaded.replaced.split();
        let end = End { manifest, loaded: &loaded, ledger: self.ledger, quarantine, run, once };
        let settings_changed = finish(self.staging, self.earlier, end)?;
        Ok((ReplayReport { run_id: run_id.clone(), settings_changed, ..self.report }, Some(run_id)))
    }
}
