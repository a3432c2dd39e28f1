//! Many small files of a partition become few: the same rows in the same order, in row groups as large as they may be.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::loader::{Earlier, Loaded, PartitionWriter, adopt, keep};
use super::manifest::{FileFacts, Stop};
use super::parquet_file::{MAX_FILE_BYTES, Setup};
use super::read_back::open;
use crate::model::paths::shown;

/// Writes the data files of `earlier` into `directory`, those of partitions that have more files than their size asks for
/// as one; `facts` and `name` are as in [`Loader::finish`](super::loader::Loader::finish).
///
/// # Errors
/// When a file is damaged, or can't be written.
pub fn compact(
    earlier: &Earlier,
    directory: &std::path::Path,
    setup: &Setup,
    facts: &[(&str, String)],
    name: &str,
    stop: Stop<'_>,
) -> Result<Loaded> {
    let mut partitions: BTreeMap<PathBuf, Vec<&FileFacts>> = BTreeMap::new();
    for file in &earlier.files {
        let path = directory.join(&file.path);
        partitions.entry(path.parent().unwrap_or(&path).to_owned()).or_default().push(file);
    }
    let mut all = Loaded::default();
    for (directory, files) in partitions {
        let mut loaded = Loaded::default();
        if is_compact(&files) {
            for file in files {
                keep(earlier, file, &directory, &mut loaded)?;
            }
        } else {
            let mut writer = PartitionWriter::new(directory.join(super::loader::REWRITTEN));
            for file in &files {
                let path = earlier.directory.join(&file.path);
                file.check(&path, stop)?;
                for batch in open(&path, None, None)? {
                    let batch = batch.with_context(|| format!("can't read {}", shown(&path)))?;
                    writer.collect(setup, &batch)?;
                }
            }
            adopt(&directory, name, writer.end(setup, facts)?, &mut loaded.files)?;
            loaded.rewritten = files.len();
        }
        all.files.extend(loaded.files);
        all.kept.extend(loaded.kept);
        all.rewritten += loaded.rewritten;
    }
    Ok(all)
}

/// Whether a partition has no more files than its size asks for.
fn is_compact(files: &[&FileFacts]) -> bool {
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    files.len() as u64 <= bytes.div_ceil(MAX_FILE_BYTES).max(1)
}
