//! One key, one row: of all rows with one (`source`, `transaction_id`), which one stays.
//!
//! The order is total, so that the answer does not depend on how the rows are grouped: the greatest `updated_at`, then
//! the greatest `completed_at`, then a final state, then the later one in input order. A time that is absent counts as
//! older than any.
//!
//! Keys are sorted into buckets by their hash. When they take more memory than they may, the buckets are written to disk
//! and go on empty; at the end each bucket is looked at alone, several at once.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rayon::prelude::*;

use crate::model::time::Timestamp;

/// How many buckets there are, as a power of two.
const BUCKET_BITS: u32 = 8;
const ENTRY_BYTES: usize = 64;

/// A row's key and what decides between rows of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// 128-bit hash of source and id.
    pub hash: u128,
    /// When the source last changed the record.
    pub updated_at: Option<Timestamp>,
    /// When the transaction was completed.
    pub completed_at: Option<Timestamp>,
    /// Whether the state is final.
    pub is_final: bool,
    /// The row's place in input order.
    pub sequence: u64,
    /// Hash of the record's text, to tell identical duplicates from differing ones.
    pub content: u64,
}

/// Where a row is: the number of its partition and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowPlace {
    /// The partition's number.
    pub partition: u32,
    /// The row's number in the partition, from 0.
    pub row: u32,
}

/// A key as it is kept: entries of one key sort by what comes before `content`, and the last one stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    hash: u128,
    /// Times in microseconds, absent ones before all others.
    updated_at: i64,
    completed_at: i64,
    /// Whether the state is final, in the highest bit, and the place in input order.
    rank: u64,
    content: u64,
    place: RowPlace,
}

const FINAL: u64 = 1 << 63;

impl Kept {
    fn new(entry: &KeyEntry, place: RowPlace) -> Self {
        let micros = |time: Option<Timestamp>| time.map_or(i64::MIN, Timestamp::micros);
        Self {
            hash: entry.hash,
            updated_at: micros(entry.updated_at),
            completed_at: micros(entry.completed_at),
            rank: entry.sequence | if entry.is_final { FINAL } else { 0 },
            content: entry.content,
            place,
        }
    }

    fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..16].copy_from_slice(&self.hash.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.updated_at.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.completed_at.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.rank.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.content.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.place.partition.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.place.row.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let eight = |at: usize| <[u8; 8]>::try_from(&bytes[at..at + 8]).expect("eight bytes");
        let four = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        Self {
            hash: u128::from_le_bytes(bytes[..16].try_into().expect("sixteen bytes")),
            updated_at: i64::from_le_bytes(eight(16)),
            completed_at: i64::from_le_bytes(eight(24)),
            rank: u64::from_le_bytes(eight(32)),
            content: u64::from_le_bytes(eight(40)),
            place: RowPlace { partition: four(48), row: four(52) },
        }
    }
}

/// The keys of every row of a run.
#[derive(Debug)]
pub struct Keys {
    buckets: Vec<Vec<Kept>>,
    count: usize,
    /// From this many on, the buckets are written to disk.
    most: usize,
    path: PathBuf,
    spilled: Option<File>,
    /// For each bucket, where its parts are on disk: offset and number of entries.
    parts: Vec<Vec<(u64, usize)>>,
    written: u64,
}

/// A row that another one of its key replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loser {
    /// Where it is.
    pub place: RowPlace,
    /// Whether its record is the same, byte by byte, as the one that stays.
    pub identical: bool,
}

impl Keys {
    /// No keys yet; about `memory` bytes of them are held, the others go to the file `path`, which must not exist.
    #[must_use]
    pub fn new(path: PathBuf, memory: usize) -> Self {
        let buckets = vec![Vec::new(); 1 << BUCKET_BITS];
        let parts = vec![Vec::new(); buckets.len()];
        // A growing vector holds half as much again.
        let most = (memory / size_of::<Kept>() / 3 * 2).max(buckets.len());
        Self { buckets, count: 0, most, path, spilled: None, parts, written: 0 }
    }

    /// Adds a row.
    pub fn push(&mut self, entry: &KeyEntry, place: RowPlace) {
        let bucket = usize::try_from(entry.hash >> (128 - BUCKET_BITS)).expect("a bucket's number");
        self.buckets[bucket].push(Kept::new(entry, place));
        self.count += 1;
    }

    /// Writes the keys to disk if there are too many in memory.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn relieve(&mut self) -> Result<()> {
        if self.count < self.most {
            return Ok(());
        }
        let context = "can't write keys to disk";
        let file = match &mut self.spilled {
            Some(file) => file,
            none => {
                none.insert(File::options().read(true).write(true).create_new(true).open(&self.path).context(context)?)
            }
        };
        let mut bytes = Vec::new();
        for (bucket, parts) in self.buckets.iter_mut().zip(&mut self.parts) {
            if bucket.is_empty() {
                continue;
            }
            bytes.clear();
            bytes.extend(bucket.iter().flat_map(|kept| kept.to_bytes()));
            file.write_all(&bytes).context(context)?;
            parts.push((self.written, bucket.len()));
            self.written += bytes.len() as u64;
            bucket.clear();
        }
        self.count = 0;
        Ok(())
    }

    /// Finds the rows that do not stay, in the order of their places.
    ///
    /// # Errors
    /// When keys on disk can't be read.
    pub fn losers(self) -> Result<Vec<Loser>> {
        let file = self.spilled;
        let work = self.buckets.into_par_iter().zip(self.parts);
        let found = work.map(|(mut bucket, parts)| {
            read_parts(file.as_ref(), &parts, &mut bucket).context("can't read keys from disk")?;
            bucket.sort_unstable();
            Ok(losers_of(&bucket))
        });
        let mut losers = found.collect::<Result<Vec<_>>>()?.concat();
        losers.par_sort_unstable();
        Ok(losers)
    }
}

fn read_parts(file: Option<&File>, parts: &[(u64, usize)], bucket: &mut Vec<Kept>) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    for &(offset, count) in parts {
        let mut bytes = vec![0; count * ENTRY_BYTES];
        file.read_exact_at(&mut bytes, offset)?;
        bucket.extend(bytes.chunks_exact(ENTRY_BYTES).map(Kept::from_bytes));
    }
    Ok(())
}

fn losers_of(sorted: &[Kept]) -> Vec<Loser> {
    let mut losers = Vec::new();
    for group in sorted.chunk_by(|a, b| a.hash == b.hash) {
        if let [replaced @ .., winner] = group {
            let loser = |kept: &Kept| Loser { place: kept.place, identical: kept.content == winner.content };
            losers.extend(replaced.iter().map(loser));
        }
    }
    losers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of entries with (updated, completed, final), which one stays; once in memory and once from disk.
    fn winner(entries: &[(Option<&str>, Option<&str>, bool)]) -> u32 {
        let directory = tempfile::tempdir().expect("a directory");
        let find = |spill: bool| {
            let mut keys = Keys::new(directory.path().join("keys"), 0);
            let time = |text: Option<&str>| text.and_then(Timestamp::from_unix);
            for (&(updated, completed, is_final), number) in entries.iter().zip(0..) {
                let (updated_at, completed_at) = (time(updated), time(completed));
                let sequence = u64::from(number);
                let entry = KeyEntry { hash: 1, updated_at, completed_at, is_final, sequence, content: 0 };
                keys.push(&entry, RowPlace { partition: 0, row: number });
                if spill {
                    keys.count = keys.most;
                    keys.relieve().expect("written");
                }
            }
            let lost: Vec<u32> = keys.losers().expect("read").iter().map(|loser| loser.place.row).collect();
            assert_eq!(lost.len() + 1, entries.len());
            (0..16).find(|number| !lost.contains(number)).expect("one stays")
        };
        assert_eq!(find(false), find(true));
        find(false)
    }

    #[test]
    fn the_newest_then_the_more_final_then_the_later_stays() {
        assert_eq!(winner(&[(Some("2"), None, true), (Some("1"), None, true)]), 0);
        assert_eq!(winner(&[(None, Some("2"), true), (None, Some("1"), true)]), 0);
        assert_eq!(winner(&[(None, None, true), (None, None, false)]), 0);
        assert_eq!(winner(&[(None, None, true), (None, None, true)]), 1);
        assert_eq!(winner(&[(Some("1"), None, true), (None, None, true)]), 0, "an absent time is older than any");
        assert_eq!(winner(&[(Some("1"), Some("9"), true), (Some("2"), None, false), (Some("2"), None, false)]), 2);
    }

    #[test]
    fn entries_survive_the_disk() {
        let entry = KeyEntry {
            hash: u128::MAX - 7,
            updated_at: Timestamp::from_unix("-5"),
            completed_at: None,
            is_final: true,
            sequence: 9,
            content: u64::MAX,
        };
        let kept = Kept::new(&entry, RowPlace { partition: 3, row: u32::MAX });
        assert_eq!(Kept::from_bytes(&kept.to_bytes()), kept);
    }
}
