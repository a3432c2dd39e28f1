//! The report as a person reads it on a terminal.

use std::fmt;

use super::{CasesReport, CurrencyReport, Report, SourceReport};
use crate::load::manifest::PersonalFacts;
use crate::model::paths::printable;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = &self.records;
        writeln!(
            f,
            "{} records in {} ({}): {} rows, {} quarantined, {} duplicates ({} identical, {} differing)",
            grouped(records.seen),
            counted(self.read.dumps as u64, "dump"),
            size(self.read.bytes),
            grouped(records.rows),
            grouped(records.quarantined),
            grouped(records.identical_duplicates + records.differing_duplicates),
            grouped(records.identical_duplicates),
            grouped(records.differing_duplicates),
        )?;
        states(f, &self.sources)?;
        totals(f, &self.sources)?;
        drift(f, &self.sources)?;
        self.quarantined(f)?;
        for skipped in &self.skipped {
            writeln!(f, "skipped {}: {}", printable(&skipped.path), skipped.why)?;
        }
        if let Some(merge) = &self.merge {
            writeln!(
                f,
                "\nmerged: {} known already; {} of {} rows replaced ({} identical, {} differing); {} stay as they were, {} \
                 written again",
                counted(merge.known_dumps as u64, "dump"),
                grouped(merge.replaced_identical + merge.replaced_differing),
                grouped(merge.rows_before),
                grouped(merge.replaced_identical),
                grouped(merge.replaced_differing),
                counted(merge.files_kept as u64, "file"),
                grouped(merge.files_rewritten as u64),
            )?;
            if self.read.dumps == 0 {
                return writeln!(f, "nothing new; the dataset is as it was: {} rows", grouped(self.dataset.rows));
            }
        }
        if let Some(personal) = &self.personal {
            writeln!(f, "\n{}", told(personal))?;
        }
        let written = &self.written;
        writeln!(
            f,
            "\nwritten {} in {}, {} rows per row group, run {}",
            size(written.bytes),
            counted(written.files as u64, "file"),
            grouped(written.rows_per_row_group),
            self.run_id,
        )
    }
}

impl Report {
    fn quarantined(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quarantine.is_empty() {
            return Ok(());
        }
        let rows = self.quarantine.iter().map(|reason| {
            vec![reason.reason.to_owned(), grouped(reason.cases.count), place(&reason.cases), reason.remedy.to_owned()]
        });
        table(f, &["quarantined", "records", "first at", "what helps"], &[1], rows.collect())
    }
}

/// What was done to personal data.
pub(crate) fn told(personal: &PersonalFacts) -> String {
    let rules: Vec<_> = personal.rules.iter().map(|(name, rule)| format!("{} {rule}", printable(name))).collect();
    let rules = if rules.is_empty() { "no rule".to_owned() } else { rules.join(", ") };
    let raw = match personal.quarantine_raw.as_str() {
        "none" => "the quarantine has no texts",
        _ => "the quarantine has the texts as they came",
    };
    format!("personal data: {rules}; {raw}")
}

pub(super) fn states(f: &mut fmt::Formatter<'_>, sources: &[SourceReport]) -> fmt::Result {
    const STATES: [&str; 5] = ["succeeded", "pending", "requires_action", "failed", "unknown"];
    if sources.is_empty() {
        return Ok(());
    }
    let header: Vec<&str> = ["source", "rows"].into_iter().chain(STATES).collect();
    let rows = sources.iter().map(|source| {
        let states = STATES.iter().map(|state| source.states.get(state).map_or_else(String::new, |n| grouped(*n)));
        [source.source.to_owned(), grouped(source.rows)].into_iter().chain(states).collect()
    });
    table(f, &header, &[1, 2, 3, 4, 5, 6], rows.collect())
}

pub(super) fn totals(f: &mut fmt::Formatter<'_>, sources: &[SourceReport]) -> fmt::Result {
    if sources.is_empty() {
        return Ok(());
    }
    let row = |source: &SourceReport, totals: &CurrencyReport| {
        let currency = totals.currency.clone().unwrap_or_else(|| "?".to_owned());
        let money = |text: &String| grouped_decimal(text);
        let (gross, fee, net) = (money(&totals.gross), money(&totals.fee), money(&totals.net));
        vec![source.source.to_owned(), currency, grouped(totals.rows), gross, fee, net]
    };
    let rows = sources.iter().flat_map(|source| source.totals.iter().map(move |totals| row(source, totals)));
    table(f, &["source", "currency", "rows", "gross", "fee", "net"], &[2, 3, 4, 5], rows.collect())
}

pub(super) fn drift(f: &mut fmt::Formatter<'_>, sources: &[SourceReport]) -> fmt::Result {
    let mut rows = Vec::new();
    for source in sources {
        let noticed = source.noticed.iter().map(|(name, cases)| (name.replace('_', " "), cases));
        let members =
            source.unknown_members.iter().map(|(name, cases)| (format!("unknown member {}", printable(name)), cases));
        for (what, cases) in noticed.chain(members) {
            rows.push(vec![source.source.to_owned(), what, grouped(cases.count), place(cases)]);
        }
        if source.further_unknown_members > 0 {
            let count = grouped(source.further_unknown_members);
            rows.push(vec![source.source.to_owned(), "further unknown members".to_owned(), count, String::new()]);
        }
    }
    if rows.is_empty() { Ok(()) } else { table(f, &["source", "noticed", "records", "first at"], &[2], rows) }
}

/// A table with aligned columns; those in `right` are numbers.
pub(super) fn table(
    f: &mut fmt::Formatter<'_>,
    header: &[&str],
    right: &[usize],
    rows: Vec<Vec<String>>,
) -> fmt::Result {
    let header = header.iter().map(|text| (*text).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    writeln!(f)?;
    for line in &lines {
        let cell = |(column, text): (usize, &String)| {
            let width = widths[column];
            if right.contains(&column) { format!("{text:>width$}") } else { format!("{text:<width$}") }
        };
        let cells: Vec<String> = line.iter().enumerate().map(cell).collect();
        writeln!(f, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn place(cases: &CasesReport) -> String {
    format!("{}:{}", printable(&cases.source_file), cases.source_offset)
}

/// A number and what it counts, in the plural where it is not one.
#[must_use]
pub fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `1234567` as `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    group_digits(&number.to_string())
}

/// `-1234.5` as `-1,234.5`.
pub(crate) fn grouped_decimal(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    format!("{sign}{}{fraction}", group_digits(integer))
}

fn group_digits(digits: &str) -> String {
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A size in the largest unit that leaves a number of at least one.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let (mut tenths, mut unit) = (u128::from(bytes) * 10, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]) }
}
