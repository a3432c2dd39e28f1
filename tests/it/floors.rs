//! The floors of the code: imports only point down, and neighbours never import each other.
//!
//! The floors are told in `src/lib.rs`; this reads every `crate::…` path in the code, not only the `use` lines.

use std::fs;
use std::path::{Path, PathBuf};

/// The floor of every module at the top; a new one needs a place here.
const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("extract", 1),
    ("sources", 1),
    ("load", 1),
    ("normalize", 2),
    ("config", 2),
    ("report", 2),
    ("warehouse", 2),
    ("pipeline", 3),
    ("inspect", 3),
    ("settings", 3),
    ("log", 3),
    ("processor", 3),
    ("main", 4),
    ("cli", 4),
    ("progress", 4),
];

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    let mut paths = 0;
    for file in files(&source()) {
        let relative = file.strip_prefix(source()).unwrap();
        let first = relative.iter().next().unwrap().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let floor = floor(module).unwrap_or_else(|| panic!("{module} needs a floor in this test"));
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for target in targets(line) {
                paths += 1;
                let down = self::floor(&target).is_some_and(|target| target < floor);
                if target != module && !down {
                    wrong.push(format!("{}:{}: {}", relative.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports that do not point down:\n{}", wrong.join("\n"));
    assert!(paths > 50, "only {paths} paths were seen: is this test blind?");
}

#[test]
fn the_check_sees_what_it_must() {
    assert_eq!(targets("use crate::model::{a, b};"), ["model"]);
    assert_eq!(targets("use crate::{load::commit, model};"), ["load", "model"]);
    assert_eq!(targets("let x: crate::load::A = paynorm::sources::b();"), ["load", "sources"]);
    assert_eq!(targets("use super::super::pipeline;"), Vec::<String>::new(), "see the next test");
}

#[test]
fn no_path_climbs_out_of_its_module() {
    for file in files(&source()) {
        let text = fs::read_to_string(&file).unwrap();
        let relative = file.strip_prefix(source()).unwrap();
        // In a file at the top `super` is the crate, but in an inline module of it.
        let top = relative.iter().count() == 1;
        let climbs = |line: &&str| line.contains("super::super::") || (top && line.starts_with("use super::"));
        let found: Vec<_> = text.lines().filter(climbs).collect();
        assert!(found.is_empty(), "{}: {found:?}", relative.display());
    }
}

/// The modules at the top that the paths in a line begin with.
fn targets(line: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for prefix in ["crate::", "paynorm::"] {
        for (at, _) in line.match_indices(prefix) {
            let rest = &line[at + prefix.len()..];
            match rest.strip_prefix('{') {
                Some(list) => {
                    let list = list.split_once('}').map_or(list, |(list, _)| list);
                    found.extend(list.split(',').map(|part| word(part.trim())));
                }
                None => found.push(word(rest)),
            }
        }
    }
    found.retain(|target| !target.is_empty());
    found
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
