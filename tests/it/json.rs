//! The reader of records against an independent one: `serde_json` agrees on what is JSON, and on what strings say.
//!
//! Differences that are meant: a key that occurs twice, a lone surrogate and more than 128 levels are refused here.

use std::collections::BTreeMap;

use paynorm::model::json::{Reader, Type};
use paynorm::model::reject::Reason;
use proptest::prelude::*;
use serde_json::value::RawValue;

use crate::harness::cases;

/// Whether it is JSON by grammar alone.
fn is_json(text: &str) -> bool {
    // This neither builds numbers nor looks at surrogates, so it asks the grammar and nothing else.
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

#[track_caller]
fn check(text: &str) {
    match Reader::default().check(text) {
        Ok(value) => {
            assert!(is_json(text), "accepted, but it is no JSON: {text:?}");
            assert_eq!(value.raw, text.trim_matches([' ', '\n', '\r', '\t']));
            let expected = match value.raw.as_bytes()[0] {
                b'{' => "an object",
                b'[' => "an array",
                b'"' => "a string",
                b't' | b'f' => "a boolean",
                b'n' => "null",
                _ => "a number",
            };
            assert_eq!(value.kind.name(), expected);
            if let Type::String { escaped } = value.kind {
                assert_eq!(escaped, text.contains('\\'));
                let characters = serde_json::from_str::<String>(text).expect("a string without lone surrogates");
                assert_eq!(value.characters().as_deref(), Some(&*characters));
            }
        }
        Err(broken) => {
            assert!(broken.at <= text.len(), "{broken:?} in {text:?}");
            match broken.reason {
                Reason::InvalidJson => assert!(!is_json(text), "{broken:?}, but it is JSON: {text:?}"),
                Reason::InvalidUnicode => assert!(text[broken.at..].starts_with("\\u"), "{broken:?} in {text:?}"),
                Reason::DuplicateKey => assert!(broken.key.is_some() && text[broken.at..].starts_with('"')),
                Reason::TooDeep => assert!(text.matches(['[', '{']).count() > 128, "{text:?}"),
                other => panic!("{other:?} is no fault of a text: {text:?}"),
            }
        }
    }
}

fn string() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => any::<char>().prop_map(|c| serde_json::to_string(&c.to_string()).unwrap().trim_matches('"').to_owned()),
        2 => "[a-z]{0,9}",
        1 => any::<u16>().prop_map(|unit| format!("\\u{unit:04x}")),
        1 => any::<char>().prop_map(|c| {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04X}")).collect()
        }),
        1 => prop::sample::select(vec!["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..6)
        .prop_map(|parts| format!("\"{}\"", parts.concat().replace('"', "\\\"").replace("\\\\\"", "\\\"")))
}

fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?"
}

fn json() -> impl Strategy<Value = String> {
    let leaf =
        prop_oneof![string(), number(), prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned)];
    let space = prop::sample::select(vec!["", "", "", " ", "\n", "\t\r\n"]);
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let member = (string(), space.clone(), inner.clone())
            .prop_map(|(key, space, value)| format!("{key}{space}:{space}{value}"));
        prop_oneof![
            (prop::collection::vec(inner, 0..6), space.clone())
                .prop_map(|(all, space)| format!("[{space}{}]", all.join(&format!("{space},{space}")))),
            (prop::collection::vec(member, 0..6), space.clone())
                .prop_map(|(all, space)| format!("{{{}{space}}}", all.join(","))),
        ]
    })
}

/// JSON with a few characters replaced, removed or put in.
fn nearly_json() -> impl Strategy<Value = String> {
    let character = prop::sample::select("{}[]\",:\\ \n\u{1}01.eE+-tfnu/d8é\u{feff}\u{a0}".chars().collect::<Vec<_>>());
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, character), 1..4);
    (json(), edits).prop_map(|(text, edits)| {
        let mut characters: Vec<char> = text.chars().collect();
        for (at, kind, character) in edits {
            let at = at.index(characters.len() + 1);
            match kind {
                0 if at < characters.len() => characters[at] = character,
                1 if at < characters.len() => drop(characters.remove(at)),
                _ => characters.insert(at, character),
            }
        }
        characters.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn json_is_judged_alike(text in json()) {
        check(&text);
    }

    #[test]
    fn what_is_nearly_json_is_judged_alike(text in nearly_json()) {
        check(&text);
    }

    #[test]
    fn any_text_is_judged_alike(text in prop_oneof![".{0,30}", "[\\[\\]{},:\"0-9eE.+\\\\ tru-]{0,12}"]) {
        check(&text);
    }

    #[test]
    fn strings_say_the_same(text in string()) {
        check(&text);
    }

    #[test]
    fn members_are_the_same(text in json()) {
        let mut members = BTreeMap::new();
        let read = Reader::default().members(&text, |member| {
            members.insert(member.key().into_owned(), member.value.raw.to_owned());
            assert!(text[member.at..].starts_with('"'));
            Ok(())
        });
        if read.is_ok() {
            let expected: BTreeMap<String, &RawValue> = serde_json::from_str(&text).expect("an object");
            let expected: BTreeMap<_, _> = expected.into_iter().map(|(key, raw)| (key, raw.get().to_owned())).collect();
            prop_assert_eq!(members, expected);
        } else {
            let is_object = text.starts_with('{');
            prop_assert!(!is_object || Reader::default().check(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_that_occurs_twice_is_found(
        keys in prop::collection::btree_set("[a-f]{1,3}", 1..30), twice in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(), levels in 0..5_usize,
    ) {
        let mut keys: Vec<String> = keys.into_iter().collect();
        let key = keys[twice.index(keys.len())].clone();
        let object = |keys: &[String]| {
            let members: Vec<_> = keys.iter().map(|key| format!("\"{key}\":0")).collect();
            format!("{}{{{}}}{}", "[".repeat(levels), members.join(","), "]".repeat(levels))
        };
        prop_assert!(Reader::default().check(&object(&keys)).is_ok());
        let escaped = format!("\\u{:04x}{}", u32::from(key.as_bytes()[0]), &key[1..]);
        keys.insert(at.index(keys.len() + 1), escaped);
        let broken = Reader::default().check(&object(&keys)).expect_err("a key occurs twice");
        prop_assert_eq!((broken.reason, broken.key), (Reason::DuplicateKey, Some(key)));
    }
}

#[test]
fn depth_is_counted_over_arrays_and_objects() {
    for (levels, fits) in [(1, true), (64, true), (65, false)] {
        let text = format!("{}1{}", "[{\"a\":".repeat(levels), "}]".repeat(levels));
        assert_eq!(Reader::default().check(&text).is_ok(), fits, "{levels}");
    }
    let deep = "[".repeat(1 << 20);
    assert_eq!(Reader::default().check(&deep).expect_err("too deep").reason, Reason::TooDeep);
}
