//! The page that tells of a dataset: where it lies, or made again from what the dataset keeps of itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::{Failure, manifest_path, manifest_text};
use crate::load::commit::{META_DIRECTORY, check_apart};
use crate::load::ledger::Ledger;
use crate::load::manifest::Manifest;
use crate::load::quarantine::{self, Summary};
use crate::model::paths::shown;
use crate::report::html::{self, Facts};

/// Where the page of the dataset in the directory `dataset` is.
///
/// # Errors
/// When there is no dataset, or no page in it.
pub fn find(dataset: &Path) -> Result<PathBuf, Failure> {
    manifest_text(dataset)?;
    let path = dataset.join(META_DIRECTORY).join(html::FILE_NAME);
    if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(path);
    }
    Err(anyhow!("{} is missing; make it again with --out FILE", shown(&path)).into())
}

/// Makes the page of the dataset in the directory `dataset` again and writes it to the file `out`, outside the dataset.
///
/// # Errors
/// When there is no dataset, what it keeps of itself is damaged, or the file can't be written.
pub fn write(dataset: &Path, out: &Path) -> Result<(), Failure> {
    let page = make(dataset)?;
    check_apart(dataset, &[out.to_owned()])
        .map_err(|_| anyhow!("{} is in the dataset, or the dataset in it; choose a file elsewhere", shown(out)))?;
    fs::write(out, page).with_context(|| format!("can't write {}", shown(out)))?;
    Ok(())
}

fn make(dataset: &Path) -> Result<String, Failure> {
    let text = manifest_text(dataset)?;
    let manifest =
        Manifest::parse(&text).map_err(|what| anyhow!("{} {what}", shown(&dataset.join(manifest_path()))))?;
    let ledger = Ledger::read(dataset, &manifest)?;
    let path = dataset.join(META_DIRECTORY).join(quarantine::FILE_NAME);
    let quarantine = Summary::read(&path, &manifest.quarantine_digest)?;
    let page = html::page(&Facts { manifest: &manifest, ledger: &ledger, quarantine: &quarantine })?;
    if manifest_text(dataset)? != text {
        return Err(anyhow!("{} changed meanwhile; try again", shown(dataset)).into());
    }
    Ok(page)
}
