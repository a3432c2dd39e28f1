//! The table of sources: names are unique, each has samples, and every record in them is told by its source alone.

use std::collections::BTreeSet;

use paynorm::extract::chunks::Item;
use paynorm::sources::{self, Source, Told};

use crate::harness::{Place, WHOLE, chunks, sample_files};

#[test]
fn names_are_unique_and_fit_for_paths() {
    let names: BTreeSet<_> = sources::ALL.iter().map(|source| source.name()).collect();
    assert_eq!(names.len(), sources::ALL.len());
    for name in names {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name} stands in paths and flags");
        assert_eq!(sources::by_name(name).map(Source::name), Some(name));
    }
}

#[test]
fn every_source_has_samples_and_every_sample_a_source() {
    let folders: BTreeSet<_> = sample_files().into_iter().map(|(source, _)| source).collect();
    let names: BTreeSet<_> = sources::ALL.iter().map(|source| source.name().to_owned()).collect();
    assert_eq!(folders, names);
}

#[test]
fn each_sample_is_recognised_as_its_source() {
    let mut recognised = BTreeSet::new();
    for (source, path) in sample_files() {
        let place = Place::new();
        place.run(&["normalize", path.to_str().unwrap(), "--out", "lake", "--quiet"]);
        let dump = &place.manifest()["dumps"][0];
        if dump["rows"] == 0 {
            assert!(dump["source"].is_null(), "{} has nothing that tells a source", path.display());
        } else {
            assert_eq!(dump["source"], source.as_str(), "{}", path.display());
            recognised.insert(source);
        }
    }
    assert_eq!(recognised.len(), sources::ALL.len(), "{recognised:?}");
}

#[test]
fn every_record_of_the_samples_is_told_by_one_source() {
    let mut records = 0;
    for (source, path) in sample_files() {
        let dump = std::fs::read(&path).unwrap();
        for chunk in chunks(&dump, WHOLE).0.iter().filter(|chunk| chunk.source.is_some()) {
            for item in &chunk.items {
                let &Item::Record { start, end, .. } = item else { continue };
                let told = Told::of(std::str::from_utf8(&chunk.bytes[start..end]).unwrap()).unwrap();
                let names: Vec<_> = told.sources.iter().map(|source| source.name()).collect();
                assert_eq!(names, [source.as_str()], "{} at {}", path.display(), chunk.base + start as u64);
                records += 1;
            }
        }
    }
    assert!(records > 60, "only {records} records were looked at");
}
