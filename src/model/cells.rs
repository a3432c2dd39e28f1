//! The values of all columns of some rows, as they travel from records to row groups.
//!
//! Nulls need no bitmap of their own here: a text that is null has no characters, as empty text is never stored, and a
//! number that is null is `i64::MIN`, which no column's domain holds. That makes cutting, joining and reordering rows a
//! matter of copying. They become Arrow arrays only where rows wait on disk. A text that all rows have, as many words and
//! the dump's path are, stands once.
//!
//! While rows are added, texts stay where they are in the chunk; they are copied once, when the order of the rows is known.
//!
//! All columns share a few buffers, which are filled again by rows that come later: fresh memory costs more than copying.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int16Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{Date32Type, Decimal128Type, Int16Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::columns::{COLUMNS, Kind};
use super::money::{PRECISION, SCALE};

/// The number that stands for null.
pub(crate) const NULL: i64 = i64::MIN;
/// A column whose characters take more than this has a buffer of its own, which is not kept to be filled again.
const MOST_KEPT: usize = 4 << 20;

/// The values of all columns of some rows.
#[derive(Debug)]
pub struct Cells {
    rows: usize,
    /// By column.
    places: Vec<Place>,
    /// Of columns of text: where each text begins, from 0, and behind them where the last one ends.
    offsets: Vec<i32>,
    /// First what columns share, then one buffer for each large column.
    characters: Vec<Vec<u8>>,
    /// Units of amounts, microseconds, days, 0 and 1, or just numbers.
    numbers: Vec<i64>,
}

/// Where the values of a column are.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// They are null throughout.
    Null,
    /// From here on in the offsets, and in one of the buffers of characters.
    Texts { offsets: usize, buffer: usize, characters: usize },
    /// All rows have this text, from here on in one of the buffers of characters.
    Same { buffer: usize, characters: usize, length: usize },
    /// From here on in the numbers.
    Numbers(usize),
}

impl Default for Cells {
    fn default() -> Self {
        let (offsets, characters, numbers) = (Vec::new(), vec![Vec::new()], Vec::new());
        Self { rows: 0, places: vec![Place::Null; COLUMNS.len()], offsets, characters, numbers }
    }
}

/// A column of texts that is being filled.
#[derive(Debug, Default)]
pub struct Texts {
    /// By row; those behind the last text are not there yet.
    views: Vec<View>,
    /// How many bytes they have together.
    bytes: usize,
    /// Whether all rows turned out to have the same text.
    is_same: bool,
    /// The last text if it is one of our own words.
    word: &'static str,
}

/// Where a text stands, which is copied only once all rows are there and their order is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct View {
    /// From here on in the chunk, or with [`OWN`] in the texts of our own.
    start: u32,
    /// 0 for null.
    length: u32,
}

/// Tells that a text does not stand in the chunk.
const OWN: u32 = 1 << 31;

/// What texts are taken from: the chunk's bytes, and beside them what was made of them or does not stand there.
#[derive(Debug)]
pub(super) struct Stock<'s> {
    pub(super) chunk: &'s [u8],
    pub(super) own: &'s mut Vec<u8>,
}

impl Stock<'_> {
    /// Finds a text in the chunk. A piece of the chunk is told by its address alone, as no other text can have one in there.
    #[inline]
    fn find(&self, text: &str) -> Option<View> {
        let start = text.as_ptr().addr().wrapping_sub(self.chunk.as_ptr().addr());
        (start < self.chunk.len()).then(|| View { start: index(start), length: index(text.len()) })
    }

    /// Keeps a copy of a text that is not in the chunk; `last` is where a text of the same column stands, which often is the
    /// same again.
    #[inline(never)]
    fn keep(&mut self, text: &str, last: View) -> View {
        let length = index(text.len());
        if last.length == length && last.start & OWN != 0 && self.text(last) == text.as_bytes() {
            return last;
        }
        let start = index(self.own.len()) | OWN;
        self.own.extend_from_slice(text.as_bytes());
        View { start, length }
    }

    /// The bytes from the start of a text on.
    fn from(&self, view: View) -> &[u8] {
        match view.start & OWN {
            0 => &self.chunk[view.start as usize..],
            _ => &self.own[(view.start & !OWN) as usize..],
        }
    }

    fn text(&self, view: View) -> &[u8] {
        &self.from(view)[..view.length as usize]
    }

    /// Appends a text. Most are short, and one copy of a fixed length, of which too much is taken off again, takes less time
    /// than one of any length.
    #[inline]
    fn push(&self, view: View, all: &mut Vec<u8>) {
        const SHORT: usize = 64;
        let (from, length) = (self.from(view), view.length as usize);
        if length <= SHORT
            && all.capacity() - all.len() >= SHORT
            && let Some(from) = from.first_chunk::<SHORT>()
        {
            let end = all.len() + length;
            all.extend_from_slice(from);
            all.truncate(end);
        } else {
            push_long(&from[..length], all);
        }
    }
}

/// Appends a text of any length.
#[cold]
fn push_long(text: &[u8], all: &mut Vec<u8>) {
    all.extend_from_slice(text);
}

/// A place in a chunk, which is far smaller than 2 GiB.
fn index(place: usize) -> u32 {
    u32::try_from(place).ok().filter(|place| place & OWN == 0).expect("a chunk and what becomes of it is small")
}

/// A column of numbers that is being filled.
#[derive(Debug, Default)]
pub struct Numbers(Vec<i64>);

/// How much room values take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    offsets: usize,
    characters: usize,
    numbers: usize,
}

impl std::ops::AddAssign for Room {
    fn add_assign(&mut self, other: Self) {
        self.offsets += other.offsets;
        self.characters += other.characters;
        self.numbers += other.numbers;
    }
}

fn offset(length: usize) -> i32 {
    i32::try_from(length).expect("columns are cut long before they hold 2 GiB")
}

fn place(offset: i32) -> usize {
    usize::try_from(offset).expect("offsets are not negative")
}

impl Texts {
    /// Sets row `at`, which must come behind those that were set; rows in between are null.
    #[inline]
    pub(super) fn put(&mut self, at: usize, text: Option<&str>, stock: &mut Stock<'_>) {
        if let Some(text) = text {
            self.put_text(at, text, stock);
        }
    }

    fn put_text(&mut self, at: usize, text: &str, stock: &mut Stock<'_>) {
        if self.views.len() < at {
            self.pad(at);
        }
        let view = stock.find(text).unwrap_or_else(|| stock.keep(text, self.views.last().copied().unwrap_or_default()));
        self.bytes += text.len();
        self.views.push(view);
    }

    #[inline(never)]
    fn pad(&mut self, rows: usize) {
        self.views.resize(rows, View::default());
    }

    /// As [`Self::put`], of one of our own words, which is told by where it stands.
    #[inline]
    pub(super) fn put_word(&mut self, at: usize, word: &'static str, stock: &mut Stock<'_>) {
        match self.views.last() {
            Some(&last) if self.views.len() == at && std::ptr::eq(word, self.word) => {
                self.bytes += word.len();
                self.views.push(last);
            }
            _ => {
                self.put_text(at, word, stock);
                self.word = word;
            }
        }
    }

    fn is_large(&self) -> bool {
        self.bytes > MOST_KEPT
    }

    /// The room that `rows` rows, which are all, take in what columns share.
    pub(super) fn room(&mut self, rows: usize, stock: &Stock<'_>) -> Room {
        self.is_same = self.views.len() == rows && self.are_equal(stock);
        match (self.views.first(), self.is_same) {
            (None, _) => Room::default(),
            (Some(first), true) => Room { characters: first.length as usize, ..Room::default() },
            (Some(_), false) => {
                Room { offsets: rows + 1, characters: if self.is_large() { 0 } else { self.bytes }, numbers: 0 }
            }
        }
    }

    fn are_equal(&self, stock: &Stock<'_>) -> bool {
        let [first, rest @ ..] = &self.views[..] else { return false };
        let same_text = |view: &View| view.length == first.length && stock.text(*view) == stock.text(*first);
        rest.iter().all(|view| view == first || same_text(view))
    }

    /// Moves the first `rows` rows, which are all, in `order` to `cells`, as their next column.
    pub(super) fn take(&mut self, rows: usize, order: Option<&[u32]>, stock: &Stock<'_>, cells: &mut Cells) {
        if self.bytes == 0 {
            cells.places.push(Place::Null);
        } else {
            self.take_texts(rows, order, stock, cells);
        }
        self.views.clear();
        self.bytes = 0;
    }

    fn take_texts(&mut self, rows: usize, order: Option<&[u32]>, stock: &Stock<'_>, cells: &mut Cells) {
        if self.is_same {
            let text = stock.text(self.views[0]);
            let all = &mut cells.characters[0];
            cells.places.push(Place::Same { buffer: 0, characters: all.len(), length: text.len() });
            all.extend_from_slice(text);
            return;
        }
        if self.is_large() {
            cells.characters.push(Vec::new());
        }
        let buffer = if self.is_large() { cells.characters.len() - 1 } else { 0 };
        let all = &mut cells.characters[buffer];
        let characters = all.len();
        cells.places.push(Place::Texts { offsets: cells.offsets.len(), buffer, characters });
        self.pad(rows);
        all.reserve_exact(self.bytes);
        let mut copy = |view: View| {
            stock.push(view, all);
            offset(all.len() - characters)
        };
        cells.offsets.push(0);
        match order {
            None => cells.offsets.extend(self.views.iter().map(|&view| copy(view))),
            Some(order) => cells.offsets.extend(order.iter().map(|&row| copy(self.views[row as usize]))),
        }
    }
}

impl Numbers {
    fn pad(&mut self, rows: usize) {
        if self.0.len() < rows {
            self.0.resize(rows, NULL);
        }
    }

    /// Sets row `at`, which must come behind those that were set; rows in between are null.
    #[inline]
    pub(super) fn put(&mut self, at: usize, number: Option<i64>) {
        let Some(number) = number else { return };
        self.pad(at);
        self.0.push(number);
    }

    /// The room that `rows` rows take.
    pub(super) fn room(&self, rows: usize) -> Room {
        Room { numbers: if self.0.is_empty() { 0 } else { rows }, ..Room::default() }
    }

    /// Moves the first `rows` rows, which are all, in `order` to `cells`, as their next column.
    pub(super) fn take(&mut self, rows: usize, order: Option<&[u32]>, cells: &mut Cells) {
        if self.0.is_empty() {
            cells.places.push(Place::Null);
            return;
        }
        self.pad(rows);
        cells.places.push(Place::Numbers(cells.numbers.len()));
        match order {
            None => cells.numbers.extend_from_slice(&self.0),
            Some(order) => cells.numbers.extend(order.iter().map(|&row| self.0[row as usize])),
        }
        self.0.clear();
    }
}

/// Empties a buffer and makes room in it, without copying what was there; somewhat more, as the next rows take another size.
fn renew<T>(buffer: &mut Vec<T>, room: usize) {
    buffer.clear();
    if buffer.capacity() < room {
        *buffer = Vec::with_capacity(room + room / 8);
    }
}

impl Cells {
    /// Makes them ready for all columns of `rows` rows that take so much room.
    pub(super) fn renew(&mut self, rows: usize, room: Room) {
        self.rows = rows;
        self.places.clear();
        self.characters.truncate(1);
        renew(&mut self.offsets, room.offsets);
        renew(&mut self.characters[0], room.characters);
        renew(&mut self.numbers, room.numbers);
    }

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
                    let place = Place::Same { buffer: 0, characters: all.len(), length: same.len() };
                    all.extend_from_slice(same);
                    place
                }
                (Some(Place::Numbers(_)), None) => {
                    let first = cells.numbers.len();
                    join_numbers(slices, number, &mut cells.numbers);
                    Place::Numbers(first)
                }
                (Some(_), None) => {
                    let all = &mut cells.characters[0];
                    let place = Place::Texts { offsets: cells.offsets.len(), buffer: 0, characters: all.len() };
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
            Place::Numbers(first)
        };
        match kind {
            Kind::Text => {
                let texts = array.as_string::<i32>();
                let mut own = Vec::with_capacity(texts.value_data().len());
                let place = Place::Texts { offsets: self.offsets.len(), buffer: self.characters.len(), characters: 0 };
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
        let places = self.places.capacity() * size_of::<Place>();
        characters + self.offsets.capacity() * size_of::<i32>() + self.numbers.capacity() * size_of::<i64>() + places
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
        Some(&self.cells.characters[buffer][characters..characters + length])
    }

    /// The texts of a column that holds different ones: one offset more than rows, and the characters from the first to the last.
    pub(crate) fn texts(&self, number: usize) -> Option<(&'c [i32], &'c [u8])> {
        let Place::Texts { offsets, buffer, characters } = self.cells.places[number] else { return None };
        let offsets = &self.cells.offsets[offsets + self.start..=offsets + self.start + self.rows];
        let range = characters + place(offsets[0])..characters + place(offsets[self.rows]);
        Some((offsets, &self.cells.characters[buffer][range]))
    }

    /// The numbers of a column that is not null throughout.
    pub(crate) fn numbers(&self, number: usize) -> Option<&'c [i64]> {
        let Place::Numbers(first) = self.cells.places[number] else { return None };
        Some(&self.cells.numbers[first + self.start..first + self.start + self.rows])
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
        (0..COLUMNS.len()).map(|number| self.column_bytes(number)).sum()
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

    /// Rows of one column, all others being null.
    fn cells(number: usize, rows: usize, take: impl FnOnce(&mut Cells)) -> Cells {
        let mut cells = Cells::default();
        cells.renew(rows, Room::default());
        cells.places.resize(number, Place::Null);
        take(&mut cells);
        cells.places.resize(COLUMNS.len(), Place::Null);
        cells
    }

    fn texts(rows: &[Option<&str>], order: Option<&[u32]>) -> Cells {
        texts_of("", rows, order).0
    }

    /// Rows with texts that may stand in a chunk, and what of them does not.
    fn texts_of(chunk: &str, rows: &[Option<&str>], order: Option<&[u32]>) -> (Cells, String) {
        let mut own = Vec::new();
        let mut stock = Stock { chunk: chunk.as_bytes(), own: &mut own };
        let mut texts = Texts::default();
        rows.iter().enumerate().for_each(|(at, text)| texts.put(at, *text, &mut stock));
        let cells = cells(TRANSACTION_ID, rows.len(), |cells| {
            let room = texts.room(rows.len(), &stock);
            cells.renew(rows.len(), room);
            cells.places.resize(TRANSACTION_ID, Place::Null);
            texts.take(rows.len(), order, &stock, cells);
        });
        (cells, String::from_utf8(own).expect("texts"))
    }

    fn read(slices: &[Slice<'_>]) -> Vec<Option<String>> {
        let array = array(slices, TRANSACTION_ID).expect("valid");
        array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    fn owned(texts: &[Option<&str>]) -> Vec<Option<String>> {
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
        assert_eq!((slice(0, 5).text_bytes(), turned.text(TRANSACTION_ID, 3)), (4, &b"b"[..]));
        let none = texts(&[None, None], None);
        assert!(none.all().is_null(TRANSACTION_ID));
        let slices = [slice(1, 3), none.all(), slice(3, 1)];
        let joined = owned(&[Some("äd"), None, Some("b"), None, None, Some("b")]);
        assert_eq!(read(&slices), joined);
        let again = Cells::of_slices(&slices);
        assert_eq!((read(&[again.all()]), again.rows()), (joined, 6));
    }

    #[test]
    fn a_text_that_all_rows_have_stands_once() {
        let order = [2, 0, 1];
        let same = texts(&[Some("ab"); 3], Some(&order));
        assert_eq!((same.characters[0].as_slice(), same.offsets.len()), (&b"ab"[..], 0));
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
    fn texts_of_every_length_are_copied_whole() {
        let long = "0123456789abcdefghijklmnopqrstuvwxyz".repeat(4);
        for from_end in [true, false] {
            let text = |length| if from_end { &long[long.len() - length..] } else { &long[..length] };
            let all: Vec<_> = (0..=long.len()).map(|length| (length > 0).then(|| text(length))).collect();
            let order: Vec<u32> = (0..).take(all.len()).collect();
            for chunk in [&long, ""] {
                for order in [None, Some(&order[..])] {
                    assert_eq!(read(&[texts_of(chunk, &all, order).0.all()]), owned(&all));
                }
            }
        }
    }

    #[test]
    fn what_stands_in_the_chunk_is_not_kept_beside_it() {
        let chunk = String::from("one two two three");
        let rows =
            [Some(&chunk[4..7]), Some("own"), Some("own"), None, Some(&chunk[12..]), Some("own"), Some(&chunk[..3])];
        let (cells, own) = texts_of(&chunk, &rows, Some(&[6, 5, 4, 3, 2, 1, 0]));
        let backwards: Vec<_> = rows.iter().rev().copied().collect();
        assert_eq!((read(&[cells.all()]), own.as_str()), (owned(&backwards), "ownown"));
        let (same, own) = texts_of(&chunk, &[Some(&chunk[4..7]), Some(&chunk[8..11]), Some("two")], None);
        assert!(matches!(same.places[TRANSACTION_ID], Place::Same { .. }));
        assert_eq!((same.characters[0].as_slice(), own.as_str()), (&b"two"[..], "two"));
    }

    #[test]
    fn a_large_column_has_a_buffer_of_its_own() {
        let large = "x".repeat(MOST_KEPT);
        for order in [None, Some(&[1, 2, 0][..])] {
            let all = [Some("a"), Some(&*large), Some("b")];
            let mut cells = texts(&all, order);
            let ordered: Vec<_> = order.unwrap_or(&[0, 1, 2]).iter().map(|&row| all[row as usize]).collect();
            assert_eq!(read(&[cells.all()]), owned(&ordered));
            assert_eq!((cells.characters.len(), cells.characters[0].capacity()), (2, 0));
            assert!(!cells.is_spare());
            cells.renew(0, Room::default());
            assert!(cells.is_spare() && cells.memory() < MOST_KEPT);
        }
    }

    #[test]
    fn every_kind_survives_arrow() {
        let rows = [Some(1), None, Some(0)];
        for kind in [Kind::Amount, Kind::Time, Kind::Date, Kind::Flag, Kind::Small, Kind::Large] {
            let number = COLUMNS.iter().position(|column| column.kind == kind).expect("every kind has a column");
            let mut numbers = Numbers::default();
            rows.iter().enumerate().for_each(|(at, number)| numbers.put(at, *number));
            let cells = cells(number, rows.len(), |cells| numbers.take(rows.len(), Some(&[2, 1, 0]), cells));
            let joined = array(&[cells.all()], number).expect("valid");
            assert_eq!(*joined.data_type(), kind.data_type());
            let mut back = Cells::default();
            let Place::Numbers(0) = back.push_array(kind, &joined) else { panic!("{kind:?}") };
            assert_eq!(back.numbers, [0, NULL, 1]);
        }
        let mut back = Cells::default();
        let place = back.push_array(Kind::Text, &StringArray::from(vec![None, Some("a"), None]));
        back.places = vec![Place::Null, place];
        assert_eq!([0, 1, 2].map(|row| back.text(TRANSACTION_ID, row)), [&b""[..], b"a", b""]);
    }
}
