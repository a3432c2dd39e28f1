//! Rows of a column as they stand in slices of cells: cut into pages, and gathered page by page.

use super::PAGE_ROWS;
use crate::model::cells::{NULL, Slice};

/// A page ends when it has so many bytes of text, …
const PAGE_BYTES: usize = 1 << 20;
/// … which is looked at after so many rows, unless they have twice as many.
const STEP_ROWS: usize = 1 << 10;

/// Slices that are cut into pages.
pub(super) struct Cuts<'s, 'c> {
    slices: &'s [Slice<'c>],
    number: usize,
    /// Rows of the first slice that are in pages already.
    taken: usize,
    page: Vec<Slice<'c>>,
}

impl<'s, 'c> Cuts<'s, 'c> {
    pub(super) fn new(slices: &'s [Slice<'c>], number: usize) -> Self {
        Self { slices, number, taken: 0, page: Vec::with_capacity(slices.len().min(PAGE_ROWS)) }
    }

    /// The rows of the next page; it is small, whatever its texts are.
    pub(super) fn next_by_rows(&mut self) -> Option<&[Slice<'c>]> {
        self.take(PAGE_ROWS)
    }

    /// The rows of the next page, which ends sooner if texts are large.
    pub(super) fn next_by_bytes(&mut self) -> Option<&[Slice<'c>]> {
        self.take(self.rows_by_bytes())
    }

    /// The slices that hold the next rows.
    fn ahead(&self, mut rows: usize) -> impl Iterator<Item = Slice<'c>> {
        let mut taken = self.taken;
        self.slices.iter().map_while(move |slice| {
            let now = Slice { start: slice.start + taken, rows: rows.min(slice.rows - taken), ..*slice };
            let is_left = rows > 0;
            rows -= now.rows;
            taken = 0;
            is_left.then_some(now)
        })
    }

    fn take(&mut self, rows: usize) -> Option<&[Slice<'c>]> {
        let mut page = std::mem::take(&mut self.page);
        page.clear();
        page.extend(self.ahead(rows));
        self.page = page;
        let mut rows: usize = self.page.iter().map(|slice| slice.rows).sum();
        let is_any = rows > 0;
        while let [first, rest @ ..] = self.slices
            && rows >= first.rows - self.taken
        {
            rows -= first.rows - self.taken;
            self.taken = 0;
            self.slices = rest;
        }
        self.taken += rows;
        is_any.then_some(&self.page)
    }

    /// How many bytes of text the next rows have.
    fn bytes(&self, rows: usize) -> usize {
        self.ahead(rows).map(|slice| slice.column_bytes(self.number)).sum()
    }

    fn rows_by_bytes(&self) -> usize {
        if self.bytes(PAGE_ROWS) < PAGE_BYTES {
            return PAGE_ROWS;
        }
        let is_full = |rows: &usize| self.bytes(*rows) >= PAGE_BYTES;
        let end = (STEP_ROWS..PAGE_ROWS).step_by(STEP_ROWS).find(is_full).unwrap_or(PAGE_ROWS);
        if self.bytes(end) < 2 * PAGE_BYTES {
            return end;
        }
        let (mut few, mut many) = (end - STEP_ROWS + 1, end);
        while few < many {
            let rows = few.midpoint(many);
            if is_full(&rows) { many = rows } else { few = rows + 1 }
        }
        many
    }
}

/// What was gathered of rows, in memory that is used again.
#[derive(Default)]
pub(super) struct Rows {
    /// For each row of pages that have both 1 if it has a value, and 0 if it is null.
    pub(super) levels: Vec<u8>,
    /// Of each text of a page.
    pub(super) lengths: Vec<u32>,
    /// Those of a page.
    pub(super) numbers: Vec<i64>,
}

impl Rows {
    /// Gathers the lengths of a page's texts, and its levels behind those that are there; how many rows are null.
    pub(super) fn gather_lengths(&mut self, page: &[Slice<'_>], number: usize) -> usize {
        self.lengths.clear();
        for slice in page {
            let end = self.lengths.len() + slice.rows;
            if let Some(same) = slice.same(number) {
                self.lengths.resize(end, u32::try_from(same.len()).expect("offsets have 31 bits"));
            } else if let Some((offsets, _)) = slice.texts(number) {
                let ends = offsets.iter().zip(&offsets[1..]);
                self.lengths.extend(ends.map(|(start, end)| (end - start).cast_unsigned()));
            } else {
                self.lengths.resize(end, 0);
            }
        }
        Self::sift(&mut self.lengths, &mut self.levels, 0)
    }

    /// Gathers a page's numbers, and its levels behind those that are there; how many rows are null.
    pub(super) fn gather_numbers(&mut self, page: &[Slice<'_>], number: usize) -> usize {
        self.numbers.clear();
        for slice in page {
            match slice.numbers(number) {
                Some(numbers) => self.numbers.extend_from_slice(numbers),
                None => self.numbers.resize(self.numbers.len() + slice.rows, NULL),
            }
        }
        Self::sift(&mut self.numbers, &mut self.levels, NULL)
    }

    /// Appends the levels of a slice's texts.
    pub(super) fn push_levels_of_texts(levels: &mut Vec<u8>, slice: &Slice<'_>, number: usize) {
        let end = levels.len() + slice.rows;
        if let Some((offsets, _)) = slice.texts(number) {
            levels.extend(offsets.iter().zip(&offsets[1..]).map(|(start, end)| u8::from(start != end)));
        }
        levels.resize(end, u8::from(slice.same(number).is_some()));
    }

    /// Takes what stands for null out of values, and notes where it was unless all or none are; how many there were.
    fn sift<T: Copy + Eq>(values: &mut Vec<T>, levels: &mut Vec<u8>, null: T) -> usize {
        let nulls = values.iter().filter(|value| **value == null).count();
        if nulls == values.len() {
            values.clear();
        } else if nulls > 0 {
            levels.extend(values.iter().map(|value| u8::from(*value != null)));
            // Each value is moved, so that there is nothing to foretell.
            let mut kept = 0;
            for at in 0..values.len() {
                let value = values[at];
                values[kept] = value;
                kept += usize::from(value != null);
            }
            values.truncate(kept);
        }
        nulls
    }
}

/// Appends the characters of a page's texts.
pub(super) fn push_characters(page: &[Slice<'_>], number: usize, all: &mut Vec<u8>) {
    for slice in page {
        if let Some(same) = slice.same(number) {
            (0..slice.rows).for_each(|_| all.extend_from_slice(same));
        } else if let Some((_, characters)) = slice.texts(number) {
            all.extend_from_slice(characters);
        }
    }
}

/// The texts of a slice that are not null.
pub(super) fn texts<'c>(slice: &Slice<'c>, number: usize) -> impl Iterator<Item = &'c [u8]> {
    let same = slice.same(number).map(|same| std::iter::repeat_n(same, slice.rows));
    own_texts(slice, number).map(|(from, length)| &from[..length]).chain(same.into_iter().flatten())
}

/// The texts of a slice that are not null, unless all rows have the same: the characters from each one on, and its length.
pub(super) fn own_texts<'c>(slice: &Slice<'c>, number: usize) -> impl Iterator<Item = (&'c [u8], usize)> {
    let (offsets, characters) = slice.texts(number).unwrap_or_default();
    let mut rest = characters;
    offsets.iter().zip(offsets.iter().skip(1)).filter_map(move |(start, end)| {
        let (from, length) = (rest, (end - start).cast_unsigned() as usize);
        rest = &rest[length..];
        (length > 0).then_some((from, length))
    })
}
