//! Rows counted by month, currency, state, classification and how their amounts fit: whatever is asked of totals is a sum
//! over these cells. Cells add up and can be taken out again, so a dataset's totals follow from those before and the rows
//! that came and went, without reading the others.

use std::collections::BTreeMap;
use std::ops::{Add, AddAssign, SubAssign};

use serde::{Deserialize, Serialize};

use super::counts::RowFacts;
use super::money::Currency;
use super::sum::Sum;
use super::time::Month;
use super::vocabulary::{AmountCheck, Classification, State};

/// What rows are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// The UTC month of `occurred_at`.
    pub month: Month,
    /// The currency of the sums; of a row, that of its first amount. `None` where it is unknown.
    pub currency: Option<Currency>,
    /// The classification.
    pub classification: Classification,
    /// The state.
    pub state: State,
    /// How the amounts fit.
    pub amount_check: AmountCheck,
}

impl Cell {
    /// All of it in one number, different for different cells and in their order.
    fn packed(&self) -> u64 {
        let currency = self.currency.map_or(0, Currency::number);
        let words = [self.classification as u8, self.state as u8, self.amount_check as u8];
        // Seventeen bits and twenty-four, and seven for each of three words: 62.
        let first = (u64::from(self.month.number()) << 24) | u64::from(currency);
        words.iter().fold(first, |all, &word| (all << 7) | u64::from(word))
    }
}

/// Rows and the sums of their amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Rows whose first amount is in this currency.
    pub rows: u64,
    /// Sum of the gross amounts in this currency.
    pub gross: Sum,
    /// Sum of the fees in this currency.
    pub fee: Sum,
    /// Sum of the net amounts in this currency.
    pub net: Sum,
}

impl Totals {
    /// What is left of gross − fee − net: nothing, where every row has all three.
    #[must_use]
    pub fn left_over(&self) -> Sum {
        self.gross.minus(self.fee).minus(self.net)
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.gross += other.gross;
        self.fee += other.fee;
        self.net += other.net;
    }
}

impl Add for Totals {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl SubAssign for Totals {
    fn sub_assign(&mut self, other: Self) {
        self.rows -= other.rows;
        self.gross -= other.gross;
        self.fee -= other.fee;
        self.net -= other.net;
    }
}

impl std::iter::Sum for Totals {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// The cells of one source that hold anything, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cube(BTreeMap<u64, (Cell, Totals)>);

impl Cube {
    /// The cells in order.
    pub fn cells(&self) -> impl Iterator<Item = (&Cell, &Totals)> {
        self.0.values().map(|(cell, totals)| (cell, totals))
    }

    /// Rows in all cells.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.cells().map(|(_, totals)| totals.rows).sum()
    }

    /// Totals by what `of` tells of a cell.
    pub fn by<K: Ord>(&self, of: impl Fn(&Cell) -> K) -> BTreeMap<K, Totals> {
        let mut groups: BTreeMap<K, Totals> = BTreeMap::new();
        for (cell, totals) in self.cells() {
            *groups.entry(of(cell)).or_default() += *totals;
        }
        groups
    }

    /// Adds to a cell; one that comes to nothing is none.
    pub fn add(&mut self, cell: Cell, totals: Totals) {
        let (_, there) = self.0.entry(cell.packed()).or_insert((cell, Totals::default()));
        *there += totals;
        if *there == Totals::default() {
            self.0.remove(&cell.packed());
        }
    }

    /// Counts a row.
    pub fn row(&mut self, row: &RowFacts) {
        row.each(|cell, totals| self.add(cell, totals));
    }

    /// Takes out what `other` holds; whether there were as many rows in each cell.
    #[must_use]
    pub fn take_out(&mut self, other: &Self) -> bool {
        for (cell, totals) in other.cells() {
            let (_, there) = self.0.entry(cell.packed()).or_insert((*cell, Totals::default()));
            if there.rows < totals.rows {
                return false;
            }
            *there -= *totals;
        }
        self.0.retain(|_, (_, totals)| *totals != Totals::default());
        true
    }
}

impl AddAssign<&Self> for Cube {
    fn add_assign(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        let mut missing = Vec::new();
        if self.0.len() <= WALK * other.0.len() {
            // Both are in order, so a walk finds them.
            let mut theirs = self.0.iter_mut().peekable();
            for (packed, (cell, totals)) in &other.0 {
                while theirs.next_if(|(there, _)| *there < packed).is_some() {}
                match theirs.next_if(|(there, _)| *there == packed) {
                    // One that comes to nothing is left to `add`, which takes it out.
                    Some((_, (_, there))) if *there + *totals != Totals::default() => *there += *totals,
                    _ => missing.push((*cell, *totals)),
                }
            }
        } else {
            missing.extend(other.0.values());
        }
        for (cell, totals) in missing {
            self.add(cell, totals);
        }
    }
}

/// A cube of more than so many times the cells of another is searched for them, not walked through.
const WALK: usize = 16;
/// A chunk rarely has more cells.
const TALLY_BITS: u32 = 9;

/// A cell that is counted, and its number.
type Counted = (u64, Cell, Totals);

/// Counts many rows into a cube: the cells in use stand in a small table, each at the one place that its number gives it,
/// until another one takes their place. So a row costs an addition and no search.
#[derive(Debug)]
pub struct Tally {
    places: Vec<Option<Counted>>,
    /// Those whose place was taken.
    replaced: Vec<Counted>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { places: vec![None; 1 << TALLY_BITS], replaced: Vec::new() }
    }
}

impl Tally {
    /// Counts a row.
    pub fn row(&mut self, row: &RowFacts) {
        row.each(|cell, more| {
            let packed = cell.packed();
            // Multiplying spreads the number over the high bits.
            let place = packed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - TALLY_BITS);
            let place = usize::try_from(place).expect("a few bits");
            match &mut self.places[place] {
                Some((there, _, totals)) if *there == packed => *totals += more,
                other => self.replaced.extend(other.replace((packed, cell, more))),
            }
        });
    }

    /// What was counted since it was taken last.
    pub fn take(&mut self) -> Cube {
        let mut all = std::mem::take(&mut self.replaced);
        all.extend(self.places.iter_mut().filter_map(Option::take));
        all.sort_unstable_by_key(|(packed, ..)| *packed);
        let cells = all.chunk_by(|a, b| a.0 == b.0).map(|same| {
            let (packed, cell, _) = same[0];
            (packed, (cell, same.iter().map(|(.., totals)| *totals).sum::<Totals>()))
        });
        let cube = Cube(cells.filter(|(_, (_, totals))| *totals != Totals::default()).collect());
        all.clear();
        self.replaced = all;
        cube
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::money::{Amount, Money};
    use crate::model::time::Timestamp;
    use crate::model::transaction::Amounts;

    fn facts(day: i64, units: i64, codes: [&str; 3]) -> RowFacts {
        let money = |code: &str, units| {
            Some(Money { amount: Amount::from_units(units).expect("in range"), currency: Currency::parse(code) })
        };
        let [gross, net, fee] = codes;
        let amounts = Amounts::complete(money(gross, units), money(net, units - 7), money(fee, 7)).expect("complete");
        let occurred_at = Timestamp::from_micros(day * 86_400_000_000).expect("in range");
        let state = if day % 2 == 0 { State::Failed } else { State::Succeeded };
        RowFacts { month: occurred_at.month(), state, classification: Classification::Payment, amounts }
    }

    /// More months, currencies and states than a tally has places.
    fn many() -> Vec<RowFacts> {
        let codes = [["EUR", "EUR", "EUR"], ["EUR", "USD", "EUR"], ["", "", ""], ["JPY", "CHF", "GBP"]];
        (0..9000_i64).map(|at| facts(at * 3, at * 31 % 977, codes[usize::try_from(at % 4).expect("small")])).collect()
    }

    #[test]
    fn a_tally_counts_what_a_cube_does() {
        let (mut cube, mut tally) = (Cube::default(), Tally::default());
        for row in many() {
            cube.row(&row);
            tally.row(&row);
        }
        assert_eq!(cube, tally.take());
        assert_eq!(cube.rows(), 9000);
        assert!(cube.cells().count() > 2 << TALLY_BITS, "{} cells", cube.cells().count());
        assert_eq!(tally.take(), Cube::default(), "nothing is left in it");
    }

    #[test]
    fn cubes_of_parts_add_up() {
        let (rows, mut all) = (many(), Cube::default());
        for row in &rows {
            all.row(row);
        }
        for size in [1, 7, 500, 8000] {
            let (mut tally, mut sum) = (Tally::default(), Cube::default());
            for part in rows.chunks(size) {
                for row in part {
                    tally.row(row);
                }
                sum += &tally.take();
            }
            assert_eq!(sum, all, "parts of {size}");
        }
    }

    #[test]
    fn what_adds_up_to_nothing_is_no_cell() {
        let mut cells = Cube::default();
        cells.row(&facts(1, 100, ["EUR", "EUR", "EUR"]));
        let (cell, _) = cells.cells().next().expect("one");
        let of = |units| {
            let mut cube = Cube::default();
            cube.add(*cell, Totals { gross: Sum::from_units(units), ..Totals::default() });
            cube
        };
        let mut sum = of(5);
        sum += &of(-5);
        assert_eq!(sum, Cube::default());
    }

    #[test]
    fn packed_numbers_tell_cells_apart() {
        let mut cube = Cube::default();
        for row in many() {
            cube.row(&row);
        }
        let mut packed: Vec<u64> = cube.cells().map(|(cell, _)| cell.packed()).collect();
        packed.sort_unstable();
        packed.dedup();
        assert_eq!(packed.len(), cube.cells().count());
    }

    #[test]
    fn what_was_added_can_be_taken_out() {
        let rows = many();
        let (mut all, mut some, mut others) = (Cube::default(), Cube::default(), Cube::default());
        for (at, row) in rows.iter().enumerate() {
            all.row(row);
            if at % 3 == 0 { some.row(row) } else { others.row(row) }
        }
        assert!(all.take_out(&some));
        assert_eq!(all, others);
        assert!(all.take_out(&others));
        assert_eq!(all, Cube::default());
        assert!(!all.take_out(&some), "it is not there twice");
    }

    #[test]
    fn each_amount_is_summed_in_its_own_currency() {
        let mut cube = Cube::default();
        cube.row(&facts(1, 100, ["EUR", "USD", "EUR"]));
        let by: BTreeMap<_, _> = cube.by(|cell| cell.currency.expect("known").as_str().to_owned());
        let sums = |code: &str| (by[code].rows, [by[code].gross, by[code].fee, by[code].net].map(Sum::units));
        assert_eq!((sums("EUR"), sums("USD")), ((1, [100, 7, 0]), (0, [0, 0, 93])));
    }
}
