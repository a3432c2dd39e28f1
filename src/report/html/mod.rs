//! `report.html`: the whole dataset to look at, in one file that asks for nothing else: no script, no network, no font.
//!
//! The page is made from what the dataset keeps of itself and from nothing more, so the same dataset always has the same
//! page, and a page that was lost can be made again. It holds names and places, and sums; of a single record no value.
//! Lists that may get long are cut, and say where the rest is, so that the page of a large dataset is still a page.

mod accounts;
mod chart;
mod markup;
mod records;
mod view;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::load::ledger::Ledger;
use crate::load::manifest::Manifest;
use crate::load::quarantine;
use markup::Html;
use view::View;

/// The file's name in `_paynorm`.
pub const FILE_NAME: &str = "report.html";

const STYLE: &str = include_str!("page.css");

/// What the page is made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The manifest of the dataset.
    pub manifest: &'a Manifest,
    /// What it keeps of itself.
    pub ledger: &'a Ledger,
    /// What is in its quarantine.
    pub quarantine: &'a quarantine::Summary,
}

/// The page.
///
/// # Errors
/// When the history can't be read or a chart can't be drawn.
pub fn page(facts: &Facts<'_>) -> Result<String> {
    let view = View::of(facts)?;
    let mut html = Html::default();
    html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    // Only this style may apply, so that even markup that got in by a fault of ours could do nothing.
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-");
    html.text(&STANDARD.encode(Sha256::digest(STYLE)));
    html.raw("'; base-uri 'none'; form-action 'none'\">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<title>paynorm report, run ");
    html.text(view.short_run_id()).raw("</title>\n<style>").raw(STYLE).raw("</style>\n</head>\n<body>\n");
    view.write(&mut html)?;
    html.raw("</body>\n</html>\n");
    Ok(html.into_string())
}
