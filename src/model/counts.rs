//! What is counted of rows: states, classifications, totals per currency, and what was noticed on the way.
//!
//! Counts add up: whoever works on a part counts for itself, and the sums do not depend on how the parts were cut.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use super::money::{Currency, Money};
use super::transaction::{Amounts, Transaction};
use super::vocabulary::{Classification, State};

/// Where something was seen first: the dump's number and the offset of the record.
pub type Example = (usize, u64);

/// A number of cases and the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cases {
    /// How many.
    pub count: u64,
    /// The first in input order.
    pub first: Example,
}

/// How many different names of unknown members are told apart, per source.
const MAX_MEMBERS: usize = 100;

/// Totals of one currency in ten-thousandths of the major unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows whose first amount is in this currency.
    pub rows: u64,
    /// Sum of the gross amounts in this currency.
    pub gross: i128,
    /// Sum of the fees in this currency.
    pub fee: i128,
    /// Sum of the net amounts in this currency.
    pub net: i128,
}

/// The counts of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// Rows.
    pub rows: u64,
    /// Rows that another one of their key replaced: the record was the same, or another.
    pub identical: u64,
    /// As before, where the record differed.
    pub differing: u64,
    /// Rows by state.
    pub states: BTreeMap<State, u64>,
    /// Rows by classification.
    pub classifications: BTreeMap<Classification, u64>,
    /// Totals by currency; `None` where it is unknown.
    pub totals: BTreeMap<Option<Currency>, Totals>,
    /// What was noticed, by its name in the report.
    pub notes: BTreeMap<&'static str, Cases>,
    /// Members that the source does not document, by name.
    pub unknown_members: BTreeMap<String, Cases>,
    /// Records with further unknown members whose names are not told apart.
    pub further_members: u64,
}

impl SourceCounts {
    /// Counts a row.
    pub fn row(&mut self, row: &RowFacts) {
        self.rows += 1;
        *self.states.entry(row.state).or_default() += 1;
        *self.classifications.entry(row.classification).or_default() += 1;
        self.totals.entry(row.amounts.first().and_then(|money| money.currency)).or_default().rows += 1;
        let mut add = |money: Option<Money>, place: fn(&mut Totals) -> &mut i128| {
            if let Some(money) = money {
                *place(self.totals.entry(money.currency).or_default()) += i128::from(money.amount.units());
            }
        };
        add(row.amounts.gross, |totals| &mut totals.gross);
        add(row.amounts.fee, |totals| &mut totals.fee);
        add(row.amounts.net, |totals| &mut totals.net);
    }

    /// Counts something noticed.
    pub fn note(&mut self, name: &'static str, at: Example) {
        add_cases(&mut self.notes, name, Cases { count: 1, first: at });
    }

    /// Counts an unknown member.
    pub fn unknown_member(&mut self, name: &str, at: Example) {
        if let Some(cases) = self.unknown_members.get_mut(name) {
            cases.count += 1;
        } else if self.unknown_members.len() < MAX_MEMBERS {
            let name = name.chars().take(MAX_MEMBERS).collect();
            add_cases(&mut self.unknown_members, name, Cases { count: 1, first: at });
        } else {
            self.further_members += 1;
        }
    }

    /// Takes rows out again that others replaced.
    pub fn take_out(&mut self, rows: &Self) {
        self.rows -= rows.rows;
        self.identical += rows.identical;
        self.differing += rows.differing;
        take_out(&mut self.states, &rows.states);
        take_out(&mut self.classifications, &rows.classifications);
        for (currency, taken) in &rows.totals {
            let totals = self.totals.entry(*currency).or_default();
            totals.rows -= taken.rows;
            totals.gross -= taken.gross;
            totals.fee -= taken.fee;
            totals.net -= taken.net;
        }
        self.totals.retain(|_, totals| *totals != Totals::default());
    }
}

/// What is counted of a row.
#[derive(Clone, Copy, Debug)]
pub struct RowFacts {
    /// Its state.
    pub state: State,
    /// Its classification.
    pub classification: Classification,
    /// Its amounts.
    pub amounts: Amounts,
}

impl From<&Transaction<'_>> for RowFacts {
    fn from(row: &Transaction<'_>) -> Self {
        Self { state: row.state, classification: row.classification, amounts: row.amounts }
    }
}

impl AddAssign for SourceCounts {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.identical += other.identical;
        self.differing += other.differing;
        self.further_members += other.further_members;
        for (state, count) in other.states {
            *self.states.entry(state).or_default() += count;
        }
        for (classification, count) in other.classifications {
            *self.classifications.entry(classification).or_default() += count;
        }
        for (currency, other) in other.totals {
            let totals = self.totals.entry(currency).or_default();
            totals.rows += other.rows;
            totals.gross += other.gross;
            totals.fee += other.fee;
            totals.net += other.net;
        }
        for (name, cases) in other.notes {
            add_cases(&mut self.notes, name, cases);
        }
        for (name, cases) in other.unknown_members {
            add_cases(&mut self.unknown_members, name, cases);
        }
    }
}

/// Adds cases to those of the same name; the first example in input order stays.
pub fn add_cases<K: Ord>(all: &mut BTreeMap<K, Cases>, name: K, more: Cases) {
    let cases = all.entry(name).or_insert(Cases { count: 0, first: more.first });
    cases.count += more.count;
    cases.first = cases.first.min(more.first);
}

fn take_out<K: Ord + Copy>(counts: &mut BTreeMap<K, u64>, taken: &BTreeMap<K, u64>) {
    for (key, count) in taken {
        *counts.entry(*key).or_default() -= count;
    }
    counts.retain(|_, count| *count > 0);
}
