//! Finds the end of one JSON object or array by its brackets, and sees at once when that cannot be right.
//!
//! Brackets are counted outside strings. A missing quote or bracket would shift everything behind it, so the places
//! where valid JSON cannot look like this are watched: a control character in a string, a string that begins behind
//! something else than white space, `{`, `[`, `:` or `,`, a container where no value may stand, a bracket that closes
//! the other kind. What else is wrong inside is for the reader of the record to say.

use std::ops::ControlFlow;

use super::mask::{BLOCK, Masks, RareMasks, padded, parity, unescaped};

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
    /// All bits or none: whether the next block begins inside a string.
    in_string: u64,
    escape: bool,
    /// Whether the next block follows a separator, or nothing.
    separated: bool,
}

impl ValueScan {
    /// A scan that starts at the value's opening bracket.
    pub(super) fn new() -> Self {
        Self { next: 0, depth: 0, kinds: 0, in_string: 0, escape: false, separated: true }
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
        let found = self.blocks(bytes, bytes.get(self.next..).unwrap_or_default(), &mut watch);
        if !end || found != Found::More || self.next >= bytes.len() {
            return found;
        }
        let found = self.blocks(bytes, &padded(&bytes[self.next..]), &mut watch);
        self.next = bytes.len();
        match found {
            Found::Broken(at) if at >= bytes.len() => Found::More,
            found => found,
        }
    }

    /// Scans the whole blocks in `ahead`, which are what comes next in `bytes`.
    fn blocks(&mut self, bytes: &[u8], ahead: &[u8], watch: &mut impl FnMut(usize, u8) -> ControlFlow<()>) -> Found {
        for block in ahead.as_chunks().0 {
            match self.block(bytes, block, watch) {
                Found::More => self.next += BLOCK,
                found => return found,
            }
        }
        Found::More
    }

    #[inline]
    fn block(
        &mut self,
        bytes: &[u8],
        block: &[u8; BLOCK],
        watch: &mut impl FnMut(usize, u8) -> ControlFlow<()>,
    ) -> Found {
        let masks = Masks::of(block);
        let (quotes, control) = match masks.has_rare || self.escape {
            true => self.unescaped_quotes(masks.quote, block),
            false => (masks.quote, 0),
        };
        let strings = parity(quotes) ^ self.in_string;
        let unusual = quotes & strings & !(masks.separator << 1 | u64::from(self.separated));
        let wrong = control & strings | self.misplaced(unusual, bytes);
        let brackets = masks.bracket & !strings;
        if brackets | wrong != 0 {
            let found = self.brackets(bytes, block, brackets, wrong, watch);
            if found != Found::More {
                return found;
            }
        }
        self.in_string = if strings >> 63 == 1 { u64::MAX } else { 0 };
        self.separated = masks.separator >> 63 == 1;
        Found::More
    }

    /// Goes through the brackets of a block up to the first place where something is wrong.
    fn brackets(
        &mut self,
        bytes: &[u8],
        block: &[u8; BLOCK],
        mut brackets: u64,
        wrong: u64,
        watch: &mut impl FnMut(usize, u8) -> ControlFlow<()>,
    ) -> Found {
        let limit = wrong.trailing_zeros();
        while brackets != 0 {
            let bit = brackets.trailing_zeros();
            if bit > limit {
                break;
            }
            brackets &= brackets - 1;
            let at = self.next + bit as usize;
            let byte = block[bit as usize];
            let found = match byte {
                b'{' | b'[' => self.open(bytes, at, byte, watch),
                b'}' | b']' => self.close(at, byte),
                _ => Found::More,
            };
            if found != Found::More {
                return found;
            }
        }
        if wrong == 0 { Found::More } else { Found::Broken(self.next + limit as usize) }
    }

    /// Quotes that begin or end strings, and control characters, in a block that has escapes or the latter.
    fn unescaped_quotes(&mut self, quotes: u64, block: &[u8; BLOCK]) -> (u64, u64) {
        let rare = RareMasks::of(block);
        (unescaped(quotes, rare.backslash, &mut self.escape), rare.control)
    }

    /// Of quotes of this block that begin strings, and not behind a separator, the first behind which none may begin.
    fn misplaced(&self, mut quotes: u64, bytes: &[u8]) -> u64 {
        while quotes != 0 {
            let at = self.next + quotes.trailing_zeros() as usize;
            let rest = quotes & (quotes - 1);
            if !string_may_begin(bytes[..at].last()) {
                return quotes ^ rest;
            }
            quotes = rest;
        }
        0
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

/// Whether a string may begin behind this byte.
fn string_may_begin(before: Option<&u8>) -> bool {
    before.is_none_or(|byte| matches!(byte, 0..=b' ' | b'{' | b'[' | b':' | b','))
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
        for (text, at) in [("{\"a\":\"b},{\"id\":2}", 13), ("{\n\"a\":8\"b\"}", 7), ("{\t\"a\\u0001\x01\"}", 10)] {
            for spaces in 0..=130 {
                let padded = format!("{{{}{}", " ".repeat(spaces), &text[1..]);
                assert_eq!(scan(&padded), Found::Broken(spaces + at), "{spaces} {text}");
            }
        }
    }
}
