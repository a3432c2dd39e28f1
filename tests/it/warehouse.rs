//! Through the real binary: tables, load scripts and questions are what `tests/golden/warehouse` has, and say no when they
//! must. That engines take them is tested by `tests/warehouses.sh`.
//!
//! `UPDATE_GOLDEN=1 cargo test warehouse` writes what the program prints now; read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use paynorm::model::columns::COLUMNS;
use paynorm::warehouse::{Dialect, Table, questions};

use crate::harness::{Place, good};

#[test]
fn tables_are_as_told() {
    let place = Place::new();
    for dialect in Dialect::ALL {
        let run = place.run(&["schema", "--format", "ddl", "--dialect", dialect.name()]).exits(0);
        for column in COLUMNS {
            let declared = format!("    {} ", column.name);
            let lines = run.stdout.lines().filter(|line| line.starts_with(&declared));
            assert_eq!(lines.count(), 1, "{} in {dialect}", column.name);
            let doc = column.doc.split('\'').next().unwrap();
            assert!(run.stdout.contains(doc), "the meaning of {} in {dialect}", column.name);
        }
        assert!(!run.stdout.to_ascii_lowercase().contains("double"), "{dialect}");
        is_golden(&golden().join(format!("ddl/{}.sql", dialect.name())), &run.stdout);
    }
    let run = place.run(&["schema", "--format", "dbt", "--table", "finance.transactions"]).exits(0);
    is_golden(&golden().join("dbt.yml"), &run.stdout);
}

#[test]
fn load_scripts_are_as_told() {
    let place = lake(&[]);
    for dialect in Dialect::ALL {
        let run = load(&place, *dialect, &["--table", "finance.transactions"]).exits(0);
        let run_id = place.manifest()["run_id"].as_str().unwrap().to_owned();
        assert!(run.stdout.contains(&run_id));
        is_golden(&golden().join(format!("load/{}.sql", dialect.name())), &run.stdout.replace(&run_id, "RUN"));
    }
}

#[test]
fn levels_are_those_of_the_dataset() {
    let place = lake(&["--partition-by", "none"]);
    for dialect in Dialect::ALL {
        let script = load(&place, *dialect, &["--table", "a.b"]).exits(0).stdout;
        for word in ["feed", "month=", "PARTITION COLUMNS", "PARTITIONED", "partitioned_by", "REPAIR"] {
            assert!(!script.contains(word), "{dialect}: {word} in {script}");
        }
    }
    let place = lake(&["--partition-by", "year,day"]);
    for (dialect, expected) in [
        (Dialect::BigQuery, "WITH PARTITION COLUMNS (year INT64, day DATE)"),
        (Dialect::ClickHouse, "lake/year=*/day=*/*.parquet"),
        (Dialect::Databricks, "lake/year=*/day=*/*.parquet"),
        (Dialect::DuckDb, "hive_types = {year: SMALLINT, day: DATE}"),
        (Dialect::Postgres, "lake/year=*/day=*/*.parquet"),
        (Dialect::Redshift, "lake/year='"),
        (Dialect::Spark, "PARTITIONED BY (year, day)"),
        (Dialect::Trino, "partitioned_by = ARRAY['year', 'day']"),
    ] {
        let script = load(&place, dialect, &["--table", "a.b"]).exits(0).stdout;
        assert!(script.contains(expected), "{dialect}: {script}");
    }
}

#[test]
fn paths_are_quoted() {
    let place = Place::with(&[("d.json", good("a").as_bytes())]);
    let hostile = "it's \"a\" $(x) `y` [z]; -- \n#%";
    place.run(&["normalize", "in", "--out", hostile]).exits(0);
    for (dialect, expected) in [
        (Dialect::DuckDb, "it''s \"a\" $(x) `y` [[]z]; -- \n#%/feed=*/month=*/*.parquet'"),
        // First as a literal of DuckDB, then as an argument of psql; the shell sees a variable.
        (Dialect::Postgres, "it''''s \"a\" $(x) `y` [[]z]; -- \\n#%/feed=*/month=*/*.parquet''"),
        (Dialect::ClickHouse, "it\\'s \"a\" $(x) `y` [z]; -- \\n#%/feed=*/month=*/*.parquet'"),
        (Dialect::Spark, "it\\'s \"a\" $(x) `y` [z]; -- \\n#%'"),
    ] {
        let script = place.run(&["load-script", hostile, "--dialect", dialect.name()]).exits(0).stdout;
        assert!(script.contains(expected), "{dialect}: {script}");
    }
    for (name, dialect) in [("la*ke", "clickhouse"), ("la\\ke", "duckdb"), ("la\\ke", "postgres")] {
        place.run(&["normalize", "in", "--out", name, "--mode", "replace"]).exits(0);
        let run = place.run(&["load-script", name, "--dialect", dialect]).exits(2);
        assert!(run.stderr.contains("rename the directory"), "{}", run.stderr);
    }
}

#[test]
fn a_dataset_with_repeated_keys_declares_none() {
    for (flags, expected) in [(&[][..], true), (&["--keep-duplicates"], false)] {
        let place = lake(flags);
        for dialect in
            [Dialect::BigQuery, Dialect::Databricks, Dialect::Postgres, Dialect::Redshift, Dialect::Snowflake]
        {
            let script = load(&place, dialect, &[]).exits(0).stdout;
            assert_eq!(script.contains("PRIMARY KEY"), expected, "{dialect}");
        }
    }
}

#[test]
fn what_can_not_be_printed_is_refused() {
    let place = lake(&[]);
    let long = "a".repeat(51);
    for arguments in [
        &["schema", "--format", "ddl"][..],
        &["schema", "--format", "ddl", "--dialect", "oracle"],
        &["schema", "--format", "ddl", "--dialect", "duckdb", "--table", "a;b"],
        &["schema", "--format", "dbt", "--table", &long],
        &["load-script", "lake"],
        &["load-script", "absent", "--dialect", "duckdb"],
        &["load-script", "in", "--dialect", "duckdb"],
        &["load-script", "lake", "--dialect", "bigquery"],
        &["load-script", "lake", "--dialect", "bigquery", "--location", "s3://bucket/lake"],
        &["load-script", "lake", "--dialect", "redshift", "--location", "s3://bucket/l'ake"],
        &["load-script", "lake", "--dialect", "duckdb", "--location", "lake"],
        &["load-script", "lake", "--dialect", "trino", "--location", "s3://bucket/lake"],
        &["query", "lake", "profit"],
        &["query", "absent", "fees"],
        &["query", "lake", "pending", "--as-of", "yesterday"],
    ] {
        let run = place.run(arguments).exits(2);
        assert_eq!(run.stdout, "", "{arguments:?}");
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
    place.write("lake/_paynorm/manifest.json", b"{}");
    place.run(&["load-script", "lake", "--dialect", "duckdb"]).exits(1);
}

#[test]
fn questions_are_asked_of_the_dataset() {
    let place = lake(&[]);
    for question in questions::ALL {
        let run = place.run(&["query", "lake", question.name]).exits(0);
        let lake = fs::canonicalize(place.lake()).unwrap();
        assert!(run.stdout.contains(&format!("'{}/feed=*/month=*/*.parquet'", lake.display())), "{}", run.stdout);
        assert!(run.stdout.contains(question.sql.trim_end()), "{}", run.stdout);
    }
    let run = place.run(&["query", "lake", "pending", "--as-of", "2024-01-31T01:00:00+01:00"]).exits(0);
    assert_eq!(run.stdout.matches("TIMESTAMPTZ '2024-01-31T00:00:00.000000Z'").count(), 2, "{}", run.stdout);
    assert!(!run.stdout.contains("now()"));
}

#[test]
fn the_views_of_the_docs_are_the_questions() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    is_golden(&docs.join("views.sql"), &questions::views(&Table::default()));
    let text = fs::read_to_string(docs.join("questions.md")).unwrap();
    for question in questions::ALL {
        assert!(text.contains(&format!("\n## `{}`", question.name)), "{} is not in questions.md", question.name);
    }
}

/// A dataset of three transactions at `lake`.
fn lake(flags: &[&str]) -> Place {
    let place = Place::with(&[("d.json", format!("[{},{},{}]", good("a"), good("b"), good("c")).as_bytes())]);
    place.normalize(flags).exits(0);
    place
}

fn load(place: &Place, dialect: Dialect, flags: &[&str]) -> crate::harness::Run {
    let url = match dialect {
        Dialect::BigQuery => "gs://bucket/lake",
        _ => "s3://bucket/lake/",
    };
    let arguments = ["load-script", "lake", "--dialect", dialect.name(), "--location", url];
    place.run(&[&arguments[..], flags].concat())
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/warehouse")
}

#[track_caller]
fn is_golden(path: &Path, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(text == expected, "{} is not what is printed now:\n{text}", path.display());
}
