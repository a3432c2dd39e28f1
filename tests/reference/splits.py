#!/usr/bin/env python3
"""splits.py PAYNORM DUMPS [--rounds N] [--seed N]: reads the dumps in one run, and N times split at random into runs in
any order with `--mode merge`; DuckDB compares the rows, the quarantine lines and the manifest's facts are compared
here. At the end of each round all dumps are given again, which must change nothing."""

import argparse
import hashlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import duckdb


def normalize(program, dumps, base, out, *flags):
    line = [program, "normalize", *dumps, "--base", base, "--out", out, "--quiet", *flags]
    done = subprocess.run([str(part) for part in line], capture_output=True, text=True)
    if done.returncode not in (0, 3):
        sys.exit(f"exit code {done.returncode}: {done.stderr}")


def missing(one, other):
    """How many rows of the one dataset are not in the other."""
    rows = "SELECT * EXCLUDE (feed, month) FROM read_parquet('{}/**/*.parquet', hive_partitioning = true)"
    query = f"SELECT count(*) FROM ({rows.format(one)} EXCEPT ALL {rows.format(other)})"
    return duckdb.sql(query).fetchall()[0][0]


def facts(lake):
    """The quarantine in no order, and what the manifest says beside names and digests of files."""
    lines = sorted((lake / "_paynorm/quarantine.jsonl").read_text().splitlines())
    manifest = json.loads((lake / "_paynorm/manifest.json").read_text())
    return lines, [manifest[name] for name in ("rows", "quarantined", "duplicates", "dumps")]


def digests(lake):
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in lake.rglob("*") if path.is_file()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paynorm")
    parser.add_argument("dumps", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dumps = sorted(path for path in options.dumps.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory() as work:
        whole = pathlib.Path(work) / "whole"
        normalize(options.paynorm, dumps, options.dumps, whole)
        expected = facts(whole)
        if not expected[1][2]:
            sys.exit("the dumps have no duplicates, so the splits would show little")
        for number in range(options.rounds):
            dice = random.Random(options.seed + number)
            order = dice.sample(dumps, len(dumps))
            cuts = sorted(dice.sample(range(1, len(order)), min(dice.randint(1, 5), len(order) - 1)))
            split = pathlib.Path(work) / f"split-{number}"
            for start, end in zip([0, *cuts], [*cuts, len(order)]):
                normalize(options.paynorm, order[start:end], options.dumps, split, "--mode", "merge")
            lost, new = missing(whole, split), missing(split, whole)
            same = facts(split) == expected
            print(f"{len(cuts) + 1} runs: {expected[1][0]} rows, {lost} missing, {new} too many, facts {'same' if same else 'differ'}")
            if lost or new or not same:
                sys.exit(1)
            before = digests(split)
            normalize(options.paynorm, dumps, options.dumps, split, "--mode", "merge")
            if digests(split) != before:
                sys.exit("what is known already changed the dataset")


if __name__ == "__main__":
    main()
