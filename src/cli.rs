//! The command line: the flags, and what they mean as a [`Config`]. The only place that knows flags.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use paynorm::config::{Config, Forced, Limit, Mode};
use paynorm::inspect::explain::Question;
use paynorm::load::manifest::Manifest;
use paynorm::load::parquet_file::Codec;
use paynorm::load::partition::Partitioning;
use paynorm::model::money::Currency;
use paynorm::model::time::Zone;
use paynorm::sources::{self, Source};
use paynorm::warehouse::load_script::{Dataset, load_script};
use paynorm::warehouse::{Dialect, Table, dbt::dbt, ddl::ddl, path_text, questions};

/// Normalizes raw JSON dumps of payment APIs to one schema and writes partitioned Parquet.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 110, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read dumps and write them as one Parquet dataset
    #[command(after_help = NORMALIZE_HELP)]
    Normalize(Box<NormalizeArgs>),
    /// Try the records in quarantine again, with the settings as they are now; what passes is merged
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
    /// Show the rows of a transaction, their records, and which member each value came from; changes nothing
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
}

const NORMALIZE_HELP: &str = "\
Exit codes: 0 all is in the dataset; 3 it is, but for records in quarantine; 1 failed, nothing visible has changed; \
2 wrong usage; 4 another run works on the same output; 130 and 143 interrupted, nothing visible has changed.

Examples:
  paynorm normalize dumps/ --out lake
  paynorm normalize 'exports/**/*.json.gz' --out lake --mode replace --currency spacivox=EUR
  curl … | paynorm normalize - --source atpay --out lake";

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
    /// Currency of a source that writes none, such as spacivox=EUR; may be repeated
    #[arg(long, value_name = "SOURCE=CODE")]
    currency: Vec<String>,
    /// Zone of a source that writes local times, such as paydata=Europe/Zurich; UTC unless told; may be repeated
    #[arg(long, value_name = "SOURCE=ZONE")]
    timezone: Vec<String>,
}

impl SourceArgs {
    fn apply(&self, config: &mut Config) -> Result<()> {
        config.forced = self.source.iter().map(|text| forced(text)).collect::<Result<_>>()?;
        for text in &self.currency {
            let (number, code) = of_source("--currency", text)?;
            if sources::ALL[number].writes_currency() {
                bail!("--currency {text}: {} has its own currency", sources::ALL[number].name());
            }
            let currency = Currency::parse(code);
            config.settings[number].currency = Some(
                currency.ok_or_else(|| anyhow!("--currency {text}: {code:?} is no three-letter code such as EUR"))?,
            );
        }
        for text in &self.timezone {
            let (number, name) = of_source("--timezone", text)?;
            let hint = "is no IANA time zone such as Europe/Zurich";
            config.settings[number].zone =
                Zone::parse(name).ok_or_else(|| anyhow!("--timezone {text}: {name:?} {hint}"))?;
        }
        Ok(())
    }
}

/// What the machine may be used for.
#[derive(Debug, Args)]
struct MachineArgs {
    /// Threads to use [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Memory to stay below, such as 512MB or 2GB; at least 64MB
    #[arg(long, value_name = "SIZE", default_value = "512MB")]
    memory: String,
}

impl MachineArgs {
    fn apply(&self, config: &mut Config) -> Result<()> {
        match self.threads {
            Some(0) => bail!("--threads 0: at least one thread is needed"),
            Some(threads) => config.threads = threads,
            None => {}
        }
        config.memory = memory(&self.memory)?;
        Ok(())
    }
}

/// What is printed at the end.
#[derive(Debug, Args)]
pub(crate) struct PrintArgs {
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print no summary
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The dataset
    #[arg(value_name = "DIR")]
    dataset: PathBuf,
    #[command(flatten)]
    sources: SourceArgs,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

impl ReplayArgs {
    /// The configuration that the flags ask for.
    ///
    /// # Errors
    /// What is wrong with a value, and what would be right.
    pub(crate) fn config(&self) -> Result<Config> {
        let mut config = Config::new(Vec::new(), self.dataset.clone());
        self.sources.apply(&mut config)?;
        self.machine.apply(&mut config)?;
        Ok(config)
    }
}

#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    /// The dataset
    #[arg(value_name = "DIR")]
    dataset: PathBuf,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

impl CompactArgs {
    /// The configuration that the flags ask for.
    ///
    /// # Errors
    /// What is wrong with a value, and what would be right.
    pub(crate) fn config(&self) -> Result<Config> {
        let mut config = Config::new(Vec::new(), self.dataset.clone());
        self.machine.apply(&mut config)?;
        Ok(config)
    }
}

const VERIFY_HELP: &str = "\
Exit codes: 0 all is well; 1 something is wrong, a line for each fault; 2 there is no dataset.";

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
            source_number("--source", name)?;
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

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct NormalizeArgs {
    /// Directories, files or quoted patterns; `-` is standard input. Compression and shape are told by content
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// The directory of the dataset to write
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// What to do when there is something at the output already
    #[arg(long, value_enum, default_value_t)]
    mode: ModeArg,
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
    /// Write nothing (exit code 1) when more records than this are bad: a number, or a share such as 0.5%
    #[arg(long, value_name = "N|P%")]
    max_quarantined: Option<String>,
    /// Go on when a dump can't be read; it is listed in the quarantine
    #[arg(long)]
    keep_going: bool,
    /// Keep all rows of one source and transaction id instead of the newest
    #[arg(long)]
    keep_duplicates: bool,
    /// Write bloom filters on the transaction ids
    #[arg(long)]
    bloom_filter: bool,
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

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum ModeArg {
    /// Refuse
    #[default]
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

impl NormalizeArgs {
    /// The configuration that the flags ask for.
    ///
    /// # Errors
    /// What is wrong with a value, and what would be right.
    pub(crate) fn config(&self) -> Result<Config> {
        let mut config = Config::new(self.inputs.clone(), self.out.clone());
        config.base.clone_from(&self.base);
        config.mode = match self.mode {
            ModeArg::Create => Mode::Create,
            ModeArg::Replace => Mode::Replace,
            ModeArg::Merge => Mode::Merge,
        };
        self.sources.apply(&mut config)?;
        if let Some(text) = &self.partition_by {
            config.partitioning = Partitioning::parse(text).with_context(|| format!("--partition-by {text}"))?;
            config.adopt_partitioning = false;
        }
        if let Some(compression) = self.compression {
            config.codec = match compression {
                CompressionArg::Zstd => Codec::Zstd,
                CompressionArg::Snappy => Codec::Snappy,
            };
            config.adopt_codec = false;
        }
        config.max_quarantined = self.max_quarantined.as_deref().map(limit).transpose()?;
        config.keep_going = self.keep_going;
        config.keep_duplicates = self.keep_duplicates;
        config.bloom_filter = self.bloom_filter;
        self.machine.apply(&mut config)?;
        config.read_bytes = self.read_bytes.unwrap_or(config.read_bytes).max(1);
        config.chunk_bytes = self.chunk_bytes.unwrap_or(config.chunk_bytes).max(1);
        if self.inputs.iter().filter(|input| input.as_os_str() == "-").count() > 1 {
            bail!("standard input can be read only once");
        }
        Ok(config)
    }
}

fn source_number(flag: &str, name: &str) -> Result<usize> {
    let names: Vec<_> = sources::ALL.iter().map(|source| source.name()).collect();
    names.iter().position(|known| *known == name).ok_or_else(|| {
        let near = names.iter().min_by_key(|known| distance(known, name)).expect("there are sources");
        let hint = if distance(near, name) <= 3 { format!("did you mean {near}?") } else { names.join(", ") };
        anyhow!("{flag}: {name:?} is no known source\n  hint: {hint}")
    })
}

/// Edit distance, for suggestions.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

fn of_source<'a>(flag: &str, text: &'a str) -> Result<(usize, &'a str)> {
    let (name, value) = text.split_once('=').ok_or_else(|| anyhow!("{flag} {text}: expected SOURCE=VALUE"))?;
    Ok((source_number(flag, name)?, value))
}

fn forced(text: &str) -> Result<Forced> {
    let (name, pattern) = text.split_once('=').map_or((text, None), |(name, pattern)| (name, Some(pattern)));
    let pattern = pattern.map(glob::Pattern::new).transpose();
    let pattern = pattern.with_context(|| format!("--source {text}: the pattern is not valid"))?;
    Ok(Forced { source: source_number("--source", name)?, pattern })
}

fn limit(text: &str) -> Result<Limit> {
    let wrong = || anyhow!("--max-quarantined {text}: expected a number such as 100, or a share such as 0.5%");
    let Some(share) = text.strip_suffix('%') else { return Ok(Limit::Records(text.parse().map_err(|_| wrong())?)) };
    let share: rust_decimal::Decimal = share.trim().parse().map_err(|_| wrong())?;
    let parts = share.checked_mul(10_000.into()).and_then(|parts| u64::try_from(parts).ok()).ok_or_else(wrong)?;
    if parts > 1_000_000 { Err(wrong()) } else { Ok(Limit::PartsPerMillion(parts)) }
}

fn memory(text: &str) -> Result<u64> {
    const LEAST: u64 = 64 << 20;
    let wrong = || anyhow!("--memory {text}: expected a size such as 512MB or 2GB, at least 64MB");
    let upper = text.trim().to_ascii_uppercase();
    let digits = upper.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match upper[digits.len()..].trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes >= LEAST).ok_or_else(wrong)
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
    use paynorm::model::columns::{COLUMNS, VERSION};
    let null = |nullable: bool| if nullable { "null" } else { "required" };
    Ok(match format {
        SchemaFormat::Text => {
            let lines = COLUMNS.iter().map(|c| {
                format!("{:>2}  {:<26}  {:<19}  {:<8}  {}\n", c.number, c.name, c.kind.name(), null(c.nullable), c.doc)
            });
            format!("unified schema `transactions`, version {VERSION}\n\n{}", lines.collect::<String>())
        }
        SchemaFormat::Markdown => {
            let lines = COLUMNS.iter().map(|c| {
                let personal = if c.personal { "; personal data" } else { "" };
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
