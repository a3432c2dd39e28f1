//! The command line: the flags, and what they mean as a [`Config`]. The only place that knows flags.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result, anyhow, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use paynorm::config::Config;
use paynorm::inspect::explain::Question;
use paynorm::load::manifest::Manifest;
use paynorm::model::paths::shown;
use paynorm::settings::{Choice, Settings, source_number};
use paynorm::sources::{self, Source};
use paynorm::warehouse::load_script::{Dataset, load_script};
use paynorm::warehouse::{Dialect, Table, dbt::dbt, ddl::ddl, path_text, questions};

/// Normalizes raw JSON dumps of payment APIs to one schema and writes partitioned Parquet.
#[derive(Debug, Parser)]
#[command(version = version(), about, max_term_width = 110, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read dumps and write them as one Parquet dataset
    #[command(after_help = NORMALIZE_HELP)]
    Normalize(Box<NormalizeArgs>),
    /// Do all that normalize does but writing, to see what would come of it
    #[command(after_help = CHECK_HELP)]
    Check(Box<CheckArgs>),
    /// Try the records in quarantine again, with what is told now and else as the dataset is; what passes is merged
    #[command(after_help = REPLAY_HELP)]
    Replay(Box<ReplayArgs>),
    /// Put the small files of a dataset together; its rows stay as they are
    Compact(Box<CompactArgs>),
    /// List the known sources and how their records are told
    Sources {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the unified schema, column by column
    Schema {
        /// Output format
        #[arg(long, value_enum, default_value_t)]
        format: SchemaFormat,
        /// With `--format ddl`: whose SQL
        #[arg(long, value_name = "NAME", required_if_eq("format", "ddl"), value_parser = dialects())]
        dialect: Option<Dialect>,
        /// With `--format ddl` or `dbt`: the table's name, with its schema if need be [default: transactions]
        #[arg(long, value_name = "NAME", value_parser = Table::parse)]
        table: Option<Table>,
    },
    /// Print the statements that load a dataset into a warehouse, or attach it
    #[command(after_help = LOAD_SCRIPT_HELP)]
    LoadScript(LoadScriptArgs),
    /// Print SQL that answers a question about a dataset
    #[command(after_help = QUERY_HELP)]
    Query(QueryArgs),
    /// Check a dataset against its manifest: files, rows, keys, sums and quarantine; changes nothing
    #[command(after_help = VERIFY_HELP)]
    Verify {
        /// The directory of the dataset
        #[arg(value_name = "DIR")]
        dataset: PathBuf,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print where the report of a dataset is, a page to look at; or open it, or make it again
    #[command(after_help = REPORT_HELP)]
    Report {
        /// The directory of the dataset
        #[arg(value_name = "DIR")]
        dataset: PathBuf,
        /// Open it in the browser
        #[arg(long)]
        open: bool,
        /// Make it again from what the dataset keeps of itself, and write it to FILE
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Show the rows of a transaction, their records, and which member each value came from; changes nothing
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// Show the configuration in force, and who told each value: a line of paynorm.toml, a variable or a flag
    #[command(after_help = CONFIG_HELP)]
    Config(Box<ConfigArgs>),
    /// Print what completes the command line in a shell
    Completions {
        /// The shell
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },
    /// Write the pages for `man` into a directory: one for paynorm and one for each command
    Man {
        /// An existing directory
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// The version of the program, and of the schema that it writes.
fn version() -> &'static str {
    static VERSION: LazyLock<String> =
        LazyLock::new(|| format!("{} (schema {})", env!("CARGO_PKG_VERSION"), paynorm::model::columns::VERSION));
    &VERSION
}

/// What completes the command line in a shell.
pub(crate) fn completions(shell: Shell) -> Result<String> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "paynorm", &mut text);
    Ok(String::from_utf8(text)?)
}

/// Writes the pages for `man` into a directory; tells how many.
pub(crate) fn write_pages(directory: &Path) -> Result<String> {
    clap_mangen::generate_to(Cli::command(), directory)
        .with_context(|| format!("can't write pages into {}", shown(directory)))?;
    let pages = Cli::command().get_subcommands().count() + 1;
    Ok(format!("{pages} pages in {}\n", shown(directory)))
}

const NORMALIZE_HELP: &str = "\
Exit codes: 0 all is in the dataset; 3 it is, but for records in quarantine; 1 failed, nothing visible has changed; \
2 wrong usage; 4 another run works on the same output; 130 and 143 interrupted, nothing visible has changed.

Examples:
  paynorm normalize dumps/ --out lake
  paynorm normalize 'exports/**/*.json.gz' --out lake --mode replace --currency spacivox=EUR
  curl … | paynorm normalize - --source atpay --out lake";

const CHECK_HELP: &str = "\
Takes the flags of `paynorm normalize`; an output is not needed, and not looked at.

Exit codes: 0 all would be in the dataset; 3 it would, but for records in quarantine; 1 a run would fail; 2 wrong usage; 130 \
and 143 interrupted.

Examples:
  paynorm check dumps/
  paynorm check 'exports/**/*.json.gz' --limit 100";

const REPLAY_HELP: &str = "\
Exit codes: 0 nothing is in quarantine any more; 3 some records still are; 1 failed, nothing visible has changed; \
2 wrong usage; 4 another run works on the dataset; 130 and 143 interrupted, nothing visible has changed.

Dumps that were refused as a whole are tried again by `paynorm normalize --mode merge`.";

/// What a user may say about sources.
#[derive(Debug, Args)]
struct SourceArgs {
    /// Take dumps for this source instead of recognising them, all or those whose path matches GLOB; may be repeated
    #[arg(long, value_name = "NAME[=GLOB]")]
    source: Vec<String>,
    /// Currency of a source that writes none, such as spacivox=EUR; may be repeated [default: none; in a merge, as
    /// the dataset is]
    #[arg(long, value_name = "SOURCE=CODE")]
    currency: Vec<String>,
    /// Zone of a source that writes local times, such as paydata=Europe/Zurich; may be repeated [default: UTC;
    /// in a merge, as the dataset is]
    #[arg(long, value_name = "SOURCE=ZONE")]
    timezone: Vec<String>,
}

impl SourceArgs {
    fn tell(&self, settings: &mut Settings) -> Result<()> {
        for text in &self.source {
            let (name, pattern) = text.split_once('=').unwrap_or((text, "*"));
            settings.flag(format!("--source {text}"), &["sources", name, "glob"], pattern);
        }
        for (flag, key, list) in
            [("--currency", "currency", &self.currency), ("--timezone", "timezone", &self.timezone)]
        {
            for text in list {
                let (name, value) =
                    text.split_once('=').ok_or_else(|| anyhow!("{flag} {text}: expected SOURCE=VALUE"))?;
                settings.flag(format!("{flag} {text}"), &["sources", name, key], value);
            }
        }
        Ok(())
    }
}

/// Which configuration is read.
#[derive(Debug, Args)]
struct FileArgs {
    /// The configuration [default: what `PAYNORM_CONFIG` says, else paynorm.toml beside the dumps or in the current directory]
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Read no configuration
    #[arg(long)]
    no_config: bool,
}

impl FileArgs {
    /// What is told before the flags.
    fn settings(&self, inputs: &[PathBuf]) -> Result<Settings> {
        let choice = match &self.config {
            _ if self.no_config => Choice::None,
            Some(path) => Choice::Named(path),
            None => Choice::Beside(inputs),
        };
        Settings::read(choice, &|name| std::env::var_os(name))
    }
}

/// What is done to personal data.
#[derive(Debug, Args)]
struct PersonalArgs {
    /// A rule for personal data, such as `payer_email=hash` or `extra.phone=drop`, see docs/personal-data.md; may
    /// be repeated
    #[arg(long, value_name = "NAME=RULE")]
    personal: Vec<String>,
    /// What the quarantine keeps of texts [default: keep; in a merge, as the dataset is]
    #[arg(long, value_enum, value_name = "WHAT")]
    quarantine_raw: Option<RawArg>,
}

impl PersonalArgs {
    fn tell(&self, settings: &mut Settings) -> Result<()> {
        for text in &self.personal {
            let said = format!("--personal {text}");
            let (name, rule) = text.rsplit_once('=').ok_or_else(|| anyhow!("{said}: expected NAME=RULE"))?;
            match name.split_once('.') {
                Some((extra, member)) => settings.flag(said, &["personal", extra, member], rule),
                None => settings.flag(said, &["personal", name], rule),
            }
        }
        if let Some(raw) = self.quarantine_raw {
            tell_word(settings, "--quarantine-raw", &["quarantine_raw"], &raw);
        }
        Ok(())
    }
}

/// Tells one of the words that a flag knows.
fn tell_word(settings: &mut Settings, flag: &str, key: &[&str], word: &impl ValueEnum) {
    if let Some(value) = word.to_possible_value() {
        settings.flag(format!("{flag} {}", value.get_name()), key, value.get_name());
    }
}

fn tell_path(settings: &mut Settings, flag: &str, key: &[&str], path: &Path) {
    settings.flag(format!("{flag} {}", shown(path)), key, path);
}

/// What the machine may be used for.
#[derive(Debug, Args)]
struct MachineArgs {
    /// Threads to use [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<String>,
    /// Memory to stay below, such as 512MB or 2GB; at least 64MB [default: 512MB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
}

impl MachineArgs {
    fn tell(&self, settings: &mut Settings) {
        for (flag, key, text) in [("--threads", "threads", &self.threads), ("--memory", "memory", &self.memory)] {
            if let Some(text) = text {
                settings.flag(format!("{flag} {text}"), &["limits", key], text);
            }
        }
    }
}

/// What is printed at the end.
#[derive(Debug, Args)]
pub(crate) struct PrintArgs {
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print no summary, and nothing of how far it is
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
    /// What standard error gets: text, or a JSON object a line
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t, env = "PAYNORM_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// For tests: milliseconds between lines that tell how far it is
    #[arg(long, hide = true, default_value_t = 10_000)]
    pub(crate) progress_interval: u64,
}

/// For whom standard error is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people: how far it is, and what is wrong
    #[default]
    Text,
    /// For machines: each step and each dump too
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The dataset
    #[arg(value_name = "DIR")]
    dataset: PathBuf,
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    sources: SourceArgs,
    #[command(flatten)]
    personal: PersonalArgs,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

impl ReplayArgs {
    /// The configuration that is asked for.
    ///
    /// # Errors
    /// What is wrong with a value, and what would be right.
    pub(crate) fn config(&self) -> Result<Config> {
        let mut settings = self.file.settings(&[])?;
        self.sources.tell(&mut settings)?;
        self.personal.tell(&mut settings)?;
        self.machine.tell(&mut settings);
        Ok(Config { out: self.dataset.clone(), ..settings.config()? })
    }
}

#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    /// The dataset
    #[arg(value_name = "DIR")]
    dataset: PathBuf,
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

impl CompactArgs {
    /// The configuration that is asked for.
    ///
    /// # Errors
    /// What is wrong with a value, and what would be right.
    pub(crate) fn config(&self) -> Result<Config> {
        let mut settings = self.file.settings(&[])?;
        self.machine.tell(&mut settings);
        Ok(Config { out: self.dataset.clone(), ..settings.config()? })
    }
}

const VERIFY_HELP: &str = "\
Exit codes: 0 all is well; 1 something is wrong, a line for each fault; 2 there is no dataset.";

const REPORT_HELP: &str = "\
Exit codes: 0 it is there; 1 it is not, or can't be opened or made; 2 there is no dataset. The page holds sums, names and \
places, and no value of a single record.";

const EXPLAIN_HELP: &str = "\
Exit codes: 0 found; 1 not found, or the dataset can't be read; 2 there is no dataset. The output shows values of the \
record, personal data included, with control characters escaped; --json has them exactly.

Examples:
  paynorm explain lake 8a7f3c
  paynorm explain lake 8a7f3c --source paydata --dumps exports";

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The directory of the dataset
    #[arg(value_name = "DIR")]
    dataset: PathBuf,
    /// The transaction's id, as in the column `transaction_id`
    #[arg(value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    id: String,
    /// Look only for rows of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The directory that the paths of the dumps are relative to, which was --base of the run
    #[arg(long, value_name = "DIR", default_value = ".")]
    dumps: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl ExplainArgs {
    /// The question that the flags ask.
    ///
    /// # Errors
    /// When the source is not known, and what would be right.
    pub(crate) fn question(&self) -> Result<Question<'_>> {
        if let Some(name) = &self.source {
            source_number(name).with_context(|| format!("--source {name}"))?;
        }
        let Self { dataset, id, source, dumps, .. } = self;
        Ok(Question { dataset, id, source: source.as_deref(), dumps })
    }
}

const LOAD_SCRIPT_HELP: &str = "\
Nothing is connected to: run what is printed with the engine's own client. Run it again after each run of paynorm.

Exit codes: 0 printed; 1 the manifest can't be read; 2 there is no dataset, or wrong usage.

Examples:
  paynorm load-script lake --dialect duckdb | duckdb finance.db
  paynorm load-script lake --dialect postgres > load.sql && psql --no-psqlrc --file load.sql
  paynorm load-script lake --dialect bigquery --table finance.transactions --location gs://bucket/lake";

const QUERY_HELP: &str = "\
Nothing is computed here: let DuckDB run what is printed.

Exit codes: 0 printed; 1 the manifest can't be read; 2 there is no dataset, or wrong usage.

Examples:
  duckdb -c \"$(paynorm query lake fees)\"
  duckdb -c \"$(paynorm query lake pending --as-of 2024-01-31)\"";

#[derive(Debug, Args)]
pub(crate) struct LoadScriptArgs {
    /// The directory of the dataset
    #[arg(value_name = "DIR")]
    pub(crate) dataset: PathBuf,
    /// Whose SQL
    #[arg(long, value_name = "NAME", value_parser = dialects())]
    dialect: Dialect,
    /// The table's name, with its schema if need be
    #[arg(long, value_name = "NAME", value_parser = Table::parse, default_value_t)]
    table: Table,
    /// Where the dataset was copied to: a URL of a bucket [default: where it is]
    #[arg(long, value_name = "URL")]
    location: Option<String>,
}

impl LoadScriptArgs {
    /// The statements.
    ///
    /// # Errors
    /// When the engine can't reach the dataset, and what to do.
    pub(crate) fn text(&self, manifest: &Manifest) -> Result<String> {
        let dataset = Dataset::new(manifest, absolute(&self.dataset)?, self.location.as_deref())?;
        load_script(self.dialect, &self.table, &dataset)
    }
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The directory of the dataset
    #[arg(value_name = "DIR")]
    pub(crate) dataset: PathBuf,
    /// The question
    #[arg(value_name = "QUESTION", value_parser = question_names())]
    question: String,
    /// What the question takes for now, such as 2024-01-31 [default: the clock when the SQL runs]
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
}

impl QueryArgs {
    /// The statements.
    ///
    /// # Errors
    /// When the time is none.
    pub(crate) fn text(&self, manifest: &Manifest) -> Result<String> {
        let dataset = Dataset::new(manifest, absolute(&self.dataset)?, None)?;
        let question = questions::find(&self.question).context("no such question")?;
        questions::query(question, &dataset, self.as_of.as_deref())
    }
}

fn absolute(path: &Path) -> Result<String> {
    path_text(&std::path::absolute(path)?)
}

fn dialects() -> impl TypedValueParser<Value = Dialect> {
    let names = Dialect::ALL.iter().map(|dialect| dialect.name());
    PossibleValuesParser::new(names).map(|name| Dialect::parse(&name).expect("it is one of them"))
}

fn question_names() -> PossibleValuesParser {
    let value = |question: &questions::Question| PossibleValue::new(question.name).help(question.about);
    questions::ALL.iter().map(value).collect::<Vec<_>>().into()
}

const CONFIG_HELP: &str = "\
Takes the flags of `paynorm normalize`, so that what they change can be seen. The output is TOML.

Exit codes: 0 the configuration is good; 2 it is not.";

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Show it, which is what this command does
    #[arg(long)]
    show: bool,
    #[command(flatten)]
    run: NormalizeArgs,
}

impl ConfigArgs {
    /// What is in force, as text.
    ///
    /// # Errors
    /// What is wrong with a value, and what would be right.
    pub(crate) fn shown(&self) -> Result<String> {
        let settings = self.run.settings()?;
        let shown = settings.show(&settings.config()?);
        Ok(if self.run.print.json { serde_json::to_string_pretty(&shown)? + "\n" } else { shown.to_string() })
    }
}

#[derive(Debug, Args)]
pub(crate) struct NormalizeArgs {
    /// Directories, files or quoted patterns; `-` is standard input. Compression and shape are told by content
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// The directory of the dataset to write
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    file: FileArgs,
    /// What to do when there is something at the output already [default: create]
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    #[command(flatten)]
    sources: SourceArgs,
    /// The directory that `source_file` is relative to [default: the deepest one that holds all inputs]
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Directory levels of the dataset: a list of feed, year, month, day; or none [default: feed,month; in a merge, as
    /// the dataset is]
    #[arg(long, value_name = "LEVELS")]
    partition_by: Option<String>,
    /// Compression of the data files; snappy (with plain encodings) is for readers that know little [default: zstd; in a
    /// merge, as the dataset is]
    #[arg(long, value_enum)]
    compression: Option<CompressionArg>,
    #[command(flatten)]
    personal: PersonalArgs,
    /// Write nothing (exit code 1) when more records than this are bad: a number, or a share such as 0.5%
    #[arg(long, value_name = "N|P%")]
    max_quarantined: Option<String>,
    /// Go on when a dump can't be read; it is listed in the quarantine
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    keep_going: Option<String>,
    /// Keep all rows of one source and transaction id instead of the newest
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    keep_duplicates: Option<String>,
    /// Write bloom filters on the transaction ids
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    bloom_filter: Option<String>,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    pub(crate) print: PrintArgs,
    /// For tests: bytes read at once
    #[arg(long, hide = true)]
    read_bytes: Option<usize>,
    /// For tests: bytes of a chunk
    #[arg(long, hide = true)]
    chunk_bytes: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Read no more than this many records of each dump, for a quick look
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    pub(crate) run: NormalizeArgs,
}

impl CheckArgs {
    /// The configuration that is asked for.
    ///
    /// # Errors
    /// What is wrong with a value, and what would be right.
    pub(crate) fn config(&self) -> Result<Config> {
        Ok(Config { records_per_dump: self.limit, ..self.run.reading()? })
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum SchemaFormat {
    /// An aligned table
    #[default]
    Text,
    /// JSON
    Json,
    /// A Markdown table
    Markdown,
    /// The statement that makes a table of it, with comments; see --dialect
    Ddl,
    /// A source file of dbt, with descriptions and tests
    Dbt,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeArg {
    /// Refuse
    Create,
    /// Replace a dataset of paynorm by the new one, in one step
    Replace,
    /// Add to a dataset of paynorm: dumps that are in it are skipped, of rows with one key the newest stays
    Merge,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CompressionArg {
    Zstd,
    Snappy,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RawArg {
    /// All of each, so that `paynorm replay` can try it again
    Keep,
    /// A digest, as texts may hold personal data
    None,
}

impl NormalizeArgs {
    /// Everything that is told, flags last.
    fn settings(&self) -> Result<Settings> {
        let mut settings = self.file.settings(&self.inputs)?;
        for input in &self.inputs {
            settings.flag("INPUT", &["inputs"], input);
        }
        for (flag, key, path) in [("--out", "output", &self.out), ("--base", "base", &self.base)] {
            if let Some(path) = path {
                tell_path(&mut settings, flag, &[key], path);
            }
        }
        if let Some(mode) = self.mode {
            tell_word(&mut settings, "--mode", &["mode"], &mode);
        }
        if let Some(compression) = self.compression {
            tell_word(&mut settings, "--compression", &["compression"], &compression);
        }
        for (flag, key, text) in [
            ("--partition-by", &["partition_by"][..], &self.partition_by),
            ("--max-quarantined", &["limits", "max_quarantined"], &self.max_quarantined),
            ("--keep-going", &["keep_going"], &self.keep_going),
            ("--keep-duplicates", &["keep_duplicates"], &self.keep_duplicates),
            ("--bloom-filter", &["bloom_filter"], &self.bloom_filter),
        ] {
            if let Some(text) = text {
                settings.flag(format!("{flag} {text}"), key, text);
            }
        }
        self.sources.tell(&mut settings)?;
        self.personal.tell(&mut settings)?;
        self.machine.tell(&mut settings);
        Ok(settings)
    }

    /// The configuration that is asked for.
    ///
    /// # Errors
    /// What is wrong with a value, and what would be right.
    pub(crate) fn config(&self) -> Result<Config> {
        let config = self.reading()?;
        ensure!(!config.out.as_os_str().is_empty(), "no output is named\n  hint: {}", hint("--out DIR", "`output`"));
        Ok(config)
    }

    /// The configuration for reading, be there an output or not.
    fn reading(&self) -> Result<Config> {
        let mut config = self.settings()?.config()?;
        ensure!(!config.inputs.is_empty(), "no INPUT is named\n  hint: {}", hint("INPUT", "`inputs`"));
        config.read_bytes = self.read_bytes.unwrap_or(config.read_bytes).max(1);
        config.chunk_bytes = self.chunk_bytes.unwrap_or(config.chunk_bytes).max(1);
        Ok(config)
    }
}

fn hint(flag: &str, key: &str) -> String {
    format!("say {flag}, or {key} in paynorm.toml; see `paynorm normalize --help`")
}

/// How the sources are listed.
pub(crate) fn list_sources(json: bool) -> Result<String> {
    let groups =
        |source: &dyn Source| -> Vec<String> { source.told_by().iter().map(|group| group.join(" with ")).collect() };
    if json {
        let list: Vec<_> = sources::ALL
            .iter()
            .map(|source| {
                serde_json::json!({
                    "source": source.name(), "about": source.about(), "records_under": source.envelope(),
                    "told_by": source.told_by(),
                    "members": source.documented().iter().map(|documented| documented.name).collect::<Vec<_>>(),
                })
            })
            .collect();
        return Ok(serde_json::to_string_pretty(&list)? + "\n");
    }
    let list = sources::ALL.iter().map(|source| {
        let envelope = source.envelope().map_or_else(|| "none, a bare array".to_owned(), |key| format!("`{key}`"));
        let told = groups(*source).join(", or ");
        let members: Vec<_> = source.documented().iter().map(|documented| documented.name).collect();
        format!(
            "{}\n  {}\n  envelope: {envelope}\n  a record is told by: {told}\n  members: {}\n",
            source.name(),
            source.about(),
            members.join(", ")
        )
    });
    Ok(list.collect::<Vec<_>>().join("\n"))
}

/// The data dictionary, or what is made from it.
pub(crate) fn show_schema(format: SchemaFormat, dialect: Option<Dialect>, table: Option<Table>) -> Result<String> {
    use paynorm::model::columns::{COLUMNS, Column, VERSION};
    let null = |nullable: bool| if nullable { "null" } else { "required" };
    let personal = |column: &Column| if column.personal { "; personal data" } else { "" };
    Ok(match format {
        SchemaFormat::Text => {
            let lines = COLUMNS.iter().map(|c| {
                let (null, personal) = (null(c.nullable), personal(c));
                format!("{:>2}  {:<26}  {:<19}  {null:<8}  {}{personal}\n", c.number, c.name, c.kind.name(), c.doc)
            });
            format!("unified schema `transactions`, version {VERSION}\n\n{}", lines.collect::<String>())
        }
        SchemaFormat::Markdown => {
            let lines = COLUMNS.iter().map(|c| {
                let personal = personal(c);
                let nullable = if c.nullable { "yes" } else { "no" };
                format!("| {} | `{}` | {} | {nullable} | {}{personal} |\n", c.number, c.name, c.kind.name(), c.doc)
            });
            format!("| # | column | type | null? | meaning |\n|---|---|---|---|---|\n{}", lines.collect::<String>())
        }
        SchemaFormat::Json => {
            let columns: Vec<_> = COLUMNS
                .iter()
                .map(|c| {
                    serde_json::json!({
                        "number": c.number, "name": c.name, "type": c.kind.name(), "nullable": c.nullable,
                        "personal": c.personal, "meaning": c.doc,
                    })
                })
                .collect();
            let schema = serde_json::json!({ "name": "transactions", "version": VERSION, "columns": columns });
            serde_json::to_string_pretty(&schema)? + "\n"
        }
        SchemaFormat::Ddl => ddl(dialect.context("--format ddl needs --dialect")?, &table.unwrap_or_default()),
        SchemaFormat::Dbt => dbt(&table.unwrap_or_default()),
    })
}
