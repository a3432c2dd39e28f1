//! `JSONTestSuite`, driven through a program that reads dumps, in four ways: as a dump, as a line between good records, as
//! a member's value, and behind spaces, so that every value crosses every edge of a block.
//!
//! The files are not the project's: where their folder is not there, the tests say so and pass.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use paynorm::load::quarantine::Rejected;
use paynorm::model::reject::Reason;

use crate::harness::{Outcome, Place, Row, good, good_with, outcome, reject_line};

/// What must become of a file: accepted, refused, or either.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Must {
    Accept,
    Refuse,
    Either,
}

/// Files that are JSON and that a reader of records refuses with a reason of its own.
const REFUSED_FOR: &[(&str, Reason)] = &[
    // Of two members with one key, one would be lost.
    ("y_object_duplicated_key.json", Reason::DuplicateKey),
    ("y_object_duplicated_key_and_value.json", Reason::DuplicateKey),
];

/// Files that are no JSON and yet dumps: nothing at all, and several documents.
const DUMPS_ALL_THE_SAME: &[&str] = &[
    "n_single_space.json",
    "n_structure_UTF8_BOM_no_data.json",
    "n_structure_no_data.json",
    "n_structure_double_array.json",
    "n_structure_object_with_trailing_garbage.json",
];

/// Reasons that say that a text is no JSON that can be kept.
const NO_JSON: &[Reason] = &[
    Reason::InvalidJson,
    Reason::TooDeep,
    Reason::InvalidUnicode,
    Reason::TruncatedInput,
    Reason::DuplicateKey,
    Reason::RecordTooLarge,
];

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/suites/JSONTestSuite");
    if !folder.is_dir() {
        println!("skipped: the suite is not at {}", folder.display());
        return None;
    }
    Some(folder)
}

/// The files of the suite: name, what must become of it, content. Those to transform may go either way.
fn suite() -> Vec<(String, Must, Vec<u8>)> {
    let Some(folder) = folder() else { return Vec::new() };
    let mut files = Vec::new();
    for part in ["test_parsing", "test_transform"] {
        for entry in fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let must = match &name[..2] {
                "y_" => Must::Accept,
                "n_" => Must::Refuse,
                _ => Must::Either,
            };
            files.push((name, must, fs::read(path).unwrap()));
        }
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(files.len() > 300, "the suite is not whole");
    files
}

/// Collects what went wrong, to tell all of it at once.
#[derive(Default)]
struct Complaints(Vec<String>);

impl Complaints {
    fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }
}

impl Drop for Complaints {
    fn drop(&mut self) {
        assert!(self.0.is_empty() || std::thread::panicking(), "{} complaints:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// Whether a file was judged as it must be, by the reasons for which pieces of it were rejected.
fn judged(name: &str, must: Must, reasons: &[&str]) -> bool {
    let no_json = |code: &&&str| NO_JSON.iter().any(|reason| reason.code() == **code);
    let found: Vec<_> = reasons.iter().filter(no_json).collect();
    let own = REFUSED_FOR.iter().find(|(known, _)| *known == name);
    match (must, own) {
        (_, Some((_, reason))) => found == [&reason.code()],
        (Must::Accept, None) => found.is_empty(),
        (Must::Refuse, None) => !found.is_empty(),
        (Must::Either, None) => true,
    }
}

#[test]
fn each_file_is_a_dump() {
    let files = suite();
    if files.is_empty() {
        return;
    }
    // One run over all of them, each a dump of its own, and a good one.
    let place = Place::with(&[("good", good("1").as_bytes())]);
    for (name, _, content) in &files {
        place.write(&format!("in/{name}"), content);
    }
    place.normalize(&["--quiet"]).exits(3);
    let mut rejects: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for reject in place.rejects() {
        rejects.entry(reject["source_file"].as_str().unwrap().to_owned()).or_default().push(reject);
    }
    assert_eq!(place.rows().len(), 1, "none of the files is a payment");
    let mut complaints = Complaints::default();
    for (name, must, content) in &files {
        let rejects = rejects.remove(name).unwrap_or_default();
        let reasons: Vec<_> = rejects.iter().map(|reject| reject["reason"].as_str().unwrap()).collect();
        let must = if DUMPS_ALL_THE_SAME.contains(&name.as_str()) { Must::Accept } else { *must };
        complaints.unless(judged(name, must, &reasons), || format!("{name}: {reasons:?}"));
        for reject in &rejects {
            let end = reject["source_offset"].as_u64().unwrap() + reject["length"].as_u64().unwrap();
            complaints.unless(end <= content.len() as u64, || format!("{name}: beyond its end: {reject}"));
        }
    }
}

#[test]
fn a_file_between_two_good_lines_costs_them_nothing() {
    let (before, after) = (good("before"), good("after"));
    let alone = |record: &str| outcome(record.as_bytes()).rows[0].unplaced();
    let expected = [alone(&before), alone(&after)];
    let mut complaints = Complaints::default();
    for (name, must, content) in suite() {
        let dump = [before.as_bytes(), b"\n", &content, b"\n", after.as_bytes(), b"\n"].concat();
        let Outcome { rows, rejects, .. } = outcome(&dump);
        let offsets: Vec<_> = rows.iter().map(Row::offset).collect();
        let places = [0, before.len() + 1 + content.len() + 1];
        let untouched = rows.iter().map(Row::unplaced).eq(expected.iter().cloned()) && offsets == places;
        let lines: Vec<_> = rejects.iter().map(reject_line).collect();
        let shown = |what: &str| {
            format!("{name}: {what}: rows at {offsets:?} of {places:?}, {lines:?}").chars().take(400).collect()
        };
        complaints.unless(untouched, || shown("a neighbour suffered"));
        // A list that is never closed is told at the dump's end, where nothing is missing but its bracket.
        let apart = |reject: &Rejected, at: usize, record: &str| {
            reject.length == 0
                || reject.offset + reject.length <= at as u64
                || reject.offset >= (at + record.len()) as u64
        };
        let apart = |reject| apart(reject, places[0], &before) && apart(reject, places[1], &after);
        complaints.unless(rejects.iter().all(apart), || shown("a reject covers a neighbour"));
        let reasons: Vec<_> = rejects.iter().map(|reject| reject.reject.reason.code()).collect();
        let must = if DUMPS_ALL_THE_SAME.contains(&name.as_str()) { Must::Either } else { must };
        complaints.unless(judged(&name, must, &reasons), || shown("judged wrongly"));
    }
}

#[test]
fn a_file_is_the_value_of_a_member() {
    let mut complaints = Complaints::default();
    for (name, must, content) in suite() {
        let value = |text: &[u8], member: &str| {
            // The value stands in the middle of the record.
            let [head, tail] = [good_with("middle", ""), String::new()].map(String::into_bytes);
            let (head, rest) = head.split_at(1);
            [head, member.as_bytes(), text, b",", rest, &tail].concat()
        };
        for (member, mapped) in [("\"unknown\":", false), ("\"email\":", true)] {
            let record = value(&content, member);
            let dump = [good("before").as_bytes(), b"\n", &record, b"\n", good("after").as_bytes()].concat();
            let Outcome { rows, rejects, .. } = outcome(&dump);
            let ids: Vec<_> = rows.iter().map(Row::id).collect();
            let lines: Vec<_> = rejects.iter().map(reject_line).collect();
            let shown =
                |what: &str| format!("{name} as {member} {what}: {ids:?}, {lines:?}").chars().take(400).collect();
            complaints
                .unless(ids.first() == Some(&"before") && ids.last() == Some(&"after"), || shown("costs a neighbour"));
            let reasons: Vec<_> = rejects.iter().map(|reject| reject.reject.reason.code()).collect();
            complaints.unless(judged(&name, must, &reasons), || shown("judged wrongly"));
            if must == Must::Refuse {
                complaints.unless(!ids.contains(&"middle"), || shown("is a row"));
            }
            let Some(row) = rows.iter().find(|row| row.id() == "middle") else { continue };
            let text = String::from_utf8(content.clone()).unwrap();
            let text = text.trim_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
            if mapped {
                let characters = serde_json::from_str::<Option<String>>(text).expect("a string or null");
                let expected = characters.filter(|characters| !characters.is_empty());
                complaints.unless(row.get("payer_email").as_str() == expected.as_deref(), || shown("has another text"));
            } else {
                let expected = format!("{{\"unknown\":{text}}}");
                complaints.unless(row.text("extra") == expected, || shown("has another text"));
            }
        }
    }
}

#[test]
fn spaces_before_a_file_change_nothing() {
    let marked =
        |content: &[u8]| [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| content.starts_with(mark));
    let facts = |outcome: &Outcome, shift: u64| -> Vec<String> {
        let shifted = |reject: &Rejected| {
            let mut reject = reject.clone();
            reject.offset -= shift;
            reject_line(&reject)
        };
        outcome.rejects.iter().map(shifted).chain(outcome.rows.iter().map(ToString::to_string)).collect()
    };
    let mut complaints = Complaints::default();
    // A byte order mark is one at the very start only.
    for (name, _, content) in suite().into_iter().filter(|(_, _, content)| !marked(content)) {
        let expected = facts(&outcome(&content), 0);
        for spaces in 1..128 {
            if content.len() > 10_000 && spaces % 16 != 1 {
                continue;
            }
            let found = outcome(&[&vec![b' '; spaces], &content[..]].concat());
            let found = facts(&found, spaces as u64);
            complaints.unless(found == expected, || {
                format!("{name} behind {spaces} spaces: {found:?} not {expected:?}").chars().take(400).collect()
            });
        }
    }
}
