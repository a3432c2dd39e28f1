//! What a run did, in numbers: as JSON and as text; and the page that tells of the whole dataset. No value of a record is
//! in it, and no clock time.

pub mod check;
pub mod html;
pub mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::extract::discover::Skipped;
use crate::load::ledger::ChangedSetting;
use crate::load::manifest::{DumpFacts, FileFacts, Manifest, PersonalFacts};
use crate::load::replaced::Replacement;
use crate::model::counts::{Cases, SourceCounts};
use crate::model::cube::Totals;
use crate::model::money::Currency;
use crate::model::reject::Reason;
use crate::sources;

/// The file in `_paynorm` that tells of the last run.
pub const FILE_NAME: &str = "report.json";

/// What a report is made from.
#[derive(Debug)]
pub struct RunFacts<'a> {
    /// The manifest of the dataset as it is after the run.
    pub manifest: &'a Manifest,
    /// The dumps that the run read.
    pub dumps: &'a [DumpFacts],
    /// The data files that it wrote.
    pub files: &'a [FileFacts],
    /// Counts by the number of the source.
    pub sources: &'a [SourceCounts],
    /// Quarantined records by reason.
    pub reasons: &'a BTreeMap<Reason, Cases>,
    /// Records seen.
    pub seen: u64,
    /// Duplicates that were the same record.
    pub identical: u64,
    /// Duplicates that differed.
    pub differing: u64,
    /// Of each source a duplicate that was the same record, and one that differed.
    pub examples: &'a [Replacement],
    /// What was not read.
    pub skipped: &'a [Skipped],
    /// What a merge tells.
    pub merge: Option<MergeReport>,
}

/// A run in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The program.
    pub tool: String,
    /// The version of the unified schema.
    pub schema_version: u32,
    /// The run's id.
    pub run_id: String,
    /// What was read.
    pub read: ReadFacts,
    /// What became of the records.
    pub records: RecordFacts,
    /// By source, those that occur.
    pub sources: Vec<SourceReport>,
    /// By reason, those that occur.
    pub quarantine: Vec<ReasonReport>,
    /// What was not read.
    pub skipped: Vec<SkippedReport>,
    /// What was written.
    pub written: WrittenFacts,
    /// What is in the dataset now.
    pub dataset: DatasetFacts,
    /// What became of the dataset that a merge added to.
    pub merge: Option<MergeReport>,
    /// What was done to personal data; absent where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personal: Option<PersonalFacts>,
}

/// What is in the dataset.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetFacts {
    /// Dumps that it was read from.
    pub dumps: usize,
    /// Rows.
    pub rows: u64,
    /// Data files.
    pub files: usize,
    /// Records in quarantine.
    pub quarantined: u64,
}

/// What a merge found and replaced.
#[derive(Clone, Debug, Serialize)]
pub struct MergeReport {
    /// Dumps that were in the dataset already, and were not read.
    pub known_dumps: usize,
    /// Rows in the dataset before.
    pub rows_before: u64,
    /// Rows of earlier runs that were replaced by rows that say the same.
    pub replaced_identical: u64,
    /// Rows of earlier runs that were replaced by others.
    pub replaced_differing: u64,
    /// Data files that stay as they were.
    pub files_kept: usize,
    /// Data files that were written again, as rows of them were replaced.
    pub files_rewritten: usize,
    /// What is told of sources otherwise than before; absent where nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings_changed: Vec<ChangedSetting>,
}

/// What was read.
#[derive(Clone, Debug, Serialize)]
pub struct ReadFacts {
    /// Dumps.
    pub dumps: usize,
    /// Their size as stored.
    pub stored_bytes: u64,
    /// Their size after decompression.
    pub bytes: u64,
}

/// What became of the records.
#[derive(Clone, Debug, Serialize)]
pub struct RecordFacts {
    /// Seen.
    pub seen: u64,
    /// In the data.
    pub rows: u64,
    /// In quarantine.
    pub quarantined: u64,
    /// Dropped, as the same record stays.
    pub identical_duplicates: u64,
    /// Dropped, as another version of the record stays.
    pub differing_duplicates: u64,
}

/// The numbers of one source.
#[derive(Clone, Debug, Serialize)]
pub struct SourceReport {
    /// Its name.
    pub source: &'static str,
    /// Rows in the data.
    pub rows: u64,
    /// Duplicates dropped.
    pub identical_duplicates: u64,
    /// Duplicates dropped that differed.
    pub differing_duplicates: u64,
    /// One duplicate that was the same record, and one that differed, where there are any: the first by dump and offset.
    pub duplicate_examples: Vec<ReplacementReport>,
    /// Rows by state.
    pub states: BTreeMap<&'static str, u64>,
    /// Rows by classification.
    pub classifications: BTreeMap<&'static str, u64>,
    /// Totals by currency.
    pub totals: Vec<CurrencyReport>,
    /// What was noticed: words outside the documented lists, float noise repaired, fees negated.
    pub noticed: BTreeMap<&'static str, CasesReport>,
    /// Members that the source does not document; their text is in `extra`.
    pub unknown_members: BTreeMap<String, CasesReport>,
    /// Unknown members beyond the first hundred names.
    pub further_unknown_members: u64,
}

/// Totals of one currency.
#[derive(Clone, Debug, Serialize)]
pub struct CurrencyReport {
    /// ISO 4217 code; null where it is unknown.
    pub currency: Option<String>,
    /// Rows whose first amount is in it.
    pub rows: u64,
    /// Sum of gross amounts.
    pub gross: String,
    /// Sum of fees.
    pub fee: String,
    /// Sum of net amounts.
    pub net: String,
}

/// A number of cases and the place of the first.
#[derive(Clone, Debug, Serialize)]
pub struct CasesReport {
    /// How many.
    pub count: u64,
    /// The dump of the first.
    pub source_file: String,
    /// Its offset.
    pub source_offset: u64,
}

/// Where a record stood whose row another one of its key replaced, and where that one stands.
#[derive(Clone, Debug, Serialize)]
pub struct ReplacementReport {
    /// Whether both say the same.
    pub identical: bool,
    /// The dump of the one that was dropped.
    pub source_file: String,
    /// Its offset.
    pub source_offset: u64,
    /// The dump of the one that stays.
    pub kept_file: String,
    /// Its offset.
    pub kept_offset: u64,
}

impl From<&Replacement> for ReplacementReport {
    fn from(replacement: &Replacement) -> Self {
        Self {
            identical: replacement.identical,
            source_file: replacement.source_file.clone(),
            source_offset: replacement.source_offset,
            kept_file: replacement.kept_file.clone(),
            kept_offset: replacement.kept_offset,
        }
    }
}

/// Quarantined records of one reason.
#[derive(Clone, Debug, Serialize)]
pub struct ReasonReport {
    /// The reason's code.
    pub reason: &'static str,
    /// How many, and the first.
    #[serde(flatten)]
    pub cases: CasesReport,
    /// What helps.
    pub remedy: &'static str,
}

/// Something that was not read.
#[derive(Clone, Debug, Serialize)]
pub struct SkippedReport {
    /// Its path.
    pub path: String,
    /// Why.
    pub why: &'static str,
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct WrittenFacts {
    /// Data files.
    pub files: usize,
    /// Their size.
    pub bytes: u64,
    /// Row groups in them.
    pub row_groups: u64,
    /// Rows in a row group, on average.
    pub rows_per_row_group: u64,
}

impl Report {
    /// Puts the facts of a run together.
    #[must_use]
    pub fn new(facts: &RunFacts<'_>) -> Self {
        let manifest = facts.manifest;
        let sum = |of: fn(&FileFacts) -> u64| facts.files.iter().map(of).sum::<u64>();
        let cases = |cases: &Cases| CasesReport {
            count: cases.count,
            source_file: facts.dumps[cases.first.0].path.clone(),
            source_offset: cases.first.1,
        };
        let occurs = |counts: &SourceCounts| counts.cube.rows() + counts.identical + counts.differing > 0;
        let named = sources::ALL.iter().zip(facts.sources).filter(|(_, counts)| occurs(counts));
        let row_groups = sum(|file| file.row_groups);
        Self {
            tool: manifest.tool.clone(),
            schema_version: manifest.schema_version,
            run_id: manifest.run_id.clone(),
            read: ReadFacts {
                dumps: facts.dumps.len(),
                stored_bytes: facts.dumps.iter().map(|dump| dump.stored_bytes).sum(),
                bytes: facts.dumps.iter().map(|dump| dump.bytes).sum(),
            },
            records: RecordFacts {
                seen: facts.seen,
                rows: facts.sources.iter().map(|counts| counts.cube.rows()).sum(),
                quarantined: facts.reasons.values().map(|cases| cases.count).sum(),
                identical_duplicates: facts.identical,
                differing_duplicates: facts.differing,
            },
            sources: named
                .map(|(source, counts)| {
                    let examples = facts.examples.iter().filter(|example| example.source == source.name());
                    SourceReport::new(source.name(), counts, examples.map(Into::into).collect(), cases)
                })
                .collect(),
            quarantine: facts
                .reasons
                .iter()
                .map(|(reason, found)| ReasonReport {
                    reason: reason.code(),
                    cases: cases(found),
                    remedy: reason.remedy(),
                })
                .collect(),
            skipped: facts.skipped.iter().map(|s| SkippedReport { path: s.name.clone(), why: s.why }).collect(),
            written: WrittenFacts {
                files: facts.files.len(),
                bytes: sum(|file| file.bytes),
                row_groups,
                rows_per_row_group: sum(|file| file.rows).checked_div(row_groups).unwrap_or(0),
            },
            dataset: DatasetFacts {
                dumps: manifest.dumps.len(),
                rows: manifest.rows,
                files: manifest.files.len(),
                quarantined: manifest.quarantined,
            },
            merge: facts.merge.clone(),
            personal: manifest.personal.clone(),
        }
    }
}

impl SourceReport {
    fn new(
        source: &'static str,
        counts: &SourceCounts,
        duplicate_examples: Vec<ReplacementReport>,
        cases: impl Fn(&Cases) -> CasesReport,
    ) -> Self {
        let cube = &counts.cube;
        let totals = cube.by(|cell| cell.currency).into_iter();
        let rows = |(word, totals): (&'static str, Totals)| (totals.rows > 0).then_some((word, totals.rows));
        Self {
            source,
            rows: cube.rows(),
            identical_duplicates: counts.identical,
            differing_duplicates: counts.differing,
            duplicate_examples,
            states: cube.by(|cell| cell.state.as_str()).into_iter().filter_map(rows).collect(),
            classifications: cube.by(|cell| cell.classification.as_str()).into_iter().filter_map(rows).collect(),
            totals: totals.map(|(currency, totals)| CurrencyReport::new(currency, &totals)).collect(),
            noticed: counts.notes.iter().map(|(name, found)| (*name, cases(found))).collect(),
            unknown_members: counts.unknown_members.iter().map(|(name, found)| (name.clone(), cases(found))).collect(),
            further_unknown_members: counts.further_members,
        }
    }
}

impl CurrencyReport {
    fn new(currency: Option<Currency>, totals: &Totals) -> Self {
        Self {
            currency: currency.map(|currency| currency.as_str().to_owned()),
            rows: totals.rows,
            gross: totals.gross.to_string(),
            fee: totals.fee.to_string(),
            net: totals.net.to_string(),
        }
    }
}
