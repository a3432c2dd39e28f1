//! Reads the dumps, several at once, and hands their chunks on in input order.
//!
//! What comes next in the order is handed on as it is read; what comes later waits, within bounds. A small dump is read
//! whole before any of it is handed on, so that damage at its end costs nothing; a large one that turns out damaged
//! makes the run start over without it.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;

use anyhow::{Context, Result, anyhow};
use rayon::prelude::*;

use crate::config::Config;
use crate::extract::chunks::{Buffers, ByteCounts, Chunk, Chunks, Shapes};
use crate::extract::decompress::{DumpReader, Facts, is_corruption};
use crate::extract::discover::Dump;
use crate::load::quarantine::{Raw, Rejected};
use crate::model::paths::shown;
use crate::model::reject::{Reason, Reject};

/// How many dumps are read at once.
const MAX_OPEN: usize = 16;
/// Of dumps that are not next in order, this much is read ahead.
const AHEAD_BYTES: usize = 4 << 20;
/// A refused dump is kept in the quarantine when it is no larger.
const MAX_KEPT: u64 = 1 << 20;

/// What comes next in input order.
#[derive(Debug)]
pub(super) enum Event {
    /// A chunk of a dump.
    Chunk(usize, Chunk),
    /// A dump is read to its end.
    End(usize, Facts, ByteCounts),
    /// A dump is refused as a whole; nothing of it was handed on.
    Refused(Rejected),
}

impl Event {
    /// Roughly the memory that it takes.
    pub(super) fn weight(&self) -> usize {
        if let Self::Chunk(_, chunk) = self { chunk.weight() } else { 0 }
    }
}

/// Why reading can't go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// A dump of which something was handed on turned out bad: start over without it.
    Restart(Box<Rejected>),
    /// A dump can't be read.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// The dumps of a run.
pub(super) struct Feed<'a> {
    config: &'a Config,
    shapes: Shapes<'a>,
    buffers: &'a Buffers,
    dumps: &'a [Dump],
    refused: &'a BTreeMap<usize, Rejected>,
    next: usize,
    slots: VecDeque<Slot<'a>>,
}

impl<'a> Feed<'a> {
    pub(super) fn new(
        config: &'a Config,
        shapes: Shapes<'a>,
        buffers: &'a Buffers,
        dumps: &'a [Dump],
        refused: &'a BTreeMap<usize, Rejected>,
    ) -> Self {
        Self { config, shapes, buffers, dumps, refused, next: 0, slots: VecDeque::new() }
    }

    /// Reads about `bytes` more and hands on what is next; nothing at the end.
    pub(super) fn next(&mut self, bytes: usize) -> Result<Vec<Event>, Stop> {
        let mut events = Vec::new();
        while events.is_empty() && self.fill() {
            let first = self.slots[0].dump;
            self.slots.par_iter_mut().for_each(|slot| slot.read(if slot.dump == first { bytes } else { AHEAD_BYTES }));
            while let Some(slot) = self.slots.front_mut() {
                let done = slot.hand_on(self.config.keep_going, &mut events)?;
                if !done {
                    break;
                }
                self.slots.pop_front();
            }
        }
        Ok(events)
    }

    /// Opens further dumps while those open are small; whether there is anything left to read.
    fn fill(&mut self) -> bool {
        let mut sizes: u64 = self.slots.iter().map(|slot| slot.size).sum();
        while self.next < self.dumps.len() && self.slots.len() < MAX_OPEN && sizes < self.config.ahead_bytes() as u64 {
            let dump = &self.dumps[self.next];
            sizes += dump.size;
            self.slots.push_back(Slot {
                dump: self.next,
                path: dump,
                size: dump.size,
                source: self.config.forced_source(&dump.name),
                shapes: self.shapes,
                buffers: self.buffers,
                config: self.config,
                reading: Reading::NotYet,
                ready: VecDeque::new(),
                handed_on: false,
                left: self.config.records_per_dump.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
            });
            if let Some(rejected) = self.refused.get(&self.next) {
                let slot = self.slots.back_mut().expect("it was just added");
                slot.reading = Reading::Refused(rejected.clone());
            }
            self.next += 1;
        }
        !self.slots.is_empty()
    }
}

/// A dump that is being read.
struct Slot<'a> {
    dump: usize,
    path: &'a Dump,
    size: u64,
    source: Option<usize>,
    shapes: Shapes<'a>,
    buffers: &'a Buffers,
    config: &'a Config,
    reading: Reading<'a>,
    ready: VecDeque<Chunk>,
    handed_on: bool,
    /// How many items may still come, where that is limited.
    left: Option<usize>,
}

enum Reading<'a> {
    NotYet,
    Going(Box<Chunks<'a, DumpReader>>),
    Done(Facts, ByteCounts),
    Refused(Rejected),
    Failed(io::Error),
}

impl Slot<'_> {
    /// Reads until chunks of the weight `bytes` are ready or the dump ends.
    fn read(&mut self, bytes: usize) {
        let mut ready: usize = self.ready.iter().map(Chunk::weight).sum();
        while ready < bytes {
            let result = match &mut self.reading {
                Reading::NotYet => match DumpReader::open(&self.path.path, &self.config.progress) {
                    Ok(reader) => {
                        let chunks = Chunks::new(reader, self.shapes, self.buffers, self.config.sizes(), self.source);
                        self.reading = Reading::Going(Box::new(chunks));
                        continue;
                    }
                    Err(error) => Err(error),
                },
                Reading::Going(chunks) => chunks.next_chunk(),
                _ => return,
            };
            match result {
                Ok(Some(mut chunk)) => {
                    let enough = self.cut(&mut chunk);
                    ready += chunk.weight();
                    self.ready.push_back(chunk);
                    if enough {
                        let facts = Facts { stored_bytes: self.size, ..Facts::default() };
                        self.reading = Reading::Done(facts, ByteCounts::default());
                    }
                }
                Ok(None) => self.end(),
                Err(error) => self.fail(error),
            }
        }
    }

    /// Leaves items out that are too many; whether no more are wanted.
    fn cut(&mut self, chunk: &mut Chunk) -> bool {
        let Some(left) = &mut self.left else { return false };
        chunk.items.truncate(*left);
        *left -= chunk.items.len();
        *left == 0
    }

    fn end(&mut self) {
        let Reading::Going(chunks) = std::mem::replace(&mut self.reading, Reading::NotYet) else { return };
        let counts = chunks.byte_counts();
        match chunks.into_reader().finish() {
            Ok(facts) if facts.changed => {
                let reject = Reject::new(Reason::InputChanged, "the file changed while it was read");
                self.reading = Reading::Refused(self.whole(reject, Raw::Absent));
            }
            Ok(facts) => self.reading = Reading::Done(facts, counts),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: io::Error) {
        let opened = matches!(self.reading, Reading::Going(_));
        if opened && is_corruption(&error) {
            let kept = if self.size <= MAX_KEPT { fs::read(&self.path.path).ok() } else { None };
            let raw = kept.map_or(Raw::Absent, |bytes| Raw::of(&bytes));
            let message = format!("the compressed dump is damaged: {error}");
            self.reading = Reading::Refused(self.whole(Reject::new(Reason::CorruptCompression, message), raw));
        } else if self.config.keep_going {
            let reject = Reject::new(Reason::UnreadableInput, format!("the dump can't be read: {}", error.kind()));
            self.reading = Reading::Refused(self.whole(reject, Raw::Absent));
        } else {
            self.reading = Reading::Failed(error);
        }
    }

    fn whole(&self, reject: Reject, raw: Raw) -> Rejected {
        Rejected { source: None, dump: self.dump, offset: 0, length: self.size, reject, raw }
    }

    /// Hands on what is ready, as this dump is next; whether it is done.
    fn hand_on(&mut self, keep_going: bool, events: &mut Vec<Event>) -> Result<bool, Stop> {
        match std::mem::replace(&mut self.reading, Reading::NotYet) {
            Reading::Failed(error) => {
                let hint = if keep_going { "" } else { "; with --keep-going the other dumps are read nevertheless" };
                let failed = Err(error).with_context(|| format!("can't read {}{hint}", shown(&self.path.path)));
                return failed.map_err(Stop::Failed);
            }
            Reading::Refused(rejected) if self.handed_on => return Err(Stop::Restart(Box::new(rejected))),
            Reading::Refused(rejected) => {
                events.push(Event::Refused(rejected));
                return Ok(true);
            }
            Reading::Done(facts, counts) => {
                if !counts.balance() {
                    return Err(anyhow!("{}: bytes are not accounted for: {counts:?}", shown(&self.path.path)).into());
                }
                events.extend(self.ready.drain(..).map(|chunk| Event::Chunk(self.dump, chunk)));
                events.push(Event::End(self.dump, facts, counts));
                return Ok(true);
            }
            going => self.reading = going,
        }
        self.handed_on |= !self.ready.is_empty();
        events.extend(self.ready.drain(..).map(|chunk| Event::Chunk(self.dump, chunk)));
        Ok(false)
    }
}
