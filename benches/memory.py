#!/usr/bin/env python3
"""Peak memory of paynorm (maximum resident set, as wait4 tells it) over inputs that try to make it grow.

    cargo build --release --bin paynorm --example generate
    benches/memory.py target/release                    # the whole: 10 GB inputs, needs 45 GB of disk
    benches/memory.py target/release --scale 0.01       # a quick look
    benches/memory.py target/release --only tiny record

Inputs are generated into a temporary directory and removed case by case. Every run has the default `--memory 512MB`; one
beyond the limit fails the command.
"""

import argparse
import base64
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

LIMIT = 512_000_000
GB = 1_000_000_000


def generate(*flags):
    def make(tools, place, scale):
        sized = [str(max(1, int(flag * scale))) if isinstance(flag, int) else flag for flag in flags]
        subprocess.run([tools / "examples/generate", place, *sized], check=True, stdout=subprocess.DEVNULL)

    return make


def record(tools, place, scale):
    """Records just below the limit of 64 MiB, of text that hardly compresses, between others and without any between them."""
    line = b'{"id":"%d","timestamp":1422566591,"offer_name":"%s","amount":2,"net_amount":1,"status":"Successful"}\n'
    place.mkdir()
    with open(place / "large.ndjson", "wb") as file:
        for number in range(6):
            file.write(line % (number, b"o" * 10 if number % 3 == 0 else base64.b64encode(os.urandom(48 << 20))[200:]))


CASES = {
    "pages": ("10 GB in pages of 5,000 records", generate("--size", 10 * GB, "--shape", "envelope"), []),
    "line": ("10 GB in one array on one line", generate("--size", 10 * GB, "--shape", "single-array", "--sources", "paydata"), []),
    "random": ("10 GB of NDJSON, times at random", generate("--size", 10 * GB, "--order", "random"), []),
    "twice": ("10 GB, half of them records that came before", generate("--size", 10 * GB, "--duplicates", "500"), []),
    "daily": (
        "1 GB over ten years, partitioned by day",
        generate("--size", GB, "--months", "120", "--order", "random"),
        ["--partition-by", "feed,day"],
    ),
    "tiny": ("100,000 dumps of 5 records", generate("--records", 500_000, "--dump-records", "5"), []),
    "record": ("records of 64 MiB", record, []),
}


def measure(command, place):
    """Exit code, peak memory in bytes, seconds of processor time and of the clock."""
    start = time.monotonic()
    # No run may have more than 64 files open.
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    process = subprocess.Popen(command, cwd=place, preexec_fn=limit)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", type=pathlib.Path, help="the folder of the built program")
    parser.add_argument("--scale", type=float, default=1.0, help="of the inputs [1]")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--threads", default="2")
    options = parser.parse_args()
    tools = options.tools.resolve()
    print("| input | threads | rows | peak memory | user + system | wall |\n|---|---|---|---|---|---|", flush=True)
    beyond = False
    for name in options.only:
        about, make, flags = CASES[name]
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as work:
            work = pathlib.Path(work)
            make(tools, work / "in", options.scale)
            command = [tools / "paynorm", "normalize", "in", "--out", "lake", "--quiet", "--threads", options.threads, *flags]
            code, memory, busy, wall = measure([str(part) for part in command], work)
            if code not in (0, 3):
                sys.exit(f"{about}: exit code {code}")
            rows = json.loads((work / "lake/_paynorm/manifest.json").read_text())["rows"]
            print(f"| {about} | {options.threads} | {rows:,} | {memory / 1e6:.0f} MB | {busy:.1f} s | {wall:.1f} s |", flush=True)
            beyond |= memory > LIMIT
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
