//! The values of all columns of some rows, as they travel from records to row groups.
//!
//! Nulls need no bitmap of their own here: a text that is null has no characters, as empty text is never stored, and a
//! number that is null is `i64::MIN`, which no column's domain holds. That makes cutting, joining and reordering rows a
//! matter of copying. They become Arrow arrays only where rows wait on disk. A text that all rows have, as many words and
//! the dump's path are, stands once.
//!
//! All columns share a few buffers, which are filled again by rows that come later: fresh memory costs more than copying.

mod filling;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int16Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{Date32Type, Decimal128Type, Int16Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

pub use self::filling::Filling;
use super::columns::{COLUMNS, Kind};
use super::memory::{ask_for, ask_for_all, ask_for_one};
use super::money::{PRECISION, SCALE};

/// The number that stands for null.
pub(crate) const NULL: i64 = i64::MIN;
/// Where the cells of a slice are is asked for so many slices before.
const SOON: usize = 8;
/// A column whose characters take more than this has a buffer of its own, which is not kept to be filled again.
const MOST_KEPT: usize = 4 << 20;

/// The values of all columns of some rows.
#[derive(Debug)]
pub struct Cells {
    rows: usize,
    /// By column, and not elsewhere, as who looks for cells has no time for another step.
    places: [Place; COLUMNS.len()],
    /// Of columns of text: where each text begins, from 0, and behind them where the last one ends.
    offsets: Vec<i32>,
    /// First what columns share, then one buffer for each large column.
    characters: Vec<Vec<u8>>,
    /// Units of amounts, microseconds, days, 0 and 1, or just numbers.
    numbers: Vec<i64>,
    /// Where it was noted: bytes of text before each row, and in all.
    bytes_before: Vec<u32>,
}

/// Where the values of a column are; there are many of these, so they are small.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// They are null throughout.
    Null,
    /// From here on in the offsets, and in one of the buffers of characters.
    Texts { offsets: u32, buffer: u32, characters: u32 },
    /// All rows have this text, from here on in one of the buffers of characters.
    Same { buffer: u32, characters: u32, length: u32 },
    /// From here on in the numbers.
    Numbers(u32),
}

impl Default for Cells {
    fn default() -> Self {
        let (offsets, characters, numbers) = (Vec::new(), vec![Vec::new()], Vec::new());
        let (places, bytes_before) = ([Place::Null; COLUMNS.len()], Vec::new());
        Self { rows: 0, places, offsets, characters, numbers, bytes_before }
    }
}

fn offset(length: usize) -> i32 {
    i32::try_from(length).expect("columns are cut long before they hold 2 GiB")
}

/// A place in a few buffers, which are cut long before they hold 4 GiB.
fn small(place: usize) -> u32 {
    u32::try_from(place).expect("buffers are cut long before they hold 4 GiB")
}

fn place(offset: i32) -> usize {
    usize::try_from(offset).expect("offsets are not negative")
}

impl Cells {
    /// Some rows, one behind the other.
    #[must_use]
    pub fn of_slices(slices: &[Slice<'_>]) -> Self {
        let mut cells = Self { rows: slices.iter().map(|slice| slice.rows).sum(), ..Self::default() };
        let same: Vec<_> = (0..COLUMNS.len()).map(|number| same_text(slices, number)).collect();
        let bytes = |number| slices.iter().map(|slice: &Slice<'_>| slice.column_bytes(number)).sum();
        let bytes = (0..).zip(&same).map(|(number, same)| same.map_or_else(|| bytes(number), <[u8]>::len));
        cells.characters[0].reserve_exact(bytes.sum());
        for (number, same) in same.into_iter().enumerate() {
            let place = match (slices.iter().find_map(|slice| slice.place(number)), same) {
                (None, _) => Place::Null,
                (Some(_), Some(same)) => {
                    let all = &mut cells.characters[0];
                    let place = Place::Same { buffer: 0, characters: small(all.len()), length: small(same.len()) };
                    all.extend_from_slice(same);
                    place
                }
                (Some(Place::Numbers(_)), None) => {
                    let first = cells.numbers.len();
                    join_numbers(slices, number, &mut cells.numbers);
                    Place::Numbers(small(first))
                }
                (Some(_), None) => {
                    let all = &mut cells.characters[0];
                    let (offsets, characters) = (small(cells.offsets.len()), small(all.len()));
                    let place = Place::Texts { offsets, buffer: 0, characters };
                    join_texts(slices, number, &mut cells.offsets, all);
                    place
                }
            };
            cells.places[number] = place;
        }
        cells
    }

    /// The rows of a batch of the unified schema.
    #[must_use]
    pub fn of_batch(batch: &RecordBatch) -> Self {
        let mut cells = Self { rows: batch.num_rows(), ..Self::default() };
        for (number, (column, array)) in COLUMNS.iter().zip(batch.columns()).enumerate() {
            cells.places[number] = cells.push_array(column.kind, array);
        }
        cells
    }

    fn push_array(&mut self, kind: Kind, array: &dyn Array) -> Place {
        if array.null_count() == array.len() {
            return Place::Null;
        }
        let first = self.numbers.len();
        let mut numbers = |of: &dyn Fn(usize) -> i64| {
            let number = |row| if array.is_null(row) { NULL } else { of(row) };
            self.numbers.extend((0..array.len()).map(number));
            Place::Numbers(small(first))
        };
        match kind {
            Kind::Text => {
                let texts = array.as_string::<i32>();
                let mut own = Vec::with_capacity(texts.value_data().len());
                let (offsets, buffer) = (small(self.offsets.len()), small(self.characters.len()));
                let place = Place::Texts { offsets, buffer, characters: 0 };
                self.offsets.push(0);
                for text in texts {
                    own.extend_from_slice(text.unwrap_or_default().as_bytes());
                    self.offsets.push(offset(own.len()));
                }
                self.characters.push(own);
                place
            }
            Kind::Amount => {
                let units = array.as_primitive::<Decimal128Type>();
                numbers(&|row| i64::try_from(units.value(row)).expect("18 digits"))
            }
            Kind::Time => numbers(&|row| array.as_primitive::<TimestampMicrosecondType>().value(row)),
            Kind::Date => numbers(&|row| array.as_primitive::<Date32Type>().value(row).into()),
            Kind::Small => numbers(&|row| array.as_primitive::<Int16Type>().value(row).into()),
            Kind::Flag => numbers(&|row| array.as_boolean().value(row).into()),
            Kind::Large => numbers(&|row| array.as_primitive::<Int64Type>().value(row)),
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// All rows.
    #[must_use]
    pub fn all(&self) -> Slice<'_> {
        Slice { cells: self, start: 0, rows: self.rows }
    }

    /// The text of a row; empty for null and for numbers.
    #[must_use]
    pub fn text(&self, number: usize, row: usize) -> &[u8] {
        let slice = Slice { cells: self, start: row, rows: 1 };
        slice.same(number).or_else(|| Some(slice.texts(number)?.1)).unwrap_or_default()
    }

    /// What they take in memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        let characters: usize = self.characters.iter().map(Vec::capacity).sum();
        let offsets = (self.offsets.capacity() + self.bytes_before.capacity()) * size_of::<i32>();
        characters + offsets + self.numbers.capacity() * size_of::<i64>() + size_of_val(&self.places)
    }

    /// Whether they are worth being filled again: large ones would hold memory for rows that may never come.
    #[must_use]
    pub fn is_spare(&self) -> bool {
        self.characters.len() == 1 && self.characters[0].capacity() <= MOST_KEPT
    }
}

/// Consecutive rows of cells.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'c> {
    /// Whose rows.
    pub cells: &'c Cells,
    /// The first row.
    pub start: usize,
    /// How many rows.
    pub rows: usize,
}

impl<'c> Slice<'c> {
    /// Where the column is, unless it is null throughout.
    fn place(&self, number: usize) -> Option<Place> {
        match self.cells.places[number] {
            Place::Null => None,
            place => Some(place),
        }
    }

    /// The text that all rows of a column have, as far as it stands once.
    pub(crate) fn same(&self, number: usize) -> Option<&'c [u8]> {
        let Place::Same { buffer, characters, length } = self.cells.places[number] else { return None };
        Some(&self.cells.characters[buffer as usize][characters as usize..][..length as usize])
    }

    /// The texts of a column that holds different ones: one offset more than rows, and the characters from the first to the last.
    pub(crate) fn texts(&self, number: usize) -> Option<(&'c [i32], &'c [u8])> {
        let Place::Texts { offsets, buffer, characters } = self.cells.places[number] else { return None };
        let offsets = &self.cells.offsets[offsets as usize + self.start..][..=self.rows];
        let range = place(offsets[0])..place(offsets[self.rows]);
        Some((offsets, &self.cells.characters[buffer as usize][characters as usize..][range]))
    }

    /// The numbers of a column that is not null throughout.
    pub(crate) fn numbers(&self, number: usize) -> Option<&'c [i64]> {
        let Place::Numbers(first) = self.cells.places[number] else { return None };
        Some(&self.cells.numbers[first as usize + self.start..][..self.rows])
    }

    /// Asks for the values of a column, of texts first for where they are and then for their characters.
    pub(crate) fn ask_for(slices: &[Self], number: usize) {
        for (at, slice) in slices.iter().enumerate() {
            if let Some(Self { cells: soon, .. }) = slices.get(at + SOON) {
                ask_for(&soon.places[number]);
                ask_for(&soon.offsets);
                ask_for(&soon.numbers);
            }
            match slice.cells.places[number] {
                Place::Numbers(first) => {
                    ask_for_all(&slice.cells.numbers[first as usize + slice.start..][..slice.rows]);
                }
                Place::Texts { offsets, buffer, .. } => {
                    ask_for_all(&slice.cells.offsets[offsets as usize + slice.start..][..=slice.rows]);
                    ask_for_one(&slice.cells.characters, buffer as usize);
                }
                Place::Null | Place::Same { .. } => {}
            }
        }
        for slice in slices {
            ask_for_all(slice.texts(number).map(|(_, characters)| characters).unwrap_or_default());
        }
    }

    /// Whether a column is null in all rows.
    #[must_use]
    pub fn is_null(&self, number: usize) -> bool {
        let numbers = |numbers: &[i64]| numbers.iter().all(|number| *number == NULL);
        self.column_bytes(number) == 0 && self.numbers(number).is_none_or(numbers)
    }

    /// Whether a column has a text of more than `bytes` bytes.
    #[must_use]
    pub fn has_text_over(&self, bytes: usize, number: usize) -> bool {
        if let Some(same) = self.same(number) {
            return same.len() > bytes;
        }
        let Some((offsets, characters)) = self.texts(number) else { return false };
        characters.len() > bytes && offsets.windows(2).any(|pair| place(pair[1] - pair[0]) > bytes)
    }

    /// Bytes of text in these rows.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match self.cells.bytes_before.get(self.start..=self.start + self.rows) {
            Some([first, .., last]) => (last - first) as usize,
            _ => (0..COLUMNS.len()).map(|number| self.column_bytes(number)).sum(),
        }
    }

    /// Bytes of text in a column.
    pub(crate) fn column_bytes(&self, number: usize) -> usize {
        match self.same(number) {
            Some(same) => same.len() * self.rows,
            None => self.texts(number).map_or(0, |(_, characters)| characters.len()),
        }
    }

    /// One of the rows.
    #[must_use]
    pub fn row(&self, row: usize) -> Self {
        Self { start: self.start + row, rows: 1, ..*self }
    }
}

/// The text that all rows of a column have, as far as it stands once in each slice.
pub(crate) fn same_text<'c>(slices: &[Slice<'c>], number: usize) -> Option<&'c [u8]> {
    let same = slices.first()?.same(number)?;
    slices.iter().all(|slice| slice.same(number) == Some(same)).then_some(same)
}

fn join_texts(slices: &[Slice<'_>], number: usize, offsets: &mut Vec<i32>, all: &mut Vec<u8>) {
    let first = all.len();
    let rows = slices.iter().map(|slice| slice.rows).sum::<usize>();
    offsets.reserve(rows + 1);
    offsets.push(0);
    for slice in slices {
        if let Some(same) = slice.same(number) {
            for _ in 0..slice.rows {
                all.extend_from_slice(same);
                offsets.push(offset(all.len() - first));
            }
            continue;
        }
        let (theirs, characters) = slice.texts(number).unwrap_or_default();
        all.extend_from_slice(characters);
        let end = offset(all.len() - first);
        match theirs {
            [] => offsets.resize(offsets.len() + slice.rows, end),
            [_, theirs @ ..] => {
                let last = theirs.last().expect("a slice has rows");
                offsets.extend(theirs.iter().map(|theirs| end - (last - theirs)));
            }
        }
    }
}

fn join_numbers(slices: &[Slice<'_>], number: usize, all: &mut Vec<i64>) {
    all.reserve(slices.iter().map(|slice| slice.rows).sum());
    for slice in slices {
        match slice.numbers(number) {
            Some(numbers) => all.extend_from_slice(numbers),
            None => all.resize(all.len() + slice.rows, NULL),
        }
    }
}

/// Rows that lie evenly among all, about `most`, each as a slice.
fn some_rows<'c>(slices: &[Slice<'c>], most: usize) -> impl Iterator<Item = Slice<'c>> {
    let rows: usize = slices.iter().map(|slice| slice.rows).sum();
    let step = rows.div_ceil(most).max(1);
    let mut skip = 0;
    slices.iter().flat_map(move |slice| {
        let first = skip;
        let taken = slice.rows.saturating_sub(first).div_ceil(step);
        skip = first + taken * step - slice.rows;
        (0..taken).map(move |at| slice.row(first + at * step))
    })
}

/// Texts of a column in rows that lie evenly among all, about `most`; rows that have none are left out.
pub(crate) fn some_texts<'c>(slices: &[Slice<'c>], number: usize, most: usize) -> impl Iterator<Item = &'c [u8]> {
    let text = move |row: Slice<'c>| row.same(number).or_else(|| Some(row.texts(number)?.1));
    some_rows(slices, most).filter_map(text).filter(|text| !text.is_empty())
}

/// Numbers of a column in rows that lie evenly among all, about `most`; rows that have none are left out.
pub(crate) fn some_numbers(slices: &[Slice<'_>], number: usize, most: usize) -> impl Iterator<Item = i64> {
    let numbers = some_rows(slices, most).filter_map(move |row| row.numbers(number)?.first().copied());
    numbers.filter(|number| *number != NULL)
}

/// A column of some rows, one behind the other, as an Arrow array.
///
/// # Errors
/// When Arrow refuses the values, which would be a mistake of ours.
pub fn array(slices: &[Slice<'_>], number: usize) -> Result<ArrayRef, ArrowError> {
    let kind = COLUMNS[number].kind;
    match slices.iter().find_map(|slice| slice.place(number)) {
        None => {
            let rows = slices.iter().map(|slice| slice.rows).sum();
            Ok(new_null_array(&kind.data_type(), rows))
        }
        Some(Place::Numbers(_)) => {
            let mut numbers = Vec::new();
            join_numbers(slices, number, &mut numbers);
            numbers_array(kind, numbers)
        }
        Some(_) => {
            let bytes = slices.iter().map(|slice| slice.column_bytes(number));
            let (mut offsets, mut characters) = (Vec::new(), Vec::with_capacity(bytes.sum()));
            join_texts(slices, number, &mut offsets, &mut characters);
            let nulls = nulls(offsets.len() - 1, |row| offsets[row] != offsets[row + 1]);
            let offsets = OffsetBuffer::new(offsets.into());
            Ok(Arc::new(StringArray::try_new(offsets, Buffer::from(characters), nulls)?))
        }
    }
}

fn numbers_array(kind: Kind, numbers: Vec<i64>) -> Result<ArrayRef, ArrowError> {
    let nulls = nulls(numbers.len(), |row| numbers[row] != NULL);
    Ok(match kind {
        Kind::Amount => {
            let units: Vec<i128> = numbers.into_iter().map(i128::from).collect();
            let scale = i8::try_from(SCALE).expect("a scale of 4");
            Arc::new(Decimal128Array::new(units.into(), nulls).with_precision_and_scale(PRECISION, scale)?)
        }
        Kind::Time => Arc::new(TimestampMicrosecondArray::new(numbers.into(), nulls).with_timezone("UTC")),
        Kind::Date => Arc::new(Date32Array::new(narrow(&numbers).into(), nulls)),
        Kind::Small => Arc::new(Int16Array::new(narrow(&numbers).into(), nulls)),
        Kind::Flag => {
            let flags = BooleanBuffer::collect_bool(numbers.len(), |row| numbers[row] == 1);
            Arc::new(BooleanArray::new(flags, nulls))
        }
        Kind::Large | Kind::Text => Arc::new(Int64Array::new(numbers.into(), nulls)),
    })
}

/// The numbers in a narrower type; null, which does not fit, becomes 0 under its null bit.
fn narrow<T: TryFrom<i64> + Default>(numbers: &[i64]) -> Vec<T> {
    numbers.iter().map(|&number| T::try_from(number).unwrap_or_default()).collect()
}

fn nulls(rows: usize, present: impl FnMut(usize) -> bool) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(rows, present));
    (nulls.null_count() > 0).then_some(nulls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::columns::TRANSACTION_ID;

    /// Rows that have texts in one column alone.
    pub(super) fn texts(rows: &[Option<&str>], order: Option<&[u32]>) -> Cells {
        texts_of("", rows, order)
    }

    /// Rows with texts that may stand in a chunk.
    pub(super) fn texts_of(chunk: &str, rows: &[Option<&str>], order: Option<&[u32]>) -> Cells {
        let (mut filling, mut cells) = (Filling::default(), Cells::default());
        for text in rows {
            let mut line = filling.line(chunk.as_bytes(), (0, chunk.len()));
            line.text(TRANSACTION_ID, *text);
            line.end();
        }
        filling.take(order, chunk.as_bytes(), &mut cells);
        cells
    }

    pub(super) fn read(slices: &[Slice<'_>]) -> Vec<Option<String>> {
        let array = array(slices, TRANSACTION_ID).expect("valid");
        array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    pub(super) fn owned(texts: &[Option<&str>]) -> Vec<Option<String>> {
        texts.iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn rows_are_reordered_cut_and_joined() {
        let all = [None, Some("b"), None, Some("äd"), None];
        assert_eq!(read(&[texts(&all, None).all()]), owned(&all));
        let turned = texts(&all, Some(&[4, 3, 2, 1, 0]));
        let slice = |start, rows| Slice { cells: &turned, start, rows };
        assert!(slice(2, 1).is_null(TRANSACTION_ID) && !slice(1, 2).is_null(TRANSACTION_ID));
        assert!(slice(1, 2).has_text_over(2, TRANSACTION_ID) && !slice(0, 5).has_text_over(3, TRANSACTION_ID));
        assert_eq!(turned.text(TRANSACTION_ID, 3), b"b");
        for (start, end, bytes) in [(0, 5, 4), (0, 1, 0), (1, 2, 3), (2, 4, 1), (4, 5, 0)] {
            assert_eq!(slice(start, end - start).text_bytes(), bytes, "rows {start} to {end}");
        }
        let none = texts(&[None, None], None);
        assert!(none.all().is_null(TRANSACTION_ID));
        let slices = [slice(1, 3), none.all(), slice(3, 1)];
        let joined = owned(&[Some("äd"), None, Some("b"), None, None, Some("b")]);
        assert_eq!(read(&slices), joined);
        let again = Cells::of_slices(&slices);
        assert_eq!((again.rows(), again.all().text_bytes()), (6, 5));
        assert_eq!(read(&[again.all()]), joined);
    }

    #[test]
    fn a_text_that_all_rows_have_stands_once() {
        let order = [2, 0, 1];
        let same = texts(&[Some("ab"); 3], Some(&order));
        assert!(matches!(same.places[TRANSACTION_ID], Place::Same { length: 2, .. }));
        let slice = Slice { rows: 2, ..same.all() };
        assert_eq!((slice.text_bytes(), same.text(TRANSACTION_ID, 2)), (4, &b"ab"[..]));
        assert!(slice.has_text_over(1, TRANSACTION_ID) && !slice.has_text_over(2, TRANSACTION_ID));
        for others in [[Some("ab"), Some("ab"), Some("c")], [Some("ab"), None, None], [None, Some("ab"), Some("ab")]] {
            for order in [None, Some(&order[..])] {
                let ordered = order.unwrap_or(&[0, 1, 2]).iter().map(|&row| others[row as usize]);
                let joined: Vec<_> = [Some("ab"); 2].into_iter().chain(ordered).chain([Some("ab"); 3]).collect();
                let others = texts(&others, order);
                let slices = [slice, others.all(), same.all()];
                assert_eq!(read(&slices), owned(&joined));
                assert_eq!(read(&[Cells::of_slices(&slices).all()]), owned(&joined));
            }
        }
        let again = Cells::of_slices(&[same.all(), slice]);
        assert_eq!((again.characters[0].as_slice(), read(&[again.all()])), (&b"ab"[..], owned(&[Some("ab"); 5])));
    }

    #[test]
    fn some_texts_are_the_same_however_rows_are_cut() {
        let all: Vec<_> = (0..10).map(|row| row.to_string()).collect();
        let all: Vec<_> = all.iter().map(|text| (text != "6").then_some(&**text)).collect();
        let cells = texts(&all, None);
        let some = |slices: &[Slice<'_>], most| -> Vec<_> {
            some_texts(slices, TRANSACTION_ID, most).map(|text| text[0] - b'0').collect()
        };
        let slice = |start, rows| Slice { cells: &cells, start, rows };
        for most in 1..=12 {
            let step = 10_usize.div_ceil(most);
            let wanted: Vec<u8> = (0..10).step_by(step).filter(|row| *row != 6).collect();
            assert_eq!(some(&[slice(0, 10)], most), wanted);
            for cut in 1..10 {
                assert_eq!(some(&[slice(0, cut), slice(cut, 0), slice(cut, 10 - cut)], most), wanted);
            }
        }
    }

    #[test]
    fn every_kind_survives_arrow() {
        let rows = [Some(1), None, Some(0)];
        for kind in [Kind::Amount, Kind::Time, Kind::Date, Kind::Flag, Kind::Small, Kind::Large] {
            let number = COLUMNS.iter().position(|column| column.kind == kind).expect("every kind has a column");
            let (mut filling, mut cells) = (Filling::default(), Cells::default());
            for value in rows {
                let mut line = filling.line(&[], (0, 0));
                line.number(number, value);
                line.end();
            }
            filling.take(Some(&[2, 1, 0]), &[], &mut cells);
            let joined = array(&[cells.all()], number).expect("valid");
            assert_eq!(*joined.data_type(), kind.data_type());
            let mut back = Cells::default();
            let Place::Numbers(0) = back.push_array(kind, &joined) else { panic!("{kind:?}") };
            assert_eq!(back.numbers, [0, NULL, 1]);
        }
        let mut back = Cells::default();
        let place = back.push_array(Kind::Text, &StringArray::from(vec![None, Some("a"), None]));
        back.places[TRANSACTION_ID] = place;
        assert_eq!([0, 1, 2].map(|row| back.text(TRANSACTION_ID, row)), [&b""[..], b"a", b""]);
    }
}
