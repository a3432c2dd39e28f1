//! What the page tells of, put together once: the facts, sums of them, and whether they add up. The order of the sections
//! is here, from the totals that an accountant ticks off to the list of dumps; each is in its own place.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::Facts;
use super::chart::{COLOURS, Chart};
use super::markup::{Cell, Html};
use crate::load::ledger::{RunLine, SourceTotals, by_currency};
use crate::load::manifest::DumpFacts;
use crate::model::cube::{self, Cube, Totals};
use crate::model::money::Currency;
use crate::model::sum::Sum;
use crate::model::vocabulary::AmountCheck;
use crate::report::text::{grouped, size, told};

/// So many runs, months and lines of a table are shown, and so many months drawn.
pub(super) const MAX_RUNS: usize = 50;
pub(super) const MAX_MONTHS: usize = 120;
pub(super) const MAX_LINES: usize = 400;
pub(super) const DRAWN_MONTHS: usize = 36;

/// What the page tells of, put together once.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) facts: Facts<'a>,
    pub(super) runs: Vec<RunLine>,
    pub(super) by_currency: Vec<SourceTotals>,
    /// Sources and currencies whose complete amounts do not balance; there are none, or something is wrong.
    pub(super) unbalanced: BTreeSet<(&'a str, Option<Currency>)>,
    pub(super) dumps: BTreeMap<&'a str, DumpSums>,
}

/// Sums over the dumps of a source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DumpSums {
    pub(super) dumps: u64,
    pub(super) records: u64,
    pub(super) quarantined: u64,
    pub(super) duplicates: u64,
}

impl DumpSums {
    pub(super) fn add(&mut self, dump: &DumpFacts) {
        self.dumps += 1;
        self.records += dump.records;
        self.quarantined += dump.quarantined;
        self.duplicates += dump.duplicates;
    }

    /// Records that are neither in quarantine nor dropped; `None` where that can't be.
    pub(super) fn rows(&self) -> Option<u64> {
        self.records.checked_sub(self.quarantined)?.checked_sub(self.duplicates)
    }
}

/// Dumps that no source was told of.
const NO_SOURCE: &str = "(none told)";

impl<'a> View<'a> {
    pub(super) fn of(facts: &Facts<'a>) -> Result<Self> {
        let mut dumps: BTreeMap<&str, DumpSums> = BTreeMap::new();
        for dump in &facts.manifest.dumps {
            dumps.entry(dump.source.as_deref().unwrap_or(NO_SOURCE)).or_default().add(dump);
        }
        let totals = &facts.ledger.totals;
        for source in totals.keys() {
            dumps.entry(source).or_default();
        }
        let mut left_over: BTreeMap<(&str, Option<Currency>), Sum> = BTreeMap::new();
        for (source, cell, totals) in cells(totals).filter(|(_, cell, _)| !explains(cell.amount_check)) {
            *left_over.entry((source, cell.currency)).or_default() += totals.left_over();
        }
        let unbalanced = left_over.into_iter().filter(|(_, sum)| *sum != Sum::ZERO).map(|(key, _)| key).collect();
        let runs = facts.ledger.history.last(MAX_RUNS)?;
        Ok(Self { facts: *facts, runs, by_currency: by_currency(totals), unbalanced, dumps })
    }

    pub(super) fn short_run_id(&self) -> &'a str {
        let id = &self.facts.manifest.run_id;
        id.get(..8).unwrap_or(id)
    }

    pub(super) fn write(&self, html: &mut Html) -> Result<()> {
        self.header(html);
        html.raw("<main>\n");
        self.control_totals(html);
        self.changes(html);
        self.runs(html);
        self.months(html)?;
        self.amounts(html)?;
        self.words(html)?;
        self.fees(html);
        self.quarantine(html);
        self.drift(html);
        self.duplicates(html);
        self.dumps(html);
        html.raw("</main>\n");
        Ok(())
    }

    pub(super) fn totals(&self) -> &'a BTreeMap<String, Cube> {
        &self.facts.ledger.totals
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = (&'a str, &'a cube::Cell, &'a Totals)> {
        cells(self.totals())
    }

    fn header(&self, html: &mut Html) {
        let manifest = self.facts.manifest;
        html.raw("<header>\n<h1>paynorm report</h1>\n<p class=\"faint\">").text(&manifest.tool);
        html.text(&format!(", schema version {}, run ", manifest.schema_version));
        html.raw("<span class=\"name\">").text(&manifest.run_id).raw("</span></p>\n<dl class=\"key\">\n");
        let bytes = manifest.files.iter().map(|file| file.bytes).sum();
        for (name, value) in [
            ("rows", grouped(manifest.rows)),
            ("dumps", grouped(manifest.dumps.len() as u64)),
            ("in quarantine", grouped(manifest.quarantined)),
            ("duplicates dropped", grouped(manifest.duplicates)),
            ("data files", format!("{} ({})", grouped(manifest.files.len() as u64), size(bytes))),
        ] {
            html.raw("<div><dt>").text(name).raw("</dt><dd>").text(&value).raw("</dd></div>\n");
        }
        html.raw("<div><dt>adds up</dt><dd>");
        html.raw(if self.adds_up() {
            "<span class=\"good\">✓ yes</span>"
        } else {
            "<span class=\"bad\">✗ no</span>"
        });
        html.raw("</dd></div>\n</dl>\n");
        if let Some(personal) = &manifest.personal {
            html.note(&told(personal));
        }
        html.raw(
            "<p>What is in this dataset, in numbers. Sums are exact and nothing is rounded, but where it says so. No value \
             of a single record is on this page.</p>\n<nav aria-label=\"Sections\"><ul>\n\
             <li><a href=\"#control\">Control totals</a></li>\n<li><a href=\"#changes\">Changes</a></li>\n\
             <li><a href=\"#runs\">Runs</a></li>\n<li><a href=\"#months\">Months</a></li>\n\
             <li><a href=\"#amounts\">Amounts</a></li>\n<li><a href=\"#words\">States and classifications</a></li>\n\
             <li><a href=\"#fees\">Fee rates</a></li>\n<li><a href=\"#quarantine\">Quarantine</a></li>\n\
             <li><a href=\"#drift\">Drift</a></li>\n<li><a href=\"#duplicates\">Duplicates</a></li>\n\
             <li><a href=\"#dumps\">Dumps</a></li>\n</ul></nav>\n</header>\n",
        );
    }

    /// Whether records and amounts are all accounted for.
    fn adds_up(&self) -> bool {
        let records = self.dumps.iter().all(|(source, sums)| sums.rows() == Some(self.rows_of(source)));
        let all = self.dumps.values().filter_map(DumpSums::rows).sum::<u64>() == self.facts.manifest.rows;
        records && all && self.unbalanced.is_empty()
    }

    /// The rows of a source, by the totals.
    pub(super) fn rows_of(&self, source: &str) -> u64 {
        self.totals().get(source).map_or(0, Cube::rows)
    }

    /// Whether gross − fee − net comes to nothing in all rows that have all three amounts in one currency.
    pub(super) fn balances(&self, line: &SourceTotals) -> bool {
        !self.unbalanced.contains(&(line.source.as_str(), line.currency))
    }

    /// Totals by currency over all sources.
    pub(super) fn all_sources(&self) -> Vec<SourceTotals> {
        let mut by: BTreeMap<Option<Currency>, Totals> = BTreeMap::new();
        for line in &self.by_currency {
            *by.entry(line.currency).or_default() += line.totals;
        }
        by.into_iter().map(|(currency, totals)| SourceTotals { source: "all".to_owned(), currency, totals }).collect()
    }
}

fn cells(cubes: &BTreeMap<String, Cube>) -> impl Iterator<Item = (&str, &cube::Cell, &Totals)> {
    cubes.iter().flat_map(|(source, cube)| cube.cells().map(move |(cell, totals)| (source.as_str(), cell, totals)))
}

/// Whether rows of that kind may leave something over of gross − fee − net.
pub(super) fn explains(check: AmountCheck) -> bool {
    matches!(check, AmountCheck::Partial | AmountCheck::Unbalanced | AmountCheck::MixedCurrency)
}

pub(super) fn name(text: &str) -> Cell {
    Cell::Name(text.to_owned())
}

pub(super) fn code_text(currency: Option<Currency>) -> String {
    currency.map_or_else(|| "?".to_owned(), |currency| currency.as_str().to_owned())
}

pub(super) fn code(currency: Option<Currency>) -> Cell {
    Cell::Words(code_text(currency))
}

pub(super) fn sums(totals: &Totals) -> [Cell; 4] {
    [Cell::Number(totals.rows), Cell::Sum(totals.gross), Cell::Sum(totals.fee), Cell::Sum(totals.net)]
}

/// Says how many of a list are not shown, and where they are.
pub(super) fn further(html: &mut Html, all: usize, shown: usize, what: &str, file: &str) {
    if let Some(rest) = all.checked_sub(shown).filter(|rest| *rest > 0) {
        html.note(&format!("And {} {what} more, which are in _paynorm/{file}.", grouped(rest as u64)));
    }
}

pub(super) fn details(html: &mut Html, summary: &str, content: impl FnOnce(&mut Html)) {
    html.raw("<details>\n<summary>").text(summary).raw("</summary>\n");
    content(html);
    html.raw("</details>\n");
}

pub(super) fn last_months(what: &str, months: usize) -> String {
    if months > DRAWN_MONTHS { format!("{what}, the last {DRAWN_MONTHS} that have rows") } else { what.to_owned() }
}

pub(super) fn figure(html: &mut Html, chart: &Chart) -> Result<()> {
    const KEYS: [&str; COLOURS] = [
        "<li><span class=\"c0\" aria-hidden=\"true\">■</span> ",
        "<li><span class=\"c1\" aria-hidden=\"true\">■</span> ",
        "<li><span class=\"c2\" aria-hidden=\"true\">■</span> ",
        "<li><span class=\"c3\" aria-hidden=\"true\">■</span> ",
        "<li><span class=\"c4\" aria-hidden=\"true\">■</span> ",
        "<li><span class=\"c5\" aria-hidden=\"true\">■</span> ",
    ];
    html.raw("<figure><figcaption>").text(&chart.title).raw("</figcaption>\n").chart(&chart.draw()?);
    html.raw("<ul class=\"legend\">");
    for (series, key) in chart.series.iter().zip(KEYS.iter().cycle()) {
        html.raw(key).text(&series.name).raw("</li>");
    }
    html.raw("</ul></figure>\n");
    Ok(())
}
