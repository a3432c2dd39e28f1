#!/usr/bin/env bash
# Runs the release binary on disks that are full, mounted, of another kind, or lose their power; disks.py tells how.
# Flags are those of disks.py, such as --cuts 300. Power cuts need root and loop devices.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked --bin paynorm --example generate
target=${CARGO_TARGET_DIR:-target}/release
python3 tests/disks.py "$target/paynorm" "$target/examples/generate" "$@"
