#!/usr/bin/env bash
# Looks at report.html in a browser: a dataset of merges, a replay and a compaction, with a quarantine and hostile names.
# Where a directory is given, pictures and the printed page are put there, to be looked at.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v chromium >/dev/null; then
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update --quiet
    $as_root apt-get install -y --quiet --no-install-recommends chromium fonts-dejavu-core
fi
cargo build --release --locked --bin paynorm --example generate
paynorm=${CARGO_TARGET_DIR:-target}/release/paynorm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# run CODE ARGUMENTS...: paynorm must exit with one of the codes.
run() {
    local codes=$1 code=0
    shift
    "$paynorm" "$@" || code=$?
    [[ " $codes " == *" $code "* ]] || { echo "paynorm $* ended with $code"; exit 1; }
}

cp -r samples "$work/in"
mkdir "$work/later"
mkdir "$work/last"
mv "$work"/in/paydata "$work"/in/atpay "$work/later"
hostile="$work/last/\"><img src=x onerror=document.title=1><script>document.title=1<"$'\xe2\x80\xae'"gnp.json"
printf '{"id":"h","timestamp":1422566591,"offer_name":"o","amount":2,"net_amount":1,"status":"<b>","<svg onload=x>":1}' >"$hostile"
local_time='{"id":"l","amount":"1","job":1,"team":2,"state":1,"timestamp":"2024-03-31T02:30:00"}'
printf '%s' "$local_time" >"$work/in/local.json"
run "0 3" normalize "$work/in" --base "$work/in" --out "$work/lake" --timezone spacivox=Europe/Zurich --quiet
run "0 3" normalize "$work/later" --base "$work/later" --out "$work/lake" --mode merge --quiet
run "0 3" normalize "$work/last" --base "$work/last" --out "$work/lake" --mode merge --quiet
run "0 3" replay "$work/lake" --timezone spacivox=UTC --quiet
run 0 compact "$work/lake" --quiet
run 0 verify "$work/lake" --json >"$work/verified.json"
page=$("$paynorm" report "$work/lake")
run 0 report "$work/lake" --out "$work/again.html" >/dev/null
cmp "$page" "$work/again.html"
python3 tests/report.py --self-test "$page" "$work/verified.json"
python3 tests/report.py "$page" "$work/verified.json" ${1:+--pictures "$1"}
