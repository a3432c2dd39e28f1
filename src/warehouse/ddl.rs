//! The statement that makes a table for the unified schema, in each dialect.
//!
//! It has every column with its exact type, what may be null, and what it means. The key is declared wherever a dialect
//! has keys, also where it only believes them: a planner that believes in a key gives wrong answers when there is none, so
//! a dataset that keeps all rows of a key gets a table without one.

use super::{Dialect, KEY, Table, about, about_table};
use crate::model::columns::{COLUMNS, Column};

/// What is done when the table is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    Refuse,
    Keep,
    Replace,
}

/// Whether there is one row for each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    Unique,
    Repeated,
}

/// The statements that make an empty table.
#[must_use]
pub fn ddl(dialect: Dialect, table: &Table) -> String {
    let create = create(dialect, table, Existing::Refuse, Keys::Unique);
    format!("{create};\n{}{}", index(dialect, table), comments(dialect, table, "TABLE"))
}

/// The index by which a question about a source and a time need not read the whole table, where there are indexes and no
/// better means.
pub(super) fn index(dialect: Dialect, table: &Table) -> String {
    match dialect {
        Dialect::Postgres => {
            format!("CREATE INDEX IF NOT EXISTS {}_by_time ON {table} (source, occurred_at);\n", table.last())
        }
        Dialect::BigQuery
        | Dialect::ClickHouse
        | Dialect::Databricks
        | Dialect::DuckDb
        | Dialect::Redshift
        | Dialect::Snowflake
        | Dialect::Spark
        | Dialect::Trino => String::new(),
    }
}

/// The statement that makes the table, without its semicolon and without the comments that are statements of their own.
pub(super) fn create(dialect: Dialect, table: &Table, existing: Existing, keys: Keys) -> String {
    let mut lines: Vec<_> = COLUMNS.iter().map(|column| declaration(dialect, column)).collect();
    lines.extend(primary_key(dialect).filter(|_| keys == Keys::Unique));
    let verb = match existing {
        Existing::Refuse => "CREATE TABLE",
        Existing::Keep => "CREATE TABLE IF NOT EXISTS",
        Existing::Replace => "CREATE OR REPLACE TABLE",
    };
    format!("{verb} {table} (\n    {}\n){}", lines.join(",\n    "), storage(dialect))
}

/// The comments, where they are statements of their own; `what` is TABLE or VIEW.
pub(super) fn comments(dialect: Dialect, table: &Table, what: &str) -> String {
    match dialect {
        Dialect::DuckDb | Dialect::Postgres | Dialect::Redshift => {}
        Dialect::BigQuery
        | Dialect::ClickHouse
        | Dialect::Databricks
        | Dialect::Snowflake
        | Dialect::Spark
        | Dialect::Trino => return String::new(),
    }
    let column =
        |column: &Column| format!("COMMENT ON COLUMN {table}.{} IS {};\n", column.name, dialect.text(&about(column)));
    let columns: String = COLUMNS.iter().map(column).collect();
    format!("\nCOMMENT ON {what} {table} IS {};\n{columns}", dialect.text(&about_table()))
}

fn declaration(dialect: Dialect, column: &Column) -> String {
    let kind = dialect.type_of(column.kind);
    let comment = inline_comment(dialect, column);
    match (dialect, column.nullable) {
        (Dialect::ClickHouse, true) => format!("{} Nullable({kind}){comment}", column.name),
        (Dialect::ClickHouse, false) | (_, true) => format!("{} {kind}{comment}", column.name),
        (_, false) => format!("{} {kind} NOT NULL{comment}", column.name),
    }
}

/// The comment of a column, where it stands in its declaration.
pub(super) fn inline_comment(dialect: Dialect, column: &Column) -> String {
    let text = dialect.text(&about(column));
    match dialect {
        Dialect::BigQuery => format!(" OPTIONS (description = {text})"),
        Dialect::ClickHouse | Dialect::Databricks | Dialect::Snowflake | Dialect::Spark | Dialect::Trino => {
            format!(" COMMENT {text}")
        }
        Dialect::DuckDb | Dialect::Postgres | Dialect::Redshift => String::new(),
    }
}

fn primary_key(dialect: Dialect) -> Option<String> {
    let key = format!("PRIMARY KEY ({})", KEY.join(", "));
    match dialect {
        // DuckDB and PostgreSQL check it; the others believe it.
        Dialect::Databricks | Dialect::DuckDb | Dialect::Postgres | Dialect::Redshift | Dialect::Snowflake => Some(key),
        Dialect::BigQuery => Some(key + " NOT ENFORCED"),
        // They have none; the one of ClickHouse is an order and may repeat.
        Dialect::ClickHouse | Dialect::Spark | Dialect::Trino => None,
    }
}

/// How the rows lie, and the comment of the table where it stands there. A time is asked for most, then a source.
fn storage(dialect: Dialect) -> String {
    let comment = dialect.text(&about_table());
    match dialect {
        Dialect::BigQuery => format!(
            "\nPARTITION BY TIMESTAMP_TRUNC(occurred_at, MONTH)\nCLUSTER BY source, transaction_id\n\
             OPTIONS (description = {comment})"
        ),
        // By year, as one insert may write to 100 partitions.
        Dialect::ClickHouse => format!(
            "\nENGINE = MergeTree\nPARTITION BY toYear(occurred_at)\nORDER BY (source, occurred_at, transaction_id)\n\
             COMMENT {comment}"
        ),
        Dialect::Databricks => format!("\nUSING DELTA\nCLUSTER BY (source, occurred_at)\nCOMMENT {comment}"),
        Dialect::Redshift => "\nDISTSTYLE AUTO\nSORTKEY (occurred_at)".to_owned(),
        Dialect::Snowflake => format!("\nCOMMENT = {comment}"),
        Dialect::Spark => format!("\nUSING PARQUET\nCOMMENT {comment}"),
        Dialect::Trino => format!(
            "\nCOMMENT {comment}\nWITH (format = 'PARQUET', partitioning = ARRAY['source', 'month(occurred_at)'])"
        ),
        Dialect::DuckDb | Dialect::Postgres => String::new(),
    }
}
