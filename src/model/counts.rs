//! What is counted of rows: the cells of a [`Cube`], duplicates, and what was noticed on the way.
//!
//! Counts add up: whoever works on a part counts for itself, and the sums do not depend on how the parts were cut.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use super::cube::{Cell, Cube, Totals};
use super::money::Money;
use super::time::Month;
use super::transaction::{Amounts, Transaction};
use super::vocabulary::{AmountCheck, Classification, State};

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

/// How many names of unknown members are told apart, per source: the first in alphabetical order, so that it does not
/// matter in which parts they are counted.
pub const MAX_MEMBERS: usize = 100;
/// Characters of a name that count.
const MAX_NAME: usize = 100;

/// The counts of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// Rows and their sums.
    pub cube: Cube,
    /// Rows that another one of their key replaced: the record was the same, or another.
    pub identical: u64,
    /// As before, where the record differed.
    pub differing: u64,
    /// What was noticed, by its name in the report.
    pub notes: BTreeMap<&'static str, Cases>,
    /// Members that the source does not document, by name.
    pub unknown_members: BTreeMap<String, Cases>,
    /// Records with further unknown members whose names are not told apart.
    pub further_members: u64,
}

impl SourceCounts {
    /// Counts something noticed.
    pub fn note(&mut self, name: &'static str, at: Example) {
        add_cases(&mut self.notes, name, Cases { count: 1, first: at });
    }

    /// Counts an unknown member.
    pub fn unknown_member(&mut self, name: &str, at: Example) {
        let name = beginning(name);
        if let Some(cases) = self.unknown_members.get_mut(name) {
            cases.count += 1;
        } else {
            self.unknown_members.insert(name.to_owned(), Cases { count: 1, first: at });
            self.bound();
        }
    }

    /// Names beyond those that are told apart are only counted.
    fn bound(&mut self) {
        while self.unknown_members.len() > MAX_MEMBERS {
            let last = self.unknown_members.pop_last();
            self.further_members += last.map_or(0, |(_, cases)| cases.count);
        }
    }

    /// Takes rows out again that others replaced; whether they were there.
    #[must_use]
    pub fn take_out(&mut self, rows: &Self) -> bool {
        self.identical += rows.identical;
        self.differing += rows.differing;
        self.cube.take_out(&rows.cube)
    }
}

/// What is counted of a row.
#[derive(Clone, Copy, Debug)]
pub struct RowFacts {
    /// When it took place.
    pub month: Month,
    /// Its state.
    pub state: State,
    /// Its classification.
    pub classification: Classification,
    /// Its amounts.
    pub amounts: Amounts,
}

impl RowFacts {
    /// Those of a row of that month, which whoever made the row has at hand.
    #[must_use]
    pub fn of(row: &Transaction<'_>, month: Month) -> Self {
        Self { month, state: row.state, classification: row.classification, amounts: row.amounts }
    }

    /// What it adds to which cells: to one, or where its amounts are in different currencies, to one for each.
    #[inline]
    pub(super) fn each(&self, mut add: impl FnMut(Cell, Totals)) {
        let Amounts { gross, fee, net, check } = &self.amounts;
        if *check == AmountCheck::MixedCurrency {
            return self.each_mixed(add);
        }
        let totals = Totals { rows: 1, gross: (*gross).into(), fee: (*fee).into(), net: (*net).into() };
        add(self.cell(self.amounts.first()), totals);
    }

    #[cold]
    fn each_mixed(&self, mut add: impl FnMut(Cell, Totals)) {
        let Amounts { gross, fee, net, .. } = self.amounts;
        let none = Totals::default();
        add(self.cell(self.amounts.first()), Totals { rows: 1, ..none });
        for (money, totals) in [
            (gross, Totals { gross: gross.into(), ..none }),
            (fee, Totals { fee: fee.into(), ..none }),
            (net, Totals { net: net.into(), ..none }),
        ] {
            if money.is_some() {
                add(self.cell(money.as_ref()), totals);
            }
        }
    }

    /// The cell for amounts in the currency of `money`.
    fn cell(&self, money: Option<&Money>) -> Cell {
        Cell {
            month: self.month,
            currency: money.and_then(|money| money.currency),
            classification: self.classification,
            state: self.state,
            amount_check: self.amounts.check,
        }
    }
}

impl AddAssign for SourceCounts {
    fn add_assign(&mut self, other: Self) {
        self.cube += &other.cube;
        self.identical += other.identical;
        self.differing += other.differing;
        self.further_members += other.further_members;
        for (name, cases) in other.notes {
            add_cases(&mut self.notes, name, cases);
        }
        for (name, cases) in other.unknown_members {
            add_cases(&mut self.unknown_members, name, cases);
        }
        self.bound();
    }
}

fn beginning(name: &str) -> &str {
    if name.len() <= MAX_NAME {
        return name;
    }
    name.char_indices().nth(MAX_NAME).map_or(name, |(end, _)| &name[..end])
}

/// Adds cases to those of the same name; the first example in input order stays.
pub fn add_cases<K: Ord>(all: &mut BTreeMap<K, Cases>, name: K, more: Cases) {
    let cases = all.entry(name).or_insert(Cases { count: 0, first: more.first });
    cases.count += more.count;
    cases.first = cases.first.min(more.first);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_told_apart_do_not_depend_on_how_they_are_cut() {
        let names: Vec<String> = (0..1000_usize).map(|at| format!("n{}", at * 7919 % 331)).collect();
        let counted = |cut: usize| {
            let mut all = SourceCounts::default();
            for (part, names) in names.chunks(cut).enumerate() {
                let mut counts = SourceCounts::default();
                for (at, name) in names.iter().enumerate() {
                    counts.unknown_member(name, (0, (part * cut + at) as u64));
                }
                all += counts;
            }
            all
        };
        let whole = counted(1000);
        assert_eq!(whole.unknown_members.len(), MAX_MEMBERS);
        let told: u64 = whole.unknown_members.values().map(|cases| cases.count).sum();
        assert_eq!(told + whole.further_members, 1000);
        for cut in [1, 7, 150, 999] {
            assert_eq!(counted(cut), whole, "parts of {cut}");
        }
    }

    #[test]
    fn of_a_long_name_the_beginning_counts() {
        let mut counts = SourceCounts::default();
        for end in ["a", "b"] {
            counts.unknown_member(&("\u{fc}".repeat(MAX_NAME) + end), (0, 0));
        }
        assert_eq!(counts.unknown_members.keys().map(|name| name.chars().count()).collect::<Vec<_>>(), [MAX_NAME]);
    }
}
