//! The pure heart: a chunk of records becomes columns, rejects and counts. No files, no threads, no clock.
//!
//! Every item of the chunk is seen exactly once and becomes a row or a reject; the one thing that is neither is a
//! document that says it has no records (`{"list": null}`). Rows come out ordered by partition, and within one in input
//! order.

use twox_hash::{XxHash3_64, XxHash3_128};

use crate::extract::chunks::{Chunk, Fault, FaultText, Item};
use crate::load::keys::KeyEntry;
use crate::load::loader::Batch;
use crate::load::partition::{PartitionKey, Partitioning};
use crate::load::quarantine::{Raw, Rejected};
use crate::model::columns::{Placed, fill};
use crate::model::counts::{RowFacts, SourceCounts};
use crate::model::json::{Reader, Type};
use crate::model::reject::{Reason, Reject};
use crate::model::transaction::Transaction;
use crate::model::vocabulary::State;
use crate::sources::record::Record;
use crate::sources::{self, Mapped, Settings, Source, Told, tells};

/// What a run normalizes by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Settings by the number of the source.
    pub settings: Vec<Settings>,
    /// The partition levels.
    pub partitioning: Partitioning,
}

/// Where a chunk comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The dump's number in input order.
    pub dump: usize,
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

/// Normalizes one chunk.
#[must_use]
pub fn normalize(chunk: &Chunk, origin: Origin<'_>, rules: &Rules) -> Normalized {
    let mut worker = Worker {
        chunk,
        origin,
        rules,
        text: simdutf8::basic::from_utf8(&chunk.bytes).ok(),
        reader: Reader::default(),
        rows: Vec::with_capacity(chunk.items.len()),
        contents: Vec::with_capacity(chunk.items.len()),
        out: Normalized { counts: vec![SourceCounts::default(); sources::ALL.len()], ..Normalized::default() },
    };
    match chunk.source {
        Some(number) => worker.records(number),
        None => worker.documents(),
    }
    worker.finish()
}

struct Worker<'a> {
    chunk: &'a Chunk,
    origin: Origin<'a>,
    rules: &'a Rules,
    /// The chunk as text, when all of it is UTF-8.
    text: Option<&'a str>,
    reader: Reader,
    /// Rows with the offset of their record in the dump.
    rows: Vec<(Transaction<'a>, u64)>,
    /// Hashes of the records' texts, by row.
    contents: Vec<u64>,
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

impl<'a> Worker<'a> {
    /// Items of a dump of which the source is known.
    fn records(&mut self, number: usize) {
        let source = sources::ALL[number];
        let mut record = Record::new(source.documented());
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
        let text = self.text((start, end))?;
        record.read(&mut self.reader, text).map_err(Reject::from)?;
        if !tells(source, |name| record.has(name)) {
            Self::untold(source, text, alone)?;
        }
        let Mapped { row, notes } = source.map(record, self.rules.settings[number])?;
        let at = self.chunk.base + start as u64;
        let counts = &mut self.out.counts[number];
        counts.row(&RowFacts::from(&row));
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
        self.contents.push(XxHash3_64::oneshot(text.as_bytes()));
        self.rows.push((row, at));
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
        let value = self.reader.check(text).map_err(Reject::from)?;
        let message = format!("a record is an object, found {}", value.kind.name());
        Err(Reject::new(Reason::WrongType, message).into())
    }

    /// A document that is no dump, or one without records.
    fn document(&mut self, place: (usize, usize)) -> Result<(), Fate> {
        let text = self.text(place)?;
        let value = self.reader.check(text).map_err(Reject::from)?;
        let unknown = || Reject::new(Reason::UnknownFormat, "no known source tells records in this document").into();
        match value.kind {
            Type::Array if text[1..text.len() - 1].trim().is_empty() => Err(Fate::Empty),
            Type::Object => {
                let told = Told::of(text).map_err(Reject::from)?;
                match told.sources[..] {
                    [] if told.is_error_body() => Err(error_body().into()),
                    [] if told.is_empty_envelope() => Err(Fate::Empty),
                    [] => Err(unknown()),
                    [one, ref others @ ..] => {
                        let also: String = others.iter().map(|other| format!(" and {}", other.name())).collect();
                        let message = format!("told as {}{also}, but the dump's first records are not", one.name());
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

    /// The key of a row and what decides between rows of one key; `number` is its place in the chunk.
    fn key_entry(&self, row: &Transaction<'_>, number: u32) -> KeyEntry {
        let mut hash = XxHash3_128::new();
        hash.write(row.source.as_bytes());
        hash.write(&[0]);
        hash.write(row.transaction_id.as_bytes());
        KeyEntry {
            hash: hash.finish_128(),
            updated_at: row.updated_at,
            completed_at: row.completed_at,
            is_final: matches!(row.state, State::Succeeded | State::Failed),
            sequence: u64::from(number),
            content: self.contents[number as usize],
        }
    }

    fn finish(mut self) -> Normalized {
        let partitioning = &self.rules.partitioning;
        let key = |row: &Transaction<'_>| partitioning.key(row.source, row.occurred_at);
        let mut order: Vec<(PartitionKey, u32)> =
            (0..).zip(&self.rows).map(|(number, (row, _))| (key(row), number)).collect();
        if !order.is_sorted() {
            order.sort_unstable();
        }
        for chunk in order.chunk_by(|a, b| a.0 == b.0) {
            self.out.batch.partitions.push((chunk[0].0, chunk.len()));
        }
        let placed: Vec<Placed<'_>> = order
            .iter()
            .map(|&(_, number)| {
                let (row, offset) = &self.rows[number as usize];
                let source_offset = i64::try_from(*offset).expect("a file is smaller than 8 EiB");
                Placed { row, source_file: self.origin.source_file, source_offset }
            })
            .collect();
        self.out.batch.rows = placed.len();
        if !placed.is_empty() {
            self.out.batch.columns = fill(&placed);
        }
        let numbers = order.iter().map(|(_, number)| *number);
        self.out.batch.keys = numbers.zip(&placed).map(|(number, placed)| self.key_entry(placed.row, number)).collect();
        self.out
    }
}

fn error_body() -> Reject {
    Reject::new(Reason::ApiErrorPage, "an API's error body, no page of records")
}
