//! A dump as a sequence of chunks: whole records for one worker each, all of one source.
//!
//! The source is recognised from the first records: the first of them that exactly one source tells decides. Where none
//! does, each document of the dump is one item. Chunks end where it suits the machine; blocks end at places that the
//! content alone decides, so that what is written does not depend on how it was read.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Mutex;

pub use super::scanner::{Fault, FaultText, Item, MAX_RECORD, Shapes};
use super::scanner::{Scanner, Step};

/// The source is recognised within this many records …
const SNIFF_ITEMS: usize = 100;
/// … and this many bytes of them, but for what is too large to be kept.
const SNIFF_BYTES: u64 = 16 << 20;

/// Where a dump's bytes come from.
pub trait ReadMore {
    /// Appends bytes, at most `limit`, and tells how many; none at the end.
    ///
    /// # Errors
    /// When nothing can be read.
    fn read_more(&mut self, bytes: &mut Vec<u8>, limit: usize) -> io::Result<usize>;
}

impl ReadMore for &[u8] {
    fn read_more(&mut self, bytes: &mut Vec<u8>, limit: usize) -> io::Result<usize> {
        self.take(limit as u64).read_to_end(bytes)
    }
}

/// Buffers that are used again, as fresh memory is slow.
#[derive(Debug, Default)]
pub struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// More than these are not kept, nor larger ones.
    const MOST: usize = 64;
    const LARGEST: usize = 8 << 20;

    /// Keeps a buffer that is done with.
    pub fn give(&self, buffer: Vec<u8>) {
        let mut buffers = self.0.lock().expect("nobody panics with the lock");
        if buffers.len() < Self::MOST && buffer.capacity() <= Self::LARGEST {
            buffers.push(buffer);
        }
    }

    fn take(&self, capacity: usize) -> Vec<u8> {
        let kept = self.0.lock().expect("nobody panics with the lock").pop();
        // One that has become larger goes back to the system.
        let mut buffer = kept.filter(|buffer| buffer.capacity() <= 2 * capacity).unwrap_or_default();
        buffer.clear();
        buffer.reserve_exact(capacity);
        buffer
    }
}

/// What an item costs in memory beside its bytes, roughly, with what it becomes.
const ITEM_BYTES: usize = 256;

/// Consecutive bytes of a dump that end at the end of an item.
#[derive(Debug)]
pub struct Chunk {
    /// The number of the source that the dump was recognised as.
    pub source: Option<usize>,
    /// Where the bytes begin in the decompressed dump.
    pub base: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What is in them, in order.
    pub items: Vec<Item>,
    /// Whether a block ends with this chunk.
    pub ends_block: bool,
}

impl Sizes {
    /// What a buffer holds before it must grow: a chunk, and what was read beyond its end.
    fn buffer(&self) -> usize {
        self.chunk + 2 * self.read
    }
}

impl Chunk {
    /// Roughly the memory that the chunk and what becomes of it take.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.bytes.capacity() + self.items.len() * ITEM_BYTES
    }
}

/// Sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// How much is read at once.
    pub read: usize,
    /// From which size on a chunk ends.
    pub chunk: usize,
    /// From which size of its records on a block ends.
    pub block: u64,
}

/// How the bytes of a dump were counted; the three never come from one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteCounts {
    /// Bytes that were read.
    pub read: u64,
    /// Bytes that are white space, separators and envelopes.
    pub structure: u64,
    /// Bytes that are in items.
    pub items: u64,
}

impl ByteCounts {
    /// Whether every byte is accounted for.
    #[must_use]
    pub fn balance(&self) -> bool {
        self.read == self.structure + self.items
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sniff {
    /// How many items were looked at, and how many bytes of them are held.
    Undecided(usize, u64),
    Decided(Option<usize>),
}

/// The chunks of one dump. After an error there are no more.
#[derive(Debug)]
pub struct Chunks<'s, R> {
    reader: R,
    shapes: Shapes<'s>,
    buffers: &'s Buffers,
    scanner: Scanner<'s>,
    sizes: Sizes,
    sniff: Sniff,
    /// Chunks that were handed on before the source was recognised.
    held: VecDeque<Chunk>,
    read: u64,
    /// Items of the chunk under way that are counted, and the size of the records in the block under way.
    counted: usize,
    block: u64,
    done: bool,
}

impl<'s, R: ReadMore> Chunks<'s, R> {
    /// The chunks of what `reader` holds; `source` is the number of the source if it is known.
    pub fn new(reader: R, shapes: Shapes<'s>, buffers: &'s Buffers, sizes: Sizes, source: Option<usize>) -> Self {
        let sniff = if source.is_some() { Sniff::Decided(source) } else { Sniff::Undecided(0, 0) };
        let scanner = Scanner::new(shapes);
        Self {
            reader,
            shapes,
            buffers,
            scanner,
            sizes,
            sniff,
            held: VecDeque::new(),
            read: 0,
            counted: 0,
            block: 0,
            done: false,
        }
    }

    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    /// What the reader fails with.
    pub fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            if let Sniff::Decided(source) = self.sniff {
                if let Some(chunk) = self.held.pop_front() {
                    return Ok(Some(Chunk { source, ..chunk }));
                }
                if self.done {
                    return Ok(None);
                }
                if let Some(ends_block) = self.full() {
                    return Ok(Some(self.take(ends_block)));
                }
            }
            match self.scanner.step() {
                Step::Progress => self.look(),
                Step::NeedData => self.read_more()?,
                Step::HandOn => {
                    let chunk = self.take(false);
                    if chunk.items.is_empty() {
                        self.buffers.give(chunk.bytes);
                    } else {
                        self.held.push_back(chunk);
                    }
                }
                Step::End => self.end(),
            }
        }
    }

    /// How the bytes seen so far were counted.
    pub fn byte_counts(&self) -> ByteCounts {
        ByteCounts { read: self.read, structure: self.scanner.structure, items: self.scanner.covered }
    }

    /// The reader, to ask it for what it knows at the end.
    pub fn into_reader(self) -> R {
        self.reader
    }

    /// Whether a chunk ends here, and whether a block does.
    fn full(&self) -> Option<bool> {
        let ends_block = self.block >= self.sizes.block;
        let weight = self.scanner.pos + self.counted * ITEM_BYTES / 8;
        let full = ends_block || weight >= self.sizes.chunk;
        (full && self.counted > 0 && self.scanner.at_item_end()).then_some(ends_block)
    }

    fn take(&mut self, ends_block: bool) -> Chunk {
        let (base, bytes, items) = self.scanner.take(self.buffers.take(self.sizes.buffer()));
        self.counted = 0;
        if ends_block {
            self.block = 0;
        }
        let source = if let Sniff::Decided(source) = self.sniff { source } else { None };
        Chunk { source, base, bytes, items, ends_block }
    }

    /// Counts the items that are new, and looks at them while the source is not known.
    fn look(&mut self) {
        while let Some(item) = self.scanner.items.get(self.counted) {
            self.counted += 1;
            if let &Item::Record { start, end, .. } = item {
                self.block += (end - start) as u64;
            }
            let Sniff::Undecided(looked, held) = self.sniff else { continue };
            let told = match *item {
                Item::Record { start, end, .. } => (self.shapes.told)(&self.scanner.bytes[start..end]),
                _ => None,
            };
            let (looked, held) = (looked + 1, held + item.held());
            self.sniff = match told {
                Some(source) => Sniff::Decided(Some(source)),
                None if looked >= SNIFF_ITEMS || held >= SNIFF_BYTES => self.give_up(),
                None => Sniff::Undecided(looked, held),
            };
        }
    }

    /// No source is told: from the start again, document by document, where the start is still held.
    fn give_up(&mut self) -> Sniff {
        if self.scanner.base == 0 && self.held.is_empty() {
            self.scanner.restart_opaque();
            (self.counted, self.block) = (0, 0);
        }
        Sniff::Decided(None)
    }

    fn end(&mut self) {
        let records = |item: &Item| matches!(item, Item::Record { .. } | Item::Element { .. });
        if let Sniff::Undecided(..) = self.sniff {
            if self.scanner.items.iter().any(records) {
                self.sniff = self.give_up();
                return;
            }
            self.sniff = Sniff::Decided(None);
        }
        self.done = true;
        if !self.scanner.items.is_empty() {
            let chunk = self.take(true);
            self.held.push_back(chunk);
        }
    }

    fn read_more(&mut self) -> io::Result<()> {
        let bytes = &mut self.scanner.bytes;
        if bytes.capacity() == 0 {
            *bytes = self.buffers.take(self.sizes.buffer());
        }
        if bytes.capacity() - bytes.len() < self.sizes.read {
            // It doubles for a large record: what is not filled yet takes no memory.
            bytes.reserve_exact(self.sizes.buffer().max(bytes.len()));
        }
        let count = self.reader.read_more(bytes, self.sizes.read)?;
        self.read += count as u64;
        self.scanner.ended = count == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &[u8]) -> Option<usize> {
        let mut found = None;
        let text = std::str::from_utf8(text).ok()?;
        let read = crate::model::json::Reader::default().members(text, |member| {
            found = found.or((member.raw_key == "id").then_some(7));
            Ok(())
        });
        read.ok().and(found)
    }

    /// Everything in a dump, one line each: what it is and its text, which is also at its offset.
    fn items(dump: &[u8], read: usize, chunk: usize) -> Vec<String> {
        let shapes = Shapes { envelope_keys: &["list"], told: &told };
        let buffers = Buffers::default();
        let mut chunks = Chunks::new(dump, shapes, &buffers, Sizes { read, chunk, block: 1 << 20 }, None);
        let mut seen = Vec::new();
        while let Some(chunk) = chunks.next_chunk().expect("memory can be read") {
            assert_eq!(dump[usize::try_from(chunk.base).expect("small")..][..chunk.bytes.len()], chunk.bytes);
            for item in &chunk.items {
                let (what, text) = match item {
                    &Item::Record { start, end, .. } => ("record", &chunk.bytes[start..end]),
                    &Item::Element { start, end } => ("element", &chunk.bytes[start..end]),
                    &Item::Document { start, end } => ("document", &chunk.bytes[start..end]),
                    Item::Fault(fault) => {
                        let FaultText::Bytes(text) = &fault.text else { panic!("small faults are kept") };
                        assert_eq!(fault.length, text.len() as u64);
                        (fault.reject.reason.code(), &text[..])
                    }
                };
                seen.push(format!("{what} {}", String::from_utf8_lossy(text)));
            }
        }
        let counts = chunks.byte_counts();
        assert!(counts.balance(), "{counts:?}");
        assert_eq!(counts.read, dump.len() as u64);
        seen
    }

    #[track_caller]
    fn check(dump: &str, expect: &[&str]) {
        for read in [1, 2, 3, 7, 64, 1 << 16] {
            for chunk in [1, 40, 1 << 20] {
                assert_eq!(items(dump.as_bytes(), read, chunk), expect, "read {read}, chunk {chunk}: {dump}");
            }
        }
    }

    #[test]
    fn every_shape_gives_its_records() {
        for dump in [
            "[{\"id\":1},{\"id\":2}]",
            "[\n  {\"id\":1},\n  {\"id\":2}\n]\n",
            "{\"id\":1}\n{\"id\":2}",
            "\u{feff}{\"id\":1}\r\n\r\n{\"id\":2}\r\n",
            "{\"id\":1}{\"id\":2}",
            "{\"list\":[{\"id\":1},{\"id\":2}],\"page\":{\"n\":[1]}}",
            "{\"page\":[1], \"list\" : [ {\"id\":1} , {\"id\":2} ] }",
            "{\"l\\u0069st\":[{\"id\":1}]}\n{\"list\":[]}{\"list\":[{\"id\":2}]}",
            "[{\"id\":1}][][{\"id\":2}]",
        ] {
            check(dump, &["record {\"id\":1}", "record {\"id\":2}"]);
        }
        for empty in ["", " \n", "[]", "\u{feff}", "{\"list\":[]}", "[][]"] {
            check(empty, &[]);
        }
    }

    #[test]
    fn a_record_may_hold_a_member_named_like_an_envelope() {
        check("{\"list\":[{\"x\":1}],\"id\":1}", &["record {\"list\":[{\"x\":1}],\"id\":1}"]);
    }

    #[test]
    fn neighbours_of_broken_records_are_found() {
        for (dump, expect) in [
            (
                "{\"id\":1}\n{\"id\":2,\"x\":\"cut\n{\"id\":3}\n",
                &["record {\"id\":1}", "invalid_json {\"id\":2,\"x\":\"cut", "record {\"id\":3}"][..],
            ),
            (
                "{\"id\":1,\"x\":{\"y\":1}\n{\"id\":2}\n{\"id\":3}\n",
                &["invalid_json {\"id\":1,\"x\":{\"y\":1}", "record {\"id\":2}", "record {\"id\":3}"],
            ),
            (
                "{\"id\":1,\"x\":\n{\"id\":2}\n{\"id\":3}\n",
                &["invalid_json {\"id\":1,\"x\":", "record {\"id\":2}", "record {\"id\":3}"],
            ),
            (
                "[{\"id\":1},{\"id\":2,\"x\":\"cut},{\"id\":3},{\"id\":4}]",
                &["record {\"id\":1}", "invalid_json {\"id\":2,\"x\":\"cut}", "record {\"id\":3}", "record {\"id\":4}"],
            ),
            (
                "[\n {\"id\":1,\n  \"x\": {\"y\":1\n },\n {\"id\":3}\n]",
                &["invalid_json {\"id\":1,\n  \"x\": {\"y\":1\n }", "record {\"id\":3}"],
            ),
            (
                "{\"id\":1}{\"id\":2]}{\"id\":3}",
                &["record {\"id\":1}", "invalid_json {\"id\":2]}", "record {\"id\":3}"],
            ),
            ("[{\"id\":1},{\"id\":2", &["record {\"id\":1}", "truncated_input {\"id\":2"]),
            ("[{\"id\":1}", &["record {\"id\":1}", "truncated_input "]),
            ("[{\"id\":1},]", &["record {\"id\":1}", "invalid_json ,"]),
            ("[{\"id\":1} {\"id\":2}]", &["record {\"id\":1}", "invalid_json ", "record {\"id\":2}"]),
            ("[{\"id\":1},7,{\"id\":2}]", &["record {\"id\":1}", "element 7", "record {\"id\":2}"]),
            ("[null,{\"id\":2}]", &["element null", "record {\"id\":2}"]),
            ("{\"id\":1} garbage {\"id\":2}", &["record {\"id\":1}", "invalid_json garbage", "record {\"id\":2}"]),
            (
                "{\"list\":[{\"id\":1}],\"page\":x}\n{\"list\":[{\"id\":2}]}",
                &["record {\"id\":1}", "invalid_json {\"list\":[],\"page\":x}", "record {\"id\":2}"],
            ),
            (
                "{\"list\":[{\"id\":1},{\"id\":\"2}]}\n{\"list\":[{\"id\":3}]}\n",
                &["record {\"id\":1}", "invalid_json {\"id\":\"2}]}", "record {\"id\":3}"],
            ),
            ("<html><p>{\"x\":1}</p>\n{\"a\":1}</html>", &["api_error_page <html><p>{\"x\":1}</p>\n{\"a\":1}</html>"]),
        ] {
            check(dump, expect);
        }
    }

    #[test]
    fn braces_that_tell_no_end_are_not_taken_for_one() {
        for (object, expect) in [
            (r#"{"x":":{"}"#, &[r#"record {"x":":{"}"#][..]),
            (r#"{"x":"}","y":{}}"#, &[r#"record {"x":"}","y":{}}"#]),
            (r#"{"x":{"y":"}"},"z":{}}"#, &[r#"record {"x":{"y":"}"},"z":{}}"#]),
            ("{\"x\":{\"y\":\"}\"}\n,\"z\":1}", &["record {\"x\":{\"y\":\"}\"}\n,\"z\":1}"]),
            (r#"{"x":"\"},{","y":"\""}"#, &[r#"record {"x":"\"},{","y":"\""}"#]),
            (r#"{"x":"\\"}"#, &[r#"record {"x":"\\"}"#]),
            (r#"{"x":[{}],"y":":{"}"#, &[r#"record {"x":[{}],"y":":{"}"#]),
            (r#"{"x":{"y":1}"#, &[r#"invalid_json {"x":{"y":1}"#]),
            (r#"{"x":"cut}"#, &[r#"invalid_json {"x":"cut}"#]),
            // What is wrong inside is for the reader of the record to say.
            (r#"{"x":""y"",:{}}"#, &[r#"record {"x":""y"",:{}}"#]),
        ] {
            let expect: Vec<_> = [&[r#"record {"id":1}"#], expect, &[r#"record {"id":4}"#]].concat();
            check(&format!("{{\"id\":1}}\n{object}\n{{\"id\":4}}\n"), &expect);
            check(&format!("[{{\"id\":1}},\n{object},\n{{\"id\":4}}]"), &expect);
        }
        let page = r#"{"list":[{"id":1},{"x":":{"}],"page":{"n":{}}},{"id":2}"#;
        check(page, &[r#"record {"id":1}"#, r#"record {"x":":{"}"#, "invalid_json ,", r#"record {"id":2}"#]);
    }

    #[test]
    fn a_dump_that_no_source_tells_is_taken_by_documents() {
        check("[{\"a\":1},{\"a\":2}]", &["document [{\"a\":1},{\"a\":2}]"]);
        check("{\"a\":1}\n{\"list\":[{\"b\":1}]}", &["document {\"a\":1}", "document {\"list\":[{\"b\":1}]}"]);
        check("[1,2,[3]]", &["document [1,2,[3]]"]);
    }
}
