//! Files of environments: linked, hashed, compared.

use super::error::{EnvironmentError, refused, unusable};
use super::object::{self, Object};
use super::record::{self, Record};
use super::source::Link;
use crate::installed;
use crate::trust;
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, Metadata, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Larger than any file of OTP, debug information included.
const LARGEST: u64 = 1 << 30;
const OTHERS_WRITE: u32 = 0o022;
/// Set user, set group.
const SPECIAL: u32 = 0o6000;
const EXECUTABLE: u32 = 0o111;

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its SHA-256, and after it an `x` where it can be executed.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
    /// What it says about itself if it is native code.
    pub object: Option<Object>,
}

/// Links `files` into `to`, which is there and empty: how many had to be copied, since another could write into
/// them, or since they are on another file system.
pub fn link(files: &[Link], to: &Path) -> Result<usize, EnvironmentError> {
    let mut copied = 0;
    let mut made = BTreeSet::new();
    for (path, source) in files {
        let target = to.join(path);
        let dir = target.parent().unwrap_or(to).to_owned();
        if !made.contains(&dir) {
            let built = DirBuilder::new().recursive(true).mode(0o755).create(&dir);
            built.map_err(|error| unusable(&dir, error))?;
            made.insert(dir);
        }
        if !is_linked(source, &target) {
            copy(source, &target).map_err(|error| unusable(source, error))?;
            copied += 1;
        }
    }
    Ok(copied)
}

/// Links one file. What is linked is looked at afterwards: a name may mean another file by then.
fn is_linked(source: &Path, target: &Path) -> bool {
    let real = match source.is_symlink() {
        true => fs::canonicalize(source),
        false => Ok(source.to_owned()),
    };
    let linked = real.and_then(|real| fs::hard_link(real, target));
    if linked.is_err() {
        return false;
    }
    let is_safe = target.symlink_metadata().is_ok_and(|found| is_safe(&found));
    if !is_safe {
        // What cannot be removed makes the copy fail.
        let _ = fs::remove_file(target);
    }
    is_safe
}

/// Whether nobody but root and the caller can change the file.
fn is_safe(metadata: &Metadata) -> bool {
    let caller = rustix::process::geteuid().as_raw();
    metadata.is_file()
        && (metadata.uid() == 0 || metadata.uid() == caller)
        && metadata.mode() & (OTHERS_WRITE | SPECIAL) == 0
}

fn copy(source: &Path, target: &Path) -> io::Result<()> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    let mut source = options.read(true).custom_flags(flags).open(source)?;
    let metadata = source.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mode = 0o444 | (metadata.mode() & EXECUTABLE);
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true).mode(mode);
    let mut copied = options.open(target)?;
    io::copy(&mut source, &mut copied)?;
    copied.set_permissions(Permissions::from_mode(mode))?;
    copied.sync_all()
}

/// What `files` are, read by several threads. Of links the file is meant that they lead to, but in `verify`.
pub fn survey(files: &[Link]) -> Result<BTreeMap<String, Content>, EnvironmentError> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(BTreeMap::new());
    let work = || -> Result<(), EnvironmentError> {
        while let Some((path, file)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let content = content(file)?;
            let mut found = found.lock().expect("no thread panics with the lock");
            found.insert(path.clone(), content);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads = installed::threads().min(files.len());
        let threads: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let results = threads.into_iter().map(|thread| {
            let panicked = |_| std::panic::panic_any("a thread that reads files");
            thread.join().unwrap_or_else(panicked)
        });
        results.fold(own, Result::and)
    })?;
    Ok(found.into_inner().expect("no thread panics with the lock"))
}

fn content(file: &Path) -> Result<Content, EnvironmentError> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    let opened = options.read(true).custom_flags(flags).open(file);
    let opened = opened.map_err(|error| unusable(file, error))?;
    let metadata = opened.metadata().map_err(|error| unusable(file, error))?;
    if !metadata.is_file() {
        return Err(refused(file, "is not a regular file"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(LARGEST)).unwrap_or(0));
    let read = opened.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| unusable(file, error))?;
    let length = bytes.len() as u64;
    if length > LARGEST {
        return Err(refused(file, "is larger than any file of OTP"));
    }
    let executable = match metadata.mode() & EXECUTABLE {
        0 => "",
        _ => "x",
    };
    let native = |source| EnvironmentError::Native {
        file: file.to_owned(),
        source,
    };
    Ok(Content {
        digest: record::hexadecimal(&Sha256::digest(&bytes)) + executable,
        bytes: length,
        object: object::read(&bytes).map_err(native)?,
    })
}

/// The content of the environment in `dir`, which must be what `record` says, neither more nor less.
pub fn verify(dir: &Path, record: &Record) -> Result<BTreeMap<String, Content>, EnvironmentError> {
    let changed = |path: &str| EnvironmentError::Changed {
        path: dir.join(path),
    };
    let files = listed(dir)?;
    let names: BTreeSet<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    let expected = record.files.keys().map(String::as_str);
    if let Some(path) = expected.clone().find(|path| !names.contains(path)) {
        return Err(changed(path));
    }
    if let Some(path) = names.iter().find(|path| !record.files.contains_key(**path)) {
        return Err(changed(path));
    }
    let found = survey(&files)?;
    for (path, content) in &found {
        if record.files.get(path) != Some(&content.digest) {
            return Err(changed(path));
        }
    }
    Ok(found)
}

/// The files of the environment in `dir`, its record aside. It has no links, and nothing that others can change.
fn listed(dir: &Path) -> Result<Vec<Link>, EnvironmentError> {
    let mut files = Vec::new();
    for path in tree(dir)? {
        let metadata = path.symlink_metadata();
        let metadata = metadata.map_err(|error| unusable(&path, error))?;
        if metadata.is_dir() {
            trust::check(&path)?;
            continue;
        }
        if !is_safe(&metadata) {
            return Err(refused(
                &path,
                "is no regular file, or others can change it",
            ));
        }
        let name = path.strip_prefix(dir).ok().and_then(Path::to_str);
        let name = name.ok_or_else(|| refused(&path, "has a name that is no text"))?;
        if name != record::FILE {
            files.push((name.to_owned(), path));
        }
    }
    Ok(files)
}

/// Everything below `dir`, and `dir` itself, a directory before what it holds.
pub fn tree(dir: &Path) -> Result<Vec<PathBuf>, EnvironmentError> {
    let mut paths = vec![dir.to_owned()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        let metadata = path.symlink_metadata();
        if metadata.map_err(|error| unusable(&path, error))?.is_dir() {
            for entry in fs::read_dir(&path).map_err(|error| unusable(&path, error))? {
                paths.push(entry.map_err(|error| unusable(&path, error))?.path());
            }
        }
        if paths.len() > 500_000 {
            return Err(refused(dir, "holds more than an environment"));
        }
    }
    Ok(paths)
}

/// Makes every directory below `dir`, and `dir` itself, read-only, and all of it survive a loss of power.
pub fn seal(dir: &Path) -> Result<(), EnvironmentError> {
    // What a directory holds before itself.
    for path in tree(dir)?.iter().rev().filter(|path| path.is_dir()) {
        let sealed = fs::set_permissions(path, Permissions::from_mode(0o555));
        sealed.map_err(|error| unusable(path, error))?;
        trust::sync(path)?;
    }
    Ok(())
}

/// Removes `dir` and all that is in it, read-only or not; it may be gone already.
pub fn remove(dir: &Path) -> Result<(), EnvironmentError> {
    match dir.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(metadata) if !metadata.is_dir() => {
            return fs::remove_file(dir).map_err(|error| unusable(dir, error));
        }
        _ => {}
    }
    for path in tree(dir)? {
        // Root needs no permission; what others cannot set, the removal tells.
        if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            let _ = fs::set_permissions(&path, Permissions::from_mode(0o755));
        }
    }
    fs::remove_dir_all(dir).map_err(|error| unusable(dir, error))
}
