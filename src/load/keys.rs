//! One key, one row: of all rows with one (`source`, `transaction_id`), which one stays.
//!
//! The order is total, so that the answer depends neither on how rows are grouped nor on the order of runs: the greatest
//! `updated_at`, then the greatest `completed_at`, then a final state, then the later one by dump path, and of one path the
//! later reading's, then the later offset's. A time that is absent counts as older than any.
//!
//! Keys are sorted into buckets by their hash and kept with their ids, which decide: equal hashes alone replace nothing.
//! When they take more memory than they may, the buckets are written to disk and go on empty; at the end each bucket is
//! looked at alone, several at once, and what it comes to is handed on before the next ones are.

use std::cmp::Ordering;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rayon::prelude::*;
use twox_hash::XxHash3_64;

use crate::model::time::Timestamp;

/// How many buckets there are, as a power of two, and how many are looked at at once.
const BUCKET_BITS: u32 = 8;
const BUCKETS_AT_ONCE: usize = 4;
/// Bytes of an entry before its id.
const ENTRY_BYTES: usize = 59;

/// When the dump of a record was read, beside other dumps that had the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// Before the one that gave the snapshot's rows.
    Older,
    /// With the snapshot's rows.
    There,
    /// After them.
    Newer,
}

impl Reading {
    fn of_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Older,
            1 => Self::There,
            _ => Self::Newer,
        }
    }
}

/// What decides between rows of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// The number of the source.
    pub source: u8,
    /// When the source last changed the record.
    pub updated_at: Option<Timestamp>,
    /// When the transaction was completed.
    pub completed_at: Option<Timestamp>,
    /// Whether the state is final.
    pub is_final: bool,
    /// The dump's place among all dumps by path.
    pub dump: u32,
    /// When that dump was read.
    pub reading: Reading,
    /// The record's offset in its dump.
    pub offset: u64,
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

impl RowPlace {
    /// This bit tells places in files of the snapshot before; the others are the file's number.
    pub const EARLIER: u32 = 1 << 31;

    /// Whether it is in a file of the snapshot before.
    #[must_use]
    pub fn is_earlier(self) -> bool {
        self.partition & Self::EARLIER != 0
    }
}

/// A key as it is read from its bucket; what comes first in it decides first, and the greatest stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept<'b> {
    source: u8,
    id: &'b [u8],
    /// Times in microseconds, absent ones before all others.
    updated_at: i64,
    completed_at: i64,
    is_final: bool,
    dump: u32,
    reading: Reading,
    offset: u64,
    content: u64,
    place: RowPlace,
}

impl Kept<'_> {
    fn key(&self) -> (u8, &[u8]) {
        (self.source, self.id)
    }

    fn position(&self) -> Position {
        Position { dump: self.dump, offset: self.offset }
    }

    fn order(&self, other: &Self) -> Ordering {
        let rank = |kept: &Self| {
            (kept.updated_at, kept.completed_at, kept.is_final, kept.dump, kept.reading, kept.offset, kept.place)
        };
        rank(self).cmp(&rank(other))
    }
}

/// The hash of a key.
fn hash_of(source: u8, id: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(source.into(), id)
}

fn put(bucket: &mut Vec<u8>, hash: u64, entry: &KeyEntry, id: &[u8], place: RowPlace) {
    let micros = |time: Option<Timestamp>| time.map_or(i64::MIN, Timestamp::micros);
    let length = u32::try_from(id.len()).expect("a record is smaller than 4 GiB");
    let mut bytes = [0; ENTRY_BYTES];
    bytes[..8].copy_from_slice(&hash.to_le_bytes());
    bytes[8..16].copy_from_slice(&micros(entry.updated_at).to_le_bytes());
    bytes[16..24].copy_from_slice(&micros(entry.completed_at).to_le_bytes());
    bytes[24..32].copy_from_slice(&entry.offset.to_le_bytes());
    bytes[32..40].copy_from_slice(&entry.content.to_le_bytes());
    bytes[40..44].copy_from_slice(&entry.dump.to_le_bytes());
    bytes[44..48].copy_from_slice(&place.partition.to_le_bytes());
    bytes[48..52].copy_from_slice(&place.row.to_le_bytes());
    bytes[52..56].copy_from_slice(&length.to_le_bytes());
    bytes[56] = entry.source;
    bytes[57] = entry.is_final.into();
    bytes[58] = entry.reading as u8;
    bucket.extend_from_slice(&bytes);
    bucket.extend_from_slice(id);
}

/// The entry at `at`, its hash, and where the next one is.
fn get(bucket: &[u8], at: usize) -> (u64, Kept<'_>, usize) {
    let eight = |from: usize| <[u8; 8]>::try_from(&bucket[at + from..at + from + 8]).expect("eight bytes");
    let four = |from: usize| u32::from_le_bytes(bucket[at + from..at + from + 4].try_into().expect("four bytes"));
    let next = at + ENTRY_BYTES + four(52) as usize;
    let kept = Kept {
        source: bucket[at + 56],
        id: &bucket[at + ENTRY_BYTES..next],
        updated_at: i64::from_le_bytes(eight(8)),
        completed_at: i64::from_le_bytes(eight(16)),
        is_final: bucket[at + 57] != 0,
        dump: four(40),
        reading: Reading::of_byte(bucket[at + 58]),
        offset: u64::from_le_bytes(eight(24)),
        content: u64::from_le_bytes(eight(32)),
        place: RowPlace { partition: four(44), row: four(48) },
    };
    (u64::from_le_bytes(eight(0)), kept, next)
}

/// Tells which keys certainly are not among those that it was made from.
#[derive(Debug)]
pub struct KeyFilter {
    bits: Vec<u64>,
    mask: u64,
}

impl KeyFilter {
    /// For `keys` keys, in about `memory` bytes at most.
    fn new(keys: usize, memory: usize) -> Self {
        let bits = (keys * 16).min(memory * 8).next_power_of_two().max(64);
        Self { bits: vec![0; bits / 64], mask: bits as u64 - 1 }
    }

    fn place(&self, hash: u64) -> (usize, u64) {
        let bit = hash & self.mask;
        (usize::try_from(bit / 64).expect("it is in memory"), 1 << (bit % 64))
    }

    fn add(&mut self, hash: u64) {
        let (word, bit) = self.place(hash);
        self.bits[word] |= bit;
    }

    /// Whether the key may be among them.
    #[must_use]
    pub fn may_hold(&self, source: u8, id: &str) -> bool {
        let (word, bit) = self.place(hash_of(source, id.as_bytes()));
        self.bits[word] & bit != 0
    }
}

/// The keys of every row of a run.
#[derive(Debug)]
pub struct Keys {
    buckets: Vec<Vec<u8>>,
    count: usize,
    bytes: usize,
    /// From this many bytes on, the buckets are written to disk.
    most: usize,
    path: PathBuf,
    spilled: Option<File>,
    /// For each bucket, where its parts are on disk: offset and length.
    parts: Vec<Vec<(u64, usize)>>,
    written: u64,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Its dump's place among all dumps by path.
    pub dump: u32,
    /// Its offset in the dump.
    pub offset: u64,
}

/// A row that another one of its key replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loser {
    /// The number of the source.
    pub source: u8,
    /// Where it is, and where its record stands.
    pub place: RowPlace,
    /// As before, of its record.
    pub position: Position,
    /// Where the row is that stays.
    pub winner: RowPlace,
    /// As before, of its record.
    pub kept: Position,
    /// Whether its record is the same, byte by byte, as the one that stays.
    pub identical: bool,
}

/// A bucket: what is in memory of it, and where its parts on disk are, by offset and length.
type Bucket = (Vec<u8>, Vec<(u64, usize)>);

/// Finds the rows that do not stay, some keys at a time, in an order that depends on nothing but the keys.
#[derive(Debug)]
pub struct Losers {
    buckets: std::vec::IntoIter<Bucket>,
    spilled: Option<File>,
}

impl Iterator for Losers {
    type Item = Result<Vec<Loser>>;

    fn next(&mut self) -> Option<Self::Item> {
        let some: Vec<_> = self.buckets.by_ref().take(BUCKETS_AT_ONCE).collect();
        if some.is_empty() {
            return None;
        }
        let file = self.spilled.as_ref();
        let found = some.into_par_iter().map(|(mut bucket, parts)| {
            read_parts(file, &parts, &mut bucket).context("can't read keys from disk")?;
            Ok(losers_of(&bucket))
        });
        Some(found.collect::<Result<Vec<_>>>().map(|found| found.concat()))
    }
}

impl Keys {
    /// No keys yet; about `memory` bytes of them are held, the others go to the file `path`, which must not exist.
    #[must_use]
    pub fn new(path: PathBuf, memory: usize) -> Self {
        let buckets = vec![Vec::new(); 1 << BUCKET_BITS];
        let parts = vec![Vec::new(); buckets.len()];
        // A growing vector holds half as much again.
        Self { buckets, count: 0, bytes: 0, most: memory / 3 * 2, path, spilled: None, parts, written: 0 }
    }

    /// Adds a row with its id.
    pub fn push(&mut self, entry: &KeyEntry, id: &[u8], place: RowPlace) {
        let hash = hash_of(entry.source, id);
        let number = usize::try_from(hash >> (64 - BUCKET_BITS)).expect("a bucket's number");
        let bucket = &mut self.buckets[number];
        let size = ENTRY_BYTES + id.len();
        if !bucket.is_empty() && bucket.capacity() - bucket.len() < size {
            // Growing step by step means to be copied each time, into fresh memory; all buckets come to much the same size.
            let share = (self.most >> BUCKET_BITS).saturating_sub(bucket.len());
            bucket.reserve_exact(share.max(bucket.len() / 2).max(size));
        }
        put(bucket, hash, entry, id, place);
        self.bytes += size;
        self.count += 1;
    }

    /// Writes the keys to disk if there are too many in memory.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn relieve(&mut self) -> Result<()> {
        if self.bytes <= self.most {
            return Ok(());
        }
        let context = "can't write keys to disk";
        let file = match &mut self.spilled {
            Some(file) => file,
            none => {
                none.insert(File::options().read(true).write(true).create_new(true).open(&self.path).context(context)?)
            }
        };
        for (bucket, parts) in self.buckets.iter_mut().zip(&mut self.parts) {
            if bucket.is_empty() {
                continue;
            }
            file.write_all(bucket).context(context)?;
            parts.push((self.written, bucket.len()));
            self.written += bucket.len() as u64;
            bucket.clear();
        }
        self.bytes = 0;
        Ok(())
    }

    /// A filter that holds all keys, in about `memory` bytes at most.
    ///
    /// # Errors
    /// When keys on disk can't be read.
    pub fn filter(&self, memory: usize) -> Result<KeyFilter> {
        let mut filter = KeyFilter::new(self.count, memory);
        let mut on_disk = Vec::new();
        for (bucket, parts) in self.buckets.iter().zip(&self.parts) {
            on_disk.clear();
            read_parts(self.spilled.as_ref(), parts, &mut on_disk).context("can't read keys from disk")?;
            for bytes in [bucket, &on_disk] {
                let mut at = 0;
                while at < bytes.len() {
                    let (hash, _, next) = get(bytes, at);
                    filter.add(hash);
                    at = next;
                }
            }
        }
        Ok(filter)
    }

    /// Finds the rows that do not stay.
    #[must_use]
    pub fn losers(self) -> Losers {
        let buckets: Vec<Bucket> = self.buckets.into_iter().zip(self.parts).collect();
        Losers { buckets: buckets.into_iter(), spilled: self.spilled }
    }
}

fn read_parts(file: Option<&File>, parts: &[(u64, usize)], bucket: &mut Vec<u8>) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    for &(offset, length) in parts {
        let start = bucket.len();
        bucket.resize(start + length, 0);
        file.read_exact_at(&mut bucket[start..], offset)?;
    }
    Ok(())
}

fn losers_of(bucket: &[u8]) -> Vec<Loser> {
    let mut entries = Vec::with_capacity(bucket.len() / (ENTRY_BYTES + 16));
    let mut at = 0;
    while at < bucket.len() {
        let (hash, _, next) = get(bucket, at);
        entries.push((hash, at));
        at = next;
    }
    entries.sort_unstable();
    let mut losers = Vec::new();
    for same_hash in entries.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
        let mut kept: Vec<Kept<'_>> = same_hash.iter().map(|&(_, at)| get(bucket, at).1).collect();
        kept.sort_unstable_by(|a, b| a.key().cmp(&b.key()).then_with(|| a.order(b)));
        for group in kept.chunk_by(|a, b| a.key() == b.key()) {
            if let [replaced @ .., winner] = group {
                let loser = |kept: &Kept<'_>| Loser {
                    source: kept.source,
                    place: kept.place,
                    position: kept.position(),
                    winner: winner.place,
                    kept: winner.position(),
                    identical: kept.content == winner.content,
                };
                losers.extend(replaced.iter().map(loser));
            }
        }
    }
    losers
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: KeyEntry = KeyEntry {
        source: 1,
        updated_at: None,
        completed_at: None,
        is_final: true,
        dump: 0,
        reading: Reading::There,
        offset: 0,
        content: 0,
    };

    /// Of entries with (updated, completed, final), which one stays; once in memory and once from disk.
    fn winner(entries: &[(Option<&str>, Option<&str>, bool)]) -> u32 {
        let directory = tempfile::tempdir().expect("a directory");
        let find = |memory: usize| {
            let mut keys = Keys::new(directory.path().join("keys"), memory);
            let time = |text: Option<&str>| text.and_then(Timestamp::from_unix);
            for (&(updated, completed, is_final), number) in entries.iter().zip(0..) {
                let (updated_at, completed_at) = (time(updated), time(completed));
                let entry = KeyEntry { updated_at, completed_at, is_final, offset: number.into(), ..ENTRY };
                keys.push(&entry, b"id", RowPlace { partition: 0, row: number });
                keys.relieve().expect("written");
            }
            let losers = keys.losers().collect::<Result<Vec<_>>>().expect("read").concat();
            let lost: Vec<u32> = losers.iter().map(|loser| loser.place.row).collect();
            assert_eq!(lost.len() + 1, entries.len());
            let stays = (0..16).find(|number| !lost.contains(number)).expect("one stays");
            assert!(losers.iter().all(|loser| loser.winner.row == stays));
            stays
        };
        assert_eq!(find(1 << 20), find(0));
        find(1 << 20)
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
    fn of_one_path_the_later_reading_stays_wherever_the_record_stands() {
        let lost = |readings: [Reading; 2]| {
            let mut bucket = Vec::new();
            for (row, reading) in (0..).zip(readings) {
                let entry = KeyEntry { reading, offset: row.into(), ..ENTRY };
                put(&mut bucket, 7, &entry, b"id", RowPlace { partition: 0, row });
            }
            losers_of(&bucket)[0].place.row
        };
        assert_eq!(lost([Reading::There, Reading::There]), 0);
        assert_eq!(lost([Reading::Newer, Reading::There]), 1);
        assert_eq!(lost([Reading::There, Reading::Older]), 1);
    }

    #[test]
    fn equal_hashes_alone_replace_nothing() {
        let mut bucket = Vec::new();
        for (row, (source, id)) in (0..).zip([(1, "a"), (1, "b"), (2, "a"), (1, "a")]) {
            let entry = KeyEntry { source, offset: row.into(), ..ENTRY };
            put(&mut bucket, 7, &entry, id.as_bytes(), RowPlace { partition: 0, row });
        }
        let lost: Vec<_> = losers_of(&bucket).iter().map(|loser| (loser.place.row, loser.winner.row)).collect();
        assert_eq!(lost, [(0, 3)]);
    }

    #[test]
    fn entries_survive_their_bucket() {
        let (updated_at, place) = (Timestamp::from_unix("-5"), RowPlace { partition: 3, row: u32::MAX });
        let reading = Reading::Newer;
        let entry = KeyEntry { updated_at, dump: 8, reading, offset: 9, content: u64::MAX, ..ENTRY };
        let mut bucket = Vec::new();
        put(&mut bucket, 6, &entry, b"id", place);
        let (hash, kept, next) = get(&bucket, 0);
        assert_eq!((hash, kept.key(), kept.place, next), (6, (1, &b"id"[..]), place, bucket.len()));
        assert_eq!((kept.updated_at, kept.completed_at, kept.is_final), (-5_000_000, i64::MIN, true));
        assert_eq!((kept.dump, kept.reading, kept.offset, kept.content), (8, reading, 9, u64::MAX));
    }
}
