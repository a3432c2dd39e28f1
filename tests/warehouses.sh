#!/usr/bin/env bash
# Loads datasets into the engines that run here, by what `paynorm load-script` prints, and compares what each one sees:
# DuckDB, PostgreSQL, ClickHouse (chDB), Spark, Polars and pyarrow. With --update, writes the output of the questions into
# docs/questions.md; else it must be there as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

# What is not there is installed: PostgreSQL's server, and a Java for Spark.
missing=()
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
command -v java >/dev/null || missing+=(openjdk-17-jre-headless)
if [ ${#missing[@]} -gt 0 ]; then
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update --quiet
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --quiet --no-install-recommends "${missing[@]}"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The server runs as somebody else when we are root, and must find its directory.
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0 duckdb-cli==1.5.6 pyarrow==26.0.1 \
    polars==2.1.0 chdb==4.4.0 pyspark==4.3.0 sqlglot==30.30.0 dbt-core==1.11.16 dbt-duckdb==1.10.1
cargo build --release --locked --bin paynorm --example generate
target=${CARGO_TARGET_DIR:-target}/release
PATH="$work/venv/bin:$PATH" "$work/venv/bin/python" tests/warehouses.py --paynorm "$target/paynorm" \
    --generate "$target/examples/generate" --work "$work" "$@"
