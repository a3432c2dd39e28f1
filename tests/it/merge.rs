//! `--mode merge`: any split of a set of dumps into runs comes to what one run over all of them comes to, what did not
//! change is not written again, and a dataset that is damaged is left as it is.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;

use crate::generate::dumps;
use crate::harness::{Place, Row, Run, cases, data_files, digests, files, good, gzip, parse, quarantine_lines, zstd};

const MERGE: &[&str] = &["--mode", "merge"];

impl Place {
    fn merge(&self, flags: &[&str]) -> Run {
        self.normalize(&[MERGE, flags].concat())
    }

    /// What a merge says of itself as JSON; it must exit with `code`.
    #[track_caller]
    fn merge_told(&self, code: i32) -> Value {
        parse(&self.merge(&["--json"]).exits(code).stdout)
    }
}

/// A booked transaction of paydata; `version` makes it newer, none leaves the time of change out.
fn booked(id: &str, month: u8, version: Option<u8>, value: u32) -> String {
    let modified = version.map(|day| format!(r#","lastModifiedAt":"2022-06-{day:02}T00:00:00Z""#)).unwrap_or_default();
    let gross = format!(r#"{{"currency":"EUR","value":{value}}}"#);
    format!(r#"{{"id":"{id}","bookingDate":"2021-{month:02}-10","gross":{gross}{modified}}}"#)
}

/// A record in a random dump; there are few ids, so most come again.
#[derive(Clone, Debug)]
struct Drawn {
    id: u8,
    month: u8,
    version: u8,
    value: u8,
    bad: bool,
}

impl Drawn {
    fn text(&self, source: usize) -> String {
        let Self { id, month, version, value, .. } = self;
        let day = format!("2021-{month:02}-{:02}", version + 1);
        let record = match source {
            0 => format!(
                r#"{{"id":"{id}","amount":"{value}","job":1,"state":{},"team":1,"timestamp":"{day}T01:02:03Z"}}"#,
                version % 4
            ),
            1 => format!(r#"{{"transactionGuid":"{id}","createdTs":"{day} 15:59:59 +0100","amount":{value}}}"#),
            2 => {
                let status = ["succeeded", "pending", "error"][usize::from(version % 3)];
                let completed = if *version > 3 { format!("\"{day}T02:00:00Z\"") } else { "null".to_owned() };
                let times = format!(r#""created":"{day}T00:00:00Z","completed":{completed}"#);
                format!(r#"{{"id":{id},"remote_id":"r","amount":{value},{times},"status":"{status}"}}"#)
            }
            3 => {
                let status = ["Successful", "Failed", "Pending"][usize::from(version % 3)];
                let time = 1_600_000_000 + u32::from(*month) * 2_600_000;
                let amounts = format!(r#""amount":{value},"net_amount":1"#);
                format!(r#"{{"id":"{id}","timestamp":{time},"offer_name":"o",{amounts},"status":"{status}"}}"#)
            }
            _ => booked(&id.to_string(), *month, (*version > 0).then_some(*version), u32::from(*value)),
        };
        if self.bad { format!("{},\"x\":1,\"x\":1}}", &record[..record.len() - 1]) } else { record }
    }
}

/// A random dump: of which source, in what shape, and in which run it is read.
#[derive(Clone, Debug)]
struct DrawnDump {
    source: usize,
    shape: u8,
    records: Vec<Drawn>,
    run: usize,
}

impl DrawnDump {
    /// No two dumps are of the same bytes, as `number` is in them.
    fn content(&self, number: usize) -> Vec<u8> {
        let records: Vec<String> = self.records.iter().map(|record| record.text(self.source)).collect();
        let text = match self.shape {
            0 => format!("[{}]", records.join(",")),
            _ => records.join("\n"),
        };
        let text = format!("{text}{}", "\n".repeat(number + 1)).into_bytes();
        match self.shape {
            2 => gzip(&text),
            3 => zstd(&text),
            4 => {
                let stored = gzip(&text);
                stored[..stored.len() - 4].to_vec()
            }
            _ => text,
        }
    }
}

fn drawn() -> impl Strategy<Value = Drawn> {
    (0..15_u8, 1..5_u8, 0..6_u8, 0..3_u8, prop::bool::weighted(0.04))
        .prop_map(|(id, month, version, value, bad)| Drawn { id, month, version, value, bad })
}

fn drawn_dump() -> impl Strategy<Value = DrawnDump> {
    let shape = prop_oneof![2 => Just(0_u8), 4 => Just(1), 2 => Just(2), 2 => Just(3), 1 => Just(4)];
    (0..5_usize, shape, prop::collection::vec(drawn(), 0..25), 0..4_usize)
        .prop_map(|(source, shape, records, run)| DrawnDump { source, shape, records, run })
}

/// What must not depend on how dumps are split into runs.
fn outcome(place: &Place) -> (Vec<String>, Vec<String>, BTreeMap<&'static str, Value>) {
    let mut rows: Vec<String> = place.rows().iter().map(ToString::to_string).collect();
    rows.sort_unstable();
    let mut lines = quarantine_lines(&place.lake());
    lines.sort_unstable();
    let manifest = place.manifest();
    let names = ["dumps", "rows", "quarantined", "duplicates", "partition_by", "keep_duplicates", "settings"];
    let mut facts: BTreeMap<_, _> = names.into_iter().map(|name| (name, manifest[name].clone())).collect();
    facts.insert("totals", fs::read_to_string(place.lake().join("_paynorm/totals.jsonl")).unwrap().into());
    (rows, lines, facts)
}

proptest! {
    #![proptest_config(cases(12))]

    /// `nightly` runs find the earlier dumps again, the others are given only new ones; settings are `told` to the first.
    #[test]
    fn any_split_comes_to_what_one_run_does(
        dumps in prop::collection::vec(drawn_dump(), 1..14),
        nightly: bool,
        keep_duplicates in prop::bool::weighted(0.2),
        told: bool,
        by in prop::sample::select(&["feed,month", "none", "year,feed", "day"][..]),
    ) {
        let (whole, split) = (Place::new(), Place::new());
        let mut flags = vec!["--base", "in", "--partition-by", by];
        flags.extend(keep_duplicates.then_some("--keep-duplicates"));
        let name = |number: usize| format!("in/{}/{number:02}", number % 3);
        for (number, dump) in dumps.iter().enumerate() {
            whole.write(&name(number), &dump.content(number));
        }
        let settings = ["--timezone", "paydata=Asia/Tokyo", "--currency", "spacivox=EUR"];
        let settings: &[&str] = if told { &settings } else { &[] };
        whole.normalize(&[&flags, settings].concat());
        for run in 0..4 {
            let new: Vec<usize> = (0..dumps.len()).filter(|&number| dumps[number].run == run).collect();
            for &number in &new {
                split.write(&name(number), &dumps[number].content(number));
            }
            let given: Vec<String> = if nightly { vec!["in".to_owned()] } else { new.into_iter().map(name).collect() };
            if given.is_empty() {
                continue;
            }
            let mut arguments = vec!["normalize", "--out", "lake", "--mode", "merge"];
            arguments.extend(given.iter().map(String::as_str));
            let settings = if split.lake().exists() { &[] } else { settings };
            let told = split.run(&[&arguments[..], &flags, settings].concat());
            prop_assert!(told.code == 0 || told.code == 3, "{}", told.stderr);
            prop_assert_eq!(split.names(), ["in", "lake"]);
        }
        if split.lake().exists() {
            // Totals that were carried on are those of the rows.
            split.run(&["verify", "lake"]).exits(0);
        }
        let (expected, found) = (outcome(&whole), outcome(&split));
        prop_assert_eq!(expected.0, found.0);
        prop_assert_eq!(expected.1, found.1);
        prop_assert_eq!(expected.2, found.2);
    }
}

#[test]
fn larger_dumps_of_every_shape_split_three_ways() {
    let (whole, split) = (Place::new(), Place::new());
    let dumps = dumps(20_000);
    for (name, content) in &dumps {
        whole.write(&format!("in/{name}"), content);
    }
    whole.normalize(&["--quiet"]).exits(3);
    for run in [2, 0, 1] {
        for (name, content) in dumps.iter().enumerate().filter(|(number, _)| number % 3 == run).map(|(_, dump)| dump) {
            split.write(&format!("in/{name}"), content);
        }
        split.merge(&["--quiet", "--base", "in"]).exits(3);
    }
    let (expected, found) = (outcome(&whole), outcome(&split));
    assert!(expected.0.len() > 1000 && expected.1.len() > 5);
    assert!(expected == found, "{:#?}\n{:#?}", expected.2, found.2);
}

/// Inode, time of change and content of every file.
fn state(lake: &Path) -> BTreeMap<String, (u64, i64, Vec<u8>)> {
    let facts = |(name, content): (String, Vec<u8>)| {
        let metadata = fs::metadata(lake.join(&name)).unwrap();
        (name, (metadata.ino(), metadata.mtime_nsec(), content))
    };
    files(lake).into_iter().map(facts).collect()
}

/// Two months of paydata and one of atpay, with a bad record.
fn three_partitions() -> Place {
    let paydata = [booked("1", 1, Some(1), 10), booked("2", 1, Some(1), 20), booked("3", 2, Some(1), 30)].join("\n");
    let atpay = format!("{}\n{}", good("1"), good("2").replace("\"id\":\"2\",", ""));
    let place = Place::with(&[("a", paydata.as_bytes()), ("b", atpay.as_bytes())]);
    place.merge(&[]).exits(3);
    place
}

/// `id month value` of every row, sorted.
fn shown(place: &Place) -> Vec<String> {
    let show = |row: &Row| format!("{} {} {}", row.id(), &row.text("occurred_at")[..7], row.text("gross_amount"));
    let mut shown: Vec<String> = place.rows().iter().map(show).collect();
    shown.sort_unstable();
    shown
}

#[test]
fn nothing_new_writes_nothing() {
    let place = three_partitions();
    let before = state(&place.lake());
    let run = place.merge(&[]).exits(0);
    assert!(run.stdout.contains("nothing new") && run.stdout.contains("2 dumps known"), "{}", run.stdout);
    fs::rename(place.path().join("in/a"), place.path().join("in/renamed")).unwrap();
    fs::copy(place.path().join("in/b"), place.path().join("in/copied")).unwrap();
    let told = place.merge_told(0);
    assert_eq!((&told["merge"]["known_dumps"], &told["read"]["dumps"]), (&3.into(), &0.into()));
    assert_eq!((&told["merge"]["rows_before"], &told["merge"]["files_kept"]), (&4.into(), &3.into()));
    assert_eq!((&told["dataset"]["rows"], &told["dataset"]["quarantined"]), (&4.into(), &1.into()));
    fs::remove_dir_all(place.path().join("in")).unwrap();
    fs::create_dir(place.path().join("in")).unwrap();
    place.merge(&[]).exits(0);
    assert_eq!(state(&place.lake()), before);
    assert_eq!(place.names(), ["in", "lake"]);
}

#[test]
fn a_dump_that_nobody_told_is_read_again_when_its_source_is_named() {
    let plain = |id: usize| format!(r#"{{"id":"{id}","timestamp":1422566591,"amount":2,"status":"Successful"}}"#);
    // A list of more than 1 MiB is not kept in the quarantine, so a replay can't try it.
    let list = format!("[{}]", (0..20_000).map(plain).collect::<Vec<_>>().join(","));
    let place =
        Place::with(&[("list", list.as_bytes()), ("line", plain(7).as_bytes()), ("good", good("1").as_bytes())]);
    place.merge(&[]).exits(3);
    assert_eq!((place.rows().len(), place.rejects().len()), (1, 2));
    let run = place.merge(&["--source", "atpay=li[sz]t"]).exits(0);
    assert!(run.stdout.contains("2 dumps known"), "{}", run.stdout);
    assert_eq!((place.rows().len(), place.rejects().len()), (20_000, 1), "`1` is in the list too");
    place.run(&["verify", "lake"]).exits(0);
    // What a replay takes in first is not read again.
    place.run(&["replay", "lake", "--source", "atpay"]).exits(0);
    let run = place.merge(&["--source", "atpay"]).exits(0);
    assert!(run.stdout.contains("nothing new"), "{}", run.stdout);
    assert_eq!((place.rows().len(), place.rejects().len()), (20_000, 0));
    place.run(&["verify", "lake"]).exits(0);
}

#[test]
fn large_texts_survive_merges_and_compaction() {
    let large = |id: &str, letter: &str, amount: u32| {
        let name = letter.repeat((2 << 20) + 7);
        good(id)
            .replace("\"offer_name\":\"", &format!("\"offer_name\":\"{name}"))
            .replace("\"amount\":2", &format!("\"amount\":{amount}"))
    };
    let place = Place::with(&[("a", [large("1", "a", 2), large("2", "é", 2), good("3")].join("\n").as_bytes())]);
    place.merge(&[]).exits(0);
    place.write("in/b", [large("1", "c", 5), good("4")].join("\n").as_bytes());
    place.merge(&[]).exits(0);
    place.run(&["compact", "lake"]).exits(0);
    place.run(&["verify", "lake"]).exits(0);
    let rows = place.rows();
    let mut found: Vec<_> = rows.iter().map(|row| (row.id(), row.text("description"))).collect();
    found.sort_unstable();
    let texts = ["c", "é"].map(|letter| letter.repeat((2 << 20) + 7) + "o");
    // An assertion would print megabytes.
    assert!(found == [("1", &*texts[0]), ("2", &*texts[1]), ("3", "o"), ("4", "o")]);
}

#[test]
fn a_changed_dump_is_read() {
    let place = three_partitions();
    place.write("in/a", [booked("2", 1, Some(2), 21), booked("4", 2, None, 40)].join("\n").as_bytes());
    let told = place.merge_told(0);
    assert_eq!((&told["merge"]["known_dumps"], &told["read"]["dumps"]), (&1.into(), &1.into()));
    let expected = ["1 2015-01 2.0000", "1 2021-01 10.0000", "2 2021-01 21.0000", "3 2021-02 30.0000"];
    assert_eq!(shown(&place), [&expected[..], &["4 2021-02 40.0000"]].concat());
    assert_eq!(place.manifest()["dumps"].as_array().unwrap().len(), 3, "both contents of a are in");
}

#[test]
fn a_changed_record_at_its_old_place_wins() {
    // Sources without a time of change: only the run tells which one is newer.
    let place = Place::with(&[("a", good("1").as_bytes())]);
    place.merge(&[]).exits(0);
    place.write("in/a", good("1").replace("\"amount\":2", "\"amount\":7").as_bytes());
    place.merge(&[]).exits(0);
    assert_eq!(shown(&place), ["1 2015-01 7.0000"]);
}

#[test]
fn a_changed_record_that_moved_forward_in_its_dump_wins() {
    let place = Place::with(&[("a", format!("{}\n{}", good("1"), good("2")).as_bytes())]);
    place.merge(&[]).exits(0);
    place.write("in/a", good("2").replace("\"amount\":2", "\"amount\":7").as_bytes());
    place.merge(&[]).exits(0);
    assert_eq!(shown(&place), ["1 2015-01 2.0000", "2 2015-01 7.0000"]);
}

#[test]
fn a_merge_compresses_as_the_dataset_does() {
    let place = Place::with(&[("a", good("1").as_bytes())]);
    place.normalize(&["--compression", "snappy"]).exits(0);
    place.write("in/b", good("2").as_bytes());
    let run = place.merge(&["--compression", "zstd"]).exits(2);
    assert!(run.stderr.contains("compressed with snappy, not with zstd"), "{}", run.stderr);
    place.merge(&[]).exits(0);
    assert_eq!((place.manifest()["compression"].as_str(), place.rows().len()), (Some("snappy"), 2));
    place.run(&["verify", "lake"]).exits(0);
}

#[test]
fn what_is_not_ours_in_a_dataset_is_never_removed() {
    for foreign in ["notes.txt", "feed=atpay/notes.txt", "_paynorm2", "feed=atpay/month=2015-01/other.parquet", "x=1/a"]
    {
        let place = Place::with(&[("a", good("1").as_bytes())]);
        place.merge(&[]).exits(0);
        place.write(&format!("lake/{foreign}"), b"mine");
        place.write("in/b", good("2").as_bytes());
        let before = state(&place.lake());
        let named = foreign.strip_suffix("/a").unwrap_or(foreign);
        for arguments in [
            &["normalize", "in", "--out", "lake", "--mode", "merge"][..],
            &["normalize", "in", "--out", "lake", "--mode", "replace"],
            &["replay", "lake"],
            &["compact", "lake"],
        ] {
            let run = place.run(arguments).exits(2);
            assert!(run.stderr.contains(named) && run.stderr.contains("move it"), "{}", run.stderr);
        }
        assert_eq!((state(&place.lake()), place.names()), (before, vec!["in".to_owned(), "lake".to_owned()]));
    }
}

#[test]
fn a_copy_of_a_dump_read_later_gives_the_rows_of_one_run_but_for_lineage() {
    let (whole, split) = (Place::new(), Place::new());
    for name in ["in/a", "in/b"] {
        whole.write(name, good("1").as_bytes());
        split.write(name, good("1").as_bytes());
        split.merge(&["--base", "in"]).exits(0);
    }
    whole.normalize(&[]).exits(0);
    // Known by content, the copy is skipped, so its path does not win the tie that it wins in one run.
    let unplaced = |place: &Place| place.rows().iter().map(Row::unplaced).collect::<Vec<_>>();
    assert_eq!(unplaced(&whole), unplaced(&split));
}

#[test]
fn files_without_replaced_rows_are_hard_links_and_others_are_not() {
    let place = three_partitions();
    let inodes = || state(&place.lake()).into_iter().map(|(name, facts)| (name, facts.0)).collect::<BTreeMap<_, _>>();
    let (before, names) = (inodes(), data_files(&place.lake()));
    let [atpay, january, february] = &names[..] else { panic!("{names:?}") };
    // One row of January is replaced, one moves from February to March.
    place.write("in/c", [booked("1", 1, Some(2), 11), booked("3", 3, Some(2), 31)].join("\n").as_bytes());
    let told = &place.merge_told(0)["merge"];
    let after = inodes();
    assert_eq!(after.get(atpay), before.get(atpay), "the same file");
    for replaced in [january, february] {
        assert!(!after.contains_key(replaced) && !after.values().any(|inode| *inode == before[replaced]), "{replaced}");
    }
    let names = data_files(&place.lake());
    let months: Vec<&str> = names.iter().map(|name| name.split("/part-").next().unwrap()).collect();
    let [january, march] = ["feed=paydata/month=2021-01", "feed=paydata/month=2021-03"];
    assert_eq!(months, ["feed=atpay/month=2015-01", january, january, march], "none in February");
    let [rows, differing, kept, rewritten] =
        ["rows_before", "replaced_differing", "files_kept", "files_rewritten"].map(|name| told[name].as_u64().unwrap());
    assert_eq!((rows, differing, kept, rewritten), (4, 2, 1, 2));
    assert_eq!(shown(&place), ["1 2015-01 2.0000", "1 2021-01 11.0000", "2 2021-01 20.0000", "3 2021-03 31.0000"]);
}

#[test]
fn files_that_stay_are_what_they_were() {
    let place = three_partitions();
    let before = files(&place.lake());
    place.write("in/c", booked("9", 1, None, 1).as_bytes());
    place.merge(&[]).exits(0);
    let after = files(&place.lake());
    for name in before.keys().filter(|name| name.ends_with(".parquet")) {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert_eq!(data_files(&place.lake()).len(), 4);
}

#[test]
fn identical_and_differing_are_told_apart_across_runs() {
    let place =
        Place::with(&[("a", [1, 2, 3, 4].map(|id| booked(&id.to_string(), 1, None, id)).join("\n").as_bytes())]);
    place.merge(&[]).exits(0);
    // 1 comes again as it was, 2 differs, 3 comes twice, 4 stays, 5 is new.
    let again = [("1", 1), ("2", 22), ("3", 3), ("3", 33), ("5", 5)].map(|(id, value)| booked(id, 1, None, value));
    place.write("in/b", again.join("\n").as_bytes());
    let told = place.merge_told(0);
    let number = |group: &str, name: &str| told[group][name].as_u64().unwrap();
    assert_eq!((number("merge", "replaced_identical"), number("merge", "replaced_differing")), (1, 2));
    assert_eq!((number("records", "identical_duplicates"), number("records", "differing_duplicates")), (0, 1));
    assert_eq!((number("records", "seen"), number("records", "rows"), number("dataset", "rows")), (5, 4, 5));
    // Rows that come before those that are there, by the path of their dump: the new ones lose.
    place.write(
        "in/A",
        [("1", 1), ("2", 2), ("6", 6)].map(|(id, value)| booked(id, 1, None, value)).join("\n").as_bytes(),
    );
    let told = place.merge_told(0);
    let number = |group: &str, name: &str| told[group][name].as_u64().unwrap();
    assert_eq!((number("merge", "replaced_identical"), number("merge", "replaced_differing")), (0, 0));
    assert_eq!((number("records", "identical_duplicates"), number("records", "differing_duplicates")), (1, 1));
    assert_eq!((number("merge", "files_kept"), number("merge", "files_rewritten")), (2, 0));
    assert_eq!(number("dataset", "rows"), 6);
}

#[test]
fn a_merge_into_nothing_or_an_empty_directory_creates() {
    for empty in [false, true] {
        let place = Place::with(&[("a", good("1").as_bytes())]);
        let created = Place::with(&[("a", good("1").as_bytes())]);
        if empty {
            fs::create_dir(place.lake()).unwrap();
        }
        place.merge(&["--partition-by", "day"]).exits(0);
        created.normalize(&["--partition-by", "day"]).exits(0);
        assert_eq!(digests(&place.lake()), digests(&created.lake()));
    }
}

#[test]
fn what_is_no_dataset_is_left_alone() {
    let place = Place::with(&[("a", good("1").as_bytes())]);
    place.write("lake/notes.txt", b"mine");
    assert!(place.merge(&[]).exits(2).stderr.contains("no dataset of paynorm"));
    assert_eq!(files(&place.lake()).len(), 1);
    assert_eq!(place.names(), ["in", "lake"]);
}

#[test]
fn levels_and_duplicates_are_those_of_the_dataset() {
    for (first, refused, taken) in [
        (&["--partition-by", "feed,day"][..], &["--partition-by", "feed,month"][..], &[][..]),
        (&[], &["--partition-by", "month"], &["--partition-by", "feed,month"]),
        (&[], &["--keep-duplicates"], &[]),
        (&["--keep-duplicates"], &[], &["--keep-duplicates"]),
    ] {
        let place = Place::with(&[("a", good("1").as_bytes())]);
        place.merge(first).exits(0);
        place.write("in/b", good("1").replace("\"amount\":2", "\"amount\":3").as_bytes());
        let before = state(&place.lake());
        let run = place.merge(refused).exits(2);
        assert!(run.stderr.contains("--mode replace"), "{}", run.stderr);
        assert_eq!((state(&place.lake()), place.names()), (before, vec!["in".to_owned(), "lake".to_owned()]));
        place.merge(taken).exits(0);
        let kept = place.rows().len();
        assert_eq!(kept, if first == ["--keep-duplicates"] { 2 } else { 1 });
        let day = data_files(&place.lake()).iter().all(|name| name.starts_with("feed=atpay/day=2015-01-29/"));
        assert_eq!(day, first == ["--partition-by", "feed,day"]);
    }
}

/// Merges one more dump into a dataset of which the file was damaged; nothing may change, and the file is named.
#[track_caller]
fn refused(file: &str, damage: impl Fn(&mut Vec<u8>)) {
    let place = three_partitions();
    place.write("in/c", booked("1", 1, Some(2), 11).as_bytes());
    let path = place.lake().join(file);
    let mut content = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    damage(&mut content);
    if !content.is_empty() {
        fs::write(&path, content).unwrap();
    }
    let before = state(&place.lake());
    let run = place.merge(&[]).exits(1);
    assert!(run.stderr.contains(file) && !run.stderr.contains("panicked"), "{file}: {}", run.stderr);
    assert_eq!((state(&place.lake()), place.names()), (before, vec!["in".to_owned(), "lake".to_owned()]), "{file}");
}

#[test]
fn a_damaged_dataset_is_refused_and_left_as_it_is() {
    let data = data_files(&three_partitions().lake());
    for file in &data {
        let flips = [0, 100, 700];
        for at in flips {
            refused(file, |content| content[at] ^= 1);
        }
        refused(file, |content| *content.last_mut().unwrap() ^= 0x80);
        refused(file, Vec::clear);
        refused(file, |content| content.truncate(content.len() - 1));
        refused(file, |content| content.push(0));
    }
    let manifest = "_paynorm/manifest.json";
    refused(manifest, |content| content.truncate(content.len() / 2));
    refused(manifest, |content| content[0] = b' ');
    refused(manifest, |content| {
        *content = String::from_utf8(content.clone()).unwrap().replace("\"version\": 1", "\"version\": 9").into();
    });
    refused("_paynorm/quarantine.jsonl", Vec::clear);
    refused("_paynorm/quarantine.jsonl", |content| content[20] ^= 1);
}

#[test]
fn a_quarantine_with_a_line_too_many_is_refused_by_name() {
    refused("_paynorm/quarantine.jsonl", |content| content.extend_from_within(..));
}

#[test]
fn a_refused_dump_has_one_line_until_it_is_mended() {
    let stored = gzip(format!("{}\n{}", good("1"), good("2")).as_bytes());
    let bad = good("3").replace("\"id\":\"3\",", "");
    let place = Place::with(&[("a", &stored[..stored.len() - 1]), ("b", bad.as_bytes())]);
    let reasons = || -> Vec<String> {
        place.rejects().iter().map(|reject| reject["reason"].as_str().unwrap().to_owned()).collect()
    };
    for number in 0..3 {
        place.write("in/c", good(&number.to_string()).as_bytes());
        place.merge(&[]).exits(3);
        assert_eq!((reasons().len(), place.manifest()["quarantined"].as_u64()), (2, Some(2)), "{number}");
        assert_eq!(place.manifest()["dumps"].as_array().unwrap().len(), 3 + number);
    }
    // Alone, without anything else that is new.
    place.merge(&[]).exits(3);
    assert_eq!(reasons().len(), 2);
    place.write("in/a", &stored);
    place.merge(&[]).exits(0);
    assert_eq!(reasons(), ["missing_id"], "a record's own line stays");
    assert_eq!((place.rows().len(), place.manifest()["quarantined"].as_u64()), (3, Some(1)));
    place.merge(&[]).exits(0);
}

#[test]
fn a_refused_dump_that_is_again_what_it_was_has_no_line() {
    let stored = gzip(good("1").as_bytes());
    let place = Place::with(&[("a", &stored)]);
    place.merge(&[]).exits(0);
    place.write("in/a", &stored[..stored.len() - 1]);
    place.merge(&[]).exits(3);
    place.write("in/a", &stored);
    place.merge(&[]).exits(0);
    assert_eq!((place.rejects().len(), place.manifest()["quarantined"].as_u64()), (0, Some(0)));
}

#[test]
fn the_same_history_gives_the_same_bytes_whatever_the_threads_and_chunks() {
    let dumps = dumps(8_000);
    let mut expected: Option<Vec<String>> = None;
    for (threads, chunk, read) in
        [("1", "1048576", "262144"), ("2", "1048576", "262144"), ("2", "7", "4093"), ("7", "65521", "61")]
    {
        let place = Place::new();
        for run in 0..3 {
            for (name, content) in dumps.iter().skip(run).step_by(3) {
                place.write(&format!("in/{name}"), content);
            }
            place.merge(&["--threads", threads, "--chunk-bytes", chunk, "--read-bytes", read, "--base", "in"]);
        }
        let found = digests(&place.lake());
        assert!(found.len() > 30 && place.report()["merge"]["files_rewritten"].as_u64().unwrap() > 0);
        assert_eq!(expected.get_or_insert_with(|| found.clone()), &found, "{threads} threads, chunks of {chunk}");
    }
}
