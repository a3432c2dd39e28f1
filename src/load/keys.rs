//! One key, one row: of all rows with one (`source`, `transaction_id`), which one stays.
//!
//! The order is total, so that the answer depends neither on how rows are grouped nor on the order of runs: the greatest
//! `updated_at`, then the greatest `completed_at`, then a final state, then the later one by dump path, and of one path the
//! later reading's, then the later offset's. A time that is absent counts as older than any.
//!
//! Keys are sorted into buckets by their hash and kept with their ids, which decide: equal hashes alone replace nothing.
//! When they take more memory than they may, the buckets are written to disk and go on empty; at the end each bucket is
//! looked at alone, several at once, and what it comes to is handed on before the next ones are.
//!
//! An entry takes the bytes that its row needs and no more, as every one of them goes to memory, and many to disk and back.

use std::cmp::Ordering;
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use twox_hash::XxHash3_64;

use crate::model::memory::{LINE, ask_for_one};
use crate::model::time::Timestamp;

/// How many buckets there are, as a power of two, and how many are looked at at once.
const BUCKET_BITS: u32 = 8;
const BUCKETS_AT_ONCE: usize = 4;
/// What an entry takes beside its times and its id, and what it takes if its numbers have all their bytes.
const NARROW_BYTES: usize = 27;
const WIDE_BYTES: usize = 38;
/// What it takes at most beside its id.
const MOST_BYTES: usize = WIDE_BYTES + 16;

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

/// What is used of a key's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hash {
    /// The number of the bucket.
    bucket: usize,
    /// What tells the key from most others there.
    rest: u32,
}

impl Hash {
    fn of(source: u8, id: &[u8]) -> Self {
        let hash = XxHash3_64::oneshot_with_seed(source.into(), id);
        let bucket = usize::try_from(hash >> (64 - BUCKET_BITS)).expect("a bucket's number");
        let rest = (hash >> (32 - BUCKET_BITS)) & u64::from(u32::MAX);
        Self { bucket, rest: u32::try_from(rest).expect("32 bits") }
    }
}

/// Bits that say what an entry has; the two lowest are its reading.
mod flag {
    pub(super) const READING: u8 = 0b11;
    pub(super) const FINAL: u8 = 1 << 2;
    pub(super) const UPDATED: u8 = 1 << 3;
    pub(super) const COMPLETED: u8 = 1 << 4;
    /// The numbers that are small in most entries have all their bytes.
    pub(super) const WIDE: u8 = 1 << 5;
}

/// Adds an entry: a head, times as far as there are any, and the id.
fn put(bucket: &mut Vec<u8>, hash: u32, entry: &KeyEntry, id: &[u8], place: RowPlace) {
    let has = |flag: u8, has: bool| if has { flag } else { 0 };
    let mut head = [0; WIDE_BYTES];
    head[..4].copy_from_slice(&hash.to_le_bytes());
    head[4] = entry.reading as u8
        | has(flag::FINAL, entry.is_final)
        | has(flag::UPDATED, entry.updated_at.is_some())
        | has(flag::COMPLETED, entry.completed_at.is_some());
    head[5] = entry.source;
    head[6..10].copy_from_slice(&place.row.to_le_bytes());
    head[10..18].copy_from_slice(&entry.content.to_le_bytes());
    let (partition, dump) = (u16::try_from(place.partition), u16::try_from(entry.dump));
    if let (Ok(length), Ok(partition), Ok(dump), Ok(offset)) =
        (u8::try_from(id.len()), partition, dump, u32::try_from(entry.offset))
    {
        head[18] = length;
        head[19..21].copy_from_slice(&partition.to_le_bytes());
        head[21..23].copy_from_slice(&dump.to_le_bytes());
        head[23..27].copy_from_slice(&offset.to_le_bytes());
        bucket.extend_from_slice(&head[..NARROW_BYTES]);
    } else {
        let length = u32::try_from(id.len()).expect("a record is smaller than 4 GiB");
        head[4] |= flag::WIDE;
        head[18..22].copy_from_slice(&length.to_le_bytes());
        head[22..26].copy_from_slice(&place.partition.to_le_bytes());
        head[26..30].copy_from_slice(&entry.dump.to_le_bytes());
        head[30..38].copy_from_slice(&entry.offset.to_le_bytes());
        bucket.extend_from_slice(&head);
    }
    if let Some(time) = entry.updated_at {
        bucket.extend_from_slice(&time.micros().to_le_bytes());
    }
    if let Some(time) = entry.completed_at {
        bucket.extend_from_slice(&time.micros().to_le_bytes());
    }
    bucket.extend_from_slice(id);
}

/// The hash of the entry that `bytes` begin with, and where it ends.
fn measure(bytes: &[u8]) -> (u32, usize) {
    let id = id_range(bytes);
    (u32::from_le_bytes(part(bytes, 0)), id.end)
}

/// Where the id is in the entry that `bytes` begin with.
#[inline]
fn id_range(bytes: &[u8]) -> Range<usize> {
    let flags = bytes[4];
    let (head, length) = match flags & flag::WIDE {
        0 => (NARROW_BYTES, bytes[18].into()),
        _ => (WIDE_BYTES, u32::from_le_bytes(part(bytes, 18)) as usize),
    };
    let start = head + times(flags, flag::UPDATED | flag::COMPLETED);
    start..start + length
}

/// How many bytes those of the times `which` take that an entry has.
#[inline]
fn times(flags: u8, which: u8) -> usize {
    8 * (flags & which).count_ones() as usize
}

/// The entry that `bytes` begin with.
fn get(bytes: &[u8]) -> Kept<'_> {
    let flags = bytes[4];
    let (wide, four) = (flags & flag::WIDE != 0, |at: usize| u32::from_le_bytes(part(bytes, at)));
    let two = |at: usize| u16::from_le_bytes(part(bytes, at)).into();
    let eight = |at: usize| u64::from_le_bytes(part(bytes, at));
    let (partition, dump, offset) =
        if wide { (four(22), four(26), eight(30)) } else { (two(19), two(21), four(23).into()) };
    let head = if wide { WIDE_BYTES } else { NARROW_BYTES };
    let time = |flag: u8, at: usize| if flags & flag == 0 { i64::MIN } else { i64::from_le_bytes(part(bytes, at)) };
    Kept {
        source: bytes[5],
        id: &bytes[id_range(bytes)],
        updated_at: time(flag::UPDATED, head),
        completed_at: time(flag::COMPLETED, head + times(flags, flag::UPDATED)),
        is_final: flags & flag::FINAL != 0,
        dump,
        reading: Reading::of_byte(flags & flag::READING),
        offset,
        content: eight(10),
        place: RowPlace { partition, row: four(6) },
    }
}

#[inline]
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("an entry is whole")
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

    fn place(&self, hash: Hash) -> (usize, u64) {
        let bit = ((hash.bucket as u64) << 32 | u64::from(hash.rest)) & self.mask;
        (usize::try_from(bit / 64).expect("it is in memory"), 1 << (bit % 64))
    }

    fn add(&mut self, hash: Hash) {
        let (word, bit) = self.place(hash);
        self.bits[word] |= bit;
    }

    /// Whether the key may be among them.
    #[must_use]
    pub fn may_hold(&self, source: u8, id: &str) -> bool {
        let (word, bit) = self.place(Hash::of(source, id.as_bytes()));
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
            losers_of(&bucket)
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
        let hash = Hash::of(entry.source, id);
        let bucket = &mut self.buckets[hash.bucket];
        let (before, most) = (bucket.len(), MOST_BYTES + id.len());
        if before > 0 && bucket.capacity() - before < most {
            // Growing step by step means to be copied each time, into fresh memory; all buckets come to much the same size.
            let share = (self.most >> BUCKET_BITS).saturating_sub(before);
            bucket.reserve_exact(share.max(before / 2).max(most));
        }
        put(bucket, hash.rest, entry, id, place);
        // The next one reaches that far.
        ask_for_one(bucket.spare_capacity_mut(), LINE);
        self.bytes += bucket.len() - before;
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
        for (bucket, (held, parts)) in self.buckets.iter().zip(&self.parts).enumerate() {
            on_disk.clear();
            read_parts(self.spilled.as_ref(), parts, &mut on_disk).context("can't read keys from disk")?;
            for mut bytes in [&**held, &on_disk] {
                while !bytes.is_empty() {
                    let (rest, end) = measure(bytes);
                    filter.add(Hash { bucket, rest });
                    bytes = &bytes[end..];
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
    bucket.reserve_exact(parts.iter().map(|(_, length)| length).sum());
    for &(offset, length) in parts {
        let start = bucket.len();
        bucket.resize(start + length, 0);
        file.read_exact_at(&mut bucket[start..], offset)?;
    }
    Ok(())
}

/// The entries of a bucket by their hashes, which are in the upper halves; the lower ones are where the entries begin.
fn by_hash(bucket: &[u8]) -> Vec<u64> {
    let mut entries = Vec::with_capacity(bucket.len() / (2 * NARROW_BYTES));
    let mut at = 0;
    while at < bucket.len() {
        let (hash, end) = measure(&bucket[at..]);
        entries.push(u64::from(hash) << 32 | at as u64);
        at += end;
    }
    // As hashes spread evenly, their first bits tell almost where each belongs.
    let bits = entries.len().max(2).ilog2();
    let stretch = |entry: u64| usize::try_from(entry >> (64 - bits)).expect("as many as there are entries");
    let mut ends = vec![0; 1 << bits];
    for &entry in &entries {
        ends[stretch(entry)] += 1;
    }
    let mut before = 0;
    for end in &mut ends {
        before += std::mem::replace(end, before);
    }
    let mut sorted = vec![0; entries.len()];
    for entry in entries {
        let end = &mut ends[stretch(entry)];
        sorted[*end] = entry;
        *end += 1;
    }
    let mut start = 0;
    for end in ends {
        sorted[start..end].sort_unstable();
        start = end;
    }
    sorted
}

fn losers_of(bucket: &[u8]) -> Result<Vec<Loser>> {
    ensure!(u32::try_from(bucket.len()).is_ok(), "there are too many keys for one run; add some dumps by --mode merge");
    let entries = by_hash(bucket);
    let mut losers = Vec::new();
    for same_hash in entries.chunk_by(|a, b| a >> 32 == b >> 32).filter(|same| same.len() > 1) {
        let at = |entry: u64| usize::try_from(entry & u64::from(u32::MAX)).expect("32 bits");
        let mut kept: Vec<Kept<'_>> = same_hash.iter().map(|&entry| get(&bucket[at(entry)..])).collect();
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
    Ok(losers)
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
            losers_of(&bucket).expect("a small bucket")[0].place.row
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
        let losers = losers_of(&bucket).expect("a small bucket");
        let lost: Vec<_> = losers.iter().map(|loser| (loser.place.row, loser.winner.row)).collect();
        assert_eq!(lost, [(0, 3)]);
    }

    #[test]
    fn keys_among_many_find_each_other() {
        let mut bucket = Vec::new();
        for row in 0..10_000_u32 {
            // Of every tenth key there are two rows, and some keys have the hash of another.
            let number = if row % 10 == 9 { row - 9 } else { row };
            let hash = number.wrapping_mul(0x9e37_79b9) & !0xfff;
            let (id, entry) = (number.to_string(), KeyEntry { offset: row.into(), ..ENTRY });
            put(&mut bucket, hash, &entry, id.as_bytes(), RowPlace { partition: 0, row });
        }
        let losers = losers_of(&bucket).expect("a small bucket");
        let mut lost: Vec<_> = losers.iter().map(|loser| (loser.place.row, loser.winner.row)).collect();
        lost.sort_unstable();
        assert_eq!(lost, (0..10_000).step_by(10).map(|row| (row, row + 9)).collect::<Vec<_>>());
    }

    #[test]
    fn entries_survive_their_bucket() {
        let time = Timestamp::from_unix("-5");
        let small = RowPlace { partition: 3, row: u32::MAX };
        let long = "x".repeat(256);
        for (updated_at, completed_at) in [(None, None), (time, None), (None, time), (time, time)] {
            for (dump, offset, id, place) in [
                (8, 9, "id", small),
                (1 << 16, 9, "id", small),
                (8, 1 << 32, "id", small),
                (8, 9, &*long, small),
                (8, 9, "", RowPlace { partition: RowPlace::EARLIER | 3, row: 0 }),
                (u32::MAX, u64::MAX, &*long, RowPlace { partition: u32::MAX, row: u32::MAX }),
            ] {
                for (is_final, reading) in [(true, Reading::Newer), (false, Reading::There), (true, Reading::Older)] {
                    let source = 1;
                    let entry = KeyEntry {
                        source,
                        updated_at,
                        completed_at,
                        is_final,
                        dump,
                        reading,
                        offset,
                        content: u64::MAX,
                    };
                    let mut bucket = Vec::new();
                    put(&mut bucket, 6, &entry, id.as_bytes(), place);
                    assert!((NARROW_BYTES..=MOST_BYTES).contains(&(bucket.len() - id.len())));
                    put(&mut bucket, 7, &ENTRY, b"next", small);
                    let micros = |time: Option<Timestamp>| time.map_or(i64::MIN, Timestamp::micros);
                    let (updated_at, completed_at) = (micros(updated_at), micros(completed_at));
                    let (id, content) = (id.as_bytes(), u64::MAX);
                    let expected =
                        Kept { source, id, updated_at, completed_at, is_final, dump, reading, offset, content, place };
                    assert_eq!(get(&bucket), expected);
                    let (hash, end) = measure(&bucket);
                    let next = &bucket[end..];
                    assert_eq!((hash, measure(next), get(next).id), (6, (7, next.len()), &b"next"[..]));
                }
            }
        }
    }
}
