//! The shape of a dump says nothing of its records: each gives the same row or reject wherever it stands.
//!
//! Records of the samples, changed in many ways, are read one by one; then all of them as lines, as an array, as pages,
//! one behind the other, split over two dumps, and in pieces of other sizes. Every record must come to what it came to
//! alone, in every column but those of its place, and at the offset where it stands.

#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use libfuzzer_sys::{Corpus, fuzz_target};
use paynorm::extract::chunks::{Item, Sizes};
use paynorm::load::keys::KeyEntry;
use paynorm::load::quarantine::Raw;
use paynorm::model::columns::COLUMNS;
use paynorm::model::json::Reader;
use paynorm::normalize::Scratch;
use paynorm::sources;
use paynorm_fuzz::{Outcome, Row, WHOLE, chunks, outcome};

/// Records are taken with their members apart, as text.
type Members = Vec<(String, String)>;

/// The records of the samples.
static SAMPLES: LazyLock<Vec<Members>> = LazyLock::new(|| {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries(&samples).flat_map(|path| entries(&path).collect::<Vec<_>>()).collect();
    files.sort_unstable();
    let samples: Vec<_> = files.iter().flat_map(|path| members(&fs::read(path).expect("a sample"))).collect();
    assert!(samples.len() > 30, "the samples have records");
    samples
});

/// The members of the records of a dump.
fn members(dump: &[u8]) -> Vec<Members> {
    let (mut all, mut reader) = (Vec::new(), Reader::default());
    for chunk in chunks(dump, WHOLE, None).0 {
        for item in &chunk.items {
            let &Item::Record { start, end, .. } = item else { continue };
            let (Ok(text), mut members) = (std::str::from_utf8(&chunk.bytes[start..end]), Vec::new()) else { continue };
            let read = reader.members(text, |member| {
                members.push((member.raw_key.to_owned(), member.value.raw.to_owned()));
                Ok(())
            });
            all.extend(read.map(|()| members));
        }
    }
    all
}

/// Values that are worth trying in any member.
const VALUES: &[&str] = &[
    "null",
    "true",
    "\"\"",
    "0",
    "-1",
    "1.5e3",
    "14.719999999999999",
    "99999999999999.9999",
    "1e400",
    "\"1,0\"",
    "[]",
    "{}",
    "[[{}],{\"id\":[]}]",
    "{\"currency\":\"usd\",\"value\":\"1.25\",\"x\":[1]}",
    "\"2016-12-31T23:59:60Z\"",
    "\"0001-01-01\"",
    "\"\\ud83d\\ude00}{][\\\"\"",
    "\"\\ud83d\"",
    "\"\\u0000\"",
    "[ { \"list\" : [ ] } ]",
];
const KEYS: &[&str] = &[
    "id",
    "\\u0069d",
    "amount",
    "list",
    "payments",
    "transactions",
    "error",
    "x",
    "",
    "job",
    "remote_id",
    "offer_name",
    "bookingDate",
    "pagination",
];
const SPACES: &[&str] = &["", " ", "\n", "\r\n", "\t", "\n\n  "];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    records: Vec<Changed<'a>>,
    source: u8,
    split: u8,
    key: u8,
    space: u8,
    read: u8,
    chunk: u16,
    block: u16,
}

#[derive(Arbitrary, Debug)]
struct Changed<'a> {
    sample: u8,
    space: u8,
    edits: Vec<Edit<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Edit<'a> {
    Value { member: u8, value: u8 },
    Text { member: u8, text: &'a str },
    FromSample { member: u8, sample: u8, from: u8 },
    Key { member: u8, key: u8 },
    Insert { member: u8, key: &'a str, value: u8 },
    Swap { one: u8, other: u8 },
    Remove { member: u8 },
    Byte { at: u16, byte: u8 },
}

fn pick<T>(all: &[T], number: u8) -> Option<&T> {
    all.get(usize::from(number).checked_rem(all.len())?)
}

impl Changed<'_> {
    fn text(&self) -> Vec<u8> {
        let mut members = pick(&SAMPLES, self.sample).expect("there are samples").clone();
        self.edits.iter().for_each(|edit| edit.apply(&mut members));
        let space = pick(SPACES, self.space).expect("there are spaces");
        let members: Vec<_> = members.iter().map(|(key, value)| format!("{space}\"{key}\":{space}{value}")).collect();
        let mut text = format!("{{{}{space}}}", members.join(",")).into_bytes();
        for edit in &self.edits {
            if let &Edit::Byte { at, byte } = edit {
                let at = usize::from(at) % text.len();
                text[at] = byte;
            }
        }
        text
    }
}

impl Edit<'_> {
    fn apply(&self, members: &mut Members) {
        let count = members.len().max(1);
        let place = |member: u8| usize::from(member) % count;
        let constant = |value: u8| pick(VALUES, value).expect("there are values").to_string();
        match *self {
            Self::Insert { member, key, value } => members.insert(place(member), (key.to_owned(), constant(value))),
            _ if members.is_empty() => {}
            Self::Value { member, value } => members[place(member)].1 = constant(value),
            Self::Text { member, text } => text.clone_into(&mut members[place(member)].1),
            Self::FromSample { member, sample, from } => {
                let other = pick(&SAMPLES, sample).and_then(|members| pick(members, from));
                members[place(member)].1.clone_from(&other.expect("a sample has members").1);
            }
            Self::Key { member, key } => {
                members[place(member)].0 = pick(KEYS, key).expect("there are keys").to_string();
            }
            Self::Swap { one, other } => members.swap(place(one), place(other)),
            Self::Remove { member } => drop(members.remove(place(member))),
            Self::Byte { .. } => {}
        }
    }
}

/// What a record came to, but for its place.
#[derive(Debug, PartialEq)]
enum Fate {
    Row(Row, KeyEntry),
    /// The reject, as text.
    Reject(String),
}

/// What the records of a dump came to, each with its offset, and how many items held no record.
fn fates(dump: &[u8], sizes: Sizes, source: Option<usize>) -> (Vec<(usize, Fate)>, u64) {
    let (mut all, mut empty, mut scratch) = (Vec::new(), 0, Scratch::default());
    for chunk in chunks(dump, sizes, source).0 {
        let Outcome { rows, normalized } = outcome(&chunk, &mut scratch);
        empty += normalized.empty;
        for (mut row, key) in rows.into_iter().zip(&normalized.batch.keys) {
            let mut take = |name| {
                let place = COLUMNS.iter().position(|column| column.name == name).expect("a column");
                row[place].take().expect("every row has a place")
            };
            let (_, offset) = (take("source_file"), take("source_offset"));
            let offset = offset.as_primitive::<Int64Type>().value(0);
            let row = Fate::Row(row, KeyEntry { offset: 0, ..*key });
            all.push((usize::try_from(offset).expect("small"), row));
        }
        for rejected in normalized.rejects {
            let Raw::Bytes(raw) = rejected.raw else { panic!("a small text is kept") };
            let text = format!("{:?} {:?} {:?}", rejected.source, rejected.reject, String::from_utf8_lossy(&raw));
            all.push((usize::try_from(rejected.offset).expect("small"), Fate::Reject(text)));
        }
    }
    all.sort_by_key(|(offset, _)| *offset);
    (all, empty)
}

/// What the record comes to alone, if it is one: not where it is broken, or taken for a page.
fn alone(record: &[u8], source: usize) -> Option<Fate> {
    let whole = |chunk: &paynorm::extract::chunks::Chunk| matches!(chunk.items[..], [Item::Record { start: 0, end, .. }] if end == record.len());
    let (chunks, _) = chunks(record, WHOLE, Some(source));
    let [chunk] = &chunks[..] else { return None };
    let (mut all, empty) = fates(record, WHOLE, Some(source));
    (whole(chunk) && empty == 0).then(|| all.remove(0).1)
}

fuzz_target!(|input: Input<'_>| -> Corpus {
    let texts: Vec<_> = input.records.iter().take(8).map(Changed::text).collect();
    let first = texts.iter().find_map(|text| sources::told(text));
    let forced = usize::from(input.source) % sources::ALL.len();
    let mut kept = Corpus::Reject;
    for (source, named) in [(Some(forced), true), (first, true), (first, false)] {
        let Some(source) = source else { continue };
        let records: Vec<_> = texts.iter().filter_map(|text| Some((&text[..], alone(text, source)?))).collect();
        let named = named.then_some(source);
        if named.is_some() || records.iter().find_map(|(text, _)| sources::told(text)) == Some(source) {
            input.check(&records, named);
            kept = Corpus::Keep;
        }
    }
    kept
});

impl Input<'_> {
    fn check(&self, records: &[(&[u8], Fate)], source: Option<usize>) {
        let sizes = Sizes { read: 1 + usize::from(self.read), chunk: self.chunk.into(), block: self.block.into() };
        for shape in 0..SHAPES {
            let dump = self.shaped(records, shape);
            for sizes in [WHOLE, sizes] {
                compare(&dump, sizes, source, records);
            }
        }
        let (one, other) = records.split_at(usize::from(self.split) % (records.len() + 1));
        let shape = usize::from(self.split) % SHAPES;
        let dumps = [self.shaped(one, shape), self.shaped(other, usize::from(self.key) % SHAPES)];
        compare(&dumps.join(&b"\n"[..]), sizes, source, records);
        if source.is_some() {
            compare(&dumps[0], WHOLE, source, one);
            compare(&dumps[1], WHOLE, source, other);
        }
    }

    /// The records in a shape that a dump may have.
    fn shaped(&self, records: &[(&[u8], Fate)], shape: usize) -> Vec<u8> {
        let space = pick(SPACES, self.space).expect("there are spaces");
        let joined =
            |separator: &str| records.iter().map(|record| record.0).collect::<Vec<_>>().join(separator.as_bytes());
        let each = |before: &str, behind: &str| -> Vec<u8> {
            records.iter().flat_map(|(text, _)| [before.as_bytes(), text, behind.as_bytes()].concat()).collect()
        };
        let around = |before: &str, all: Vec<u8>, behind: &str| [before.as_bytes(), &all, behind.as_bytes()].concat();
        let keys = sources::envelope_keys();
        let key = pick(&keys, self.key).expect("there are envelopes");
        let before = format!(
            "{space}{{{space}\"pageNumber\":1,\"x\":{{\"list\":3,\"a\":[{{\"id\":1}}]}},\"{key}\":{space}[{space}"
        );
        let behind =
            format!("{space}],{space}\"pagination\":{{\"next\":null,\"page\":[1]}},\"endDate\":\"]}}\"}}{space}");
        match shape {
            0 => each("", "\n"),
            1 => around("[", joined(&format!("{space},{space}")), "]"),
            2 => each("", space),
            3 => around(&before, joined(","), &behind),
            4 => each(&before, &behind),
            5 => each(&format!("{{\"{key}\":null}}{space}"), &format!("{space}[]{{\"{key}\":[]}}")),
            6 => each(&format!("[{space}"), "]"),
            _ => each("\r\n", "\r\n"),
        }
    }
}

const SHAPES: usize = 8;

fn compare(dump: &[u8], sizes: Sizes, source: Option<usize>, records: &[(&[u8], Fate)]) {
    let (found, _) = fates(dump, sizes, source);
    let shown = || String::from_utf8_lossy(dump);
    assert_eq!(found.len(), records.len(), "{found:?}, in {}", shown());
    for ((offset, found), (text, expected)) in found.iter().zip(records) {
        assert_eq!(found, expected, "at {offset} in {}", shown());
        assert!(dump[*offset..].starts_with(text), "it is not at {offset} in {}", shown());
    }
}
