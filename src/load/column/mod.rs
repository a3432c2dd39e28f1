//! One column of a row group, from slices of cells straight to finished pages.
//!
//! What the Parquet library does in general is done here for the seven kinds of columns there are, without arrays in
//! between: characters are copied once, from the slices to the page. Headers, the footer and the indexes are the library's.
//!
//! What is written depends on the rows alone, and not on how they are cut into slices.

mod bits;
mod delta;
mod dictionary;
mod gather;
mod look;
mod pages;
mod statistics;
#[cfg(test)]
mod tests;

use anyhow::Result;
use parquet::basic::Type;
use parquet::bloom_filter::Sbbf;
use parquet::file::properties::{DEFAULT_BLOOM_FILTER_FPP, DEFAULT_BLOOM_FILTER_NDV};
use parquet::schema::types::ColumnDescPtr;

use self::bits::{pack, push_hybrid, push_run, width};
use self::delta::{LARGE_PART, SMALL_PART, push_deltas};
use self::dictionary::{Dictionary, Key};
use self::gather::{Cuts, Rows, own_texts, push_characters, texts};
use self::look::{How, Look, Plan};
pub(super) use self::pages::EncodedColumn;
use self::pages::{Facts, Packer, Pages};
use self::statistics::{Bounds, Extremes, narrow};
use super::parquet_file::Codec;
use crate::model::cells::Slice;
use crate::model::columns::{COLUMNS, Kind, Values};

/// Most rows of a page.
const PAGE_ROWS: usize = 20 << 10;
/// Memory that grew larger than this is not kept.
const MOST_KEPT: usize = 8 << 20;

/// A column, and how files are to be.
pub(super) struct Encoder<'e> {
    /// Its place, from 0.
    pub(super) number: usize,
    pub(super) descriptor: &'e ColumnDescPtr,
    pub(super) codec: Codec,
    pub(super) bloom_filter: bool,
}

/// Memory that a column is encoded in, and then others: fresh memory costs more than filling it.
#[derive(Default)]
pub(super) struct Scratch {
    packer: Packer,
    dictionary: Dictionary,
    rows: Rows,
    page: Vec<u8>,
}

impl Scratch {
    /// Whether it is worth being used again: a large one would hold memory for columns that may never come.
    pub(super) fn is_spare(&self) -> bool {
        let rows = self.rows.levels.capacity() + size_of::<i64>() * self.rows.numbers.capacity();
        self.packer.memory() + self.dictionary.memory() + rows + self.page.capacity() <= MOST_KEPT
    }
}

impl Encoder<'_> {
    /// Encodes the column of the rows of `slices`.
    ///
    /// # Errors
    /// When a row has no value and must have one, or a page takes more than Parquet allows.
    pub(super) fn encode(&self, slices: &[Slice<'_>], scratch: &mut Scratch) -> Result<EncodedColumn> {
        scratch.rows.levels.clear();
        Slice::ask_for(slices, self.number);
        let look = Look::of(slices, self.number);
        let plan = self.plan(look);
        if plan.how == How::Dictionary {
            return match self.fill(slices, scratch) {
                Some(facts) => self.encode_entries(plan, &facts, scratch),
                None => self.encode_values(slices, self.plan(Look::Of(Values::Unique)), scratch),
            };
        }
        self.encode_values(slices, plan, scratch)
    }

    fn plan(&self, look: Look) -> Plan {
        Plan::of(look, &COLUMNS[self.number], self.codec)
    }

    fn is_text(&self) -> bool {
        COLUMNS[self.number].kind == Kind::Text
    }

    fn filter(&self) -> Result<Option<Sbbf>> {
        let filter = || Sbbf::new_with_ndv_fpp(DEFAULT_BLOOM_FILTER_NDV, DEFAULT_BLOOM_FILTER_FPP);
        Ok(self.bloom_filter.then(filter).transpose()?)
    }

    /// Writes what a dictionary was filled with.
    fn encode_entries(&self, plan: Plan, facts: &[Facts], scratch: &mut Scratch) -> Result<EncodedColumn> {
        let Scratch { packer, dictionary, rows, page } = scratch;
        let mut filter = self.filter()?;
        if let Some(filter) = &mut filter {
            dictionary.texts().for_each(|text| filter.insert(text));
        }
        let mut pages = Pages::new(self.descriptor, plan, packer);
        pages.push_dictionary(dictionary.len(), &mut dictionary.page)?;
        let (mut levels, mut entries) = (&*rows.levels, &*dictionary.indices);
        for facts in facts {
            page.clear();
            let (own, others) = levels.split_at(if facts.is_mixed() { facts.rows } else { 0 });
            levels = others;
            pages.push_levels(facts, own, page);
            let (own, others) = entries.split_at(facts.rows - facts.nulls);
            entries = others;
            push_entries(own, page);
            pages.push_data(facts, plan.encoding(), page)?;
        }
        pages.close(filter.map(folded))
    }

    /// Writes values as they are.
    fn encode_values(&self, slices: &[Slice<'_>], plan: Plan, scratch: &mut Scratch) -> Result<EncodedColumn> {
        let Scratch { packer, rows, page, .. } = scratch;
        let mut filter = self.filter()?;
        let mut pages = Pages::new(self.descriptor, plan, packer);
        let mut cuts = Cuts::new(slices, self.number);
        while let Some(slices) = cuts.next_by_bytes() {
            page.clear();
            rows.levels.clear();
            let mut facts = self.gather(slices, plan, rows);
            pages.push_levels(&facts, &rows.levels, page);
            match plan.how {
                How::Lengths => {
                    push_deltas(&rows.lengths, SMALL_PART, page);
                    let start = page.len();
                    push_characters(slices, self.number, page);
                    facts.bounds = Extremes::of(&rows.lengths, &page[start..]).bounds();
                }
                How::Deltas => push_deltas(&rows.numbers, LARGE_PART, page),
                How::Nulls => {}
                _ if self.is_text() => {
                    facts.bounds = push_texts(slices, self.number, page).filter(|_| plan.has_statistics);
                }
                _ => push_numbers(&rows.numbers, self.descriptor.physical_type(), page),
            }
            if let Some(filter) = &mut filter {
                let all = slices.iter().flat_map(|slice| texts(slice, self.number));
                all.for_each(|text| filter.insert(text));
            }
            pages.push_data(&facts, plan.encoding(), page)?;
        }
        pages.close(filter.map(folded))
    }

    /// Gathers the rows of a page; of texts their lengths.
    fn gather(&self, slices: &[Slice<'_>], plan: Plan, rows: &mut Rows) -> Facts {
        let count = slices.iter().map(|slice| slice.rows).sum();
        let text_bytes = self.is_text().then(|| slices.iter().map(|slice| slice.column_bytes(self.number)).sum());
        let (nulls, bounds) = match plan.how {
            How::Nulls => (count, None),
            _ if self.is_text() => (rows.gather_lengths(slices, self.number), None),
            _ => (rows.gather_numbers(slices, self.number), Bounds::of_numbers(&rows.numbers)),
        };
        Facts { rows: count, nulls, bounds, text_bytes }
    }

    /// Fills the dictionary with the values, and tells of the pages that they make; none if they are too many.
    fn fill(&self, slices: &[Slice<'_>], scratch: &mut Scratch) -> Option<Vec<Facts>> {
        scratch.dictionary.clear();
        let (mut all, mut cuts) = (Vec::new(), Cuts::new(slices, self.number));
        while let Some(slices) = cuts.next_by_rows() {
            let page = u32::try_from(all.len() + 1).expect("a row group has few pages");
            all.push(match self.is_text() {
                true => self.fill_texts(slices, page, scratch)?,
                false => self.fill_numbers(slices, scratch)?,
            });
        }
        self.pays(slices, scratch).then_some(all)
    }

    /// Whether the dictionary takes less than its values would without it: a sample tells little of numbers, which are
    /// packed well as they are.
    fn pays(&self, slices: &[Slice<'_>], scratch: &mut Scratch) -> bool {
        let Scratch { dictionary, rows, page, .. } = scratch;
        let (entries, values) = (dictionary.len(), dictionary.indices.len());
        let unique = self.plan(Look::Of(Values::Unique)).how;
        match COLUMNS[self.number].values {
            Values::Unique if unique == How::Deltas => {
                let levels = rows.levels.len();
                page.clear();
                rows.gather_numbers(slices, self.number);
                rows.levels.truncate(levels);
                push_deltas(&rows.numbers, LARGE_PART, page);
                let bits = values * width(entries.saturating_sub(1) as u64) as usize;
                dictionary.page.len() + bits / 8 <= page.len()
            }
            Values::Unique if !self.is_text() => 4 * entries <= values,
            _ => true,
        }
    }

    fn fill_texts(&self, slices: &[Slice<'_>], page: u32, scratch: &mut Scratch) -> Option<Facts> {
        let Scratch { dictionary, rows: Rows { levels, .. }, .. } = scratch;
        let start = levels.len();
        let mut indices = std::mem::take(&mut dictionary.indices);
        let before = indices.len();
        let mut extremes = Extremes::default();
        let mut text_bytes = 0;
        // What is met again is not asked whether it is in this page, so what was met last must be.
        dictionary.forget();
        for slice in slices {
            Rows::push_levels_of_texts(levels, slice, self.number);
            if let Some(same) = slice.same(self.number) {
                let entry = enter(same, same.len(), page, dictionary, &mut extremes);
                indices.resize(indices.len() + slice.rows, entry);
                text_bytes += same.len() * slice.rows;
            }
            for (from, length) in own_texts(slice, self.number) {
                indices.push(enter(from, length, page, dictionary, &mut extremes));
                text_bytes += length;
            }
            if dictionary.is_useless() {
                break;
            }
        }
        let rows = levels.len() - start;
        let nulls = rows - (indices.len() - before);
        dictionary.indices = indices;
        let facts = Facts { rows, nulls, bounds: extremes.bounds(), text_bytes: Some(text_bytes) };
        if !facts.is_mixed() {
            levels.truncate(start);
        }
        (!dictionary.is_useless()).then_some(facts)
    }

    fn fill_numbers(&self, slices: &[Slice<'_>], scratch: &mut Scratch) -> Option<Facts> {
        let Scratch { dictionary, rows, .. } = scratch;
        let physical = self.descriptor.physical_type();
        let nulls = rows.gather_numbers(slices, self.number);
        for &number in &rows.numbers {
            let entry = dictionary.entry_of_number(number, |page| push_numbers(&[number], physical, page));
            dictionary.indices.push(entry);
        }
        let bounds = Bounds::of_numbers(&rows.numbers);
        let facts = Facts { rows: nulls + rows.numbers.len(), nulls, bounds, text_bytes: None };
        (!dictionary.is_useless()).then_some(facts)
    }
}

/// A filter in as few bits as the values in it need.
fn folded(mut filter: Sbbf) -> Sbbf {
    filter.fold_to_target_fpp(DEFAULT_BLOOM_FILTER_FPP);
    filter
}

/// Enters the text which the first `length` bytes of `from` are, of page number `page`, in a dictionary; the number of its
/// entry.
#[inline]
fn enter<'t>(
    from: &'t [u8],
    length: usize,
    page: u32,
    dictionary: &mut Dictionary,
    extremes: &mut Extremes<'t>,
) -> u32 {
    let key = Key::of_text(from, length);
    dictionary.again(key).unwrap_or_else(|| enter_other(key, &from[..length], page, dictionary, extremes))
}

/// The same for a text that is not known to be the one before.
#[inline(never)]
fn enter_other<'t>(
    key: Key,
    text: &'t [u8],
    page: u32,
    dictionary: &mut Dictionary,
    extremes: &mut Extremes<'t>,
) -> u32 {
    let entry = dictionary.entry_of_text(key, text);
    if dictionary.see(entry, page) {
        extremes.add(text);
    }
    entry
}

/// Appends which entry of a dictionary each value is.
fn push_entries(entries: &[u32], page: &mut Vec<u8>) {
    // As wide as the greatest one.
    let wide = width(entries.iter().fold(0, |all, entry| all | entry).into());
    page.push(wide.to_le_bytes()[0]);
    match (wide, entries.len()) {
        (0, values @ 1..) => push_run(0, values, wide, page),
        _ => push_hybrid(entries, wide, page),
    }
}

/// Appends texts, each after its length; what bounds them.
fn push_texts(slices: &[Slice<'_>], number: usize, page: &mut Vec<u8>) -> Option<Bounds> {
    let mut extremes = Extremes::default();
    for text in slices.iter().flat_map(|slice| texts(slice, number)) {
        page.extend_from_slice(&u32::try_from(text.len()).expect("offsets have 31 bits").to_le_bytes());
        page.extend_from_slice(text);
        extremes.add(text);
    }
    extremes.bounds()
}

/// Appends numbers in the bytes of their type.
fn push_numbers(numbers: &[i64], physical: Type, page: &mut Vec<u8>) {
    match physical {
        Type::BOOLEAN => pack(numbers.iter().map(|number| u64::from(*number == 1)), 1, page),
        Type::INT32 => numbers.iter().for_each(|number| page.extend_from_slice(&narrow(*number).to_le_bytes())),
        _ => numbers.iter().for_each(|number| page.extend_from_slice(&number.to_le_bytes())),
    }
}
