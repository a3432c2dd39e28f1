#!/usr/bin/env bash
# Fuzzes: fuzz/run.sh [TARGET|all] [SECONDS]. Stops at the first thing that is found; the input is then in
# fuzz/artifacts/TARGET. Needs a C++ compiler, and cargo-fuzz, which it installs where it is missing.
set -euo pipefail
cd "$(dirname "$0")"

target=${1:-all}
seconds=${2:-60}

command -v cargo-fuzz >/dev/null || cargo install --locked --quiet cargo-fuzz

# Puts standard input into the corpus of a target, named by its content.
seed() {
    local file
    file=$(mktemp)
    cat >"$file"
    mv "$file" "corpus/$1/$(cksum <"$file" | tr ' ' -)"
}

# Seeds are pieces of the samples; each target says what it takes its first bytes for.
seeds() {
    mkdir -p "corpus/$1"
    case $1 in
    scanner) for file in ../samples/*/*.*json; do { printf '\6\50\0\62' && cat "$file"; } | seed "$1"; done ;;
    record) for file in ../samples/*/*.*json; do seed "$1" <"$file"; done
        cat ../samples/*/*.ndjson | while IFS= read -r line; do printf %s "$line" | seed "$1"; done ;;
    money) numbers | while IFS= read -r number; do printf %s "$number" | seed "$1"; done ;;
    time) { numbers && times; } | while IFS= read -r time; do printf '\0\1%s' "$time" | seed "$1"; done ;;
    esac
}

numbers() { grep -ohE -e '-?[0-9][-+0-9.eE]*' ../samples/*/*.*json | sort -u; }
times() { grep -ohE '"[0-9]{4}-[^"]*"' ../samples/*/*.*json | tr -d '"' | sort -u; }

fuzz() {
    local longest=4096
    case $1 in
    money | time) longest=64 ;;
    pipeline) longest=1024 ;;
    esac
    seeds "$1"
    # Without a sanitizer it runs on stable Rust; what is looked for is wrong answers, panics and hangs, and we have no
    # unsafe code. Without traces of comparisons it runs twice as fast; seeds bring the words that these would find.
    cargo fuzz run --sanitizer none --no-trace-compares "$1" -- \
        -max_len="$longest" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1
}

if [ "$target" = all ]; then
    for file in fuzz_targets/*.rs; do
        fuzz "$(basename "$file" .rs)"
    done
else
    fuzz "$target"
fi
