//! `manifest.json`: what a dataset holds and from which dumps, as facts that can be checked.

use serde::{Deserialize, Serialize};

/// The manifest's own version.
pub const VERSION: u32 = 1;

/// What is in a dataset.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Manifest {
    /// The manifest's version.
    pub version: u32,
    /// The program that wrote it.
    pub tool: String,
    /// The version of the unified schema.
    pub schema_version: u32,
    /// Digest of what the run read and of the settings that shape its output.
    pub run_id: String,
    /// Partition levels, outermost first.
    pub partition_by: String,
    /// Compression of the data files.
    pub compression: String,
    /// Rows in all files.
    pub rows: u64,
    /// Records in quarantine.
    pub quarantined: u64,
    /// Rows that another row of the same key replaced.
    pub duplicates: u64,
    /// The dumps, in input order.
    pub dumps: Vec<DumpFacts>,
    /// The data files.
    pub files: Vec<FileFacts>,
}

/// A dump that was read.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct DumpFacts {
    /// Path as lineage writes it.
    pub path: String,
    /// The source it was recognised as.
    pub source: Option<String>,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// Bytes after decompression.
    pub bytes: u64,
    /// BLAKE3 of the bytes as stored.
    pub digest: String,
    /// Records seen: rows, quarantined and duplicates together.
    pub records: u64,
    /// Records that gave a row, replaced ones included.
    pub rows: u64,
    /// Records in quarantine.
    pub quarantined: u64,
    /// Rows of it that another row replaced.
    pub duplicates: u64,
}

/// A data file.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct FileFacts {
    /// Path in the dataset.
    pub path: String,
    /// Rows.
    pub rows: u64,
    /// Row groups.
    pub row_groups: u64,
    /// Bytes.
    pub bytes: u64,
    /// BLAKE3 of its bytes.
    pub digest: String,
}
