//! Through the real binary: what a run is told by `paynorm.toml`, the environment and the flags, and who wins.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Place, Run, command, digests, good, parse};

/// A place with one good dump of atpay and a configuration beside it.
fn place(toml: &str) -> Place {
    let place = Place::with(&[("a.ndjson", good("1").as_bytes())]);
    place.write("paynorm.toml", toml.as_bytes());
    place
}

/// Runs the binary with variables of the environment.
fn run_with(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let output = command(place.path()).args(arguments).envs(variables.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The value of a key and who told it.
#[track_caller]
fn in_force(shown: &Value, key: &str) -> (Value, String) {
    let is_key = |value: &&Value| {
        let parts: Vec<_> = value["key"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
        parts.join(".") == key
    };
    let found =
        shown["values"].as_array().unwrap().iter().find(is_key).unwrap_or_else(|| panic!("no {key} in {shown}"));
    (found["value"].clone(), found["from"].as_str().unwrap().to_owned())
}

#[track_caller]
fn refuses(toml: &str, message: &str) {
    let place = place(toml);
    let run = place.run(&["config", "--show"]).exits(2);
    assert!(run.stderr.contains(message), "{toml}\n{message:?} is not in {}", run.stderr);
    let run = place.run(&["normalize"]).exits(2);
    assert!(run.stderr.contains(message) && run.stdout.is_empty(), "{}", run.stderr);
    assert_eq!(place.names(), ["in", "paynorm.toml"]);
}

/// The example in the documentation.
fn documented() -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md")).unwrap();
    text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

#[test]
fn a_complete_configuration_needs_no_flags() {
    let place = place("inputs = [\"in\"]\noutput = \"lake\"\n");
    place.run(&["normalize"]).exits(0);
    assert_eq!(place.rows().len(), 1);
    let other = Place::with(&[("a.ndjson", good("1").as_bytes())]);
    other.normalize(&[]).exits(0);
    assert_eq!(digests(&place.lake()), digests(&other.lake()), "told by a file or by flags, the dataset is the same");
}

#[test]
fn what_is_not_told_is_asked_for() {
    let place = place("output = \"lake\"");
    assert!(place.run(&["normalize"]).exits(2).stderr.contains("`inputs`"));
    place.write("paynorm.toml", b"inputs = [\"in\"]");
    assert!(place.run(&["normalize"]).exits(2).stderr.contains("`output`"));
}

#[test]
fn later_layers_win_and_each_value_has_its_origin() {
    let place = place("keep_going = true\noutput = \"file\"\n[limits]\nthreads = 1\nmemory = \"100MB\"\n");
    let variables = [("PAYNORM_THREADS", "2"), ("PAYNORM_MEMORY", "200MB"), ("PAYNORM_OUT", "variable")];
    let flags = ["config", "--show", "--json", "--memory", "300MB", "--keep-going=false", "in"];
    let shown = parse(&run_with(&place, &flags, &variables).exits(0).stdout);
    for (key, value, from) in [
        ("inputs", serde_json::json!(["in"]), "INPUT"),
        ("output", "variable".into(), "PAYNORM_OUT"),
        ("base", Value::Null, "default"),
        ("mode", "create".into(), "default"),
        ("keep_going", false.into(), "--keep-going"),
        ("limits.threads", 2.into(), "PAYNORM_THREADS"),
        ("limits.memory", "300MB".into(), "--memory"),
    ] {
        assert_eq!(in_force(&shown, key), (value, from.to_owned()), "{key}");
    }
    let shown = parse(&place.run(&["config", "--json"]).exits(0).stdout);
    assert_eq!(in_force(&shown, "limits.threads"), (1.into(), "paynorm.toml:4".to_owned()));
    assert_eq!(shown["config"], "paynorm.toml");
    let shown = parse(&place.run(&["config", "--json", "--no-config"]).exits(0).stdout);
    assert_eq!((in_force(&shown, "output").0, &shown["config"]), (Value::Null, &Value::Null));
}

#[test]
fn variables_are_checked_like_flags() {
    let place = place("");
    for (name, value, message) in [
        ("PAYNORM_THREADS", "0", "PAYNORM_THREADS=0: at least one thread"),
        ("PAYNORM_THREADS", "", "expected a number"),
        ("PAYNORM_MEMORY", "lots", "PAYNORM_MEMORY=lots: expected a size"),
        ("PAYNORM_CONFIG", "nowhere.toml", "can't read the configuration nowhere.toml"),
    ] {
        let run = run_with(&place, &["normalize", "in", "--out", "lake"], &[(name, value)]).exits(2);
        assert!(run.stderr.contains(message), "{}", run.stderr);
    }
}

#[test]
fn the_output_of_show_is_a_configuration() {
    let place = place("");
    place.write("hash.key", b"0123456789abcdef0123456789abcdef\n");
    chmod(&place, "hash.key", 0o600);
    place.write("documented.toml", documented().as_bytes());
    let shown = place.run(&["config", "--show", "--config", "documented.toml"]).exits(0).stdout;
    assert!(!shown.contains("0123456789abcdef"), "{shown}");
    place.write("again.toml", shown.as_bytes());
    let json = |file: &str| parse(&place.run(&["config", "--json", "--config", file]).exits(0).stdout);
    let values = |shown: &Value| -> Vec<_> {
        shown["values"].as_array().unwrap().iter().map(|value| (value["key"].clone(), value["value"].clone())).collect()
    };
    let (first, again) = (json("documented.toml"), json("again.toml"));
    assert_eq!(values(&first), values(&again));
    assert_eq!(first["hash_key"], again["hash_key"]);
}

fn chmod(place: &Place, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(place.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_documented_example_tells_every_key() {
    let place = place("");
    place.write("hash.key", b"0123456789abcdef\n");
    chmod(&place, "hash.key", 0o600);
    place.write("documented.toml", documented().as_bytes());
    let shown = parse(&place.run(&["config", "--json", "--config", "documented.toml"]).exits(0).stdout);
    let values = shown["values"].as_array().unwrap();
    let top = |value: &Value| value["key"].as_array().unwrap()[0].as_str().unwrap().to_owned();
    // Of sources and personal data the example shows each kind of key once.
    let general = values.iter().filter(|value| !["sources", "personal"].contains(&top(value).as_str()));
    for value in general {
        assert!(value["from"].as_str().unwrap().starts_with("documented.toml:"), "{value}");
    }
    for (key, value) in [
        ("sources.spacivox.glob", serde_json::json!(["crowd/**"])),
        ("sources.spacivox.currency", "EUR".into()),
        ("sources.spacivox.timezone", "Europe/Zurich".into()),
        ("sources.spacivox.state.7", "failed".into()),
        ("sources.paydata.classification.Fee", "service_fee".into()),
        ("personal.payer_email", "hash".into()),
        ("personal.anonymous", "drop-payer".into()),
        ("personal.extra.phone", "hash".into()),
        ("limits.max_quarantined", "0.1%".into()),
    ] {
        assert_eq!(in_force(&shown, key).0, value, "{key}");
    }
}

#[test]
fn what_is_not_known_is_an_error_with_its_line_and_a_suggestion() {
    refuses(
        "output = \"lake\"\npartiton_by = \"feed\"",
        "paynorm.toml:2: partiton_by: there is no such key\n  hint: did you mean partition_by?",
    );
    refuses("threads = 2", "did you mean limits.threads?");
    refuses(
        "[limits]\nmemori = \"1GB\"",
        "paynorm.toml:2: limits.memori: there is no such key\n  hint: did you mean limits.memory?",
    );
    refuses("[limit]\nmemory = \"1GB\"", "did you mean limits");
    refuses("nonsense = 1", "known keys are inputs, output");
    refuses("[sources.spacivoks]\ncurrency = \"EUR\"", "did you mean spacivox?");
    refuses("[sources.spacivox]\ncurency = \"EUR\"", "did you mean sources.spacivox.currency?");
    refuses("[sources.spacivox.states]\n7 = \"failed\"", "did you mean sources.spacivox.state?");
    refuses("[personal]\npayer_mail = \"hash\"", "did you mean payer_email?");
    refuses("[personal]\nkey = \"0123456789abcdef\"", "paynorm.toml:2: personal.key: the key does not stand here");
    refuses("[personal]\ntransaction_id = \"drop\"", "needed in every row");
}

#[test]
fn values_that_do_not_fit_are_errors_with_their_line() {
    refuses("output = 1.5", "paynorm.toml:1: output: expected a string");
    refuses("\n\nkeep_going = \"yes\"", "paynorm.toml:3: keep_going: expected true or false");
    refuses("output = [\"a\", \"b\"]", "expected a path");
    refuses("mode = \"append\"", "create, replace or merge");
    refuses("compression = \"gzip\"", "zstd or snappy");
    refuses("partition_by = [\"feed\", \"week\"]", "feed, year, month, day; or none");
    refuses("quarantine_raw = false", "keep or none");
    refuses("limits = 1", "expected a table, as in [limits]");
    refuses("[limits]\nmemory = { size = 1 }", "expected a value, no table");
    refuses("[limits]\nthreads = 0", "at least one");
    refuses("[sources.twocloud]\ncurrency = \"EUR\"", "has its own currency");
    refuses("[sources.paydata]\ntimezone = \"Europe/Bern\"", "Europe/Zurich");
    refuses("[sources.paydata]\nglob = \"[x\"", "the pattern is not valid");
    refuses("output = ", "paynorm.toml:1:");
    refuses("output = \"a\"\noutput = \"b\"", "paynorm.toml:2:");
    refuses("inputs = [\"-\", \"-\"]", "only once");
}

#[test]
fn only_words_that_are_not_documented_can_be_told() {
    refuses("[sources.twocloud.state]\nerror = \"pending\"", "documented as failed");
    refuses("[sources.twocloud.state]\nerror = \"failed\"", "documented as failed");
    refuses("[sources.twocloud.state]\ncharging = \"charged\"", "no word of the unified schema");
    refuses("[sources.twocloud.state]\ncharging = \"unknown\"", "unknown already");
    refuses("[sources.twocloud.state]\n\"\" = \"failed\"", "says nothing");
    refuses("[sources.paydata.state]\nbooked = \"succeeded\"", "writes no state");
    refuses("[sources.atpay.classification]\ngift = \"donation\"", "writes no classification");
    refuses("[sources.paydata.classification]\nPayout = \"transfer\"", "documented as payout");
}

#[test]
fn words_that_are_told_are_known() {
    let dumps = [
        ("s", r#"[{"id":"s","amount":"1.00","job":1,"team":2,"state":7,"timestamp":"2024-01-01T00:00:00Z"}]"#),
        ("t", r#"[{"id":1,"remote_id":"r","amount":100,"created":"2024-01-01T00:00:00Z","status":"charging"}]"#),
        (
            "o",
            r#"[{"transactionGuid":"o","amount":5,"transactionTs":"2024-01-01 00:00:00 +0000","transactionType":"Dispute"}]"#,
        ),
        ("p", r#"[{"id":"p","bookingDate":"2024-01-01","gross":{"value":1},"paymentClassification":"Fee"}]"#),
        ("a", r#"[{"id":"a","timestamp":1,"offer_name":"o","amount":1,"status":"Half"}]"#),
    ];
    let dumps = dumps.map(|(name, text)| (name, text.as_bytes()));
    let place = Place::with(&dumps);
    let plain = |place: &Place| {
        let mut rows = place.rows();
        rows.sort_by_key(|row| row.text("source_file").to_owned());
        let words = |row: &crate::harness::Row| [row.text("state").to_owned(), row.text("classification").to_owned()];
        rows.iter().flat_map(words).collect::<Vec<_>>().join(" ")
    };
    place.normalize(&[]).exits(0);
    let run_id = place.manifest()["run_id"].clone();
    assert_eq!(plain(&place), "unknown payment succeeded unknown succeeded unknown unknown payment unknown payment");
    place.write(
        "paynorm.toml",
        b"[sources.spacivox.state]\n7 = \"failed\"\n[sources.twocloud.state]\ncharging = \"pending\"\n\
          [sources.onlinefundraising.classification]\nDispute = \"chargeback\"\n\
          [sources.paydata.classification]\nFee = \"service_fee\"\n[sources.atpay.state]\nHalf = \"requires_action\"\n",
    );
    place.normalize(&["--mode", "replace"]).exits(0);
    assert_eq!(
        plain(&place),
        "requires_action payment succeeded chargeback succeeded service_fee failed payment pending payment"
    );
    assert_ne!(place.manifest()["run_id"], run_id, "words shape the rows");
    let rows = place.rows();
    let row = rows.iter().find(|row| row.id() == "o").unwrap();
    assert_eq!((row.text("gross_amount"), row.text("source_classification")), ("-5.0000", "Dispute"));
    let noticed = place.report()["sources"].to_string();
    assert!(!noticed.contains("unknown_state") && !noticed.contains("unknown_classification"), "{noticed}");
}

#[test]
fn paths_are_relative_to_the_file() {
    let place = Place::new();
    place.write("etc[1]/dumps/a.ndjson", good("1").as_bytes());
    place.write("etc[1]/dumps/b.txt", good("2").as_bytes());
    place.write("etc[1]/night.toml", b"inputs = [\"dumps/*.ndjson\"]\noutput = \"../lake\"\nbase = \".\"\n");
    place.run(&["normalize", "--config", "etc[1]/night.toml"]).exits(0);
    let rows = place.rows();
    assert_eq!(rows.iter().map(|row| row.text("source_file")).collect::<Vec<_>>(), ["dumps/a.ndjson"]);
    let run =
        run_with(&place, &["normalize", "--mode", "replace"], &[("PAYNORM_CONFIG", "etc[1]/night.toml")]).exits(0);
    assert!(run.stdout.contains("1 rows"), "{}", run.stdout);
}

#[test]
fn it_is_found_beside_the_dumps_and_is_no_dump() {
    let place = Place::with(&[("a.ndjson", good("1").as_bytes()), ("paynorm.toml", b"partition_by = \"none\"")]);
    place.normalize(&[]).exits(0);
    assert_eq!(place.manifest()["partition_by"], "none");
    let skipped = &place.report()["skipped"];
    assert_eq!(skipped, &serde_json::json!([{"path": "paynorm.toml", "why": "belongs to the configuration"}]));
    for input in ["in/a.ndjson", "in/*.ndjson", "in/*"] {
        place.run(&["normalize", input, "--out", "lake", "--mode", "replace"]).exits(0);
        assert_eq!((&place.manifest()["partition_by"], place.rows().len()), (&"none".into(), 1), "{input}");
    }
    place.normalize(&["--mode", "replace", "--no-config"]).exits(0);
    assert_eq!((&place.manifest()["partition_by"], place.rows().len()), (&"feed,month".into(), 1));
    // By another name, and by a link, it is none either.
    place.write("in/night.toml", b"partition_by = \"feed\"");
    symlink("in/night.toml", place.path().join("link.toml")).unwrap();
    place.normalize(&["--mode", "replace", "--config", "link.toml"]).exits(0);
    assert_eq!((&place.manifest()["partition_by"], place.rejects().len()), (&"feed".into(), 0));
}

#[test]
fn of_several_configurations_none_is_taken() {
    let place = place("partition_by = \"feed\"");
    place.write("in/paynorm.toml", b"partition_by = \"none\"");
    let run = place.normalize(&[]).exits(2);
    assert!(run.stderr.contains("paynorm.toml and in/paynorm.toml could each be meant"), "{}", run.stderr);
    place.normalize(&["--config", "in/paynorm.toml"]).exits(0);
    assert_eq!(place.manifest()["partition_by"], "none");
    // One and the same, met twice.
    fs::remove_file(place.path().join("in/paynorm.toml")).unwrap();
    place.run(&["normalize", "in", "in/a.ndjson", "./in", "--out", "lake", "--mode", "replace"]).exits(0);
    assert_eq!(place.manifest()["partition_by"], "feed");
}

#[test]
fn what_is_no_file_is_no_configuration() {
    let place = Place::with(&[("a.ndjson", good("1").as_bytes())]);
    fs::create_dir(place.path().join("paynorm.toml")).unwrap();
    assert!(place.normalize(&[]).exits(2).stderr.contains("no regular file"));
    place.write("latin.toml", b"output = \"\xe4\"");
    assert!(place.normalize(&["--config", "latin.toml"]).exits(2).stderr.contains("no UTF-8"));
}

#[test]
fn flags_for_dumps_win_over_the_file() {
    let dumps = [("x/a", good("1")), ("y/a", good("2"))];
    let dumps: Vec<_> = dumps.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let place = Place::with(&dumps);
    place.write("paynorm.toml", b"[sources.twocloud]\nglob = [\"x/*\", \"y/*\"]\n");
    place.normalize(&[]).exits(3);
    assert_eq!((place.rows().len(), place.rejects().len()), (0, 2), "atpay's records are none of twocloud");
    place.normalize(&["--mode", "replace", "--source", "atpay=x/*"]).exits(3);
    assert_eq!((place.rows().len(), place.rejects().len()), (1, 1));
    place.normalize(&["--mode", "replace", "--source", "atpay"]).exits(0);
    assert_eq!(place.rows().len(), 2);
}

#[test]
fn replay_and_merge_have_the_same_settings() {
    let local = r#"[{"id":"a","amount":"1.00","job":1,"team":2,"state":7,"timestamp":"2024-03-31T02:30:00"}]"#;
    let place = Place::with(&[("d.json", local.as_bytes())]);
    place.normalize(&["--timezone", "spacivox=Europe/Zurich"]).exits(3);
    place.write(
        "paynorm.toml",
        b"[sources.spacivox]\ntimezone = \"Europe/Zurich\"\ncurrency = \"GBP\"\nstate = { 7 = \"failed\" }\n",
    );
    place.run(&["replay", "lake"]).exits(3);
    place.run(&["replay", "lake", "--timezone", "spacivox=UTC"]).exits(0);
    let rows = place.rows();
    assert_eq!((rows[0].text("currency"), rows[0].text("state")), ("GBP", "failed"));
    place.write("in/e.json", local.replace("T02", "T03").replace("\"a\"", "\"b\"").as_bytes());
    place.normalize(&["--mode", "merge"]).exits(0);
    assert!(place.rows().iter().all(|row| row.text("state") == "failed"));
    place.run(&["compact", "lake"]).exits(0);
}
