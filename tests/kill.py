#!/usr/bin/env python3
"""Disturbs runs of paynorm and looks at what they leave.

Each run that creates, replaces, merges or compacts is first traced undisturbed, which gives the list of its system
calls that change the disk. Then, run by run, each of these calls

    is not reached, as the run is killed (kill -9) before it, or
    fails with ENOSPC, EIO or EDQUOT;

and runs over a larger input are killed at random times. After each, the dataset must be the old one or the new one,
byte by byte; a run that says it failed must have left the old one and nothing beside it; and the next normal run must
give the bytes of a run that nobody disturbed, with nothing beside it either.

strace makes the faults. `--self-test` disturbs a program that writes where readers look, and fails unless that is
found.
"""

import argparse
import collections
import concurrent.futures
import errno
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TRACED = (
    "openat,creat,write,pwrite64,writev,copy_file_range,sendfile,ftruncate,fallocate,fsync,fdatasync,sync_file_range,"
    "close,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir"
)
REMOVES = {"unlink", "unlinkat", "rmdir"}
# What tells whether bytes came to the disk.
SYNCS = {"fsync", "fdatasync", "sync_file_range", "close"}
CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)")
# What -y shows behind a descriptor, or a path as it was given.
PATH = re.compile(r'\d<(/[^>]*)>|"((?:[^"\\]|\\.)*)"')

Site = collections.namedtuple("Site", "call path number")


class Scenario:
    """A kind of run: from the dataset `old` (or none) to `new`, both by file name."""

    def __init__(self, name, place, dumps, old):
        self.name, self.place, self.old_directory = name, place, old
        self.lake = place / "lake"
        self.dumps = dumps
        self.old = snapshot(old) if old else None

    def command(self, program, mode=None, *more):
        if self.name == "compact":
            return [*program, "compact", self.lake, "--quiet", *more]
        return [*program, "normalize", self.dumps, "--out", self.lake, "--mode", mode or self.name, "--quiet", *more]

    def prepare(self):
        """Puts the old dataset where the run will find it."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        if self.old_directory:
            shutil.copytree(self.old_directory, self.lake)

    def learn(self, program):
        """Runs undisturbed, to know the new dataset, the exit code and the time it takes."""
        self.prepare()
        start = time.monotonic()
        done = subprocess.run(self.command(program), capture_output=True, text=True)
        self.seconds = time.monotonic() - start
        if done.returncode not in (0, 3) or self.beside():
            sys.exit(f"{self.name}: an undisturbed run ended with {done.returncode}: {done.stderr}{self.beside()}")
        self.code, self.new = done.returncode, snapshot(self.lake)
        if self.new == self.old:
            sys.exit(f"{self.name}: the run changes nothing, so nothing would be tested")

    def beside(self):
        return sorted(name for name in os.listdir(self.place) if name != "lake")

    def state(self):
        """`old`, `new`, or what is wrong."""
        found = snapshot(self.lake) if self.lake.exists() else None
        if found in (self.old, self.new):
            return "old" if found == self.old else "new"
        if found is None:
            return "nothing is there"
        wrong = [name for name in self.new.keys() | found.keys() if self.new.get(name) != found.get(name)]
        return f"neither the old nor the new dataset; not as in the new one: {', '.join(sorted(wrong)[:3])}"

    def recover(self, program):
        """What is wrong with the next normal run."""
        mode = "merge" if self.name == "create" and self.lake.exists() else self.name
        was, start = self.state(), time.monotonic()
        done = subprocess.run(self.command(program, mode), capture_output=True, text=True)
        if was == "old":
            # How long a run takes now, as the machine may have other things to do.
            self.seconds = time.monotonic() - start
        if done.returncode not in (0, self.code):
            return f"the next run ended with {done.returncode}: {done.stderr.strip()}"
        if self.state() != "new":
            return f"after the next run: {self.state()}"
        return f"after the next run there is {self.beside()}" if self.beside() else None


def snapshot(directory):
    """Every file and directory with its mode and a digest of its bytes."""
    found = {}
    for path in directory.rglob("*"):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
        found[str(path.relative_to(directory))] = (path.stat().st_mode, content)
    return found


def strace(arguments, command):
    line = ["strace", "-f", "-qq", "-e", "signal=none", *arguments, *command]
    return subprocess.run(line, capture_output=True, text=True)


def sites(scenario, program):
    """The calls of a run that change the disk at or beside its output, thread by thread."""
    scenario.prepare()
    with tempfile.TemporaryDirectory() as logs:
        done = strace(["-ff", "-y", "-s", "0", "-o", f"{logs}/log", "-e", f"trace={TRACED}"],
                      scenario.command(program, None, "--threads", "1"))
        if done.returncode != scenario.code or scenario.state() != "new":
            sys.exit(f"tracing failed ({done.returncode}): {done.stderr}")
        found = []
        for log in sorted(pathlib.Path(logs).iterdir()):
            seen, written = collections.Counter(), set()
            for line in log.read_text(errors="surrogateescape").splitlines():
                call = CALL.search(line)
                if not call:
                    continue
                paths = [one or other for one, other in PATH.findall(call[2])]
                paths = [path for path in paths if path.startswith(str(scenario.place))]
                seen.update((call[1], path) for path in dict.fromkeys(paths))
                if not paths or (call[1] == "openat" and "O_CREAT" not in line and "O_TRUNC" not in line):
                    continue
                descriptor = call[2].split("<")[0]
                if call[1] in ("write", "pwrite64", "writev"):
                    written.add(descriptor)
                elif call[1] == "close":
                    if descriptor not in written:
                        continue
                    written.remove(descriptor)
                # Of two paths strace looks at the first of rename, and at both of the others.
                path = paths[0] if call[1] == "rename" else paths[-1]
                found.append(Site(call[1], path, seen[call[1], path]))
    return list(dict.fromkeys(found))


def disturb(scenario, program, site, what):
    """The run in which `what` happens at the call, and what strace tells of it."""
    with tempfile.NamedTemporaryFile("r", errors="surrogateescape") as log:
        inject = f"inject={site.call}:{what}:when={site.number}"
        arguments = ["-o", log.name, "-P", site.path, "-e", f"trace={site.call}", "-e", inject]
        scenario.prepare()
        return strace(arguments, scenario.command(program, None, "--threads", "1")), log.read()


class Tally:
    """Counts what was tried and prints a line of it."""

    def __init__(self, name):
        self.name, self.counts, self.violations = name, collections.Counter(), []

    def wrong(self, what):
        self.violations.append(what)
        print(f"VIOLATION {self.name}: {what}", flush=True)

    def check(self, scenario, program, shown, allowed, left_is_fine=True):
        state = scenario.state()
        if state not in allowed:
            self.wrong(f"{shown}: {state}, expected {' or '.join(allowed)}")
        if not left_is_fine and scenario.beside():
            self.wrong(f"{shown}: {scenario.beside()} is left beside the output")
        wrong = scenario.recover(program)
        if wrong:
            self.wrong(f"{shown}: {wrong}")
        self.counts[state if state in ("old", "new") else "broken"] += 1

    def done(self):
        counts = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        runs, violations = sum(self.counts.values()), len(self.violations)
        print(f"{self.name}: {runs} runs ({counts}), {violations} violations", flush=True)
        return violations


def kill_everywhere(scenario, program, found):
    """Kills a run before each call."""
    tally = Tally(f"{scenario.name}, killed before each of {len(found)} calls")
    for site in found:
        shown = show(site, scenario)
        for _ in range(3):
            done, _ = disturb(scenario, program, site, "signal=KILL")
            if done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
                break
        else:
            tally.wrong(f"{shown}: the run never came there")
        tally.check(scenario, program, shown, ("old", "new"))
    return tally.done()


def fail_everywhere(scenario, program, found, error):
    """Lets each call fail."""
    tally = Tally(f"{scenario.name}, each of {len(found)} calls fails with {error}")
    for site in found:
        shown = f"{show(site, scenario)} = {error}"
        done, log = disturb(scenario, program, site, f"error={error}")
        if "(INJECTED)" not in log:
            tally.wrong(f"{shown}: the run never came there")
        # What can't be removed is left.
        left_is_fine = site.call in REMOVES
        if done.returncode == 1:
            if "error: " not in done.stderr:
                tally.wrong(f"{shown}: exit code 1, and no word of it")
            tally.check(scenario, program, shown, ("old",), left_is_fine)
        elif done.returncode == scenario.code:
            if site.call in SYNCS:
                tally.wrong(f"{shown}: a failed sync was passed over")
            tally.check(scenario, program, shown, ("new",), left_is_fine)
        else:
            tally.wrong(f"{shown}: exit code {done.returncode}: {done.stderr.strip()}")
            tally.check(scenario, program, shown, ("old", "new"))
        if "panicked" in done.stderr:
            tally.wrong(f"{shown}: {done.stderr.strip()}")
    return tally.done()


def kill_at_random(scenario, program, kills, seed):
    """Kills runs at random times."""
    scenario.learn(program)
    dice = random.Random(f"{seed} {scenario.name}")
    tally = Tally(f"{scenario.name}, killed at random")
    for _ in range(kills):
        scenario.prepare()
        delay = dice.uniform(0, scenario.seconds * 1.1)
        run = subprocess.Popen(scenario.command(program), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        run.kill()
        ended = run.wait() == scenario.code
        tally.check(scenario, program, f"after {delay:.4f} s", ("new",) if ended else ("old", "new"), not ended)
    return tally.done()


def disturb_everywhere(scenario, program, errors, step=1):
    """Kills a run before each call, and lets each call fail in each way; tells how many violations there were."""
    scenario.learn(program)
    found = sites(scenario, program)[::step]
    return [kill_everywhere(scenario, program, found),
            *(fail_everywhere(scenario, program, found, error) for error in errors)]


def side_by_side(work, scenarios):
    """Works on all scenarios at once, as each waits for the disk most of the time."""
    with concurrent.futures.ThreadPoolExecutor(len(scenarios)) as pool:
        return list(pool.map(work, scenarios))


def show(site, scenario):
    return f"{site.call} {os.path.relpath(site.path, scenario.place)} number {site.number}"


def make(work, name, generate, program, records, dump_records):
    """The kinds of run over generated dumps: a third of them is in the old dataset, all are in the one to compact."""
    dumps, first = work / f"{name}-dumps", work / f"{name}-first"
    line = [generate, dumps, "--records", str(records), "--dump-records", str(dump_records), "--months", "3",
            "--sources", "atpay,paydata", "--order", "random", "--duplicates", "120", "--bad", "40"]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    for number, path in enumerate(sorted(dumps.rglob("*.ndjson"))):
        if number % 3 == 0:
            (first / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, first / path.parent.name)
    old, merged = work / f"{name}-old", work / f"{name}-merged"
    for source, dataset in ((first, old), (first, merged), (dumps, merged)):
        line = [program, "normalize", source, "--out", dataset, "--mode", "merge", "--json"]
        done = subprocess.run(line, capture_output=True, text=True)
        if done.returncode not in (0, 3):
            sys.exit(f"no dataset could be made: {done.stderr}")
    told = json.loads(done.stdout)["merge"]
    if not told["files_rewritten"] or (name == "small" and not told["files_kept"]):
        sys.exit(f"the {name} dumps do not try all that a merge does: {told}")
    scenarios = [("create", None), ("replace", old), ("merge", old), ("compact", merged)]
    return [Scenario(kind, work / f"{name}-{kind}", dumps, before) for kind, before in scenarios]


def sloppy(program, arguments):
    """What paynorm must not be: builds elsewhere, then writes where readers look."""
    lake = pathlib.Path(arguments[1] if arguments[0] == "compact" else arguments[arguments.index("--out") + 1])
    with tempfile.TemporaryDirectory() as elsewhere:
        built = pathlib.Path(elsewhere) / "lake"
        if lake.exists():
            shutil.copytree(lake, built)
        elsewhere_arguments = [str(built) if argument == str(lake) else argument for argument in arguments]
        code = subprocess.run([program, *elsewhere_arguments]).returncode
        if code in (0, 3):
            if lake.exists():
                shutil.rmtree(lake)
            shutil.copytree(built, lake)
    return code


def self_test(scenarios, program):
    """Whether the violations of the sloppy program are found."""
    program = [sys.executable, __file__, "--sloppy", *program]
    for found in side_by_side(lambda scenario: disturb_everywhere(scenario, program, ["ENOSPC"], 4), scenarios):
        if 0 in found:
            sys.exit("self-test: not all violations were found")
    print("self-test: violations of every kind were found")


def main():
    if sys.argv[1:2] == ["--sloppy"]:
        sys.exit(sloppy(sys.argv[2], sys.argv[3:]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paynorm", help="the program")
    parser.add_argument("generate", help="the generator of dumps")
    parser.add_argument("--kills", type=int, default=300, help="how many runs are killed at random [300]")
    parser.add_argument("--errors", default="ENOSPC,EIO,EDQUOT", help="with what calls fail [ENOSPC,EIO,EDQUOT]")
    parser.add_argument("--seed", type=int, default=1, help="of the random times [1]")
    parser.add_argument("--self-test", action="store_true", help="disturb a program that must be found wrong")
    options = parser.parse_args()
    errors = [error for error in options.errors.split(",") if error]
    if any(error not in errno.errorcode.values() for error in errors):
        parser.error(f"--errors {options.errors}: no names of errors")
    if not shutil.which("strace"):
        sys.exit("strace is needed: apt-get install strace")
    if strace(["-o", "/dev/null", "-e", "trace=none"], ["true"]).returncode:
        sys.exit("strace does not work here: is ptrace permitted?")
    program = [os.path.abspath(options.paynorm)]
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(os.path.realpath(work))
        small = make(work, "small", options.generate, program[0], 60, 10)
        if options.self_test:
            return self_test(small, program)
        large = make(work, "large", options.generate, program[0], 20_000, 1000)
        kills = -(-options.kills // len(large))
        violations = sum(sum(side_by_side(lambda scenario: disturb_everywhere(scenario, program, errors), small), []))
        violations += sum(side_by_side(lambda scenario: kill_at_random(scenario, program, kills, options.seed), large))
    print(f"{violations} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
