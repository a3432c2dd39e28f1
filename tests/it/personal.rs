//! Through the real binary: what rules for personal data take out is in no file of the dataset, and what they leave is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Place, Row, command, digests, files, good_with, parse, rows};

const KEY: &str = "correct horse battery staple";
/// Stands in every personal value of the dumps.
const CANARY: &str = "CANARY";

/// A place with a key and dumps of all sources that tell of the same person, anonymous or not, and two bad records.
fn place() -> Place {
    let paydata = |id: &str, email: &str| {
        format!(
            r#"{{"id":"{id}","bookingDate":"2024-01-01","gross":{{"value":1,"currency":"EUR"}},"paymentClassification":"Payment",
               "bookingText":"CANARY text","shopper":{{"name":"CANARY Name","email":"{email}","username":"CANARYuser",
               "identifier":"CANARY-1","phone":"CANARY-555"}},"fields":{{"mail":"{}","n":[1.50]}}}}"#,
            email.to_uppercase()
        )
    };
    let atpay = |id: &str, more: &str| good_with(id, &format!(r#","email":"canary@example.org"{more}"#));
    let twocloud = |id: u32, anonymous: bool| {
        format!(
            r#"{{"id":{id},"remote_id":"CANARY-card","amount":100,"created":"2024-01-01T00:00:00Z","status":"succeeded",
               "message":"CANARY says","user_id":424242424242,"anonymous":{anonymous},"donor":{{"name":"CANARY Donor"}}}}"#
        )
    };
    let bad = good_with("x", r#","email":"canary@example.org","amount":2"#);
    let place = Place::with(&[
        (
            "a.ndjson",
            format!("{}\n{bad}\n{}", atpay("1", ""), atpay("2", r#","card":{"holder":"CANARY Holder"}"#)).as_bytes(),
        ),
        (
            "p.json",
            format!("[{},{}]", paydata("1", "CaNaRy@Example.ORG"), paydata("2", "canary.two@example.org")).as_bytes(),
        ),
        ("t.json", format!("[{},{}]", twocloud(1, true), twocloud(2, false)).as_bytes()),
        ("broken.json", br#"[{"id":"CANARY-broken","#),
    ]);
    place.write("hash.key", format!("{KEY}\n").as_bytes());
    mode(&place, 0o600);
    place
}

fn mode(place: &Place, mode: u32) {
    fs::set_permissions(place.path().join("hash.key"), fs::Permissions::from_mode(mode)).unwrap();
}

/// A configuration with these rules and the key.
fn tell(place: &Place, rules: &str) {
    place.write("paynorm.toml", format!("{rules}\n[personal]\nkey_file = \"hash.key\"\n").as_bytes());
}

const ALL_RULES: &[&str] = &[
    "--personal=payer_id=hash",
    "--personal=payer_name=drop",
    "--personal=payer_email=hash",
    "--personal=payer_username=drop",
    "--personal=description=drop",
    "--personal=provider_payment_method_id=hash",
    "--personal=extra.phone=hash",
    "--personal=extra.donor=drop",
    "--personal=extra.card=drop",
    "--quarantine-raw=none",
];

fn row<'r>(rows: &'r [Row], source: &str, id: &str) -> &'r Row {
    rows.iter().find(|row| row.text("source") == source && row.id() == id).unwrap()
}

/// The token of a text as another program computes it.
fn python_token(text: &str) -> String {
    let program = "import hmac,hashlib,sys; print(hmac.new(sys.argv[1].encode(),sys.argv[2].encode(),hashlib.sha256).hexdigest())";
    let output = Command::new("python3").args(["-c", program, KEY, text]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Every text in a dataset: the values of the data files, which are compressed, and the other files as they are.
fn everything(lake: &Path) -> String {
    let rows: String = rows(lake).iter().map(ToString::to_string).collect();
    let others = files(lake).into_values().map(|content| String::from_utf8_lossy(&content).into_owned());
    rows + &others.collect::<String>()
}

#[test]
fn no_value_that_rules_take_out_is_left() {
    let place = place();
    tell(&place, "");
    place.normalize(&[]).exits(3);
    assert!(everything(&place.lake()).to_lowercase().matches("canary").count() > 20, "the dumps are full of them");
    for compression in ["zstd", "snappy"] {
        let flags = [ALL_RULES, &["--mode", "replace", "--compression", compression]].concat();
        let run = place.normalize(&flags).exits(3);
        let found = everything(&place.lake()).to_lowercase();
        let at = found.find("canary").map(|at| found[at.saturating_sub(40)..].chars().take(80).collect::<String>());
        assert_eq!(at, None, "{CANARY}");
        assert!(!found.contains("424242424242"), "an id in digits");
        assert!(!(run.stdout + &run.stderr).to_lowercase().contains("canary"));
    }
    assert_eq!(place.names(), ["hash.key", "in", "lake", "paynorm.toml"], "nothing is left beside it");
    assert!(place.run(&["verify", "lake"]).exits(0).stdout.contains("all is well"));
}

#[test]
fn the_same_person_has_the_same_token_in_all_sources() {
    let place = place();
    tell(&place, "");
    place.normalize(ALL_RULES).exits(3);
    let rows = place.rows();
    let token = python_token("canary@example.org");
    assert_eq!(token.len(), 64);
    for (source, id) in [("atpay", "1"), ("atpay", "2"), ("paydata", "1")] {
        assert_eq!(row(&rows, source, id).text("payer_email"), token, "{source} {id}");
    }
    assert_eq!(row(&rows, "paydata", "2").text("payer_email"), python_token("canary.two@example.org"));
    let paydata = row(&rows, "paydata", "1");
    assert_eq!(paydata.text("payer_id"), python_token("CANARY-1"));
    assert_eq!(row(&rows, "twocloud", "2").text("payer_id"), python_token("424242424242"));
    let nulls = [paydata.get("payer_name"), paydata.get("payer_username"), paydata.get("description")];
    assert!(nulls.iter().all(|value| value.is_null()), "{paydata}");
    // In `extra`: a member by its name, and the address that stands there a second time; all else as it was.
    let phone = python_token("CANARY-555");
    assert_eq!(
        paydata.text("extra"),
        format!(r#"{{"shopper":{{"phone":"{phone}"}},"fields":{{"mail":"{token}","n":[1.50]}}}}"#)
    );
    assert!(row(&rows, "atpay", "2").get("extra").is_null());
}

#[test]
fn each_rule_does_what_it_says_to_its_column_alone() {
    let place = place();
    tell(&place, "");
    place.normalize(&[]).exits(3);
    let plain = place.rows();
    for column in
        ["payer_id", "payer_name", "payer_email", "payer_username", "description", "provider_payment_method_id"]
    {
        for rule in ["keep", "drop", "hash"] {
            place.normalize(&["--mode", "replace", "--personal", &format!("{column}={rule}")]).exits(3);
            let ruled = place.rows();
            assert_eq!(ruled.len(), plain.len());
            let (mut differing, mut values) = (0, 0);
            for (before, after) in plain.iter().zip(&ruled) {
                for ((name, before), (_, after)) in before.0.iter().zip(&after.0) {
                    if *name == column && !before.is_null() {
                        values += 1;
                        match rule {
                            "keep" => assert_eq!(before, after),
                            "drop" => assert!(after.is_null()),
                            _ => assert_eq!(after.as_str().unwrap().len(), 64),
                        }
                    } else if before != after {
                        // What the column lost stood in `extra` too.
                        assert_eq!((*name, column), ("extra", "payer_email"));
                        differing += 1;
                    }
                }
            }
            assert!(values > 0, "{column} is filled somewhere");
            assert_eq!(differing, if column == "payer_email" && rule != "keep" { 2 } else { 0 }, "{column} {rule}");
        }
    }
}

#[test]
fn the_payer_of_an_anonymous_payment_can_be_dropped() {
    let place = place();
    place.write("paynorm.toml", b"[personal]\nanonymous = \"drop-payer\"\n");
    place.normalize(&[]).exits(3);
    let rows = place.rows();
    let (hidden, open) = (row(&rows, "twocloud", "1"), row(&rows, "twocloud", "2"));
    assert!(hidden.get("payer_id").is_null() && hidden.get("extra").is_null() && !hidden.get("description").is_null());
    assert_eq!((open.text("payer_id"), open.text("extra")), ("424242424242", r#"{"donor":{"name":"CANARY Donor"}}"#));
    assert_eq!(row(&rows, "paydata", "1").text("payer_name"), "CANARY Name");
}

#[test]
fn what_was_done_is_told() {
    let place = place();
    tell(&place, "quarantine_raw = \"none\"");
    let run = place.normalize(&["--personal", "payer_email=hash", "--personal", "extra=drop"]).exits(3);
    assert!(
        run.stdout.contains("personal data: extra drop, payer_email hash; the quarantine has no texts"),
        "{}",
        run.stdout
    );
    let personal = place.manifest()["personal"].clone();
    assert_eq!(personal["rules"], serde_json::json!({"extra": "drop", "payer_email": "hash"}));
    assert_eq!(personal["quarantine_raw"], "none");
    assert_eq!(personal["hash_key"], python_token("paynorm hash key")[..16]);
    assert_eq!(place.report()["personal"], personal);
    place.normalize(&["--mode", "replace", "--quarantine-raw", "keep"]).exits(3);
    assert!(place.manifest().get("personal").is_none() && place.report().get("personal").is_none(), "nothing was done");
    let run =
        place.normalize(&["--mode", "replace", "--quarantine-raw", "keep", "--personal", "payer_name=drop"]).exits(3);
    assert!(run.stdout.contains("the quarantine has the texts as they came"), "{}", run.stdout);
}

#[test]
fn the_same_rules_and_key_give_the_same_bytes() {
    let place = place();
    tell(&place, "");
    place.normalize(ALL_RULES).exits(3);
    let before = digests(&place.lake());
    for threads in ["1", "3"] {
        place.normalize(&[ALL_RULES, &["--mode", "replace", "--threads", threads]].concat()).exits(3);
        assert_eq!(digests(&place.lake()), before);
    }
    // The key from the environment is the same key.
    let lake = place.path().join("other");
    let mut other = command(place.path());
    other.args(["normalize", "in", "--out", "other", "--no-config"]).args(ALL_RULES).env("PAYNORM_HASH_KEY", KEY);
    assert_eq!(other.output().unwrap().status.code(), Some(3));
    assert_eq!(digests(&lake), before);
}

#[test]
fn the_quarantine_without_texts_has_their_digests() {
    let place = place();
    place.normalize(&["--no-config"]).exits(3);
    let with_texts = place.rejects();
    place.normalize(&["--no-config", "--mode", "replace", "--quarantine-raw", "none"]).exits(3);
    let without = place.rejects();
    assert_eq!((with_texts.len(), without.len()), (2, 2));
    for (with, without) in with_texts.iter().zip(&without) {
        let raw = with["raw"].as_str().unwrap();
        assert_eq!(without["sha256"], sha256(raw));
        assert_eq!((&without["raw"], without["length"].as_u64()), (&Value::Null, Some(raw.len() as u64)));
        for key in ["source", "source_file", "source_offset", "reason", "field", "message"] {
            assert_eq!(with[key], without[key]);
        }
    }
    let run = place.run(&["replay", "lake", "--no-config"]).exits(3);
    assert!(run.stdout.contains("2 of them without a text to try"), "{}", run.stdout);
    let run = place.run(&["explain", "lake", "x"]).exits(1);
    assert!(run.stdout.contains("2 more entries have no text"), "{}", run.stdout);
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn keys_are_refused_that_are_no_secret() {
    let place = place();
    let hash = ["--personal", "payer_email=hash"];
    let run = place.normalize(&hash).exits(2);
    assert!(run.stderr.contains("there is no key") && run.stderr.contains("PAYNORM_HASH_KEY_FILE"), "{}", run.stderr);
    tell(&place, "");
    mode(&place, 0o644);
    assert!(place.normalize(&hash).exits(2).stderr.contains("everybody may use"));
    mode(&place, 0o640);
    place.normalize(&hash).exits(3);
    for short in ["", "fifteen bytes..", "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"] {
        fs::write(place.path().join("hash.key"), short).unwrap();
        let run = place.normalize(&[&hash[..], &["--mode", "replace"]].concat()).exits(2);
        assert!(run.stderr.contains("paynorm.toml:3: personal.key_file: the key is too short"), "{}", run.stderr);
    }
    let mut short = command(place.path());
    short.args(["config", "--no-config"]).env("PAYNORM_HASH_KEY", "short-secret");
    let output = short.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("PAYNORM_HASH_KEY: the key is too short") && !said.contains("short-secret"), "{said}");
    let mut both = command(place.path());
    both.args(["config"]).env("PAYNORM_HASH_KEY", KEY).env("PAYNORM_HASH_KEY_FILE", "hash.key");
    assert_eq!(both.output().unwrap().status.code(), Some(2));
}

#[test]
fn the_key_is_shown_nowhere() {
    let place = place();
    tell(&place, "");
    fs::rename(place.path().join("hash.key"), place.path().join("in/hash.key")).unwrap();
    place.write("paynorm.toml", b"[personal]\nkey_file = \"in/hash.key\"\npayer_email = \"hash\"\n");
    let run = place.normalize(&[]).exits(3);
    let shown = place.run(&["config", "--show"]).exits(0);
    let all = everything(&place.lake()) + &run.stdout + &run.stderr + &shown.stdout + &shown.stderr;
    assert!(!all.contains(KEY) && shown.stdout.contains("fingerprint"), "{}", shown.stdout);
    assert!(
        place.report()["skipped"].to_string().contains("in/hash.key")
            || place.report()["skipped"].to_string().contains("hash.key")
    );
}

#[test]
fn a_merge_follows_the_rules_of_the_dataset() {
    let place = place();
    tell(&place, "");
    place.normalize(ALL_RULES).exits(3);
    place.write("in/more.ndjson", good_with("9", r#","email":" CANARY@example.org""#).as_bytes());
    let before = digests(&place.lake());
    let refused = |flags: &[&str], what: &str| {
        let run = place.normalize(&[&["--mode", "merge"], flags].concat()).exits(2);
        assert!(run.stderr.contains(what), "{flags:?} {}", run.stderr);
        assert_eq!(digests(&place.lake()), before);
    };
    refused(&[ALL_RULES, &["--personal", "payer_email=keep"]].concat(), "payer_email is hash there and keep here");
    refused(&[ALL_RULES, &["--personal", "payer_name=hash"]].concat(), "payer_name is drop there and hash here");
    refused(&[ALL_RULES, &["--personal", "reference=hash"]].concat(), "reference is keep there and hash here");
    refused(&["--quarantine-raw", "keep"], "quarantine_raw is none there and keep here");
    refused(&["--no-config"], "there is no key");
    place.write("hash.key", b"another key of enough bytes");
    refused(&[], "of another key");
    place.write("hash.key", KEY.as_bytes());
    place.normalize(&["--mode", "merge"]).exits(0);
    let rows = place.rows();
    assert_eq!(row(&rows, "atpay", "9").text("payer_email"), python_token("canary@example.org"));
    assert!(!everything(&place.lake()).to_lowercase().contains("canary"));
    place.run(&["verify", "lake"]).exits(0);
    place.run(&["compact", "lake", "--no-config"]).exits(0);
    assert_eq!(place.manifest()["personal"]["rules"]["payer_name"], "drop");
}

#[test]
fn rules_do_not_come_to_a_dataset_afterwards() {
    let place = place();
    place.normalize(&[]).exits(3);
    place.write("in/more.ndjson", good_with("9", "").as_bytes());
    let run = place.normalize(&["--mode", "merge", "--personal", "payer_name=drop"]).exits(2);
    assert!(run.stderr.contains("payer_name is keep there and drop here"), "{}", run.stderr);
    place.normalize(&["--mode", "merge", "--personal", "payer_name=keep"]).exits(0);
}

#[test]
fn a_replay_follows_the_rules_of_the_dataset() {
    let place = place();
    tell(&place, "");
    let local = r#"[{"id":"z","bookingDate":"2024-03-31T02:30:00","gross":{"value":1},"paymentClassification":"Payment","shopper":{"email":"Canary@example.org"}}]"#;
    place.write("in/z.json", local.as_bytes());
    let rules = ["--personal", "payer_email=hash", "--timezone", "paydata=Europe/Zurich"];
    place.normalize(&rules).exits(3);
    assert_eq!(place.rejects().len(), 3);
    assert!(place.run(&["replay", "lake", "--no-config"]).exits(2).stderr.contains("there is no key"));
    let run = place.run(&["replay", "lake", "--personal", "payer_email=drop"]).exits(2);
    assert!(run.stderr.contains("payer_email is hash there and drop here"), "{}", run.stderr);
    place.run(&["replay", "lake", "--timezone", "paydata=UTC"]).exits(3);
    let rows = place.rows();
    assert_eq!(row(&rows, "paydata", "z").text("payer_email"), python_token("canary@example.org"));
    assert_eq!(place.manifest()["personal"]["rules"]["payer_email"], "hash");
    place.run(&["verify", "lake"]).exits(0);
}

#[test]
fn explain_names_the_rules() {
    let place = place();
    tell(&place, "");
    place.normalize(&[ALL_RULES, &["--personal", "anonymous=drop-payer"]].concat()).exits(3);
    let explained = parse(&place.run(&["explain", "lake", "1", "--dumps", "in", "--json"]).exits(0).stdout);
    let rule = |source: &str, column: &str| {
        let row = explained["rows"].as_array().unwrap().iter().find(|row| row["source"] == source).unwrap();
        let columns = row["columns"].as_array().unwrap();
        columns.iter().find(|found| found["column"] == column).unwrap()["rule"].clone()
    };
    assert_eq!(rule("paydata", "payer_email"), "hash");
    assert_eq!(rule("paydata", "payer_name"), "drop");
    assert_eq!(rule("paydata", "state"), Value::Null);
    assert_eq!(rule("twocloud", "payer_id"), "drop-payer");
    let text = place.run(&["explain", "lake", "1", "--source", "paydata", "--dumps", "in"]).exits(0).stdout;
    assert!(text.contains("by the dataset's rules for personal data: ") && text.contains("payer_email hash"), "{text}");
}

#[test]
fn rules_in_flags_are_checked() {
    let place = place();
    for (rule, message) in [
        ("payer_email", "expected NAME=RULE"),
        (
            "payer_email=mask",
            "--personal payer_email=mask: \"mask\" is no rule for payer_email; expected keep or drop or hash",
        ),
        ("transaction_id=drop", "needed in every row"),
        ("payer_mail=drop", "did you mean payer_email?"),
        ("gross_amount=drop", "leads to no person"),
        ("extra=hash", "expected keep or drop"),
        ("key=drop", "there are no rules"),
        ("key_file=hash.key", "there are no rules"),
    ] {
        let run = place.normalize(&["--personal", rule]).exits(2);
        assert!(run.stderr.contains(message), "{rule}: {message:?} is not in {}", run.stderr);
    }
}
