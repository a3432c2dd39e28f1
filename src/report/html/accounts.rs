//! The sections in money: totals to tick off, what the last run changed in them, amounts by month, and fee rates.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::chart::{Chart, Layout, Series};
use super::markup::Column::{Numbers, Words};
use super::markup::{Cell, Html, Table};
use super::view::{
    DRAWN_MONTHS, DumpSums, MAX_LINES, MAX_MONTHS, View, code, code_text, details, explains, figure, further,
    last_months, name, sums,
};
use crate::load::ledger::SourceTotals;
use crate::model::cube::{self, Totals};
use crate::model::money::Currency;
use crate::model::sum::Sum;
use crate::model::time::Month;
use crate::model::vocabulary::{AmountCheck, Classification, State};
use crate::report::text::{counted, grouped};

/// So many currencies have a chart, and so many a table of months.
const DRAWN_CURRENCIES: usize = 4;
const MAX_CURRENCIES: usize = 40;

impl View<'_> {
    pub(super) fn control_totals(&self, html: &mut Html) {
        html.raw("<section id=\"control\">\n<h2>Control totals</h2>\n");
        html.note(
            "To be ticked off against the providers' own statements. Every record that was read is a row, in quarantine, or \
             a duplicate that was dropped.",
        );
        let rows = self.dumps.iter().map(|(source, sums)| record_line(source, sums, self.rows_of(source)));
        let mut sum = DumpSums::default();
        self.facts.manifest.dumps.iter().for_each(|dump| sum.add(dump));
        Table {
            caption: "Records by source".to_owned(),
            columns: &[
                Words("Source"),
                Numbers("Dumps"),
                Numbers("Records read"),
                Numbers("− quarantined"),
                Numbers("− duplicates"),
                Numbers("= rows"),
                Numbers("Rows in totals"),
                Words("Adds up"),
                Words("Ticked"),
            ],
            rows: rows.collect(),
            foot: vec![record_line("all", &sum, self.facts.ledger.rows())],
        }
        .write(html);
        html.note(
            "Money is seen from the merchant: in is positive, out is negative, and gross − fee = net. What is left over must \
             come from rows that lack an amount, whose amounts the source itself does not balance, or that are in two \
             currencies; they are listed below. The currency ? is one that neither the source nor the settings tell.",
        );
        let all = self.all_sources();
        let balances_in = |currency| self.unbalanced.iter().all(|(_, of)| *of != currency);
        Table {
            caption: "Amounts by source and currency".to_owned(),
            columns: &[
                Words("Source"),
                Words("Currency"),
                Numbers("Rows"),
                Numbers("Gross"),
                Numbers("− fee"),
                Numbers("− net"),
                Numbers("= left over"),
                Words("Adds up"),
                Words("Ticked"),
            ],
            rows: self.by_currency.iter().take(MAX_LINES).map(|line| amount_line(line, self.balances(line))).collect(),
            foot: all.iter().take(MAX_LINES).map(|line| amount_line(line, balances_in(line.currency))).collect(),
        }
        .write(html);
        further(html, self.by_currency.len(), MAX_LINES, "lines", "totals.jsonl");
        self.left_over_table(html);
        html.raw("</section>\n");
    }

    pub(super) fn left_over_table(&self, html: &mut Html) {
        let mut by: BTreeMap<(&str, Option<Currency>, AmountCheck), Totals> = BTreeMap::new();
        for (source, cell, totals) in self.cells().filter(|(_, cell, _)| explains(cell.amount_check)) {
            *by.entry((source, cell.currency, cell.amount_check)).or_default() += *totals;
        }
        if by.is_empty() {
            return;
        }
        let row = |((source, currency, check), totals): (&(&str, Option<Currency>, AmountCheck), &Totals)| {
            let why = Cell::from(match check {
                AmountCheck::Unbalanced => "the source's amounts do not balance",
                AmountCheck::MixedCurrency => "in two currencies",
                _ => "one amount alone",
            });
            let mut cells = vec![name(source), code(*currency), why];
            cells.extend(sums(totals));
            cells.push(Cell::Sum(totals.left_over()));
            cells
        };
        Table {
            caption: "What is left over, and why".to_owned(),
            columns: &[
                Words("Source"),
                Words("Currency"),
                Words("Rows that are"),
                Numbers("Rows"),
                Numbers("Gross"),
                Numbers("Fee"),
                Numbers("Net"),
                Numbers("Left over"),
            ],
            rows: by.iter().take(MAX_LINES).map(row).collect(),
            foot: Vec::new(),
        }
        .write(html);
        further(html, by.len(), MAX_LINES, "lines", "totals.jsonl");
    }

    pub(super) fn changes(&self, html: &mut Html) {
        html.raw("<section id=\"changes\">\n<h2>Changes against the run before</h2>\n");
        let [now, before, ..] = &self.runs[..] else {
            html.note("This dataset is of one run; there is no run before to compare with.").raw("</section>\n");
            return;
        };
        let standing = [
            ("rows", before.dataset.rows, now.dataset.rows),
            ("in quarantine", before.dataset.quarantined, now.dataset.quarantined),
            ("dumps", before.dataset.dumps as u64, now.dataset.dumps as u64),
        ];
        let standing = standing.map(|(what, was, is)| format!("{what} {} → {}", grouped(was), grouped(is)));
        html.note(&format!("Run {} against run {}: {}.", now.number, before.number, standing.join("; ")));
        for changed in now.changed_settings(before) {
            html.note(&format!("Settings: {changed}."));
        }
        let mut by: BTreeMap<(&str, Option<Currency>), [Totals; 2]> = BTreeMap::new();
        for (line, at) in before.totals.iter().map(|line| (line, 0)).chain(now.totals.iter().map(|line| (line, 1))) {
            by.entry((&line.source, line.currency)).or_default()[at] = line.totals;
        }
        let (same, changed): (Vec<_>, Vec<_>) = by.into_iter().partition(|(_, [before, after])| before == after);
        if changed.is_empty() {
            html.note("No total has changed.").raw("</section>\n");
            return;
        }
        let row = |((source, currency), [before, after]): &((&str, Option<Currency>), [Totals; 2])| {
            let change = |of: fn(&Totals) -> Sum| Cell::SumChange(of(after).minus(of(before)));
            vec![
                name(source),
                code(*currency),
                Cell::Change(i128::from(after.rows) - i128::from(before.rows)),
                Cell::Sum(before.gross),
                change(|totals| totals.gross),
                Cell::Sum(after.gross),
                change(|totals| totals.fee),
                change(|totals| totals.net),
            ]
        };
        Table {
            caption: "Totals that changed".to_owned(),
            columns: &[
                Words("Source"),
                Words("Currency"),
                Numbers("Rows ±"),
                Numbers("Gross before"),
                Numbers("Gross ±"),
                Numbers("Gross now"),
                Numbers("Fee ±"),
                Numbers("Net ±"),
            ],
            rows: changed.iter().take(MAX_LINES).map(row).collect(),
            foot: Vec::new(),
        }
        .write(html);
        further(html, changed.len(), MAX_LINES, "lines", "history.jsonl");
        if !same.is_empty() {
            html.note(&format!(
                "{} of a source and currency stayed as they were.",
                counted(same.len() as u64, "total")
            ));
        }
        html.raw("</section>\n");
    }

    pub(super) fn amounts(&self, html: &mut Html) -> Result<()> {
        html.raw("<section id=\"amounts\">\n<h2>Gross, fee and net per currency</h2>\n");
        let mut currencies = self.all_sources();
        // Those of most rows first.
        currencies.sort_by_key(|line| std::cmp::Reverse(line.totals.rows));
        if currencies.is_empty() {
            html.note("There are no rows.").raw("</section>\n");
            return Ok(());
        }
        html.raw("<div class=\"charts\">\n");
        for line in currencies.iter().take(DRAWN_CURRENCIES) {
            figure(html, &self.chart_of(line.currency))?;
        }
        html.raw("</div>\n");
        for line in currencies.iter().take(MAX_CURRENCIES) {
            let months = self.months_of(line.currency);
            let row = |(month, totals): (&Month, &Totals)| {
                let mut cells = vec![Cell::Words(month.to_string())];
                cells.extend(sums(totals));
                cells
            };
            let mut all = vec![Cell::from("all months")];
            all.extend(sums(&line.totals));
            let table = Table {
                caption: format!("{} by UTC month, the newest first", code_text(line.currency)),
                columns: &[Words("Month"), Numbers("Rows"), Numbers("Gross"), Numbers("Fee"), Numbers("Net")],
                rows: months.iter().rev().take(MAX_MONTHS).map(row).collect(),
                foot: vec![all],
            };
            let title = format!("{} in {}", code_text(line.currency), counted(months.len() as u64, "month"));
            details(html, &title, |html| {
                table.write(html);
                further(html, months.len(), MAX_MONTHS, "months", "totals.jsonl");
            });
        }
        further(html, currencies.len(), MAX_CURRENCIES, "currencies", "totals.jsonl");
        html.raw("</section>\n");
        Ok(())
    }

    pub(super) fn months_of(&self, currency: Option<Currency>) -> BTreeMap<Month, Totals> {
        let mut by: BTreeMap<Month, Totals> = BTreeMap::new();
        for (_, cell, totals) in self.cells().filter(|(_, cell, _)| cell.currency == currency) {
            *by.entry(cell.month).or_default() += *totals;
        }
        by
    }

    pub(super) fn chart_of(&self, currency: Option<Currency>) -> Chart {
        let months = self.months_of(currency);
        let drawn: Vec<_> = months.iter().skip(months.len().saturating_sub(DRAWN_MONTHS)).collect();
        let series = |name: &str, of: fn(&Totals) -> Sum| Series {
            name: name.to_owned(),
            values: drawn.iter().map(|(_, totals)| of(totals).units()).collect(),
        };
        Chart {
            id: format!("amounts-{}", currency.as_ref().map_or("none", |currency| currency.as_str())),
            title: last_months(&format!("{} per month", code_text(currency)), months.len()),
            layout: Layout::Beside,
            labels: drawn.iter().map(|(month, _)| month.to_string()).collect(),
            series: vec![
                series("gross", |totals| totals.gross),
                series("fee", |totals| totals.fee),
                series("net", |totals| totals.net),
            ],
            one: 10_000,
        }
    }

    pub(super) fn fees(&self, html: &mut Html) {
        html.raw("<section id=\"fees\">\n<h2>Fee rate per source</h2>\n");
        html.note(
            "Fee ÷ gross over payments and donations that succeeded and have gross, fee and net in one currency. The rate is \
             rounded half to even to two digits behind the point; the sums that it comes from are exact.",
        );
        let counts = |cell: &cube::Cell| {
            cell.state == State::Succeeded
                && matches!(cell.classification, Classification::Payment | Classification::Donation)
                && !matches!(cell.amount_check, AmountCheck::Partial | AmountCheck::MixedCurrency)
        };
        let mut by: BTreeMap<(&str, Option<Currency>), Totals> = BTreeMap::new();
        for (source, cell, totals) in self.cells().filter(|(_, cell, _)| counts(cell)) {
            *by.entry((source, cell.currency)).or_default() += *totals;
        }
        let row = |((source, currency), totals): (&(&str, Option<Currency>), &Totals)| {
            let rate = fee_rate(totals).map_or_else(|| "–".to_owned(), |rate| format!("{rate} %"));
            let (gross, fee) = (Cell::Sum(totals.gross), Cell::Sum(totals.fee));
            vec![name(source), code(*currency), Cell::Number(totals.rows), gross, fee, Cell::Words(rate)]
        };
        if !by.is_empty() {
            Table {
                caption: "Fee rates".to_owned(),
                columns: &[
                    Words("Source"),
                    Words("Currency"),
                    Numbers("Rows"),
                    Numbers("Gross"),
                    Numbers("Fee"),
                    Numbers("Rate, rounded"),
                ],
                rows: by.iter().take(MAX_LINES).map(row).collect(),
                foot: Vec::new(),
            }
            .write(html);
            further(html, by.len(), MAX_LINES, "lines", "totals.jsonl");
        }
        let with: BTreeSet<&str> = by.keys().map(|(source, _)| *source).collect();
        for source in self.totals().keys().filter(|source| !with.contains(source.as_str())) {
            html.note(&format!("{source}: no such rows; the source may write no fees."));
        }
        html.raw("</section>\n");
    }
}

fn record_line(source: &str, sums: &DumpSums, rows: u64) -> Vec<Cell> {
    vec![
        name(source),
        Cell::Number(sums.dumps),
        Cell::Number(sums.records),
        Cell::Number(sums.quarantined),
        Cell::Number(sums.duplicates),
        sums.rows().map_or(Cell::Nothing, Cell::Number),
        Cell::Number(rows),
        Cell::Check(sums.rows() == Some(rows)),
        Cell::Box,
    ]
}

fn amount_line(line: &SourceTotals, balances: bool) -> Vec<Cell> {
    let mut cells = vec![name(&line.source), code(line.currency)];
    cells.extend(sums(&line.totals));
    cells.extend([Cell::Sum(line.totals.left_over()), Cell::Check(balances), Cell::Box]);
    cells
}

/// Fee ÷ gross in percent with two digits behind the point, half to even; `None` without a gross amount.
fn fee_rate(totals: &Totals) -> Option<String> {
    let (fee, gross) = (totals.fee.units(), totals.gross.units());
    let (numerator, divisor) = (fee.checked_mul(10_000)?, gross);
    let negative = (numerator < 0) != (divisor < 0);
    let (numerator, divisor) = (numerator.unsigned_abs(), divisor.unsigned_abs());
    let (mut hundredths, rest) = (numerator.checked_div(divisor)?, numerator % divisor);
    let half = (rest * 2).cmp(&divisor);
    if half.is_gt() || (half.is_eq() && hundredths % 2 == 1) {
        hundredths += 1;
    }
    let sign = if negative && hundredths > 0 { "-" } else { "" };
    Some(format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fee_rates_are_rounded_half_to_even() {
        for (fee, gross, rate) in [
            (29, 1000, Some("2.90")),
            (1, 3, Some("33.33")),
            (2, 3, Some("66.67")),
            (5, 100_000, Some("0.00")),
            (15, 100_000, Some("0.02")),
            (25, 100_000, Some("0.02")),
            (-25, 100_000, Some("-0.02")),
            (25, -100_000, Some("-0.02")),
            (-1, 1_000_000, Some("0.00")),
            (0, 7, Some("0.00")),
            (7, 0, None),
        ] {
            let (gross, fee) = (Sum::from_units(gross), Sum::from_units(fee));
            let totals = Totals { gross, fee, ..Totals::default() };
            assert_eq!(fee_rate(&totals).as_deref(), rate, "{fee} of {gross}");
        }
    }
}
