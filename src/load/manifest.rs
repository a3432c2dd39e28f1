//! `manifest.json`: what a dataset holds and from which dumps, as facts that can be checked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

use super::commit::{MANIFEST, META_DIRECTORY};
use crate::model::columns;
use crate::model::paths::shown;

/// Tells whether to stop, as a signal came.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// The manifest's own version.
pub const VERSION: u32 = 1;
/// The program, as manifests tell it.
pub const TOOL: &str = concat!("paynorm ", env!("CARGO_PKG_VERSION"));

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
    /// Whether rows of one key are all kept.
    pub keep_duplicates: bool,
    /// What was done to personal data; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal: Option<PersonalFacts>,
    /// What was told of the sources, by name; those of which nothing was are absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, SettingsFacts>,
    /// Rows in all files.
    pub rows: u64,
    /// Records in quarantine.
    pub quarantined: u64,
    /// BLAKE3 of the quarantine's bytes.
    pub quarantine_digest: String,
    /// Rows that another row of the same key replaced.
    pub duplicates: u64,
    /// The dumps, in input order.
    pub dumps: Vec<DumpFacts>,
    /// The data files.
    pub files: Vec<FileFacts>,
    /// Files that tell where the records stood whose rows others replaced, in the order of the runs.
    pub replaced: Vec<FileFacts>,
    /// BLAKE3 of the files beside the manifest, by name, but of the quarantine.
    #[serde(default)]
    pub beside: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads the manifest of a dataset.
    ///
    /// # Errors
    /// When it can't be read, is damaged, or of a version that this program does not know.
    pub fn read(dataset: &Path) -> Result<Self> {
        let path = dataset.join(META_DIRECTORY).join(MANIFEST);
        let text = std::fs::read(&path).with_context(|| format!("can't read {}", shown(&path)))?;
        Self::parse(&text).map_err(|what| anyhow!("{} {what}", shown(&path)))
    }

    /// Reads a manifest's text.
    ///
    /// # Errors
    /// What it is instead.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        // A message of the JSON library may hold values.
        let damaged = |error: serde_json::Error| {
            format!("is damaged: no manifest (line {}, column {})", error.line(), error.column())
        };
        let Versions { version, schema_version } = serde_json::from_slice(text).map_err(damaged)?;
        if (version, schema_version) == (VERSION, columns::VERSION) {
            return serde_json::from_slice(text).map_err(damaged);
        }
        let known = format!("version {VERSION} with schema {}", columns::VERSION);
        Err(format!("is of version {version} with schema {schema_version}; this program knows {known}"))
    }
}

/// What is read first, as all else may differ with it.
#[derive(Deserialize)]
struct Versions {
    version: u32,
    schema_version: u32,
}

impl FileFacts {
    /// Checks that the file at `path` is the one that was written.
    ///
    /// # Errors
    /// When it can't be read, is another one, or it is to stop.
    pub fn check(&self, path: &Path, stop: Stop<'_>) -> Result<()> {
        let context = || format!("can't read {}", shown(path));
        let other = || {
            let hint = "the dataset is damaged; read all dumps again with --mode replace";
            anyhow!("{} is not the file that was written: {hint}", shown(path))
        };
        let mut file = File::open(path).with_context(context)?;
        ensure!(file.metadata().with_context(context)?.len() == self.bytes, other());
        let mut digest = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            ensure!(!stop(), "it was to stop");
            match file.read(&mut buffer).with_context(context)? {
                0 => break,
                count => digest.update(&buffer[..count]),
            };
        }
        ensure!(digest.finalize().to_hex().as_str() == self.digest, other());
        Ok(())
    }
}

/// What was done to personal data.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct PersonalFacts {
    /// The rules, by what they are for.
    pub rules: BTreeMap<String, String>,
    /// The fingerprint of the key of tokens; absent where there are none.
    pub hash_key: Option<String>,
    /// What the quarantine keeps of texts.
    pub quarantine_raw: String,
}

/// What was told of a source, in the words of the configuration's `[sources.NAME]`; what is the default is absent.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct SettingsFacts {
    /// The currency of amounts that the source writes without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The zone of times that the source writes without an offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Words for the state that the source does not document.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub state: BTreeMap<String, String>,
    /// Words for the classification that the source does not document.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub classification: BTreeMap<String, String>,
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
