//! `quarantine.jsonl`: one line for each record that gave no row, with its text, so that nothing is lost.
//!
//! It is the only output that holds what could not be checked, so it is for its owner's eyes alone (mode 0600).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::parquet_file::StagedFile;
use crate::model::paths::shown;
use crate::model::reject::{Reason, Reject};

/// The file's name in `_paynorm`.
pub const FILE_NAME: &str = "quarantine.jsonl";
/// The largest text that is kept; of a larger one, the SHA-256.
const MAX_RAW: usize = 1 << 20;

/// A record that gave no row.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// The source, where it is known.
    pub source: Option<&'static str>,
    /// The dump's number in input order.
    pub dump: usize,
    /// Offset of its first byte in the decompressed dump.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// Why.
    pub reject: Reject,
    /// Its text.
    pub raw: Raw,
}

/// What is kept of a rejected text.
#[derive(Clone, Debug)]
pub enum Raw {
    /// All of it.
    Bytes(Vec<u8>),
    /// Its SHA-256.
    Digest([u8; 32]),
    /// Nothing: it could not be read.
    Absent,
}

impl Raw {
    /// Keeps the text, or its digest when it is over 1 MiB.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        if text.len() <= MAX_RAW { Self::Bytes(text.to_vec()) } else { Self::Digest(Sha256::digest(text).into()) }
    }
}

/// What the quarantine keeps of texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RawTexts {
    /// All of each, so that it can be tried again.
    #[default]
    Keep,
    /// Nothing but a digest, as they may hold personal data.
    None,
}

impl RawTexts {
    /// The choice with that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Keep, Self::None].into_iter().find(|raw| raw.name() == name)
    }

    /// The name, as in flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::None => "none",
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    source: Option<&'a str>,
    source_file: &'a str,
    source_offset: u64,
    length: u64,
    reason: &'a str,
    field: Option<&'a str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// Reasons that refuse a whole dump.
const WHOLE_DUMP: [Reason; 3] = [Reason::CorruptCompression, Reason::InputChanged, Reason::UnreadableInput];

/// Dumps, by path, that are read again though they were read before.
#[derive(Debug, Default)]
pub struct Again<'d> {
    /// Those that were refused as a whole: that line leaves the quarantine.
    pub refused: BTreeSet<&'d str>,
    /// Those that no source told, for which one is named now: all their lines leave the quarantine.
    pub named: BTreeSet<&'d str>,
}

impl Again<'_> {
    /// Whether it is read again.
    #[must_use]
    pub fn contains(&self, dump: &str) -> bool {
        self.refused.contains(dump) || self.named.contains(dump)
    }

    /// Whether a line leaves the quarantine.
    fn takes(&self, entry: &Entry) -> bool {
        let whole = WHOLE_DUMP.iter().any(|reason| reason.code() == entry.reason);
        self.named.contains(&*entry.source_file) || whole && self.refused.contains(&*entry.source_file)
    }
}

/// A line that was written.
#[derive(Debug, Deserialize)]
pub struct Entry {
    /// The source, where it is known.
    pub source: Option<String>,
    /// The dump.
    pub source_file: String,
    /// Offset in the decompressed dump.
    pub source_offset: u64,
    /// Why.
    pub reason: String,
    raw: Option<String>,
    raw_base64: Option<String>,
}

impl Entry {
    /// Reads a line.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// The text of a record or document; `None` where it is not kept, or a whole dump was refused.
    #[must_use]
    pub fn text(&self) -> Option<Vec<u8>> {
        if WHOLE_DUMP.iter().any(|reason| reason.code() == self.reason) {
            return None;
        }
        match (&self.raw, &self.raw_base64) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(text)) => STANDARD.decode(text).ok(),
            (None, None) => None,
        }
    }
}

/// Gives every line of the quarantine with that digest to `take`.
///
/// # Errors
/// Those of `take`, and when it can't be read or is not the one that was written.
pub fn read_lines<E: From<anyhow::Error>>(
    path: &Path,
    digest: &str,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let context = || format!("can't read {}", shown(path));
    let mut found = blake3::Hasher::new();
    for line in BufReader::new(File::open(path).with_context(context)?).split(b'\n') {
        let line = line.with_context(context)?;
        found.update(&line).update(b"\n");
        take(&line)?;
    }
    match found.finalize().to_hex().as_str() == digest {
        true => Ok(()),
        false => Err(anyhow!("{} is damaged: it is not the file that was written", shown(path)).into()),
    }
}

/// Of each reason, so many places are told.
pub const MAX_PLACES: usize = 50;

/// What is in a quarantine, by the code of the reason, without any record's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary(pub BTreeMap<String, Places>);

/// Where records of one reason are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// How many there are.
    pub count: u64,
    /// The first of them, in the order of the quarantine.
    pub first: Vec<Place>,
}

/// What a line tells besides the record's text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Place {
    /// The source, where it is known.
    pub source: Option<String>,
    /// The dump.
    pub source_file: String,
    /// Offset in the decompressed dump.
    pub source_offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// The member at fault, where it is one.
    pub field: Option<String>,
    /// What is wrong, without any value of the record.
    pub message: String,
}

/// The reason of a line; its place is read only where it is told.
#[derive(Deserialize)]
struct ReasonOf<'l> {
    #[serde(borrow)]
    reason: Cow<'l, str>,
}

impl Summary {
    /// Reads the quarantine with that digest.
    ///
    /// # Errors
    /// When it can't be read, or is not the one that was written.
    pub fn read(path: &Path, digest: &str) -> Result<Self> {
        let mut summary = Self::default();
        read_lines(path, digest, |line| -> Result<()> {
            anyhow::ensure!(summary.line(line), "{} is damaged", shown(path));
            Ok(())
        })?;
        Ok(summary)
    }

    /// Counts a line; whether it is one.
    fn line(&mut self, line: &[u8]) -> bool {
        let Ok(ReasonOf { reason }) = serde_json::from_slice(line) else { return false };
        let places = match self.0.get_mut(&*reason) {
            Some(places) => places,
            None => self.0.entry(reason.into_owned()).or_default(),
        };
        places.count += 1;
        if places.first.len() < MAX_PLACES {
            let Ok(place) = serde_json::from_slice(line) else { return false };
            places.first.push(place);
        }
        true
    }
}

/// Writes the quarantine.
#[derive(Debug)]
pub struct QuarantineWriter {
    file: BufWriter<StagedFile>,
    summary: Summary,
}

impl QuarantineWriter {
    /// Creates the file, readable by its owner alone.
    ///
    /// # Errors
    /// When it can't be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = StagedFile::private(path.to_owned());
        file.open()?;
        Ok(Self { file: BufWriter::new(file), summary: Summary::default() })
    }

    /// Copies the earlier quarantine with that digest, but for lines of dumps that are read again; tells how many
    /// lines were copied.
    ///
    /// # Errors
    /// When it can't be read or written, or is damaged.
    pub fn copy(&mut self, path: &Path, digest: &str, again: &Again<'_>) -> Result<u64> {
        let mut copied = 0;
        read_lines(path, digest, |line| -> Result<()> {
            if !again.refused.is_empty() || !again.named.is_empty() {
                let entry = Entry::parse(line).ok_or_else(|| anyhow!("{} is damaged", shown(path)))?;
                if again.takes(&entry) {
                    return Ok(());
                }
            }
            copied += 1;
            self.keep(line).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => {
                    anyhow!("{} is damaged: it is not the file that was written", shown(path))
                }
                _ => anyhow::Error::new(error).context("can't write the quarantine"),
            })
        })?;
        Ok(copied)
    }

    /// Writes a line as it was.
    ///
    /// # Errors
    /// When it can't be written, or is none.
    pub fn keep(&mut self, line: &[u8]) -> io::Result<()> {
        if !self.summary.line(line) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the quarantine before is damaged"));
        }
        self.file.write_all(line)?;
        self.file.write_all(b"\n")
    }

    /// Writes one line, with or without its text.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&mut self, rejected: &Rejected, source_file: &str, texts: RawTexts) -> io::Result<()> {
        let hex = |digest: &[u8]| Some(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        let (raw, raw_base64, sha256) = match &rejected.raw {
            Raw::Bytes(bytes) if texts == RawTexts::None => (None, None, hex(&Sha256::digest(bytes))),
            Raw::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => (Some(text), None, None),
                Err(_) => (None, Some(STANDARD.encode(bytes)), None),
            },
            Raw::Digest(digest) => (None, None, hex(digest)),
            Raw::Absent => (None, None, None),
        };
        let line = Line {
            source: rejected.source,
            source_file,
            source_offset: rejected.offset,
            length: rejected.length,
            reason: rejected.reject.reason.code(),
            field: rejected.reject.field.as_deref(),
            message: &rejected.reject.message,
            raw,
            raw_base64,
            sha256,
        };
        serde_json::to_writer(&mut self.file, &line)?;
        self.file.write_all(b"\n")?;
        let places = self.summary.0.entry(line.reason.to_owned()).or_default();
        places.count += 1;
        if places.first.len() < MAX_PLACES {
            places.first.push(Place {
                source: rejected.source.map(str::to_owned),
                source_file: source_file.to_owned(),
                source_offset: rejected.offset,
                length: rejected.length,
                field: rejected.reject.field.clone().map(Cow::into_owned),
                message: rejected.reject.message.clone().into_owned(),
            });
        }
        Ok(())
    }

    /// Ends the file; gives the BLAKE3 digest of its bytes and tells what is in it.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn finish(mut self) -> io::Result<(String, Summary)> {
        self.file.flush()?;
        self.file.get_mut().close()?;
        Ok((self.file.get_ref().digest(), self.summary))
    }
}
