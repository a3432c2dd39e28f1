//! The statements that load a dataset into a warehouse, or attach it where the engine reads Parquet in place.
//!
//! A script is made for the dataset as it is: its partition levels, its number of rows, whether its keys are unique. It may
//! be run again after every run of paynorm: what it loads takes the place of what it loaded before, in one step where the
//! engine has such steps. It never drops a table.
//!
//! What surprises: `PostgreSQL` reads no Parquet, so its script lets `DuckDB` write what `COPY` reads as text, and the
//! escapes of that format keep an empty text apart from none and a line break inside of one line.

use anyhow::{Context, Result, bail, ensure};

use super::ddl::{Existing, Keys, comments, create, index, inline_comment};
use super::{Dialect, Table, about_table, column_names, level_kind, listed};
use crate::load::commit::DATA_FILE;
use crate::load::manifest::Manifest;
use crate::load::partition::{Level, Partitioning};
use crate::model::columns::{COLUMNS, Kind};

/// A dataset to load: what is in it, and where the engine finds it.
#[derive(Debug)]
pub struct Dataset {
    /// Where it lies: a path on this machine or a URL, without a slash at its end.
    place: Place,
    levels: Vec<Level>,
    keys: Keys,
    rows: u64,
    files: usize,
    run_id: String,
}

#[derive(Debug)]
enum Place {
    Path(String),
    Url(String),
}

impl Place {
    fn text(&self) -> &str {
        match self {
            Self::Path(text) | Self::Url(text) => text,
        }
    }
}

impl Dataset {
    /// A dataset by its manifest. It lies at `path`, an absolute one, or at `url`, where it was copied to.
    ///
    /// # Errors
    /// When the manifest names levels that there are not, or the URL is none.
    pub fn new(manifest: &Manifest, path: String, url: Option<&str>) -> Result<Self> {
        let levels = Partitioning::parse(&manifest.partition_by).context("the manifest is damaged: partition_by")?.0;
        let place = match url {
            None => Place::Path(path),
            Some(url) => {
                let fits = |c: char| !c.is_control() && !c.is_whitespace() && !"*?[]{}'\"\\".contains(c);
                let hint = "hint: a URL such as s3://bucket/lake, without spaces, quotes, brackets and wildcards";
                ensure!(url.contains(":/") && url.chars().all(fits), "--location {url:?} is no URL\n  {hint}");
                Place::Url(url.trim_end_matches('/').to_owned())
            }
        };
        let keys = if manifest.keep_duplicates { Keys::Repeated } else { Keys::Unique };
        let (rows, files, run_id) = (manifest.rows, manifest.files.len(), manifest.run_id.clone());
        Ok(Self { place, levels, keys, rows, files, run_id })
    }

    /// The pattern that all data files fit and nothing else does, below `root`.
    fn pattern(&self, root: &str) -> String {
        let levels: String = self.levels.iter().map(|level| format!("{}=*/", level.name())).collect();
        format!("{root}/{levels}*.parquet")
    }

    /// What the names in the dataset's directory begin with that hold data: the directories of the first level, or the data
    /// files themselves; never `_paynorm`.
    fn first_letters(&self) -> String {
        self.levels.first().map_or(DATA_FILE.to_owned(), |level| format!("{}=", level.name()))
    }

    /// The URL, for an engine that reads none of this machine's files.
    fn url(&self, dialect: Dialect, schemes: &[&str]) -> Result<&str> {
        let known = |url: &str| schemes.is_empty() || schemes.iter().any(|scheme| url.starts_with(scheme));
        match &self.place {
            Place::Url(url) if known(url) => Ok(url),
            place => {
                let example = schemes.first().unwrap_or(&"s3://");
                let said = match place {
                    Place::Path(_) => format!("{dialect} does not read this machine's files"),
                    Place::Url(url) => format!("--location {url}: {dialect} reads from {}", schemes.join(", ")),
                };
                bail!("{said}\n  hint: copy the dataset to a bucket and name it: --location {example}BUCKET/lake");
            }
        }
    }

    fn level_names(&self) -> Vec<&'static str> {
        self.levels.iter().map(|level| level.name()).collect()
    }

    /// The levels as columns, `before` in front of each.
    fn level_columns(&self, dialect: Dialect) -> Vec<String> {
        let column = |level: &Level| format!("{} {}", level.name(), dialect.type_of(level_kind(*level)));
        self.levels.iter().map(column).collect()
    }
}

/// The statements for a dataset.
///
/// # Errors
/// When the engine can't reach the dataset where it is, and what to do.
pub fn load_script(dialect: Dialect, table: &Table, dataset: &Dataset) -> Result<String> {
    let body = match dialect {
        Dialect::BigQuery => bigquery(table, dataset)?,
        Dialect::ClickHouse => clickhouse(table, dataset)?,
        Dialect::Databricks => databricks(table, dataset)?,
        Dialect::DuckDb => duckdb(table, dataset)?,
        Dialect::Postgres => postgres(table, dataset)?,
        Dialect::Redshift => redshift(table, dataset)?,
        Dialect::Snowflake => snowflake(table, dataset)?,
        Dialect::Spark => spark(table, dataset),
        Dialect::Trino => trino(table, dataset)?,
    };
    let (rows, files, run) = (dataset.rows, dataset.files, &dataset.run_id);
    Ok(format!("-- {dialect}: a dataset of paynorm, {rows} rows in {files} files, run {run}\n{body}"))
}

/// The view that attaches a dataset in `DuckDB`.
pub(super) fn duckdb_view(table: &Table, dataset: &Dataset, verb: &str) -> Result<String> {
    let dialect = Dialect::DuckDb;
    let types = dataset.levels.iter().map(|level| format!("{}: {}", level.name(), dialect.type_of(level_kind(*level))));
    let types = types.collect::<Vec<_>>().join(", ");
    let hive = match dataset.levels.is_empty() {
        true => "hive_partitioning = false".to_owned(),
        false => format!("hive_partitioning = true, hive_types = {{{types}}}"),
    };
    let pattern = dialect.text(&duckdb_pattern(dataset)?);
    Ok(format!("{verb} {table} AS\nSELECT * FROM read_parquet({pattern}, {hive});\n"))
}

fn duckdb(table: &Table, dataset: &Dataset) -> Result<String> {
    let view = duckdb_view(table, dataset, "CREATE OR REPLACE VIEW")?;
    let (comments, check) = (comments(Dialect::DuckDb, table, "VIEW"), check(table, dataset));
    Ok(format!(
        "-- Attached in place; a filter on the partition keys leaves the other files closed.\n{view}{comments}{check}"
    ))
}

/// The pattern of the data files; characters of the path that would be wildcards stand for themselves.
fn duckdb_pattern(dataset: &Dataset) -> Result<String> {
    let plain = |c: char| if "*?[".contains(c) { format!("[{c}]") } else { c.to_string() };
    match &dataset.place {
        Place::Path(path) => {
            refuse_in(path, &['\\'], Dialect::DuckDb)?;
            Ok(dataset.pattern(&path.chars().map(plain).collect::<String>()))
        }
        Place::Url(url) => Ok(dataset.pattern(url)),
    }
}

/// Refuses a path with characters that an engine takes for part of a pattern, whatever is before them.
fn refuse_in(path: &str, characters: &[char], dialect: Dialect) -> Result<()> {
    let shown = characters.iter().map(char::to_string).collect::<Vec<_>>().join(" ");
    ensure!(
        !path.contains(characters),
        "{path:?}: {dialect} takes {shown} in a path for a pattern and can't be told otherwise\n  \
         hint: rename the directory, or reach it by a link"
    );
    Ok(())
}

fn postgres(table: &Table, dataset: &Dataset) -> Result<String> {
    let fields = COLUMNS.iter().map(|column| match column.kind {
        Kind::Text => format!("t({})", column.name),
        Kind::Amount | Kind::Time | Kind::Date | Kind::Flag | Kind::Small | Kind::Large => column.name.to_owned(),
    });
    // Text as COPY reads it: what would end a field or a line, and the escape itself, are escaped; no value is \N.
    let escape = r"replace(replace(replace(replace(v, '\', '\\'), chr(9), '\t'), chr(10), '\n'), chr(13), '\r')";
    let refused = "contains(v, chr(0)) THEN error('a text holds U+0000, which PostgreSQL can''t store')";
    let select = format!(
        "SET TimeZone = 'UTC'; CREATE MACRO t(v) AS CASE WHEN {refused} ELSE {escape} END; COPY (SELECT {} FROM read_parquet({}, hive_partitioning = \
         false)) TO '/dev/stdout' (FORMAT csv, HEADER false, DELIMITER E'\\t', QUOTE '', ESCAPE '', NULLSTR '\\N')",
        fields.collect::<Vec<_>>().join(", "),
        Dialect::DuckDb.text(&duckdb_pattern(dataset)?),
    );
    let rows = dataset.rows;
    Ok(format!(
        "-- Run: psql --no-psqlrc --file THIS_FILE; DuckDB's command `duckdb` writes what COPY reads.\n\
         \\set ON_ERROR_STOP on\n\
         \\encoding UTF8\n\
         \\setenv PAYNORM_ROWS {}\n\
         BEGIN;\n\
         {};\n{}{}\n\
         LOCK TABLE {table} IN EXCLUSIVE MODE;\n\
         DELETE FROM {table};\n\
         \\copy {table} FROM PROGRAM 'duckdb -init /dev/null -c \"$PAYNORM_ROWS\"'\n\
         DO $$ BEGIN IF (SELECT count(*) FROM {table}) <> {rows} THEN\n    \
         RAISE EXCEPTION 'not the {rows} rows of the dataset; nothing was loaded';\n\
         END IF; END $$;\n\
         COMMIT;\n",
        psql_argument(&select),
        create(Dialect::Postgres, table, Existing::Keep, dataset.keys),
        index(Dialect::Postgres, table),
        comments(Dialect::Postgres, table, "TABLE"),
    ))
}

/// A text as an argument of a command of psql, which ends with its line.
fn psql_argument(text: &str) -> String {
    let escape = |c: char| match c {
        '\'' => "''".to_owned(),
        '\\' => r"\\".to_owned(),
        '\n' => r"\n".to_owned(),
        '\r' => r"\r".to_owned(),
        _ => c.to_string(),
    };
    format!("'{}'", text.chars().map(escape).collect::<String>())
}

fn clickhouse(table: &Table, dataset: &Dataset) -> Result<String> {
    let dialect = Dialect::ClickHouse;
    let from = match &dataset.place {
        Place::Path(path) => {
            refuse_in(path, &['*', '?', '{', '}'], dialect)?;
            format!("file({}, 'Parquet')", dialect.text(&dataset.pattern(path)))
        }
        Place::Url(url) if url.starts_with("gs://") => {
            format!("gcs({}, 'Parquet')", dialect.text(&dataset.pattern(url)))
        }
        Place::Url(url) => format!("s3({}, 'Parquet')", dialect.text(&dataset.pattern(url))),
    };
    Ok(format!(
        "-- Loaded; the new table takes the place of the old one when it is full.\n\
         {}\nAS SELECT\n    {}\nFROM {from};\n{}",
        create(dialect, table, Existing::Replace, dataset.keys),
        listed(&column_names()),
        check(table, dataset),
    ))
}

fn spark(table: &Table, dataset: &Dataset) -> String {
    let dialect = Dialect::Spark;
    let refresh = match dataset.levels.is_empty() {
        true => String::new(),
        false => format!("MSCK REPAIR TABLE {table} SYNC PARTITIONS;\n"),
    };
    format!(
        "-- Attached in place. A table that is there stays; its partitions become those of the dataset.\n\
         {}\nUSING PARQUET\n{}COMMENT {}\nLOCATION {};\n{refresh}REFRESH TABLE {table};\n{}",
        attached(dialect, table, dataset, "CREATE TABLE IF NOT EXISTS"),
        partitioned_by(dataset),
        dialect.text(&about_table()),
        dialect.text(dataset.place.text()),
        check(table, dataset),
    )
}

fn databricks(table: &Table, dataset: &Dataset) -> Result<String> {
    let dialect = Dialect::Databricks;
    let schemes = ["s3://", "abfss://", "gs://", "dbfs:/", "/Volumes/"];
    let pattern = dialect.text(&dataset.pattern(dataset.url(dialect, &schemes)?));
    let names = listed(&column_names());
    Ok(format!(
        "-- Loaded, in one step. Not run by paynorm's tests; see docs/warehouses.md.\n\
         {};\nINSERT OVERWRITE {table} (\n    {names})\nSELECT\n    {names}\n\
         FROM read_files({pattern}, format => 'parquet');\n{}",
        create(dialect, table, Existing::Keep, dataset.keys),
        check(table, dataset),
    ))
}

fn bigquery(table: &Table, dataset: &Dataset) -> Result<String> {
    let dialect = Dialect::BigQuery;
    let url = dataset.url(dialect, &["gs://"])?;
    let files = table.beside("_files");
    let uris = dialect.text(&format!("{url}/{}*", dataset.first_letters()));
    let (columns, prefix) = match dataset.levels.is_empty() {
        true => (String::new(), String::new()),
        false => (
            format!("\nWITH PARTITION COLUMNS ({})", dataset.level_columns(dialect).join(", ")),
            format!(", hive_partition_uri_prefix = {}", dialect.text(url)),
        ),
    };
    let names = listed(&column_names());
    Ok(format!(
        "-- Attached as {files} and loaded into {table}, in one step. Not run by paynorm's tests; see docs/warehouses.md.\n\
         CREATE OR REPLACE EXTERNAL TABLE {files}{columns}\n\
         OPTIONS (format = 'PARQUET', uris = [{uris}]{prefix});\n\
         {};\n\
         BEGIN TRANSACTION;\n\
         DELETE FROM {table} WHERE true;\n\
         INSERT INTO {table} (\n    {names})\nSELECT\n    {names}\nFROM {files};\n\
         COMMIT TRANSACTION;\n{}",
        create(dialect, table, Existing::Keep, dataset.keys),
        check(table, dataset),
    ))
}

fn snowflake(table: &Table, dataset: &Dataset) -> Result<String> {
    let dialect = Dialect::Snowflake;
    let url = dataset.url(dialect, &["s3://", "gcs://", "azure://"])?;
    let stage = table.beside("_stage");
    Ok(format!(
        "-- Loaded, in one step. It needs a storage integration named paynorm that may read the bucket.\n\
         -- Not run by paynorm's tests; see docs/warehouses.md.\n\
         ALTER SESSION SET TIMEZONE = 'UTC';\n\
         CREATE STAGE IF NOT EXISTS {stage} URL = {} STORAGE_INTEGRATION = paynorm;\n\
         {};\n\
         BEGIN;\n\
         DELETE FROM {table};\n\
         COPY INTO {table} FROM @{stage}\n\
         PATTERN = '.*[.]parquet'\n\
         FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)\n\
         MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE\n\
         FORCE = TRUE ON_ERROR = ABORT_STATEMENT;\n\
         COMMIT;\n{}",
        dialect.text(&format!("{url}/")),
        create(dialect, table, Existing::Keep, dataset.keys),
        check(table, dataset),
    ))
}

fn redshift(table: &Table, dataset: &Dataset) -> Result<String> {
    let dialect = Dialect::Redshift;
    let url = dataset.url(dialect, &["s3://"])?;
    Ok(format!(
        "-- Loaded, in one step. The role of the cluster must be able to read the bucket, which is in its region.\n\
         -- Not run by paynorm's tests; see docs/warehouses.md.\n\
         {};\n{}\n\
         BEGIN;\n\
         DELETE FROM {table};\n\
         COPY {table} FROM {}\nIAM_ROLE default\nFORMAT AS PARQUET;\n\
         COMMIT;\n{}",
        create(dialect, table, Existing::Keep, dataset.keys),
        comments(dialect, table, "TABLE"),
        dialect.text(&format!("{url}/{}", dataset.first_letters())),
        check(table, dataset),
    ))
}

fn trino(table: &Table, dataset: &Dataset) -> Result<String> {
    let dialect = Dialect::Trino;
    let url = dialect.text(dataset.url(dialect, &[])?);
    let Some(schema) = table.schema() else {
        bail!("--table {table}: Trino needs the schema to find partitions\n  hint: --table SCHEMA.{table}");
    };
    let names = dataset.level_names().iter().map(|name| dialect.text(name)).collect::<Vec<_>>().join(", ");
    let (by, sync) = match dataset.levels.is_empty() {
        true => (String::new(), String::new()),
        false => (
            format!(", partitioned_by = ARRAY[{names}]"),
            format!(
                "CALL system.sync_partition_metadata(schema_name => {}, table_name => {}, mode => 'FULL');\n",
                dialect.text(schema),
                dialect.text(table.last())
            ),
        ),
    };
    Ok(format!(
        "-- Attached in place, in a catalog of the Hive connector whose hive.timestamp-precision is MICROSECONDS. Tables of\n\
         -- Hive know no zone: the times are UTC. Not run by paynorm's tests; see docs/warehouses.md.\n\
         {}\nCOMMENT {}\nWITH (format = 'PARQUET', external_location = {url}{by});\n{sync}{}",
        attached(dialect, table, dataset, "CREATE TABLE IF NOT EXISTS"),
        dialect.text(&about_table()),
        check(table, dataset),
    ))
}

/// A table over files in place: its columns, then those of the directories. What must not be null is the files' affair.
fn attached(dialect: Dialect, table: &Table, dataset: &Dataset, verb: &str) -> String {
    let type_of = |kind| match (dialect, kind) {
        (Dialect::Trino, Kind::Time) => "TIMESTAMP(6)".to_owned(),
        _ => dialect.type_of(kind),
    };
    let columns = COLUMNS.iter().map(|c| format!("{} {}{}", c.name, type_of(c.kind), inline_comment(dialect, c)));
    let columns: Vec<_> = columns.chain(dataset.level_columns(dialect)).collect();
    format!("{verb} {table} (\n    {}\n)", columns.join(",\n    "))
}

fn partitioned_by(dataset: &Dataset) -> String {
    match dataset.levels.is_empty() {
        true => String::new(),
        false => format!("PARTITIONED BY ({})\n", dataset.level_names().join(", ")),
    }
}

/// Shows whether all rows are there.
fn check(table: &Table, dataset: &Dataset) -> String {
    format!("SELECT count(*) AS loaded, {} AS expected FROM {table};\n", dataset.rows)
}
