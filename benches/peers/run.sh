#!/usr/bin/env bash
# Measures paynorm beside DuckDB, Polars and ClickHouse on the same dumps and prints a table; README.md says how.
# Flags are those of compare.py: --size 1GB, --order random, --rounds 5, --threads 2, --shapes, --peers.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
work=$target/peers
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    duckdb==2.0.0 polars==2.1.0 chdb==4.4.0
cargo build --quiet --release --locked --bin paynorm --example generate
exec "$work/venv/bin/python" benches/peers/compare.py --release "$target/release" --work "$work" "$@"
