//! What a dataset keeps of itself, and the page that tells of it: totals are those of the rows, however they came to be
//! there; nothing that others named acts in the page; no value of a record is in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Place, command, digests, good, good_with, parse, rejects, samples};

/// A value that must never be on the page.
const CANARY: &str = "canary7519";

impl Place {
    fn page(&self) -> String {
        fs::read_to_string(self.lake().join("_paynorm/report.html")).unwrap()
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.lake().join("_paynorm").join(name)).unwrap();
        text.lines().map(parse).collect()
    }

    /// Puts something in place of a file beside the manifest, with the digest to match.
    fn put(&self, name: &str, content: &str) {
        self.write(&format!("lake/_paynorm/{name}"), content.as_bytes());
        let mut manifest = self.manifest();
        manifest["beside"][name] = blake3::hash(content.as_bytes()).to_hex().as_str().into();
        self.write("lake/_paynorm/manifest.json", manifest.to_string().as_bytes());
    }

    fn of_samples() -> Self {
        let place = Self::new();
        place.run(&["normalize", samples().to_str().unwrap(), "--out", "lake", "--quiet"]).exits(3);
        place
    }
}

/// The rows of the table with that caption, foot included, as texts.
#[track_caller]
fn table(page: &str, caption: &str) -> Vec<Vec<String>> {
    let start = page.find(&format!("<caption>{caption}")).unwrap_or_else(|| panic!("no table {caption}"));
    let table = &page[start..start + page[start..].find("</table>").unwrap()];
    let body = &table[table.find("<tbody>").unwrap()..];
    let cells = |row: &str| -> Vec<String> {
        let cell = |cell: &str| text(&cell[cell.find('>').unwrap() + 1..cell.rfind("</t").unwrap()]);
        row.split("data-label=\"").skip(1).map(cell).collect()
    };
    body.split("<tr>").skip(1).map(cells).collect()
}

/// Markup as the text that a person sees.
fn text(markup: &str) -> String {
    let mut seen = String::new();
    for part in markup.split('<') {
        seen += part.split_once('>').map_or(part, |(_, text)| text);
    }
    for (entity, c) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
        seen = seen.replace(entity, c);
    }
    seen.trim().to_owned()
}

/// Sums of the rows that are there, as `totals.jsonl` must have them.
fn totals_of_rows(place: &Place) -> BTreeMap<[String; 6], [i128; 4]> {
    let units = |text: &str| text.replace('.', "").parse::<i128>().unwrap();
    let mut sums: BTreeMap<[String; 6], [i128; 4]> = BTreeMap::new();
    for row in place.rows() {
        let month = row.text("occurred_at")[..7].to_owned();
        let currency = |name: &str| row.get(name).as_str().unwrap_or("?").to_owned();
        let words = ["classification", "state", "amount_check"].map(|name| row.text(name).to_owned());
        let mut add = |currency: String, at: usize, number: i128| {
            let [classification, state, check] = words.clone();
            let cell = [row.text("source").to_owned(), month.clone(), currency, classification, state, check];
            sums.entry(cell).or_default()[at] += number;
        };
        add(currency("currency"), 0, 1);
        for (at, amount, of) in
            [(1, "gross_amount", "currency"), (2, "fee_amount", "fee_currency"), (3, "net_amount", "net_currency")]
        {
            if let Some(amount) = row.get(amount).as_str() {
                add(currency(of), at, units(amount));
            }
        }
    }
    sums.retain(|_, sums| *sums != [0; 4]);
    sums
}

/// The same as the dataset tells it.
fn totals_told(place: &Place) -> BTreeMap<[String; 6], [i128; 4]> {
    let told = |line: Value| {
        let names = ["source", "month", "currency", "classification", "state", "amount_check"];
        let sums = ["gross", "fee", "net"].map(|name| line[name].as_str().unwrap().replace('.', "").parse().unwrap());
        let [gross, fee, net] = sums;
        let rows = line["rows"].as_u64().unwrap().into();
        (names.map(|name| line[name].as_str().unwrap_or("?").to_owned()), [rows, gross, fee, net])
    };
    place.lines("totals.jsonl").into_iter().map(told).collect()
}

/// Whatever was done to a dataset, its history adds up, its totals are those of its rows, and its page can be made again.
#[track_caller]
fn holds_together(place: &Place) {
    assert_eq!(totals_told(place), totals_of_rows(place));
    let (history, manifest) = (place.lines("history.jsonl"), place.manifest());
    let mut before = json!({ "rows": 0, "quarantined": 0, "identical": 0, "differing": 0 });
    for (number, run) in (1_u64..).zip(&history) {
        let of = |name: &str| run[name].as_u64().unwrap();
        let [was, is] = [&before, &run["dataset"]].map(|standing| move |name: &str| standing[name].as_u64().unwrap());
        let dropped = of("dropped_identical") + of("dropped_differing");
        let replaced = of("replaced_identical") + of("replaced_differing");
        assert_eq!(of("number"), number);
        assert_eq!(of("records"), of("rows") + of("quarantined") + dropped, "{run}");
        assert_eq!(is("rows"), was("rows") + of("rows") - replaced, "{run}");
        assert_eq!(is("quarantined"), was("quarantined") + of("quarantined") - of("released"), "{run}");
        assert_eq!(is("identical"), was("identical") + of("dropped_identical") + of("replaced_identical"), "{run}");
        assert_eq!(is("differing"), was("differing") + of("dropped_differing") + of("replaced_differing"), "{run}");
        before = run["dataset"].clone();
    }
    let last = history.last().unwrap();
    assert_eq!(last["run_id"], manifest["run_id"]);
    let standing = &last["dataset"];
    assert_eq!((&standing["rows"], &standing["quarantined"]), (&manifest["rows"], &manifest["quarantined"]));
    let duplicates = standing["identical"].as_u64().unwrap() + standing["differing"].as_u64().unwrap();
    assert_eq!(Some(duplicates), manifest["duplicates"].as_u64());
    let page = place.page();
    assert!(!page.contains("✗ no") && page.contains("✓ yes"), "{page}");
    place.run(&["verify", "lake"]).exits(0);
    place.run(&["report", "lake", "--out", "again.html"]).exits(0);
    assert!(fs::read_to_string(place.path().join("again.html")).unwrap() == page, "made again, the page is another");
}

#[test]
fn the_page_has_the_totals_of_the_run() {
    let place = Place::of_samples();
    holds_together(&place);
    let (page, report) = (place.page(), place.report());
    let rows = table(&page, "Amounts by source and currency");
    let mut told = 0;
    for source in report["sources"].as_array().unwrap() {
        for totals in source["totals"].as_array().unwrap() {
            let currency = totals["currency"].as_str().unwrap_or("?");
            let row = rows.iter().find(|row| row[0] == source["source"] && row[1] == currency).unwrap();
            let number = |at: usize| row[at].replace(',', "");
            assert_eq!(number(2), totals["rows"].to_string());
            for (at, name) in [(3, "gross"), (4, "fee"), (5, "net")] {
                assert_eq!(totals[name], *number(at), "{row:?}");
            }
            told += 1;
        }
    }
    assert!(told > 5);
    let records = table(&page, "Records by source");
    let all = records.last().unwrap();
    assert_eq!(all[..7], ["all", "27", "103", "7", "2", "94", "94"]);
    let reasons = table(&page, "By reason");
    for reason in report["quarantine"].as_array().unwrap() {
        let row = reasons.iter().find(|row| row[0] == reason["reason"]).unwrap();
        assert_eq!(
            (row[1].as_str(), row[2].as_str()),
            (&*reason["count"].to_string(), reason["remedy"].as_str().unwrap())
        );
        let places = table(&page, &format!("Where {} is", row[0]));
        assert_eq!(reason["source_file"], *places[0][0]);
        assert_eq!(reason["source_offset"].to_string(), places[0][1].replace(',', ""));
    }
    let noticed = table(&page, "Noticed");
    let cases = report["sources"].as_array().unwrap().iter().map(|source| {
        source["noticed"].as_object().unwrap().len() + source["unknown_members"].as_object().unwrap().len()
    });
    assert_eq!(noticed.len(), cases.sum::<usize>());
    assert_eq!(table(&page, "Dumps by path").len(), 27);
    assert_eq!(table(&page, "Runs that made this dataset").len(), 1);
    assert!(page.contains("there is no run before to compare with"));
}

#[test]
fn what_a_merge_changed_is_told() {
    let booked = |id: u8, day: u8, value: u8, currency: &str| {
        format!(
            r#"{{"id":"{id}","paymentClassification":"Payment","bookingDate":"2021-01-10","lastModifiedAt":"2022-06-{day:02}T00:00:00Z","gross":{{"currency":"{currency}","value":{value}}},"fee":{{"currency":"{currency}","value":1}}}}"#
        )
    };
    let first = [booked(1, 1, 10, "EUR"), booked(2, 1, 20, "EUR"), booked(3, 1, 30, "CHF")].join("\n");
    let place = Place::with(&[("a", first.as_bytes())]);
    place.normalize(&[]).exits(0);
    let second = [booked(1, 2, 15, "EUR"), booked(2, 2, 20, "USD"), booked(4, 1, 40, "EUR")].join("\n");
    place.write("in/b", second.as_bytes());
    place.normalize(&["--mode", "merge"]).exits(0);
    holds_together(&place);
    let page = place.page();
    let changed = table(&page, "Totals that changed");
    let expected = [
        ["paydata", "EUR", "0", "30.0000", "+25.0000", "55.0000", "0.0000", "+25.0000"],
        ["paydata", "USD", "+1", "0.0000", "+20.0000", "20.0000", "+1.0000", "+19.0000"],
    ];
    assert_eq!(changed, expected);
    assert!(page.contains("1 total of a source and currency stayed as they were."), "{page}");
    let runs = table(&page, "Runs that made this dataset");
    let cells = |row: &[String]| [0, 1, 3, 5, 9, 10, 11].map(|at| row[at].clone());
    assert_eq!(cells(&runs[0]), ["2", "merge", "1", "3", "3", "2", "4"]);
    assert_eq!(cells(&runs[1]), ["1", "create", "1", "3", "3", "0", "3"]);
    let rates: Vec<_> = table(&page, "Fee rates").iter().map(|row| [1, 3, 4, 5].map(|at| row[at].clone())).collect();
    let expected = [
        ["CHF", "30.0000", "1.0000", "3.33 %"],
        ["EUR", "55.0000", "2.0000", "3.64 %"],
        ["USD", "20.0000", "1.0000", "5.00 %"],
    ];
    assert_eq!(rates, expected);
}

#[test]
fn merges_replays_and_compactions_add_up() {
    let local = |id: &str| {
        format!(r#"{{"id":"{id}","amount":"1.5","job":1,"team":2,"state":1,"timestamp":"2024-03-31T02:30:00"}}"#)
    };
    let place = Place::new();
    for (day, ids) in [["a", "b"], ["b", "c"], ["a", "c"]].iter().enumerate() {
        let lines: Vec<_> = ids.iter().map(|id| good_with(id, &format!(",\"day{day}\":1"))).collect();
        place.write("in/today.ndjson", lines.join("\n").as_bytes());
        place.write(&format!("in/{day}.ndjson"), local(&format!("local-{}", day / 2)).as_bytes());
        // The second day's second dump is known.
        let code = if day == 1 { 0 } else { 3 };
        place.normalize(&["--mode", "merge", "--timezone", "spacivox=Europe/Zurich"]).exits(code);
        holds_together(&place);
    }
    place.run(&["replay", "lake", "--timezone", "spacivox=UTC"]).exits(0);
    holds_together(&place);
    assert!(place.page().contains("Nothing is in quarantine."));
    place.run(&["compact", "lake"]).exits(0);
    holds_together(&place);
    let kinds: Vec<_> =
        place.lines("history.jsonl").iter().map(|run| run["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["create", "merge", "merge", "replay", "compact"]);
    let drift = place.lines("drift.jsonl");
    let members: Vec<_> = drift.iter().filter_map(|line| line["member"].as_str()).collect();
    assert_eq!(members, ["day0", "day1", "day2"], "what earlier runs noticed is kept");
    assert_eq!(drift[0]["records"], 2);
}

#[test]
fn a_document_that_only_a_forced_source_tells_gives_rows_of_that_source() {
    // Nothing in it tells a source but the one that a user names.
    let place = Place::with(&[("d.json", br#"{"id":"1","timestamp":1422566591,"amount":2,"status":"Successful"}"#)]);
    place.normalize(&[]).exits(3);
    place.run(&["replay", "lake", "--source", "atpay"]).exits(0);
    assert_eq!(place.manifest()["dumps"][0]["source"], "atpay");
    holds_together(&place);
}

#[test]
fn names_that_others_gave_do_not_act() {
    let hostile =
        ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onload='alert(1)", "a\u{202e}b&lt;"];
    let place = Place::new();
    for (at, name) in hostile.iter().enumerate() {
        let member = serde_json::to_string(name).unwrap();
        let bad = good(&format!("bad{at}")).replace("\"amount\"", &format!("{member}:1,{member}:1,\"amount\""));
        let dump = format!("{}\n{bad}", good_with(&at.to_string(), &format!(",{member}:\"{CANARY}\"")));
        place.write(&format!("in/{}", name.replace('/', "∕")), dump.as_bytes());
    }
    let long = "<i>".repeat(80);
    place.write(&format!("in/{long}"), good_with("long", &format!(",\"{}\":1", "<u>".repeat(3000))).as_bytes());
    place.write("in/new\nline\u{1b}[31m", good("newline").as_bytes());
    place.normalize(&[]).exits(3);
    let page = place.page();
    let body = &page[page.find("<body>").unwrap()..];
    for markup in [
        "<script",
        "<img",
        "<i>",
        "<u>",
        "onerror=alert(1)>",
        "\u{202e}",
        "\u{1b}",
        "new\nline",
        "='alert",
        "<?",
        "<!-",
    ] {
        assert!(!body.contains(markup), "{markup:?}");
    }
    // They are there to be read all the same.
    let dumps: Vec<String> = table(&page, "Dumps by path").into_iter().map(|row| row[0].clone()).collect();
    assert!(dumps.contains(&"<script>alert(1)<∕script>".to_owned()), "{dumps:?}");
    assert!(
        dumps.contains(&"a\\u{202e}b&lt;".to_owned()) && dumps.contains(&"new\\nline\\u{1b}[31m".to_owned()),
        "{dumps:?}"
    );
    let members: Vec<String> = table(&page, "Noticed").into_iter().map(|row| row[2].clone()).collect();
    assert!(hostile.iter().take(3).all(|name| members.iter().any(|member| member == name)), "{members:?}");
    assert!(dumps.iter().chain(&members).all(|name| name.chars().count() <= 130));
    assert!(
        page.contains("default-src 'none'; style-src 'sha256-") && !page.contains("http:") && !page.contains("https:")
    );
    // Every element that is opened is one of ours.
    let known = [
        "!DOCTYPE",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "h1",
        "p",
        "span",
        "dl",
        "div",
        "dt",
        "dd",
        "nav",
        "ul",
        "li",
        "a",
        "main",
        "section",
        "h2",
        "table",
        "caption",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "th",
        "td",
        "bdi",
        "details",
        "summary",
        "figure",
        "figcaption",
        "svg",
        "desc",
        "rect",
        "text",
        "polyline",
        "line",
    ];
    for element in page.split('<').skip(1).map(|rest| rest.trim_start_matches('/')) {
        let name: String = element.chars().take_while(|c| c.is_alphanumeric() || *c == '!').collect();
        assert!(known.contains(&&*name), "<{name}");
    }
}

#[test]
fn no_value_of_a_record_is_kept() {
    let values = [
        format!(
            r#"{{"id":"{CANARY}","timestamp":1422566591,"offer_name":"{CANARY}","email":"{CANARY}@{CANARY}.org","amount":2,"net_amount":1,"status":"{CANARY}","note":"{CANARY}"}}"#
        ),
        format!(
            r#"{{"id":"x","timestamp":"{CANARY}","offer_name":"{CANARY}","amount":"{CANARY}","net_amount":1,"status":"Successful"}}"#
        ),
        format!(
            r#"{{"id":"y","timestamp":1422566591,"offer_name":{{"{CANARY}":1}},"amount":2,"net_amount":1,"status":"Successful","currency":"{CANARY}"}}"#
        ),
        format!("<html>{CANARY}</html>"),
    ];
    let place = Place::with(&[("a", values.join("\n").as_bytes())]);
    place.normalize(&[]).exits(3);
    place.write("in/b", good_with(CANARY, "").as_bytes());
    place.normalize(&["--mode", "merge"]).exits(0);
    assert!(rejects(&place.lake()).len() > 1);
    let quarantine = fs::read_to_string(place.lake().join("_paynorm/quarantine.jsonl")).unwrap();
    assert!(quarantine.contains(CANARY), "it has the records");
    for name in ["report.html", "totals.jsonl", "drift.jsonl", "history.jsonl", "report.json"] {
        let text = fs::read_to_string(place.lake().join("_paynorm").join(name)).unwrap();
        assert!(!text.contains(CANARY), "{name}");
    }
}

#[test]
fn the_page_tells_what_was_done_to_personal_data() {
    let place = Place::with(&[("a", good("1").as_bytes())]);
    place.normalize(&["--personal", "payer_email=drop"]).exits(0);
    assert!(place.page().contains("<p>personal data: payer_email drop; "), "{}", place.page());
    assert!(!Place::of_samples().page().contains("personal data: "));
}

#[test]
fn long_lists_are_cut_and_say_so() {
    let place = Place::new();
    for at in 0..260 {
        let bad = good(&format!("bad{at}")).replace("\"id\"", "\"key\"");
        let member = format!(",\"member{at:03}\":1");
        place.write(&format!("in/{at:03}"), format!("{}\n{bad}", good_with(&at.to_string(), &member)).as_bytes());
    }
    place.normalize(&["--quiet"]).exits(3);
    holds_together(&place);
    let page = place.page();
    assert_eq!(table(&page, "Dumps by path").len(), 200);
    assert_eq!(table(&page, "Where missing_id is").len(), 50);
    assert_eq!(table(&page, "Noticed").len(), 101);
    for rest in ["And 60 dumps more, which are in _paynorm/manifest.json.", "And 210 places more, which are in"] {
        assert!(page.contains(rest), "{rest}");
    }
    let drift = place.lines("drift.jsonl");
    let further = drift.iter().find(|line| line["noticed"] == "further_unknown_members").unwrap();
    assert_eq!(further["records"], 160);
    assert!(page.len() < 200_000, "{} bytes", page.len());
}

#[test]
fn an_empty_dataset_has_a_page() {
    let place = Place::new();
    place.normalize(&[]).exits(0);
    let page = place.page();
    assert!(page.contains("There are no rows.") && page.contains("Nothing is in quarantine."));
    place.run(&["verify", "lake"]).exits(0);
}

#[test]
fn every_file_beside_the_data_is_its_owners() {
    let place = Place::of_samples();
    for entry in fs::read_dir(place.lake().join("_paynorm")).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

#[test]
fn the_command_finds_the_page_or_makes_it_again() {
    let place = Place::of_samples();
    let before = digests(&place.lake());
    assert_eq!(place.run(&["report", "lake"]).exits(0).stdout, "lake/_paynorm/report.html\n");
    assert_eq!(place.run(&["report", "lake", "--out", "page.html"]).exits(0).stdout, "page.html\n");
    assert_eq!(fs::read_to_string(place.path().join("page.html")).unwrap(), place.page());
    let run = place.run(&["report", "lake", "--out", "lake/_paynorm/report.html"]).exits(1);
    assert!(run.stderr.contains("is in the dataset"), "{}", run.stderr);
    assert_eq!(digests(&place.lake()), before, "nothing in the dataset has changed");
    for directory in ["in", "nowhere", "page.html"] {
        assert!(place.run(&["report", directory]).exits(2).stderr.contains("no dataset of paynorm"));
    }
    fs::remove_file(place.lake().join("_paynorm/report.html")).unwrap();
    let run = place.run(&["report", "lake"]).exits(1);
    assert!(run.stderr.contains("is missing; make it again with --out FILE"), "{}", run.stderr);
    place.run(&["report", "lake", "--out", "page.html"]).exits(0);
    place.write("lake/_paynorm/totals.jsonl", b"{}");
    let run = place.run(&["report", "lake", "--out", "page.html"]).exits(1);
    assert!(run.stderr.contains("totals.jsonl is not the file that was written"), "{}", run.stderr);
}

#[test]
fn the_page_is_opened_by_the_system() {
    let place = Place::of_samples();
    // What desktops call to open a file, here noting what it was called with.
    place.write("bin/xdg-open", b"#!/bin/sh\nprintf '%s' \"$1\" >opened\n");
    fs::set_permissions(place.path().join("bin/xdg-open"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", place.path().join("bin").display(), std::env::var("PATH").unwrap());
    let output = command(place.path()).args(["report", "lake", "--open"]).env("PATH", path).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    // Nobody waits for a browser.
    let opened = || fs::read_to_string(place.path().join("opened")).unwrap_or_default();
    for _ in 0..1000 {
        if opened() == "lake/_paynorm/report.html" {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("opened {:?}", opened());
}

#[test]
fn a_merge_refuses_what_a_dataset_keeps_when_it_is_damaged() {
    for (name, content) in [("totals.jsonl", ""), ("history.jsonl", "{}\n"), ("drift.jsonl", "[1]\n")] {
        let place = Place::of_samples();
        place.write("in/new", good("new").as_bytes());
        place.write(&format!("lake/_paynorm/{name}"), content.as_bytes());
        let before = digests(&place.lake());
        let run = place.normalize(&["--mode", "merge"]).exits(1);
        assert!(run.stderr.contains(&format!("{name} is not the file that was written")), "{}", run.stderr);
        assert_eq!(digests(&place.lake()), before);
    }
    let place = Place::of_samples();
    place.write("in/new", good("new").as_bytes());
    let mut manifest = place.manifest();
    manifest.as_object_mut().unwrap().remove("beside");
    place.write("lake/_paynorm/manifest.json", manifest.to_string().as_bytes());
    let run = place.normalize(&["--mode", "merge"]).exits(1);
    assert!(
        run.stderr.contains("kept no drift.jsonl; normalize the dumps again with --mode replace"),
        "{}",
        run.stderr
    );
}

#[test]
fn verify_finds_what_is_wrong_with_what_a_dataset_keeps() {
    let found = |damage: &dyn Fn(&Place), expected: &[&str]| {
        let place = Place::of_samples();
        damage(&place);
        let run = place.run(&["verify", "lake"]).exits(1);
        assert_eq!(run.stdout.lines().count(), 2, "{}", run.stdout);
        assert!(expected.iter().all(|part| run.stdout.contains(part)), "{expected:?} in {}", run.stdout);
    };
    for name in ["totals.jsonl", "drift.jsonl", "history.jsonl", "report.json", "report.html"] {
        let path = format!("lake/_paynorm/{name}");
        found(&|place| fs::remove_file(place.path().join(&path)).unwrap(), &[name, "is missing"]);
        found(&|place| place.write(&path, b"x"), &[name, "digest"]);
    }
    // What stands behind something.
    let edit = |place: &Place, name: &str, behind: &str, old: &str, new: &str| {
        let text = fs::read_to_string(place.lake().join("_paynorm").join(name)).unwrap();
        let (before, rest) = text.split_at(text.find(behind).unwrap());
        assert!(rest.contains(old), "{old} in {rest}");
        place.put(name, &format!("{before}{}", rest.replacen(old, new, 1)));
    };
    found(
        &|place| {
            // A sum and the history with it, so that they fit each other and not the rows.
            for name in ["totals.jsonl", "history.jsonl"] {
                edit(place, name, "\"GBP\"", "\"gross\":\"12.0000\"", "\"gross\":\"13.0000\"");
            }
        },
        &["totals.jsonl", "2 of its totals are not those of the rows"],
    );
    let rows = |place: &Place| edit(place, "history.jsonl", "\"dataset\"", "\"rows\":94", "\"rows\":95");
    found(&rows, &["history.jsonl", "last run"]);
    found(&|place| place.put("history.jsonl", ""), &["history.jsonl", "last run"]);
    found(&|place| place.put("drift.jsonl", "{\n"), &["a line that is none"]);
}
