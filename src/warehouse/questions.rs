//! Questions of finance as SQL over the table `transactions`: one file each in `questions`, the only place.
//!
//! They run in `DuckDB`, and in `PostgreSQL` behind the two lines of [`postgres_prelude`]. Amounts stay decimals: rates are
//! computed by whole numbers and rounded half up, as a division of decimals is a binary float in `DuckDB`.

use anyhow::{Context, Result};

use super::load_script::{Dataset, duckdb_view};
use super::{Dialect, Table};
use crate::model::time::{WrittenTime, Zone};

/// A question.
#[derive(Debug)]
pub struct Question {
    /// Its name, as in flags, and the name of its view.
    pub name: &'static str,
    /// What it answers.
    pub about: &'static str,
    /// The SQL, without a semicolon.
    pub sql: &'static str,
}

/// Every question.
pub const ALL: &[Question] = &[
    Question {
        name: "fees",
        about: "what providers took, by provider, month and currency",
        sql: include_str!("questions/fees.sql"),
    },
    Question {
        name: "refunds",
        about: "refund rate by provider and currency",
        sql: include_str!("questions/refunds.sql"),
    },
    Question {
        name: "unbalanced",
        about: "transactions whose gross, fee and net do not fit together",
        sql: include_str!("questions/unbalanced.sql"),
    },
    Question {
        name: "pending",
        about: "what is still pending after 7 days",
        sql: include_str!("questions/pending.sql"),
    },
    Question {
        name: "donors",
        about: "what each person gave over all providers; personal data",
        sql: include_str!("questions/donors.sql"),
    },
];

/// The clock, as the questions ask for it.
const NOW: &str = "now()";

/// The question with that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Question> {
    ALL.iter().find(|question| question.name == name)
}

/// The statements for `DuckDB` that answer a question about a dataset, as things stood at `as_of` (RFC 3339; else now).
///
/// # Errors
/// When the time is none.
pub fn query(question: &Question, dataset: &Dataset, as_of: Option<&str>) -> Result<String> {
    let sql = match as_of {
        None => question.sql.to_owned(),
        Some(text) => question.sql.replace(NOW, &instant(text)?),
    };
    let view = duckdb_view(&Table::default(), dataset, "CREATE OR REPLACE TEMP VIEW")?;
    Ok(format!("{view}{};\n", sql.trim_end()))
}

/// The questions as views over `table`.
#[must_use]
pub fn views(table: &Table) -> String {
    let view =
        |question: &Question| format!("\nCREATE OR REPLACE VIEW {} AS\n{};\n", question.name, question.sql.trim_end());
    let prelude: String = postgres_prelude().lines().map(|line| format!("--   {line}\n")).collect();
    format!(
        "-- Questions as views over the table or view `{table}` of `paynorm load-script`, for DuckDB and PostgreSQL.\n\
         -- In PostgreSQL, once before:\n{prelude}{}",
        ALL.iter().map(view).collect::<String>()
    )
}

/// What `PostgreSQL` lacks: the type of large whole numbers and their division.
#[must_use]
pub fn postgres_prelude() -> &'static str {
    "CREATE DOMAIN hugeint AS numeric(38, 0);\n\
     CREATE OPERATOR // (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = div);\n"
}

/// A time as a literal.
fn instant(text: &str) -> Result<String> {
    let hint = "hint: such as 2024-01-31 or 2024-01-31T12:00:00Z";
    let time = WrittenTime::parse(text, Zone::Utc).with_context(|| format!("--as-of {text:?} is no time\n  {hint}"))?;
    Ok(format!("TIMESTAMPTZ {}", Dialect::DuckDb.text(&time.instant.to_string())))
}
