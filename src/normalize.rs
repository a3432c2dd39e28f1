//! The pure heart: a chunk of records becomes columns, rejects and counts. No files, no threads, no clock.
//!
//! Every item of the chunk is seen exactly once and becomes a row or a reject; the one thing that is neither is a
//! document that says it has no records (`{"list": null}`). Rows come out ordered by partition, and within one in input
//! order.

use bumpalo::Bump;
use twox_hash::XxHash3_64;

use crate::extract::chunks::{Chunk, Fault, FaultText, Item};
use crate::load::keys::{KeyEntry, Reading};
use crate::load::loader::Batch;
use crate::load::partition::{Partitioning, Period};
use crate::load::quarantine::{Raw, Rejected};
use crate::model::cells::Filling;
use crate::model::columns::Placed;
use crate::model::counts::{RowFacts, SourceCounts};
use crate::model::cube::Tally;
use crate::model::json::{Reader, Type};
use crate::model::memory::{ask_for_one, ask_for_record};
use crate::model::personal::Redactor;
use crate::model::reject::{Reason, Reject};
use crate::model::time::Month;
use crate::sources::record::Record;
use crate::sources::{self, Mapped, Settings, Source, Told};

/// What a run normalizes by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Settings by the number of the source.
    pub settings: Vec<Settings>,
    /// The partition levels.
    pub partitioning: Partitioning,
    /// What takes personal data out of the rows.
    pub redactor: Option<Redactor>,
}

/// Where a chunk comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The dump's number in input order.
    pub dump: usize,
    /// Its place among all dumps by path, those of earlier runs included.
    pub rank: u32,
    /// When it was read, beside others of its path.
    pub reading: Reading,
    /// Its path as lineage writes it.
    pub source_file: &'a str,
}

/// What a chunk came to.
#[derive(Debug, Default)]
pub struct Normalized {
    /// The rows, ordered by partition.
    pub batch: Batch,
    /// Records that gave no row, in input order.
    pub rejects: Vec<Rejected>,
    /// Counts by the number of the source.
    pub counts: Vec<SourceCounts>,
    /// Records seen, and those that hold nothing.
    pub seen: u64,
    /// Documents without records that are well.
    pub empty: u64,
}

/// Memory that is used again for the next chunk.
#[derive(Debug, Default)]
pub struct Scratch {
    reader: Reader,
    /// Texts of rows that do not stand in the chunk.
    made: Bump,
    rows: Filling,
    tally: Tally,
    /// By row.
    periods: Vec<Period>,
    keys: Vec<KeyEntry>,
    /// Rows ordered by period, and where the next one of each goes.
    order: Vec<u32>,
    places: Vec<u32>,
    /// A batch that is done with.
    pub spare: Batch,
}

/// So many keys ahead are asked for, as they come in no order.
const KEYS_AHEAD: usize = 8;
/// Periods are counted if their numbers are in a range of so many by row, and sorted otherwise.
const PERIODS_BY_ROW: u32 = 4;
/// Texts that take more are not kept room for.
const MOST_MADE: usize = 4 << 20;

/// Normalizes one chunk.
#[must_use]
pub fn normalize(chunk: &Chunk, origin: Origin<'_>, rules: &Rules, scratch: &mut Scratch) -> Normalized {
    let mut made = std::mem::take(&mut scratch.made);
    let mut worker = Worker {
        chunk,
        origin,
        rules,
        made: &made,
        text: simdutf8::basic::from_utf8(&chunk.bytes).ok(),
        scratch,
        out: Normalized { counts: vec![SourceCounts::default(); sources::ALL.len()], ..Normalized::default() },
    };
    match chunk.source {
        Some(number) => worker.records(number),
        None => worker.documents(),
    }
    let normalized = worker.finish();
    made.reset();
    if made.allocated_bytes() <= MOST_MADE {
        scratch.made = made;
    }
    normalized
}

struct Worker<'a, 'w> {
    chunk: &'a Chunk,
    origin: Origin<'a>,
    rules: &'a Rules,
    made: &'a Bump,
    /// The chunk as text, when all of it is UTF-8.
    text: Option<&'a str>,
    scratch: &'w mut Scratch,
    out: Normalized,
}

/// What an item came to that gave no row.
enum Fate {
    Rejected(Reject),
    Empty,
}

impl From<Reject> for Fate {
    fn from(reject: Reject) -> Self {
        Self::Rejected(reject)
    }
}

impl<'a> Worker<'a, '_> {
    /// Items of a dump of which the source is known.
    fn records(&mut self, number: usize) {
        let source = sources::ALL[number];
        let mut record = Record::new(source, self.made);
        for item in &self.chunk.items {
            match item {
                &Item::Record { start, end, alone } => {
                    let fate = self.record(source, number, &mut record, (start, end), alone);
                    self.settle(Some(source), (start, end), fate);
                }
                &Item::Element { start, end } => {
                    let fate = self.element((start, end));
                    self.settle(Some(source), (start, end), fate);
                }
                &Item::Document { start, end } => {
                    let fate = self.document((start, end));
                    self.settle(Some(source), (start, end), fate);
                }
                Item::Fault(fault) => self.fault(Some(source), fault),
            }
        }
        self.out.counts[number].cube = self.scratch.tally.take();
    }

    /// Items of a dump that no source tells.
    fn documents(&mut self) {
        for item in &self.chunk.items {
            match item {
                &Item::Record { start, end, .. } | &Item::Element { start, end } | &Item::Document { start, end } => {
                    let fate = self.document((start, end));
                    self.settle(None, (start, end), fate);
                }
                Item::Fault(fault) => self.fault(None, fault),
            }
        }
    }

    fn record(
        &mut self,
        source: &'static dyn Source,
        number: usize,
        record: &mut Record<'a>,
        (start, end): (usize, usize),
        alone: bool,
    ) -> Result<(), Fate> {
        let (rest, length) = (self.rest((start, end))?, end - start);
        // The record behind it is likely as long.
        ask_for_record(self.chunk.bytes.get(end..end + length).unwrap_or_default());
        record.read(&mut self.scratch.reader, rest, length).map_err(Reject::from)?;
        let text = &rest[..length];
        if !record.is_told() {
            Self::untold(source, text, alone)?;
        }
        // A row is large, so it stays where it is.
        let mut mapped = source.map(record, &self.rules.settings[number]);
        let Ok(Mapped { row, notes }) = &mut mapped else { return Err(mapped.expect_err("it gave no row").into()) };
        if let Some(redactor) = &self.rules.redactor {
            redactor.redact(row, self.made);
        }
        let at = self.chunk.base + start as u64;
        let ymd = row.occurred_at.date().ymd();
        let counts = &mut self.out.counts[number];
        self.scratch.tally.row(&RowFacts::of(row, Month::of(ymd)));
        for (noticed, name) in [
            (notes.noise_repaired, "float_noise_repaired"),
            (notes.fee_negated, "fee_negated"),
            (notes.unknown_state, "unknown_state"),
            (notes.unknown_classification, "unknown_classification"),
        ] {
            if noticed {
                counts.note(name, (self.origin.dump, at));
            }
        }
        for member in record.unknown() {
            counts.unknown_member(&member.key(), (self.origin.dump, at));
        }
        let Scratch { rows, periods, keys, .. } = &mut *self.scratch;
        keys.push(KeyEntry {
            source: u8::try_from(number).expect("a handful of sources"),
            updated_at: row.updated_at,
            completed_at: row.completed_at,
            is_final: row.state.is_final(),
            dump: self.origin.rank,
            reading: self.origin.reading,
            offset: at,
            content: XxHash3_64::oneshot(text.as_bytes()),
        });
        periods.push(self.rules.partitioning.period(ymd));
        let source_offset = i64::try_from(at).expect("a file is smaller than 8 EiB");
        let source_file = self.origin.source_file;
        rows.push(&Placed { row, source_file, source_offset, record: (start, end) }, &self.chunk.bytes);
        Ok(())
    }

    /// Looks at a record that its dump's source does not tell: it may be another's, an error body or an empty page.
    fn untold(source: &'static dyn Source, text: &str, alone: bool) -> Result<(), Fate> {
        let told = Told::of(text).map_err(Reject::from)?;
        if let [other, ..] = told.sources[..] {
            let message = format!("the record is told as {}, in a dump of {}", other.name(), source.name());
            return Err(Reject::new(Reason::UnknownFormat, message).into());
        }
        if told.is_error_body() {
            return Err(error_body().into());
        }
        if alone && told.is_empty_envelope() { Err(Fate::Empty) } else { Ok(()) }
    }

    fn element(&mut self, place: (usize, usize)) -> Result<(), Fate> {
        let text = self.text(place)?;
        let value = self.scratch.reader.check(text).map_err(Reject::from)?;
        let message = format!("a record is an object, found {}", value.kind.name());
        Err(Reject::new(Reason::WrongType, message).into())
    }

    /// A document that is no dump, or one without records.
    fn document(&mut self, place: (usize, usize)) -> Result<(), Fate> {
        let text = self.text(place)?;
        let value = self.scratch.reader.check(text).map_err(Reject::from)?;
        let unknown = || Reject::new(Reason::UnknownFormat, "no known source tells records in this document").into();
        match value.kind {
            Type::Array if text[1..text.len() - 1].trim().is_empty() => Err(Fate::Empty),
            Type::Object => {
                let told = Told::of(text).map_err(Reject::from)?;
                match told.sources[..] {
                    [] if told.is_error_body() => Err(error_body().into()),
                    [] if told.is_empty_envelope() => Err(Fate::Empty),
                    [] => Err(unknown()),
                    [one] => {
                        let message = format!("told as {}, but the dump's first records are not", one.name());
                        Err(Reject::new(Reason::UnknownFormat, message).into())
                    }
                    ref several => {
                        let names: Vec<_> = several.iter().map(|one| one.name()).collect();
                        let message = format!("told as {} at once", names.join(" and "));
                        Err(Reject::new(Reason::UnknownFormat, message).into())
                    }
                }
            }
            _ => Err(unknown()),
        }
    }

    fn text(&self, (start, end): (usize, usize)) -> Result<&'a str, Reject> {
        if let Some(text) = self.text {
            return Ok(&text[start..end]);
        }
        let chunk = self.chunk;
        std::str::from_utf8(&chunk.bytes[start..end]).map_err(|error| {
            let message = format!("invalid UTF-8 (at byte {} of the record)", error.valid_up_to());
            Reject::new(Reason::InvalidUnicode, message)
        })
    }

    /// The chunk from the start of a record on, or only the record where the chunk is not all text.
    fn rest(&self, (start, end): (usize, usize)) -> Result<&'a str, Reject> {
        self.text.map_or_else(|| self.text((start, end)), |text| Ok(&text[start..]))
    }

    fn settle(&mut self, source: Option<&'static dyn Source>, (start, end): (usize, usize), fate: Result<(), Fate>) {
        match fate {
            Ok(()) => self.out.seen += 1,
            Err(Fate::Empty) => self.out.empty += 1,
            Err(Fate::Rejected(reject)) => {
                self.out.seen += 1;
                self.out.rejects.push(Rejected {
                    source: source.map(Source::name),
                    dump: self.origin.dump,
                    offset: self.chunk.base + start as u64,
                    length: (end - start) as u64,
                    reject,
                    raw: Raw::of(&self.chunk.bytes[start..end]),
                });
            }
        }
    }

    fn fault(&mut self, source: Option<&'static dyn Source>, fault: &Fault) {
        self.out.seen += 1;
        self.out.rejects.push(Rejected {
            source: source.map(Source::name),
            dump: self.origin.dump,
            offset: fault.offset,
            length: fault.length,
            reject: fault.reject.clone(),
            raw: match &fault.text {
                FaultText::Bytes(bytes) => Raw::of(bytes),
                FaultText::Digest(digest) => Raw::Digest(*digest),
            },
        });
    }

    /// Orders the rows by partition, which their periods tell as they are of one source.
    fn finish(self) -> Normalized {
        let Scratch { rows, periods, keys, order, places, spare, .. } = self.scratch;
        let mut batch = Batch::default();
        if let Some(source) = self.chunk.source {
            std::mem::swap(&mut batch, spare);
            batch.partitions.clear();
            batch.keys.clear();
            batch.keys.reserve_exact(keys.len());
            let is_sorted = order_by_period(periods, places, order);
            rows.take((!is_sorted).then_some(order), &self.chunk.bytes, &mut batch.cells);
            let mut ahead = order.iter().skip(KEYS_AHEAD);
            batch.keys.extend(order.iter().map(|&row| {
                if let Some(&row) = ahead.next() {
                    ask_for_one(keys, row as usize);
                }
                keys[row as usize]
            }));
            let (partitioning, source) = (&self.rules.partitioning, sources::ALL[source].name());
            let period = |row: u32| periods[row as usize];
            let partition = |same: &[u32]| (partitioning.key_in(source, period(same[0])), same.len());
            batch.partitions.extend(order.chunk_by(|a, b| period(*a) == period(*b)).map(partition));
        }
        periods.clear();
        keys.clear();
        Normalized { batch, ..self.out }
    }
}

/// Orders rows by period, and those of one as they came; whether all are as they came.
fn order_by_period(periods: &[Period], places: &mut Vec<u32>, order: &mut Vec<u32>) -> bool {
    let rows = u32::try_from(periods.len()).expect("a chunk is small");
    order.clear();
    order.extend(0..rows);
    let numbers = || periods.iter().map(|period| period.number());
    let (Some(least), Some(most)) = (numbers().min(), numbers().max()) else { return true };
    if periods.is_sorted() {
        return true;
    }
    if most - least > PERIODS_BY_ROW * rows {
        order.sort_by_key(|row| periods[*row as usize]);
        return false;
    }
    places.clear();
    places.resize((most - least) as usize + 1, 0);
    for number in numbers() {
        places[(number - least) as usize] += 1;
    }
    let mut end = 0;
    for place in places.iter_mut() {
        end += std::mem::replace(place, end);
    }
    for (number, row) in numbers().zip(0..) {
        let place = &mut places[(number - least) as usize];
        order[*place as usize] = row;
        *place += 1;
    }
    false
}

fn error_body() -> Reject {
    Reject::new(Reason::ApiErrorPage, "an API's error body, no page of records")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_ordered_by_period_however_far_those_are_apart() {
        let (mut places, mut order) = (Vec::new(), Vec::new());
        for years in [1, 9, 9_000] {
            for rows in [0, 1, 2, 3, 700] {
                let ymd = |row: i32| (1 + row * 7919 % years, 1 + row.cast_unsigned() * 31 % 12, 1);
                let periods: Vec<_> = (0..rows).map(|row| Partitioning::default().period(ymd(row))).collect();
                let mut expected: Vec<u32> = (0..).take(periods.len()).collect();
                expected.sort_by_key(|row| periods[*row as usize]);
                let is_sorted = order_by_period(&periods, &mut places, &mut order);
                assert_eq!((&order, is_sorted), (&expected, periods.is_sorted()), "{years} years, {rows} rows");
            }
        }
    }
}
