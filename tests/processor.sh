#!/usr/bin/env bash
# Runs the release binary on processors that qemu imitates: the last without AVX2 gets a message, the first with it works.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(uname -m)" = x86_64 ] || exit 0
cargo build --release --locked --bin paynorm
on() { qemu-x86_64 -cpu "$1" "${CARGO_TARGET_DIR:-target}/release/paynorm" --version 2>&1; }

code=0
said=$(on IvyBridge) || code=$?
[ "$code" = 1 ] && grep -q '^error: this build of paynorm needs a processor with AVX2' <<<"$said" || {
    printf 'without AVX2: exit code %s, and\n%s\n' "$code" "$said"
    exit 1
}
on Haswell | grep '^paynorm '
