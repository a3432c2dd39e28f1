#!/usr/bin/env python3
"""Runs paynorm on disks that are full, mounted, of another kind, or lose their power, and looks at what is left.

    full         the output is on a tmpfs that is full at another moment of each run
    mount point  the output is itself a mount point
    no exchange  the file system can't exchange two directories (renameat2 fails, by strace)
    power cut    the output is on an ext4 image; at random times every thread of the run is stopped and the image is
                 copied, which is what a power cut at that moment leaves; the copy is mounted, so that its journal is
                 replayed. A run that said it succeeded must be in every copy made after that

The dataset must be the old one or the new one, byte by byte, and the next normal run must give the bytes of a run that
nobody disturbed. The first three need root or user namespaces, the last one root and loop devices; what can't be done
here is named. `--self-test` cuts the power of runs whose syncs do nothing, and fails unless that is found.
"""

import argparse
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import kill

MB = 1 << 20


def sh(*command, **more):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, **more)


class Mounted:
    """A file system at `place` while the block lasts."""

    def __init__(self, place, *arguments):
        self.place, self.arguments = place, arguments

    def __enter__(self):
        self.place.mkdir(exist_ok=True)
        sh("mount", *self.arguments, self.place)
        return self.place

    def __exit__(self, *_):
        sh("umount", self.place)


class Run:
    """A merge that changes a dataset, with all that must come of it."""

    def __init__(self, program, work, dumps, old):
        self.program, self.dumps, self.old_directory = program, dumps, old
        reference = work / "reference"
        shutil.copytree(old, reference / "lake")
        done = self.go(reference)
        if done.returncode != 3:
            sys.exit(f"an undisturbed run ended with {done.returncode}: {done.stderr}")
        self.old, self.new = kill.snapshot(old), kill.snapshot(reference / "lake")
        self.size = sum(path.stat().st_size for path in (reference / "lake").rglob("*") if path.is_file())

    def command(self, place):
        return [self.program, "normalize", self.dumps, "--out", place / "lake", "--mode", "merge", "--quiet"]

    def go(self, place, *before):
        return subprocess.run([*before, *self.command(place)], capture_output=True, text=True)

    def state(self, place):
        found = kill.snapshot(place / "lake")
        return {True: "old", False: "broken"}[found == self.old] if found != self.new else "new"

    def next_run(self, place):
        """What is wrong with the next run."""
        done = self.go(place)
        if done.returncode not in (0, 3):
            return f"the next run ended with {done.returncode}: {done.stderr.strip()}"
        names = sorted(name for name in os.listdir(place) if name != "lost+found")
        return None if self.state(place) == "new" and names == ["lake"] else f"the next run left {names}"


class Tally(kill.Tally):
    def expect(self, shown, found, expected):
        if found not in expected:
            self.wrong(f"{shown}: {found}, expected {' or '.join(map(str, expected))}")

    def next_run(self, run, place, shown):
        wrong = run.next_run(place)
        if wrong:
            self.wrong(f"{shown}: {wrong}")


def full(run, work, rounds):
    """Fills the disk at another moment of each run."""
    tally = Tally("full")
    place = work / "full"
    least = sum(path.stat().st_size for path in run.old_directory.rglob("*") if path.is_file())
    for number in range(rounds):
        # From no room at all to nearly what a run needs.
        size = least + 256 * 1024 + (run.size + MB // 2) * number // rounds
        with Mounted(place, "-t", "tmpfs", "-o", f"size={size}", "none"):
            shutil.copytree(run.old_directory, place / "lake")
            done = run.go(place)
            shown = f"{size} bytes"
            if done.returncode == 3:
                tally.expect(shown, run.state(place), ["new"])
            else:
                tally.expect(f"{shown}, exit code", done.returncode, [1])
                tally.expect(shown, run.state(place), ["old"])
                tally.expect(f"{shown}, beside it", os.listdir(place), [["lake"]])
                if "No space left on device" not in done.stderr or "panicked" in done.stderr:
                    tally.wrong(f"{shown}: {done.stderr.strip()}")
            tally.counts[run.state(place)] += 1
            sh("mount", "-o", "remount,size=1g", place)
            tally.next_run(run, place, shown)
    if not tally.counts["old"]:
        tally.wrong("the disk was never full")
    return tally.done()


def mount_point(run, work):
    """The output can't be exchanged, as something is mounted there."""
    tally = Tally("mount point")
    place = work / "mounted"
    (place / "lake").mkdir(parents=True)
    with Mounted(place / "lake", "-t", "tmpfs", "none"):
        shutil.copytree(run.old_directory, place / "lake", dirs_exist_ok=True)
        done = run.go(place)
        tally.expect("exit code", done.returncode, [1])
        tally.expect("dataset", run.state(place), ["old"])
        tally.expect("beside it", os.listdir(place), [["lake"]])
        if "mount point" not in done.stderr:
            tally.wrong(done.stderr.strip())
        tally.counts["old"] += 1
    return tally.done()


def no_exchange(run, work):
    """The file system knows no flags of a rename."""
    tally = Tally("no exchange")
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e", "inject=renameat2:error=EINVAL"]
    place = work / "plain"
    shutil.copytree(run.old_directory, place / "lake")
    done = run.go(place, *strace)
    tally.expect("exit code over a dataset", done.returncode, [1])
    tally.expect("dataset", run.state(place), ["old"])
    tally.expect("beside it", os.listdir(place), [["lake"]])
    if "can't exchange" not in done.stderr:
        tally.wrong(done.stderr.strip())
    tally.counts["old"] += 1
    tally.next_run(run, place, "over a dataset")
    empty = work / "empty"
    empty.mkdir()
    tally.expect("exit code where nothing is", run.go(empty, *strace).returncode, [3])
    tally.expect("beside it", os.listdir(empty), [["lake"]])
    sh(run.program, "verify", empty / "lake")
    tally.counts["new"] += 1
    return tally.done()


class Stopped:
    """A run that is stopped while the block lasts."""

    def __init__(self, run):
        self.run = run

    def __enter__(self):
        os.kill(self.run.pid, kill.signal.SIGSTOP)
        states = [""]
        while any(state not in "TtZX" for state in states):
            # A thread that waits for the disk stops when that is done.
            time.sleep(0.001)
            tasks = pathlib.Path(f"/proc/{self.run.pid}/task").glob("*/stat")
            try:
                states = [task.read_text().rpartition(")")[2].split()[0] for task in tasks] or ["X"]
            except (FileNotFoundError, ProcessLookupError):
                continue

    def __exit__(self, *_):
        os.kill(self.run.pid, kill.signal.SIGCONT)


def power_cut(run, work, cuts, seed, before=()):
    """Cuts the power at random times of a run, and once after it."""
    tally = Tally("power cut" if not before else "power cut without syncs")
    place, image, copy = work / "disk", work / "image", work / "copy"
    dice = random.Random(seed)
    seconds = 0.0
    for number in range(cuts):
        with open(image, "wb") as file:
            file.truncate(max(64 * MB, 4 * run.size))
        sh("mkfs.ext4", "-q", "-F", image)
        with Mounted(place, "-o", "loop", image):
            shutil.copytree(run.old_directory, place / "lake")
            os.sync()
            start = time.monotonic()
            going = subprocess.Popen([*before, *run.command(place)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            # Every third time, after it has ended.
            ended = number % 3 == 0
            if not ended:
                time.sleep(dice.uniform(0, seconds * 1.05))
                ended = going.poll() is not None
            if ended:
                code = going.wait()
                if code != 3:
                    tally.wrong(f"a run ended with {code}: {going.stderr.read().decode().strip()}")
                seconds = time.monotonic() - start
                sh("cp", "--sparse=always", image, copy)
            else:
                with Stopped(going):
                    sh("cp", "--sparse=always", image, copy)
            shown = f"cut {number + 1}, {'after the run' if ended else 'in it'}"
            going.wait()
            going.stderr.close()
        with Mounted(place, "-o", "loop", copy):
            state = run.state(place)
            tally.counts[f"{state} {'after the run' if ended else 'in it'}"] += 1
            tally.expect(shown, state, ["new"] if ended else ["old", "new"])
            if state != "broken":
                tally.next_run(run, place, shown)
    return tally.done()


def possible(*command):
    return subprocess.run(command, capture_output=True).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paynorm", help="the program")
    parser.add_argument("generate", help="the generator of dumps")
    parser.add_argument("--rounds", type=int, default=20, help="how many sizes of a full disk are tried [20]")
    parser.add_argument("--cuts", type=int, default=30, help="how many times the power is cut [30]")
    parser.add_argument("--seed", type=int, default=1, help="of the random times [1]")
    parser.add_argument("--self-test", action="store_true", help="cut the power of runs that must be found wrong")
    options = parser.parse_args()
    if "PAYNORM_TEST_MOUNTS" not in os.environ:
        unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
        if not possible(*unshare, "true"):
            print("not run: full, mount point, no exchange and power cut need root or user namespaces")
            return 0
        os.environ["PAYNORM_TEST_MOUNTS"] = "private"
        os.execvp(unshare[0], [*unshare, sys.executable, __file__, *sys.argv[1:]])
    program = os.path.abspath(options.paynorm)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(os.path.realpath(work))
        merge = next(s for s in kill.make(work, "large", options.generate, program, 20_000, 1000) if s.name == "merge")
        run = Run(program, work, merge.dumps, merge.old_directory)
        loops = os.path.exists("/dev/loop-control") and possible("losetup", "--find") and bool(shutil.which("mkfs.ext4"))
        if options.self_test:
            lies = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:retval=0"]
            if not loops:
                sys.exit("the self-test needs root and loop devices")
            if not power_cut(run, work, 4, options.seed, lies):
                sys.exit("self-test: that nothing was synced was not found")
            print("self-test: that nothing was synced was found")
            return 0
        violations = full(run, work, options.rounds) + mount_point(run, work) + no_exchange(run, work)
        if loops:
            violations += power_cut(run, work, options.cuts, options.seed)
        else:
            print("not run: power cut, which needs root, loop devices and mkfs.ext4")
    print(f"{violations} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
