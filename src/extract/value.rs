//! Finds the end of one JSON object or array by its brackets, and sees at once when that cannot be right.
//!
//! Brackets are counted outside strings. A missing quote or bracket would shift everything behind it, so the places
//! where valid JSON cannot look like this are watched: a control character in a string, a string that begins behind
//! something else than white space, `{`, `[`, `:` or `,`, a container where no value may stand, a bracket that closes
//! the other kind. What else is wrong inside is for the reader of the record to say.

use std::ops::ControlFlow;

use super::mask::{BLOCK, Masks, parity, unescaped};

/// Up to this depth the kind of every open bracket is known; a record that nests deeper is refused later anyway.
const KNOWN_DEPTH: u32 = 128;

/// What a scan came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The value goes on behind the bytes seen.
    More,
    /// The value ends before this index.
    End(usize),
    /// At this index it cannot be valid JSON.
    Broken(usize),
    /// The watcher stopped at a bracket here.
    Stopped(usize),
}

/// The state of a scan between blocks; indices are relative to the value's first byte.
#[derive(Clone, Debug)]
pub(super) struct ValueScan {
    next: usize,
    depth: u32,
    /// One bit for each open bracket, the innermost lowest: 1 is an array.
    kinds: u128,
    in_string: bool,
    escape: bool,
    /// Whether a string may begin at the next block's first byte.
    before_string: bool,
}

impl ValueScan {
    /// A scan that starts at the value's opening bracket.
    pub(super) fn new() -> Self {
        Self { next: 0, depth: 0, kinds: 0, in_string: false, escape: false, before_string: true }
    }

    /// A scan that starts inside an object, behind one of its members.
    pub(super) fn inside_object() -> Self {
        Self { depth: 1, ..Self::new() }
    }

    /// How many bytes are behind the scan.
    pub(super) fn seen(&self) -> usize {
        self.next
    }

    /// Forgets the first `count` bytes, which the caller has dropped.
    pub(super) fn forget(&mut self, count: usize) {
        self.next -= count;
    }

    /// Scans `bytes`, which begin at the value's start; at the `end` of the dump the last bytes count as a block too.
    /// `watch` is told of every bracket that opens directly inside the value.
    pub(super) fn scan(
        &mut self,
        bytes: &[u8],
        end: bool,
        mut watch: impl FnMut(usize, u8) -> ControlFlow<()>,
    ) -> Found {
        while let Some(block) = bytes.get(self.next..self.next + BLOCK) {
            let block = block.try_into().expect("a whole block");
            match self.block(bytes, block, &mut watch) {
                Found::More => self.next += BLOCK,
                found => return found,
            }
        }
        if !end || self.next >= bytes.len() {
            return Found::More;
        }
        let mut block = [b' '; BLOCK];
        let rest = &bytes[self.next..];
        block[..rest.len()].copy_from_slice(rest);
        let found = self.block(bytes, &block, &mut watch);
        self.next = bytes.len();
        match found {
            Found::Broken(at) if at >= bytes.len() => Found::More,
            found => found,
        }
    }

    fn block(
        &mut self,
        bytes: &[u8],
        block: &[u8; BLOCK],
        watch: &mut impl FnMut(usize, u8) -> ControlFlow<()>,
    ) -> Found {
        let masks = Masks::of(block);
        let quotes = unescaped(masks.quote, masks.backslash, &mut self.escape);
        let strings = parity(quotes) ^ if self.in_string { u64::MAX } else { 0 };
        let may_begin = (masks.before_string << 1) | u64::from(self.before_string);
        let wrong = (masks.control & strings) | (quotes & strings & !may_begin);
        let mut brackets = (masks.open | masks.close) & !strings;
        let limit = wrong.trailing_zeros();
        while brackets != 0 {
            let bit = brackets.trailing_zeros();
            if bit > limit {
                break;
            }
            brackets &= brackets - 1;
            let at = self.next + bit as usize;
            let byte = block[bit as usize];
            let found =
                if (masks.open >> bit) & 1 == 1 { self.open(bytes, at, byte, watch) } else { self.close(at, byte) };
            if found != Found::More {
                return found;
            }
        }
        if wrong != 0 {
            return Found::Broken(self.next + limit as usize);
        }
        self.in_string = strings >> 63 == 1;
        self.before_string = masks.before_string >> 63 == 1;
        Found::More
    }

    #[inline]
    fn open(
        &mut self,
        bytes: &[u8],
        at: usize,
        byte: u8,
        watch: &mut impl FnMut(usize, u8) -> ControlFlow<()>,
    ) -> Found {
        if self.depth > 0 && !self.value_may_begin(&bytes[..at]) {
            return Found::Broken(at);
        }
        if self.depth == 1 && watch(at, byte).is_break() {
            return Found::Stopped(at);
        }
        self.depth += 1;
        if self.depth <= KNOWN_DEPTH {
            self.kinds = (self.kinds << 1) | u128::from(byte == b'[');
        }
        Found::More
    }

    #[inline]
    fn close(&mut self, at: usize, byte: u8) -> Found {
        if self.depth <= KNOWN_DEPTH {
            if self.in_array() != (byte == b']') {
                return Found::Broken(at);
            }
            self.kinds >>= 1;
        }
        self.depth -= 1;
        if self.depth == 0 { Found::End(at + 1) } else { Found::More }
    }

    fn in_array(&self) -> bool {
        self.kinds & 1 == 1
    }

    /// Whether a container may begin behind `before`: after `[`, after `,` in an array, after `:` in an object.
    fn value_may_begin(&self, before: &[u8]) -> bool {
        if self.depth > KNOWN_DEPTH {
            return true;
        }
        match before.iter().rfind(|byte| !byte.is_ascii_whitespace()) {
            Some(b'[' | b',') => self.in_array(),
            Some(b':') => !self.in_array(),
            Some(_) => false,
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Found {
        ValueScan::new().scan(text.as_bytes(), true, |_, _| ControlFlow::Continue(()))
    }

    #[test]
    fn ends_where_the_brackets_do() {
        for text in [r"{}", r#"{"a":"}]\"\\"}"#, r#"[[1],{"a":[{}]}]"#] {
            assert_eq!(scan(text), Found::End(text.len()), "{text}");
            assert_eq!(scan(&format!("{text}{text}")), Found::End(text.len()), "{text}");
        }
        assert_eq!(scan(r#"{"a":[1"#), Found::More);
    }

    #[test]
    fn sees_what_cannot_be() {
        for (text, at) in [
            (r#"{"a":[1}"#, 7),
            (r#"{"a":{"b":1},{"#, 13),
            ("{\"a\":\"x\n\"}", 7),
            (r#"{"a":"abc},{"id":2}"#, 15),
            (r#"{"a":{}{}}"#, 7),
        ] {
            assert_eq!(scan(text), Found::Broken(at), "{text}");
        }
    }

    #[test]
    fn the_edge_of_a_block_changes_nothing() {
        let text = r#"{"k\\\"":"}\\","x":[{"y":"\\\\"},[]],"z":"ü{"}"#;
        for spaces in 0..=130 {
            let padded = format!("{{{}{}", " ".repeat(spaces), &text[1..]);
            assert_eq!(scan(&padded), Found::End(padded.len()), "{spaces}");
        }
    }
}
