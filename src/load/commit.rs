//! A run is visible whole or not at all: staging beside the output, one atomic exchange, one writer at a time.
//!
//! Beside the output `lake` lies, while a run works, the directory `.lake.paynorm`: it holds the new snapshot and what
//! else the run needs on disk, and its advisory lock is the run's lock, which dies with the process. What a killed run
//! left there is removed by the next one. What surprises: the lock is on a directory that is itself removed at the end,
//! so whoever gets the lock makes sure that the directory is still the one at that path.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::{AtFlags, CWD, RenameFlags, StatxAttributes, StatxFlags, renameat_with, statx};
use rustix::io::Errno;

use super::partition::is_partition;
use crate::model::paths::shown;

/// The directory in a dataset that holds what is no data; readers skip names that begin with `_`.
pub const META_DIRECTORY: &str = "_paynorm";
/// The file that tells that a dataset is ours.
pub const MANIFEST: &str = "manifest.json";

/// How many files are made durable at once; a run may have no more than 64 open.
const SYNC_THREADS: usize = 16;

/// What may be at the output before a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Nothing.
    Nothing,
    /// An empty directory.
    Empty,
    /// A dataset of ours.
    Dataset,
    /// Something else.
    Foreign,
}

/// Looks at what is at `out`.
///
/// # Errors
/// When it can't be read.
pub fn existing(out: &Path) -> Result<Existing> {
    let metadata = match fs::symlink_metadata(out) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::Nothing),
        Err(error) => return Err(error).with_context(|| format!("can't look at {}", shown(out))),
    };
    if !metadata.is_dir() {
        return Ok(Existing::Foreign);
    }
    if out.join(META_DIRECTORY).join(MANIFEST).is_file() {
        return Ok(Existing::Dataset);
    }
    let mut entries = fs::read_dir(out).with_context(|| format!("can't read {}", shown(out)))?;
    Ok(if entries.next().is_none() { Existing::Empty } else { Existing::Foreign })
}

/// Looks for what is not ours in the dataset `out`: the next snapshot would not have it.
///
/// # Errors
/// When there is something, or the dataset can't be read.
pub fn check_ours(out: &Path) -> Result<()> {
    let mut directories = vec![out.to_owned()];
    while let Some(directory) = directories.pop() {
        let context = || format!("can't read {}", shown(&directory));
        for entry in fs::read_dir(&directory).with_context(context)? {
            let entry = entry.with_context(context)?;
            let (name, kind) = (entry.file_name(), entry.file_type().with_context(context)?);
            match name.to_str() {
                Some(META_DIRECTORY) if kind.is_dir() && directory == out => {}
                Some(name) if kind.is_dir() && is_partition(name) => directories.push(entry.path()),
                Some(name) if kind.is_file() && is_data_file(name) => {}
                _ => bail!("{} is not of paynorm, and would be lost; move it out of there", shown(&entry.path())),
            }
        }
    }
    Ok(())
}

/// What the name of every data file begins with.
pub const DATA_FILE: &str = "part-";

/// What a data file is called: the start of the run's id, and a number.
#[must_use]
pub fn data_file_name(run: &str, number: usize) -> String {
    format!("{DATA_FILE}{run}-{number:05}.parquet")
}

fn is_data_file(name: &str) -> bool {
    name.strip_prefix(DATA_FILE).is_some_and(|rest| rest.ends_with(".parquet"))
}

/// Why a run can't begin.
#[derive(Debug)]
pub enum Refused {
    /// Another run holds the lock.
    Locked,
    /// Something failed.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A run's place to work, locked.
#[derive(Debug)]
pub struct Staging {
    out: PathBuf,
    directory: PathBuf,
    _lock: File,
}

impl Staging {
    /// Takes the lock for `out` and clears what a killed run left.
    ///
    /// # Errors
    /// [`Refused::Locked`] at once when another run works on the same output.
    pub fn begin(out: &Path) -> Result<Self, Refused> {
        let directory = staging_directory(out)?;
        let parent = directory.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).with_context(|| format!("can't create {}", shown(parent)))?;
        let lock = lock_directory(&directory)?;
        let staging = Self { out: out.to_owned(), directory, _lock: lock };
        if let Err(error) =
            staging.clear().and_then(|()| staging.create_snapshot()).and_then(|()| staging.can_publish())
        {
            // Why it can't begin is what counts, not what can't be removed then.
            let _ = staging.discard();
            return Err(error.into());
        }
        Ok(staging)
    }

    /// Clears what a killed run left for `out`, unless a run works there; that it can't be cleared is no fault.
    pub fn clear_left(out: &Path) {
        let left = staging_directory(out).is_ok_and(|directory| directory.is_dir());
        if left && let Ok(staging) = Self::begin(out) {
            let _ = staging.discard();
        }
    }

    /// Where the new snapshot is built.
    #[must_use]
    pub fn snapshot(&self) -> PathBuf {
        self.directory.join("snapshot")
    }

    /// The snapshot's directory for what is no data.
    #[must_use]
    pub fn meta(&self) -> PathBuf {
        self.snapshot().join(META_DIRECTORY)
    }

    /// Where standard input is kept while it is read.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.directory.join("standard-input")
    }

    /// Where rows and keys go that do not fit in memory.
    #[must_use]
    pub fn spill(&self) -> PathBuf {
        self.directory.join("spill")
    }

    /// Empties the snapshot, to build it again.
    ///
    /// # Errors
    /// When something can't be removed.
    pub fn restart(&self) -> Result<()> {
        remove_tree(&self.snapshot())?;
        remove_tree(&self.spill())?;
        self.create_snapshot()
    }

    fn create_snapshot(&self) -> Result<()> {
        for directory in [self.snapshot(), self.spill()] {
            fs::create_dir(&directory).with_context(|| format!("can't create {}", shown(&directory)))?;
        }
        // The quarantine holds what nobody has checked: for its owner alone.
        DirBuilder::new()
            .mode(0o700)
            .create(self.meta())
            .with_context(|| format!("can't create {}", shown(&self.meta())))
    }

    /// Makes sure before the work that the snapshot can be made visible after it.
    fn can_publish(&self) -> Result<()> {
        let out = shown(&self.out);
        if self.out.symlink_metadata().is_err() {
            return Ok(());
        }
        let facts = statx(CWD, &self.out, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
        if facts.is_ok_and(|facts| facts.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)) {
            bail!("{out} is a mount point, and no snapshot can take its place; choose a directory in it");
        }
        let (one, other) = (self.directory.join("one"), self.directory.join("other"));
        for directory in [&one, &other] {
            fs::create_dir(directory).with_context(|| format!("can't create {}", shown(directory)))?;
        }
        rename(&one, &other, RenameFlags::EXCHANGE).with_context(|| {
            format!(
                "the file system of {out} can't exchange two directories in one step; choose one that can, such as ext4"
            )
        })?;
        remove_tree(&one)?;
        remove_tree(&other)
    }

    fn clear(&self) -> Result<()> {
        let context = || format!("can't clear {}", shown(&self.directory));
        for entry in fs::read_dir(&self.directory).with_context(context)? {
            let entry = entry.with_context(context)?;
            if entry.file_type().with_context(context)?.is_dir() {
                remove_tree(&entry.path())?;
            } else {
                fs::remove_file(entry.path()).with_context(context)?;
            }
        }
        Ok(())
    }

    /// Makes the snapshot durable and visible at the output, in place of what was there; then removes that.
    ///
    /// # Errors
    /// When the snapshot could not be made visible; the output is then as it was.
    pub fn commit(self) -> Result<()> {
        let published = self.publish();
        // Whether the snapshot is visible is what counts: what can't be removed now, the next run removes.
        let _ = self.discard();
        published
    }

    fn publish(&self) -> Result<()> {
        let snapshot = self.snapshot();
        make_durable(&snapshot)?;
        sync(&self.directory)?;
        let flags = match self.out.symlink_metadata() {
            Ok(_) => {
                check_ours(&self.out)?;
                RenameFlags::EXCHANGE
            }
            Err(_) => RenameFlags::NOREPLACE,
        };
        rename(&snapshot, &self.out, flags)
            .with_context(|| format!("can't make the new snapshot visible as {}", shown(&self.out)))?;
        let parent = self.directory.parent().unwrap_or(Path::new("/"));
        sync(&self.directory).and_then(|()| sync(parent)).or_else(|error| {
            // A power cut might undo it, so it must not be seen.
            rename(&self.out, &snapshot, flags)
                .with_context(|| format!("can't take back the new snapshot at {}", shown(&self.out)))?;
            Err(error)
        })
    }

    /// Removes the staging directory.
    ///
    /// # Errors
    /// When something can't be removed.
    pub fn discard(self) -> Result<()> {
        self.clear()?;
        fs::remove_dir(&self.directory).with_context(|| format!("can't remove {}", shown(&self.directory)))
    }
}

/// Where a run for `out` works.
fn staging_directory(out: &Path) -> Result<PathBuf> {
    let name = out.file_name().ok_or_else(|| anyhow!("{} is no name for an output directory", shown(out)))?;
    let parent = match out.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut staging_name = std::ffi::OsString::from(".");
    staging_name.push(name);
    staging_name.push(".paynorm");
    Ok(parent.join(staging_name))
}

/// Creates the directory and takes its lock; makes sure that it is still the one at that path.
fn lock_directory(directory: &Path) -> Result<File, Refused> {
    let context = || format!("can't prepare {}: is its parent writable?", shown(directory));
    for _ in 0..100 {
        match fs::create_dir(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error).with_context(context)?,
            _ => {}
        }
        let lock = match File::open(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.with_context(context)?,
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(Refused::Locked),
            Err(fs::TryLockError::Error(error)) => return Err(error).with_context(context)?,
        }
        let ours = lock.metadata().with_context(context)?;
        match fs::symlink_metadata(directory) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => return Ok(lock),
            _ => {}
        }
    }
    Err(Refused::Locked)
}

/// Renames a directory, or exchanges two.
fn rename(from: &Path, to: &Path, flags: RenameFlags) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, flags) {
        // Some file systems know no flags. Nothing is there, and the lock is ours.
        #[allow(clippy::disallowed_methods, reason = "this is the module that may")]
        Err(Errno::INVAL) if flags == RenameFlags::NOREPLACE => fs::rename(from, to),
        other => Ok(other?),
    }
}

/// Renames a file within staging.
///
/// # Errors
/// When it can't be renamed.
pub fn rename_staged(from: &Path, to: &Path) -> Result<()> {
    #[allow(clippy::disallowed_methods, reason = "this is the module that may")]
    fs::rename(from, to).with_context(|| format!("can't rename {}", shown(from)))
}

/// Takes a data file over into staging: as a second name of the same file, or as a copy where there are no such links.
///
/// # Errors
/// When it can be neither linked nor copied.
pub fn link(from: &Path, to: &Path) -> Result<()> {
    let copy = || {
        let (mut original, mut copy) = (File::open(from)?, File::create_new(to)?);
        copy.set_permissions(original.metadata()?.permissions())?;
        io::copy(&mut original, &mut copy)?;
        close(copy)
    };
    let linked = fs::hard_link(from, to).or_else(|_| copy());
    linked.with_context(|| format!("can't take over {}", shown(from)))
}

/// Writes a small file into staging, for its owner alone.
///
/// # Errors
/// When it can't be written.
pub fn write_staged(path: &Path, content: &[u8]) -> Result<()> {
    let write = || {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        close(file)
    };
    write().with_context(|| format!("can't write {}", shown(path)))
}

/// Closes a file that was written: some file systems tell only then that it could not be.
///
/// # Errors
/// What closing it says.
pub(super) fn close(file: File) -> io::Result<()> {
    Ok(nix::unistd::close(file)?)
}

fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", shown(path)))
        }
        _ => Ok(()),
    }
}

/// Makes every file and directory of a snapshot durable, many at once: they wait for the disk, not for the processor.
fn make_durable(snapshot: &Path) -> Result<()> {
    let mut paths = vec![snapshot.to_owned()];
    let mut listed = 0;
    while let Some(path) = paths.get(listed).cloned() {
        listed += 1;
        let context = || format!("can't read {}", shown(&path));
        if path.symlink_metadata().with_context(context)?.is_dir() {
            for entry in fs::read_dir(&path).with_context(context)? {
                paths.push(entry.with_context(context)?.path());
            }
        }
    }
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            sync(path)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..SYNC_THREADS.min(paths.len())).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread that syncs panicked"))?)
    })
}

/// Makes files durable while others are still written, so that little is left to wait for at the end.
#[derive(Debug, Default)]
pub(super) struct EarlySync {
    thread: Option<JoinHandle<Result<()>>>,
    stop: Arc<AtomicBool>,
}

impl EarlySync {
    /// Begins with the files at `paths`, which are not looked at while it is still busy: the end sees to all files.
    ///
    /// # Errors
    /// When one of the files before can't be made durable.
    pub(super) fn begin(&mut self, paths: impl Iterator<Item = PathBuf>) -> Result<()> {
        if self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        let (paths, stop): (Vec<PathBuf>, _) = (paths.collect(), Arc::default());
        std::mem::take(self).end()?;
        self.stop = Arc::clone(&stop);
        let go_on = move |_: &&PathBuf| !stop.load(Ordering::Relaxed);
        self.thread = Some(thread::spawn(move || paths.iter().take_while(go_on).try_for_each(|path| sync(path))));
        Ok(())
    }

    /// Has it stop behind the file that it is at.
    ///
    /// # Errors
    /// When one of the files can't be made durable.
    pub(super) fn end(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.map_or(Ok(()), |thread| thread.join().map_err(|_| anyhow!("a thread that syncs panicked"))?)
    }
}

fn sync(path: &Path) -> Result<()> {
    let sync = || File::open(path)?.sync_all();
    sync().with_context(|| format!("can't make {} durable", shown(path)))
}

/// Refuses an output that a run would read, or that holds what it reads.
///
/// # Errors
/// When one of `inputs` is in `out`, or `out` in it.
pub fn check_apart(out: &Path, inputs: &[PathBuf]) -> Result<()> {
    let real =
        |path: &Path| path.ancestors().find_map(|p| Some(p.canonicalize().ok()?.join(path.strip_prefix(p).ok()?)));
    let absolute = |path: &Path| std::path::absolute(path).ok().and_then(|path| real(&path));
    let Some(out) = absolute(out) else { return Ok(()) };
    for input in inputs {
        let Some(input_path) = absolute(input) else { continue };
        if out.starts_with(&input_path) || input_path.starts_with(&out) {
            bail!(
                "the output {} and the input {} lie in one another; choose an output elsewhere",
                shown(&out),
                shown(input)
            );
        }
    }
    Ok(())
}
