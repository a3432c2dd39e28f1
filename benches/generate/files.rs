//! Lays the records of one source out as dump files: which shape, how many records a file, what stands between them.
//!
//! It looks into no record. The surprising thing: a pretty-printed page is written compact first and indented as text,
//! so that broken records, too, pass through it unchanged.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use Frame::{Array, Concat, Lines, Page};
use Quirk::{Blanks, Bom, NoEnd, Pretty, Several, Turned, Whole};

use crate::records::{Fate, Plan, START, Source};
use crate::rng::Rng;
use crate::text::Part::{Date, Int, Text};
use crate::text::{Civil, bare, put, text};

/// How much text is held before it goes to the file.
const BUFFER: usize = 1 << 20;
/// What a stream of chance is for: the white space of a file.
const SPACE: u64 = 100;

/// How the files of a run look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// The looks of the files, in turn.
    pub(crate) looks: &'static [Look],
    /// Records of a page.
    pub(crate) page_records: u64,
    /// Records of any other file.
    pub(crate) dump_records: u64,
}

/// How one file looks: its frame, its line end and its quirks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look(Frame, &'static str, &'static [Quirk]);

/// What holds the records of a file together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Lines,
    Concat,
    Array,
    Page,
}

/// What a reader has to cope with besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quirk {
    /// All records of the source are in this file.
    Whole,
    /// Several pages are in the file.
    Several,
    /// The page's other keys stand on the other side of the records.
    Turned,
    Bom,
    Pretty,
    Blanks,
    NoEnd,
}

/// Each shape: its name and the looks its files rotate through.
pub(crate) const SHAPES: [(&str, &[Look]); 7] = [
    ("ndjson", &[Look(Lines, "\n", &[])]),
    ("envelope", &[Look(Page, "\n", &[])]),
    ("array", &[Look(Array, "\n", &[])]),
    ("concat", &[Look(Concat, "\n", &[])]),
    ("single-array", &[Look(Array, "\n", &[Whole])]),
    ("single-envelope", &[Look(Page, "\n", &[Whole, Turned])]),
    ("mixed", &MIXED),
];

const MIXED: [Look; 12] = [
    Look(Lines, "\n", &[]),
    Look(Page, "\n", &[]),
    Look(Array, "\n", &[NoEnd]),
    Look(Concat, "\n", &[]),
    Look(Lines, "\r\n", &[Bom]),
    Look(Page, "\n", &[Pretty]),
    Look(Lines, "\n", &[Blanks]),
    Look(Page, "\n", &[Several]),
    Look(Lines, "\n", &[NoEnd]),
    Look(Page, "\n", &[Turned, Bom]),
    Look(Array, "\r\n", &[Pretty]),
    Look(Lines, "\r\n", &[Blanks, NoEnd]),
];

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Files.
    pub(crate) files: u64,
    /// Records, repeated and broken ones too.
    pub(crate) records: u64,
    /// Bytes.
    pub(crate) bytes: u64,
    /// Records that repeat an earlier one.
    pub(crate) repeated: u64,
    /// Records that are broken.
    pub(crate) broken: u64,
}

impl Tally {
    /// Counts what another tally counted, too.
    pub(crate) fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.records += other.records;
        self.bytes += other.bytes;
        self.repeated += other.repeated;
        self.broken += other.broken;
    }
}

/// Writes all records of a source below `dir`, into a folder that must be new or empty.
pub(crate) fn write_source(dir: &Path, source: Source, plan: &Plan, layout: &Layout) -> io::Result<Tally> {
    let folder = dir.join(source.name());
    fs::create_dir_all(&folder)?;
    if fs::read_dir(&folder)?.next().is_some() {
        let message = format!("{} is not empty; remove it or name another folder", folder.display());
        return Err(io::Error::other(message));
    }
    let mut tally = Tally::default();
    while tally.records < plan.records {
        let turn = (tally.files + source as u64) as usize % layout.looks.len();
        let look = layout.looks[turn];
        let end = (tally.records + layout.file_records(look, plan)).min(plan.records);
        let extension = if look.0 == Lines { "ndjson" } else { "json" };
        let name = format!("{}-{:05}.{extension}", source.name(), tally.files);
        let dump = Dump {
            // An existing file would be someone else's.
            file: File::create_new(folder.join(name))?,
            out: Vec::with_capacity(2 * BUFFER),
            source,
            plan,
            look,
            page_records: layout.page_records,
            tally,
        };
        tally = dump.write(tally.records..end)?;
    }
    Ok(tally)
}

impl Layout {
    fn file_records(&self, look: Look, plan: &Plan) -> u64 {
        match look {
            Look(.., quirks) if quirks.contains(&Whole) => plan.records,
            Look(Page, _, quirks) if !quirks.contains(&Several) => self.page_records,
            // These are held in memory whole.
            Look(.., quirks) if quirks.contains(&Pretty) => self.page_records,
            // Small runs, too, shall meet every look.
            _ if self.looks.len() > 1 => self.dump_records.min(plan.records / self.looks.len() as u64 + 1),
            _ => self.dump_records,
        }
    }
}

/// One file while it is written.
struct Dump<'a> {
    file: File,
    out: Vec<u8>,
    source: Source,
    plan: &'a Plan,
    look: Look,
    page_records: u64,
    tally: Tally,
}

impl Dump<'_> {
    fn write(mut self, records: Range<u64>) -> io::Result<Tally> {
        let newline = self.look.1;
        if self.has(Bom) {
            put(&mut self.out, &[Text("\u{feff}")]);
        }
        let step = if self.has(Several) { self.page_records } else { u64::MAX };
        let mut start = records.start;
        while start < records.end {
            if start > records.start {
                put(&mut self.out, &[Text(newline)]);
            }
            let end = start.saturating_add(step).min(records.end);
            self.document(start..end)?;
            start = end;
        }
        if self.has(Pretty) {
            self.out = indent(&self.out, newline);
        }
        if !self.has(NoEnd) {
            put(&mut self.out, &[Text(newline)]);
        }
        self.flush()?;
        self.tally.files += 1;
        Ok(self.tally)
    }

    fn has(&self, quirk: Quirk) -> bool {
        self.look.2.contains(&quirk)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.out)?;
        self.tally.bytes += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }

    /// The records in their frame.
    fn document(&mut self, records: Range<u64>) -> io::Result<()> {
        let mut space = Rng::new(self.plan.seed, records.start, SPACE);
        let framed = matches!(self.look.0, Array | Page);
        if framed {
            self.open(&records);
        }
        for index in records.clone() {
            if index > records.start {
                self.separate(&mut space);
            }
            let fate = self.plan.write(self.source, index, &mut self.out);
            self.tally.records += 1;
            self.tally.repeated += u64::from(fate == Fate::Repeat);
            self.tally.broken += u64::from(fate == Fate::Bad);
            if self.out.len() > BUFFER && !self.has(Pretty) {
                self.flush()?;
            }
        }
        if framed {
            self.close(&records);
        }
        Ok(())
    }

    fn separate(&mut self, space: &mut Rng) {
        let newline = self.look.1;
        let parts = match self.look.0 {
            Lines if self.has(Blanks) && space.chance(30) => [newline, space.pick(&["", "  ", "\t"]), newline],
            Lines => [newline, "", ""],
            Concat if space.chance(400) => ["", "", ""],
            Concat => ["", space.pick(&[" ", "\n", "\r\n", "\t", "\n\n", " \n  "]), ""],
            Array | Page => ["", ",", ""],
        };
        put(&mut self.out, &parts.map(Text));
    }

    /// Where the records of a page stand; none for a bare array.
    fn list(&self) -> Option<&'static str> {
        match self.source {
            _ if self.look.0 != Page => None,
            Source::Spacivox => None,
            Source::Onlinefundraising => Some("list"),
            Source::Twocloud => Some("payments"),
            Source::Atpay => self.has(Turned).then_some("transactions"),
            Source::Paydata => Some("transactions"),
        }
    }

    /// What stands before the records.
    fn open(&mut self, records: &Range<u64>) {
        let Some(list) = self.list() else {
            return self.out.push(b'[');
        };
        self.out.push(b'{');
        match (self.source, self.has(Turned)) {
            (Source::Onlinefundraising, true) => self.page_number(records),
            (Source::Onlinefundraising, false) => {
                self.page_number(records);
                self.page_dates();
            }
            (Source::Paydata, true) => self.pagination(records),
            _ => {}
        }
        bare(&mut self.out, list, Text("["));
    }

    /// What stands behind the records.
    fn close(&mut self, records: &Range<u64>) {
        self.out.push(b']');
        if self.list().is_none() {
            return;
        }
        match (self.source, self.has(Turned)) {
            (Source::Onlinefundraising, true) => self.page_dates(),
            (Source::Paydata, false) => self.pagination(records),
            _ => {}
        }
        self.out.push(b'}');
    }

    fn page_number(&mut self, records: &Range<u64>) {
        bare(&mut self.out, "pageNumber", Int(records.start / self.page_records + 1));
        bare(&mut self.out, "pageSize", Int(records.end - records.start));
    }

    fn page_dates(&mut self) {
        text(&mut self.out, "startDate", &[Date(Civil::new(START))]);
        text(&mut self.out, "endDate", &[Date(Civil::new(START + self.plan.span))]);
    }

    fn pagination(&mut self, records: &Range<u64>) {
        bare(&mut self.out, "pagination", Text("{"));
        self.page_number(records);
        for link in ["previousPageReference", "nextPageReference", "previousPage", "nextPage"] {
            bare(&mut self.out, link, Text("null"));
        }
        let pages = self.plan.records.div_ceil(self.page_records);
        bare(&mut self.out, "pagesCount", Int(pages));
        bare(&mut self.out, "totalCount", Int(self.plan.records));
        self.out.push(b'}');
    }
}

/// The same JSON with a line for each member and item.
fn indent(compact: &[u8], newline: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    let (mut depth, mut quoted, mut escaped, mut last) = (0, false, false, b' ');
    for &byte in compact {
        let (begins, ends) = (matches!(last, b'{' | b'['), matches!(byte, b'}' | b']'));
        if !quoted && begins != ends || last == b',' {
            depth = depth + usize::from(begins) - usize::from(ends);
            put(&mut out, &[Text(newline)]);
            out.extend(std::iter::repeat_n(b' ', 2 * depth));
        }
        out.push(byte);
        if !quoted && byte == b':' {
            out.push(b' ');
        }
        quoted ^= byte == b'"' && !escaped;
        escaped = quoted && byte == b'\\' && !escaped;
        last = if quoted { b'"' } else { byte };
    }
    out
}
