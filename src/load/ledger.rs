//! What a dataset keeps of itself beside the manifest: totals of its rows, what was noticed in them, and a line for each
//! run. A merge carries all of it on from the rows that come and go, so it costs nothing for those that stay.
//!
//! Each is a file of JSON lines in `_paynorm`, so that any engine can read it; the manifest has their digests. No value of
//! a record is in them but sums, and no clock time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::commit::META_DIRECTORY;
use super::manifest::{Manifest, SettingsFacts};
use super::read_back::Dropped;
use crate::model::counts::{Cases, MAX_MEMBERS, SourceCounts};
use crate::model::cube::{Cell, Cube, Totals};
use crate::model::money::Currency;
use crate::model::paths::shown;
use crate::model::time::Zone;

/// The file of the totals: a line for each cell of each source.
pub const TOTALS: &str = "totals.jsonl";
/// The file of what was noticed.
pub const DRIFT: &str = "drift.jsonl";
/// The file of the runs.
pub const HISTORY: &str = "history.jsonl";

/// What a dataset keeps of itself.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Its rows, by source.
    pub totals: BTreeMap<String, Cube>,
    /// What was noticed in all records that ever gave a row of it, by source and name.
    pub drift: Drift,
    /// The runs that made it.
    pub history: History,
}

/// Totals of a source in a currency.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct SourceTotals {
    /// The source.
    pub source: String,
    /// The currency; `None` where it is unknown.
    pub currency: Option<Currency>,
    /// Rows and sums.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Totals by source and currency.
#[must_use]
pub fn by_currency(cubes: &BTreeMap<String, Cube>) -> Vec<SourceTotals> {
    let of = |(source, cube): (&String, &Cube)| -> Vec<SourceTotals> {
        let by = cube.by(|cell| cell.currency).into_iter();
        by.map(|(currency, totals)| SourceTotals { source: source.clone(), currency, totals }).collect()
    };
    cubes.iter().flat_map(of).collect()
}

#[derive(Serialize, Deserialize)]
struct TotalsLine {
    source: String,
    #[serde(flatten)]
    cell: Cell,
    #[serde(flatten)]
    totals: Totals,
}

impl Ledger {
    /// Reads what the dataset at `dataset` keeps; its manifest is `manifest`.
    ///
    /// # Errors
    /// When something can't be read, or is not what was written.
    pub fn read(dataset: &Path, manifest: &Manifest) -> Result<Self> {
        let mut ledger = Self {
            drift: Drift::of(lines(dataset, manifest, DRIFT)?),
            history: History(kept(dataset, manifest, HISTORY)?),
            ..Self::default()
        };
        for TotalsLine { source, cell, totals } in lines(dataset, manifest, TOTALS)? {
            ledger.totals.entry(source).or_default().add(cell, totals);
        }
        Ok(ledger)
    }

    /// The files, by name, as they are to be written.
    ///
    /// # Errors
    /// When something does not become JSON.
    pub fn files(&self) -> Result<[(&'static str, Vec<u8>); 3]> {
        let cells = self
            .totals
            .iter()
            .flat_map(|(source, cube)| cube.cells().map(move |(cell, totals)| (source, cell, totals)));
        let line = |(source, cell, totals): (&String, &Cell, &Totals)| TotalsLine {
            source: source.clone(),
            cell: *cell,
            totals: *totals,
        };
        let totals = json_lines(cells.map(line))?;
        Ok([(DRIFT, json_lines(self.drift.lines())?), (HISTORY, self.history.0.clone()), (TOTALS, totals)])
    }

    /// Rows in the totals.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.totals.values().map(Cube::rows).sum()
    }

    /// Adds what was counted of a source; `path` tells the path of a dump by its number.
    pub fn add<'p>(&mut self, source: &str, counts: &SourceCounts, path: impl Fn(usize) -> &'p str) {
        if counts.cube.rows() > 0 {
            *self.totals.entry(source.to_owned()).or_default() += &counts.cube;
        }
        self.drift.add(source, counts, path);
    }

    /// Takes rows out that others replaced.
    ///
    /// # Errors
    /// When they are not in the totals.
    pub fn take_out(&mut self, replaced: &Dropped) -> Result<()> {
        for (source, counts) in &replaced.sources {
            let there = self.totals.get_mut(source).is_some_and(|cube| cube.take_out(&counts.cube));
            ensure!(there, "rows of {source} were replaced that are not in the totals");
        }
        self.totals.retain(|_, cube| *cube != Cube::default());
        Ok(())
    }

    /// Ends a run with its line in the history; `manifest` is of the dataset as it is now, and `once` are settings that
    /// held for this run alone. Tells the settings that are others than before it.
    ///
    /// # Errors
    /// When the totals are not those of the manifest, or the line before can't be read.
    pub fn end(
        &mut self,
        run: Run,
        manifest: &Manifest,
        once: Option<BTreeMap<String, SettingsFacts>>,
    ) -> Result<Vec<ChangedSetting>> {
        let rows = self.rows();
        ensure!(rows == manifest.rows, "{} rows are there, {rows} are in the totals", manifest.rows);
        let last = self.history.last(1)?.pop();
        let before = last.as_ref().map(|line| line.dataset).unwrap_or_default();
        let dataset = Standing {
            dumps: manifest.dumps.len(),
            files: manifest.files.len(),
            rows,
            quarantined: manifest.quarantined,
            identical: before.identical + run.dropped_identical + run.replaced_identical,
            differing: before.differing + run.dropped_differing + run.replaced_differing,
        };
        ensure!(
            dataset.identical + dataset.differing == manifest.duplicates,
            "{} duplicates are in the manifest, {} identical and {} differing in the history",
            manifest.duplicates,
            dataset.identical,
            dataset.differing
        );
        let line = RunLine {
            number: last.as_ref().map_or(0, |line| line.number) + 1,
            run_id: manifest.run_id.clone(),
            run,
            dataset,
            settings: manifest.settings.clone(),
            once,
            totals: by_currency(&self.totals),
        };
        let changed = last.map(|last| line.changed_settings(&last)).unwrap_or_default();
        self.history.0.extend(json_lines(std::iter::once(line))?);
        Ok(changed)
    }
}

/// What made a dataset what it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// A run that made it or took the place of what was there.
    Create,
    /// A run that added to it.
    Merge,
    /// The quarantine was tried again.
    Replay,
    /// Files were put together.
    Compact,
}

impl RunKind {
    /// The name, as in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Merge => "merge",
            Self::Replay => "replay",
            Self::Compact => "compact",
        }
    }
}

/// What a run read and did: what it read is in rows, quarantine or dropped duplicates.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Run {
    /// What kind of run it was.
    pub kind: RunKind,
    /// The program.
    pub tool: String,
    /// Dumps that it read.
    pub dumps: usize,
    /// Dumps that it left out, as they were in the dataset already.
    pub known_dumps: usize,
    /// What it found beside dumps and did not read.
    pub skipped: usize,
    /// Records that it read; of a replay, those that gave rows now.
    pub records: u64,
    /// Rows that it added.
    pub rows: u64,
    /// Records that it put into quarantine.
    pub quarantined: u64,
    /// Entries that left the quarantine.
    pub released: u64,
    /// Rows of it that were dropped, as the same record stays.
    pub dropped_identical: u64,
    /// As before, where another version of the record stays.
    pub dropped_differing: u64,
    /// Rows of earlier runs that were replaced by rows that say the same.
    pub replaced_identical: u64,
    /// As before, by others.
    pub replaced_differing: u64,
}

impl Run {
    /// A run of a kind that has done nothing yet.
    #[must_use]
    pub fn new(kind: RunKind) -> Self {
        let tool = super::manifest::TOOL.to_owned();
        Self {
            kind,
            tool,
            dumps: 0,
            known_dumps: 0,
            skipped: 0,
            records: 0,
            rows: 0,
            quarantined: 0,
            released: 0,
            dropped_identical: 0,
            dropped_differing: 0,
            replaced_identical: 0,
            replaced_differing: 0,
        }
    }
}

/// A dataset in numbers, as a run left it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Standing {
    /// Dumps that it was read from.
    pub dumps: usize,
    /// Data files.
    pub files: usize,
    /// Rows.
    pub rows: u64,
    /// Records in quarantine.
    pub quarantined: u64,
    /// Duplicates that were dropped or replaced in all runs, as the same record stays.
    pub identical: u64,
    /// As before, where another version of the record stays.
    pub differing: u64,
}

/// A line of the history.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct RunLine {
    /// The run's number, from 1.
    pub number: u64,
    /// The run's id.
    pub run_id: String,
    /// What it did.
    #[serde(flatten)]
    pub run: Run,
    /// The dataset after it.
    pub dataset: Standing,
    /// What was told of the sources when it was made, as in the manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, SettingsFacts>,
    /// What was told for this run alone in place of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<BTreeMap<String, SettingsFacts>>,
    /// Its totals by source and currency.
    pub totals: Vec<SourceTotals>,
}

impl RunLine {
    /// What it was told of sources otherwise than the run `before`, where that left rows of them.
    #[must_use]
    pub fn changed_settings(&self, before: &Self) -> Vec<ChangedSetting> {
        let sources: BTreeSet<&str> = before.totals.iter().map(|totals| &*totals.source).collect();
        let none = SettingsFacts::default();
        let now = self.once.as_ref().unwrap_or(&self.settings);
        let changed = |source| {
            let [was, is] = [&before.settings, now].map(|settings| settings.get(source).unwrap_or(&none));
            changed(source, was, is, self.once.is_some())
        };
        sources.into_iter().flat_map(changed).collect()
    }
}

/// A setting of a source that is another one from a run on, or in a run alone.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct ChangedSetting {
    /// The source.
    pub source: String,
    /// The setting, as in the manifest.
    pub setting: &'static str,
    /// What it was; absent where nothing was told, and of words.
    pub was: Option<String>,
    /// What it is.
    pub is: Option<String>,
    /// Whether that holds for this run alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
}

impl std::fmt::Display for ChangedSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { source, setting, was, is, once } = self;
        let (when, there, then) = match once {
            true => ("in this run alone", "the dataset's", "later runs have the dataset's again"),
            false => ("from this run on", "before", "rows that are there stay as they are"),
        };
        match is {
            Some(is) => {
                let was = was.as_deref().unwrap_or("none");
                write!(f, "{when}, the {setting} of {source} is {is} ({there}: {was}); {then}")
            }
            None => write!(f, "{when}, the words for the {setting} of {source} are others; {then}"),
        }
    }
}

/// The settings of `source` that were `before` and are others `now`.
fn changed(source: &str, before: &SettingsFacts, now: &SettingsFacts, once: bool) -> Vec<ChangedSetting> {
    let zone =
        |facts: &SettingsFacts| Some(facts.timezone.clone().unwrap_or_else(|| Zone::default().name().to_owned()));
    let settings = [
        ("currency", before.currency != now.currency, before.currency.clone(), now.currency.clone()),
        ("timezone", before.timezone != now.timezone, zone(before), zone(now)),
        ("state", before.state != now.state, None, None),
        ("classification", before.classification != now.classification, None, None),
    ];
    let changed = settings.into_iter().filter(|(_, differs, ..)| *differs);
    changed.map(|(setting, _, was, is)| ChangedSetting { source: source.to_owned(), setting, was, is, once }).collect()
}

/// The runs that made a dataset, as lines; the last ones are read when they are asked for.
#[derive(Clone, Debug, Default)]
pub struct History(Vec<u8>);

impl History {
    /// The last runs, the newest first; at most `most`.
    ///
    /// # Errors
    /// When a line is none.
    pub fn last(&self, most: usize) -> Result<Vec<RunLine>> {
        let lines = self.0.rsplit(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.take(most).map(|line| parse(line, HISTORY)).collect()
    }
}

/// Something that was noticed in records of a source.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Noticed {
    /// The source.
    pub source: String,
    /// What.
    pub noticed: String,
    /// The member's name, of a member that the source does not document.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub member: Option<String>,
    /// Records that gave a row in any run.
    pub records: u64,
    /// The dump of the first in the first run that saw it; absent where members are not told apart.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_file: Option<String>,
    /// Its offset.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_offset: Option<u64>,
}

/// A member that a source does not document.
const UNKNOWN_MEMBER: &str = "unknown_member";
/// Further ones, whose names are not told apart.
const FURTHER_MEMBERS: &str = "further_unknown_members";

/// Source, what, and which member.
type DriftKey = (String, String, Option<String>);

/// What was noticed, by source and name.
#[derive(Clone, Debug, Default)]
pub struct Drift(BTreeMap<DriftKey, Noticed>);

impl Drift {
    fn of(lines: Vec<Noticed>) -> Self {
        let key = |line: &Noticed| (line.source.clone(), line.noticed.clone(), line.member.clone());
        Self(lines.into_iter().map(|line| (key(&line), line)).collect())
    }

    /// What was noticed, in order.
    pub fn lines(&self) -> impl Iterator<Item = &Noticed> {
        self.0.values()
    }

    fn add<'p>(&mut self, source: &str, counts: &SourceCounts, path: impl Fn(usize) -> &'p str) {
        let place = |cases: &Cases| Some((path(cases.first.0).to_owned(), cases.first.1));
        for (name, cases) in &counts.notes {
            self.count((source, name, None), cases.count, place(cases));
        }
        for (member, cases) in &counts.unknown_members {
            self.count((source, UNKNOWN_MEMBER, Some(member)), cases.count, place(cases));
        }
        self.count((source, FURTHER_MEMBERS, None), counts.further_members, None);
        self.bound(source);
    }

    fn count(
        &mut self,
        (source, noticed, member): (&str, &str, Option<&str>),
        records: u64,
        at: Option<(String, u64)>,
    ) {
        if records == 0 {
            return;
        }
        let key = (source.to_owned(), noticed.to_owned(), member.map(str::to_owned));
        if let Some(there) = self.0.get_mut(&key) {
            there.records += records;
            return;
        }
        let (source, noticed, member) = key.clone();
        let (source_file, source_offset) = at.unzip();
        self.0.insert(key, Noticed { source, noticed, member, records, source_file, source_offset });
    }

    /// As in a run, only so many names are told apart.
    fn bound(&mut self, source: &str) {
        let is_member = |key: &&DriftKey| key.0 == source && key.1 == UNKNOWN_MEMBER;
        let beyond: Vec<DriftKey> = self.0.keys().filter(is_member).skip(MAX_MEMBERS).cloned().collect();
        let further = beyond.iter().filter_map(|key| self.0.remove(key)).map(|noticed| noticed.records).sum();
        self.count((source, FURTHER_MEMBERS, None), further, None);
    }
}

/// The bytes of a file of `_paynorm`, if they are those that were written.
///
/// # Errors
/// When it can't be read, or is not what was written.
pub fn kept(dataset: &Path, manifest: &Manifest, name: &str) -> Result<Vec<u8>> {
    let path = dataset.join(META_DIRECTORY).join(name);
    let hint = "normalize the dumps again with --mode replace";
    let Some(digest) = manifest.beside.get(name) else {
        return Err(anyhow!("{} was made by a paynorm that kept no {name}; {hint}", shown(dataset)));
    };
    let bytes = std::fs::read(&path).with_context(|| format!("can't read {}", shown(&path)))?;
    ensure!(
        blake3::hash(&bytes).to_hex().as_str() == digest,
        "{} is not the file that was written: the dataset is damaged; restore it from a copy, or {hint}",
        shown(&path)
    );
    Ok(bytes)
}

fn lines<T: DeserializeOwned>(dataset: &Path, manifest: &Manifest, name: &str) -> Result<Vec<T>> {
    let text = kept(dataset, manifest, name)?;
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| parse(line, name)).collect()
}

/// A message of the JSON library may hold values, so it goes nowhere.
fn parse<T: DeserializeOwned>(line: &[u8], name: &str) -> Result<T> {
    serde_json::from_slice(line).map_err(|_| anyhow!("{name} has a line that this paynorm does not know"))
}

fn json_lines<T: Serialize>(lines: impl Iterator<Item = T>) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, &line)?;
        text.push(b'\n');
    }
    Ok(text)
}
