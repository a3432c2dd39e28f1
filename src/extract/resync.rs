//! Finds the next record behind something broken.
//!
//! A place counts as the start of the next record when a person would see it as one: a line that begins like the broken
//! record's own line did, or, on the same line, an object that is whole and told as a record of some source. The search
//! is bounded: a candidate is looked at for [`LOOK`] bytes, and all candidates together for a multiple of what is
//! searched, so that hostile text cannot make it slow; a search that costs more than the dump is worth is not begun at
//! all. Its result depends on the bytes alone, not on how they arrive.

use std::ops::ControlFlow;

use super::scanner::Shapes;
use super::value::{Found, ValueScan};

/// How far an object on the same line is looked at.
const LOOK: usize = 64 << 10;
/// Candidates on the same line may cost this many times the bytes searched.
const BUDGET_FACTOR: usize = 16;

/// What a search came to; indices are relative to the broken thing's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resync {
    /// The broken thing ends before `end`, the next record or document begins at `next`.
    Found {
        /// Behind the broken thing, without the comma and white space that separate.
        end: usize,
        /// The next first byte.
        next: usize,
        /// Whether a document begins there, and the list that the broken thing was in is over.
        document: bool,
    },
    /// More bytes are needed to tell.
    NeedData,
    /// The dump ends before another record begins.
    None,
}

/// What may begin the next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lines {
    /// Any line: records are known to stand one on a line.
    Any,
    /// A line that begins with a bracket in this column.
    Column(usize),
    /// A line that begins with a bracket.
    Bracket,
    /// No line as such.
    No,
}

/// Which objects on the same line count, if they are whole and told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inline {
    /// All.
    All,
    /// Those behind a comma or a closing bracket.
    Separated,
    /// None.
    No,
}

/// A search for the next record.
#[derive(Clone, Debug)]
pub(super) struct Search {
    lines: Lines,
    inline: Inline,
    in_list: bool,
    /// The next index to look at, how far it is into its line, and whether only white space came before on it.
    next: usize,
    column: usize,
    blank_so_far: bool,
    budget: usize,
    /// The last byte that is not white space.
    last: u8,
}

impl Search {
    /// A search behind something broken that begins with `first`. `line` is what stands before it on its line, where
    /// that is known and no record is in it.
    pub(super) fn new(line: Option<&[u8]>, first: u8, in_list: bool, one_a_line: bool) -> Self {
        let lines = match line {
            _ if one_a_line && !in_list => Lines::Any,
            Some(line) if line.iter().all(u8::is_ascii_whitespace) => Lines::Column(line.len()),
            _ => Lines::Bracket,
        };
        let inline = match first {
            _ if lines == Lines::Any => Inline::No,
            b'{' | b'[' => Inline::Separated,
            _ => Inline::All,
        };
        Self { lines, inline, in_list, ..Self::none() }
    }

    /// A search that only whole objects end, behind a page of markup.
    pub(super) fn told_only() -> Self {
        Self { inline: Inline::All, ..Self::none() }
    }

    /// A search that finds nothing: all the rest is one thing.
    pub(super) fn none() -> Self {
        Self {
            lines: Lines::No,
            inline: Inline::No,
            in_list: false,
            next: 1,
            column: 1,
            blank_so_far: false,
            budget: LOOK,
            last: 0,
        }
    }

    /// How many bytes the search will not look at again.
    pub(super) fn settled(&self) -> usize {
        self.next.saturating_sub(LOOK)
    }

    /// Forgets the first `count` bytes, which the caller has dropped.
    pub(super) fn forget(&mut self, count: usize) {
        self.next -= count;
    }

    /// Goes on through `bytes`, which begin with the broken thing.
    pub(super) fn run(&mut self, bytes: &[u8], end: bool, shapes: &Shapes<'_>) -> Resync {
        while let Some(&byte) = bytes.get(self.next) {
            if byte == b'\n' {
                (self.column, self.blank_so_far) = (0, true);
            } else {
                if !byte.is_ascii_whitespace() {
                    match self.begins_next(bytes, byte, end, shapes) {
                        Some(Some(document)) => return self.found(bytes, document),
                        Some(None) => (self.blank_so_far, self.last) = (false, byte),
                        None => return Resync::NeedData,
                    }
                }
                self.column += 1;
            }
            self.budget += BUDGET_FACTOR;
            self.next += 1;
        }
        if end { Resync::None } else { Resync::NeedData }
    }

    /// Whether a record (`false`) or a document (`true`) begins here; outer `None` when more bytes are needed to tell.
    #[allow(clippy::option_option, reason = "the two absences mean different things and never leave this file")]
    fn begins_next(&mut self, bytes: &[u8], byte: u8, end: bool, shapes: &Shapes<'_>) -> Option<Option<bool>> {
        let line = self.blank_so_far && self.begins_line(byte);
        if line && (!self.in_list || byte == b'[') {
            return Some(Some(true));
        }
        let inline = byte == b'{' && self.may_begin_inline();
        if !line && !inline {
            return Some(None);
        }
        let rest = &bytes[self.next..];
        if rest.len() < LOOK && !end {
            return None;
        }
        let shown = &rest[..rest.len().min(LOOK)];
        if line {
            return Some(Some(opens_list(shown, shapes)));
        }
        Some(self.whole_and_told(shown, shapes).then_some(!self.in_list))
    }

    fn begins_line(&self, byte: u8) -> bool {
        let bracket = byte == b'{' || (byte == b'[' && (!self.in_list || self.column == 0));
        match self.lines {
            Lines::Any => true,
            Lines::Column(column) => bracket && (self.column == column || byte == b'['),
            Lines::Bracket => bracket,
            Lines::No => false,
        }
    }

    fn may_begin_inline(&self) -> bool {
        match self.inline {
            Inline::All => true,
            Inline::Separated => matches!(self.last, b',' | b'}' | b']'),
            Inline::No => false,
        }
    }

    /// Whether a whole object stands here that is told; `shown` is all that may be looked at.
    fn whole_and_told(&mut self, shown: &[u8], shapes: &Shapes<'_>) -> bool {
        let shown = &shown[..shown.len().min(self.budget)];
        let found = ValueScan::new().scan(shown, true, |_, _| ControlFlow::Continue(()));
        let cost = match found {
            Found::End(length) => 2 * length,
            Found::Broken(length) | Found::Stopped(length) => length,
            Found::More => shown.len(),
        };
        self.budget = self.budget.saturating_sub(cost);
        matches!(found, Found::End(length) if (shapes.told)(&shown[..length]).is_some())
    }

    /// What separates the next record from the broken thing belongs to neither.
    fn found(&self, bytes: &[u8], document: bool) -> Resync {
        let before = bytes[..self.next].trim_ascii_end();
        let before = match before.strip_suffix(b",") {
            Some(before) if self.in_list => before.trim_ascii_end(),
            _ => before,
        };
        Resync::Found { end: before.len(), next: self.next, document }
    }
}

/// Whether the object here is a page envelope; `shown` is all that may be looked at.
fn opens_list(shown: &[u8], shapes: &Shapes<'_>) -> bool {
    let found = ValueScan::new().scan(shown, true, |at, byte| match byte == b'[' && shapes.is_list(&shown[..at]) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    matches!(found, Found::Stopped(_))
}
