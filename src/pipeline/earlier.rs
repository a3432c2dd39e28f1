//! The dataset that a merge adds to: what it knows already, and how the two become one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow};
use rayon::prelude::*;

use super::Failure;
use crate::config::Config;
use crate::extract::discover::{Dump, Skipped};
use crate::load::commit::{self, META_DIRECTORY, Staging};
use crate::load::ledger::{self, Ledger};
use crate::load::loader;
use crate::load::manifest::{DumpFacts, Manifest, Stop};
use crate::load::parquet_file::Codec;
use crate::load::partition::Partitioning;
use crate::load::quarantine::{self, Again};
use crate::load::read_back::Dropped;
use crate::model::counts::SourceCounts;
use crate::model::paths::shown;
use crate::report::{self, MergeReport, Report, RunFacts};
use crate::sources;

/// A dataset that is there.
#[derive(Debug)]
pub(super) struct Earlier {
    directory: PathBuf,
    pub(super) manifest: Manifest,
}

impl Earlier {
    /// Reads what the dataset in `directory` tells of itself.
    pub(super) fn read(directory: &std::path::Path) -> Result<Self> {
        Ok(Self { directory: directory.to_owned(), manifest: Manifest::read(directory)? })
    }

    /// The configuration as it fits the dataset.
    pub(super) fn adapt(&self, config: &Config) -> Result<Config, Failure> {
        let there = &self.manifest.partition_by;
        let mut config = config.clone();
        if config.adopt_partitioning {
            config.partitioning = Partitioning::parse(there).context("the manifest is damaged: partition_by")?;
        }
        if config.partitioning.to_string() != *there {
            let asked = &config.partitioning;
            return Err(Failure::Usage(anyhow!(
                "{} is partitioned by {there}, not by {asked}; leave --partition-by out, or use --mode replace",
                shown(&self.directory)
            )));
        }
        let codec = Codec::parse(&self.manifest.compression).context("the manifest is damaged: compression")?;
        if config.adopt_codec {
            config.codec = codec;
        }
        if config.codec != codec {
            let (there, asked) = (codec.name(), config.codec.name());
            return Err(Failure::Usage(anyhow!(
                "{} is compressed with {there}, not with {asked}; leave --compression out, or use --mode replace",
                shown(&self.directory)
            )));
        }
        if config.keep_duplicates != self.manifest.keep_duplicates {
            let (holds, hint) = match self.manifest.keep_duplicates {
                true => ("keeps duplicates", "say --keep-duplicates"),
                false => ("holds one row per key", "leave --keep-duplicates out"),
            };
            let out = shown(&self.directory);
            return Err(Failure::Usage(anyhow!("{out} {holds}; {hint}, or use --mode replace")));
        }
        self.adapt_settings(&mut config)?;
        Ok(config)
    }

    /// The configuration as the dataset was made.
    pub(super) fn adopt(&self, config: &Config) -> Result<Config, Failure> {
        let keep_duplicates = self.manifest.keep_duplicates;
        self.adapt(&Config { keep_duplicates, adopt_partitioning: true, adopt_codec: true, ..config.clone() })
    }

    /// Takes out the dumps whose content is in the dataset already, but for those that are read `again`; tells how many.
    pub(super) fn take_known(&self, dumps: &mut Vec<Dump>, again: &Again<'_>, signal: &AtomicUsize) -> usize {
        let digests: BTreeSet<&str> = self.manifest.dumps.iter().map(|dump| &*dump.digest).collect();
        let sizes: BTreeSet<u64> = self.manifest.dumps.iter().map(|dump| dump.stored_bytes).collect();
        let is_known = |dump: &Dump| {
            if !sizes.contains(&dump.size) || again.contains(&dump.name) || signal.load(Ordering::Relaxed) != 0 {
                return false;
            }
            // What can't be read is told when it is its turn.
            let Ok(file) = File::open(&dump.path) else { return false };
            let mut digest = blake3::Hasher::new();
            digest.update_reader(file).is_ok_and(|digest| digests.contains(digest.finalize().to_hex().as_str()))
        };
        let mut known = dumps.par_iter().map(is_known).collect::<Vec<bool>>().into_iter();
        let before = dumps.len();
        dumps.retain(|_| !known.next().unwrap_or_default());
        before - dumps.len()
    }

    /// The report of a run that finds nothing new.
    pub(super) fn nothing_new(&self, known: usize, skipped: &[Skipped]) -> Report {
        Report::new(&RunFacts {
            manifest: &self.manifest,
            dumps: &[],
            files: &[],
            sources: &vec![SourceCounts::default(); sources::ALL.len()],
            reasons: &BTreeMap::new(),
            seen: 0,
            identical: 0,
            differing: 0,
            examples: &[],
            skipped,
            merge: Some(self.merge_report(
                known,
                &loader::Loaded { kept: self.manifest.files.clone(), ..loader::Loaded::default() },
            )),
        })
    }

    /// What a merge tells beside what every run tells.
    pub(super) fn merge_report(&self, known: usize, loaded: &loader::Loaded) -> MergeReport {
        let (replaced_identical, replaced_differing) = loaded.replaced.split();
        MergeReport {
            known_dumps: known,
            rows_before: self.manifest.rows,
            replaced_identical,
            replaced_differing,
            files_kept: loaded.kept.len(),
            files_rewritten: loaded.rewritten,
            settings_changed: Vec::new(),
        }
    }

    /// The paths of all dumps in order, those of a run included.
    pub(super) fn paths(&self, dumps: &[Dump]) -> Arc<Vec<String>> {
        let earlier = self.manifest.dumps.iter().map(|dump| &dump.path);
        let paths: BTreeSet<&String> = earlier.chain(dumps.iter().map(|dump| &dump.name)).collect();
        Arc::new(paths.into_iter().cloned().collect())
    }

    /// What the loader must know.
    pub(super) fn snapshot(&self) -> loader::Earlier {
        loader::Earlier { directory: self.directory.clone(), files: self.manifest.files.clone() }
    }

    /// Takes over what tells where replaced records stood.
    pub(super) fn keep_replaced(&self, staging: &Staging, stop: Stop<'_>) -> Result<()> {
        for file in &self.manifest.replaced {
            let path = self.directory.join(&file.path);
            file.check(&path, stop)?;
            commit::link(&path, &staging.snapshot().join(&file.path))?;
        }
        Ok(())
    }

    pub(super) fn run_id(&self) -> &str {
        &self.manifest.run_id
    }

    pub(super) fn rows(&self) -> u64 {
        self.manifest.rows
    }

    /// What it keeps of itself.
    pub(super) fn ledger(&self) -> Result<Ledger> {
        Ledger::read(&self.directory, &self.manifest)
    }

    /// The report of its last run.
    pub(super) fn report(&self) -> Result<Vec<u8>> {
        ledger::kept(&self.directory, &self.manifest, report::FILE_NAME)
    }

    /// The file of its quarantine.
    pub(super) fn quarantine(&self) -> PathBuf {
        self.directory.join(META_DIRECTORY).join(quarantine::FILE_NAME)
    }

    /// The dumps that are read again though they were read before, so that they leave the quarantine.
    pub(super) fn read_again(&self, config: &Config, dumps: &[Dump]) -> Again<'_> {
        let mut there: BTreeMap<&str, Vec<&DumpFacts>> = BTreeMap::new();
        for dump in &self.manifest.dumps {
            there.entry(&dump.path).or_default().push(dump);
        }
        let mut again = Again::default();
        for dump in dumps {
            let Some((name, facts)) = there.get_key_value(&*dump.name) else { continue };
            if facts.iter().any(|facts| facts.digest.is_empty()) {
                again.refused.insert(name);
            }
            if let [facts] = facts[..]
                && facts.source.is_none()
                && (facts.rows, facts.quarantined > 0) == (0, true)
                && config.forced_source(&dump.name).is_some()
            {
                again.named.insert(name);
            }
        }
        again
    }

    /// The manifest of both: `manifest` is of the run alone, `again` are the dumps that it read again, and `replaced` are
    /// rows that are no longer there.
    pub(super) fn add(&self, mut manifest: Manifest, again: &Again<'_>, replaced: &Dropped) -> Result<Manifest> {
        let is_again = |dump: &DumpFacts| {
            again.named.contains(&*dump.path) || dump.digest.is_empty() && again.refused.contains(&*dump.path)
        };
        let kept = self.manifest.dumps.iter().filter(|dump| !is_again(dump));
        let mut dumps: Vec<DumpFacts> = kept.cloned().collect();
        replaced.take_from(&mut dumps)?;
        dumps.append(&mut manifest.dumps);
        dumps.sort_by(|a, b| a.path.cmp(&b.path));
        manifest.quarantined = dumps.iter().map(|dump| dump.quarantined).sum();
        manifest.duplicates = dumps.iter().map(|dump| dump.duplicates).sum();
        manifest.dumps = dumps;
        manifest.replaced.splice(0..0, self.manifest.replaced.iter().cloned());
        Ok(manifest)
    }
}
