//! The same dumps give the same bytes, whatever the number of threads and the sizes of reading; and no record is lost.

use serde_json::Value;

use crate::generate::dumps;
use crate::harness::{Place, digests, good, good_with, samples};

/// Threads, bytes read at once and bytes of a chunk.
type Ways = &'static [(&'static str, &'static str, &'static str)];

/// A place with generated dumps of about `size` bytes each.
fn generated(size: usize) -> Place {
    let place = Place::new();
    for (name, content) in dumps(size) {
        place.write(&format!("in/{name}"), &content);
    }
    place
}

#[track_caller]
fn same_bytes(place: &Place, input: &str, flags: &[&str], ways: Ways) {
    let mut expected: Option<Vec<String>> = None;
    for (threads, read, chunk) in ways {
        let sizes = ["--threads", threads, "--read-bytes", read, "--chunk-bytes", chunk];
        let run = ["normalize", input, "--out", "lake", "--mode", "replace", "--quiet"];
        place.run(&[&run[..], &sizes, flags].concat()).exits(3);
        let digests = digests(&place.lake());
        assert!(digests.len() > 5, "{digests:?}");
        match &expected {
            None => expected = Some(digests),
            Some(expected) => assert_eq!(&digests, expected, "{threads} threads, read {read}, chunk {chunk}"),
        }
    }
    conserves(&place.manifest(), &place.report());
}

#[test]
fn the_samples() {
    let place = Place::new();
    let input = samples();
    let ways: Ways = &[
        ("1", "262144", "1048576"),
        ("2", "262144", "1048576"),
        ("7", "262144", "1048576"),
        ("1", "1", "1"),
        ("2", "3", "100000"),
        ("7", "61", "513"),
    ];
    same_bytes(&place, input.to_str().unwrap(), &[], ways);
}

#[test]
fn generated_dumps_of_every_source_in_every_shape() {
    let place = generated(90_000);
    let ways: Ways =
        &[("1", "262144", "1048576"), ("2", "4093", "65521"), ("7", "100003", "7"), ("2", "262144", "1048576")];
    same_bytes(&place, "in", &[], ways);
    let records = &place.report()["records"];
    for (what, least) in
        [("rows", 10_000), ("identical_duplicates", 0), ("differing_duplicates", 100), ("quarantined", 20)]
    {
        assert!(records[what].as_u64().unwrap() >= least, "{what} in {records}");
    }
}

#[test]
fn large_records_between_others() {
    let place = generated(20_000);
    let large = |id| good_with(id, &format!(",\"x\":\"{}\"", id.repeat(17 << 20)));
    let lines = [good("a"), large("b"), good("c"), good("d"), large("e"), large("f"), good("g")];
    place.write("in/large.ndjson", lines.join("\n").as_bytes());
    let ways: Ways = &[("1", "65536", "1048576"), ("2", "65536", "1048576"), ("7", "262144", "65536")];
    same_bytes(&place, "in", &[], ways);
    let rows = place.rows();
    let lengths =
        ["b", "e", "f"].map(|id| rows.iter().find(|row| row.text("transaction_id") == id).unwrap().text("extra").len());
    assert_eq!(lengths, [(17 << 20) + "{\"x\":\"\"}".len(); 3]);
}

#[test]
fn little_memory_changes_no_row_and_threads_no_byte() {
    // Several windows at 64 MB of memory, and more rows of small partitions than may wait in it.
    let place = generated(500_000);
    let ways: Ways = &[("1", "262144", "1048576"), ("7", "50021", "90001")];
    let flags = ["--partition-by", "day", "--memory"];
    let rows = || -> Vec<String> { place.rows().iter().map(ToString::to_string).collect() };
    same_bytes(&place, "in", &[&flags[..], &["64MB"]].concat(), ways);
    let little = rows();
    same_bytes(&place, "in", &[&flags[..], &["2GB"]].concat(), &ways[..1]);
    assert!(little == rows(), "how much memory there is changes no row");
}

/// Records seen are in rows, quarantine or duplicates, per dump and in total.
fn conserves(manifest: &Value, report: &Value) {
    let number = |value: &Value| value.as_u64().unwrap();
    let dumps = manifest["dumps"].as_array().unwrap();
    let sum = |name: &str| dumps.iter().map(|dump| number(&dump[name])).sum::<u64>();
    for dump in dumps {
        assert_eq!(number(&dump["records"]), number(&dump["rows"]) + number(&dump["quarantined"]), "{dump}");
        assert!(number(&dump["duplicates"]) <= number(&dump["rows"]), "{dump}");
    }
    let [rows, quarantined, duplicates] = ["rows", "quarantined", "duplicates"].map(|name| number(&manifest[name]));
    assert_eq!((sum("rows"), sum("quarantined"), sum("duplicates")), (rows + duplicates, quarantined, duplicates));
    let records = &report["records"];
    assert_eq!(number(&records["seen"]), sum("records"));
    assert_eq!(number(&records["seen"]), rows + quarantined + duplicates);
    let split = number(&records["identical_duplicates"]) + number(&records["differing_duplicates"]);
    assert_eq!((number(&records["rows"]), number(&records["quarantined"]), split), (rows, quarantined, duplicates));
    let files = manifest["files"].as_array().unwrap();
    assert_eq!(files.iter().map(|file| number(&file["rows"])).sum::<u64>(), rows);
    let counts = |value: &Value| value.as_object().unwrap().values().map(number).sum::<u64>();
    for source in report["sources"].as_array().unwrap() {
        assert_eq!(counts(&source["states"]), number(&source["rows"]), "{source}");
        assert_eq!(counts(&source["classifications"]), number(&source["rows"]), "{source}");
    }
}

#[test]
fn what_the_manifest_says_is_what_is_there() {
    let place = generated(5_000);
    place.normalize(&["--quiet"]).exits(3);
    let (manifest, rows) = (place.manifest(), place.rows());
    conserves(&manifest, &place.report());
    assert_eq!(rows.len() as u64, manifest["rows"].as_u64().unwrap());
    assert_eq!(place.rejects().len() as u64, manifest["quarantined"].as_u64().unwrap());
    for dump in manifest["dumps"].as_array().unwrap() {
        let there = rows.iter().filter(|row| *row.get("source_file") == dump["path"]).count() as u64;
        assert_eq!(there, dump["rows"].as_u64().unwrap() - dump["duplicates"].as_u64().unwrap(), "{dump}");
    }
    let mut keys: Vec<_> = rows.iter().map(|row| (row.text("source"), row.id())).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), rows.len(), "one key, one row");
}

#[test]
fn rows_stand_in_input_order() {
    let place = generated(5_000);
    place.normalize(&["--quiet", "--partition-by", "none"]).exits(3);
    let places: Vec<_> = place.rows().iter().map(|row| (row.text("source_file").to_owned(), row.offset())).collect();
    assert!(places.is_sorted());
    assert!(places.len() > 100);
}

#[test]
fn the_folder_a_run_works_in_changes_nothing() {
    let (one, other) = (Place::new(), Place::new());
    for place in [&one, &other] {
        place.run(&["normalize", samples().to_str().unwrap(), "--out", "lake", "--quiet"]).exits(3);
    }
    assert_eq!(digests(&one.lake()), digests(&other.lake()));
}
