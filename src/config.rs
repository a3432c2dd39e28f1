//! What a run is told to do, as plain validated values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};

use crate::extract::chunks::Sizes;
use crate::load::manifest::{PersonalFacts, SettingsFacts};
use crate::load::parquet_file::Codec;
use crate::load::partition::Partitioning;
use crate::load::quarantine::RawTexts;
use crate::model::personal::{HashKey, PersonalRules, Redactor};
use crate::model::progress::Progress;
use crate::model::time::Zone;
use crate::model::vocabulary::{Classification, State};
use crate::sources::{self, Settings};

/// Everything that a run depends on.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Config {
    /// Directories, files, patterns, or `-`.
    pub inputs: Vec<PathBuf>,
    /// The directory that lineage paths are relative to.
    pub base: Option<PathBuf>,
    /// The dataset's directory.
    pub out: PathBuf,
    /// What to do with what is there.
    pub mode: Mode,
    /// Which source dumps are of, where content is not to decide.
    pub forced: Vec<Forced>,
    /// Settings by the number of the source; a dataset that is there tells those that nobody else did.
    pub settings: Vec<Settings>,
    /// Partition levels.
    pub partitioning: Partitioning,
    /// Whether a merge takes the partition levels that the dataset has.
    pub adopt_partitioning: bool,
    /// Compression of the data files.
    pub codec: Codec,
    /// Whether a merge takes the compression that the dataset has.
    pub adopt_codec: bool,
    /// Whether `transaction_id` gets a bloom filter.
    pub bloom_filter: bool,
    /// Whether rows of one key are all kept.
    pub keep_duplicates: bool,
    /// Threads; at least one.
    pub threads: usize,
    /// Memory to stay below, in bytes.
    pub memory: u64,
    /// How many records may be quarantined.
    pub max_quarantined: Option<Limit>,
    /// Whether a dump that can't be read is quarantined and the rest goes on.
    pub keep_going: bool,
    /// Rules for personal data.
    pub personal: PersonalRules,
    /// Whether a dataset that is there tells the rules, as nobody else did.
    pub adopt_personal: bool,
    /// The key of tokens, where there is one.
    pub hash_key: Option<HashKey>,
    /// What the quarantine keeps of texts; as the dataset that is there, or all, unless told.
    pub quarantine_raw: Option<RawTexts>,
    /// Of every dump, only so many records are read; all unless told, and only where nothing is written.
    pub records_per_dump: Option<u64>,
    /// How far the run is, for whoever wants to show it.
    pub progress: Arc<Progress>,
    /// Files of ours that are no dumps, wherever they lie: the configuration, the key.
    pub own_files: Vec<PathBuf>,
    /// Bytes read at once; changes nothing that is written.
    pub read_bytes: usize,
    /// Bytes of a chunk; changes nothing that is written.
    pub chunk_bytes: usize,
}

/// What to do with what is at the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Refuse unless there is nothing.
    #[default]
    Create,
    /// Replace a dataset of ours.
    Replace,
    /// Add to a dataset of ours.
    Merge,
}

impl Mode {
    /// The mode with that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Create, Self::Replace, Self::Merge].into_iter().find(|mode| mode.name() == name)
    }

    /// The name, as in flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Merge => "merge",
        }
    }
}

/// A source that a user names for dumps.
#[derive(Clone, Debug)]
pub struct Forced {
    /// The number of the source.
    pub source: usize,
    /// The dumps it is for, by lineage path; all when absent.
    pub pattern: Option<glob::Pattern>,
}

/// A limit on quarantined records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// At most this many.
    Records(u64),
    /// At most this many per million of the records seen.
    PartsPerMillion(u64),
}

impl Limit {
    /// Whether `quarantined` of `seen` records are too many.
    #[must_use]
    pub fn is_passed(self, quarantined: u64, seen: u64) -> bool {
        match self {
            Self::Records(most) => quarantined > most,
            Self::PartsPerMillion(parts) => u128::from(quarantined) * 1_000_000 > u128::from(seen) * u128::from(parts),
        }
    }
}

impl Config {
    /// The defaults, for `inputs` into `out`.
    #[must_use]
    pub fn new(inputs: Vec<PathBuf>, out: PathBuf) -> Self {
        Self {
            inputs,
            base: None,
            out,
            mode: Mode::default(),
            forced: Vec::new(),
            settings: vec![Settings::default(); sources::ALL.len()],
            partitioning: Partitioning::default(),
            adopt_partitioning: true,
            codec: Codec::default(),
            adopt_codec: true,
            bloom_filter: false,
            keep_duplicates: false,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            memory: DEFAULT_MEMORY,
            max_quarantined: None,
            keep_going: false,
            personal: PersonalRules::default(),
            adopt_personal: true,
            hash_key: None,
            quarantine_raw: None,
            records_per_dump: None,
            progress: Arc::default(),
            own_files: Vec::new(),
            read_bytes: 64 << 10,
            chunk_bytes: 1 << 20,
        }
    }

    /// Sizes for reading.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes { read: self.read_bytes, chunk: self.chunk_bytes, block: (self.window_bytes() / 32).max(1 << 20) }
    }

    /// The source that the user names for the dump with that lineage path.
    #[must_use]
    pub fn forced_source(&self, dump: &str) -> Option<usize> {
        let fits = |pattern: &Option<glob::Pattern>| pattern.as_ref().is_none_or(|pattern| pattern.matches(dump));
        self.forced.iter().rfind(|forced| fits(&forced.pattern)).map(|forced| forced.source)
    }

    /// What is left of the memory for rows and keys, besides what reading, encoding and the program itself take.
    fn budget(&self) -> u64 {
        self.memory.saturating_sub(FIXED_MEMORY).max(self.memory / 4)
    }

    /// Records of this size together are encoded in one go; their rows take less.
    #[must_use]
    pub fn window_bytes(&self) -> u64 {
        // Arrow's offsets count to 2 GiB.
        (self.budget() / 3).min(1 << 30)
    }

    /// Roughly the memory of what is read and not counted yet.
    #[must_use]
    pub fn ahead_bytes(&self) -> usize {
        (4 + 4 * self.threads) << 20
    }

    /// Bytes that rows that wait to be encoded may use, and keys likewise.
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        self.budget() / 8
    }

    /// What takes personal data out of rows, where a rule asks for it.
    ///
    /// # Errors
    /// When the rules need a key and there is none.
    pub fn redactor(&self) -> Result<Option<Redactor>> {
        if self.personal.needs_key() && self.hash_key.is_none() {
            bail!(
                "a rule for personal data asks for tokens, and there is no key; set PAYNORM_HASH_KEY_FILE or \
                 PAYNORM_HASH_KEY, or personal.key_file in the configuration"
            );
        }
        Ok(self.personal.redactor(self.hash_key.as_ref()))
    }

    /// What is done to personal data, as a manifest tells it; `None` where nothing is.
    #[must_use]
    pub fn personal_facts(&self) -> Option<PersonalFacts> {
        let (rules, raw) = (self.personal.facts(), self.quarantine_raw.unwrap_or_default());
        let hash_key = self.hash_key.as_ref().filter(|_| self.personal.needs_key()).map(HashKey::fingerprint);
        let quarantine_raw = raw.name().to_owned();
        let nothing = rules.is_empty() && raw == RawTexts::Keep;
        (!nothing).then_some(PersonalFacts { rules, hash_key, quarantine_raw })
    }

    /// What is told of the sources, as a manifest tells it.
    #[must_use]
    pub fn settings_facts(&self) -> BTreeMap<String, SettingsFacts> {
        let named = sources::ALL.iter().map(|source| source.name().to_owned());
        let facts = named.zip(self.settings.iter().map(settings_facts));
        facts.filter(|(_, facts)| *facts != SettingsFacts::default()).collect()
    }

    /// The settings that shape the output, as text, for the run id.
    #[must_use]
    pub fn shape(&self) -> String {
        let words = |settings: &Settings| (!settings.states.is_empty()) || !settings.classifications.is_empty();
        let words = sources::ALL
            .iter()
            .zip(&self.settings)
            .filter(|(_, settings)| words(settings))
            .map(|(source, of)| format!(" words={}:{:?},{:?}", source.name(), of.states, of.classifications));
        let personal = self.personal_facts().map_or_else(String::new, |facts| format!(" personal={facts:?}"));
        let added = words.chain([personal]).collect::<String>();
        let settings = sources::ALL.iter().zip(&self.settings).map(|(source, settings)| {
            let currency = settings.currency.map_or_else(|| "-".to_owned(), |currency| currency.as_str().to_owned());
            format!("{}={currency},{}", source.name(), settings.zone().name())
        });
        let forced = self.forced.iter().map(|forced| {
            let pattern = forced.pattern.as_ref().map_or("*", glob::Pattern::as_str);
            format!("{}={pattern}", sources::ALL[forced.source].name())
        });
        format!(
            "partition_by={} codec={} bloom_filter={} keep_duplicates={} memory={} settings={} forced={}{added}",
            self.partitioning,
            self.codec.name(),
            self.bloom_filter,
            self.keep_duplicates,
            self.memory,
            settings.collect::<Vec<_>>().join(";"),
            forced.collect::<Vec<_>>().join(";"),
        )
    }
}

fn settings_facts(settings: &Settings) -> SettingsFacts {
    fn words<T: Copy>(told: &BTreeMap<String, T>, name: fn(T) -> &'static str) -> BTreeMap<String, String> {
        told.iter().map(|(word, meaning)| (word.clone(), name(*meaning).to_owned())).collect()
    }
    SettingsFacts {
        currency: settings.currency.map(|currency| currency.as_str().to_owned()),
        timezone: settings.zone.filter(|zone| *zone != Zone::default()).map(|zone| zone.name().to_owned()),
        state: words(&settings.states, State::as_str),
        classification: words(&settings.classifications, Classification::as_str),
    }
}

/// What a run takes however little memory is left for rows, as measured.
const FIXED_MEMORY: u64 = 192 << 20;
/// The default of `--memory`.
pub const DEFAULT_MEMORY: u64 = 512 << 20;
