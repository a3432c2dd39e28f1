//! How far a run is. Whoever reads and counts adds, whoever shows it looks; nothing is decided by these numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// The numbers of a run that goes on.
#[derive(Debug, Default)]
pub struct Progress {
    total: AtomicU64,
    read: AtomicU64,
    records: AtomicU64,
    quarantined: AtomicU64,
}

/// How far a run was when somebody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoFar {
    /// Size of all dumps as stored; 0 until it is known.
    pub total: u64,
    /// Bytes read of them.
    pub read: u64,
    /// Records seen.
    pub records: u64,
    /// Records in quarantine.
    pub quarantined: u64,
}

impl Progress {
    /// Begins to read dumps of that size, or begins again.
    pub fn begin(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        for count in [&self.read, &self.records, &self.quarantined] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Notes bytes that were read.
    pub fn add_read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes records that were seen, and those of them that went to quarantine.
    pub fn add_records(&self, seen: u64, quarantined: u64) {
        self.records.fetch_add(seen, Ordering::Relaxed);
        self.quarantined.fetch_add(quarantined, Ordering::Relaxed);
    }

    /// How far it is now.
    #[must_use]
    pub fn so_far(&self) -> SoFar {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let total = of(&self.total);
        SoFar {
            total,
            // The first bytes of a dump are read twice.
            read: of(&self.read).min(total),
            records: of(&self.records),
            quarantined: of(&self.quarantined),
        }
    }
}
