//! How a dump is read changes nothing, and nothing of it is lost, whatever its bytes.
//!
//! Items lie in order, do not overlap, have their text at their offset, and with the structure they cover every byte;
//! where there are no envelopes, structure is white space, commas and square brackets and nothing else. Other sizes of
//! reads and chunks give the same items, blocks and source, as the output must not depend on the machine; and
//! naming the source that was recognised gives the same items.
//!
//! The first four bytes are the sizes. To reach the scanner's limits of 64 KiB with little input, and where the first one
//! is large, the byte 1 and the one behind it stand for a run of about that length.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use paynorm::extract::chunks::{Chunk, FaultText, Item, Sizes};
use paynorm::sources::envelope_keys;
use paynorm_fuzz::chunks;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((&[read, chunk, more, block], dump)) = input.split_first_chunk() else { return Corpus::Reject };
    let has_pages = dump.contains(&b'\\') || envelope_keys().iter().any(|key| contains(dump, key));
    let dump = if read < 128 { dump.to_vec() } else { stretched(dump) };
    // Reading a long dump byte by byte takes too long.
    let least = 1 + dump.len() / 512;
    let (read, chunk) = (least + usize::from(read), 1 + usize::from(u16::from_le_bytes([chunk, more])));
    let sizes = |read, chunk| Sizes { read, chunk, block: u64::from(block) * 4 };
    let expected = Scan::of(&dump, sizes(1 << 20, 1 << 20), None);
    expected.check(&dump, has_pages);
    for (read, chunk) in [(least, 1), (least, 1 << 20), (read, chunk), (1 << 20, 1)] {
        assert_eq!(Scan::of(&dump, sizes(read, chunk), None), expected, "read {read}, chunk {chunk}");
    }
    if expected.source.is_some() {
        // Before the source is known no block can end, so blocks may be others.
        let named = Scan::of(&dump, sizes(read, chunk), expected.source);
        assert_eq!((named.pieces, named.source), (expected.pieces, expected.source), "the source is named");
    }
    Corpus::Keep
});

fn contains(dump: &[u8], text: &str) -> bool {
    dump.windows(text.len()).any(|part| part == text.as_bytes())
}

/// The dump with its runs at length.
fn stretched(dump: &[u8]) -> Vec<u8> {
    let mut parts = dump.splitn(3, |byte| *byte == 1);
    let mut long = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let Some((&length, rest)) = part.split_first() else { continue };
        let fill = if length % 2 == 0 { b' ' } else { b'x' };
        long.resize(long.len() + (1 << 16) - 256 + usize::from(length) * 2, fill);
        long.extend_from_slice(rest);
    }
    long
}

/// What a dump was taken for.
#[derive(Debug, PartialEq)]
struct Scan {
    pieces: Vec<Piece>,
    /// After how many pieces blocks end, but for the last one.
    blocks: Vec<usize>,
    source: Option<usize>,
    /// Bytes in items.
    covered: u64,
}

/// An item: what it is, where, and its text.
#[derive(PartialEq)]
struct Piece {
    what: String,
    at: usize,
    text: Vec<u8>,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\n  {} {} {:?}", self.at, self.what, String::from_utf8_lossy(&self.text))
    }
}

impl Scan {
    fn of(dump: &[u8], sizes: Sizes, source: Option<usize>) -> Self {
        let (chunks, counts) = chunks(dump, sizes, source);
        let (mut pieces, mut blocks, mut end) = (Vec::new(), Vec::new(), 0);
        for chunk in &chunks {
            let base = index(chunk.base);
            assert!(base >= end, "chunks come in order");
            end = base + chunk.bytes.len();
            assert_eq!(dump[base..end], chunk.bytes, "a chunk holds the bytes at its place");
            assert_eq!(chunk.source, chunks[0].source, "a dump is of one source");
            pieces.extend(chunk.items.iter().map(|item| Piece::of(chunk, item)));
            if chunk.ends_block {
                blocks.push(pieces.len());
            }
        }
        blocks.retain(|before| *before < pieces.len());
        let source = chunks.first().and_then(|chunk| chunk.source);
        Self { pieces, blocks, source, covered: counts.items }
    }

    /// Items are where they say they are, one behind the other, and nothing but structure is between them.
    fn check(&self, dump: &[u8], has_pages: bool) {
        let (mut end, mut covered, mut between) = (0, 0, Vec::new());
        for piece in self.pieces.iter().filter(|piece| !piece.is_note()) {
            let behind = piece.at + piece.text.len();
            assert_eq!(dump.get(piece.at..behind), Some(&piece.text[..]), "{piece:?} is not at its place");
            assert!(piece.at >= end, "{piece:?} overlaps what is before it");
            between.extend_from_slice(&dump[end..piece.at]);
            covered += piece.text.len() as u64;
            end = behind;
        }
        between.extend_from_slice(&dump[end..]);
        assert_eq!(covered, self.covered, "items are counted as what they hold: {self:?}");
        if !has_pages {
            let between = between.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&between);
            let structure = |byte: &u8| byte.is_ascii_whitespace() || b"[],".contains(byte);
            assert!(between.iter().all(structure), "{:?} is in no item", String::from_utf8_lossy(between));
        }
    }
}

impl Piece {
    fn of(chunk: &Chunk, item: &Item) -> Self {
        let base = index(chunk.base);
        let (what, at, text) = match item {
            &Item::Record { start, end, alone: true } => ("alone".into(), base + start, &chunk.bytes[start..end]),
            &Item::Record { start, end, alone: false } => ("record".into(), base + start, &chunk.bytes[start..end]),
            &Item::Element { start, end } => ("element".into(), base + start, &chunk.bytes[start..end]),
            &Item::Document { start, end } => ("document".into(), base + start, &chunk.bytes[start..end]),
            Item::Fault(fault) => {
                let FaultText::Bytes(text) = &fault.text else { panic!("small faults are kept") };
                assert_eq!(fault.length, text.len() as u64);
                let what = format!("{} {}", fault.reject.reason.code(), fault.reject.message);
                (what, index(fault.offset), &text[..])
            }
        };
        Self { what, at, text: text.to_vec() }
    }

    /// Whether this tells of bytes that are counted as structure, an envelope without its records or a lone comma, or
    /// of none at all.
    fn is_note(&self) -> bool {
        self.text.is_empty()
            || self.what.contains("the envelope ")
            || self.what.ends_with("a comma without a value behind it")
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("dumps here are small")
}
