//! Paths as text: for lineage, and for messages.

use std::ffi::OsStr;
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

/// Text for messages: control characters escaped, so that no name can act on a terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

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
    }
}
