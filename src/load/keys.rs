//! One key, one row: of all rows with one (`source`, `transaction_id`), which one stays.
//!
//! The order is total, so that the answer does not depend on how the rows are grouped: the greatest `updated_at`, then
//! the greatest `completed_at`, then a final state, then the later one in input order. A time that is absent counts as
//! older than any.

use std::collections::BTreeMap;

use crate::model::time::Timestamp;

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

impl KeyEntry {
    /// Rows of one key sort by this; the last one stays.
    fn rank(&self) -> (u128, Option<Timestamp>, Option<Timestamp>, bool, u64) {
        (self.hash, self.updated_at, self.completed_at, self.is_final, self.sequence)
    }
}

/// Where a row is: the number of its partition and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowPlace {
    /// The partition's number.
    pub partition: usize,
    /// The row's number in the partition, from 0.
    pub row: u64,
}

/// The keys of every row of a run.
#[derive(Debug, Default)]
pub struct Keys {
    entries: Vec<(KeyEntry, RowPlace)>,
}

/// The rows that another row replaces.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Losers {
    /// By partition: the rows to drop, ascending, and whether each is identical to the one that stays.
    pub rows: BTreeMap<usize, Vec<(u64, bool)>>,
}

impl Keys {
    /// Adds a row.
    pub fn push(&mut self, entry: KeyEntry, place: RowPlace) {
        self.entries.push((entry, place));
    }

    /// Finds the rows that do not stay.
    #[must_use]
    pub fn losers(mut self) -> Losers {
        self.entries.sort_unstable_by_key(|(entry, _)| entry.rank());
        let mut losers = Losers::default();
        for group in self.entries.chunk_by(|a, b| a.0.hash == b.0.hash) {
            let [replaced @ .., (winner, _)] = group else { continue };
            for (entry, place) in replaced {
                let identical = entry.content == winner.content;
                losers.rows.entry(place.partition).or_default().push((place.row, identical));
            }
        }
        for rows in losers.rows.values_mut() {
            rows.sort_unstable();
        }
        losers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of entries with (updated, completed, final), which one stays.
    fn winner(entries: &[(Option<&str>, Option<&str>, bool)]) -> usize {
        let mut keys = Keys::default();
        let time = |text: Option<&str>| text.and_then(Timestamp::from_unix);
        for (&(updated, completed, is_final), number) in entries.iter().zip(0..) {
            let (updated_at, completed_at) = (time(updated), time(completed));
            let entry = KeyEntry { hash: 1, updated_at, completed_at, is_final, sequence: number, content: 0 };
            keys.push(entry, RowPlace { partition: 0, row: number });
        }
        let lost: Vec<u64> = keys.losers().rows.remove(&0).unwrap_or_default().iter().map(|lost| lost.0).collect();
        assert_eq!(lost.len() + 1, entries.len());
        (0..entries.len()).find(|number| !lost.contains(&(*number as u64))).expect("one stays")
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
}
