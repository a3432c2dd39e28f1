//! Where records end: one pass over a dump's bytes, whatever its shape, holding no more than a record.
//!
//! The scanner owns the bytes that are not handed on yet and is asked for one [`Step`] at a time. Between records it
//! reads byte by byte, inside them by braces alone where they tell enough ([`object_end`]), by brackets and strings elsewhere
//! ([`ValueScan`]). It counts every byte either as structure (white space, commas, brackets, envelopes) or as part of an
//! item, which is what the conservation check stands on.
//!
//! What surprises: whether an object at the top is a record or a page envelope cannot be known from its start. It is an
//! envelope from the moment a member with an envelope's key opens an array, unless the whole object ends soon and turns
//! out to be told as a record.

use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use super::object::{ObjectEnd, object_end};
use super::resync::{Resync, Search};
use super::value::{Found, ValueScan};
use crate::model::json::Reader;
use crate::model::reject::{Reason, Reject};

/// The largest record.
pub const MAX_RECORD: usize = 64 << 20;
const TOO_LARGE: &str = "the record is larger than 64 MiB";
/// Bytes that may be scanned in vain before the rest of a dump is given up, and how many more for each byte consumed.
const WASTE: u64 = 256 << 20;
const WASTE_FACTOR: u64 = 8;
/// So much behind an item that is none is handed on, and forgotten where no item is in it.
const IDLE: u64 = 1 << 20;
/// How much is looked at before an object or array is taken for what it seems to be.
const TENTATIVE: usize = 64 << 10;

/// What the scanner must know of records, which it does not read.
#[derive(Clone, Copy)]
pub struct Shapes<'a> {
    /// Keys under which envelopes hold their records.
    pub envelope_keys: &'a [&'a str],
    /// The number of the source that tells the record with this text, if exactly one does.
    pub told: &'a (dyn Fn(&[u8]) -> Option<usize> + Sync),
}

impl Shapes<'_> {
    /// Whether the bracket behind `before` opens the list of an envelope.
    pub(super) fn is_list(&self, before: &[u8]) -> bool {
        has_key(before, self.envelope_keys)
    }
}

impl std::fmt::Debug for Shapes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shapes").field("envelope_keys", &self.envelope_keys).finish_non_exhaustive()
    }
}

/// A piece of a dump, with indices into the chunk's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An object that should be a record.
    Record {
        /// Index of the first byte.
        start: usize,
        /// Index behind the last byte.
        end: usize,
        /// Whether it stands alone, in no array or envelope.
        alone: bool,
    },
    /// Something else where a record should be, in an array.
    Element {
        /// Index of the first byte.
        start: usize,
        /// Index behind the last byte.
        end: usize,
    },
    /// A whole document that holds no records.
    Document {
        /// Index of the first byte.
        start: usize,
        /// Index behind the last byte.
        end: usize,
    },
    /// A place where the dump is no dump.
    Fault(Box<Fault>),
}

impl Item {
    /// How many bytes of the dump it keeps in memory.
    pub(super) fn held(&self) -> u64 {
        match self {
            &Self::Record { start, end, .. } | &Self::Element { start, end } | &Self::Document { start, end } => {
                (end - start) as u64
            }
            Self::Fault(fault) => match &fault.text {
                FaultText::Bytes(bytes) => bytes.len() as u64,
                FaultText::Digest(_) => 0,
            },
        }
    }
}

/// A stretch of a dump that is rejected as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Offset in the decompressed dump.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// Why.
    pub reject: Reject,
    /// What stands there.
    pub text: FaultText,
}

/// The text of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultText {
    /// The bytes.
    Bytes(Vec<u8>),
    /// Too many to keep: their SHA-256.
    Digest([u8; 32]),
}

/// What one step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Something was consumed; go on.
    Progress,
    /// More bytes are needed.
    NeedData,
    /// What is consumed must be handed on, as it and what follows are too large to keep.
    HandOn,
    /// The dump has ended and all of it is consumed.
    End,
}

#[derive(Clone, Debug)]
enum Place {
    /// Between documents.
    Top,
    /// In an array of records.
    List { expect: Expect, envelope: bool },
    /// Behind a list in its envelope.
    Tail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// A record or the end.
    First,
    /// A comma or the end.
    Comma,
    /// A record, as a comma stands before.
    Element,
}

/// What is being scanned over more than one step; every one begins at `pos`.
#[derive(Debug)]
enum Work {
    /// An object or array.
    Value { scan: ValueScan, kind: ValueKind },
    /// An object that may be an envelope: its list would open at `list`.
    MaybeEnvelope { scan: ValueScan, list: usize },
    /// An array at the top that does not begin with an object.
    MaybeList { scan: ValueScan },
    /// A string, number or word in a list: how much of it was looked at, and whether that ends in an open escape.
    Scalar { seen: usize, escaped: bool },
    /// A value that is too large to keep: what is dropped of it is hashed.
    Oversize { scan: ValueScan, hash: Sha256, offset: u64, dropped: u64 },
    /// Something broken: where does the next record begin?
    Broken { search: Search, reason: Reason, what: &'static str },
    /// As before, but too long to keep.
    OversizeBroken { hash: Sha256, offset: u64, dropped: u64, search: Search, reason: Reason, what: &'static str },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValueKind {
    /// An object at the top: a record, or an envelope to be found out.
    Top,
    /// An object in a list.
    InList,
    /// An array in a list.
    Element,
    /// A document without records.
    Document,
    /// The rest of an envelope.
    Tail,
}

/// The scanner of one dump.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact about the dump of its own")]
pub(super) struct Scanner<'s> {
    shapes: Shapes<'s>,
    /// Bytes not handed on yet, and where they begin in the dump.
    pub(super) bytes: Vec<u8>,
    pub(super) base: u64,
    /// Everything before this index is consumed.
    pub(super) pos: usize,
    /// Whether `bytes` reaches the end of the dump.
    pub(super) ended: bool,
    pub(super) items: Vec<Item>,
    /// Bytes counted as structure and as items.
    pub(super) structure: u64,
    pub(super) covered: u64,
    /// Whether documents without records are all that is looked for.
    pub(super) opaque: bool,
    place: Place,
    work: Option<Work>,
    /// The text of the open envelope without its records, and where it begins.
    skeleton: Vec<u8>,
    skeleton_at: u64,
    /// Offset of the last comma in a list.
    comma: u64,
    /// Where the bytes since the last item begin, if they are still held and a line may begin there.
    item_end: Option<usize>,
    any_item: bool,
    /// Whether records have been seen to stand one on a line, and whether the last one may have: it is known once the
    /// byte behind it is.
    lines: bool,
    maybe_line: bool,
    /// Offset behind the last byte consumed that is not white space.
    solid: u64,
    /// Offset behind the last item, or behind what was handed on since.
    idle_from: u64,
    /// Bytes that were scanned as a value that then turned out broken.
    wasted: u64,
    reader: Reader,
}

impl<'s> Scanner<'s> {
    pub(super) fn new(shapes: Shapes<'s>) -> Self {
        Self {
            shapes,
            bytes: Vec::new(),
            base: 0,
            pos: 0,
            ended: false,
            items: Vec::new(),
            structure: 0,
            covered: 0,
            opaque: false,
            place: Place::Top,
            work: None,
            skeleton: Vec::new(),
            skeleton_at: 0,
            comma: 0,
            item_end: Some(0),
            any_item: false,
            lines: false,
            maybe_line: false,
            solid: 0,
            idle_from: 0,
            wasted: 0,
            reader: Reader::default(),
        }
    }

    /// Starts over at the dump's first byte, all of which must still be held, and takes every document as one piece.
    pub(super) fn restart_opaque(&mut self) {
        debug_assert_eq!(self.base, 0, "nothing was handed on yet");
        let bytes = std::mem::take(&mut self.bytes);
        *self = Self { bytes, ended: self.ended, opaque: true, ..Self::new(self.shapes) };
    }

    /// Hands on everything consumed: its bytes and items. Further bytes go to the empty buffer `rest`.
    pub(super) fn take(&mut self, mut rest: Vec<u8>) -> (u64, Vec<u8>, Vec<Item>) {
        rest.extend_from_slice(&self.bytes[self.pos..]);
        let mut taken = std::mem::replace(&mut self.bytes, rest);
        taken.truncate(self.pos);
        let base = self.base;
        self.base += self.pos as u64;
        self.item_end = self.item_end.filter(|end| *end == self.pos).map(|_| 0);
        self.pos = 0;
        (base, taken, std::mem::take(&mut self.items))
    }

    /// Consumes a little more of the dump.
    pub(super) fn step(&mut self) -> Step {
        // Most often there is none, and it is large to move.
        if self.work.is_some()
            && let Some(work) = self.work.take()
        {
            return self.go_on(work);
        }
        match self.place {
            Place::Top => self.step_top(),
            Place::List { expect, envelope } => self.step_list(expect, envelope),
            Place::Tail => self.begin(ValueScan::inside_object(), ValueKind::Tail),
        }
    }

    /// Whether an item has just ended, so that a chunk may end here too.
    pub(super) fn at_item_end(&self) -> bool {
        self.item_end == Some(self.pos) && self.any_item && self.work.is_none()
    }

    fn offset(&self, index: usize) -> u64 {
        self.base + index as u64
    }

    /// Consumes bytes as structure.
    fn skip(&mut self, count: usize) {
        self.pos += count;
        self.structure += count as u64;
        self.solid = self.offset(self.pos);
    }

    /// Consumes white space; tells whether so much was consumed since the last item that it must be handed on.
    fn skip_space(&mut self) -> bool {
        let space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        let most = (self.idle_from + IDLE).saturating_sub(self.offset(self.pos));
        let most = usize::try_from(most).expect("no more than is idle");
        let ahead = &self.bytes[self.pos..];
        let ahead = &ahead[..ahead.len().min(most)];
        let count = ahead.iter().position(|byte| !space(byte)).unwrap_or(ahead.len());
        self.pos += count;
        self.structure += count as u64;
        let much = count == most;
        if much {
            self.idle_from = self.offset(self.pos);
        }
        much
    }

    /// Consumes bytes up to `end` as an item.
    fn emit(&mut self, end: usize, item: Item) -> Step {
        self.covered += (end - self.pos) as u64;
        self.pos = end;
        (self.item_end, self.any_item) = (Some(end), true);
        self.solid = self.offset(end);
        self.idle_from = self.solid;
        self.items.push(item);
        Step::Progress
    }

    /// Consumes bytes up to `end` as a fault.
    fn fault(&mut self, end: usize, reason: Reason, what: &'static str) -> Step {
        let text = FaultText::Bytes(self.bytes[self.pos..end].to_vec());
        let (offset, length) = (self.offset(self.pos), (end - self.pos) as u64);
        self.emit(end, Item::Fault(Box::new(Fault { offset, length, reject: Reject::new(reason, what), text })))
    }

    /// Notes a fault in bytes that are counted as structure already, or in none at all.
    fn note(&mut self, offset: u64, text: Vec<u8>, reject: Reject) {
        let fault = Fault { offset, length: text.len() as u64, reject, text: FaultText::Bytes(text) };
        self.items.push(Item::Fault(Box::new(fault)));
    }

    fn begin(&mut self, scan: ValueScan, kind: ValueKind) -> Step {
        self.value(scan, kind)
    }

    /// Goes on behind something broken at `pos`, of which `scanned` bytes were looked at.
    fn broken(&mut self, scanned: usize, reason: Reason, what: &'static str) -> Step {
        self.wasted += scanned as u64;
        let search = self.search();
        self.go_on(Work::Broken { search, reason, what })
    }

    fn search(&self) -> Search {
        if self.wasted > WASTE + WASTE_FACTOR * self.offset(self.pos) {
            return Search::none();
        }
        let in_list = matches!(self.place, Place::List { .. });
        let before = self.item_end.map(|start| &self.bytes[start..self.pos]);
        let line = before.and_then(|before| match before.iter().rposition(|byte| *byte == b'\n') {
            Some(newline) => Some(&before[newline + 1..]),
            None if self.any_item => None,
            None => Some(before),
        });
        Search::new(line, self.bytes.get(self.pos).copied().unwrap_or_default(), in_list, self.lines)
    }

    fn step_top(&mut self) -> Step {
        if self.base == 0
            && self.pos == 0
            && let Some(step) = self.step_start()
        {
            return step;
        }
        if let Some(byte) = self.bytes.get(self.pos) {
            self.lines |= std::mem::take(&mut self.maybe_line) && matches!(byte, b'\n' | b'\r');
        }
        if self.skip_space() {
            return Step::HandOn;
        }
        match self.bytes.get(self.pos) {
            None if self.ended => Step::End,
            None => Step::NeedData,
            Some(b'{' | b'[') if self.opaque => self.begin(ValueScan::new(), ValueKind::Document),
            Some(b'{') => self.begin_object(ValueKind::Top),
            Some(b'[') => self.begin_array(),
            Some(b'<') => self.step_markup(),
            Some(_) => self.broken(0, Reason::InvalidJson, "expected an object or an array"),
        }
    }

    /// The first bytes of a dump: a byte order mark.
    fn step_start(&mut self) -> Option<Step> {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        if self.bytes.len() < MARK.len() && !self.ended {
            return Some(Step::NeedData);
        }
        if self.bytes.starts_with(MARK) {
            self.skip(MARK.len());
            self.item_end = Some(self.pos);
        } else if self.bytes.starts_with(b"\xFF\xFE") || self.bytes.starts_with(b"\xFE\xFF") {
            let search = Search::none();
            let what = "the dump is UTF-16; convert it to UTF-8";
            return Some(self.go_on(Work::Broken { search, reason: Reason::InvalidUnicode, what }));
        }
        None
    }

    fn begin_object(&mut self, kind: ValueKind) -> Step {
        match object_end(&self.bytes[self.pos..], kind == ValueKind::InList, self.ended) {
            ObjectEnd::At(length) => self.end_value(self.pos + length, kind),
            ObjectEnd::Hidden => self.begin(ValueScan::new(), kind),
            ObjectEnd::NeedData => Step::NeedData,
        }
    }

    fn begin_array(&mut self) -> Step {
        let space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        let shown = &self.bytes[self.pos + 1..];
        let shown = &shown[..shown.len().min(TENTATIVE)];
        match shown.iter().find(|byte| !space(byte)) {
            None if !self.ended && shown.len() < TENTATIVE => Step::NeedData,
            Some(b'{' | b']') | None => {
                self.skip(1);
                self.place = Place::List { expect: Expect::First, envelope: false };
                Step::Progress
            }
            Some(_) => self.go_on(Work::MaybeList { scan: ValueScan::new() }),
        }
    }

    fn step_markup(&mut self) -> Step {
        const STARTS: &[&str] = &["<!doctype", "<html", "<?xml", "<head", "<body", "<title", "<h1", "<!--"];
        let longest = 16;
        if self.bytes.len() - self.pos < longest && !self.ended {
            return Step::NeedData;
        }
        let head = &self.bytes[self.pos..self.bytes.len().min(self.pos + longest)];
        let is = |start: &&str| head.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()));
        if STARTS.iter().any(is) {
            let search = Search::told_only();
            let what = "an HTML or XML page, no JSON";
            return self.go_on(Work::Broken { search, reason: Reason::ApiErrorPage, what });
        }
        self.broken(0, Reason::InvalidJson, "expected an object or an array")
    }

    fn step_list(&mut self, expect: Expect, envelope: bool) -> Step {
        if self.skip_space() {
            return Step::HandOn;
        }
        let Some(&byte) = self.bytes.get(self.pos) else {
            if !self.ended {
                return Step::NeedData;
            }
            self.note_cut_list(envelope);
            self.place = Place::Top;
            return Step::Progress;
        };
        match (byte, expect) {
            (b']', _) => self.end_list(expect, envelope),
            (b',', Expect::Comma) => {
                self.comma = self.offset(self.pos);
                self.skip(1);
                self.expect(Expect::Element);
                self.step_list(Expect::Element, envelope)
            }
            (b',', _) => {
                self.expect(Expect::First);
                self.fault(self.pos + 1, Reason::InvalidJson, "a comma without a value before it")
            }
            (_, Expect::Comma) => {
                let what = "expected `,` or `]` behind an element";
                self.note(self.offset(self.pos), Vec::new(), Reject::new(Reason::InvalidJson, what));
                self.expect(Expect::First)
            }
            (b'{', _) => self.begin_object(ValueKind::InList),
            (b'[', _) => self.begin(ValueScan::new(), ValueKind::Element),
            (b'}', _) => self.broken(0, Reason::InvalidJson, "`}` closes an array"),
            _ => self.scalar_element(1, false),
        }
    }

    /// Notes that the dump ends inside a list: of an envelope with its text so far, of a bare array with nothing.
    fn note_cut_list(&mut self, envelope: bool) {
        if envelope {
            let message = format!("the envelope that begins here is cut at byte {} of the dump", self.solid);
            let skeleton = std::mem::take(&mut self.skeleton);
            self.note(self.skeleton_at, skeleton, Reject::new(Reason::TruncatedInput, message));
        } else {
            let reject = Reject::new(Reason::TruncatedInput, "the dump ends inside an array of records");
            self.note(self.solid.saturating_sub(1), Vec::new(), reject);
        }
    }

    fn expect(&mut self, next: Expect) -> Step {
        if let Place::List { expect, .. } = &mut self.place {
            *expect = next;
        }
        Step::Progress
    }

    fn end_list(&mut self, expect: Expect, envelope: bool) -> Step {
        if expect == Expect::Element {
            let reject = Reject::new(Reason::InvalidJson, "a comma without a value behind it");
            self.note(self.comma, vec![b','], reject);
        }
        self.skip(1);
        self.place = if envelope { Place::Tail } else { Place::Top };
        Step::Progress
    }

    /// A string, number or word where a record should be, of which `seen` bytes were looked at.
    fn scalar_element(&mut self, seen: usize, mut escaped: bool) -> Step {
        let rest = &self.bytes[self.pos..];
        let shown = &rest[..rest.len().min(MAX_RECORD)];
        let is_string = shown[0] == b'"';
        let end = shown[seen..].iter().position(|&byte| {
            // White space is JSON's alone: what is none must be part of the element, or it would have no end to it.
            let ends = match is_string {
                true => byte == b'\n' || (byte == b'"' && !escaped),
                false => b" \n\r\t,[]{}\"".contains(&byte),
            };
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let length = match end {
            Some(at) => seen + at + usize::from(is_string),
            None if !self.ended && shown.len() < MAX_RECORD => {
                self.work = Some(Work::Scalar { seen: shown.len(), escaped });
                return Step::NeedData;
            }
            None => shown.len(),
        };
        let (start, end) = (self.pos, self.pos + length);
        self.expect(Expect::Comma);
        self.emit(end, Item::Element { start, end })
    }

    fn go_on(&mut self, work: Work) -> Step {
        match work {
            Work::Value { scan, kind } => self.value(scan, kind),
            Work::MaybeEnvelope { scan, list } => self.maybe_envelope(scan, list),
            Work::MaybeList { scan } => self.maybe_list(scan),
            Work::Scalar { seen, escaped } => self.scalar_element(seen, escaped),
            Work::Oversize { scan, hash, offset, dropped } => self.oversize(scan, hash, offset, dropped),
            Work::Broken { search, reason, what } => self.resync(search, reason, what),
            Work::OversizeBroken { hash, offset, dropped, search, reason, what } => {
                self.oversize_broken(hash, offset, dropped, search, reason, what)
            }
        }
    }

    fn value(&mut self, mut scan: ValueScan, kind: ValueKind) -> Step {
        let value = &self.bytes[self.pos..];
        // No more is looked at than may be kept, so that it does not matter how much is there.
        let shown = &value[..value.len().min(MAX_RECORD)];
        let all = self.ended && shown.len() == value.len();
        let lists = matches!(kind, ValueKind::Top | ValueKind::Tail);
        let found =
            scan.scan(shown, all, |at, byte| match lists && byte == b'[' && self.shapes.is_list(&shown[..at]) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            });
        match found {
            Found::End(length) => self.end_value(self.pos + length, kind),
            Found::Stopped(at) if kind == ValueKind::Tail => self.enter_list(at),
            Found::Stopped(list) => self.go_on(Work::MaybeEnvelope { scan: ValueScan::new(), list }),
            Found::Broken(at) => {
                self.broken(at, Reason::InvalidJson, "a bracket, quote or line end where it can't stand")
            }
            Found::More if all => {
                let scanned = value.len();
                self.broken(scanned, Reason::TruncatedInput, "the dump ends inside a record")
            }
            Found::More if value.len() > MAX_RECORD && self.pos == 0 => self.begin_oversize(scan),
            Found::More => {
                let large = value.len() > MAX_RECORD;
                self.work = Some(Work::Value { scan, kind });
                if large { Step::HandOn } else { Step::NeedData }
            }
        }
    }

    fn end_value(&mut self, end: usize, kind: ValueKind) -> Step {
        let start = self.pos;
        match kind {
            ValueKind::Top => {
                self.maybe_line = !self.bytes[start + 1].is_ascii_whitespace();
                self.emit(end, Item::Record { start, end, alone: true })
            }
            ValueKind::InList => {
                self.expect(Expect::Comma);
                self.emit(end, Item::Record { start, end, alone: false })
            }
            ValueKind::Element => {
                self.expect(Expect::Comma);
                self.emit(end, Item::Element { start, end })
            }
            ValueKind::Document => self.emit(end, Item::Document { start, end }),
            ValueKind::Tail => {
                self.end_envelope(end);
                Step::Progress
            }
        }
    }

    fn maybe_envelope(&mut self, mut scan: ValueScan, list: usize) -> Step {
        let value = &self.bytes[self.pos..];
        let limit = list + TENTATIVE;
        let shown = value.len().min(limit);
        let all = self.ended || shown == limit;
        match scan.scan(&value[..shown], all, |_, _| ControlFlow::Continue(())) {
            Found::End(length) if (self.shapes.told)(&value[..length]).is_some() => {
                self.end_value(self.pos + length, ValueKind::Top)
            }
            Found::More if !all => {
                self.work = Some(Work::MaybeEnvelope { scan, list });
                Step::NeedData
            }
            _ => {
                self.skeleton.clear();
                self.skeleton_at = self.offset(self.pos);
                self.enter_list(list)
            }
        }
    }

    /// Goes into the list that opens `list` bytes from here; what is before it belongs to the envelope.
    fn enter_list(&mut self, list: usize) -> Step {
        self.skeleton.extend_from_slice(&self.bytes[self.pos..self.pos + list]);
        self.skeleton.extend_from_slice(b"[]");
        self.skip(list + 1);
        self.place = Place::List { expect: Expect::First, envelope: true };
        Step::Progress
    }

    /// Ends an envelope and checks what of it is not records.
    fn end_envelope(&mut self, end: usize) {
        self.skeleton.extend_from_slice(&self.bytes[self.pos..end]);
        self.skip(end - self.pos);
        self.place = Place::Top;
        let skeleton = std::mem::take(&mut self.skeleton);
        let checked = match std::str::from_utf8(&skeleton) {
            Ok(text) => self.reader.check(text).map(|_| ()).map_err(|broken| {
                let message = format!("in the envelope around the records: {}", broken.what);
                Reject::new(broken.reason, message)
            }),
            Err(_) => Err(Reject::new(Reason::InvalidUnicode, "the envelope around the records is no UTF-8")),
        };
        if let Err(reject) = checked {
            self.note(self.skeleton_at, skeleton, reject);
        }
    }

    fn maybe_list(&mut self, mut scan: ValueScan) -> Step {
        let value = &self.bytes[self.pos..];
        let shown = value.len().min(TENTATIVE);
        let all = self.ended || shown == TENTATIVE;
        let object = |_: usize, byte: u8| if byte == b'{' { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        match scan.scan(&value[..shown], all, object) {
            Found::Stopped(_) => {
                self.skip(1);
                self.place = Place::List { expect: Expect::First, envelope: false };
                Step::Progress
            }
            Found::More if !all => {
                self.work = Some(Work::MaybeList { scan });
                Step::NeedData
            }
            _ => self.begin(ValueScan::new(), ValueKind::Document),
        }
    }

    fn begin_oversize(&mut self, scan: ValueScan) -> Step {
        self.go_on(Work::Oversize { scan, hash: Sha256::new(), offset: self.offset(self.pos), dropped: 0 })
    }

    /// Drops what is scanned of a value, hashing it; one byte stays, for the scan looks back.
    fn oversize(&mut self, mut scan: ValueScan, mut hash: Sha256, offset: u64, mut dropped: u64) -> Step {
        match scan.scan(&self.bytes[self.pos..], self.ended, |_, _| ControlFlow::Continue(())) {
            Found::End(length) => {
                dropped += self.drop_hashed(length, &mut hash);
                self.end_oversize(hash, offset, dropped, Reason::RecordTooLarge, TOO_LARGE);
                if matches!(self.place, Place::Tail) {
                    // It was the rest of an envelope.
                    self.place = Place::Top;
                }
                self.expect(Expect::Comma)
            }
            Found::Broken(length) => {
                dropped += self.drop_hashed(length, &mut hash);
                self.wasted += dropped;
                let search = self.search();
                self.go_on(Work::OversizeBroken {
                    hash,
                    offset,
                    dropped,
                    search,
                    reason: Reason::RecordTooLarge,
                    what: TOO_LARGE,
                })
            }
            _ if self.ended => {
                dropped += self.drop_hashed(self.bytes.len() - self.pos, &mut hash);
                self.end_oversize(hash, offset, dropped, Reason::TruncatedInput, "the dump ends inside a record");
                self.place = Place::Top;
                Step::Progress
            }
            _ => {
                let count = scan.seen().saturating_sub(1);
                dropped += self.drop_hashed(count, &mut hash);
                scan.forget(count);
                self.work = Some(Work::Oversize { scan, hash, offset, dropped });
                Step::NeedData
            }
        }
    }

    /// Consumes `count` bytes into the hash and forgets them.
    fn drop_hashed(&mut self, count: usize, hash: &mut Sha256) -> u64 {
        hash.update(&self.bytes[self.pos..self.pos + count]);
        self.bytes.drain(self.pos..self.pos + count);
        // The bytes before are still to be handed on with their indices, so only an emptied buffer may move on.
        debug_assert_eq!(self.pos, 0, "chunks end before an oversize value");
        self.base += count as u64;
        count as u64
    }

    fn end_oversize(&mut self, hash: Sha256, offset: u64, length: u64, reason: Reason, what: &'static str) {
        let text = FaultText::Digest(hash.finalize().into());
        self.covered += length;
        (self.item_end, self.any_item) = (Some(self.pos), true);
        self.solid = self.offset(self.pos);
        self.idle_from = self.solid;
        self.items.push(Item::Fault(Box::new(Fault { offset, length, reject: Reject::new(reason, what), text })));
    }

    /// Looks for the next record behind something broken that begins at `pos`.
    fn resync(&mut self, mut search: Search, reason: Reason, what: &'static str) -> Step {
        let rest = &self.bytes[self.pos..];
        let shown = &rest[..rest.len().min(MAX_RECORD)];
        let all = self.ended && shown.len() == rest.len();
        match search.run(shown, all, &self.shapes) {
            Resync::Found { end, next, document } => {
                let (reason, what) = match reason {
                    // It does not end, but the dump goes on.
                    Reason::TruncatedInput => (Reason::InvalidJson, "a value does not end before the next one begins"),
                    _ => (reason, what),
                };
                self.broken_text(self.pos + end, reason, what);
                self.resume(next - end, document)
            }
            Resync::NeedData => {
                let large = rest.len() > MAX_RECORD;
                if large && self.pos == 0 {
                    let (hash, offset) = (Sha256::new(), self.offset(self.pos));
                    return self.go_on(Work::OversizeBroken { hash, offset, dropped: 0, search, reason, what });
                }
                self.work = Some(Work::Broken { search, reason, what });
                if large { Step::HandOn } else { Step::NeedData }
            }
            Resync::None => {
                let blank = self.bytes[self.pos..].iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
                self.broken_text(self.bytes.len() - blank, reason, what);
                self.skip(blank);
                self.place = Place::Top;
                Step::Progress
            }
        }
    }

    /// Emits what ends at `end` as a fault, or as a document when it is a lone number, string or word.
    fn broken_text(&mut self, end: usize, reason: Reason, what: &'static str) -> Step {
        let start = self.pos;
        let text = std::str::from_utf8(&self.bytes[start..end]);
        let lone = matches!(self.place, Place::Top) && !matches!(self.bytes[start], b'{' | b'[');
        if lone && text.is_ok_and(|text| self.reader.check(text).is_ok()) {
            return self.emit(end, Item::Document { start, end });
        }
        self.fault(end, reason, what)
    }

    /// Goes on with the next record, or with the next document, behind something broken.
    fn resume(&mut self, separators: usize, document: bool) -> Step {
        self.skip(separators);
        if document || matches!(self.place, Place::Tail) {
            self.place = Place::Top;
        }
        self.expect(Expect::First)
    }

    fn oversize_broken(
        &mut self,
        mut hash: Sha256,
        offset: u64,
        mut dropped: u64,
        mut search: Search,
        reason: Reason,
        what: &'static str,
    ) -> Step {
        match search.run(&self.bytes[self.pos..], self.ended, &self.shapes) {
            Resync::Found { end, next, document } => {
                dropped += self.drop_hashed(end, &mut hash);
                self.end_oversize(hash, offset, dropped, reason, what);
                self.resume(next - end, document)
            }
            Resync::NeedData => {
                let count = search.settled();
                dropped += self.drop_hashed(count, &mut hash);
                search.forget(count);
                self.work = Some(Work::OversizeBroken { hash, offset, dropped, search, reason, what });
                Step::NeedData
            }
            Resync::None => {
                dropped += self.drop_hashed(self.bytes.len() - self.pos, &mut hash);
                self.end_oversize(hash, offset, dropped, reason, what);
                self.place = Place::Top;
                Step::Progress
            }
        }
    }
}

/// Whether the bracket behind `before` is the value of a member with one of `keys`.
fn has_key(before: &[u8], keys: &[&str]) -> bool {
    let Some(text) = before.trim_ascii_end().strip_suffix(b":") else { return false };
    let Some(text) = text.trim_ascii_end().strip_suffix(b"\"") else { return false };
    let escaped = |at: usize| text[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    let start = text.iter().enumerate().rev().find(|(at, byte)| **byte == b'"' && !escaped(*at)).map(|(at, _)| at + 1);
    let Some(key) = start.and_then(|start| text.get(start..)) else { return false };
    if !key.contains(&b'\\') {
        return keys.iter().any(|known| known.as_bytes() == key);
    }
    let quoted = format!("\"{}\"", String::from_utf8_lossy(key));
    let checked = Reader::default().check(&quoted).ok().and_then(|value| value.characters().map(String::from));
    checked.is_some_and(|key| keys.contains(&key.as_str()))
}
