//! The sections on records: the runs that read them, what became of them, and the dumps that they are from.

use std::collections::BTreeMap;

use anyhow::Result;

use super::chart::{Chart, Layout, Series};
use super::markup::Column::{Numbers, Words};
use super::markup::{Cell, Html, Table};
use super::view::{
    DRAWN_MONTHS, MAX_LINES, MAX_MONTHS, MAX_RUNS, View, code, details, figure, further, last_months, name, sums,
};
use crate::load::ledger::{Noticed, RunLine};
use crate::load::manifest::DumpFacts;
use crate::load::quarantine::{MAX_PLACES, Places};
use crate::model::cube::{self, Cube, Totals};
use crate::model::money::Currency;
use crate::model::reject::Reason;
use crate::model::time::Month;
use crate::model::vocabulary::{Classification, State};
use crate::report::text::{counted, grouped};

/// So many dumps are listed.
const MAX_DUMPS: usize = 200;

impl<'a> View<'a> {
    pub(super) fn runs(&self, html: &mut Html) {
        html.raw("<section id=\"runs\">\n<h2>Runs</h2>\n");
        html.note("The newest first. Rows after = rows before + added − replaced. No times of the clock are kept.");
        let row = |line: &RunLine| {
            let run = &line.run;
            vec![
                Cell::Words(line.number.to_string()),
                Cell::from(run.kind.name()),
                Cell::Name(line.run_id.get(..8).unwrap_or(&line.run_id).to_owned()),
                Cell::Number(run.dumps as u64),
                Cell::Number(run.known_dumps as u64),
                Cell::Number(run.records),
                Cell::Number(run.quarantined),
                Cell::Number(run.released),
                Cell::Number(run.dropped_identical + run.dropped_differing),
                Cell::Number(run.rows),
                Cell::Number(run.replaced_identical + run.replaced_differing),
                Cell::Number(line.dataset.rows),
            ]
        };
        Table {
            caption: "Runs that made this dataset".to_owned(),
            columns: &[
                Words("Run"),
                Words("Kind"),
                Words("Id"),
                Numbers("Dumps read"),
                Numbers("Known"),
                Numbers("Records"),
                Numbers("Quarantined"),
                Numbers("Released"),
                Numbers("Dropped"),
                Numbers("Rows added"),
                Numbers("Replaced"),
                Numbers("Rows after"),
            ],
            rows: self.runs.iter().map(row).collect(),
            foot: Vec::new(),
        }
        .write(html);
        let number = self.runs.first().map_or(0, |line| line.number);
        further(html, usize::try_from(number).unwrap_or(usize::MAX), MAX_RUNS, "runs", "history.jsonl");
        html.raw("</section>\n");
    }

    /// Rows by month and source.
    pub(super) fn by_month(&self) -> BTreeMap<Month, BTreeMap<&'a str, u64>> {
        let mut by: BTreeMap<Month, BTreeMap<&str, u64>> = BTreeMap::new();
        for (source, cell, totals) in self.cells() {
            *by.entry(cell.month).or_default().entry(source).or_default() += totals.rows;
        }
        by.retain(|_, sources| sources.values().any(|rows| *rows > 0));
        by
    }

    pub(super) fn months(&self, html: &mut Html) -> Result<()> {
        html.raw("<section id=\"months\">\n<h2>Rows per source and month</h2>\n");
        let by = self.by_month();
        if by.is_empty() {
            html.note("There are no rows.").raw("</section>\n");
            return Ok(());
        }
        let drawn: Vec<_> = by.iter().skip(by.len().saturating_sub(DRAWN_MONTHS)).collect();
        let series = self.totals().keys().map(|source| Series {
            name: source.clone(),
            values: drawn.iter().map(|(_, rows)| rows.get(&**source).copied().unwrap_or_default().into()).collect(),
        });
        let chart = Chart {
            id: "rows".to_owned(),
            title: last_months("Rows per month", by.len()),
            layout: Layout::Stacked,
            labels: drawn.iter().map(|(month, _)| month.to_string()).collect(),
            series: series.collect(),
            one: 1,
        };
        html.raw("<div class=\"charts\">\n");
        figure(html, &chart)?;
        html.raw("</div>\n");
        let rows = by.iter().rev().take(MAX_MONTHS).flat_map(|(month, sources)| {
            let line = move |(source, rows): (&&str, &u64)| {
                vec![Cell::Words(month.to_string()), name(source), Cell::Number(*rows)]
            };
            sources.iter().filter(|(_, rows)| **rows > 0).map(line)
        });
        let table = Table {
            caption: "Rows by UTC month of the transaction and source, the newest first".to_owned(),
            columns: &[Words("Month"), Words("Source"), Numbers("Rows")],
            rows: rows.collect(),
            foot: vec![vec!["all months".into(), Cell::Nothing, Cell::Number(self.facts.ledger.rows())]],
        };
        details(html, &format!("{} with rows", counted(by.len() as u64, "month")), |html| {
            table.write(html);
            further(html, by.len(), MAX_MONTHS, "months", "totals.jsonl");
        });
        html.raw("</section>\n");
        Ok(())
    }

    pub(super) fn words(&self, html: &mut Html) -> Result<()> {
        html.raw("<section id=\"words\">\n<h2>States and classifications</h2>\n");
        if self.totals().is_empty() {
            html.note("There are no rows.").raw("</section>\n");
            return Ok(());
        }
        let states = State::ALL.iter().map(|state| Series {
            name: state.as_str().to_owned(),
            values: self
                .totals()
                .values()
                .map(|cube| i128::from(rows_where(cube, |cell| cell.state == *state)))
                .collect(),
        });
        let chart = Chart {
            id: "states".to_owned(),
            title: "Rows by state".to_owned(),
            layout: Layout::Stacked,
            labels: self.totals().keys().cloned().collect(),
            series: states.filter(|series| series.values.iter().any(|rows| *rows > 0)).collect(),
            one: 1,
        };
        html.raw("<div class=\"charts\">\n");
        figure(html, &chart)?;
        html.raw("</div>\n");
        let mut by: BTreeMap<(&str, Classification, State, Option<Currency>), Totals> = BTreeMap::new();
        for (source, cell, totals) in self.cells() {
            *by.entry((source, cell.classification, cell.state, cell.currency)).or_default() += *totals;
        }
        let row =
            |((source, classification, state, currency), totals): (&(&str, Classification, State, _), &Totals)| {
                let mut cells =
                    vec![name(source), classification.as_str().into(), state.as_str().into(), code(*currency)];
                cells.extend(sums(totals));
                cells
            };
        let table = Table {
            caption: "Rows and amounts by classification and state".to_owned(),
            columns: &[
                Words("Source"),
                Words("Classification"),
                Words("State"),
                Words("Currency"),
                Numbers("Rows"),
                Numbers("Gross"),
                Numbers("Fee"),
                Numbers("Net"),
            ],
            rows: by.iter().take(MAX_LINES).map(row).collect(),
            foot: Vec::new(),
        };
        details(html, "By classification, state and currency", |html| {
            table.write(html);
            further(html, by.len(), MAX_LINES, "lines", "totals.jsonl");
        });
        html.raw("</section>\n");
        Ok(())
    }

    pub(super) fn quarantine(&self, html: &mut Html) {
        html.raw("<section id=\"quarantine\">\n<h2>Quarantine</h2>\n");
        let reasons = &self.facts.quarantine.0;
        if reasons.is_empty() {
            html.note("Nothing is in quarantine.").raw("</section>\n");
            return;
        }
        html.note(
            "Records that gave no row, by reason. Their texts are in quarantine.jsonl alone, for its owner's eyes; paynorm \
             replay tries them again.",
        );
        let row = |(reason, places): (&String, &Places)| {
            let known = Reason::ALL.iter().find(|known| known.code() == reason);
            let remedy = known.map_or("", |known| known.remedy());
            vec![name(reason), Cell::Number(places.count), remedy.into()]
        };
        let all = reasons.values().map(|places| places.count).sum();
        Table {
            caption: "By reason".to_owned(),
            columns: &[Words("Reason"), Numbers("Records"), Words("What helps")],
            rows: reasons.iter().map(row).collect(),
            foot: vec![vec!["all".into(), Cell::Number(all), Cell::Nothing]],
        }
        .write(html);
        for (reason, places) in reasons {
            let rows = places.first.iter().map(|place| {
                vec![
                    name(&place.source_file),
                    Cell::Words(place.source_offset.to_string()),
                    Cell::Number(place.length),
                    place.source.as_deref().map_or(Cell::Nothing, name),
                    place.field.as_deref().map_or(Cell::Nothing, name),
                    Cell::Words(place.message.clone()),
                ]
            });
            let table = Table {
                caption: format!("Where {reason} is"),
                columns: &[
                    Words("Dump"),
                    Numbers("Offset"),
                    Numbers("Bytes"),
                    Words("Source"),
                    Words("Member"),
                    Words("What is wrong"),
                ],
                rows: rows.collect(),
                foot: Vec::new(),
            };
            details(html, &format!("{reason}: {}", counted(places.count, "record")), |html| {
                table.write(html);
                further(
                    html,
                    usize::try_from(places.count).unwrap_or(usize::MAX),
                    MAX_PLACES,
                    "places",
                    "quarantine.jsonl",
                );
            });
        }
        html.raw("</section>\n");
    }

    pub(super) fn drift(&self, html: &mut Html) {
        html.raw("<section id=\"drift\">\n<h2>Drift</h2>\n");
        let noticed: Vec<_> = self.facts.ledger.drift.lines().collect();
        if noticed.is_empty() {
            html.note("Nothing was noticed that the sources do not document.").raw("</section>\n");
            return;
        }
        html.note(
            "What the sources do not document, or what had to be mended, in all records that ever gave a row. Words outside \
             a source's list became unknown and stand as they were in the source_… columns; unknown members are kept in extra; \
             float noise is the trace of a binary fraction upstream.",
        );
        let row = |line: &&Noticed| {
            let place = line.source_file.as_deref().map_or(Cell::Nothing, name);
            vec![
                name(&line.source),
                Cell::Words(line.noticed.replace('_', " ")),
                line.member.as_deref().map_or(Cell::Nothing, name),
                Cell::Number(line.records),
                place,
                line.source_offset.map_or(Cell::Nothing, |offset| Cell::Words(offset.to_string())),
            ]
        };
        let table = Table {
            caption: "Noticed".to_owned(),
            columns: &[
                Words("Source"),
                Words("What"),
                Words("Member"),
                Numbers("Records"),
                Words("First in dump"),
                Numbers("At offset"),
            ],
            rows: noticed.iter().take(MAX_LINES).map(row).collect(),
            foot: Vec::new(),
        };
        details(html, &format!("{} noticed", counted(noticed.len() as u64, "thing")), |html| {
            table.write(html);
            further(html, noticed.len(), MAX_LINES, "lines", "drift.jsonl");
        });
        html.raw("</section>\n");
    }

    pub(super) fn duplicates(&self, html: &mut Html) {
        html.raw("<section id=\"duplicates\">\n<h2>Duplicates</h2>\n");
        let manifest = self.facts.manifest;
        html.note(match manifest.keep_duplicates {
            true => "This dataset keeps all rows of one source and transaction id.",
            false => "Of all records with one source and transaction id one row is kept, the newest.",
        });
        if !manifest.replaced.is_empty() {
            html.note("Where each of them stood, and the one that stays, is in _paynorm/replaced-….pq; paynorm explain shows it.");
        }
        let standing = self.runs.first().map(|line| line.dataset).unwrap_or_default();
        let rows = self.dumps.iter().map(|(source, sums)| {
            vec![
                name(source),
                Cell::Number(sums.records),
                Cell::Number(sums.quarantined),
                Cell::Number(sums.duplicates),
            ]
        });
        Table {
            caption: "Dropped by source".to_owned(),
            columns: &[Words("Source"), Numbers("Records"), Numbers("Quarantined"), Numbers("Duplicates")],
            rows: rows.collect(),
            foot: Vec::new(),
        }
        .write(html);
        html.note(&format!(
            "Of {} in all, {} said the same as the row that stays, and {} differed.",
            counted(manifest.duplicates, "duplicate"),
            grouped(standing.identical),
            grouped(standing.differing)
        ));
        html.raw("</section>\n");
    }

    pub(super) fn dumps(&self, html: &mut Html) {
        html.raw("<section id=\"dumps\">\n<h2>Dumps</h2>\n");
        let dumps = &self.facts.manifest.dumps;
        let row = |dump: &DumpFacts| {
            vec![
                name(&dump.path),
                dump.source.as_deref().map_or(Cell::Nothing, name),
                Cell::Number(dump.records),
                Cell::Number(dump.rows.saturating_sub(dump.duplicates)),
                Cell::Number(dump.quarantined),
                Cell::Number(dump.duplicates),
                Cell::Number(dump.stored_bytes),
                if dump.digest.is_empty() { "refused".into() } else { name(dump.digest.get(..12).unwrap_or_default()) },
            ]
        };
        let table = Table {
            caption: "Dumps by path".to_owned(),
            columns: &[
                Words("Dump"),
                Words("Source"),
                Numbers("Records"),
                Numbers("Rows"),
                Numbers("Quarantined"),
                Numbers("Duplicates"),
                Numbers("Bytes"),
                Words("BLAKE3"),
            ],
            rows: dumps.iter().take(MAX_DUMPS).map(row).collect(),
            foot: Vec::new(),
        };
        details(html, &counted(dumps.len() as u64, "dump"), |html| {
            table.write(html);
            further(html, dumps.len(), MAX_DUMPS, "dumps", "manifest.json");
        });
        html.raw("</section>\n");
    }
}

fn rows_where(cube: &Cube, here: impl Fn(&cube::Cell) -> bool) -> u64 {
    cube.cells().filter(|(cell, _)| here(cell)).map(|(_, totals)| totals.rows).sum()
}
