//! How warehouses and engines take a dataset in: tables for it ([`ddl`]), statements that load or attach it
//! ([`load_script`]), a source file for dbt ([`dbt`]), and questions as SQL ([`questions`]).
//!
//! All of it is text, made from the one table of columns, the vocabulary and what a manifest says; nothing is read or
//! connected to here. What surprises: each dialect escapes texts in another way, and a wrong way gives another text
//! without any error, so `Dialect::text` is the only place that quotes.

pub mod dbt;
pub mod ddl;
pub mod load_script;
pub mod questions;

use std::fmt;

use anyhow::{Context, Result, bail};

use crate::load::partition::Level;
use crate::model::columns::{COLUMNS, Column, Kind, VERSION};
use crate::model::paths::shown;

/// An engine's kind of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `BigQuery`
    BigQuery,
    /// `ClickHouse`
    ClickHouse,
    /// Databricks, with Delta tables
    Databricks,
    /// `DuckDB`
    DuckDb,
    /// `PostgreSQL`
    Postgres,
    /// Amazon Redshift
    Redshift,
    /// Snowflake
    Snowflake,
    /// Apache Spark
    Spark,
    /// Trino
    Trino,
}

impl Dialect {
    /// Every dialect, by name.
    pub const ALL: &[Self] = &[
        Self::BigQuery,
        Self::ClickHouse,
        Self::Databricks,
        Self::DuckDb,
        Self::Postgres,
        Self::Redshift,
        Self::Snowflake,
        Self::Spark,
        Self::Trino,
    ];

    /// The name, as in flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BigQuery => "bigquery",
            Self::ClickHouse => "clickhouse",
            Self::Databricks => "databricks",
            Self::DuckDb => "duckdb",
            Self::Postgres => "postgres",
            Self::Redshift => "redshift",
            Self::Snowflake => "snowflake",
            Self::Spark => "spark",
            Self::Trino => "trino",
        }
    }

    /// The dialect with that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dialect| dialect.name() == name)
    }

    /// A text as a literal. Where a backslash escapes, it is escaped; where it does not, doubling it would add one.
    fn text(self, text: &str) -> String {
        let escape = |c: char| match (self, c) {
            (Self::Postgres | Self::DuckDb | Self::Trino | Self::Redshift | Self::Snowflake, '\'') => "''".to_owned(),
            (Self::Postgres | Self::DuckDb | Self::Trino, _) => c.to_string(),
            (_, '\'') => r"\'".to_owned(),
            (_, '\\') => r"\\".to_owned(),
            (_, '\n') => r"\n".to_owned(),
            (_, '\r') => r"\r".to_owned(),
            (_, '\t') => r"\t".to_owned(),
            _ => c.to_string(),
        };
        format!("'{}'", text.chars().map(escape).collect::<String>())
    }

    /// The type that holds every value of a kind, exactly.
    fn type_of(self, kind: Kind) -> String {
        let decimal = |name: &str| {
            let digits = Kind::Amount.name().strip_prefix("decimal").expect("that is how amounts are named");
            format!("{name}{digits}")
        };
        let name = match (self, kind) {
            (Self::BigQuery, Kind::Amount) => return decimal("NUMERIC"),
            (Self::Snowflake, Kind::Amount) => return decimal("NUMBER"),
            (Self::ClickHouse, Kind::Amount) => return decimal("Decimal"),
            (Self::Postgres, Kind::Amount) => return decimal("numeric"),
            (_, Kind::Amount) => return decimal("DECIMAL"),

            (Self::BigQuery | Self::Databricks | Self::Spark, Kind::Text) => "STRING",
            (Self::ClickHouse, Kind::Text) => "String",
            (Self::Postgres, Kind::Text) => "text",
            // The longest there is: without a length it would be 256 bytes.
            (Self::Redshift, Kind::Text) => "VARCHAR(65535)",
            (Self::DuckDb | Self::Snowflake | Self::Trino, Kind::Text) => "VARCHAR",

            (Self::BigQuery | Self::Databricks | Self::Spark, Kind::Time) => "TIMESTAMP",
            (Self::ClickHouse, Kind::Time) => "DateTime64(6, 'UTC')",
            (Self::Postgres, Kind::Time) => "timestamptz",
            (Self::Redshift | Self::DuckDb, Kind::Time) => "TIMESTAMPTZ",
            // An instant that shows as UTC in every session; TIMESTAMP_NTZ would leave the zone to the reader's memory.
            (Self::Snowflake, Kind::Time) => "TIMESTAMP_TZ(6)",
            (Self::Trino, Kind::Time) => "TIMESTAMP(6) WITH TIME ZONE",

            (Self::ClickHouse, Kind::Date) => "Date32",
            (Self::Postgres, Kind::Date) => "date",
            (_, Kind::Date) => "DATE",

            (Self::BigQuery, Kind::Flag) => "BOOL",
            (Self::ClickHouse, Kind::Flag) => "Bool",
            (Self::Postgres, Kind::Flag) => "boolean",
            (_, Kind::Flag) => "BOOLEAN",

            (Self::BigQuery, Kind::Small | Kind::Large) => "INT64",
            (Self::ClickHouse, Kind::Small) => "Int16",
            (Self::ClickHouse, Kind::Large) => "Int64",
            (Self::Postgres, Kind::Small) => "smallint",
            (Self::Postgres, Kind::Large) => "bigint",
            // Tables of Iceberg have no smaller one.
            (Self::Trino, Kind::Small) => "INTEGER",
            (_, Kind::Small) => "SMALLINT",
            (_, Kind::Large) => "BIGINT",
        };
        name.to_owned()
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BigQuery => "BigQuery",
            Self::ClickHouse => "ClickHouse",
            Self::Databricks => "Databricks",
            Self::DuckDb => "DuckDB",
            Self::Postgres => "PostgreSQL",
            Self::Redshift => "Redshift",
            Self::Snowflake => "Snowflake",
            Self::Spark => "Spark",
            Self::Trino => "Trino",
        })
    }
}

/// The columns that tell rows apart, unless all rows of a key were kept.
pub const KEY: [&str; 2] = ["source", "transaction_id"];

/// A table's name, such as `transactions` or `finance.transactions`: what needs no quotes in any dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table(String);

/// The longest part of a name: `PostgreSQL` cuts names at 63 bytes, and some of ours go on behind the table's.
const LONGEST: usize = 50;

impl Default for Table {
    fn default() -> Self {
        Self("transactions".to_owned())
    }
}

impl Table {
    /// Reads a name.
    ///
    /// # Errors
    /// When a dialect would need quotes for it.
    pub fn parse(text: &str) -> Result<Self> {
        let is_plain = |part: &str| {
            part.len() <= LONGEST
                && part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let parts: Vec<_> = text.split('.').collect();
        // A project of BigQuery, the first of three parts, may hold hyphens.
        let is_project = |at: usize, part: &str| at == 0 && parts.len() == 3 && is_plain(&part.replace('-', "_"));
        if parts.len() > 3 || !parts.iter().enumerate().all(|(at, part)| is_plain(part) || is_project(at, part)) {
            bail!(
                "{text:?} is no name of a table\n  hint: up to three parts with dots between, each of at most {LONGEST} \
                 letters, digits and underscores"
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// The name without its schema.
    fn last(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or(&self.0)
    }

    /// The schema, where there is one.
    fn schema(&self) -> Option<&str> {
        self.0.rsplit('.').nth(1)
    }

    /// Another table beside it.
    fn beside(&self, suffix: &str) -> Self {
        Self(format!("{}{suffix}", self.0))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the table is, as its comment says.
fn about_table() -> String {
    format!("one row is one transaction of one source; unified schema, version {VERSION}")
}

/// What a column is, as its comment says.
fn about(column: &Column) -> String {
    column.doc.to_owned() + if column.personal { "; personal data" } else { "" }
}

/// What the directories of a level hold.
fn level_kind(level: Level) -> Kind {
    match level {
        Level::Feed | Level::Month => Kind::Text,
        Level::Year => Kind::Small,
        Level::Day => Kind::Date,
    }
}

/// The names of all columns, in order.
fn column_names() -> Vec<&'static str> {
    COLUMNS.iter().map(|column| column.name).collect()
}

/// Words with commas between, on lines that are not too long.
fn listed(words: &[impl AsRef<str>]) -> String {
    const WIDTH: usize = 100;
    let mut lines = vec![String::new()];
    for (at, word) in words.iter().enumerate() {
        let word = word.as_ref().to_owned() + if at + 1 < words.len() { "," } else { "" };
        let line = lines.last_mut().expect("there is one");
        if line.is_empty() {
            *line = word;
        } else if line.len() + word.len() < WIDTH {
            line.push(' ');
            line.push_str(&word);
        } else {
            lines.push(word);
        }
    }
    lines.join("\n    ")
}

/// A path on this machine as text.
///
/// # Errors
/// When it is no UTF-8, which no script can say.
pub fn path_text(path: &std::path::Path) -> Result<String> {
    let none = || format!("{}: its path is no UTF-8; a script can't name it", shown(path));
    path.to_str().map(str::to_owned).with_context(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_each_dialect_reads_them() {
        for (dialects, expected) in [
            (&[Dialect::DuckDb, Dialect::Postgres, Dialect::Trino][..], "'it''s a \\ \n'"),
            (&[Dialect::Redshift, Dialect::Snowflake], r"'it''s a \\ \n'"),
            (&[Dialect::BigQuery, Dialect::ClickHouse, Dialect::Databricks, Dialect::Spark], r"'it\'s a \\ \n'"),
        ] {
            for dialect in dialects {
                assert_eq!(dialect.text("it's a \\ \n"), expected, "{dialect}");
            }
        }
    }

    #[test]
    fn names_that_need_quotes_are_refused() {
        for name in ["transactions", "finance.transactions", "my-project.finance.t_1"] {
            assert_eq!(Table::parse(name).expect("a name").to_string(), name);
        }
        for name in
            ["", "a.", "1a", "a b", "a;b", "a'b", "a\"b", "a-b", "a.b-c", "a.b.c.d", "ä", &"a".repeat(LONGEST + 1)]
        {
            assert!(Table::parse(name).is_err(), "{name:?}");
        }
    }
}
