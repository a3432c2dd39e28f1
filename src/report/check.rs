//! What a check found: what a run over the same dumps would come to.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::text::{counted, drift, grouped, size, states, table, totals};
use super::{CasesReport, ReadFacts, RecordFacts, SkippedReport, SourceReport};
use crate::extract::discover::Skipped;
use crate::load::manifest::DumpFacts;
use crate::load::quarantine::Summary;
use crate::model::columns;
use crate::model::counts::{Cases, SourceCounts};
use crate::model::paths::printable;
use crate::model::reject::Reason;
use crate::sources;

/// Of each reason, so many places are told.
const PLACES: usize = 5;

/// What a check is reported from.
#[derive(Debug)]
pub struct CheckFacts<'a> {
    /// How many records of each dump were read at most.
    pub records_per_dump: Option<u64>,
    /// The dumps.
    pub dumps: &'a [DumpFacts],
    /// Counts by the number of the source, rows of one key all counted.
    pub sources: &'a [SourceCounts],
    /// What would be in quarantine.
    pub quarantine: &'a Summary,
    /// Records seen.
    pub seen: u64,
    /// What was not read.
    pub skipped: &'a [Skipped],
}

/// What a run would come to.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The program.
    pub tool: String,
    /// The version of the unified schema.
    pub schema_version: u32,
    /// How many records of each dump were read at most; all when absent.
    pub records_per_dump: Option<u64>,
    /// What was read.
    pub read: ReadFacts,
    /// What the dumps were recognised as.
    pub dumps: Vec<Recognised>,
    /// What would become of the records.
    pub records: RecordFacts,
    /// By source, rows of one key all counted.
    pub sources: Vec<SourceReport>,
    /// What would be in quarantine, by reason.
    pub quarantine: Vec<CheckedReason>,
    /// What was not read.
    pub skipped: Vec<SkippedReport>,
}

/// Dumps that were recognised as one source.
#[derive(Clone, Debug, Serialize)]
pub struct Recognised {
    /// The source; absent where none tells the records.
    pub source: Option<String>,
    /// How many dumps.
    pub dumps: u64,
    /// Their records.
    pub records: u64,
    /// The first of them.
    pub first: String,
}

/// Records that would be in quarantine for one reason.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedReason {
    /// The reason's code.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub places: Vec<CheckedPlace>,
    /// What helps.
    pub remedy: &'static str,
}

/// Where a record is, and what is wrong with it.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedPlace {
    /// The dump.
    pub source_file: String,
    /// The offset in it.
    pub source_offset: u64,
    /// The member at fault, where it is one.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl CheckReport {
    /// Puts the facts of a check together.
    #[must_use]
    pub fn new(facts: &CheckFacts<'_>) -> Self {
        let sum = |of: fn(&SourceCounts) -> u64| facts.sources.iter().map(of).sum::<u64>();
        let (identical, differing) = (sum(|counts| counts.identical), sum(|counts| counts.differing));
        let cases = |cases: &Cases| CasesReport {
            count: cases.count,
            source_file: facts.dumps[cases.first.0].path.clone(),
            source_offset: cases.first.1,
        };
        let named = sources::ALL.iter().zip(facts.sources).filter(|(_, counts)| counts.cube.rows() > 0);
        let reason = |(code, places): (&String, &crate::load::quarantine::Places)| CheckedReason {
            reason: code.clone(),
            count: places.count,
            places: places.first.iter().take(PLACES).map(CheckedPlace::from).collect(),
            remedy: Reason::ALL.iter().find(|reason| reason.code() == code).map_or("", |reason| reason.remedy()),
        };
        Self {
            tool: concat!("paynorm ", env!("CARGO_PKG_VERSION")).to_owned(),
            schema_version: columns::VERSION,
            records_per_dump: facts.records_per_dump,
            read: ReadFacts {
                dumps: facts.dumps.len(),
                stored_bytes: facts.dumps.iter().map(|dump| dump.stored_bytes).sum(),
                bytes: facts.dumps.iter().map(|dump| dump.bytes).sum(),
            },
            dumps: recognised(facts.dumps),
            records: RecordFacts {
                seen: facts.seen,
                rows: sum(|counts| counts.cube.rows()) - identical - differing,
                quarantined: facts.quarantine.0.values().map(|places| places.count).sum(),
                identical_duplicates: identical,
                differing_duplicates: differing,
            },
            sources: named
                .map(|(source, counts)| SourceReport::new(source.name(), counts, Vec::new(), cases))
                .collect(),
            quarantine: facts.quarantine.0.iter().map(reason).collect(),
            skipped: facts.skipped.iter().map(|s| SkippedReport { path: s.name.clone(), why: s.why }).collect(),
        }
    }
}

impl From<&crate::load::quarantine::Place> for CheckedPlace {
    fn from(place: &crate::load::quarantine::Place) -> Self {
        Self {
            source_file: place.source_file.clone(),
            source_offset: place.source_offset,
            field: place.field.clone(),
            message: place.message.clone(),
        }
    }
}

fn recognised(dumps: &[DumpFacts]) -> Vec<Recognised> {
    let mut by_source: BTreeMap<&Option<String>, Recognised> = BTreeMap::new();
    for dump in dumps {
        let source = dump.source.clone();
        let new = || Recognised { source, dumps: 0, records: 0, first: dump.path.clone() };
        let found = by_source.entry(&dump.source).or_insert_with(new);
        found.dumps += 1;
        found.records += dump.records;
    }
    by_source.into_values().collect()
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = &self.records;
        let limited = match self.records_per_dump {
            Some(most) => format!(", at most {} of each", counted(most, "record")),
            None => String::new(),
        };
        writeln!(
            f,
            "{} records in {} ({} stored{limited}) would give {} rows, {} in quarantine and {} duplicates ({} identical, {} \
             differing)",
            grouped(records.seen),
            counted(self.read.dumps as u64, "dump"),
            size(self.read.stored_bytes),
            grouped(records.rows),
            grouped(records.quarantined),
            grouped(records.identical_duplicates + records.differing_duplicates),
            grouped(records.identical_duplicates),
            grouped(records.differing_duplicates),
        )?;
        if !self.dumps.is_empty() {
            let row = |found: &Recognised| {
                let source = found.source.clone().unwrap_or_else(|| "not recognised".to_owned());
                vec![source, grouped(found.dumps), grouped(found.records), printable(&found.first)]
            };
            let rows = self.dumps.iter().map(row).collect();
            table(f, &["recognised as", "dumps", "records", "first"], &[1, 2], rows)?;
        }
        states(f, &self.sources)?;
        totals(f, &self.sources)?;
        drift(f, &self.sources)?;
        self.quarantined(f)?;
        for skipped in &self.skipped {
            writeln!(f, "skipped {}: {}", printable(&skipped.path), skipped.why)?;
        }
        writeln!(f, "\nnothing was written")
    }
}

impl CheckReport {
    fn quarantined(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quarantine.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::new();
        for reason in &self.quarantine {
            for (number, place) in reason.places.iter().enumerate() {
                let first = number == 0;
                let field = place.field.as_ref().map_or_else(String::new, |field| format!("{}: ", printable(field)));
                rows.push(vec![
                    if first { reason.reason.clone() } else { String::new() },
                    if first { grouped(reason.count) } else { String::new() },
                    format!("{}:{}", printable(&place.source_file), place.source_offset),
                    format!("{field}{}", printable(&place.message)),
                ]);
            }
            rows.push(vec![String::new(), String::new(), String::new(), reason.remedy.to_owned()]);
        }
        table(f, &["would be quarantined", "records", "at", "what is wrong, and what helps"], &[1], rows)
    }
}
