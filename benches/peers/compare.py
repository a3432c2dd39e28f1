"""Times paynorm and its peers on the same dumps, round by round, and prints a Markdown table.

Every run is a fresh process, and a round runs each program once, so that what disturbs the machine disturbs all of
them. Time and memory are what the kernel counted for the process. The outputs of the last round are compared by
check.py, in another process: a child's peak memory is never less than its parent's, so this one stays small.
"""

import argparse
import importlib.metadata
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
MB = 1_000_000

# Each peer's script with its own arguments, and its name with the version that is installed.
PEERS = {
    "duckdb": ("DuckDB {duckdb}", ["duckdb_normalize.py"]),
    "duckdb-read-json": ("DuckDB {duckdb}, pages by `read_json`", ["duckdb_normalize.py", "--pages", "read_json"]),
    "polars": ("Polars {polars}", ["polars_normalize.py"]),
    "chdb": ("ClickHouse {chdb-core} (chDB {chdb})", ["chdb_normalize.py"]),
}
PACKAGES = ["duckdb", "polars", "chdb", "chdb-core"]
# Reads NDJSON as the other one does.
ONLY_ENVELOPES = {"duckdb-read-json"}


def generate(options, shape):
    """Dumps of a shape, kept for the next run."""
    folder = options.work / f"dumps-{shape}-{options.size}-{options.order}"
    if not folder.exists():
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        flags = ["--size", options.size, "--shape", shape, "--order", options.order]
        subprocess.run([options.release / "examples" / "generate", unfinished, *flags], check=True, stdout=sys.stderr)
        unfinished.rename(folder)
    return folder


def warm(folder):
    """Brings all dumps into the page cache."""
    for path in folder.glob("*/*"):
        with path.open("rb") as file:
            while file.read(MB):
                pass


def command(program, options, dumps, out, shape):
    """How a program is started."""
    threads = ["--threads", str(options.threads)]
    if program == "paynorm":
        return [options.release / "paynorm", "normalize", dumps, "--out", out, *threads, "--quiet"]
    script, *more = PEERS[program][1]
    return [sys.executable, HERE / script, dumps, out, shape, *threads, *more]


def measure(arguments):
    """Wall seconds, user and system seconds, and peak memory of one process."""
    os.sync()
    start = time.perf_counter()
    process = subprocess.Popen(arguments)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"exit code {process.returncode} of {' '.join(map(str, arguments))}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def compare(options, shape):
    """All rounds of a shape: the measurements of every program; the outputs of the last round stay."""
    dumps = generate(options, shape)
    warm(dumps)
    programs = ["paynorm", *(name for name in options.peers if shape == "envelope" or name not in ONLY_ENVELOPES)]
    figures = {program: [] for program in programs}
    for number in range(options.rounds):
        for program in programs:
            out = options.work / "out" / shape / program
            shutil.rmtree(out, ignore_errors=True)
            out.parent.mkdir(parents=True, exist_ok=True)
            figures[program].append(measure(command(program, options, dumps, out, shape)))
            print(f"{shape} round {number + 1}: {program} {figures[program][-1][0]:.2f} s", file=sys.stderr)
    return figures


def check(options, shape, programs):
    """The rows of every output, after what they hold has been compared; ends all when something differs."""
    outputs = [options.work / "out" / shape / program for program in programs]
    result = subprocess.run([sys.executable, HERE / "check.py", *outputs], stdout=subprocess.PIPE, text=True)
    if result.returncode != 0:
        sys.exit(f"{shape}: the outputs are not the same")
    return dict(zip(programs, map(int, result.stdout.split())))


def data_bytes(folder):
    return sum(path.stat().st_size for path in folder.glob("feed=*/*/*.parquet"))


def print_table(options, shape, figures, rows):
    """One line for each program: medians, and the median of the ratios of each round."""
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    for program, runs in figures.items():
        name = PEERS[program][0].format_map(versions) if program in PEERS else program
        wall, cpu, memory = (statistics.median(column) for column in zip(*runs))
        ratio = statistics.median(run[0] / ours[0] for run, ours in zip(runs, figures["paynorm"]))
        written = data_bytes(options.work / "out" / shape / program)
        print(
            f"| {shape} | {name} | {wall:.2f} s | {cpu:.2f} s | {memory / MB:.0f} MB | {written / MB:.1f} MB "
            f"| {rows[program]:,} | {ratio:.2f} |"
        )


def main():
    parser = argparse.ArgumentParser(description="compare paynorm with other programs on the same dumps")
    parser.add_argument("--release", type=pathlib.Path, required=True, help="where paynorm was built")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="where dumps and outputs go")
    parser.add_argument("--size", default="1GB", help="of the dumps of each shape")
    order = "of the records' times: anywhere, which is the hardest, or ascending with the files"
    parser.add_argument("--order", choices=["random", "time"], default="random", help=order)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shapes", nargs="+", choices=["ndjson", "envelope"], default=["ndjson", "envelope"])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    options = parser.parse_args()
    options.work = options.work.absolute()
    figures = {shape: compare(options, shape) for shape in options.shapes}
    rows = {shape: check(options, shape, figures[shape]) for shape in options.shapes}
    print(f"{options.size} of dumps, times {options.order}, {options.threads} threads, medians of {options.rounds} rounds:\n")
    print("| input | program | wall | user + system | peak memory | output | rows | wall / paynorm's |")
    print("|---|---|---|---|---|---|---|---|")
    for shape in options.shapes:
        print_table(options, shape, figures[shape], rows[shape])
    shutil.rmtree(options.work / "out")


if __name__ == "__main__":
    main()
