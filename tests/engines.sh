#!/usr/bin/env bash
# Writes datasets with the release binary and lets others say whether they are right: an independent implementation of
# the mapping in Python computes every row, and DuckDB and pyarrow read back what was written.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0 pyarrow==26.0.1 zstandard
python="$work/venv/bin/python"
cargo build --release --locked --bin paynorm --example generate
paynorm=target/release/paynorm

# check NAME INPUT...: one run, compared with the reference row by row, then read back; 3 means some are quarantined.
check() {
    local name=$1 code=0
    shift
    echo "-- $name"
    "$paynorm" normalize "$@" --out "$work/$name" --threads 2 --quiet || code=$?
    [ "$code" = 0 ] || [ "$code" = 3 ]
    "$python" tests/reference/reference.py "$@" --out "$work/$name.rows" --rejects "$work/$name.rejects"
    "$python" tests/reference/compare.py "$work/$name" "$work/$name.rows" "$work/$name.rejects"
    "$python" tests/reference/readback.py "$work/$name" | tail -3
    code=0
    "$paynorm" normalize "$@" --out "$work/$name-1" --threads 1 --quiet || code=$?
    diff -r "$work/$name" "$work/$name-1"
}

(cd tests/reference && "$python" -m unittest --quiet selftest selftest_tools)
check samples samples/*/
target/release/examples/generate "$work/mixed" --records 40000 --shape mixed --months 6 --order random \
    --bad 20 --duplicates 30 --unknown-words 10
check generated "$work/mixed"
echo "-- splits"
"$python" tests/reference/splits.py "$paynorm" "$work/mixed"
