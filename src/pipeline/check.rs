//! `check`: a run that reads, maps and counts like any other, and writes nothing.
//!
//! What does not fit in memory, and standard input, are kept in a private directory below the system's one for temporary
//! files while it lasts; no record's text is among them but that of standard input.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicUsize;

use anyhow::{Context, Result};

use super::{Attempt, Failure, find_dumps};
use crate::config::Config;
use crate::load::commit::Staging;
use crate::load::loader::Loader;
use crate::load::quarantine::RawTexts;
use crate::report::check::{CheckFacts, CheckReport};

/// Checks the inputs of `config`; its output is not looked at.
///
/// # Errors
/// What would make a run fail.
pub fn check(config: &Config, signal: &AtomicUsize) -> Result<CheckReport, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(config.threads).build().context("can't start threads")?;
    let place = tempfile::Builder::new().prefix("paynorm-check-").permissions(Permissions::from_mode(0o700)).tempdir();
    let place = place.context("can't create a directory for temporary files; is TMPDIR writable?")?;
    let staging = Staging::begin(&place.path().join("check"))?;
    let config = Config { quarantine_raw: Some(RawTexts::None), ..config.clone() };
    pool.install(|| look(&config, &staging, signal))
}

fn look(config: &Config, staging: &Staging, signal: &AtomicUsize) -> Result<CheckReport, Failure> {
    let found = find_dumps(config, staging, signal)?;
    let mut refused = BTreeMap::new();
    loop {
        let mut attempt = Attempt::new(config, staging, signal, &found, &refused, None)?;
        let mut loader = attempt.loader(true)?;
        match attempt.read_all(&mut loader)? {
            None => return Ok(attempt.checked(loader)?),
            Some(rejected) => {
                refused.insert(rejected.dump, *rejected);
                staging.restart()?;
            }
        }
    }
}

impl Attempt<'_> {
    /// Puts together what was counted.
    fn checked(mut self, loader: Loader) -> Result<CheckReport> {
        self.check_limit()?;
        let rows = self.totals.dumps.iter().map(|dump| dump.rows).sum();
        self.totals.check(rows).context("the numbers do not add up")?;
        for ((source, identical), count) in loader.duplicates()? {
            let counts = &mut self.totals.sources[usize::from(source)];
            *(if identical { &mut counts.identical } else { &mut counts.differing }) += count;
        }
        let (_, quarantine) = self.quarantine.finish().context("can't write temporary files")?;
        Ok(CheckReport::new(&CheckFacts {
            records_per_dump: self.config.records_per_dump,
            dumps: &self.totals.dumps,
            sources: &self.totals.sources,
            quarantine: &quarantine,
            seen: self.totals.seen,
            skipped: &self.found.skipped,
        }))
    }
}
