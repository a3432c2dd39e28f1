//! Where records stand one on a line, a line's end is the record's, and what is in its strings need not be known.
//!
//! That holds for lines that can hardly be read otherwise: no object or array begins but the first and those behind a
//! colon, and as many objects end as objects and arrays begin. So there is no array in it, which may be an envelope's; no
//! object behind another; and none that goes on in the next line. What stands in strings counts as well, as nobody looks
//! for strings here, so that a few records are left to [`ValueScan`](super::value::ValueScan), which does. Whether the
//! line is a record is for its reader to say: it takes the line whole or rejects it whole.

use super::mask::{BLOCK, LineMasks};

/// Longer lines are scanned.
const LONGEST: usize = 64 << 10;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// One object of so many bytes, if it is JSON.
    Record(usize),
    /// Something else, perhaps.
    Other,
    /// The line's end is not among the bytes yet.
    NeedData,
}

/// The line that begins with the `{` at the start of `bytes`; `ended` tells whether the dump ends with them.
pub(super) fn line(bytes: &[u8], ended: bool) -> Line {
    let shown = &bytes[..bytes.len().min(LONGEST)];
    let (blocks, rest) = shown.as_chunks();
    let mut scan = LineScan { next: 0, open: 0, behind_colon: 1 };
    if let Some(line) = blocks.iter().find_map(|block| scan.block(shown, block)) {
        return line;
    }
    let mut last = [b' '; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    let none = if ended || shown.len() == LONGEST { Line::Other } else { Line::NeedData };
    scan.block(shown, &last).unwrap_or(none)
}

struct LineScan {
    next: usize,
    /// How many objects and arrays are open, if no array ends.
    open: i32,
    /// Whether the next block follows a colon, as one bit.
    behind_colon: u64,
}

impl LineScan {
    /// Looks at the next block of `shown`; what the line is, if that tells.
    #[inline]
    fn block(&mut self, shown: &[u8], block: &[u8; BLOCK]) -> Option<Line> {
        let masks = LineMasks::of(block);
        // All up to the first line end.
        let here = masks.newline ^ masks.newline.wrapping_sub(1);
        if masks.open & here & !(masks.colon << 1 | self.behind_colon) != 0 {
            return Some(Line::Other);
        }
        let count = |mask: u64| (mask & here).count_ones().cast_signed();
        self.open += count(masks.open) - count(masks.close);
        self.behind_colon = masks.colon >> 63;
        if masks.newline == 0 {
            self.next += BLOCK;
            return None;
        }
        let line = &shown[..self.next + masks.newline.trailing_zeros() as usize];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_whole = self.open == 0 && line.ends_with(b"}");
        Some(if is_whole { Line::Record(line.len()) } else { Line::Other })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_can_only_be_one_object_is_a_record() {
        for text in ["{}", r#"{"a":1}"#, r#"{"a":{"b":{}},"c":"x:{}"}"#, r#"{"a":tru,"b"}"#, "{\r}"] {
            for spaces in 0..=130 {
                let text = format!("{{{}{}", " ".repeat(spaces), &text[1..]);
                for rest in ["\n", "\r\n", "\n{[", "\n}}\n"] {
                    let dump = format!("{text}{rest}");
                    assert_eq!(line(dump.as_bytes(), false), Line::Record(text.len()), "{dump}");
                }
                assert_eq!(line(text.as_bytes(), false), Line::NeedData, "{text}");
                assert_eq!(line(text.as_bytes(), true), Line::Other, "{text}");
            }
        }
    }

    #[test]
    fn other_lines_are_not() {
        let other = [
            "{",
            r#"{"a":[1]}"#,
            r#"{"a":1}{"b":2}"#,
            r#"{"a":1} {"b":2}"#,
            r#"{"a":{"b":1}"#,
            r#"{"a":1}}"#,
            r#"{"a":"}"}"#,
            r#"{"a":1},"#,
            r#"{"a":1} "#,
            r#"{"a": {"b":1}}"#,
        ];
        for text in other {
            for spaces in 0..=130 {
                let dump = format!("{{{}{}\n{{}}\n", " ".repeat(spaces), &text[1..]);
                assert_eq!(line(dump.as_bytes(), true), Line::Other, "{dump}");
            }
        }
        let long = |length: usize| format!("{{\"a\":\"{}\"}}\n", "x".repeat(length - 9));
        assert_eq!(line(long(LONGEST).as_bytes(), false), Line::Record(LONGEST - 1));
        assert_eq!(line(long(LONGEST + 1).as_bytes(), false), Line::Other);
    }
}
