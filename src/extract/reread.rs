//! One record of a dump, read again where lineage says that it begins.
//!
//! The whole dump is read, however early the record stands: only then is the digest known that tells whether the dump is
//! still the one that was normalized.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::chunks::ReadMore;
use super::decompress::{DumpReader, Facts};
use super::scanner::MAX_RECORD;
use super::value::{Found, ValueScan};

/// Bytes read at once.
const READ: usize = 1 << 20;

/// What came of reading a dump again.
#[derive(Debug)]
pub struct Reread {
    /// What is known of the file.
    pub facts: Facts,
    /// The bytes of the object at the offset; `None` when none begins there, or when it is no record.
    pub record: Option<Vec<u8>>,
}

/// Reads the dump at `path` to its end and keeps the record at `offset` of its decompressed bytes.
///
/// # Errors
/// When the dump can't be read or its compression is damaged.
pub fn reread(path: &Path, offset: u64) -> io::Result<Reread> {
    let mut reader = DumpReader::open(path, &Arc::default())?;
    let mut search = Search::Skipping(offset);
    let mut bytes = Vec::new();
    loop {
        bytes.reserve(READ);
        let ended = reader.read_more(&mut bytes, READ)? == 0;
        search = search.go_on(&mut bytes, ended);
        if ended {
            let record = if let Search::Found(record) = search { Some(record) } else { None };
            return Ok(Reread { facts: reader.finish()?, record });
        }
    }
}

enum Search {
    /// So many bytes come before the record.
    Skipping(u64),
    /// The bytes begin with the record.
    Scanning(ValueScan),
    Found(Vec<u8>),
    Nothing,
}

impl Search {
    /// Looks at the bytes that are held and drops those that are done with.
    fn go_on(self, bytes: &mut Vec<u8>, ended: bool) -> Self {
        match self {
            Self::Skipping(before) if before >= bytes.len() as u64 => {
                let before = before - bytes.len() as u64;
                bytes.clear();
                Self::Skipping(before)
            }
            Self::Skipping(before) => {
                bytes.drain(..usize::try_from(before).unwrap_or(bytes.len()));
                let object = bytes.first() == Some(&b'{');
                let next = if object { Self::Scanning(ValueScan::new()) } else { Self::Nothing };
                next.go_on(bytes, ended)
            }
            Self::Scanning(mut scan) => match scan.scan(bytes, ended, |_, _| ControlFlow::Continue(())) {
                Found::End(length) => {
                    bytes.truncate(length);
                    Self::Found(std::mem::take(bytes))
                }
                Found::More if !ended && bytes.len() <= MAX_RECORD => Self::Scanning(scan),
                _ => Self::Nothing,
            },
            Self::Found(_) | Self::Nothing => {
                bytes.clear();
                self
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_object_at_an_offset_is_read() {
        let long = format!(r#"{{"x":"{}"}}"#, "}".repeat(3 * READ));
        let text = format!(r#"[{{"a":1}}, {long} ,{{"b":2"#);
        for stored in [text.clone().into_bytes(), zstd::encode_all(text.as_bytes(), 1).expect("compresses")] {
            let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
            file.write_all(&stored).expect("written");
            let at = |offset: usize| {
                let reread = reread(file.path(), offset as u64).expect("read");
                assert_eq!(reread.facts.digest, blake3::hash(&stored).to_hex().to_string());
                reread.record.map(|record| String::from_utf8(record).expect("UTF-8"))
            };
            assert_eq!(at(1).as_deref(), Some(r#"{"a":1}"#));
            assert_eq!(at(10).as_deref(), Some(&*long));
            for nothing in [0, 2, text.len() - 6, text.len(), text.len() + 10] {
                assert_eq!(at(nothing), None, "{nothing}");
            }
        }
    }
}
