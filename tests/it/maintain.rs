//! Through the real binary: `replay` tries the quarantine again, `compact` puts files together. Rows are what counts.

use std::fs;

use crate::harness::{Place, digests, parse};

/// One transaction of a source that writes local times.
fn local(id: &str, time: &str) -> String {
    format!(r#"{{"id":"{id}","amount":"1.00","job":1,"team":2,"state":1,"timestamp":"{time}"}}"#)
}

const SKIPPED: &str = "2024-03-31T02:30:00";

fn place() -> Place {
    let text = format!("[{},{},7]", local("a", SKIPPED), local("b", "2024-03-30T02:30:00"));
    let place = Place::with(&[("d.json", text.as_bytes())]);
    place.normalize(&["--timezone", "spacivox=Europe/Zurich"]).exits(3);
    place
}

#[test]
fn what_passes_now_leaves_the_quarantine() {
    let place = place();
    let before = place.rows();
    assert_eq!((before.len(), place.rejects().len()), (1, 2));
    let run = place.run(&["replay", "lake", "--json", "--timezone", "spacivox=UTC"]).exits(3);
    let report = parse(&run.stdout);
    assert_eq!((&report["tried"], &report["passed"], &report["rows"]), (&2.into(), &1.into(), &1.into()));
    // What is left is what no setting mends, as it was.
    let left = place.rejects();
    assert_eq!((left.len(), left[0]["reason"].as_str()), (1, Some("wrong_type")));
    // The rows are those of a run that read the dump with the settings of the replay, lineage included.
    let other = Place::with(&[("d.json", &fs::read(place.path().join("in/d.json")).unwrap())]);
    other.normalize(&[]).exits(3);
    let mut rows = place.rows();
    rows.sort_by_key(crate::harness::Row::offset);
    let id = |row: &crate::harness::Row| row.text("transaction_id").to_owned();
    assert_eq!(rows.iter().map(id).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(rows[0], other.rows()[0]);
    let dump = &place.manifest()["dumps"][0];
    assert_eq!((&dump["records"], &dump["rows"], &dump["quarantined"]), (&3.into(), &2.into(), &1.into()));
    assert_eq!(place.names(), ["in", "lake"]);
}

#[test]
fn a_replay_of_what_is_still_bad_changes_nothing() {
    let place = place();
    let before = digests(&place.lake());
    place.run(&["replay", "lake"]).exits(3);
    place.run(&["replay", "lake", "--timezone", "spacivox=Europe/Zurich"]).exits(3);
    assert_eq!(digests(&place.lake()), before);
    assert_eq!(place.names(), ["in", "lake"]);
}

#[test]
fn a_replayed_record_is_one_key_among_others() {
    let place = place();
    place.write("in/e.json", format!("[{}]", local("a", "2024-04-01T00:00:00")).as_bytes());
    place.normalize(&["--mode", "merge"]).exits(0);
    let report = parse(&place.run(&["replay", "lake", "--json", "--timezone", "spacivox=UTC"]).exits(3).stdout);
    assert_eq!((&report["rows"], &report["dropped"], &report["replaced"]), (&1.into(), &1.into(), &0.into()));
    let mut files: Vec<_> = place.rows().iter().map(|row| row.text("source_file").to_owned()).collect();
    files.sort();
    assert_eq!(files, ["d.json", "e.json"], "the later dump's record stays");
}

#[test]
fn of_a_dump_that_was_read_twice_the_later_content_stays() {
    let zone = ["--mode", "merge", "--timezone", "spacivox=Europe/Zurich"];
    let amounts = |place: &Place| -> Vec<(String, String)> {
        let rows = place.rows();
        rows.iter().map(|row| (row.text("transaction_id").to_owned(), row.text("gross_amount").to_owned())).collect()
    };
    let corrected = local("a", SKIPPED).replace("1.00", "9.00");
    let (good, other) = (local("a", "2024-03-30T02:30:00"), local("b", "2024-03-30T02:30:00"));
    // The correction could not be read at first, and stands before the place of what it corrects.
    let place = Place::with(&[("d.json", format!("[{other},{good}]").as_bytes())]);
    place.normalize(&zone).exits(0);
    place.write("in/d.json", format!("[{corrected}]").as_bytes());
    place.normalize(&zone).exits(3);
    place.run(&["replay", "lake", "--timezone", "spacivox=UTC"]).exits(0);
    assert!(amounts(&place).contains(&("a".to_owned(), "9.0000".to_owned())), "{:?}", amounts(&place));
    let counts: Vec<_> =
        place.manifest()["dumps"].as_array().unwrap().iter().map(|dump| dump["rows"].clone()).collect();
    assert_eq!(counts, [2, 1]);
    // What could not be read was corrected since, and stands behind.
    let place = Place::with(&[("d.json", format!("[{other},{corrected}]").as_bytes())]);
    place.normalize(&zone).exits(3);
    place.write("in/d.json", format!("[{good}]").as_bytes());
    place.normalize(&zone).exits(0);
    place.run(&["replay", "lake", "--timezone", "spacivox=UTC"]).exits(0);
    assert!(amounts(&place).contains(&("a".to_owned(), "1.0000".to_owned())), "{:?}", amounts(&place));
    let counts: Vec<_> =
        place.manifest()["dumps"].as_array().unwrap().iter().map(|dump| dump["rows"].clone()).collect();
    assert_eq!(counts, [2, 1]);
    place.run(&["verify", "lake"]).exits(0);
}

#[test]
fn compact_changes_no_row() {
    let place = Place::new();
    for day in 1..=5 {
        let text = format!("[{}]", local(&format!("id{day}"), &format!("2024-05-0{day}T00:00:00")));
        place.write(&format!("in/{day}.json"), text.as_bytes());
        place.normalize(&["--mode", "merge"]).exits(0);
    }
    place.write("in/other.json", format!("[{},7]", local("alone", "2024-06-01T00:00:00")).as_bytes());
    place.normalize(&["--mode", "merge"]).exits(3);
    let (before, rejects) = (place.rows(), place.rejects());
    assert_eq!(place.manifest()["files"].as_array().unwrap().len(), 6);
    let report = parse(&place.run(&["compact", "lake", "--json"]).exits(0).stdout);
    assert_eq!(
        (&report["files_before"], &report["files_now"], &report["rewritten"]),
        (&6.into(), &2.into(), &5.into())
    );
    let sorted = |mut rows: Vec<crate::harness::Row>| {
        rows.sort_by_key(|row| row.text("transaction_id").to_owned());
        rows
    };
    assert_eq!(sorted(place.rows()), sorted(before));
    assert_eq!(place.rejects(), rejects);
    let compacted = digests(&place.lake());
    place.run(&["compact", "lake"]).exits(0);
    assert_eq!(digests(&place.lake()), compacted, "nothing is left to do");
    // A merge goes on from there.
    place.normalize(&["--mode", "merge"]).exits(0);
    assert_eq!(digests(&place.lake()), compacted, "every dump is known");
}

#[test]
fn only_datasets_are_maintained() {
    let place = Place::new();
    for command in ["replay", "compact"] {
        assert!(place.run(&[command, "in"]).exits(2).stderr.contains("no dataset of paynorm"));
        assert!(place.run(&[command, "nowhere"]).exits(2).stderr.contains("no dataset of paynorm"));
    }
    let place = place_with_damage();
    for command in ["replay", "compact"] {
        let run = place.run(&[command, "lake"]).exits(1);
        assert!(run.stderr.contains("manifest.json is damaged"), "{}", run.stderr);
    }
    assert_eq!(place.names(), ["in", "lake"]);
}

fn place_with_damage() -> Place {
    let place = place();
    fs::write(place.lake().join("_paynorm/manifest.json"), "{").unwrap();
    place
}
