//! Memory that is used again while dumps are read: filling what is there costs less than fresh memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use crate::extract::chunks::{Buffers, Chunk};
use crate::load::keys::KeyEntry;
use crate::load::loader::Batch;
use crate::model::cells::Cells;
use crate::normalize::Scratch;

/// Cells whose sizes differ by less are of one size.
const UNIT: usize = 64 << 10;

/// What chunks and batches leave for those that come later.
#[derive(Default)]
pub(super) struct Workspace {
    pub(super) buffers: Buffers,
    scratches: Mutex<Vec<Scratch>>,
    /// By what they take in memory, in units.
    cells: Mutex<BTreeMap<usize, Vec<Cells>>>,
    keys: Mutex<Vec<Vec<KeyEntry>>>,
}

impl Workspace {
    /// Space for normalizing a chunk of so many bytes.
    pub(super) fn scratch(&self, bytes: usize) -> Scratch {
        let mut scratch = locked(&self.scratches).pop().unwrap_or_default();
        let keys = locked(&self.keys).pop().unwrap_or_default();
        scratch.spare = Batch { cells: self.cells(bytes), keys, ..Batch::default() };
        scratch
    }

    /// Takes back what a chunk was normalized with.
    pub(super) fn give_back(&self, scratch: Scratch, chunk: Chunk) {
        locked(&self.scratches).push(scratch);
        self.buffers.give(chunk.bytes);
    }

    /// Takes the keys out of batches, as the loader has noted them.
    pub(super) fn take_keys(&self, batches: &mut [Batch]) {
        locked(&self.keys).extend(batches.iter_mut().map(|batch| std::mem::take(&mut batch.keys)));
    }

    /// Takes the cells of batches, as they are written.
    pub(super) fn take_cells(&self, batches: Vec<Batch>) {
        let mut all = locked(&self.cells);
        for cells in batches.into_iter().map(|batch| batch.cells).filter(Cells::is_spare) {
            all.entry(cells.memory() / UNIT).or_default().push(cells);
        }
    }

    /// Gives up the cells that are there.
    pub(super) fn drop_cells(&self) {
        locked(&self.cells).clear();
    }

    /// Cells for records of so many bytes. Much smaller or larger ones would all grow to the size of the largest batch: where
    /// none fit, the largest are given up for fresh ones.
    fn cells(&self, bytes: usize) -> Cells {
        let mut all = locked(&self.cells);
        let fitting = all.range(bytes / 2 / UNIT..=bytes * 2 / UNIT).next().map(|(size, _)| *size);
        let Some(size) = fitting.or_else(|| all.last_key_value().map(|(size, _)| *size)) else {
            return Cells::default();
        };
        let same = all.get_mut(&size).expect("it was just found");
        let cells = same.pop();
        if same.is_empty() {
            all.remove(&size);
        }
        cells.filter(|_| fitting.is_some()).unwrap_or_default()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with the lock")
}
