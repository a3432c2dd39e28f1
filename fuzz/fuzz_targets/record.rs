//! Any text is, for every source, exactly one row or one reject, and what is JSON is not ours to say.
//!
//! `serde_json` and we agree on what is JSON, but for rules that are stricter on purpose: a key that occurs twice in one
//! object, a lone surrogate and more than 128 levels are refused. Of a record that gives a row no member is lost: each
//! is documented or stands in `extra` with its text. A guess here would be silent damage to someone's books.

#![no_main]

use arrow::array::AsArray;
use libfuzzer_sys::fuzz_target;
use paynorm::extract::chunks::{Chunk, Item};
use paynorm::model::columns::COLUMNS;
use paynorm::model::json::{Reader, Type};
use paynorm::model::reject::Reason;
use paynorm::normalize::Scratch;
use paynorm::sources::{self, Source};
use paynorm_fuzz::{Members, Outcome, WHOLE, chunks, is_json, is_strict_json, outcome};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        judged_alike(text);
    }
    for chunk in chunks(bytes, WHOLE, None).0 {
        came_to(&chunk);
    }
    let bytes = trimmed(bytes);
    for (number, source) in sources::ALL.iter().enumerate() {
        for chunk in chunks(bytes, WHOLE, Some(number)).0 {
            came_to(&chunk);
        }
        for alone in [true, false] {
            record(*source, &item(bytes, Some(number), |start, end| Item::Record { start, end, alone }));
        }
    }
    for source in [None, Some(0)] {
        came_to(&item(bytes, source, |start, end| Item::Element { start, end }));
        came_to(&item(bytes, source, |start, end| Item::Document { start, end }));
    }
});

fn came_to(chunk: &Chunk) -> Outcome {
    outcome(chunk, &mut Scratch::default())
}

/// A chunk that is one item.
fn item(bytes: &[u8], source: Option<usize>, item: impl Fn(usize, usize) -> Item) -> Chunk {
    Chunk { source, base: 0, bytes: bytes.to_vec(), items: vec![item(0, bytes.len())], ends_block: true }
}

/// An item begins and ends where its value does.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let space = |byte: &u8| b" \t\r\n".contains(byte);
    let start = bytes.iter().take_while(|byte| space(byte)).count();
    let end = bytes.iter().rev().take_while(|byte| space(byte)).count();
    bytes.get(start..bytes.len() - end).unwrap_or_default()
}

fn judged_alike(text: &str) {
    match Reader::default().check(text) {
        Ok(value) => {
            assert!(is_strict_json(text), "it is no JSON");
            assert_eq!(value.raw.as_bytes(), trimmed(text.as_bytes()));
            if let Type::String { .. } = value.kind {
                assert_eq!(value.characters().as_deref(), serde_json::from_str::<String>(text).ok().as_deref());
            }
        }
        Err(broken) => {
            assert!(!is_strict_json(text), "it is JSON: {broken:?}");
            assert!(broken.reason != Reason::InvalidJson || !is_json(text), "it is JSON: {broken:?}");
            assert!(text.is_char_boundary(broken.at), "{broken:?}");
        }
    }
}

fn record(source: &dyn Source, chunk: &Chunk) {
    let Outcome { rows, normalized } = came_to(chunk);
    let text = std::str::from_utf8(&chunk.bytes);
    let is_object = chunk.bytes.starts_with(b"{");
    let strict = text.is_ok_and(is_strict_json);
    if let [rejected] = &normalized.rejects[..] {
        let of_the_text = [Reason::InvalidJson, Reason::InvalidUnicode, Reason::DuplicateKey, Reason::TooDeep]
            .contains(&rejected.reject.reason);
        assert_eq!(of_the_text, !strict || !is_object, "{}: {rejected:?}", source.name());
    } else {
        assert!(strict && is_object, "{}: it is no record", source.name());
    }
    for row in rows {
        let extra = COLUMNS.iter().position(|column| column.name == "extra").expect("a column");
        let extra = row[extra].as_ref().map_or("{}", |extra| extra.as_string::<i32>().value(0));
        nothing_is_lost(source, text.expect("a record is text"), extra);
    }
}

/// What of an object that columns take apart has a column.
fn taken(key: &str) -> &[&str] {
    match key {
        "gross" | "net" | "fee" => &["currency", "value"],
        "shopper" => &["name", "email", "username", "identifier"],
        _ => &[],
    }
}

fn nothing_is_lost(source: &dyn Source, text: &str, extra: &str) {
    assert!(is_strict_json(extra), "{extra}");
    let [Members(members), Members(extra)] = [text, extra].map(|text| serde_json::from_str(text).expect("an object"));
    let mut extra = extra.into_iter().peekable();
    for (key, value) in members {
        let documented = source.documented().iter().find(|documented| documented.name == key);
        match extra.next_if(|(extra, _)| *extra == key) {
            Some((_, rest)) if documented.is_none_or(|documented| documented.extra) => {
                assert_eq!(rest.get(), value.get());
            }
            Some((_, rest)) => rest_is_kept(&key, value.get(), rest.get()),
            None => {
                assert!(documented.is_some_and(|documented| !documented.extra), "{key} is lost");
                if value.get().starts_with('{') {
                    rest_is_kept(&key, value.get(), "{}");
                }
            }
        }
    }
    assert!(extra.next().is_none(), "extra holds what the record does not, or in another order");
}

/// The same for an object that columns take apart.
fn rest_is_kept(name: &str, text: &str, rest: &str) {
    let [Members(members), Members(rest)] = [text, rest].map(|text| serde_json::from_str(text).expect("an object"));
    let mut rest = rest.into_iter().peekable();
    for (key, value) in members {
        match rest.next_if(|(extra, _)| *extra == key) {
            Some((_, extra)) => assert_eq!(extra.get(), value.get()),
            None => assert!(taken(name).contains(&&*key), "{name}.{key} is lost"),
        }
    }
    assert!(rest.next().is_none());
}
