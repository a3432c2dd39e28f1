//! Every reason for which a record is not in the data, provoked at least once, with its exact place, length, member and
//! text; the good records around it must be there.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use paynorm::model::reject::Reason;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::harness::{Place, Row, good, good_with, gzip, zstd};

/// Reasons that no case here provokes; each says why.
const NOT_PROVOKED: &[Reason] = &[];

/// A bad record that stands between two good ones of `source`.
struct BadRecord {
    source: &'static str,
    reason: Reason,
    field: Option<&'static str>,
    text: Vec<u8>,
}

fn bad(source: &'static str, reason: Reason, field: &'static str, text: impl Into<Vec<u8>>) -> BadRecord {
    let field = (!field.is_empty()).then_some(field);
    BadRecord { source, reason, field, text: text.into() }
}

fn good_of(source: &str, id: &str) -> String {
    match source {
        "atpay" => good(id),
        "spacivox" => {
            format!(r#"{{"amount":"1","id":"{id}","job":1,"state":1,"team":1,"timestamp":"2015-01-06T10:21:14Z"}}"#)
        }
        "onlinefundraising" => {
            format!(r#"{{"transactionGuid":"{id}","createdTs":"2019-12-31 15:59:59 +0100","amount":100}}"#)
        }
        "twocloud" => format!(r#"{{"id":"{id}","remote_id":"r","amount":100,"created":"2014-05-17T09:30:10Z"}}"#),
        "paydata" => format!(r#"{{"id":"{id}","bookingDate":"2021-10-01","gross":{{"currency":"EUR","value":1}}}}"#),
        other => panic!("no good record of {other}"),
    }
}

/// The good record of `source` with `from` replaced.
fn with(source: &str, from: &str, to: &str) -> String {
    let record = good_of(source, "bad");
    assert!(record.contains(from), "{from} is not in {record}");
    record.replace(from, to)
}

fn bad_records() -> Vec<BadRecord> {
    use Reason::{
        AmountOutOfRange, AmountTooPrecise, ApiErrorPage, BadAmount, BadCurrency, BadTimestamp, DuplicateKey,
        InvalidJson, InvalidUnicode, MissingAmount, MissingId, TooDeep, UnknownFormat, WrongType,
    };
    let nested = |levels: usize| format!(",\"x\":{}1{}", "[".repeat(levels), "]".repeat(levels));
    let mut latin = good_with("bad", r#","x":"caf_""#).into_bytes();
    let place = latin.iter().rposition(|byte| *byte == b'_').unwrap();
    latin[place] = 0xe9;
    vec![
        bad("atpay", InvalidJson, "", r#"{"id":"bad","offer_name":"o",,"amount":1}"#),
        bad("atpay", InvalidJson, "", good_with("bad", ",\"x\":01")),
        bad("atpay", InvalidJson, "", good_with("bad", ",\"x\":nul")),
        bad("atpay", InvalidJson, "", good_with("bad", ",\"x\":'y'")),
        bad("atpay", InvalidJson, "", good_with("bad", ",\"x\":\"\\q\"")),
        bad("atpay", InvalidJson, "", good_with("bad", ",")),
        bad("atpay", TooDeep, "", good_with("bad", &nested(128))),
        bad("atpay", InvalidUnicode, "", latin),
        bad("atpay", InvalidUnicode, "", good_with("bad", r#","x":"\ud83d""#)),
        bad("atpay", InvalidUnicode, "", good_with("bad", r#","\ude00":1"#)),
        bad("atpay", DuplicateKey, "amount", good_with("bad", r#","\u0061mount":2"#)),
        bad("atpay", DuplicateKey, "x", good_with("bad", r#","x":1,"x":1"#)),
        bad("atpay", DuplicateKey, "b", good_with("bad", r#","x":[{"b":1,"\u0062":2}]"#)),
        bad("atpay", WrongType, "amount", with("atpay", "\"amount\":2", "\"amount\":true")),
        bad("atpay", WrongType, "status", with("atpay", "\"Successful\"", "1")),
        bad("atpay", WrongType, "timestamp", with("atpay", "1422566591", "{}")),
        bad("atpay", WrongType, "id", with("atpay", "\"bad\"", "1.5")),
        bad("spacivox", WrongType, "state", with("spacivox", "\"state\":1", "\"state\":\"1\"")),
        bad("spacivox", WrongType, "reference", with("spacivox", "\"job\"", "\"reference\":7,\"job\"")),
        bad("twocloud", WrongType, "anonymous", with("twocloud", "\"amount\"", "\"anonymous\":0,\"amount\"")),
        bad("paydata", WrongType, "gross", with("paydata", "{\"currency\":\"EUR\",\"value\":1}", "1")),
        bad("paydata", WrongType, "gross.value", with("paydata", "\"value\":1", "\"value\":[1]")),
        bad("paydata", WrongType, "shopper.name", with("paydata", "\"gross\"", "\"shopper\":{\"name\":1},\"gross\"")),
        bad("paydata", WrongType, "fields", with("paydata", "\"gross\"", "\"fields\":[],\"gross\"")),
        bad("atpay", MissingId, "id", with("atpay", "\"bad\"", "\"\"")),
        bad("onlinefundraising", MissingId, "transactionGuid", with("onlinefundraising", "\"bad\"", "null")),
        bad("paydata", MissingId, "id", with("paydata", "\"id\":\"bad\",", "")),
        bad("spacivox", MissingAmount, "", with("spacivox", "\"amount\":\"1\",", "")),
        bad("paydata", MissingAmount, "", with("paydata", "\"value\":1", "\"value\":null")),
        bad("spacivox", BadAmount, "amount", with("spacivox", "\"amount\":\"1\"", "\"amount\":\"1,000\"")),
        bad("spacivox", BadAmount, "amount", with("spacivox", "\"amount\":\"1\"", "\"amount\":\"\"")),
        bad("atpay", BadAmount, "net_amount", with("atpay", "\"net_amount\":1", "\"net_amount\":\" 1\"")),
        bad("paydata", BadAmount, "gross.value", with("paydata", "\"value\":1", "\"value\":\"NaN\"")),
        bad("spacivox", AmountTooPrecise, "amount", with("spacivox", "\"1\"", "\"14.719999999999999\"")),
        bad("twocloud", AmountTooPrecise, "amount", with("twocloud", "\"amount\":100", "\"amount\":0.001")),
        bad("atpay", AmountOutOfRange, "amount", with("atpay", "\"amount\":2", "\"amount\":100000000000000")),
        bad("twocloud", AmountOutOfRange, "amount", with("twocloud", "\"amount\":100", "\"amount\":1e16")),
        bad("paydata", BadCurrency, "gross.currency", with("paydata", "EUR", "EURO")),
        bad("paydata", BadCurrency, "gross.currency", with("paydata", "EUR", "E€")),
        bad("atpay", BadTimestamp, "timestamp", with("atpay", "1422566591", "1e30")),
        bad("atpay", BadTimestamp, "timestamp", with("atpay", "\"timestamp\":1422566591,", "")),
        bad("spacivox", BadTimestamp, "timestamp", with("spacivox", "2015-01-06", "2015-02-29")),
        bad("paydata", BadTimestamp, "valueDate", with("paydata", "\"gross\"", "\"valueDate\":\"1.10.21\",\"gross\"")),
        bad("atpay", ApiErrorPage, "", r#"{"error":{"code":429},"status":"x"}"#),
        bad("atpay", UnknownFormat, "", good_of("paydata", "bad")),
    ]
}

#[test]
fn a_bad_record_costs_no_neighbour() {
    for case in bad_records() {
        let [before, after] = ["before", "after"].map(|id| good_of(case.source, id).into_bytes());
        for (open, between, close) in [("", "\n", "\n"), ("[", ",", "]"), ("[\n  ", ",\n  ", "\n]\n")] {
            let pieces = [open.as_bytes(), &before, between.as_bytes(), &case.text, between.as_bytes(), &after];
            let dump = [&pieces.concat(), close.as_bytes()].concat();
            let at = open.len() + before.len() + between.len();
            let shown = String::from_utf8_lossy(&dump);
            let place = Place::with(&[("dump", &dump)]);
            assert_eq!(place.normalize(&[]).code, 3, "{shown}");
            assert_eq!(ids(&place.rows()), "before after", "{shown}");
            let rejects = place.rejects();
            assert_eq!(rejects.len(), 1, "{shown}: {rejects:?}");
            check_reject(&rejects[0], Some(case.source), at, &case.text, case.reason, case.field);
        }
    }
}

/// A dump of which one place is bad: what comes before and behind it, and the rows that are there nevertheless.
struct BadPlace {
    reason: Reason,
    source: Option<&'static str>,
    before: String,
    bad: Vec<u8>,
    behind: String,
    rows: &'static str,
}

fn bad_places() -> Vec<BadPlace> {
    let place = |reason, source: &'static str, (before, bad, behind): (String, &str, String), rows| BadPlace {
        reason,
        source: (!source.is_empty()).then_some(source),
        before,
        bad: bad.into(),
        behind,
        rows,
    };
    let (one, two) = (|| good("1"), || good("2"));
    let none = String::new;
    let cut = r#"{"id":"cut","offer_name":"#;
    let quote = r#"{"id":"cut","offer_name":"o}"#;
    let error = r#"{"message": "Too many requests", "status": 429}"#;
    let html = "<!DOCTYPE html>\n<html><body>502 {bad} gateway</body></html>";
    vec![
        place(Reason::TruncatedInput, "atpay", (one() + "\n", cut, none()), "1"),
        place(Reason::TruncatedInput, "atpay", (format!("[{},", one()), cut, none()), "1"),
        place(Reason::TruncatedInput, "atpay", (format!("[{}", one())[..one().len()].into(), "", "}".into()), "1"),
        place(Reason::InvalidJson, "atpay", (one() + "\n", cut, format!("\n{}\n", two())), "1 2"),
        place(Reason::InvalidJson, "atpay", (one() + "\n", "garbage", format!("\n{}\n", two())), "1 2"),
        place(Reason::InvalidJson, "atpay", (one() + "\n", "}", format!("\n{}\n", two())), "1 2"),
        place(Reason::InvalidJson, "atpay", (format!("[{},", one()), quote, format!(",{}]", two())), "1 2"),
        place(Reason::InvalidJson, "atpay", (one(), r#"{"id":"cut"]}"#, two()), "1 2"),
        place(Reason::InvalidJson, "atpay", (format!("[{}", one()), ",", "]".into()), "1"),
        place(Reason::InvalidJson, "atpay", (format!("[{} ", one()), "", format!("{}]", two())), "1 2"),
        place(Reason::WrongType, "atpay", (format!("[{},", one()), "7", format!(",{}]", two())), "1 2"),
        place(Reason::WrongType, "atpay", (format!("[{},", one()), "[{}]", format!(",{}]", two())), "1 2"),
        place(Reason::ApiErrorPage, "", (none(), error, none()), ""),
        place(Reason::ApiErrorPage, "", (none(), html, none()), ""),
        place(Reason::ApiErrorPage, "atpay", (one() + "\n", html, none()), "1"),
        place(Reason::ApiErrorPage, "atpay", (none(), error, format!("\n{}", one())), "1"),
        place(Reason::UnknownFormat, "", (none(), r#"{"hello": [1, 2]}"#, "\n".into()), ""),
        place(Reason::UnknownFormat, "", (none(), r#"[{"a":1},{"b":2}]"#, none()), ""),
        place(Reason::UnknownFormat, "", (" ".into(), "42", none()), ""),
        place(Reason::UnknownFormat, "", (none(), r#""text""#, none()), ""),
        place(Reason::InvalidJson, "", (none(), "plain text", "\n".into()), ""),
        place(Reason::InvalidJson, "", (none(), r#"{"hello":}"#, none()), ""),
    ]
}

#[test]
fn a_bad_place_is_told_exactly() {
    for case in bad_places() {
        let dump = [case.before.as_bytes(), &case.bad, case.behind.as_bytes()].concat();
        let shown = String::from_utf8_lossy(&dump);
        let neighbours = [good("first"), good("last")];
        let place = Place::with(&[("a", neighbours[0].as_bytes()), ("dump", &dump), ("z", neighbours[1].as_bytes())]);
        assert_eq!(place.normalize(&[]).code, 3, "{shown}");
        let rows = place.rows();
        assert_eq!(ids(&rows), format!("first {} last", case.rows).replace("  ", " "), "{shown}");
        let rejects = place.rejects();
        assert_eq!(rejects.len(), 1, "{shown}: {rejects:?}");
        check_reject(&rejects[0], case.source, case.before.len(), &case.bad, case.reason, None);
    }
}

#[test]
fn damaged_compression_publishes_nothing_of_the_dump() {
    let text = format!("{}\n{}", good("1"), good("2"));
    let (packed, framed) = (gzip(text.as_bytes()), zstd(text.as_bytes()));
    let flipped = |stored: &[u8], from_end: usize| {
        let mut stored = stored.to_vec();
        let at = stored.len() - from_end;
        stored[at] ^= 1;
        stored
    };
    for stored in [
        packed[..packed.len() - 1].to_vec(),
        packed[..packed.len() / 2].to_vec(),
        flipped(&packed, 6),
        [packed.clone(), packed[..12].to_vec()].concat(),
        [packed.clone(), b"garbage".to_vec()].concat(),
        framed[..framed.len() - 1].to_vec(),
        framed[..framed.len() / 2].to_vec(),
        flipped(&framed, 2),
        [framed.clone(), framed[..6].to_vec()].concat(),
        [framed.clone(), b"garbage".to_vec()].concat(),
    ] {
        let [first, last] = ["first", "last"].map(good);
        let place = Place::with(&[("a", first.as_bytes()), ("dump", &stored), ("z", last.as_bytes())]);
        place.normalize(&[]).exits(3);
        assert_eq!(ids(&place.rows()), "first last");
        check_reject(&place.rejects()[0], None, 0, &stored, Reason::CorruptCompression, None);
    }
}

#[test]
fn a_large_dump_that_turns_out_damaged_late_publishes_nothing_either() {
    let text: String = (0..60_000).map(|number| good(&number.to_string()) + "\n").collect();
    let stored = gzip(text.as_bytes());
    let stored = &stored[..stored.len() - 4];
    let [first, last] = ["first", "last"].map(good);
    let place = Place::with(&[("a", first.as_bytes()), ("dump", stored), ("z", last.as_bytes())]);
    place.normalize(&["--threads", "1"]).exits(3);
    assert_eq!(ids(&place.rows()), "first last");
    check_reject(&place.rejects()[0], None, 0, stored, Reason::CorruptCompression, None);
}

#[test]
fn a_record_over_64_mib_costs_no_neighbour() {
    for size in [(64 << 20) + 1, 65 << 20] {
        let record = sized("large", size);
        let dump = format!("{}\n{record}\n{}\n", good("before"), good("after"));
        let place = Place::with(&[("dump", dump.as_bytes())]);
        // How much is read at once is no matter.
        for read in ["262144", "100000000"] {
            place.normalize(&["--mode", "replace", "--read-bytes", read]).exits(3);
            assert_eq!(ids(&place.rows()), "before after", "{size} bytes, {read} read at once");
            let at = good("before").len() + 1;
            check_reject(&place.rejects()[0], Some("atpay"), at, record.as_bytes(), Reason::RecordTooLarge, None);
        }
        // The source is told by those behind it.
        place.write("in/dump", format!("{record}\n{}\n", good("after")).as_bytes());
        place.normalize(&["--mode", "replace"]).exits(3);
        assert_eq!((ids(&place.rows()), place.rejects().len()), ("after".to_owned(), 1));
    }
}

#[test]
fn a_record_of_64_mib_is_a_row() {
    let place = Place::with(&[("dump", sized("large", 64 << 20).as_bytes())]);
    place.normalize(&[]).exits(0);
    assert_eq!(ids(&place.rows()), "large");
}

/// A good record of this many bytes.
fn sized(id: &str, size: usize) -> String {
    let padding = size - good_with(id, ",\"x\":\"\"").len();
    let record = good_with(id, &format!(",\"x\":\"{}\"", "y".repeat(padding)));
    assert_eq!(record.len(), size);
    record
}

#[test]
fn of_a_reject_over_1_mib_the_digest_is_kept() {
    for (more, code) in [(0, 0), (1, 1)] {
        let record = with("atpay", "\"id\":\"bad\",", "");
        let padding = (1 << 20) + more - record.len() - ",\"x\":\"\"".len();
        let record = format!("{},\"x\":\"{}\"}}", &record[..record.len() - 1], "y".repeat(padding));
        assert_eq!(record.len(), (1 << 20) + more);
        let place = Place::with(&[("dump", format!("{}\n{record}\n", good("1")).as_bytes())]);
        place.normalize(&[]).exits(3);
        let reject = &place.rejects()[0];
        assert_eq!((reject.get("raw").is_none(), reject.get("sha256").is_some()), (code == 1, code == 1));
        let at = good("1").len() + 1;
        check_reject(reject, Some("atpay"), at, record.as_bytes(), Reason::MissingId, Some("id"));
    }
}

#[test]
fn a_dump_that_cannot_be_read_is_listed() {
    // These are regular files: one fails when it is read, the other holds more than its size says.
    for (path, reason) in [("/proc/self/mem", Reason::UnreadableInput), ("/proc/self/status", Reason::InputChanged)] {
        if !std::path::Path::new(path).is_file() {
            println!("skipped: no {path} here");
            continue;
        }
        let place = Place::with(&[("a", good("1").as_bytes())]);
        place.run(&["normalize", "in", path, "--out", "lake", "--keep-going"]).exits(3);
        assert_eq!(ids(&place.rows()), "1");
        let reject = &place.rejects()[0];
        assert_eq!((reject["reason"].as_str(), reject["source_offset"].as_u64()), (Some(reason.code()), Some(0)));
        assert_eq!(reject["source_file"], path[1..]);
    }
}

#[test]
fn every_reason_is_provoked() {
    let mut provoked: BTreeSet<Reason> = bad_records().iter().map(|case| case.reason).collect();
    provoked.extend(bad_places().iter().map(|case| case.reason));
    // Those of the tests above that are no table.
    provoked.extend([Reason::CorruptCompression, Reason::RecordTooLarge]);
    provoked.extend([Reason::UnreadableInput, Reason::InputChanged]);
    for reason in Reason::ALL {
        assert_eq!(provoked.contains(reason), !NOT_PROVOKED.contains(reason), "{}", reason.code());
    }
}

#[track_caller]
fn check_reject(reject: &Value, source: Option<&str>, at: usize, text: &[u8], reason: Reason, field: Option<&str>) {
    let shown = format!("{reject} for {}", String::from_utf8_lossy(&text[..text.len().min(300)]));
    assert_eq!(reject["reason"].as_str(), Some(reason.code()), "{shown}");
    assert_eq!(reject["field"].as_str(), field, "{shown}");
    assert_eq!(reject["source_offset"].as_u64(), Some(at as u64), "{shown}");
    assert_eq!(reject["length"].as_u64(), Some(text.len() as u64), "{shown}");
    assert_eq!(reject["source"].as_str(), source, "{shown}");
    assert!(reject["message"].as_str().is_some_and(|message| !message.is_empty()), "{shown}");
    let [raw, base64, digest] = ["raw", "raw_base64", "sha256"].map(|name| reject.get(name).and_then(Value::as_str));
    let expected = match std::str::from_utf8(text) {
        _ if text.len() > 1 << 20 => {
            let digest: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
            [None, None, Some(digest)]
        }
        Ok(text) => [Some(text.to_owned()), None, None],
        Err(_) => [None, Some(STANDARD.encode(text)), None],
    };
    assert_eq!([raw, base64, digest].map(|text| text.map(str::to_owned)), expected, "{shown}");
}

/// The ids of rows in input order.
fn ids(rows: &[Row]) -> String {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|row| (row.text("source_file").to_owned(), row.offset()));
    rows.iter().map(|row| row.id()).collect::<Vec<_>>().join(" ")
}
