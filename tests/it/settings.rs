//! Through the real binary: a dataset keeps what was told of its sources, and what is added to it is read the same way but
//! where something else is told.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Place, Row, Run, digests, parse};

/// A time that Zurich's clocks skipped, and one that they showed.
const SKIPPED: &str = "2021-03-28T02:30:00";
const SHOWN: &str = "2021-03-29T02:30:00";
const ZURICH: &[&str] = &["--timezone", "paydata=Europe/Zurich"];

/// A booked transaction of paydata with a local time, a word that is not documented and an amount without currency.
fn booked(id: &str, time: &str) -> String {
    format!(r#"{{"id":"{id}","bookingDate":"{time}","gross":{{"value":1}},"paymentClassification":"Fee"}}"#)
}

/// A payment of spacivox, of a state that is not documented.
fn paid(id: &str, state: u8) -> String {
    format!(r#"{{"id":"{id}","amount":"1.00","job":1,"team":2,"state":{state},"timestamp":"{SHOWN}"}}"#)
}

/// A dataset of one good record and one whose local time does not exist.
fn place() -> Place {
    let place = Place::with(&[("a.json", format!("[{},{}]", booked("1", SHOWN), booked("2", SKIPPED)).as_bytes())]);
    place.normalize(ZURICH).exits(3);
    place
}

/// `id column` of every row, sorted.
fn column(place: &Place, name: &str) -> Vec<String> {
    let value = |row: &Row| format!("{} {}", row.id(), row.get(name).as_str().unwrap_or("-"));
    let mut values: Vec<_> = place.rows().iter().map(value).collect();
    values.sort_unstable();
    values
}

fn settings(place: &Place) -> Value {
    place.manifest()["settings"].clone()
}

/// The lines of the history.
fn lines(place: &Place) -> Vec<Value> {
    let text = fs::read_to_string(place.lake().join("_paynorm/history.jsonl")).unwrap();
    text.lines().map(parse).collect()
}

/// The settings of the dataset after each run, by the history.
fn history(place: &Place) -> Vec<Value> {
    lines(place).iter().map(|line| line["settings"].clone()).collect()
}

/// Replaces the settings of the manifest.
fn tell_manifest(place: &Place, settings: Value) {
    let path = place.lake().join("_paynorm/manifest.json");
    let mut manifest = place.manifest();
    manifest["settings"] = settings;
    fs::write(path, manifest.to_string()).unwrap();
}

fn merge(place: &Place, flags: &[&str]) -> Run {
    place.normalize(&[&["--mode", "merge"], flags].concat())
}

#[test]
fn a_replay_has_the_settings_of_the_dataset_unless_others_are_told() {
    let place = place();
    assert_eq!(settings(&place), json!({"paydata": {"timezone": "Europe/Zurich"}}));
    let before = digests(&place.lake());
    let run = place.run(&["replay", "lake"]).exits(3);
    assert!(run.stdout.starts_with("passed: 0 of 1 ") && run.stderr.is_empty(), "{run:?}");
    // Nothing passes in this zone either, so nothing is published and the dataset keeps its own.
    place.run(&["replay", "lake", "--timezone", "paydata=Europe/Vienna"]).exits(3);
    assert_eq!(digests(&place.lake()), before);

    let run = place.run(&["replay", "lake", "--timezone", "paydata=UTC"]).exits(0);
    assert_eq!(
        run.stderr,
        "warning: in this run alone, the timezone of paydata is UTC (the dataset's: Europe/Zurich); later runs have the \
         dataset's again\n"
    );
    let expected = ["1 2021-03-29T00:30:00.000000Z", "2 2021-03-28T02:30:00.000000Z"];
    assert_eq!(column(&place, "occurred_at"), expected);
    let zurich = json!({"paydata": {"timezone": "Europe/Zurich"}});
    assert_eq!((settings(&place), history(&place)), (zurich.clone(), vec![zurich.clone(); 2]));
    assert_eq!(lines(&place).iter().map(|line| &line["once"]).collect::<Vec<_>>(), [&Value::Null, &json!({})]);
    let page = fs::read_to_string(place.lake().join("_paynorm/report.html")).unwrap();
    assert!(page.contains("the timezone of paydata is UTC (the dataset&#39;s: Europe/Zurich)"), "{page}");
    place.run(&["verify", "lake"]).exits(0);
    // The next merge is as if that had not been.
    place.write("in/b.json", format!("[{}]", booked("3", SKIPPED)).as_bytes());
    let run = merge(&place, &["--json"]).exits(3);
    assert_eq!((run.stderr.as_str(), &parse(&run.stdout)["merge"]["settings_changed"]), ("", &Value::Null));
    assert_eq!((settings(&place), column(&place, "occurred_at").len()), (zurich, 2));
}

#[test]
fn a_merge_has_the_settings_of_the_dataset_and_words_and_currency_too() {
    let config = b"[sources.paydata]\ntimezone = \"Europe/Zurich\"\ncurrency = \"CHF\"\n\
        classification = { Fee = \"service_fee\" }\n[sources.spacivox.state]\n7 = \"failed\"\n";
    let dumps = [
        ("a.json", format!("[{}]", booked("1", SHOWN))),
        ("b.json", format!("[{}]", booked("2", SHOWN))),
        ("c.json", format!("[{}]", paid("3", 7))),
    ];
    let (whole, split) = (Place::new(), Place::new());
    for place in [&whole, &split] {
        place.write("paynorm.toml", config);
    }
    for (name, content) in &dumps {
        whole.write(&format!("in/{name}"), content.as_bytes());
        split.write(&format!("in/{name}"), content.as_bytes());
        if split.lake().exists() {
            assert_eq!(merge(&split, &["--base", "in", "--no-config"]).exits(0).stderr, "");
        } else {
            split.normalize(&["--base", "in"]).exits(0);
        }
    }
    whole.normalize(&[]).exits(0);
    let sorted = |place: &Place| {
        let mut rows: Vec<_> = place.rows().iter().map(ToString::to_string).collect();
        rows.sort_unstable();
        rows
    };
    assert_eq!(sorted(&split), sorted(&whole));
    assert_eq!(column(&split, "currency"), ["1 CHF", "2 CHF", "3 -"]);
    assert_eq!(column(&split, "classification"), ["1 service_fee", "2 service_fee", "3 payment"]);
    assert_eq!(column(&split, "state"), ["1 succeeded", "2 succeeded", "3 failed"]);
    let paydata = json!({"currency": "CHF", "timezone": "Europe/Zurich", "classification": {"Fee": "service_fee"}});
    let expected = json!({"paydata": paydata, "spacivox": {"state": {"7": "failed"}}});
    assert_eq!((settings(&split), settings(&whole)), (expected.clone(), expected.clone()));
    split.run(&["compact", "lake"]).exits(0);
    assert_eq!(settings(&split), expected);
    assert_eq!(history(&split), vec![expected; 4]);
}

#[test]
fn told_or_taken_over_the_bytes_are_the_same() {
    let (told, taken) = (place(), place());
    for place in [&told, &taken] {
        place.write("in/b.json", format!("[{}]", booked("3", SHOWN)).as_bytes());
    }
    assert_eq!(merge(&told, ZURICH).exits(0).stderr, "");
    merge(&taken, &[]).exits(0);
    assert_eq!(digests(&told.lake()), digests(&taken.lake()));
    // What is told besides leaves the rest.
    for place in [&told, &taken] {
        place.write("in/c.json", format!("[{}]", booked("4", SHOWN)).as_bytes());
    }
    merge(&told, &[ZURICH, &["--currency", "paydata=EUR"]].concat()).exits(0);
    merge(&taken, &["--currency", "paydata=EUR"]).exits(0);
    assert_eq!(digests(&told.lake()), digests(&taken.lake()));
    assert_eq!(settings(&taken), json!({"paydata": {"currency": "EUR", "timezone": "Europe/Zurich"}}));
    assert_eq!(column(&taken, "currency"), ["1 -", "3 -", "4 EUR"]);
}

#[test]
fn what_is_told_otherwise_counts_and_is_told() {
    let place = place();
    place.write("in/b.json", format!("[{}]", booked("3", SKIPPED)).as_bytes());
    let flags = ["--json", "--timezone", "paydata=UTC", "--currency", "paydata=EUR"];
    let run = merge(&place, &flags).exits(0);
    let changed = json!([
        {"source": "paydata", "setting": "currency", "was": null, "is": "EUR"},
        {"source": "paydata", "setting": "timezone", "was": "Europe/Zurich", "is": "UTC"},
    ]);
    assert_eq!(parse(&run.stdout)["merge"]["settings_changed"], changed);
    assert_eq!(place.report()["merge"]["settings_changed"], changed);
    assert!(
        run.stderr.contains("the currency of paydata is EUR (before: none); rows that are there"),
        "{}",
        run.stderr
    );
    assert_eq!(column(&place, "occurred_at"), ["1 2021-03-29T00:30:00.000000Z", "3 2021-03-28T02:30:00.000000Z"]);
    assert_eq!(settings(&place), json!({"paydata": {"currency": "EUR"}}));
    // From now on it is so.
    place.write("in/c.json", format!("[{}]", booked("4", SKIPPED)).as_bytes());
    let run = merge(&place, &["--json"]).exits(0);
    assert_eq!((run.stderr.as_str(), &parse(&run.stdout)["merge"]["settings_changed"]), ("", &Value::Null));
    assert_eq!(column(&place, "currency"), ["1 -", "3 EUR", "4 EUR"]);
    // The log of machines has it, also where nothing else is printed; a source without rows has no row that differs.
    place.write("in/d.json", format!("[{}]", booked("5", SHOWN)).as_bytes());
    let flags =
        ["--quiet", "--log-format", "json", "--timezone", "atpay=Asia/Tokyo", "--timezone", "paydata=Asia/Tokyo"];
    let run = merge(&place, &flags).exits(0);
    let event = parse(&run.stderr);
    assert_eq!((&event["level"], run.stderr.lines().count()), (&json!("WARN"), 1));
    assert!(event["message"].as_str().unwrap().contains("the timezone of paydata is Asia/Tokyo (before: UTC)"));
    assert_eq!(settings(&place)["atpay"], json!({"timezone": "Asia/Tokyo"}));
}

#[test]
fn words_are_told_as_a_whole() {
    let place = Place::with(&[("a.json", format!("[{},{}]", paid("1", 7), paid("2", 8)).as_bytes())]);
    let words = |words: &str| {
        place.write("paynorm.toml", format!("[sources.spacivox.state]\n{words}\n").as_bytes());
    };
    words("7 = \"failed\"\n8 = \"pending\"");
    place.normalize(&[]).exits(0);
    place.write("in/b.json", format!("[{},{}]", paid("3", 7), paid("4", 8)).as_bytes());
    words("8 = \"failed\"");
    let run = merge(&place, &[]).exits(0);
    assert!(run.stderr.contains("the words for the state of spacivox are others; rows"), "{}", run.stderr);
    assert_eq!(column(&place, "state"), ["1 failed", "2 pending", "3 unknown", "4 failed"]);
    assert_eq!(settings(&place), json!({"spacivox": {"state": {"8": "failed"}}}));
    // A table without a word tells nothing.
    place.write("in/c.json", format!("[{}]", paid("5", 8)).as_bytes());
    words("");
    assert_eq!(merge(&place, &[]).exits(0).stderr, "");
    assert_eq!(column(&place, "state")[4], "5 failed");
}

#[test]
fn a_dataset_that_is_made_anew_has_what_is_told_alone() {
    let place = place();
    place.normalize(&["--mode", "replace"]).exits(0);
    assert_eq!(column(&place, "occurred_at"), ["1 2021-03-29T02:30:00.000000Z", "2 2021-03-28T02:30:00.000000Z"]);
    assert_eq!((settings(&place), history(&place)), (Value::Null, vec![Value::Null]));
    // A merge into nothing is no other.
    fs::remove_dir_all(place.lake()).unwrap();
    merge(&place, ZURICH).exits(3);
    assert_eq!(settings(&place), json!({"paydata": {"timezone": "Europe/Zurich"}}));
}

#[test]
fn a_manifest_without_settings_tells_the_defaults() {
    let place = Place::with(&[("a.json", format!("[{}]", booked("1", SHOWN)).as_bytes())]);
    place.normalize(&["--timezone", "paydata=UTC"]).exits(0);
    for name in ["manifest.json", "history.jsonl", "report.json"] {
        let text = fs::read_to_string(place.lake().join("_paynorm").join(name)).unwrap();
        assert!(!text.contains("settings"), "{name} says nothing where nothing is told");
    }
    place.write("in/b.json", format!("[{}]", booked("2", SHOWN)).as_bytes());
    merge(&place, &[]).exits(0);
    assert_eq!(column(&place, "occurred_at"), ["1 2021-03-29T02:30:00.000000Z", "2 2021-03-29T02:30:00.000000Z"]);
}

#[test]
fn damaged_settings_are_refused() {
    let place = place();
    place.write("in/b.json", format!("[{}]", booked("3", SHOWN)).as_bytes());
    for (damaged, what) in [
        (json!({"paydata": {"timezone": "Mars/Base"}}), "settings.paydata.timezone is no time zone"),
        (json!({"spacivox": {"currency": "EURO"}}), "settings.spacivox.currency is no currency"),
        (json!({"spacivox": {"state": {"7": "Mars"}}}), "settings.spacivox.state has a word that stands for no state"),
        (json!({"paydata": {"classification": {"Fee": "Mars"}}}), "a word that stands for no classification"),
        (json!({"Mars": {}}), "settings.Mars is of no known source"),
    ] {
        tell_manifest(&place, damaged);
        let before = digests(&place.lake());
        let upkeep = ["replay", "compact"].map(|command| place.run(&[command, "lake"]));
        for run in [merge(&place, &[]), merge(&place, ZURICH)].into_iter().chain(upkeep) {
            let run = run.exits(1);
            assert!(run.stderr.starts_with("error: the manifest of lake is damaged: settings."), "{}", run.stderr);
            assert!(run.stderr.contains(what), "{}", run.stderr);
        }
        let run = place.run(&["verify", "lake"]).exits(1);
        assert!(run.stdout.contains("its last run did not leave the dataset that is there"), "{}", run.stdout);
        assert_eq!((digests(&place.lake()), place.names()), (before, vec!["in".to_owned(), "lake".to_owned()]));
    }
}
