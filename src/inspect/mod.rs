//! Looks into a dataset and changes nothing: [`verify`] checks it against its manifest, [`explain`] leads from a row back
//! to its record, [`page`] finds its report or makes it again.
//!
//! What is looked into may be damaged, so nothing is taken for granted: a path of the manifest is followed only within
//! the dataset, and a file is read by its columns only once its footer is seen to hold the unified schema. What surprises:
//! a run may replace the dataset meanwhile, so who looks at much of it looks at the manifest again at the end.

pub mod explain;
pub mod page;
pub mod verify;

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Component, Path, PathBuf};
use std::sync::Once;

use anyhow::{Context, Result, anyhow, ensure};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::schema::types::SchemaDescriptor;

use crate::load::commit::{MANIFEST, META_DIRECTORY};
use crate::load::manifest::Manifest;
use crate::load::quarantine::{self, Entry};
use crate::model::columns::{self, COLUMNS};
use crate::model::paths::shown;

/// Why a dataset could not be looked into.
#[derive(Debug)]
pub enum Failure {
    /// There is no dataset of ours.
    NoDataset(anyhow::Error),
    /// Something failed.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The manifest of a dataset, to say how to read it. Its paths are not to be trusted.
///
/// # Errors
/// When there is no dataset, or its manifest can't be read.
pub fn manifest(dataset: &Path) -> Result<Manifest, Failure> {
    let text = manifest_text(dataset)?;
    Ok(Manifest::parse(&text).map_err(|what| anyhow!("{} {what}", shown(&dataset.join(manifest_path()))))?)
}

/// The manifest's path within a dataset.
fn manifest_path() -> PathBuf {
    Path::new(META_DIRECTORY).join(MANIFEST)
}

/// The text of a dataset's manifest.
fn manifest_text(dataset: &Path) -> Result<Vec<u8>, Failure> {
    let path = dataset.join(manifest_path());
    let absent = |kind| matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => {}
        Err(error) if !absent(error.kind()) => {
            return Err(error).with_context(|| format!("can't read {}", shown(&path)))?;
        }
        _ => {
            let (dataset, manifest) = (shown(dataset), shown(&manifest_path()));
            return Err(Failure::NoDataset(anyhow!("{dataset} is no dataset of paynorm: it has no {manifest}")));
        }
    }
    Ok(fs::read(&path).with_context(|| format!("can't read {}", shown(&path)))?)
}

/// Whether a path of a manifest leads into the dataset and nowhere else.
fn is_inside(path: &str) -> bool {
    let mut components = Path::new(path).components().peekable();
    components.peek().is_some() && components.all(|component| matches!(component, Component::Normal(_)))
}

/// Reads a data file by `read`. Libraries panic on columns that do not fit together; here that is an error, and the message
/// of the panic, which may hold values, goes nowhere.
fn guarded<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    thread_local!(static GUARDED: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                others(panic);
            }
        }));
    });
    GUARDED.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(false);
    result.unwrap_or_else(|_| Err(anyhow!("its columns do not fit together")))
}

/// A data file, opened to be read.
type DataReader = ParquetRecordBatchReaderBuilder<File>;

/// Opens a data file and reads its footer.
///
/// # Errors
/// When it is no regular file or its footer can't be read.
fn open_data_file(path: &Path) -> Result<DataReader> {
    // A FIFO would never open.
    ensure!(fs::symlink_metadata(path)?.is_file(), "no regular file");
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let options = options.with_page_index_policy(PageIndexPolicy::Optional);
    Ok(DataReader::try_new_with_options(File::open(path)?, options)?)
}

/// Where the schema of a file departs from the unified one: names, types, nullability and field ids count.
fn schema_fault(found: &SchemaDescriptor) -> Option<String> {
    let Ok(unified) = ArrowSchemaConverter::new().convert(&columns::schema()) else {
        return Some("the unified schema does not convert".to_owned());
    };
    let (found, expected) = (found.root_schema(), unified.root_schema());
    if found == expected {
        return None;
    }
    let (found, expected) = (found.get_fields(), expected.get_fields());
    if found.len() != expected.len() {
        return Some(format!("{} columns instead of {}", found.len(), expected.len()));
    }
    let differing = COLUMNS.iter().zip(found).zip(expected).find(|((_, found), expected)| found != expected);
    Some(differing.map_or("another root".to_owned(), |((column, _), _)| format!("another column {}", column.name)))
}

/// A key-value of a file's footer.
fn footer_fact<'m>(metadata: &'m ParquetMetaData, key: &str) -> Option<&'m str> {
    let facts = metadata.file_metadata().key_value_metadata()?;
    facts.iter().find(|fact| fact.key == key)?.value.as_deref().filter(|value| !value.is_empty())
}

/// The key-value that holds the id of the run that wrote a file.
const RUN_ID: &str = "paynorm.run_id";

/// The places of columns, from 0.
fn places(names: &[&str]) -> Vec<usize> {
    COLUMNS.iter().enumerate().filter(|(_, column)| names.contains(&column.name)).map(|(place, _)| place).collect()
}

/// The lines of a dataset's quarantine; `None` for one that is none.
fn quarantine_lines(dataset: &Path) -> io::Result<impl Iterator<Item = io::Result<Option<Entry>>>> {
    let path = dataset.join(META_DIRECTORY).join(quarantine::FILE_NAME);
    if !fs::symlink_metadata(&path)?.is_file() {
        return Err(io::Error::other("no regular file"));
    }
    let lines = BufReader::new(File::open(path)?).split(b'\n');
    Ok(lines.map(|line| line.map(|line| Entry::parse(&line))))
}
