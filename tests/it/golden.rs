//! The samples, each run alone, against the rows and rejects beside them in `tests/golden`.
//!
//! `UPDATE_GOLDEN=1 cargo test golden` writes what the program makes of the samples now; read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Place, Run, quarantine_lines, sample_files, samples};

#[test]
fn every_sample_gives_its_rows_and_rejects() {
    let mut expected_files = Vec::new();
    let mut differing = Vec::new();
    for (source, sample) in sample_files() {
        let golden = golden_of(&source, &sample);
        assert!(!expected_files.contains(&golden), "two samples share {}", golden.display());
        let (place, run) = run_alone(&sample);
        let rows = place.rows();
        let lines: Vec<_> = rows.iter().map(ToString::to_string).chain(quarantine_lines(&place.lake())).collect();
        run.exits(if rows.len() == lines.len() { 0 } else { 3 });
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(golden.parent().unwrap()).unwrap();
            fs::write(&golden, &text).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        for (number, (line, expected)) in padded(&text, &expected).enumerate() {
            if line != expected {
                differing.push(format!("{}:{}\n   is {line}\n  not {expected}", golden.display(), number + 1));
            }
        }
        expected_files.push(golden);
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    let stale: Vec<_> = golden_files().into_iter().filter(|path| !expected_files.contains(path)).collect();
    assert!(stale.is_empty(), "golden files without a sample: {stale:?}");
}

#[test]
fn the_samples_readme_tells_the_counts() {
    let readme = fs::read_to_string(samples().join("README.md")).unwrap();
    let mut told = 0;
    for line in readme.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, file, _, _, rows, rejects, _] = cells[..] else { continue };
        let Some(file) = file.strip_prefix('`').and_then(|file| file.strip_suffix('`')) else { continue };
        let (place, _) = run_alone(&samples().join(file));
        let codes: Vec<_> = place.rejects().iter().map(|reject| format!("`{}`", text(&reject["reason"]))).collect();
        assert_eq!(place.rows().len().to_string(), rows, "rows of {file}");
        let expected =
            if codes.is_empty() { "0".to_owned() } else { format!("{} ({})", codes.len(), codes.join(", ")) };
        assert_eq!(rejects, expected, "rejects of {file}");
        told += 1;
    }
    assert_eq!(told, sample_files().len(), "the README tells of every sample");
}

#[test]
fn the_whole_folder_in_one_run() {
    let place = Place::new();
    let inputs: Vec<_> = sample_files().iter().map(|(_, path)| path.to_str().unwrap().to_owned()).collect();
    let (samples, flags) = (samples(), ["--out", "lake", "--base"].map(str::to_owned));
    let base = samples.to_str().unwrap().to_owned();
    place.run(&[&["normalize".to_owned()][..], &inputs, &flags, &[base]].concat()).exits(3);
    let report = &place.report()["records"];
    let expected = serde_json::json!({
        "seen": 102, "rows": 94, "quarantined": 6, "identical_duplicates": 1, "differing_duplicates": 1,
    });
    assert_eq!(*report, expected);
    assert_eq!((place.rows().len(), place.rejects().len()), (94, 6));
    let sources = place.report()["sources"].clone();
    let examples = sources.as_array().unwrap().iter().map(|source| source["duplicate_examples"].as_array().unwrap());
    let at = |example: &serde_json::Value| {
        let of = |file: &str, offset: &str| format!("{}:{}", example[file].as_str().unwrap(), example[offset]);
        (of("source_file", "source_offset"), of("kept_file", "kept_offset"), example["identical"] == true)
    };
    let place_of = |page: u8, offset: u32| format!("paydata/overlap-page-{page}.json:{offset}");
    let expected = [(place_of(2, 654), place_of(1, 2549), false), (place_of(1, 1918), place_of(2, 23), true)];
    assert_eq!(examples.flatten().map(at).collect::<Vec<_>>(), expected);
    // Of the two overlapping pages, the later version of a booking stays, though its page is read first.
    let rows = place.rows();
    let overlapping = |page: &str| rows.iter().filter(|row| row.text("source_file").ends_with(page)).count();
    assert_eq!((overlapping("overlap-page-1.json"), overlapping("overlap-page-2.json")), (4, 4));
}

fn run_alone(sample: &Path) -> (Place, Run) {
    let place = Place::new();
    let run = place.run(&["normalize", sample.to_str().unwrap(), "--out", "lake", "--quiet"]);
    (place, run)
}

/// The golden file of a sample: its name up to the first dot.
fn golden_of(source: &str, sample: &Path) -> PathBuf {
    let name = sample.file_name().unwrap().to_str().unwrap();
    golden().join(source).join(name.split('.').next().unwrap()).with_extension("jsonl")
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden_files() -> Vec<PathBuf> {
    let listed = |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let is_of_source = |folder: &PathBuf| samples().join(folder.file_name().unwrap()).is_dir();
    listed(&golden()).iter().filter(|folder| is_of_source(folder)).flat_map(|folder| listed(folder)).collect()
}

/// The lines of two texts side by side, as long as the longer one.
fn padded<'a>(one: &'a str, other: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let count = one.lines().count().max(other.lines().count());
    let lines = |text: &'a str| text.lines().chain(std::iter::repeat("nothing"));
    lines(one).zip(lines(other)).take(count)
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap()
}
