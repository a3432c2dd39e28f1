#!/usr/bin/env bash
# Kills runs of the release binary before every system call that changes the disk, lets each such call fail, and kills
# runs at random times; then looks at what is left. Flags are those of kill.py, such as --kills 1000.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked --bin paynorm --example generate
target=${CARGO_TARGET_DIR:-target}/release
python3 tests/kill.py "$target/paynorm" "$target/examples/generate" --self-test > /dev/null
python3 tests/kill.py "$target/paynorm" "$target/examples/generate" "$@"
