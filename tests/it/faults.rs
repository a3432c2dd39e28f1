//! What the world does to a run: limits of the system, outputs that can't be written, signals, two runs at once, and
//! compressed dumps that are cut or damaged at any place. `tests/kill.sh` has what takes longer.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::harness::{Place, data_files, digests, good, gzip, rows, zstd};

const MERGE: [&str; 6] = ["normalize", "in", "--out", "lake", "--mode", "merge"];

/// The binary, started in `place` by a shell that first does `what`.
fn after(what: &str, place: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{what} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_paynorm")]);
    command.args(arguments).current_dir(place).stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn exits(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{}: {stderr}", output.status);
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

/// Good records of `days` days, one a day.
fn daily(days: u32, amount: u32) -> String {
    let record = |day: u32| {
        good(&day.to_string())
            .replace("1422566591", &(1_422_566_591 + day * 86_400).to_string())
            .replace("\"amount\":2", &format!("\"amount\":{amount}"))
    };
    (0..days).map(|day| record(day) + "\n").collect()
}

#[test]
fn sixty_four_open_files_are_enough_for_thousands_of_partitions() {
    let place = Place::with(&[("a", daily(2000, 2).as_bytes())]);
    let by_day = ["--partition-by", "feed,day"];
    exits(&after("ulimit -n 64", place.path(), &[&MERGE[..], &by_day].concat()), 0);
    assert_eq!(data_files(&place.lake()).len(), 2000);
    // Every second row is replaced.
    let some: String = daily(2000, 3).lines().step_by(2).map(|line| line.to_owned() + "\n").collect();
    place.write("in/b", some.as_bytes());
    exits(&after("ulimit -n 64", place.path(), &MERGE), 0);
    let merge = &place.report()["merge"];
    assert_eq!((&merge["files_kept"], &merge["files_rewritten"]), (&1000.into(), &1000.into()));
    assert_eq!((data_files(&place.lake()).len(), place.rows().len()), (2000, 2000));
    assert_eq!(place.names(), ["in", "lake"]);
}

#[test]
fn a_limit_of_the_size_of_files_fails_the_run_and_nothing_is_left() {
    let place = Place::with(&[("a", daily(300, 2).as_bytes())]);
    for blocks in [0, 1, 8, 16] {
        let limit = format!("ulimit -f {blocks}");
        let stderr = exits(&after(&limit, place.path(), &MERGE), 1);
        assert!(stderr.starts_with("error: "), "{stderr}");
        assert_eq!(place.names(), ["in"], "{limit}");
    }
    place.normalize(&[]).exits(0);
    let before = digests(&place.lake());
    place.write("in/b", daily(400, 3).as_bytes());
    for mode in ["merge", "replace"] {
        let arguments = ["normalize", "in", "--out", "lake", "--mode", mode];
        exits(&after("ulimit -f 16", place.path(), &arguments), 1);
        assert_eq!((digests(&place.lake()), place.names()), (before.clone(), vec!["in".to_owned(), "lake".to_owned()]));
    }
}

#[test]
fn a_limit_of_the_size_of_files_fails_the_run_where_its_signal_is_ignored() {
    let place = Place::with(&[("a", daily(300, 2).as_bytes())]);
    for blocks in [0, 1, 8, 16] {
        let limit = format!("trap '' XFSZ && ulimit -f {blocks}");
        let stderr = exits(&after(&limit, place.path(), &MERGE), 1);
        assert!(stderr.starts_with("error: "), "{stderr}");
        assert_eq!(place.names(), ["in"], "{limit}");
    }
}

#[test]
fn an_output_that_cannot_be_written_fails_before_anything_is_read() {
    let place = Place::with(&[("a", b"no dump")]);
    let closed = place.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();
    for mode in ["create", "replace", "merge"] {
        for out in ["closed/lake", "/proc/lake", "in/a/lake"] {
            if out.starts_with("closed") && geteuid().is_root() {
                println!("skipped: root may write everywhere");
                continue;
            }
            let run = place.run(&["normalize", "in", "--out", out, "--mode", mode]);
            assert!(run.code == 1 || run.code == 2, "{out}: {}", run.code);
            assert!(run.stderr.contains(out.rsplit_once('/').unwrap().0), "{out}: {}", run.stderr);
            assert_eq!(place.names(), ["closed", "in"]);
        }
    }
}

#[test]
fn a_full_standard_output_is_no_failure() {
    let place = Place::with(&[("a", good("1").as_bytes())]);
    for (number, redirection) in
        ["exec >/dev/full", "exec >&-", "exec >/dev/full 2>&1", "exec >&- 2>&-"].iter().enumerate()
    {
        place.write("in/a", good(&number.to_string()).as_bytes());
        for mode in ["merge", "replace"] {
            for flag in [&["--json"][..], &[]] {
                let arguments = [&["normalize", "in", "--out", "lake", "--mode", mode], flag].concat();
                let stderr = exits(&after(redirection, place.path(), &arguments), 0);
                assert_eq!(stderr.contains("warning"), *redirection == "exec >/dev/full", "{redirection}: {stderr}");
                assert_eq!((place.rows().len(), place.names().len()), (place.rows().len().max(1), 2));
            }
        }
    }
}

/// Waits until a run works in `place`: then it listens for signals and holds the lock.
fn wait_for(place: &Place, name: &str) {
    while !place.path().join(".lake.paynorm").join(name).exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A run that waits for standard input.
fn waiting(place: &Place, mode: &str) -> (Child, ChildStdin) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paynorm"));
    command.args(["normalize", "in", "-", "--out", "lake", "--mode", mode]).current_dir(place.path());
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    wait_for(place, "standard-input");
    let input = child.stdin.take().unwrap();
    (child, input)
}

/// A dataset of one dump, and another dump that is not in it yet.
fn one_more_to_come() -> Place {
    let place = Place::with(&[("a", good("1").as_bytes())]);
    place.normalize(&[]).exits(0);
    place.write("in/b", good("2").as_bytes());
    place
}

#[test]
fn a_merge_that_is_interrupted_changes_nothing() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let place = one_more_to_come();
        let before = digests(&place.lake());
        let (child, input) = waiting(&place, "merge");
        let start = Instant::now();
        kill_process(Pid::from_child(&child), signal).unwrap();
        exits(&child.wait_with_output().unwrap(), code);
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        drop(input);
        assert_eq!((digests(&place.lake()), place.names()), (before, vec!["in".to_owned(), "lake".to_owned()]));
    }
}

#[test]
fn a_merge_that_is_interrupted_at_work_stops_soon() {
    let place = one_more_to_come();
    let text: String = (0..150_000).map(|number| good(&number.to_string()) + "\n").collect();
    place.write("in/large", text.as_bytes());
    let before = digests(&place.lake());
    for milliseconds in [0, 400, 1200] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paynorm"));
        let command = command.args(MERGE).current_dir(place.path()).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&place, "snapshot");
        std::thread::sleep(Duration::from_millis(milliseconds));
        let start = Instant::now();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert_eq!(place.names(), ["in", "lake"]);
        if output.status.code() == Some(0) {
            return;
        }
        exits(&output, 143);
        assert_eq!(digests(&place.lake()), before);
    }
}

#[test]
fn a_merge_that_is_interrupted_while_it_checks_what_is_there_stops_soon() {
    let (large, size) = ("feed=atpay/month=2015-01/part-large.parquet", 24 << 30);
    let place = one_more_to_come();
    // A file with a hole takes no room, and is long to read.
    File::create(place.lake().join(large)).unwrap().set_len(size).unwrap();
    let mut manifest = place.manifest();
    let mut file = manifest["files"][0].clone();
    (file["path"], file["bytes"]) = (large.into(), size.into());
    manifest["files"].as_array_mut().unwrap().push(file);
    place.write("lake/_paynorm/manifest.json", manifest.to_string().as_bytes());
    let mut command = Command::new(env!("CARGO_BIN_EXE_paynorm"));
    let command = command.args(MERGE).current_dir(place.path()).stdin(Stdio::null());
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&place, "snapshot");
    std::thread::sleep(Duration::from_millis(500));
    let start = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    exits(&child.wait_with_output().unwrap(), 143);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn of_two_runs_one_is_refused_at_once_and_the_other_goes_on() {
    for (first, second) in [("replace", "merge"), ("merge", "replace"), ("merge", "merge")] {
        let place = one_more_to_come();
        let before = digests(&place.lake());
        let (child, mut input) = waiting(&place, first);
        let start = Instant::now();
        let run = place.run(&["normalize", "in", "--out", "lake", "--mode", second]).exits(4);
        assert!(start.elapsed() < Duration::from_secs(2) && run.stderr.contains("another run"), "{}", run.stderr);
        assert_eq!((digests(&place.lake()), place.names().len()), (before, 3));
        input.write_all(good("3").as_bytes()).unwrap();
        drop(input);
        exits(&child.wait_with_output().unwrap(), 0);
        assert_eq!((place.rows().len(), place.names().len()), (3, 2));
    }
}

#[test]
fn a_merge_that_is_killed_leaves_no_lock_and_the_next_one_gives_the_same_bytes() {
    let (undisturbed, place) = (one_more_to_come(), one_more_to_come());
    undisturbed.run(&MERGE).exits(0);
    let before = digests(&place.lake());
    for mode in ["merge", "replace"] {
        let (mut child, input) = waiting(&place, mode);
        kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        drop(input);
        assert_eq!((digests(&place.lake()), place.names().len()), (before.clone(), 3));
        place.write(".lake.paynorm/snapshot/feed=atpay/part-left-00000.parquet", b"left");
        place.write(".lake.paynorm/spill/rows-0", b"left");
    }
    place.run(&MERGE).exits(0);
    assert_eq!(digests(&place.lake()), digests(&undisturbed.lake()));
    assert_eq!(place.names(), ["in", "lake"]);
}

#[test]
fn the_quarantine_is_for_its_owner_alone_whatever_the_umask() {
    let bad = |id: &str| good(id).replace("\"status\"", "\"amount\":1,\"status\"");
    let place = Place::with(&[("a", bad("1").as_bytes())]);
    for (name, mode) in [("b", "merge"), ("c", "replace"), ("d", "merge")] {
        exits(&after("umask 0", place.path(), &["normalize", "in", "--out", "lake", "--mode", mode]), 3);
        let mode = |path: &str| fs::metadata(place.lake().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("_paynorm"), mode("_paynorm/quarantine.jsonl")), (0o700, 0o600));
        place.write(&format!("in/{name}"), bad(name).as_bytes());
    }
}

/// Every way to cut a dump, and every way to flip one bit of it, by name.
fn damaged(name: &str, stored: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let cuts = (0..stored.len()).map(|length| (format!("{name}-cut-at-{length}"), stored[..length].to_vec()));
    let flips = (0..stored.len() * 8).map(|bit| {
        let mut stored = stored.to_vec();
        stored[bit / 8] ^= 1 << (bit % 8);
        (format!("{name}-byte-{}-bit-{}", bit / 8, bit % 8), stored)
    });
    cuts.chain(flips).collect()
}

#[test]
fn a_compressed_dump_that_is_damaged_anywhere_is_refused_whole_or_read_whole() {
    let text: String = (0..6_u64).map(|id| good(&(id * 982_451_653 % 1_000_003).to_string()) + "\n").collect();
    let place = Place::with(&[("whole", text.as_bytes())]);
    let dumps: BTreeMap<_, _> = [("gzip", gzip(text.as_bytes())), ("zstd", zstd(text.as_bytes()))]
        .iter()
        .flat_map(|(name, stored)| damaged(name, stored))
        .collect();
    for (name, stored) in &dumps {
        place.write(&format!("in/{name}"), stored);
    }
    place.normalize(&["--keep-duplicates", "--quiet"]).exits(3);
    let mut read: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows(&place.lake()) {
        read.entry(row.text("source_file").to_owned()).or_default().push(row.unplaced().to_string());
    }
    let whole = read.remove("whole").unwrap();
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for reject in place.rejects() {
        *refused.entry(reject["source_file"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(whole.len(), 6);
    for (name, stored) in &dumps {
        match read.get(name) {
            Some(rows) => assert!(*rows == whole && !refused.contains_key(name), "{name}: {} rows", rows.len()),
            // Nothing is there where nothing was; what has lost its mark is no compressed dump, but text.
            None => assert_eq!(refused.contains_key(name), !stored.is_empty(), "{name}"),
        }
    }
    assert!(read.len() > 10 && read.len() < 200 && dumps.len() > 2000, "{} of {}", read.len(), dumps.len());
}
