//! Trees of files: copied by links, and compared with what they were.

use super::{FileRecord, MANIFEST, StashError, unusable};
use crate::trust::PathError;
use rustix::fs::OFlags;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// More directories within each other than any application has.
const DEEPEST: usize = 64;
/// More files than any application has.
const MOST: usize = 200_000;

/// Copies the tree `from` to `to`, which is not there: what its files are.
pub fn copy(from: &Path, to: &Path) -> Result<BTreeMap<PathBuf, FileRecord>, StashError> {
    let mut records = BTreeMap::new();
    for path in tree(from)? {
        let (source, target) = (below(from, &path), below(to, &path));
        let kind = source.symlink_metadata();
        let kind = kind.map_err(|error| unusable(&source, error))?.file_type();
        if kind.is_dir() {
            let made = DirBuilder::new().mode(0o755).create(&target);
            made.map_err(|error| unusable(&target, error))?;
        } else if let Some(record) = copy_one(&source, &target, kind.is_symlink())? {
            records.insert(path, record);
        }
    }
    Ok(records)
}

/// Whether the tree in `dir` is what `records` say, neither more nor less.
pub fn verify(dir: &Path, records: &BTreeMap<PathBuf, FileRecord>) -> Result<(), StashError> {
    let changed = |path: &Path| StashError::Changed {
        path: dir.join(path),
    };
    let mut found = 0;
    for path in tree(dir)? {
        let file = dir.join(&path);
        let metadata = file.symlink_metadata();
        if metadata.is_ok_and(|metadata| metadata.is_dir()) || path == Path::new(MANIFEST) {
            continue;
        }
        let expected = records.get(&path).ok_or_else(|| changed(&path))?;
        if record(&file)?.as_ref() != Some(expected) {
            return Err(changed(&path));
        }
        found += 1;
    }
    let missing = || {
        records
            .keys()
            .find(|path| dir.join(path).symlink_metadata().is_err())
    };
    match found == records.len() {
        true => Ok(()),
        false => Err(changed(missing().map_or(Path::new(""), PathBuf::as_path))),
    }
}

/// Every path below `dir`, itself as the empty one first, a directory before what it holds.
fn tree(dir: &Path) -> Result<Vec<PathBuf>, StashError> {
    let mut paths = vec![PathBuf::new()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        let whole = below(dir, &path);
        let metadata = whole.symlink_metadata();
        let metadata = metadata.map_err(|error| unusable(&whole, error))?;
        if path == Path::new("") && !metadata.is_dir() {
            return Err(PathError::refused(dir, "is not a directory").into());
        }
        if metadata.is_dir() {
            for entry in fs::read_dir(&whole).map_err(|error| unusable(&whole, error))? {
                let entry = entry.map_err(|error| unusable(&whole, error))?;
                paths.push(path.join(entry.file_name()));
            }
        }
        if paths.len() > MOST || path.components().count() > DEEPEST {
            return Err(PathError::refused(dir, "holds more than an application").into());
        }
    }
    Ok(paths)
}

/// Joining the empty path appends a slash, which would follow a link.
fn below(dir: &Path, path: &Path) -> PathBuf {
    match path.as_os_str().is_empty() {
        true => dir.to_owned(),
        false => dir.join(path),
    }
}

fn copy_one(from: &Path, to: &Path, link: bool) -> Result<Option<FileRecord>, StashError> {
    let Some(record) = record(from)? else {
        return Ok(None);
    };
    let copied = match &record {
        FileRecord::Link(target) if link => symlink(target, to),
        // Another file system, or a system that forbids links to what is not ours.
        _ => fs::hard_link(from, to).or_else(|_| copy_bytes(from, to)),
    };
    copied.map_err(|error| unusable(to, error))?;
    Ok(Some(record))
}

fn copy_bytes(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = open(from)?;
    let mode = source.metadata()?.permissions().mode() & 0o755;
    let mut options = OpenOptions::new();
    let mut target = options.write(true).create_new(true).mode(mode).open(to)?;
    io::copy(&mut source, &mut target).map(drop)
}

/// What a file is; `None` of what is no part of a package: pipes, sockets, devices.
fn record(file: &Path) -> Result<Option<FileRecord>, StashError> {
    let unusable = |error| unusable(file, error);
    let kind = file.symlink_metadata().map_err(unusable)?.file_type();
    if kind.is_symlink() {
        let target = fs::read_link(file).map_err(unusable)?;
        return Ok(Some(FileRecord::Link(target)));
    }
    if !kind.is_file() {
        return Ok(None);
    }
    let digest = open(file).and_then(digest).map_err(unusable)?;
    Ok(Some(FileRecord::Md5(digest)))
}

fn digest(mut file: File) -> io::Result<String> {
    let mut context = md5::Context::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:x}", context.finalize())),
            count => context.consume(buffer.get(..count).unwrap_or_default()),
        }
    }
}

fn open(file: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(file)
}
