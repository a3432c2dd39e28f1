//! `paynorm check`: a run that writes nothing, told beforehand, place by place.

use std::fs;

use serde_json::json;

use crate::generate::dumps;
use crate::harness::{Place, command, good, gzip, parse};

/// Two sources, a duplicate, two bad records, a dump that nobody knows, one that is damaged, and a link.
fn place() -> Place {
    let bad = good("3").replace("\"amount\":2", "\"amount\":\"secret\"");
    let text = [good("1"), good("1"), bad, good("4").replace("\"id\":\"4\",", "")].join("\n");
    let other = r#"[{"id":"a","amount":"1.00","job":1,"team":2,"state":9,"timestamp":"2024-01-01T00:00:00Z"}]"#;
    let stored = gzip(good("9").as_bytes());
    let files = [("a.ndjson", text.as_bytes()), ("b.json", other.as_bytes()), ("c.json", b"[1]".as_slice())];
    let place = Place::with(&files);
    place.write("in/d.gz", &stored[..stored.len() - 2]);
    std::os::unix::fs::symlink("a.ndjson", place.path().join("in/link")).unwrap();
    place
}

#[test]
fn a_check_tells_what_a_run_would_come_to_and_writes_nothing() {
    let place = place();
    let temporary = place.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let run = command(place.path()).args(["check", "in", "--json"]).env("TMPDIR", "tmp").output().unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!((run.status.code(), place.names()), (Some(3), vec!["in".to_owned(), "tmp".to_owned()]));
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    assert!(!text.contains("secret"));
    let found = parse(&text);
    let (dumps, places) = (&found["dumps"], &found["quarantine"][0]["places"]);
    let named = dumps.as_array().unwrap().iter().map(|dump| (&dump["source"], &dump["dumps"], &dump["first"]));
    let expected = [(json!(null), json!(2), json!("c.json")), (json!("atpay"), json!(1), json!("a.ndjson"))];
    let expected = [&expected[..], &[(json!("spacivox"), json!(1), json!("b.json"))]].concat();
    assert_eq!(named.map(|(a, b, c)| (a.clone(), b.clone(), c.clone())).collect::<Vec<_>>(), expected);
    assert_eq!((&places[0]["source_file"], &places[0]["field"]), (&json!("a.ndjson"), &json!("amount")));
    assert_eq!(found["skipped"], json!([{"path": "link", "why": "a symbolic link"}]));
    // The run afterwards comes to the same.
    let told = parse(&place.normalize(&["--json"]).exits(3).stdout);
    assert_eq!(found["records"], told["records"]);
    assert_eq!(found["read"], told["read"]);
    let reasons = |report: &serde_json::Value| -> Vec<(serde_json::Value, serde_json::Value)> {
        let reasons = report["quarantine"].as_array().unwrap();
        let mut reasons: Vec<_> = reasons.iter().map(|one| (one["reason"].clone(), one["count"].clone())).collect();
        reasons.sort_by_key(|(reason, _)| reason.to_string());
        reasons
    };
    assert_eq!(reasons(&found), reasons(&told));
    let text = place.run(&["check", "in"]).exits(3).stdout;
    for line in ["not recognised", "a.ndjson:", "amount: ", "unknown state", "nothing was written"] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
    place.run(&["check", "in", "--max-quarantined", "1"]).exits(1);
    place.run(&["check"]).exits(2);
    place.run(&["check", "in", "--limit", "0"]).exits(2);
}

#[test]
fn a_limit_reads_the_first_records_of_each_dump() {
    let place = place();
    let found = parse(&place.run(&["check", "in", "--limit", "2", "--json"]).exits(3).stdout);
    // The damage stands behind the first record, and is found only by reading on.
    assert_eq!((&found["records"]["seen"], &found["records_per_dump"]), (&json!(5), &json!(2)));
    assert_eq!(found["records"]["identical_duplicates"], 1);
    place.write("in/a.ndjson", [good("1"), "{".to_owned()].join("\n").as_bytes());
    let found = parse(&place.run(&["check", "in/a.ndjson", "--limit", "1", "--json"]).exits(0).stdout);
    assert_eq!((&found["records"]["seen"], &found["records"]["rows"]), (&json!(1), &json!(1)));
}

#[test]
fn large_dumps_of_every_shape_check_as_they_run() {
    let place = Place::new();
    for (name, content) in dumps(20_000) {
        place.write(&format!("in/{name}"), &content);
    }
    let found = parse(&place.run(&["check", "in", "--json", "--memory", "64MB"]).exits(3).stdout);
    let told = parse(&place.normalize(&["--json"]).exits(3).stdout);
    assert_eq!(found["records"], told["records"]);
    assert_eq!(found["read"], told["read"]);
    let limited = parse(&place.run(&["check", "in", "--json", "--limit", "3"]).stdout);
    let seen = limited["records"]["seen"].as_u64().unwrap();
    assert!(seen > 0 && seen <= 3 * told["read"]["dumps"].as_u64().unwrap());
}

#[test]
fn how_far_a_run_is_is_told_on_standard_error_alone() {
    let place = Place::new();
    for (name, content) in dumps(20_000) {
        place.write(&format!("in/{name}"), &content);
    }
    let often = ["--progress-interval", "1"];
    for command in ["check", "normalize"] {
        let run = place.run(&[&[command, "in", "--out", "lake"][..], &often].concat()).exits(3);
        let line = run.stderr.lines().last().unwrap_or_default();
        assert!(line.contains(" read, ") && line.contains("/s), ") && line.ends_with(" in quarantine"), "{line:?}");
        assert!(!run.stdout.contains(" read, "));
    }
    let replace = ["normalize", "in", "--out", "lake", "--mode", "replace"];
    for flags in [&["--quiet", "--progress-interval", "1"][..], &[]] {
        assert_eq!(place.run(&[&replace[..], flags].concat()).exits(3).stderr, "", "{flags:?}");
    }
}
