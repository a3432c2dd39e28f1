//! The dataset as a source of dbt: descriptions of every column, and tests of what the schema promises.
//!
//! The tests are those that dbt has by itself, so the file needs no package. The key is two columns; their names together
//! are tested as one text, which is safe as no name of a source holds a slash.

use super::{KEY, Table, about, about_table};
use crate::model::columns::{COLUMNS, Column};
use crate::model::vocabulary::{AmountCheck, Classification, State};
use crate::sources;

/// The source file, as YAML.
#[must_use]
pub fn dbt(table: &Table) -> String {
    let [source, id] = KEY;
    let columns: String = COLUMNS.iter().map(column).collect();
    let schema = table.schema().map(|schema| format!("    schema: {schema}\n")).unwrap_or_default();
    format!(
        "version: 2\n\nsources:\n  - name: paynorm\n{schema}    description: {}\n    tables:\n      - name: {}\n        \
         description: {}\n        data_tests:\n          - unique:\n              name: paynorm_key_is_unique\n              \
         arguments:\n                column_name: \"{source} || '/' || {id}\"\n        columns:\n{columns}",
        text("Transactions of payment APIs, normalized by paynorm"),
        table.last(),
        text(&about_table()),
    )
}

fn column(column: &Column) -> String {
    let mut lines = vec![format!("- name: {}", column.name), format!("  description: {}", text(&about(column)))];
    lines.push(format!("  data_type: {}", text(column.kind.name())));
    if column.personal {
        lines.push("  config:".to_owned());
        lines.push("    tags: [personal_data]".to_owned());
    }
    let accepted = accepted(column.name);
    if !column.nullable || accepted.is_some() {
        lines.push("  data_tests:".to_owned());
    }
    if !column.nullable {
        lines.push("    - not_null".to_owned());
    }
    if let Some(values) = accepted {
        lines.push("    - accepted_values:".to_owned());
        lines.push("        arguments:".to_owned());
        lines.push(format!("          values: [{}]", values.join(", ")));
    }
    lines.iter().map(|line| format!("          {line}\n")).collect()
}

/// The words that a column may hold, where they are a closed list.
fn accepted(name: &str) -> Option<Vec<&'static str>> {
    match name {
        "source" => Some(sources::ALL.iter().map(|source| source.name()).collect()),
        "amount_check" => Some(AmountCheck::ALL.iter().map(|word| word.as_str()).collect()),
        "classification" => Some(Classification::ALL.iter().map(|word| word.as_str()).collect()),
        "state" => Some(State::ALL.iter().map(|word| word.as_str()).collect()),
        _ => None,
    }
}

/// A text as YAML reads it, which is how JSON writes it.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closed_lists_are_of_columns_that_there_are() {
        let listed: Vec<_> = COLUMNS.iter().filter(|column| accepted(column.name).is_some()).map(|c| c.name).collect();
        assert_eq!(listed, ["source", "amount_check", "classification", "state"]);
    }
}
