//! Chunks on their way to rows: any thread normalizes them, and they come back in the order in which they were read.
//!
//! Nobody waits for the slowest of several chunks: while some are normalized, others are read and counted.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use anyhow::{Context, Result};
use rayon::{ScopeFifo, Yield};

use super::feed::Event;
use super::workspace::Workspace;
use crate::config::Config;
use crate::extract::chunks::{Chunk, Item};
use crate::extract::discover::Dump;
use crate::load::keys::Reading;
use crate::load::loader;
use crate::normalize::{Normalized, Origin, Rules, normalize};

/// What is known of an event once it is normalized.
pub(super) enum Known {
    /// A chunk of a dump.
    Chunk { dump: usize, facts: ChunkFacts, normalized: Box<Normalized> },
    /// What needs no normalizing.
    Event(Event),
}

/// What is known of a chunk once it is normalized.
pub(super) struct ChunkFacts {
    pub(super) source: Option<usize>,
    pub(super) items: u64,
    pub(super) record_bytes: u64,
    pub(super) ends_block: bool,
}

impl ChunkFacts {
    fn of(chunk: &Chunk) -> Self {
        let size = |item: &Item| match *item {
            Item::Record { start, end, .. } => (end - start) as u64,
            _ => 0,
        };
        Self {
            source: chunk.source,
            items: chunk.items.len() as u64,
            record_bytes: chunk.items.iter().map(size).sum(),
            ends_block: chunk.ends_block,
        }
    }
}

/// What chunks are normalized by.
pub(super) struct Normalizer<'a> {
    dumps: &'a [Dump],
    /// The places of the dumps among all, those of earlier runs included.
    ranks: Vec<u32>,
    rules: Rules,
    workspace: &'a Workspace,
}

impl<'a> Normalizer<'a> {
    /// For `dumps`, which are among all `paths`; both are in order.
    pub(super) fn new(config: &Config, dumps: &'a [Dump], paths: &[String], workspace: &'a Workspace) -> Result<Self> {
        let rank = |dump: &Dump| loader::rank(paths, &dump.name).context("the dumps are not in order");
        let ranks = dumps.iter().map(rank).collect::<Result<_>>()?;
        let rules = Rules {
            settings: config.settings.clone(),
            partitioning: config.partitioning.clone(),
            redactor: config.redactor()?,
        };
        Ok(Self { dumps, ranks, rules, workspace })
    }

    fn normalize(&self, event: Event) -> Known {
        let Event::Chunk(dump, chunk) = event else { return Known::Event(event) };
        let (rank, source_file) = (self.ranks[dump], &*self.dumps[dump].name);
        let origin = Origin { dump, rank, reading: Reading::Newer, source_file };
        let mut scratch = self.workspace.scratch(chunk.bytes.len());
        let normalized = Box::new(normalize(&chunk, origin, &self.rules, &mut scratch));
        let facts = ChunkFacts::of(&chunk);
        self.workspace.give_back(scratch, chunk);
        Known::Chunk { dump, facts, normalized }
    }
}

/// Events that are being normalized, in the order in which they were read.
pub(super) struct Underway<'f, 's> {
    normalizer: &'s Normalizer<'s>,
    scope: &'f ScopeFifo<'s>,
    waiting: VecDeque<(usize, Receiver<Known>)>,
    weight: usize,
}

impl<'f, 's> Underway<'f, 's> {
    pub(super) fn new(normalizer: &'s Normalizer<'s>, scope: &'f ScopeFifo<'s>) -> Self {
        Self { normalizer, scope, waiting: VecDeque::new(), weight: 0 }
    }

    /// Roughly the memory that they take; 0 when there are none.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// Has the next thread that is free normalize an event.
    pub(super) fn push(&mut self, event: Event) {
        let (sender, receiver) = sync_channel(1);
        let (weight, normalizer) = (event.weight().max(1), self.normalizer);
        self.weight += weight;
        self.waiting.push_back((weight, receiver));
        // Sending can't fail but where the run does, and then nobody misses it.
        self.scope.spawn_fifo(move |_| drop(sender.send(normalizer.normalize(event))));
    }

    /// Takes the first one if it is done.
    pub(super) fn done(&mut self) -> Result<Option<Known>> {
        let Some((weight, receiver)) = self.waiting.front() else { return Ok(None) };
        match receiver.try_recv() {
            Err(TryRecvError::Empty) => Ok(None),
            known => {
                self.weight -= weight;
                self.waiting.pop_front();
                Ok(Some(known.context("a thread gave up")?))
            }
        }
    }

    /// Takes the first one, if there is one; normalizes others until it is done.
    pub(super) fn next(&mut self) -> Result<Option<Known>> {
        let Some((weight, receiver)) = self.waiting.pop_front() else { return Ok(None) };
        self.weight -= weight;
        loop {
            match receiver.try_recv() {
                Err(TryRecvError::Empty) if rayon::yield_now() == Some(Yield::Executed) => {}
                // The other threads are at work with all that is left.
                Err(TryRecvError::Empty) => return Ok(Some(receiver.recv().context("a thread gave up")?)),
                known => return Ok(Some(known.context("a thread gave up")?)),
            }
        }
    }
}
