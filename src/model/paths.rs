//! Paths as text: for lineage, and for messages.

use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A part of a path as text; bytes that are no UTF-8 become `%XX`.
#[must_use]
pub fn escape_bytes(part: &OsStr) -> String {
    let chunk = |chunk: std::str::Utf8Chunk<'_>| {
        let invalid: String = chunk.invalid().iter().map(|byte| format!("%{byte:02X}")).collect();
        chunk.valid().to_owned() + &invalid
    };
    part.as_bytes().utf8_chunks().map(chunk).collect()
}

/// Text for messages: control characters escaped, and those that can't be seen or turn the writing around, so that no name
/// can act on a terminal or look like another one.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Whether a character does something instead of being seen.
#[must_use]
pub fn acts(c: char) -> bool {
    c.is_control() || (!c.is_ascii() && INVISIBLE.iter().any(|range| range.contains(&c)))
}

/// Spaces without width, marks and overrides of direction, separators of lines, and tags.
const INVISIBLE: [RangeInclusive<char>; 7] = [
    '\u{61c}'..='\u{61c}',
    '\u{200b}'..='\u{200c}',
    '\u{200e}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
    '\u{e0000}'..='\u{e007f}',
];

/// A path for messages.
#[must_use]
pub fn shown(path: &Path) -> String {
    printable(&escape_bytes(path.as_os_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_can_be_shown() {
        assert_eq!(shown(Path::new(OsStr::from_bytes(b"/a\xff\n/\xc3\xbc"))), "/a%FF\\n/ü");
        assert_eq!(printable("a\u{202e}b\u{200b}c\u{200d}💬"), "a\\u{202e}b\\u{200b}c\u{200d}💬");
    }
}
