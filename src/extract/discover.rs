//! Which files are dumps: directories are walked, patterns expanded, everything sorted by the path that lineage keeps.
//!
//! What is no regular file is listed as skipped with its reason, never opened: a FIFO would hang the run. A link is
//! followed only where the user named it.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, Result, bail};

use crate::model::paths::{escape_bytes, shown};

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// Where it is.
    pub path: PathBuf,
    /// Its path relative to the base directory, as lineage writes it.
    pub name: String,
    /// Its size when it was found.
    pub size: u64,
}

/// Something that is in an input directory and is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its path, as lineage would write it.
    pub name: String,
    /// Why.
    pub why: &'static str,
}

/// What the inputs came to.
#[derive(Clone, Debug, Default)]
pub struct Discovered {
    /// The dumps, in input order.
    pub dumps: Vec<Dump>,
    /// What is left out.
    pub skipped: Vec<Skipped>,
}

/// The name of a configuration beside the dumps.
pub const CONFIG_FILE: &str = "paynorm.toml";
/// The lineage name of standard input.
pub const STANDARD_INPUT: &str = "-";

/// Finds the dumps that `inputs` name: directories, files, glob patterns. What is `own`, by whatever path, is no dump.
///
/// # Errors
/// When an input does not exist, can't be read, or matches nothing.
pub fn discover(inputs: &[PathBuf], base: Option<&Path>, own: &[PathBuf]) -> Result<Discovered> {
    let identity = |path: &PathBuf| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let mut found = Found { own: own.iter().filter_map(identity).collect(), ..Found::default() };
    for input in inputs {
        found.input(input)?;
    }
    let base = match base {
        Some(base) => {
            let base = absolute(base)?;
            if let Some(outside) = found.files.keys().find(|file| !file.starts_with(&base)) {
                bail!("{} does not lie in the base directory {}", shown(outside), shown(&base));
            }
            base
        }
        None => common_directory(&found.roots),
    };
    let named = |path: &PathBuf| (lineage_name(path, &base), path.clone());
    let files: BTreeMap<Vec<u8>, Dump> = found
        .files
        .iter()
        .map(|(path, size)| {
            let (name, path) = named(path);
            (name.clone().into_bytes(), Dump { path, name, size: *size })
        })
        .collect();
    let skipped = found.skipped.iter().map(|(path, why)| Skipped { name: lineage_name(path, &base), why }).collect();
    Ok(Discovered { dumps: files.into_values().collect(), skipped })
}

#[derive(Default)]
struct Found {
    files: BTreeMap<PathBuf, u64>,
    skipped: BTreeMap<PathBuf, &'static str>,
    /// Directories, one of which holds each file.
    roots: Vec<PathBuf>,
    /// Device and inode of files that are no dumps.
    own: Vec<(u64, u64)>,
}

impl Found {
    fn input(&mut self, input: &Path) -> Result<()> {
        match fs::metadata(input) {
            Ok(metadata) if metadata.is_dir() => {
                let directory = absolute(input)?;
                self.roots.push(directory.clone());
                self.walk(&directory)
            }
            Ok(metadata) => self.file(absolute(input)?, &metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.pattern(input),
            Err(error) => Err(error).with_context(|| format!("can't read {}", shown(input))),
        }
    }

    fn pattern(&mut self, input: &Path) -> Result<()> {
        let Some(pattern) = input.to_str().filter(|text| text.contains(['*', '?', '['])) else {
            bail!("{} does not exist", shown(input));
        };
        let paths = glob::glob(pattern).with_context(|| format!("{} is no valid pattern", shown(input)))?;
        let mut any = false;
        for path in paths {
            let path = path.with_context(|| format!("can't read what {} matches", shown(input)))?;
            any = true;
            self.input(&path)?;
        }
        if !any {
            bail!("{} matches nothing", shown(input));
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, metadata: &fs::Metadata) -> Result<()> {
        if let Some(why) = not_a_file(metadata.file_type()) {
            bail!("{} is {why}, no file; to read a stream, pipe it in and name `-`", shown(&path));
        }
        self.roots.push(path.parent().unwrap_or(&path).to_owned());
        self.regular(path, metadata);
        Ok(())
    }

    fn regular(&mut self, path: PathBuf, metadata: &fs::Metadata) {
        if path.file_name().is_some_and(|name| name == CONFIG_FILE)
            || self.own.contains(&(metadata.dev(), metadata.ino()))
        {
            self.skipped.insert(path, "belongs to the configuration");
        } else {
            self.files.insert(path, metadata.len());
        }
    }

    fn walk(&mut self, directory: &Path) -> Result<()> {
        let context = || format!("can't read the directory {}", shown(directory));
        for entry in fs::read_dir(directory).with_context(context)? {
            let entry = entry.with_context(context)?;
            let path = entry.path();
            let kind = entry.file_type().with_context(context)?;
            if entry.file_name().as_bytes().starts_with(b".") {
                self.skipped.insert(path, "hidden: its name begins with a dot");
            } else if kind.is_dir() {
                self.walk(&path)?;
            } else if let Some(why) = not_a_file(kind) {
                self.skipped.insert(path, why);
            } else {
                let metadata = entry.metadata().with_context(context)?;
                self.regular(path, &metadata);
            }
        }
        Ok(())
    }
}

fn not_a_file(kind: fs::FileType) -> Option<&'static str> {
    match () {
        () if kind.is_symlink() => Some("a symbolic link"),
        () if kind.is_fifo() => Some("a FIFO"),
        () if kind.is_socket() => Some("a socket"),
        () if kind.is_block_device() || kind.is_char_device() => Some("a device"),
        () => None,
    }
}

/// An absolute path without `.` and `..`; links are left as they are.
fn absolute(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).with_context(|| format!("can't tell where {} is", shown(path)))?;
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    Ok(clean)
}

fn common_directory(roots: &[PathBuf]) -> PathBuf {
    let Some(first) = roots.first() else { return PathBuf::from("/") };
    let holds_all = |directory: &&Path| roots.iter().all(|root| root.starts_with(directory));
    first.ancestors().find(holds_all).map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

/// The path relative to `base` with `/` between its parts; bytes that are no UTF-8 become `%XX`.
fn lineage_name(path: &Path, base: &Path) -> String {
    let relative = path.strip_prefix(base).unwrap_or(path);
    let parts: Vec<String> = relative.components().map(|part| escape_bytes(part.as_os_str())).collect();
    parts.join("/").replacen("//", "/", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_lie_in_the_base_directory() {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("in")).expect("made");
        fs::write(root.path().join("in/a"), "").expect("written");
        let found = |base: &str| discover(&[root.path().join("in")], Some(&root.path().join(base)), &[]);
        assert_eq!(found("").expect("found").dumps[0].name, "in/a");
        for elsewhere in ["nowhere", "i", "in/a/b"] {
            assert!(found(elsewhere).is_err(), "{elsewhere}");
        }
    }

    #[test]
    fn inputs_are_sorted_by_their_lineage() {
        let root = tempfile::tempdir().expect("a directory");
        for name in ["b/2.json", "b/10.json", "a.json", "b-c.json", ".hidden"] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, name).expect("written");
        }
        std::os::unix::fs::symlink("a.json", root.path().join("link")).expect("linked");
        let names = |inputs: &[&str], base: Option<&str>| {
            let inputs: Vec<_> = inputs.iter().map(|input| root.path().join(input)).collect();
            let base = base.map(|base| root.path().join(base));
            let found = discover(&inputs, base.as_deref(), &[]).expect("found");
            let skipped = found.skipped.iter().map(|skipped| format!("{} {}", skipped.name, skipped.why));
            found.dumps.iter().map(|dump| dump.name.clone()).chain(skipped).collect::<Vec<_>>()
        };
        let hidden = ".hidden hidden: its name begins with a dot";
        let all = ["a.json", "b-c.json", "b/10.json", "b/2.json", hidden, "link a symbolic link"];
        assert_eq!(names(&[""], None), all);
        assert_eq!(names(&["b/2.json"], None), ["2.json"]);
        assert_eq!(names(&["b/2.json"], Some("")), ["b/2.json"]);
        assert_eq!(names(&["b/*.json", "a.json", "b"], None), ["a.json", "b/10.json", "b/2.json"]);
        assert_eq!(names(&["link"], None), ["link"]);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        for input in ["/nowhere/at/all", "/nowhere/*.json"] {
            assert!(discover(&[PathBuf::from(input)], None, &[]).is_err());
        }
    }

    #[test]
    fn names_are_text_whatever_the_bytes() {
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(b"/base/\xffa\n/b"));
        assert_eq!(lineage_name(&path, Path::new("/base")), "%FFa\n/b");
    }
}
