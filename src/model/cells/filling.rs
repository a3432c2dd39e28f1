//! Rows of a chunk on their way into cells.
//!
//! While rows are added, texts stay where they are in the chunk, and a row is what it has, one cell behind the other. When
//! the order of the rows is known, each is copied to all its columns at once, so that its record is looked for once.

use super::{COLUMNS, Cells, Kind, MOST_KEPT, NULL, Place, offset, small};
use crate::model::memory::{LINE, ask_for_all, ask_for_one, ask_for_record};

/// What a chunk's own texts may take and be kept for those of the next one.
const MOST_OWN: usize = 4 << 20;
/// Most texts are short, and one copy of a fixed length, of which too much is written over by what comes next, takes less
/// time than one of any length.
const SHORT: usize = 64;
/// What a row takes is asked for so many rows before, and where that is as many before that.
const SOON: usize = 4;
/// Few rows have more.
const MOST_VIEWS: usize = 16;
const MOST_NUMBERS: usize = 8;
/// A bit for each column of text.
const TEXTS: u64 = {
    let (mut bits, mut number) = (0, 0);
    while number < COLUMNS.len() {
        if matches!(COLUMNS[number].kind, Kind::Text) {
            bits |= 1 << number;
        }
        number += 1;
    }
    bits
};

/// Rows on their way into cells.
#[derive(Debug, Default)]
pub struct Filling {
    added: Added,
    /// What the rows have, in the order of the columns.
    views: Vec<View>,
    numbers: Vec<i64>,
    texts: Texts,
    /// Where the columns go that have values.
    texts_to: Vec<TextsTo>,
    numbers_to: Vec<NumbersTo>,
}

/// The rows, how much they use of what they have, and bits of the columns that any row has and that all have.
#[derive(Debug)]
struct Added {
    rows: Vec<Row>,
    views: usize,
    numbers: usize,
    any: u64,
    all: u64,
}

impl Default for Added {
    fn default() -> Self {
        Self { rows: Vec::new(), views: 0, numbers: 0, any: 0, all: u64::MAX }
    }
}

/// What is known of the rows' texts.
#[derive(Debug)]
struct Texts {
    /// Those that do not stand in the chunk.
    own: Vec<u8>,
    seen: [Seen; COLUMNS.len()],
    /// Bits of the columns of which two rows have different texts.
    varied: u64,
}

impl Default for Texts {
    fn default() -> Self {
        Self { own: Vec::new(), seen: [Seen::default(); COLUMNS.len()], varied: 0 }
    }
}

/// A row: which columns it has, and where what it has begins.
#[derive(Clone, Copy, Debug)]
struct Row {
    has: u64,
    /// Where its record begins and ends in the chunk.
    record: (u32, u32),
    view: u32,
    number: u32,
}

/// Where a text stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct View {
    /// From here on in the chunk, or with [`OWN`] in the texts of our own.
    start: u32,
    /// 0 for none, as empty text is never stored.
    length: u32,
}

/// Tells that a text does not stand in the chunk.
const OWN: u32 = 1 << 31;

/// What is known of a column of texts.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// How many bytes they have together.
    bytes: usize,
    /// One that there was; as long as all are the same, that; …
    last: View,
    /// … if it is one of our own words, that, and if it is a code, that.
    word: &'static str,
    code: [u8; 3],
}

/// Where the next text of a column goes.
#[derive(Debug)]
struct TextsTo {
    bit: u64,
    /// It stands once.
    is_same: bool,
    offsets: usize,
    buffer: usize,
    start: usize,
    at: usize,
}

/// Where the numbers of a column go.
#[derive(Debug)]
struct NumbersTo {
    bit: u64,
    start: usize,
}

/// A row that is being added; what it has is told in the order of the columns.
pub(in crate::model) struct Line<'f> {
    added: &'f mut Added,
    texts: &'f mut Texts,
    chunk: &'f [u8],
    row: Row,
    /// Where what it has goes, and how many places are used.
    to_views: &'f mut [View; COLUMNS.len()],
    to_numbers: &'f mut [i64; COLUMNS.len()],
    views: usize,
    numbers: usize,
}

impl Line<'_> {
    #[inline]
    pub(in crate::model) fn text(&mut self, number: usize, text: Option<&str>) {
        let Some(text) = text else { return };
        // A piece of the chunk is told by its address alone, as no other text can have one in there.
        let start = text.as_ptr().addr().wrapping_sub(self.chunk.as_ptr().addr());
        let view = if start < self.chunk.len() && self.texts.varied >> number & 1 == 1 {
            View { start: index(start), length: index(text.len()) }
        } else {
            self.texts.see(number, text.as_bytes(), start, self.chunk)
        };
        self.view(number, view);
    }

    /// As [`Self::text`], of one of our own words, which is told by where it stands.
    #[inline]
    pub(in crate::model) fn word(&mut self, number: usize, word: &'static str) {
        let seen = &mut self.texts.seen[number];
        let view = if std::ptr::eq(word, seen.word) {
            seen.last
        } else {
            seen.word = word;
            self.texts.see(number, word.as_bytes(), usize::MAX, self.chunk)
        };
        self.view(number, view);
    }

    /// As [`Self::text`], of three letters that often are the same again.
    #[inline]
    pub(in crate::model) fn code(&mut self, number: usize, code: Option<[u8; 3]>) {
        let Some(code) = code else { return };
        let seen = &mut self.texts.seen[number];
        let view = if seen.code == code {
            seen.last
        } else {
            seen.code = code;
            self.texts.see(number, &code, usize::MAX, self.chunk)
        };
        self.view(number, view);
    }

    #[inline]
    fn view(&mut self, number: usize, view: View) {
        self.texts.seen[number].bytes += view.length as usize;
        self.to_views[self.views] = view;
        self.views += 1;
        self.row.has |= 1 << number;
    }

    #[inline]
    pub(in crate::model) fn number(&mut self, number: usize, value: Option<i64>) {
        if let Some(value) = value {
            self.to_numbers[self.numbers] = value;
            self.numbers += 1;
            self.row.has |= 1 << number;
        }
    }

    /// Ends the row.
    #[inline]
    pub(in crate::model) fn end(self) {
        let Self { added, row, views, numbers, .. } = self;
        added.views += views;
        added.numbers += numbers;
        added.any |= row.has;
        added.all &= row.has;
        added.rows.push(row);
    }
}

impl Texts {
    /// Sees a text of a column that begins at `start` in the chunk, or stands elsewhere, and keeps it then.
    #[inline(never)]
    fn see(&mut self, number: usize, text: &[u8], start: usize, chunk: &[u8]) -> View {
        let view = match start < chunk.len() {
            true => View { start: index(start), length: index(text.len()) },
            false => self.keep(text, number),
        };
        let last = std::mem::replace(&mut self.seen[number].last, view);
        let differs = view != last && last.length > 0 && (view.length != last.length || text != self.text(last, chunk));
        self.varied |= u64::from(differs) << number;
        view
    }

    /// Keeps a copy of a text that is not in the chunk; the column's last one often is the same.
    fn keep(&mut self, text: &[u8], number: usize) -> View {
        let (last, length) = (self.seen[number].last, index(text.len()));
        if last.length == length && last.start & OWN != 0 && self.text(last, &[]) == text {
            return last;
        }
        let start = index(self.own.len()) | OWN;
        self.own.extend_from_slice(text);
        View { start, length }
    }

    /// The bytes from the start of a text on.
    #[inline]
    fn from<'f>(&'f self, view: View, chunk: &'f [u8]) -> &'f [u8] {
        match view.start & OWN {
            0 => &chunk[view.start as usize..],
            _ => &self.own[(view.start & !OWN) as usize..],
        }
    }

    fn text<'f>(&'f self, view: View, chunk: &'f [u8]) -> &'f [u8] {
        &self.from(view, chunk)[..view.length as usize]
    }

    /// Forgets those of a chunk.
    fn clear(&mut self) {
        self.own.clear();
        self.own.shrink_to(MOST_OWN);
        self.seen = [Seen::default(); COLUMNS.len()];
        self.varied = 0;
    }
}

impl Filling {
    /// Adds a row of a chunk, where its texts stand as far as they were not changed.
    #[inline]
    pub(in crate::model) fn line<'f>(&'f mut self, chunk: &'f [u8], (start, end): (usize, usize)) -> Line<'f> {
        const ROOM: &str = "there is room for all columns";
        let Self { added, views, numbers, texts, .. } = self;
        let row =
            Row { has: 0, record: (index(start), index(end)), view: index(added.views), number: index(added.numbers) };
        if views.len() < added.views + COLUMNS.len() {
            views.resize(2 * added.views + COLUMNS.len(), View::default());
        }
        if numbers.len() < added.numbers + COLUMNS.len() {
            numbers.resize(2 * added.numbers + COLUMNS.len(), 0);
        }
        let to_views = views[added.views..].first_chunk_mut().expect(ROOM);
        let to_numbers = numbers[added.numbers..].first_chunk_mut().expect(ROOM);
        // What comes next is written there.
        ask_for_all(&to_views[MOST_VIEWS..][..MOST_VIEWS]);
        ask_for_all(&to_numbers[MOST_NUMBERS..][..MOST_NUMBERS]);
        Line { added, texts, chunk, row, to_views, to_numbers, views: 0, numbers: 0 }
    }

    /// Moves the rows of the chunk to `cells`, in place of what was there. With an `order`, row i is the row that was added
    /// as number `order[i]`.
    pub fn take(&mut self, order: Option<&[u32]>, chunk: &[u8], cells: &mut Cells) {
        self.lay_out(chunk, cells);
        match order {
            None => self.copy(0..self.added.rows.len(), chunk, cells),
            Some(order) => self.copy(order.iter().map(|&row| row as usize), chunk, cells),
        }
        let rows = std::mem::take(&mut self.added.rows);
        self.added = Added { rows, ..Added::default() };
        self.added.rows.clear();
        self.texts.clear();
    }

    /// Gives each column its place in `cells`, and copies the texts that stand once.
    fn lay_out(&mut self, chunk: &[u8], cells: &mut Cells) {
        let (rows, any) = (self.added.rows.len(), self.added.any);
        let same = self.added.all & !self.texts.varied;
        let (mut offsets, mut characters, mut numbers) = (0, 0, 0);
        let (mut texts_to, mut numbers_to) = (std::mem::take(&mut self.texts_to), std::mem::take(&mut self.numbers_to));
        texts_to.clear();
        numbers_to.clear();
        cells.rows = rows;
        cells.characters.truncate(1);
        for (number, seen) in self.texts.seen.iter().enumerate() {
            let bit = 1 << number;
            cells.places[number] = if any & bit == 0 {
                Place::Null
            } else if TEXTS & bit == 0 {
                numbers_to.push(NumbersTo { bit, start: numbers });
                numbers += rows;
                Place::Numbers(small(numbers - rows))
            } else if same & bit != 0 {
                let length = seen.last.length;
                let start = characters;
                texts_to.push(TextsTo { bit, is_same: true, offsets, buffer: 0, start, at: start });
                characters += length as usize;
                Place::Same { buffer: 0, characters: small(start), length }
            } else {
                let (mut buffer, mut start) = (0, characters);
                if seen.bytes > MOST_KEPT {
                    (buffer, start) = (cells.characters.len(), 0);
                    cells.characters.push(vec![0; seen.bytes]);
                } else {
                    characters += seen.bytes + SHORT;
                }
                texts_to.push(TextsTo { bit, is_same: false, offsets, buffer, start, at: start });
                let (first, buffer, characters) = (small(offsets), small(buffer), small(start));
                offsets += rows + 1;
                Place::Texts { offsets: first, buffer, characters }
            };
        }
        fit(&mut cells.offsets, offsets);
        fit(&mut cells.characters[0], characters);
        fit(&mut cells.numbers, numbers);
        fit(&mut cells.bytes_before, rows + 1);
        cells.bytes_before[0] = 0;
        for to in &texts_to {
            if to.is_same {
                let text = self.texts.text(self.texts.seen[to.bit.trailing_zeros() as usize].last, chunk);
                cells.characters[0][to.start..][..text.len()].copy_from_slice(text);
            } else {
                cells.offsets[to.offsets] = 0;
            }
        }
        (self.texts_to, self.numbers_to) = (texts_to, numbers_to);
    }

    /// Asks for what a row takes.
    #[inline]
    fn ask_for_row(&self, row: usize, chunk: &[u8]) {
        let Row { record: (start, end), view, number, .. } = self.added.rows[row];
        ask_for_record(&chunk[start as usize..end as usize]);
        ask_for_all(&self.views[view as usize..][..MOST_VIEWS]);
        ask_for_all(&self.numbers[number as usize..][..MOST_NUMBERS]);
    }

    fn copy(&mut self, order: impl Iterator<Item = usize> + Clone, chunk: &[u8], cells: &mut Cells) {
        let mut texts_to = std::mem::take(&mut self.texts_to);
        let (shared, large) = cells.characters.split_first_mut().expect("one that columns share");
        let (mut soon, mut later) = (order.clone().skip(SOON), order.clone().skip(2 * SOON));
        for (at, row) in order.enumerate() {
            if let Some(row) = later.next() {
                ask_for_one(&self.added.rows, row);
            }
            if let Some(row) = soon.next() {
                self.ask_for_row(row, chunk);
            }
            if at % (LINE / size_of::<i64>()) == 0 {
                let next = at + 2 * LINE / size_of::<i64>();
                for to in &texts_to {
                    ask_for_one(&cells.offsets, to.offsets + next);
                }
                for to in &self.numbers_to {
                    ask_for_one(&cells.numbers, to.start + next);
                }
            }
            let Row { has, view, number, .. } = self.added.rows[row];
            let mut views = self.views[view as usize..].iter();
            let mut bytes = cells.bytes_before[at];
            for to in &mut texts_to {
                if has & to.bit != 0 {
                    let view = *views.next().expect("a view for each text");
                    bytes += view.length;
                    if to.is_same {
                        continue;
                    }
                    let all = if to.buffer == 0 { &mut *shared } else { &mut large[to.buffer - 1] };
                    ask_for_one(all, to.at + 2 * LINE);
                    copy_text(self.texts.from(view, chunk), view.length as usize, &mut all[to.at..]);
                    to.at += view.length as usize;
                }
                cells.offsets[to.offsets + at + 1] = offset(to.at - to.start);
            }
            cells.bytes_before[at + 1] = bytes;
            let mut numbers = self.numbers[number as usize..].iter();
            for to in &self.numbers_to {
                let has = has & to.bit != 0;
                cells.numbers[to.start + at] = if has { *numbers.next().expect("each number") } else { NULL };
            }
        }
        self.texts_to = texts_to;
    }
}

/// Copies the first `length` bytes.
#[inline]
fn copy_text(from: &[u8], length: usize, to: &mut [u8]) {
    match (from.first_chunk::<SHORT>(), to.first_chunk_mut::<SHORT>()) {
        (Some(from), Some(to)) if length <= SHORT => *to = *from,
        _ => copy_long(&from[..length], to),
    }
}

#[cold]
#[inline(never)]
fn copy_long(text: &[u8], to: &mut [u8]) {
    to[..text.len()].copy_from_slice(text);
}

/// Makes room in a buffer whose content does not matter; somewhat more, as the next rows take another size.
fn fit<T: Copy + Default>(buffer: &mut Vec<T>, room: usize) {
    if buffer.len() < room {
        *buffer = vec![T::default(); room + room / 8];
    }
}

/// A place in a chunk, which is far smaller than 2 GiB.
#[inline]
fn index(place: usize) -> u32 {
    u32::try_from(place).ok().filter(|place| place & OWN == 0).expect("a chunk and what becomes of it is small")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cells::tests::{owned, read, texts, texts_of};
    use crate::model::columns::TRANSACTION_ID;

    #[test]
    fn texts_of_every_length_are_copied_whole() {
        let long = "0123456789abcdefghijklmnopqrstuvwxyz".repeat(4);
        for from_end in [true, false] {
            let text = |length| if from_end { &long[long.len() - length..] } else { &long[..length] };
            let all: Vec<_> = (0..=long.len()).map(|length| (length > 0).then(|| text(length))).collect();
            let order: Vec<u32> = (0..).take(all.len()).collect();
            for chunk in [&long, ""] {
                for order in [None, Some(&order[..])] {
                    assert_eq!(read(&[texts_of(chunk, &all, order).all()]), owned(&all));
                }
            }
        }
    }

    #[test]
    fn what_stands_in_the_chunk_is_not_kept_beside_it() {
        let chunk = String::from("one two two three");
        let rows =
            [Some(&chunk[4..7]), Some("own"), Some("own"), None, Some(&chunk[12..]), Some("own"), Some(&chunk[..3])];
        let order = [6, 5, 4, 3, 2, 1, 0];
        let backwards: Vec<_> = rows.iter().rev().copied().collect();
        assert_eq!(read(&[texts_of(&chunk, &rows, Some(&order)).all()]), owned(&backwards));
        let mut filling = Filling::default();
        for text in rows {
            let mut line = filling.line(chunk.as_bytes(), (0, chunk.len()));
            line.text(TRANSACTION_ID, text);
            line.end();
        }
        assert_eq!(filling.texts.own, b"own");
        let same = texts_of(&chunk, &[Some(&chunk[4..7]), Some(&chunk[8..11]), Some("two")], None);
        assert!(matches!(same.places[TRANSACTION_ID], Place::Same { length: 3, .. }));
        assert_eq!(same.text(TRANSACTION_ID, 2), b"two");
    }

    #[test]
    fn cells_are_filled_again() {
        let (mut filling, mut cells) = (Filling::default(), Cells::default());
        for rows in
            [&[Some("a"), None, Some("bcd")][..], &[None, Some("e")], &[Some("f"); 9], &[], &[None], &[Some("g"), None]]
        {
            for (at, text) in (0..).zip(rows) {
                let mut line = filling.line(&[], (0, 0));
                line.text(TRANSACTION_ID, *text);
                line.number(COLUMNS.len() - 1, text.map(|_| at));
                line.end();
            }
            filling.take(None, &[], &mut cells);
            let numbers: Vec<_> = (0..).zip(rows).map(|(at, text)| text.map_or(NULL, |_| at)).collect();
            let none: Vec<_> = rows.iter().map(|_| NULL).collect();
            assert_eq!((cells.rows(), read(&[cells.all()])), (rows.len(), owned(rows)));
            assert_eq!(cells.all().numbers(COLUMNS.len() - 1).unwrap_or(&none), numbers);
        }
    }

    #[test]
    fn a_large_column_has_a_buffer_of_its_own() {
        let large = "x".repeat(MOST_KEPT);
        for order in [None, Some(&[1, 2, 0][..])] {
            let all = [Some("a"), Some(&*large), Some("b")];
            let mut cells = texts(&all, order);
            let ordered: Vec<_> = order.unwrap_or(&[0, 1, 2]).iter().map(|&row| all[row as usize]).collect();
            assert_eq!(read(&[cells.all()]), owned(&ordered));
            assert_eq!((cells.characters.len(), cells.characters[0].len()), (2, 0));
            assert!(!cells.is_spare());
            Filling::default().take(None, &[], &mut cells);
            assert!(cells.is_spare() && cells.memory() < MOST_KEPT);
        }
    }
}
