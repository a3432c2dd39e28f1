//! `paynorm.toml`: where it is found, and what it tells, each value with its line.
//!
//! Paths in it are relative to it. Of several files that could be meant none is taken: a run must not depend on which of
//! them somebody forgot.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use toml::de::{DeTable, DeValue};

use super::{KEYS, Layer, OF_SOURCE, Told, unknown_key};
use crate::extract::discover::CONFIG_FILE;
use crate::model::paths::shown;

/// A configuration is smaller.
const MOST_BYTES: u64 = 1 << 20;

/// Looks beside the inputs and in the current directory.
pub(super) fn find(inputs: &[PathBuf]) -> Result<Option<PathBuf>> {
    let beside = inputs.iter().filter(|input| input.as_os_str() != "-").map(|input| directory_of(input));
    let mut found: Vec<PathBuf> = Vec::new();
    for directory in std::iter::once(PathBuf::new()).chain(beside) {
        let path = directory.join(CONFIG_FILE);
        match fs::metadata(&path) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(error).with_context(|| format!("can't look at {}", shown(&path))),
        }
        let same = |other: &PathBuf| other.canonicalize().ok() == path.canonicalize().ok();
        if !found.iter().any(same) {
            found.push(path);
        }
    }
    match &found[..] {
        [] => Ok(None),
        [path] => Ok(Some(path.clone())),
        several => {
            let several: Vec<_> = several.iter().map(|path| shown(path)).collect();
            bail!("{} could each be meant\n  hint: say which with --config FILE, or --no-config", several.join(" and "))
        }
    }
}

/// The directory that an input is, lies in, or begins with when it is a pattern.
fn directory_of(input: &Path) -> PathBuf {
    if input.is_dir() {
        return input.to_owned();
    }
    let is_plain = |part: &std::path::Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    let parent = input.parent().unwrap_or(Path::new(""));
    if input.exists() { parent.to_owned() } else { parent.components().take_while(is_plain).collect() }
}

/// Reads a configuration.
pub(super) fn read(path: &Path) -> Result<Vec<Told>> {
    let text = read_text(path)?;
    let name = shown(path);
    let line = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    let table = DeTable::parse(&text).map_err(|error| {
        let place = error.span().map_or_else(String::new, |span| format!(":{}", line(span.start)));
        anyhow!("{name}{place}: {}", error.message())
    })?;
    let mut reader =
        FileReader { name: &name, line: &line, directory: path.parent().unwrap_or(Path::new("")), told: Vec::new() };
    reader.table(&[], table.get_ref())?;
    // In the order of the file, as the later one of two patterns that fit counts.
    reader.told.sort_by_key(|(at, _)| *at);
    Ok(reader.told.into_iter().map(|(_, told)| told).collect())
}

fn read_text(path: &Path) -> Result<String> {
    let context = || format!("can't read the configuration {}", shown(path));
    // A FIFO would never open.
    ensure!(fs::metadata(path).with_context(context)?.is_file(), "{} is no regular file", shown(path));
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)).with_context(context)?;
    ensure!(bytes.len() as u64 <= MOST_BYTES, "{} is larger than a configuration", shown(path));
    String::from_utf8(bytes).map_err(|_| anyhow!("{} is no UTF-8", shown(path)))
}

struct FileReader<'a> {
    name: &'a str,
    line: &'a dyn Fn(usize) -> usize,
    directory: &'a Path,
    told: Vec<(usize, Told)>,
}

impl FileReader<'_> {
    fn table(&mut self, path: &[String], table: &DeTable<'_>) -> Result<()> {
        for (key, value) in table {
            let at = key.span().start;
            let path: Vec<String> = path.iter().cloned().chain([key.get_ref().to_string()]).collect();
            let place = format!("{}:{}", self.name, (self.line)(at));
            if let DeValue::Table(inner) = value.get_ref() {
                ensure!(is_table(&path), "{place}: {}: {}", path.join("."), unknown_table(&path));
                self.table(&path, inner)?;
                continue;
            }
            let said = format!("{place}: {}", path.join("."));
            let may_be_value = !is_table(&path) || path[0] == "personal" && path.len() == 2;
            ensure!(may_be_value, "{said}: expected a table, as in [{}]", path.join("."));
            if path.join(".") == "personal.key" {
                bail!("{said}: {}", unknown_key(&path));
            }
            let texts = texts(value.get_ref()).with_context(|| said.clone())?;
            let texts = texts.into_iter().map(|text| self.resolved(&path, text)).collect();
            self.told.push((at, Told { layer: Layer::File, path, texts, origin: place, said }));
        }
        Ok(())
    }

    /// A path relative to the file; anything else as it is.
    fn resolved(&self, path: &[String], text: String) -> std::ffi::OsString {
        let name = path.join(".");
        let is_path = KEYS.iter().any(|key| key.name == name && key.is_path) && !text.is_empty() && text != "-";
        if !is_path {
            return text.into();
        }
        let joined = self.directory.join(&text);
        match (self.directory.to_str(), text.contains(['*', '?', '['])) {
            // The pattern is in the text alone.
            (Some(directory), true) if name == "inputs" && !joined.exists() && !Path::new(&text).is_absolute() => {
                Path::new(&glob::Pattern::escape(directory)).join(text).into()
            }
            _ => joined.into(),
        }
    }
}

/// Whether a key holds a table.
fn is_table(path: &[String]) -> bool {
    match path {
        [one] => matches!(one.as_str(), "limits" | "personal" | "sources"),
        [one, _] if one == "sources" => true,
        [one, two] if one == "personal" => two == "extra",
        [one, _, three] if one == "sources" => matches!(three.as_str(), "state" | "classification"),
        _ => false,
    }
}

fn unknown_table(path: &[String]) -> String {
    match path {
        [one, _, three] if one == "sources" && OF_SOURCE.contains(&three.as_str()) => {
            "expected a value, no table".to_owned()
        }
        _ if KEYS.iter().any(|key| key.name == path.join(".")) => "expected a value, no table".to_owned(),
        _ => unknown_key(path),
    }
}

/// The text of a value, or those of a list.
fn texts(value: &DeValue<'_>) -> Result<Vec<String>> {
    let one = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Ok(flag.to_string()),
        other => bail!("expected a string, a whole number, true or false, found {}", other.type_str()),
    };
    match value {
        DeValue::Array(list) => list.iter().map(|value| one(value.get_ref())).collect(),
        value => Ok(vec![one(value)?]),
    }
}
