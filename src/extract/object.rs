//! The end of an object that can be told without looking for strings.
//!
//! Most records have no array, and in their strings no braces. So braces are counted wherever they stand, and quotes; an
//! object then ends where as many braces closed as opened, if
//! - no other object begins but behind a colon, and no array ends, so that neither an envelope nor the end of a list is
//!   passed over;
//! - the quotes that are not behind a backslash are even, and no backslash is behind another, so that the last brace stands
//!   in no string;
//! - the next record begins behind it, or its list ends.
//!
//! In valid JSON that is the end: were it inside the object, a comma and a key or another brace would stand behind it, and
//! were it behind the object's end, another object would have begun, or the list ended. Where the JSON is not valid, the
//! record's reader says so. All else is left to [`ValueScan`](super::value::ValueScan).

use super::mask::{BLOCK, ObjectMasks, Quotes, padded};

/// How much of an object and what is behind it is looked at.
const LOOK: usize = 64 << 10;

/// Where an object ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectEnd {
    /// Behind so many bytes.
    At(usize),
    /// Braces do not tell.
    Hidden,
    /// More bytes are needed.
    NeedData,
}

/// The end of the object that begins `bytes`, an element of a list or a record at the top; `ended` tells whether the dump
/// ends with them.
pub(super) fn object_end(bytes: &[u8], in_list: bool, ended: bool) -> ObjectEnd {
    let shown = &bytes[..bytes.len().min(LOOK)];
    let mut braces = Braces { seen: 1, open: 1, quotes: Quotes::default() };
    // Each byte is seen beside the one before it.
    let (before, (blocks, rest)) = (shown.as_chunks().0, shown[1..].as_chunks());
    let found = blocks.iter().zip(before).find_map(|(block, before)| braces.block(block, before)).or_else(|| {
        let before = &shown[blocks.len() * BLOCK..][..rest.len()];
        braces.block(&padded(rest), &padded(before))
    });
    let found = match found {
        Some(ObjectEnd::At(end)) => {
            is_followed(&shown[end..], in_list).map(|is| if is { ObjectEnd::At(end) } else { ObjectEnd::Hidden })
        }
        other => other,
    };
    found.unwrap_or(if ended || shown.len() == LOOK { ObjectEnd::Hidden } else { ObjectEnd::NeedData })
}

/// Whether, behind white space, the next record begins or the list ends; none if that can't be seen yet.
fn is_followed(behind: &[u8], in_list: bool) -> Option<bool> {
    let mut behind = behind.iter().filter(|byte| !byte.is_ascii_whitespace());
    Some(match (in_list, behind.next()?) {
        (true, b']') | (false, b'{') => true,
        (true, b',') => *behind.next()? == b'{',
        _ => false,
    })
}

struct Braces {
    /// Bytes seen so far, the first brace included.
    seen: usize,
    /// Braces that have not closed yet.
    open: u32,
    /// Quotes so far.
    quotes: Quotes,
}

impl Braces {
    /// Looks at the next block; none if the object goes on behind it.
    #[inline]
    fn block(&mut self, block: &[u8; BLOCK], before: &[u8; BLOCK]) -> Option<ObjectEnd> {
        let ObjectMasks { open, mut close, other, quotes } = ObjectMasks::of(block, before);
        let mut closed = 0;
        while close != 0 {
            // All before this brace.
            let here = (close - 1) & !close;
            close &= close - 1;
            closed += 1;
            if self.open + (open & here).count_ones() == closed {
                let quotes = self.quotes.mask().count_ones() + (quotes.mask() & here).count_ones();
                let end = self.seen + here.count_ones() as usize + 1;
                return Some(if other & here == 0 && quotes.is_multiple_of(2) {
                    ObjectEnd::At(end)
                } else {
                    ObjectEnd::Hidden
                });
            }
        }
        if other != 0 {
            return Some(ObjectEnd::Hidden);
        }
        self.open += open.count_ones();
        self.open -= closed;
        self.quotes ^= quotes;
        self.seen += BLOCK;
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What comes behind, and whether that ends a record in a list and at the top.
    const BEHIND: [(&str, [ObjectEnd; 2]); 12] = {
        let (yes, no, wait) = (ObjectEnd::At(0), ObjectEnd::Hidden, ObjectEnd::NeedData);
        [
            (",{", [yes, no]),
            (" ,\r\n\t{", [yes, no]),
            ("]", [yes, no]),
            ("\n]", [yes, no]),
            ("\n{", [no, yes]),
            ("{", [no, yes]),
            (",\"", [no, no]),
            ("}", [no, no]),
            ("x", [no, no]),
            ("\n[", [no, no]),
            (",", [wait, no]),
            ("\n", [wait, wait]),
        ]
    };

    fn check(object: &str, is_plain: bool) {
        for (behind, expect) in BEHIND {
            for (in_list, expect) in [(true, expect[0]), (false, expect[1])] {
                let bytes = format!("{object}{behind}");
                let expect = match expect {
                    ObjectEnd::At(_) => ObjectEnd::At(object.len()),
                    other => other,
                };
                let (more, all) = ([false, true]).map(|ended| object_end(bytes.as_bytes(), in_list, ended)).into();
                if is_plain {
                    assert_eq!(more, expect, "{bytes}, in a list: {in_list}");
                }
                // What is hidden is looked for again; what is found must be right.
                let is_found = matches!(more, ObjectEnd::At(_));
                assert!(!is_found || more == expect, "{more:?} {bytes}, in a list: {in_list}");
                assert_eq!(all, if is_found { more } else { ObjectEnd::Hidden }, "{bytes}, in a list: {in_list}");
            }
        }
    }

    #[test]
    fn plain_objects_are_told_wherever_they_end_in_a_block() {
        for text in ["{}", r#"{"a":"b"}"#, r#"{"a":{"b":{}},"c":{"d":"\u00e9 \"x:"}}"#] {
            for spaces in 0..=130 {
                check(&format!("{{{}{}", " ".repeat(spaces), &text[1..]), true);
            }
        }
        let long = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        check(&long(LOOK - 64), true);
        assert_eq!(object_end(format!("{},{{", long(LOOK - 2)).as_bytes(), true, false), ObjectEnd::At(LOOK - 2));
        assert_eq!(object_end(format!("{},{{", long(LOOK - 1)).as_bytes(), true, false), ObjectEnd::Hidden);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

        #[test]
        fn the_end_of_an_object_is_never_told_wrong(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", ":{", "},", "},{", "}]", "[", "]", "],", ",", ":", "x", " ", "\u{fc}", "}\u{fc}{", r#"\""#,
                    r"\\\\",
                ]),
                0..9,
            ),
            inside in 0..4,
            spaces in 0_usize..70,
        ) {
            let text = parts.concat();
            let object = match inside {
                0 => format!(r#"{{{}"a":"{text}"}}"#, " ".repeat(spaces)),
                1 => format!(r#"{{"a":{{"b":"{text}"}},"c":{{}}{}}}"#, " ".repeat(spaces)),
                2 => format!(r#"{{"a":{{{}"b":{{"{text}":1}}}},"{text}":"{text}"}}"#, " ".repeat(spaces)),
                _ => format!(r#"{{"a":{}["{text}"],"b":"{text}","c":{{}}}}"#, " ".repeat(spaces)),
            };
            prop_assert!(serde_json::from_str::<serde_json::Value>(&object).is_ok(), "{object}");
            check(&object, false);
        }
    }
}
