//! Properties of the scanner: how a dump is read never changes what is in it, and every byte is accounted for.

use std::ops::Range;

use paynorm::extract::chunks::{Chunk, FaultText, Item, MAX_RECORD, Sizes};
use paynorm::sources;
use proptest::prelude::*;

use crate::harness::{cases, chunks, good_with, outcome, reject_line};

/// A piece of a dump: what it is, where, and its text.
#[derive(Clone, PartialEq)]
struct Piece {
    what: String,
    at: usize,
    text: Vec<u8>,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\n  {} {} {:?}", self.at, self.what, String::from_utf8_lossy(&self.text))
    }
}

/// Everything in a dump, and after how many pieces blocks end, but for the last one.
fn scan(dump: &[u8], sizes: Sizes) -> (Vec<Piece>, Vec<usize>, Option<usize>) {
    let (chunks, counts) = chunks(dump, sizes);
    assert!(counts.balance(), "{counts:?}: {}", String::from_utf8_lossy(dump));
    assert_eq!(counts.read, dump.len() as u64);
    let (mut pieces, mut blocks) = (Vec::new(), Vec::new());
    let mut end = 0;
    for chunk in &chunks {
        let base = usize::try_from(chunk.base).unwrap();
        assert!(base >= end, "chunks come in order");
        end = base + chunk.bytes.len();
        assert_eq!(dump[base..end], chunk.bytes, "a chunk holds the bytes at its place");
        assert_eq!(chunk.source, chunks[0].source, "a dump is of one source");
        for item in &chunk.items {
            let (what, at, text) = match item {
                &Item::Record { start, end, .. } => ("record".into(), base + start, &chunk.bytes[start..end]),
                &Item::Element { start, end } => ("element".into(), base + start, &chunk.bytes[start..end]),
                &Item::Document { start, end } => ("document".into(), base + start, &chunk.bytes[start..end]),
                Item::Fault(fault) => {
                    let FaultText::Bytes(text) = &fault.text else { panic!("small faults are kept") };
                    assert_eq!(fault.length, text.len() as u64);
                    let what = format!("{} {}", fault.reject.reason.code(), fault.reject.message);
                    (what, usize::try_from(fault.offset).unwrap(), &text[..])
                }
            };
            pieces.push(Piece { what, at, text: text.to_vec() });
        }
        if chunk.ends_block {
            blocks.push(pieces.len());
        }
    }
    blocks.retain(|pieces_before| *pieces_before < pieces.len());
    (pieces, blocks, chunks.first().and_then(|chunk| chunk.source))
}

/// Scans a dump whole, checks what must hold of the pieces, and that other sizes give the same.
fn check(dump: &[u8], sizes: &[(usize, usize)]) -> Result<(), String> {
    let block = 200;
    let shown = String::from_utf8_lossy(dump);
    let expected = scan(dump, Sizes { read: 1 << 20, chunk: 1 << 20, block });
    let mut end = 0;
    for piece in &expected.0 {
        let there = dump.get(piece.at..piece.at + piece.text.len()) == Some(&piece.text[..]);
        // An envelope is told without the records in it.
        if !there && !piece.what.contains("envelope") {
            return Err(format!("{piece:?} is not at its place in {shown}"));
        }
        if there && !piece.text.is_empty() {
            if piece.at < end {
                return Err(format!("{piece:?} overlaps what is before it in {shown}"));
            }
            end = piece.at + piece.text.len();
        }
    }
    for &(read, chunk) in sizes {
        let found = scan(dump, Sizes { read, chunk, block });
        if found != expected {
            return Err(format!("read {read}, chunk {chunk}: {shown}\n is {found:?}\nnot {expected:?}"));
        }
    }
    Ok(())
}

/// Dumps that were once read in two ways, or are likely to be.
#[test]
fn awkward_dumps_are_read_in_one_way() {
    let mut wrong = Vec::new();
    for dump in [
        "[{\"net_amount\":1} \n",
        "[{\"net_amount\":1},,]",
        "{\"net_amount\":1}\n{\"net_amount\":1}\n{\"a\":\"x\n\"}\n",
        "[{\"net_amount\":1} , \r\n ",
        "{\"transactions\":[{\"net_amount\":1} \t",
        "{\"transactions\":[{\"net_amount\":1}] \n",
        "{\"net_amount\":1}\n{\"net_amount\":",
        "{\"net_amount\":1}\n{\"net_amount\":\"\n\n",
        "<html>\n {\"net_amount\":1} </html>",
        "[1, 2, {\"net_amount\":1}]",
        "[\"{\", [{\"net_amount\":1}]",
        "\u{feff}\u{feff}{\"net_amount\":1}",
        "[{\"net_amount\":1},\u{c}]",
        "[{\"net_amount\":1}\u{c},7\u{c}]\u{c}",
    ] {
        // Records are scanned in blocks of 64 bytes; they may end anywhere in one.
        let found = (0..64).find_map(|length| {
            let dump = dump.replace("1}", &format!("1,\"x\":\"{}\"}}", "x".repeat(length)));
            check(dump.as_bytes(), &[(1, 1), (1, 1 << 20), (2, 1), (3, 40), (64, 1)]).err()
        });
        wrong.extend(found);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What is looked at before a decision ends after 64 KiB, or where the budget of a search does: exactly there, whether or
/// not the dump is known to end there too.
#[test]
fn limits_are_the_same_however_a_dump_is_read() {
    let mut wrong = Vec::new();
    for length in 0..64 {
        let record = good_with("1", &format!(",\"x\":\"{}\"", "x".repeat(length)));
        // The first object does not end, and looking at it spends what is left for the second.
        let search = format!("({{\"much\":[{record},{}", " ".repeat(1 << 16));
        // An object with a list that ends with the last byte looked at, and one that goes on behind it.
        let head = format!("{{\"net_amount\":1,\"x\":\"{}\",\"list\":", "x".repeat(length));
        let [fits, longer] = [0, 1].map(|more| format!("{head}[{}]}}", " ".repeat((1 << 16) - 3 + more)));
        for dump in [search, fits, longer] {
            wrong.extend(check(dump.as_bytes(), &[(dump.len(), 1), (64, 1), (1 << 16, 1)]).err());
        }
    }
    assert!(wrong.is_empty(), "{} are wrong, first {:.400}", wrong.len(), wrong[0]);
}

/// White space, empty lists and empty pages take no memory, and change nothing.
#[test]
fn what_is_no_item_is_not_kept() {
    let (good, blank, empty) = (good_with("1", ""), " ".repeat(3 << 19), "[]".repeat(3 << 18));
    let pages = "{\"transactions\":[ ]}\n".repeat(1 << 16);
    for dump in [
        format!("{blank}{good}{blank}{good}"),
        format!("[{blank}{good}{blank},{good}{blank}]{blank}"),
        format!("{good}{empty}{good}\n{{\"x\":{good}"),
        format!("{pages}{good}{pages}{{\"transactions\":[{good}],{blank}\"x\":1}}"),
    ] {
        check(dump.as_bytes(), &[(70_001, 1)]).unwrap();
        let (chunks, _) = chunks(dump.as_bytes(), Sizes { read: 1 << 16, chunk: 1 << 16, block: 1 << 40 });
        let largest = chunks.iter().map(|chunk| chunk.bytes.len()).max().unwrap();
        assert!(largest < 3 << 19, "{largest} bytes are kept of {dump:.80} …");
        assert_eq!(chunks.iter().filter(|chunk| chunk.items.is_empty()).count(), 0);
    }
}

/// What is larger than a record may be is not kept; when that is seen must not depend on how much is there.
#[test]
fn what_is_too_large_is_the_same_however_a_dump_is_read() {
    let (good, long) = (good_with("1", ""), "7".repeat(MAX_RECORD));
    for dump in [format!("{{\"x\":\"{long}\n\"}}\n{good}"), format!("{long}7\n{good}")] {
        let items = |read| {
            let (chunks, counts) = chunks(dump.as_bytes(), Sizes { read, chunk: 1 << 20, block: 1 << 40 });
            assert!(counts.balance(), "{counts:?}");
            let item = |chunk: &Chunk, item: &Item| match item {
                &Item::Record { start, end, .. } => format!("{}+{} record", chunk.base + start as u64, end - start),
                &Item::Element { start, end } => format!("{}+{} element", chunk.base + start as u64, end - start),
                &Item::Document { start, end } => format!("{}+{} document", chunk.base + start as u64, end - start),
                Item::Fault(fault) => format!("{}+{} {:?}", fault.offset, fault.length, fault.reject),
            };
            let items = |chunk: &Chunk| chunk.items.iter().map(|i| item(chunk, i)).collect::<Vec<_>>();
            chunks.iter().flat_map(items).collect::<Vec<_>>()
        };
        assert_eq!(items(MAX_RECORD + 2), items(1 << 27), "{dump:.80} …");
    }
}

/// Text for strings in records: what a scanner could trip over.
fn awkward() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("],"),
        Just("\\\""),
        Just("\\\\"),
        Just(":"),
        Just("ü"),
        Just("\\n"),
        Just("x"),
        Just("\\u0022"),
        Just("{\\\"id\\\":1}"),
        Just(" "),
        Just("//"),
        Just("                         "),
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// Good records, told as one source, some with nested values and awkward text.
fn records() -> impl Strategy<Value = Vec<String>> {
    let pages = awkward().prop_map(|text| format!(" , \"transactions\" : [ [ ] , \"{text}\" ] "));
    numbered(prop_oneof![3 => more(), 1 => pages], 0..8)
}

/// What a record may hold beside what its source documents.
fn more() -> impl Strategy<Value = String> {
    prop_oneof![
        awkward().prop_map(|text| format!(",\"x\":\"{text}\"")),
        awkward().prop_map(|text| format!(",\"x{text}\":{{\"list\":[{{\"a\":[]}},\"{text}\"]}}")),
        Just(String::new()),
    ]
}

fn numbered(more: impl Strategy<Value = String>, count: Range<usize>) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(more, count)
        .prop_map(|all| all.iter().enumerate().map(|(number, more)| good_with(&format!("r{number}"), more)).collect())
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![Just(""), Just(" "), Just("\n"), Just("\r\n\t"), Just("\n\n  ")].prop_map(str::to_owned)
}

/// The records in every shape.
fn wrap(records: &[String], shape: usize, space: &str) -> String {
    let joined = |separator: &str| records.join(separator);
    match shape {
        0 => format!("{space}[{space}{}{space}]{space}", joined(&format!("{space},{space}"))),
        1 => joined("\n"),
        2 => format!("\u{feff}{}\r\n", joined("\r\n")),
        3 => joined(space),
        4 => format!("{{\"page\":{{\"n\":[1]}}{space},\"transactions\":{space}[{}]{space}}}", joined(",")),
        5 => format!("{{\"transactions\":[{}],{space}\"n\":\"]}}\"}}", joined(&format!(",{space}"))),
        6 => records.iter().map(|record| format!("{{\"transactions\":[{record}]}}{space}")).collect(),
        _ => records.iter().map(|record| format!("[{record}]{space}")).collect(),
    }
}

/// Tokens that make hostile dumps.
fn token_soup() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\""),
        Just("\\"),
        Just("\n"),
        Just(" "),
        Just("{\"id\":\"1\",\"offer_name\":\"\"}"),
        Just("\"list\":["),
        Just("\"transactions\":"),
        Just("null"),
        Just("1"),
        Just("<html>"),
        Just("\"a\""),
        Just("\"id\":"),
        Just("{\"list\":[{\"net_amount\":1}]}"),
        Just("\r\n"),
        Just("\u{feff}"),
        Just("é"),
        Just("\t"),
        Just("{\"id\":\"2\",\"net_amount\":1,\"x\":\"cut\n"),
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

/// A good dump with a few bytes replaced, removed or put in.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(b"{}[]\",:\\ \n\r\x00\xffa1".to_vec());
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, byte), 1..4);
    (records(), 0..8_usize, space(), edits).prop_map(|(records, shape, space, edits)| {
        let mut dump = wrap(&records, shape, &space).into_bytes();
        for (at, kind, byte) in edits {
            if dump.is_empty() {
                break;
            }
            let at = at.index(dump.len());
            match kind {
                0 => dump[at] = byte,
                1 => drop(dump.remove(at)),
                _ => dump.insert(at, byte),
            }
        }
        dump
    })
}

fn sizes() -> impl Strategy<Value = Vec<(usize, usize)>> {
    (1..90_usize, 1..400_usize).prop_map(|(read, chunk)| vec![(1, 1), (1, 1 << 20), (read, chunk)])
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn how_a_good_dump_is_read_changes_nothing(
        records in records(), shape in 0..8_usize, space in space(), sizes in sizes(),
    ) {
        check(wrap(&records, shape, &space).as_bytes(), &sizes).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn how_a_damaged_dump_is_read_changes_nothing(dump in damaged(), sizes in sizes()) {
        check(&dump, &sizes).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn how_a_hostile_dump_is_read_changes_nothing(dump in token_soup(), sizes in sizes()) {
        check(dump.as_bytes(), &sizes).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_bytes_are_accounted_for(dump in prop::collection::vec(any::<u8>(), 0..300), sizes in sizes()) {
        check(&dump, &sizes).map_err(TestCaseError::fail)?;
        outcome(&dump);
    }

    #[test]
    fn hostile_dumps_give_rows_or_rejects(dump in prop_oneof![damaged(), token_soup().prop_map(String::into_bytes)]) {
        outcome(&dump);
    }

    #[test]
    fn the_same_records_come_out_of_every_shape(records in records(), space in space()) {
        for shape in 0..8 {
            let dump = wrap(&records, shape, &space);
            let (pieces, _, source) = scan(dump.as_bytes(), Sizes { read: 7, chunk: 50, block: 1 << 20 });
            let texts: Vec<_> = pieces.iter().map(|piece| String::from_utf8(piece.text.clone()).unwrap()).collect();
            prop_assert!(pieces.iter().all(|piece| piece.what == "record"), "{dump}: {pieces:?}");
            prop_assert_eq!(&texts, &records, "{}", dump);
            prop_assert_eq!(source, records.first().and_then(|record| sources::told(record.as_bytes())));
        }
    }

    #[test]
    fn split_and_joined_dumps_hold_the_same_records(
        records in records(), at in any::<prop::sample::Index>(), one in 0..8_usize, other in 0..8_usize,
    ) {
        let at = at.index(records.len() + 1);
        // A byte order mark in the middle of a dump is none.
        let other = if other == 2 { 1 } else { other };
        let joined = wrap(&records[..at], one, "\n") + "\n" + &wrap(&records[at..], other, "\n");
        let texts: Vec<_> =
            scan(joined.as_bytes(), Sizes { read: 11, chunk: 1, block: 1 }).0.into_iter().map(|p| p.text).collect();
        let expected: Vec<_> = records.iter().map(|record| record.clone().into_bytes()).collect();
        prop_assert_eq!(texts, expected, "{}", joined);
    }

    #[test]
    fn one_damaged_line_costs_no_other(
        // A record with a list of its own that is cut may be a page as well: see the next test.
        records in numbered(more(), 3..8), at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(),
    ) {
        let at = 1 + at.index(records.len() - 2);
        let mut lines = records.clone();
        let mut length = 1 + cut.index(lines[at].len() - 1);
        while !lines[at].is_char_boundary(length) {
            length -= 1;
        }
        lines[at].truncate(length);
        let outcome = outcome(lines.join("\n").as_bytes());
        let ids: Vec<_> = outcome.rows.iter().map(|row| row.id().to_owned()).collect();
        let expected: Vec<_> = (0..records.len()).filter(|number| *number != at).map(|n| format!("r{n}")).collect();
        prop_assert_eq!(ids, expected, "{}", lines.join("\n"));
        let offset: usize = lines[..at].iter().map(|line| line.len() + 1).sum();
        let rejects: Vec<_> = outcome.rejects.iter().map(reject_line).collect();
        prop_assert_eq!(rejects.len(), 1, "{:?}", rejects);
        let length = lines[at].trim_end().len();
        prop_assert!(rejects[0].starts_with(&format!("{offset}+{length} invalid_json ")), "{:?}", rejects);
    }
}

#[test]
fn a_cut_record_that_looks_like_a_page_is_not_lost() {
    let cut = r#"{"id":"2","offer_name":"a text of its own","transactions":[7,"#;
    for behind in ["", "\n"] {
        let outcome = outcome(format!("{}\n{cut}{behind}", good_with("1", "")).as_bytes());
        let rejects: Vec<_> = outcome.rejects.iter().map(reject_line).collect();
        assert!(rejects.iter().any(|line| line.contains("a text of its own")), "{rejects:?}");
    }
}
