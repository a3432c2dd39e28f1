//! `verify` finds whatever is wrong with a dataset, and `explain` leads from a row to its record; neither panics, and no
//! message holds a value.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use paynorm::inspect::explain::{Question, explain};
use paynorm::inspect::verify::verify;
use paynorm::sources;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Place, Row, cases, digests, good, gzip, parse, rows, samples, zstd};

/// A value that must never be in a message.
const SECRET: &str = "secret";

/// Two dumps of three rows in two months, one of which replaced another, and a bad record.
fn three_rows() -> Place {
    let later = good("secret-2").replace("1422566591", "1430000000");
    let first = format!("{}\n{later}\n{}\n", good("secret-1"), good("secret-1").replace("\"id\"", "\"key\""));
    let second = format!("{}\n{}\n", good("secret-1"), good("secret-3"));
    let place = Place::with(&[("a.ndjson", first.as_bytes()), ("b.ndjson", second.as_bytes())]);
    place.normalize(&[]).exits(3);
    place
}

fn all_is_well(place: &Place) {
    let run = place.run(&["verify", "lake"]).exits(0);
    assert!(run.stdout.ends_with(": all is well\n"), "{}", run.stdout);
    assert_eq!((run.stdout.lines().count(), run.stderr.as_str()), (1, ""));
}

#[test]
fn what_a_run_wrote_is_well() {
    for flags in [
        &[][..],
        &["--partition-by", "none"],
        &["--partition-by", "year,feed,day", "--compression", "snappy"],
        &["--keep-duplicates", "--bloom-filter"],
    ] {
        let place = Place::new();
        let samples = samples();
        place.run(&[&["normalize", samples.to_str().unwrap(), "--out", "lake"], flags].concat()).exits(3);
        let before = digests(&place.lake());
        all_is_well(&place);
        assert_eq!(digests(&place.lake()), before, "{flags:?}");
        let found = parse(&place.run(&["verify", "lake", "--json"]).exits(0).stdout);
        assert_eq!((&found["faults"], &found["run_id"]), (&json!([]), &place.manifest()["run_id"]));
        assert_eq!((&found["rows"], &found["quarantined"]), (&place.manifest()["rows"], &json!(7)));
    }
    let empty = Place::new();
    empty.normalize(&[]).exits(0);
    all_is_well(&empty);
}

#[test]
fn what_merges_and_upkeep_leave_is_well() {
    let place = Place::new();
    let local = |id: &str| {
        format!(r#"{{"id":"{id}","amount":"1","job":1,"team":2,"state":1,"timestamp":"2024-03-31T02:30:00"}}"#)
    };
    for (day, ids) in [["a", "b"], ["b", "c"], ["a", "c"]].iter().enumerate() {
        let lines: Vec<_> = ids.iter().map(|id| good(id)).collect();
        // One path, other content every day; and a record that is bad until the zone is another.
        place.write("in/today.ndjson", lines.join("\n").as_bytes());
        place.write(&format!("in/{day}.ndjson"), local(&format!("local-{day}")).as_bytes());
        place.normalize(&["--mode", "merge", "--timezone", "spacivox=Europe/Zurich"]).exits(3);
        all_is_well(&place);
    }
    place.run(&["replay", "lake", "--timezone", "spacivox=UTC"]).exits(0);
    all_is_well(&place);
    place.run(&["compact", "lake"]).exits(0);
    all_is_well(&place);
    let state = |id: &str, source: &str| {
        let found = explained(&place, &[id, "--source", source, "--dumps", "in"]);
        assert_eq!(found.len(), 1);
        (found[0]["dump"]["state"].as_str().unwrap().to_owned(), found[0]["record"].is_string())
    };
    assert_eq!(state("local-1", "spacivox"), ("unchanged".to_owned(), true));
    assert_eq!(state("c", "atpay"), ("one_of_several".to_owned(), true));
    // The dump of an earlier day is gone, and the one at its path now has another id at that offset.
    assert_eq!(state("b", "atpay"), ("altered".to_owned(), false));
}

#[test]
fn without_a_dataset_there_is_nothing_to_look_into() {
    let place = three_rows();
    place.write("empty/x/y", b"");
    for dataset in ["nowhere", "empty", "in/a.ndjson", "lake/_paynorm"] {
        for arguments in [&["verify", dataset][..], &["explain", dataset, "secret-1"]] {
            let run = place.run(arguments).exits(2);
            assert!(run.stderr.contains("no dataset of paynorm"), "{}", run.stderr);
            assert_eq!(run.stdout, "");
        }
    }
    let run = place.run(&["explain", "lake", "secret-1", "--source", "atpai"]).exits(2);
    assert!(run.stderr.contains("did you mean atpay?"), "{}", run.stderr);
    place.run(&["explain", "lake", ""]).exits(2);
    place.run(&["explain", "lake"]).exits(2);
}

/// Damages a dataset and checks what `verify` says of it: a line with each of these, in order, and no more.
#[track_caller]
fn damaged(damage: impl FnOnce(&Place), expected: &[&[&str]]) {
    let place = three_rows();
    damage(&place);
    let run = place.run(&["verify", "lake"]).exits(1);
    let faults: Vec<_> = run.stdout.lines().collect();
    let shown = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(faults.len(), expected.len() + 1, "{shown}");
    for (line, parts) in faults.iter().zip(expected) {
        for part in *parts {
            assert!(line.contains(part), "{part:?} is not in {line:?}");
        }
        assert!(line.contains("; "), "no help in {line:?}");
    }
    let number = if expected.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", expected.len()) };
    assert!(faults[expected.len()].ends_with(&number), "{shown}");
    assert!(!shown.contains(SECRET) && run.stderr.is_empty(), "{shown}");
    let found = parse(&place.run(&["verify", "lake", "--json"]).exits(1).stdout);
    assert_eq!(found["faults"].as_array().unwrap().len(), expected.len());
}

const JANUARY: &str = "feed=atpay/month=2015-01";

fn january(place: &Place) -> String {
    let path = place.manifest()["files"][0]["path"].as_str().unwrap().to_owned();
    assert!(path.starts_with(JANUARY), "{path}");
    path
}

fn edit(place: &Place, edit: impl FnOnce(&mut Value)) {
    let mut manifest = place.manifest();
    edit(&mut manifest);
    place.write("lake/_paynorm/manifest.json", manifest.to_string().as_bytes());
}

/// Puts a file in place of January's, with the manifest's bytes and digest to match.
fn exchange(place: &Place, content: &[u8]) {
    place.write(&format!("lake/{}", january(place)), content);
    edit(place, |manifest| {
        manifest["files"][0]["bytes"] = content.len().into();
        manifest["files"][0]["digest"] = blake3::hash(content).to_hex().as_str().into();
    });
}

#[test]
fn damaged_files_are_found() {
    let path = |place: &Place| place.lake().join(january(place));
    let remove = |place: &Place| fs::remove_file(path(place)).unwrap();
    damaged(remove, &[&[JANUARY, "is missing", "restore"]]);
    damaged(
        |place| {
            let content = fs::read(path(place)).unwrap();
            fs::write(path(place), &content[..content.len() - 1]).unwrap();
        },
        &[&[JANUARY, "bytes, and the manifest says"]],
    );
    for from_end in [1, 30, 2000] {
        damaged(
            |place| {
                let mut content = fs::read(path(place)).unwrap();
                let at = content.len() - from_end;
                content[at] ^= 1;
                fs::write(path(place), content).unwrap();
            },
            &[&[JANUARY, "digest is not the manifest's"]],
        );
    }
    damaged(
        |place| {
            remove(place);
            fs::create_dir(path(place)).unwrap();
        },
        &[&[JANUARY, "is no regular file"]],
    );
    damaged(
        |place| {
            fs::copy(path(place), place.path().join("elsewhere")).unwrap();
            remove(place);
            symlink(place.path().join("elsewhere"), path(place)).unwrap();
        },
        &[&[JANUARY, "is no regular file"], &[JANUARY, "a symbolic link", "remove"]],
    );
    damaged(
        |place| {
            place.write("lake/feed=atpay/deep/er/stray.parquet", b"");
            place.write("lake/_paynorm/no-data.parquet", b"");
            place.write("lake/notes.txt", b"");
            symlink("/", place.lake().join("link")).unwrap();
            symlink("nowhere", place.lake().join("dangling")).unwrap();
        },
        &[
            &["feed=atpay/deep/er/stray.parquet", "does not list"],
            &["link", "symbolic link"],
            &["notes.txt", "is not of paynorm", "remove"],
            &["dangling", "is not of paynorm"],
        ],
    );
}

#[test]
fn files_that_are_other_than_they_seem_are_found() {
    damaged(|place| exchange(place, b""), &[&[JANUARY, "footer can't be read"]]);
    damaged(|place| exchange(place, b"PAR1 no footer here PAR1"), &[&[JANUARY, "footer can't be read"]]);
    damaged(
        |place| {
            let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
            let mut content = Vec::new();
            let batch = RecordBatch::try_from_iter([("source", column)]).unwrap();
            write(&mut content, &batch);
            exchange(place, &content);
        },
        &[&[JANUARY, "unified schema: 1 columns instead of 45"]],
    );
    damaged(
        |place| {
            // Without ids of fields and without key-values.
            let batch = january_rows(place);
            let names = batch.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
            let plain = RecordBatch::try_from_iter_with_nullable(
                names.iter().zip(batch.columns()).map(|(name, column)| (name, column.clone(), true)),
            );
            let mut content = Vec::new();
            write(&mut content, &plain.unwrap());
            exchange(place, &content);
        },
        &[&[JANUARY, "unified schema: another column source"]],
    );
    damaged(
        |place| {
            let mut content = Vec::new();
            write(&mut content, &january_rows(place).slice(0, 1));
            exchange(place, &content);
        },
        &[
            &[JANUARY, "1 rows, and the manifest says 2"],
            &[JANUARY, "schema version 1"],
            &[JANUARY, "paynorm.version"],
            &[JANUARY, "paynorm.run_id"],
            &["manifest.json", "rows should be of"],
        ],
    );
    damaged(
        |place| {
            let moved = january(place).replace("2015-01", "2015-02");
            fs::create_dir_all(place.lake().join(&moved).parent().unwrap()).unwrap();
            fs::rename(place.lake().join(january(place)), place.lake().join(&moved)).unwrap();
            edit(place, |manifest| manifest["files"][0]["path"] = moved.into());
        },
        &[&["month=2015-02", "2 of its rows belong in another partition directory"]],
    );
    damaged(
        |place| {
            let copy = january(place).replace("part-", "copy-");
            fs::copy(place.lake().join(january(place)), place.lake().join(&copy)).unwrap();
            edit(place, |manifest| {
                let mut file = manifest["files"][0].clone();
                file["path"] = copy.into();
                manifest["files"].as_array_mut().unwrap().push(file);
            });
        },
        &[
            &["manifest.json", "3 rows in all", "5"],
            &["manifest.json", "4 rows were read, and 5 written and 1 replaced"],
            &["manifest.json", "2 rows should be of b.ndjson, and 4 are"],
            &[JANUARY, "part-", "2 of its rows have a key that another row has, the first from b.ndjson:0"],
            &[JANUARY, "copy-", "2 of its rows have a key that another row has"],
        ],
    );
}

fn january_rows(place: &Place) -> RecordBatch {
    let file = File::open(place.lake().join(january(place))).unwrap();
    let mut batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    batches.next().unwrap().unwrap()
}

fn write(content: &mut Vec<u8>, batch: &RecordBatch) {
    let options = parquet::arrow::arrow_writer::ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(content, batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn sums_that_do_not_add_up_are_found() {
    let set = |pointer: &'static str, value: Value| {
        move |place: &Place| edit(place, |manifest| *manifest.pointer_mut(pointer).unwrap() = value)
    };
    let at = "_paynorm/manifest.json";
    damaged(set("/rows", json!(4)), &[&[at, "4 rows in all, and the parts add up to 3"]]);
    damaged(set("/duplicates", json!(0)), &[&[at, "0 duplicates in all, and the parts add up to 1"]]);
    let nothing = &[&[at, "1 rows are replaced, and where their records stood is told of 0"][..]];
    damaged(set("/replaced", json!([])), nothing);
    damaged(set("/quarantined", json!(u64::MAX)), &[&[at, "quarantined"], &["quarantine.jsonl", "1 lines"]]);
    damaged(set("/dumps/0/records", json!(9)), &[&[at, "9 records of a.ndjson are 2 rows and 1 quarantined"]]);
    damaged(
        set("/dumps/0/duplicates", json!(3)),
        &[&[at, "more rows of a.ndjson"], &[at, "duplicates"], &[at, "4 rows were"], &[at, "should be of a.ndjson"]],
    );
    damaged(
        set("/dumps/1/rows", json!(u64::MAX)),
        &[&[at, "2 records of b.ndjson"], &[at, "rows were read"], &[at, "should be of b.ndjson"]],
    );
    damaged(
        set("/dumps/0/path", json!("c")),
        &[&[at, "of a.nd"], &[at, "of c"], &["jsonl", "of c"], &["jsonl", "a.nd"]],
    );
    damaged(
        set("/files/0/rows", json!(1)),
        &[&[JANUARY, "2 rows, and the manifest says 1"], &[at, "add up to 2"], &[at, "2 written"]],
    );
    damaged(set("/files/0/row_groups", json!(2)), &[&[JANUARY, "1 row groups, and the manifest says 2"]]);
    let out = "the manifest lists a path that leads out";
    for path in ["../x.parquet", "/etc/passwd", ""] {
        damaged(set("/files/0/path", json!(path)), &[&[path, out], &[JANUARY, "does not list"]]);
    }
    damaged(
        |place| edit(place, |manifest| manifest["files"][1] = manifest["files"][0].clone()),
        &[
            &[JANUARY, "listed twice"],
            &["month=2015-04", "does not list"],
            &[at],
            &[at],
            &[at],
            &[at],
            &[JANUARY],
            &[JANUARY],
        ],
    );
}

#[test]
fn damaged_manifests_are_found() {
    let at = "_paynorm/manifest.json";
    for text in ["", "{", "[]", "\0\u{1}", "{\"version\":1,\"schema_version\":1}", "{\"version\":\"secret\"}"] {
        damaged(
            |place| place.write("lake/_paynorm/manifest.json", text.as_bytes()),
            &[&[at, "is damaged: no manifest"]],
        );
    }
    let version = |name: &'static str| move |place: &Place| edit(place, |manifest| manifest[name] = json!(2));
    damaged(version("version"), &[&[at, "is of version 2 with schema 1; this program knows version 1 with schema 1"]]);
    damaged(version("schema_version"), &[&[at, "is of version 1 with schema 2"]]);
    damaged(|place| edit(place, |manifest| manifest["partition_by"] = "week".into()), &[&[at, "partition levels"]]);
}

#[test]
fn a_damaged_quarantine_is_found() {
    let at = "_paynorm/quarantine.jsonl";
    let text = |place: &Place| fs::read_to_string(place.lake().join(at)).unwrap();
    let mode = |place: &Place, path: &str, mode| {
        fs::set_permissions(place.lake().join(path), Permissions::from_mode(mode)).unwrap();
    };
    damaged(|place| fs::remove_file(place.lake().join(at)).unwrap(), &[&[at, "is missing"]]);
    damaged(|place| mode(place, at, 0o644), &[&[at, "mode 644", "chmod 600"]]);
    damaged(|place| mode(place, "_paynorm", 0o755), &[&["_paynorm: mode 755", "chmod 700"]]);
    let write = |place: &Place, content: &str| fs::write(place.lake().join(at), content).unwrap();
    damaged(|place| write(place, ""), &[&[at, "0 lines, and the manifest says 1"], &[at, "0 lines are of a.ndjson"]]);
    damaged(
        |place| write(place, &text(place).repeat(2)),
        &[&[at, "2 lines, and the manifest says 1"], &[at, "2 lines are of a.ndjson"]],
    );
    damaged(|place| write(place, &text(place)[..40]), &[&[at, "line 1 is no entry"]]);
    damaged(
        |place| write(place, &text(place).replace("missing_id", "secret_reason")),
        &[&[at, "line 1 has a reason that this paynorm does not know"]],
    );
    damaged(
        |place| write(place, &text(place).replace("a.ndjson", "b.ndjson")),
        &[&[at, "0 lines are of a.ndjson"], &[at, "b.ndjson, of which the manifest quarantines none"]],
    );
    let raw = |place: &Place| text(place).replace("\"raw\":\"{", "\"raw\":\"[");
    damaged(|place| write(place, &raw(place)), &[&[at, "is not the file that was written"]]);
}

proptest! {
    #![proptest_config(cases(100))]

    /// Bytes that a manifest vouches for may be any; so may those that `explain` reads unchecked.
    #[test]
    fn damage_is_never_a_panic(at in any::<prop::sample::Index>(), byte: u8, cut in any::<Option<prop::sample::Index>>()) {
        thread_local! {
            static PLACE: Place = three_rows();
        }
        PLACE.with(|place| {
            let path = place.lake().join(january(place));
            let (content, manifest) = (fs::read(&path).unwrap(), place.manifest());
            let mut broken = content.clone();
            *at.get_mut(&mut broken) = byte;
            broken.truncate(cut.map_or(content.len(), |cut| cut.index(content.len())));
            exchange(place, &broken);
            let (lake, dumps) = (place.lake(), place.path().join("in"));
            let _ = verify(&lake).unwrap();
            for source in [None, Some("atpay")] {
                let _ = explain(Question { dataset: &lake, id: "secret-1", source, dumps: &dumps });
            }
            fs::write(&path, &content).unwrap();
            place.write("lake/_paynorm/manifest.json", manifest.to_string().as_bytes());
        });
    }
}

/// The rows that `explain` finds, as JSON.
#[track_caller]
fn explained(place: &Place, arguments: &[&str]) -> Vec<Value> {
    let run = place.run(&[&["explain", "lake", "--json"], arguments].concat()).exits(0);
    assert_eq!(run.stderr, "");
    parse(&run.stdout)["rows"].as_array().unwrap().clone()
}

#[test]
fn every_sample_row_leads_to_its_record() {
    let place = Place::new();
    let samples = samples();
    let base = samples.to_str().unwrap();
    let flags = ["--keep-duplicates", "--currency", "spacivox=EUR", "--currency", "onlinefundraising=DKK"];
    place.run(&[&["normalize", base, "--out", "lake", "--base", base][..], &flags].concat()).exits(3);
    let mut filled: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows(&place.lake()) {
        let found = explained(&place, &[row.id(), "--source", row.text("source"), "--dumps", base]);
        let at =
            |found: &&Value| found["source_file"] == *row.get("source_file") && found["source_offset"] == row.offset();
        let found = found.iter().find(at).unwrap_or_else(|| panic!("{row}"));
        assert_eq!(found["dump"], json!({"state": "unchanged"}), "{row}");
        check_columns(&row, found, &mut filled);
    }
    assert!(filled.len() > 35, "the samples fill only {filled:?}");
}

/// Checks that every value is told with members that are in the record, and those that are copied with the same text.
fn check_columns(row: &Row, found: &Value, filled: &mut BTreeMap<String, usize>) {
    let source = sources::by_name(row.text("source")).unwrap();
    let record: serde_json::Map<String, Value> = serde_json::from_str(found["record"].as_str().unwrap()).unwrap();
    for (told, (column, value)) in found["columns"].as_array().unwrap().iter().zip(&row.0) {
        assert_eq!((&told["column"], &told["value"]), (&json!(column), value), "{row}");
        let members = told["members"].as_array().unwrap();
        if value.is_null() {
            assert!(members.is_empty(), "{column}");
            continue;
        }
        *filled.entry((*column).to_owned()).or_default() += 1;
        for member in members {
            let (name, text) = (member["member"].as_str().unwrap(), member["text"].as_str().unwrap());
            let own = record.get(name);
            let inner = || name.split_once('.').and_then(|(top, inner)| record.get(top)?.get(inner));
            let in_record = own.or_else(inner).unwrap_or_else(|| panic!("{name} is not in {row}"));
            assert_eq!(*in_record, parse(text), "{name} of {row}");
        }
        match *column {
            "source" | "source_file" | "source_offset" => assert!(members.is_empty(), "{column}"),
            "extra" => {
                let extra: serde_json::Map<String, Value> = serde_json::from_str(value.as_str().unwrap()).unwrap();
                let tops = members.iter().map(|member| member["member"].as_str().unwrap());
                let named = |key: &String| tops.clone().any(|top| top == key || top.starts_with(&format!("{key}.")));
                assert!(extra.keys().all(named), "{value} of {row}");
            }
            _ => {
                let listed = source.origins().iter().find(|(told, _)| told == column);
                let (_, groups) = listed.unwrap_or_else(|| panic!("{column} of {} is not told", source.name()));
                let implied = groups.is_empty() || *column == "state" && source.name() == "twocloud";
                assert!(implied || !members.is_empty(), "{column} of {row}");
                check_copy(column, value, members);
            }
        }
    }
}

/// Texts and ids from one member are that member's characters.
fn check_copy(column: &str, value: &Value, members: &[Value]) {
    let made = ["amount_check", "classification", "state", "currency", "net_currency", "fee_currency"];
    let (Some(value), [member]) = (value.as_str(), members) else { return };
    let text = member["text"].as_str().unwrap();
    let time = ["_at", "_date", "_amount"].iter().any(|end| column.ends_with(end));
    if !time && !made.contains(&column) {
        let written = if text.starts_with('"') { parse(text).as_str().unwrap().to_owned() } else { text.to_owned() };
        assert_eq!(written, value, "{column}");
    }
}

#[test]
fn records_are_found_in_any_compression() {
    let text = format!("[{},\n {}]", good("one"), good("two"));
    for stored in [text.clone().into_bytes(), gzip(text.as_bytes()), zstd(text.as_bytes())] {
        let place = Place::with(&[("deep/a.json", &stored)]);
        place.normalize(&["--bloom-filter"]).exits(0);
        let found = explained(&place, &["two", "--dumps", "in"]);
        assert_eq!((found.len(), &found[0]["record"]), (1, &json!(good("two"))));
        assert_eq!(found[0]["source_offset"], good("one").len() + 4);
        assert_eq!(found[0]["run_id"], place.manifest()["run_id"]);
        assert_eq!(found[0]["file"], place.manifest()["files"][0]["path"]);
        assert_eq!(found[0]["replaced"], json!([]));
    }
}

#[test]
fn dumps_that_are_not_what_they_were_are_told() {
    let place = three_rows();
    let dump = |dumps: &str| {
        let found = explained(&place, &["secret-1", "--dumps", dumps]);
        assert_eq!((found.len(), found[0]["columns"].as_array().unwrap().len()), (1, 45));
        (found[0]["dump"]["state"].as_str().unwrap().to_owned(), found[0]["record"].is_string())
    };
    assert_eq!(dump("in"), ("unchanged".to_owned(), true));
    assert_eq!(dump("."), ("absent".to_owned(), false));
    fs::write(place.path().join("in/b.ndjson"), format!("{}\n", good("secret-1"))).unwrap();
    assert_eq!(dump("in"), ("altered".to_owned(), false));
    fs::write(place.path().join("in/b.ndjson"), &gzip(b"secret")[..10]).unwrap();
    assert_eq!(dump("in"), ("unreadable".to_owned(), false));
    fs::remove_file(place.path().join("in/b.ndjson")).unwrap();
    fs::create_dir(place.path().join("in/b.ndjson")).unwrap();
    assert_eq!(dump("in"), ("absent".to_owned(), false));
    let piped = Place::new();
    piped.run_with(&["normalize", "-", "--out", "lake"], good("1").as_bytes()).exits(0);
    assert_eq!(explained(&piped, &["1"])[0]["dump"]["state"], "standard_input");
}

#[test]
fn names_that_are_no_text_lead_to_their_dumps() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let name = std::ffi::OsStr::from_bytes(b"in/\xff%41.json");
    fs::write(place.path().join(Path::new(name)), good("1")).unwrap();
    place.normalize(&[]).exits(0);
    let found = explained(&place, &["1", "--dumps", "in"]);
    assert_eq!(found[0]["source_file"], "%FF%41.json");
    // `%41` stood for itself, and nothing tells that from a byte that is no text.
    assert_eq!(found[0]["dump"]["state"], "absent");
    fs::rename(place.path().join(Path::new(name)), place.path().join("in/%FF%41.json")).unwrap();
    assert_eq!(explained(&place, &["1", "--dumps", "in"])[0]["dump"]["state"], "unchanged");
}

#[test]
fn an_id_may_be_of_several_sources_and_rows() {
    let other = r#"{"id":"secret-1","job":1,"team":2,"state":1,"timestamp":"2015-01-29T00:00:00Z","amount":"1"}"#;
    let place = three_rows();
    place.write("in/c.ndjson", other.as_bytes());
    place.normalize(&["--mode", "replace", "--keep-duplicates"]).exits(3);
    all_is_well(&place);
    let sources = |arguments: &[&str]| {
        let found = explained(&place, arguments);
        let at = |row: &Value| format!("{} {}", row["source"].as_str().unwrap(), row["source_file"].as_str().unwrap());
        found.iter().map(at).collect::<Vec<_>>()
    };
    assert_eq!(sources(&["secret-1"]), ["atpay a.ndjson", "atpay b.ndjson", "spacivox c.ndjson"]);
    assert_eq!(sources(&["secret-1", "--source", "spacivox"]), ["spacivox c.ndjson"]);
    place.run(&["explain", "lake", "secret-1", "--source", "paydata"]).exits(1);
    place.normalize(&["--mode", "replace"]).exits(3);
    assert_eq!(sources(&["secret-1"]), ["atpay b.ndjson", "spacivox c.ndjson"]);
    let found = explained(&place, &["secret-1"]);
    let expected = json!([{"source_file": "a.ndjson", "source_offset": 0, "identical": true}]);
    assert_eq!((&found[0]["replaced"], &found[1]["replaced"]), (&expected, &json!([])));
}

#[test]
fn what_a_row_replaced_is_told_through_all_runs() {
    let place = Place::new();
    let amount = |amount: u8| good("1").replace("\"amount\":2", &format!("\"amount\":{amount}"));
    let merge = |name: &str, text: String| {
        place.write(&format!("in/{name}"), text.as_bytes());
        place.normalize(&["--mode", "merge", "--base", "in"]).exits(0);
    };
    merge("b", [amount(2), amount(2), amount(3)].join("\n"));
    merge("c", [good("9"), amount(4)].join("\n"));
    // This one comes before and gives way.
    merge("a", amount(4) + " ");
    let length = amount(2).len() as u64 + 1;
    let at = |file: &str, offset: u64, identical: bool| json!({"source_file": file, "source_offset": offset, "identical": identical});
    let expected = json!([at("a", 0, true), at("b", 0, false), at("b", length, false), at("b", 2 * length, false)]);
    let found = explained(&place, &["1", "--dumps", "in"]);
    assert_eq!((found.len(), &found[0]["replaced"]), (1, &expected));
    let run = place.run(&["explain", "lake", "1"]).exits(0);
    assert!(run.stdout.contains("replaced   a:0, the same\n  replaced   b:0, another version\n"), "{}", run.stdout);
    assert_eq!(explained(&place, &["9"])[0]["replaced"], json!([]));
    all_is_well(&place);
    place.run(&["compact", "lake"]).exits(0);
    assert_eq!(explained(&place, &["1"])[0]["replaced"], expected);
    all_is_well(&place);
    let file = place.manifest()["replaced"][1]["path"].as_str().unwrap().to_owned();
    damage(&place.lake().join(&file));
    let run = place.run(&["verify", "lake"]).exits(1);
    assert!(run.stdout.contains(&format!("{file}: is not the file that was written")), "{}", run.stdout);
}

fn damage(path: &Path) {
    let mut content = fs::read(path).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::remove_file(path).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn what_is_not_found_may_be_in_quarantine() {
    let bad = |more: &str| good("bad-7").replace("\"amount\":2", &format!("\"amount\":\"x\"{more}"));
    let lines = [good("1"), bad(""), bad(",\"x\":\"\0\""), bad(&format!(",\"x\":\"{}\"", "y".repeat(1 << 20)))];
    // The zero byte stands for one that is no UTF-8.
    let dump: Vec<u8> = lines.join("\n").bytes().map(|byte| if byte == 0 { 0xff } else { byte }).collect();
    let place = Place::with(&[("a.ndjson", &dump)]);
    place.normalize(&[]).exits(3);
    all_is_well(&place);
    let run = place.run(&["explain", "lake", "bad-7"]).exits(1);
    let at = format!("a.ndjson:{}  bad_amount", good("1").len() + 1);
    for expected in
        ["no row has the id bad-7", "2 entries", &at, "invalid_unicode", "1 more entry has no text to look into"]
    {
        assert!(run.stdout.contains(expected), "{expected:?} is not in {}", run.stdout);
    }
    assert_eq!(run.stderr, "");
    let found = parse(&place.run(&["explain", "lake", "bad-7", "--json"]).exits(1).stdout);
    assert_eq!((&found["quarantine"]["entries"], &found["quarantine"]["without_text"]), (&json!(2), &json!(1)));
    let run = place.run(&["explain", "lake", "elsewhere"]).exits(1);
    assert!(run.stdout.contains("nor does an entry of the quarantine hold it"), "{}", run.stdout);
}

#[test]
fn a_row_is_shown_with_its_record_to_a_person() {
    let text = good_with_controls();
    let place = Place::with(&[("a.ndjson", text.as_bytes())]);
    place.normalize(&[]).exits(0);
    let run = place.run(&["explain", "lake", "1", "--dumps", "in"]).exits(0);
    for expected in [
        "atpay 1\n",
        "dump       a.ndjson: unchanged\n",
        "replaced   no other row\n",
        "fee_amount                  1.0000                       amount: 2, net_amount: 1\n",
        "currency                    USD                          implied\n",
        "description                 a\\u{1b}b                     offer_name: \"a\\u001bb\"\n",
        "null: utc_offset_minutes, source_classification",
    ] {
        assert!(run.stdout.contains(expected), "{expected:?} is not in {}", run.stdout);
    }
    assert!(!run.stdout.contains('\u{1b}'), "control characters would act on the terminal");
    let run = place.run(&["explain", "lake", "1"]).exits(0);
    assert!(run.stdout.contains("not found; tell with --dumps"), "{}", run.stdout);
    assert!(!run.stdout.contains("implied"), "without the record nothing is said of its members: {}", run.stdout);
}

fn good_with_controls() -> String {
    good("1").replace("\"o\"", "\"a\\u001bb\"")
}

#[test]
fn a_damaged_dataset_is_not_explained_away() {
    let place = three_rows();
    exchange(&place, b"PAR1 no footer here PAR1");
    let run = place.run(&["explain", "lake", "secret-1"]).exits(1);
    assert!(run.stderr.contains(JANUARY) && run.stderr.contains("paynorm verify"), "{}", run.stderr);
    assert!(!run.stderr.contains(SECRET) && run.stdout.is_empty(), "{}{}", run.stdout, run.stderr);
    // What can still be read may be wrong all the same.
    let place = three_rows();
    let path = place.lake().join(january(&place));
    let mut content = fs::read(&path).unwrap();
    let at = content.windows(8).rposition(|bytes| bytes == b"paynorm ").unwrap();
    content[at] = b'P';
    fs::write(&path, content).unwrap();
    let run = place.run(&["explain", "lake", "secret-1"]).exits(1);
    assert!(run.stderr.contains("is not the file that was written") && run.stdout.is_empty(), "{}", run.stderr);
    let place = three_rows();
    place.write("lake/_paynorm/manifest.json", b"{\"secret");
    let run = place.run(&["explain", "lake", "secret-1"]).exits(1);
    assert!(run.stderr.contains("is damaged: no manifest") && !run.stderr.contains(SECRET), "{}", run.stderr);
}
