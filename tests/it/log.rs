//! `--log-format json`: what standard error tells machines, each line an object, and no value of a record in any.

use serde_json::{Value, json};

use crate::harness::{Place, Run, command, good, gzip, parse};

/// A value that must never be told.
const CANARY: &str = "canary7519";

fn place() -> Place {
    let bad = good("3").replace("\"amount\":2", &format!("\"amount\":\"{CANARY}\""));
    let text = [good("1"), good("1"), bad, good(CANARY)].join("\n");
    let place = Place::with(&[("a.ndjson", text.as_bytes()), ("b\n.ndjson", good("2").as_bytes())]);
    let stored = gzip(good("9").as_bytes());
    place.write("in/c.gz", &stored[..stored.len() - 2]);
    std::os::unix::fs::symlink("a.ndjson", place.path().join("in/link")).unwrap();
    place
}

/// The events on standard error, each with its level and message; all have a time.
fn events(run: &Run) -> Vec<Value> {
    assert!(!run.stderr.contains(CANARY), "{}", run.stderr);
    let events: Vec<Value> = run.stderr.lines().map(parse).collect();
    for event in &events {
        assert!(event["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{event}");
        assert!(event["message"].is_string(), "{event}");
    }
    events
}

fn messages(events: &[Value]) -> Vec<(&str, &str)> {
    let text = |event: &'_ Value, name: &str| -> &str { event[name].as_str().unwrap().to_owned().leak() };
    events.iter().map(|event| (text(event, "level"), text(event, "message"))).collect()
}

#[test]
fn each_step_and_each_dump_is_an_event() {
    let place = place();
    let run = place.normalize(&["--log-format", "json", "--json"]).exits(3);
    let events = events(&run);
    let expected = [
        ("INFO", "run begins"),
        ("INFO", "skipped"),
        ("INFO", "dumps found"),
        ("INFO", "dump read"),
        ("INFO", "dump read"),
        ("WARN", "dump refused"),
        ("INFO", "written"),
        ("INFO", "published"),
    ];
    assert_eq!(messages(&events), expected);
    let read = |at: usize| ["dump", "source", "records", "rows", "quarantined"].map(|name| events[at][name].clone());
    assert_eq!(read(3), [json!("a.ndjson"), json!("atpay"), json!(4), json!(3), json!(1)]);
    assert_eq!(read(4), [json!("b\n.ndjson"), json!("atpay"), json!(1), json!(1), json!(0)]);
    assert_eq!((&events[5]["dump"], &events[5]["reason"]), (&json!("c.gz"), &json!("corrupt_compression")));
    assert_eq!((&events[6]["files"], &events[6]["rows_dropped"]), (&json!(1), &json!(1)));
    assert_eq!(events[7]["run_id"], parse(&run.stdout)["run_id"], "the summary is on standard output alone");
    let again = place.normalize(&["--log-format", "json", "--mode", "merge"]).exits(3);
    assert_eq!(messages(&self::events(&again)).last(), Some(&("INFO", "published")), "the damaged dump came again");
    std::fs::remove_file(place.path().join("in/c.gz")).unwrap();
    let again = place.normalize(&["--log-format", "json", "--mode", "merge"]).exits(0);
    assert_eq!(messages(&self::events(&again)).last(), Some(&("INFO", "nothing new")));
}

#[test]
fn errors_are_events_with_their_exit_code() {
    let place = place();
    for (flags, code) in [(&["--max-quarantined", "0"][..], 1), (&["--source", "nobody"], 2)] {
        for quiet in [&["--quiet"][..], &[]] {
            let run = place.normalize(&[&["--log-format", "json"], flags, quiet].concat()).exits(code);
            let events = events(&run);
            let last = events.last().unwrap();
            assert_eq!((&last["level"], &last["exit_code"]), (&json!("ERROR"), &json!(code)));
            assert!(quiet.is_empty() || events.iter().all(|event| event["level"] != "INFO"), "{events:?}");
        }
    }
}

#[test]
fn a_variable_asks_for_it_too_and_progress_is_an_event() {
    let place = Place::new();
    for (name, content) in crate::generate::dumps(20_000) {
        place.write(&format!("in/{name}"), &content);
    }
    let told = |command: &mut std::process::Command| {
        let done = command.env("PAYNORM_LOG_FORMAT", "json").output().unwrap();
        String::from_utf8(done.stderr).unwrap().lines().map(parse).collect::<Vec<_>>()
    };
    let events = told(command(place.path()).args(["check", "in", "--progress-interval", "1"]));
    let progress: Vec<_> = events.iter().filter(|event| event["message"] == "progress").collect();
    let last = progress.last().expect("a check takes more than a millisecond");
    assert!(last["read"].as_u64() <= last["total"].as_u64() && last["records"].is_u64(), "{last}");
    let records = |name: &str| events.iter().filter_map(|event| event[name].as_u64()).max();
    assert!(records("dumps") > Some(5));
    let dataset = place.normalize(&["--quiet"]).exits(3);
    assert_eq!(dataset.stderr, "");
    let compacted = told(command(place.path()).args(["compact", "lake"]));
    assert_eq!(messages(&compacted), [("INFO", "nothing new")], "each partition has one file");
    place.normalize(&["--log-format", "yaml"]).exits(2);
}
