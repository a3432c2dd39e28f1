//! Ends a snapshot: what the dataset keeps of itself, the reports of it, and last the manifest with the digests of these.

use anyhow::Result;

use super::json;
use crate::load::commit::{MANIFEST, Staging, write_staged};
use crate::load::ledger::Ledger;
use crate::load::manifest::Manifest;
use crate::load::quarantine;
use crate::report::{self, html};

/// Writes what is no data into staging; `report` is the last run as JSON.
pub(super) fn write(
    staging: &Staging,
    mut manifest: Manifest,
    ledger: &Ledger,
    quarantine: &quarantine::Summary,
    report: Vec<u8>,
) -> Result<()> {
    let page = html::page(&html::Facts { manifest: &manifest, ledger, quarantine })?;
    let reports = [(report::FILE_NAME, report), (html::FILE_NAME, page.into_bytes())];
    manifest.beside.clear();
    for (name, content) in ledger.files()?.into_iter().chain(reports) {
        manifest.beside.insert(name.to_owned(), blake3::hash(&content).to_hex().to_string());
        write_staged(&staging.meta().join(name), &content)?;
    }
    write_staged(&staging.meta().join(MANIFEST), &json(&manifest)?)
}
