//! The command line: exit codes, hints, modes, and what is left beside the output, which is nothing.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::Duration;

use parquet::basic::{Compression, Encoding, Type};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use paynorm::model::columns::{self, Kind, Values};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Place, Row, command, data_files, digests, good, gzip, parse};

/// A place with one good dump.
fn one() -> Place {
    Place::with(&[("a.ndjson", good("1").as_bytes())])
}

/// A place with two good records and a bad one.
fn two_and_a_bad_one() -> Place {
    let dump = format!("{}\n{}\n{}\n", good("1"), good("2").replace("\"id\":\"2\",", ""), good("3"));
    Place::with(&[("a.ndjson", dump.as_bytes())])
}

#[track_caller]
fn usage(flags: &[&str], hint: &str) {
    let place = one();
    let run = place.normalize(flags).exits(2);
    assert!(run.stderr.contains(hint), "{flags:?}: {hint:?} is not in {}", run.stderr);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert_eq!((run.stdout.as_str(), place.names()), ("", vec!["in".to_owned()]), "{flags:?}");
}

#[test]
fn usage_errors_exit_2_with_a_hint() {
    usage(&["--outt", "x"], "--out");
    usage(&["--source", "atpai"], "did you mean atpay?");
    usage(&["--source", "stripe-payments"], "spacivox, onlinefundraising, twocloud, atpay, paydata");
    usage(&["--source", "atpay=[x"], "pattern");
    usage(&["--currency", "spacivox"], "SOURCE=VALUE");
    usage(&["--currency", "spacivox=EURO"], "three-letter");
    usage(&["--currency", "spacivox=E1R"], "three-letter");
    usage(&["--currency", "twocloud=EUR"], "has its own currency");
    usage(&["--currency", "spacivoks=EUR"], "did you mean spacivox?");
    usage(&["--timezone", "paydata=Europe/Bern"], "Europe/Zurich");
    usage(&["--timezone", "paydata"], "SOURCE=VALUE");
    usage(&["--partition-by", "feed,week"], "feed, year, month, day; or none");
    usage(&["--partition-by", "feed,feed"], "twice");
    usage(&["--partition-by", ""], "feed, year, month, day; or none");
    usage(&["--threads", "0"], "at least one");
    usage(&["--threads", "many"], "--threads");
    usage(&["--memory", "lots"], "at least 64MB");
    usage(&["--memory", "1MB"], "at least 64MB");
    usage(&["--memory=-1"], "at least 64MB");
    usage(&["--max-quarantined", "few"], "0.5%");
    usage(&["--max-quarantined", "101%"], "0.5%");
    usage(&["--max-quarantined=-1%"], "0.5%");
    usage(&["--compression", "gzip"], "snappy");
    usage(&["--mode", "append"], "replace");
    usage(&["--json", "--quiet"], "cannot be used with");
    usage(&["nowhere.json"], "does not exist");
    usage(&["nowhere/*.json"], "matches nothing");
    usage(&["-", "-"], "only once");
}

#[test]
fn a_command_is_needed() {
    let place = one();
    assert!(place.run::<&str>(&[]).exits(2).stderr.contains("normalize"));
    assert!(place.run(&["normalise"]).exits(2).stderr.contains("normalize"));
    assert!(place.run(&["normalize", "--out", "lake"]).exits(2).stderr.contains("INPUT"));
    assert!(place.run(&["normalize", "in"]).exits(2).stderr.contains("--out"));
    let version = format!("paynorm {} (schema {})\n", env!("CARGO_PKG_VERSION"), paynorm::model::columns::VERSION);
    assert_eq!(place.run(&["--version"]).exits(0).stdout, version);
    assert!(place.run(&["normalize", "--help"]).exits(0).stdout.contains("Exit codes"));
}

#[test]
fn outputs_that_are_not_ours_are_left_alone() {
    let place = one();
    place.write("lake/notes.txt", b"mine");
    for mode in ["create", "replace"] {
        assert!(place.normalize(&["--mode", mode]).exits(2).stderr.contains("another output"));
    }
    place.write("file", b"mine");
    for (input, out) in [("in", "file"), ("in", "in"), ("in", "in/lake"), ("in/a.ndjson", "."), ("in", "in/a.ndjson")] {
        place.run(&["normalize", input, "--out", out]).exits(2);
    }
    assert_eq!(fs::read(place.path().join("lake/notes.txt")).unwrap(), b"mine");
    assert_eq!(fs::read(place.path().join("file")).unwrap(), b"mine");
    assert_eq!(place.names(), ["file", "in", "lake"]);
}

#[test]
fn an_input_inside_the_output_is_refused() {
    let place = one();
    place.normalize(&[]).exits(0);
    place.write("lake/more.json", good("2").as_bytes());
    let run = place.run(&["normalize", "lake/more.json", "--out", "lake", "--mode", "replace"]).exits(2);
    assert!(run.stderr.contains("lie in one another"), "{}", run.stderr);
    assert_eq!(place.rows().len(), 1);
}

#[test]
fn exit_codes_tell_good_from_quarantined() {
    let place = one();
    place.normalize(&[]).exits(0);
    assert_eq!((place.rows().len(), place.rejects().len()), (1, 0));
    assert_eq!(place.names(), ["in", "lake"]);
    let place = two_and_a_bad_one();
    place.normalize(&[]).exits(3);
    assert_eq!((place.rows().len(), place.rejects().len()), (2, 1));
    assert_eq!(place.names(), ["in", "lake"], "nothing is left beside the output");
}

#[test]
fn an_empty_output_directory_is_taken() {
    let place = one();
    fs::create_dir(place.lake()).unwrap();
    place.normalize(&[]).exits(0);
    assert_eq!(place.rows().len(), 1);
}

#[test]
fn an_empty_input_directory_makes_an_empty_dataset() {
    let place = Place::new();
    place.normalize(&[]).exits(0);
    assert_eq!((place.rows().len(), place.manifest()["rows"].as_u64()), (0, Some(0)));
}

#[test]
fn too_many_quarantined_change_nothing() {
    let place = two_and_a_bad_one();
    for limit in ["0", "0%", "33.3%"] {
        let run = place.normalize(&["--max-quarantined", limit]).exits(1);
        assert!(run.stderr.contains("1 of 3"), "{}", run.stderr);
        assert_eq!(place.names(), ["in"], "{limit}");
    }
    for limit in ["1", "33.4%", "100%"] {
        place.normalize(&["--max-quarantined", limit, "--mode", "replace"]).exits(3);
    }
    let before = digests(&place.lake());
    place.normalize(&["--max-quarantined", "0", "--mode", "replace"]).exits(1);
    assert_eq!(digests(&place.lake()), before);
    assert_eq!(place.names(), ["in", "lake"]);
}

#[test]
fn create_refuses_and_replace_replaces() {
    let place = one();
    place.normalize(&["--mode", "create"]).exits(0);
    let before = digests(&place.lake());
    let run = place.normalize(&[]).exits(2);
    assert!(run.stderr.contains("--mode replace"), "{}", run.stderr);
    assert_eq!(digests(&place.lake()), before);
    place.write("in/a.ndjson", good("other").as_bytes());
    place.normalize(&["--mode", "replace"]).exits(0);
    assert_eq!(place.rows().iter().map(Row::id).collect::<Vec<_>>(), ["other"]);
    assert_eq!(place.names(), ["in", "lake"]);
}

#[test]
fn the_same_run_again_writes_the_same_bytes() {
    let place = two_and_a_bad_one();
    place.normalize(&[]).exits(3);
    let before = digests(&place.lake());
    place.normalize(&["--mode", "replace"]).exits(3);
    assert_eq!(digests(&place.lake()), before);
}

#[test]
fn sources_are_listed() {
    let place = Place::new();
    let text = place.run(&["sources"]).exits(0).stdout;
    let list = parse(&place.run(&["sources", "--json"]).exits(0).stdout);
    let names: Vec<_> = list.as_array().unwrap().iter().map(|source| source["source"].as_str().unwrap()).collect();
    assert_eq!(names, ["spacivox", "onlinefundraising", "twocloud", "atpay", "paydata"]);
    assert!(names.iter().all(|name| text.lines().any(|line| line == *name)), "{text}");
}

#[test]
fn the_schema_lists_45_columns_in_every_format() {
    let place = Place::new();
    let shown = |format: &str| place.run(&["schema", "--format", format]).exits(0).stdout;
    let json = parse(&shown("json"));
    let columns = json["columns"].as_array().unwrap();
    let names: Vec<_> = columns.iter().map(|column| column["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!((names.len(), names[0].as_str(), names[44].as_str()), (45, "source", "source_offset"));
    let second = |text: &str, split: fn(&str) -> Vec<&str>| -> Vec<String> {
        let numbered = |line: &&str| split(line).first().is_some_and(|cell| cell.parse::<u32>().is_ok());
        text.lines().filter(numbered).map(|line| split(line)[1].trim_matches('`').to_owned()).collect()
    };
    assert_eq!(second(&shown("text"), |line| line.split_whitespace().collect()), names);
    assert_eq!(second(&shown("markdown"), |line| line.split('|').skip(1).map(str::trim).collect()), names);
}

#[test]
fn the_json_summary_is_the_report_with_the_time_it_took() {
    let place = two_and_a_bad_one();
    let mut summary = parse(&place.normalize(&["--json"]).exits(3).stdout);
    let milliseconds = summary.as_object_mut().unwrap().remove("milliseconds");
    assert!(milliseconds.is_some_and(|value| value.is_u64()));
    assert_eq!(summary, place.report());
}

#[test]
fn the_summary_is_for_people_or_not_there() {
    let place = two_and_a_bad_one();
    let run = place.normalize(&[]).exits(3);
    assert!(run.stdout.contains("3 records in 1 dump") && run.stdout.contains("missing_id"), "{}", run.stdout);
    assert_eq!(run.stderr, "");
    let run = place.normalize(&["--quiet", "--mode", "replace"]).exits(3);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}

#[test]
fn no_value_of_a_record_is_shown() {
    let secret = good_secret();
    let dump = format!("{secret}\n{}\n", secret.replace("\"amount\":2", "\"amount\":\"S3CRET\""));
    let place = Place::with(&[("a.ndjson", dump.as_bytes())]);
    let run = place.normalize(&[]).exits(3);
    let report = place.report().to_string();
    assert!(!run.stdout.contains("S3CRET") && !run.stderr.contains("S3CRET") && !report.contains("S3CRET"));
    assert!(!place.rejects()[0]["message"].as_str().unwrap().contains("S3CRET"));
}

fn good_secret() -> String {
    good("S3CRET-id").replace("\"o\"", "\"S3CRET-offer\"").replace("Successful", "S3CRET-word")
}

#[test]
fn standard_input_is_a_dump_like_any_other() {
    let text = format!("{}\n{}", good("1"), good("2"));
    for input in [text.clone().into_bytes(), gzip(text.as_bytes())] {
        let place = Place::new();
        place.run_with(&["normalize", "-", "--out", "lake"], &input).exits(0);
        let rows = place.rows();
        assert_eq!(rows.iter().map(|row| row.text("source_file")).collect::<Vec<_>>(), ["-", "-"]);
        assert_eq!(rows[1].offset(), good("1").len() + 1);
        assert_eq!(place.names(), ["in", "lake"]);
    }
    let place = one();
    place.run_with(&["normalize", "in", "-", "--out", "lake"], good("2").as_bytes()).exits(0);
    let rows = place.rows();
    assert_eq!(rows.iter().map(|row| row.text("source_file")).collect::<Vec<_>>(), ["-", "a.ndjson"]);
}

#[test]
fn a_source_can_be_forced_for_all_dumps_or_by_path() {
    // Nothing in this record tells its source.
    let untold = br#"{"id":"1","timestamp":1422566591,"amount":2}"#;
    let dumps: [(&str, &[u8]); 2] = [("old/a.json", untold), ("new/b.json", untold)];
    let states = |flags: &[&str]| {
        let place = Place::with(&dumps);
        let code = place.normalize(flags).code;
        let ids: Vec<_> = place.rows().iter().map(|row| row.text("source_file").to_owned()).collect();
        let reasons: Vec<_> =
            place.rejects().iter().map(|reject| reject["reason"].as_str().unwrap().to_owned()).collect();
        (code, ids.join(" "), reasons.join(" "))
    };
    let expect = |code, ids: &str, reasons: &str| (code, ids.to_owned(), reasons.to_owned());
    assert_eq!(states(&[]), expect(3, "", "unknown_format unknown_format"));
    assert_eq!(states(&["--source", "atpay", "--keep-duplicates"]), expect(0, "new/b.json old/a.json", ""));
    assert_eq!(states(&["--source", "atpay=old/*"]), expect(3, "old/a.json", "unknown_format"));
    let both = ["--source", "twocloud=new/*", "--source", "atpay=old/**"];
    assert_eq!(states(&both), expect(3, "old/a.json", "bad_timestamp"), "each pattern forces its own source");
}

#[test]
fn currencies_and_zones_fill_what_the_source_leaves_out() {
    let spacivox = br#"{"id":"1","amount":"1","job":1,"team":1,"state":1,"timestamp":"2021-07-01T00:00:00"}"#;
    let place = Place::with(&[("a.json", spacivox)]);
    let facts = |flags: &[&str]| {
        place.normalize(&[&["--mode", "replace"], flags].concat()).exits(0);
        let row = &place.rows()[0];
        format!("{} {} {}", row.get("currency"), row.text("occurred_at"), row.get("utc_offset_minutes"))
    };
    place.normalize(&[]).exits(0);
    assert_eq!(facts(&[]), "null 2021-07-01T00:00:00.000000Z null");
    assert_eq!(facts(&["--currency", "spacivox=eur"]), "\"EUR\" 2021-07-01T00:00:00.000000Z null");
    assert_eq!(facts(&["--timezone", "spacivox=Europe/Zurich"]), "null 2021-06-30T22:00:00.000000Z null");
    assert_eq!(facts(&["--timezone", "paydata=Europe/Zurich"]), "null 2021-07-01T00:00:00.000000Z null");
}

#[test]
fn partition_levels_make_the_directories() {
    let place = one();
    place.normalize(&[]).exits(0);
    for (levels, directory) in [
        ("feed,month", "feed=atpay/month=2015-01/part-"),
        ("none", "part-"),
        ("year,feed,day", "year=2015/feed=atpay/day=2015-01-29/part-"),
        ("month", "month=2015-01/part-"),
    ] {
        place.normalize(&["--mode", "replace", "--partition-by", levels]).exits(0);
        let files = data_files(&place.lake());
        assert!(files.len() == 1 && files[0].starts_with(directory), "{levels}: {files:?}");
        assert!(files[0].ends_with("-00000.parquet"), "{files:?}");
        assert_eq!(place.rows().len(), 1);
    }
}

/// The first data file of a place.
fn data_file(place: &Place) -> SerializedFileReader<File> {
    let path = place.lake().join(&data_files(&place.lake())[0]);
    SerializedFileReader::new(File::open(path).unwrap()).unwrap()
}

#[test]
fn data_files_stand_alone() {
    let place = one();
    place.normalize(&[]).exits(0);
    let reader = data_file(&place);
    let metadata = reader.metadata().file_metadata();
    let columns = metadata.schema_descr().columns();
    assert_eq!(columns.len(), 45);
    for (column, number) in columns.iter().zip(1..) {
        assert_eq!(column.self_type().get_basic_info().id(), number, "{}", column.name());
        let eight_bytes = ["_amount", "_at", "source_offset"].iter().any(|end| column.name().ends_with(end));
        assert_eq!(column.physical_type() == Type::INT64, eight_bytes, "{}", column.name());
    }
    let facts = metadata.key_value_metadata().unwrap();
    let fact = |key: &str| facts.iter().find(|fact| fact.key == key).and_then(|fact| fact.value.clone());
    assert_eq!(fact("ARROW:schema"), None, "the file's own schema is all there is");
    assert_eq!(fact("paynorm.schema_version").as_deref(), Some("1"));
    assert_eq!(fact("paynorm.run_id").as_deref(), place.manifest()["run_id"].as_str());
}

#[test]
fn snappy_is_a_switch() {
    let place = one();
    place.normalize(&[]).exits(0);
    for flag in ["zstd", "snappy"] {
        place.normalize(&["--mode", "replace", "--compression", flag]).exits(0);
        let reader = data_file(&place);
        for column in reader.metadata().row_group(0).columns() {
            let empty = column.statistics().and_then(Statistics::null_count_opt) == Some(1);
            let name = column.column_path().string();
            let known = columns::COLUMNS.iter().find(|column| column.name == name).unwrap();
            let closed = known.values == Values::Few;
            let packed = flag == "zstd" && matches!(known.kind, Kind::Time | Kind::Large);
            let deltas: Vec<_> =
                column.encodings().filter(|encoding| format!("{encoding}").contains("DELTA")).collect();
            let lengths = flag == "zstd" && (known.values, known.kind) == (Values::Unique, Kind::Text);
            assert!(empty || deltas.is_empty() != (packed || lengths), "{name}: {deltas:?}");
            let is = match column.compression() {
                Compression::SNAPPY => "snappy",
                Compression::ZSTD(_) => "zstd",
                _ => "none",
            };
            assert_eq!(is, if empty || closed || packed { "none" } else { flag }, "{name}");
        }
        assert_eq!(place.rows().len(), 1);
    }
}

#[test]
fn a_dictionary_is_where_values_repeat() {
    let record = |number: usize| {
        format!(
            "{{\"id\":\"{number}\",\"timestamp\":\"2015-01-06T10:21:14Z\",\"amount\":\"1\",\"state\":{},\
             \"reference\":\"for {}\",\"campaign\":{},\"team\":{number},\"job\":{number}}}\n",
            number % 2,
            number % 3,
            number % 150,
        )
    };
    let dump: String = (0..300).map(record).collect();
    let place = Place::with(&[("a.ndjson", dump.as_bytes())]);
    place.normalize(&[]).exits(0);
    let reader = data_file(&place);
    let encoding = |name: &str| {
        let columns = reader.metadata().row_group(0).columns();
        let column = columns.iter().find(|column| column.column_path().string() == name).unwrap();
        let has = |wanted: Encoding| column.encodings().any(|encoding| encoding == wanted);
        let lengths = has(Encoding::DELTA_LENGTH_BYTE_ARRAY);
        (has(Encoding::RLE_DICTIONARY), lengths, column.compression() == Compression::UNCOMPRESSED)
    };
    assert_eq!(encoding("source"), (true, false, true), "one closed word");
    assert_eq!(encoding("state"), (true, false, false), "two closed words");
    assert_eq!(encoding("campaign_id"), (true, false, false), "words");
    assert_eq!(encoding("reference"), (true, false, false), "texts that repeat");
    assert_eq!(encoding("job_id"), (false, true, false), "words that do not repeat");
    assert_eq!(encoding("transaction_id"), (false, true, false), "ids");
}

#[test]
fn duplicates_are_dropped_unless_all_are_asked_for() {
    let dump = format!("{}\n{}\n{}", good("1"), good("1"), good("1").replace("Successful", "Failed"));
    let place = Place::with(&[("a.ndjson", dump.as_bytes())]);
    place.normalize(&[]).exits(0);
    let records = &place.report()["records"];
    assert_eq!((&records["identical_duplicates"], &records["differing_duplicates"]), (&0.into(), &2.into()));
    assert_eq!(place.rows()[0].text("state"), "failed", "of records alike in time and finality the later stays");
    place.normalize(&["--mode", "replace", "--keep-duplicates"]).exits(0);
    assert_eq!(place.rows().len(), 3);
}

#[test]
fn of_one_key_the_newest_stays_then_the_most_final_then_the_last() {
    let twocloud =
        |more: &str| format!(r#"{{"id":1,"remote_id":"r","amount":1,"created":"2014-05-17T09:30:10Z"{more}}}"#);
    let paydata = |more: &str| format!(r#"{{"id":1,"bookingDate":"2021-10-01","gross":{{"value":1}}{more}}}"#);
    let completed =
        |day: u8, status: &str| twocloud(&format!(r#","completed":"2014-05-{day}T00:00:00Z","status":"{status}""#));
    let updated = |day: u8| paydata(&format!(r#","lastModifiedAt":"2021-10-{day}""#));
    for (records, stays) in [
        ([updated(12), updated(11)], 0),
        ([updated(11), updated(12)], 1),
        ([completed(19, "pending"), completed(18, "succeeded")], 0),
        ([completed(18, "succeeded"), completed(18, "pending")], 0),
        ([completed(18, "retry"), completed(18, "error")], 1),
        ([completed(18, "succeeded"), completed(18, "error")], 1),
    ] {
        let place = Place::with(&[("a", records[0].as_bytes()), ("b", records[1].as_bytes())]);
        place.normalize(&[]).exits(0);
        let files: Vec<_> = place.rows().iter().map(|row| row.text("source_file").to_owned()).collect();
        assert_eq!(files, [["a", "b"][stays]], "{records:?}");
    }
}

#[test]
fn one_id_at_two_sources_is_two_keys() {
    let other = br#"{"amount":"1","id":"1","job":1,"state":1,"team":1,"timestamp":"2015-01-06T10:21:14Z"}"#;
    let place = Place::with(&[("a", good("1").as_bytes()), ("b", other)]);
    place.normalize(&[]).exits(0);
    assert_eq!(place.rows().len(), 2);
}

#[test]
fn a_dump_that_cannot_be_read_stops_the_run_unless_told_otherwise() {
    let place = one();
    // A regular file that opens and cannot be read, for root too.
    let arguments =
        |more: &[&'static str]| [&["normalize", "in", "/proc/self/mem", "--out", "lake"][..], more].concat();
    if !fs::metadata("/proc/self/mem").is_ok_and(|metadata| metadata.is_file()) {
        println!("skipped: no /proc/self/mem here");
        return;
    }
    let run = place.run(&arguments(&[])).exits(1);
    assert!(run.stderr.contains("/proc/self/mem") && run.stderr.contains("--keep-going"), "{}", run.stderr);
    assert_eq!(place.names(), ["in"]);
    place.run(&arguments(&["--keep-going"])).exits(3);
    assert_eq!((place.rows().len(), place.rejects()[0]["reason"].as_str()), (1, Some("unreadable_input")));
}

#[test]
fn one_run_at_a_time() {
    let place = one();
    let held = place.path().join(".lake.paynorm");
    fs::create_dir(&held).unwrap();
    let lock = File::open(&held).unwrap();
    lock.try_lock().unwrap();
    let run = place.normalize(&[]).exits(4);
    assert!(run.stderr.contains("another run"), "{}", run.stderr);
    assert_eq!(place.names(), [".lake.paynorm", "in"], "what the other run works with is left alone");
    drop(lock);
    fs::create_dir(held.join("snapshot")).unwrap();
    fs::write(held.join("standard-input"), "left by a killed run").unwrap();
    place.normalize(&[]).exits(0);
    assert_eq!(place.names(), ["in", "lake"], "the next run clears what a killed one left");
}

/// Starts a run that waits for standard input, and waits until it works.
fn waiting(place: &Place) -> Child {
    let mut command = command(place.path());
    let child = command.args(["normalize", "in", "-", "--out", "lake", "--mode", "replace"]).stdin(Stdio::piped());
    let child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while !place.path().join(".lake.paynorm/standard-input").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn interrupted_runs_change_nothing_visible() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let place = one();
        place.normalize(&[]).exits(0);
        let before = digests(&place.lake());
        place.write("in/b.ndjson", good("2").as_bytes());
        let mut child = waiting(&place);
        // Open until the end, so that the run can't be done before the signal arrives.
        let _input = child.stdin.take();
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(digests(&place.lake()), before);
        assert_eq!(place.names(), ["in", "lake"]);
    }
}

#[test]
fn a_killed_run_changes_nothing_visible_and_the_next_one_cleans_up() {
    let place = one();
    place.normalize(&[]).exits(0);
    let before = digests(&place.lake());
    place.write("in/b.ndjson", good("2").as_bytes());
    let mut child = waiting(&place);
    send(&child, Signal::KILL);
    assert_eq!(child.wait().unwrap().code(), None);
    assert_eq!(digests(&place.lake()), before);
    assert_eq!(place.names(), [".lake.paynorm", "in", "lake"]);
    place.normalize(&["--mode", "replace"]).exits(0);
    assert_eq!((place.rows().len(), place.names()), (2, vec!["in".to_owned(), "lake".to_owned()]));
    // Killed once its dataset was visible; the next one is refused, and cleans up nevertheless.
    place.write(".lake.paynorm/snapshot/left", b"left");
    place.normalize(&[]).exits(2);
    assert_eq!(place.names(), ["in", "lake"]);
}

#[test]
fn completions_and_pages_tell_of_every_command() {
    let place = Place::new();
    let help = place.run(&["--help"]).exits(0).stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> = listed
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split_whitespace().next())
        .collect();
    assert!(commands.contains(&"normalize") && commands.len() > 10, "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let text = place.run(&["completions", shell]).exits(0).stdout;
        let missing: Vec<_> = commands.iter().filter(|command| !text.contains(**command)).collect();
        assert!(missing.is_empty() && text.contains("max-quarantined"), "{shell}: {missing:?}");
    }
    fs::create_dir(place.path().join("man")).unwrap();
    place.run(&["man", "man"]).exits(0);
    for command in commands.iter().filter(|command| **command != "help") {
        let page = fs::read_to_string(place.path().join(format!("man/paynorm-{command}.1"))).unwrap();
        assert!(
            page.starts_with(".ie") && page.contains(&format!("paynorm-{command}").replace('-', "\\-")),
            "{command}: {page:.80}"
        );
    }
    assert!(place.path().join("man/paynorm.1").exists());
    assert!(place.run(&["man", "nowhere"]).exits(1).stderr.contains("can't write pages into nowhere"));
}

#[test]
fn failed_runs_leave_nothing() {
    let place = one();
    for arguments in [
        &["normalize", "nowhere", "--out", "lake"][..],
        &["normalize", "in", "nowhere", "--out", "new/lake"],
        &["normalize", "in", "--out", "lake", "--source", "x"],
    ] {
        place.run(arguments).exits(2);
        assert!(!place.lake().exists() && !place.path().join(".lake.paynorm").exists(), "{:?}", place.names());
    }
}

#[test]
fn a_closed_standard_output_is_no_panic() {
    let place = one();
    for arguments in [&["normalize", "in", "--out", "lake"][..], &["schema"], &["sources"]] {
        let mut child = command(place.path())
            .args(arguments)
            .stdout(Stdio::from(closed_pipe()))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdin.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        assert!(output.status.code().is_some_and(|code| code < 2), "{arguments:?}: {:?}", output.status);
    }
    assert_eq!(place.rows().len(), 1, "the dataset is there, whoever reads the summary");
}

/// A pipe that nobody reads.
fn closed_pipe() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer
}

#[test]
fn the_quarantine_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = two_and_a_bad_one();
    place.normalize(&[]).exits(3);
    let mode = |path: &str| fs::metadata(place.lake().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("_paynorm/quarantine.jsonl"), 0o600);
}

#[test]
fn the_manifest_tells_what_is_there() {
    let place = two_and_a_bad_one();
    place.normalize(&[]).exits(3);
    let manifest = place.manifest();
    let dump = &manifest["dumps"][0];
    let stored = fs::read(place.path().join("in/a.ndjson")).unwrap();
    assert_eq!(dump["digest"], Value::from(blake3::hash(&stored).to_hex().to_string()));
    assert_eq!((&dump["stored_bytes"], &dump["bytes"]), (&stored.len().into(), &stored.len().into()));
    assert_eq!((&dump["path"], &dump["source"]), (&"a.ndjson".into(), &"atpay".into()));
    let files = manifest["files"].as_array().unwrap();
    let paths: Vec<_> = files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect();
    assert_eq!(paths, data_files(&place.lake()));
    for file in files {
        let content = fs::read(place.lake().join(file["path"].as_str().unwrap())).unwrap();
        assert_eq!(file["digest"], Value::from(blake3::hash(&content).to_hex().to_string()));
        assert_eq!(file["bytes"], Value::from(content.len()));
    }
}

#[test]
fn paths_in_lineage_are_relative_to_the_base() {
    let place = Place::with(&[("x/a.json", good("1").as_bytes()), ("x/y/b.json", good("2").as_bytes())]);
    let files = |arguments: &[&str]| {
        let place_arguments = [&["normalize"], arguments, &["--out", "lake", "--mode", "replace"]].concat();
        place.run(&place_arguments).exits(0);
        place.rows().iter().map(|row| row.text("source_file").to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(files(&["in"]), "x/a.json x/y/b.json");
    assert_eq!(files(&["in/x/a.json"]), "a.json");
    assert_eq!(files(&["in/x/y/b.json", "in/x/a.json"]), "a.json y/b.json");
    assert_eq!(files(&["in/x/a.json", "--base", "."]), "in/x/a.json");
    assert_eq!(files(&["in/**/*.json"]), "a.json y/b.json");
}
