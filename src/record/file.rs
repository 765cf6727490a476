//! Opens, locks and rotates the files of a log. Every check is made on the open file, so that the
//! file that was checked is the file that is used.

use super::RecordError;
use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const OTHERS_WRITE: u32 = 0o022;
const ROOT: u32 = 0;
/// How long a writer waits while another hook holds the lock; that hook writes a single line.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);

/// Opens `path` for reading; `None` if the file does not exist.
pub fn to_read(path: &Path) -> Result<Option<File>, RecordError> {
    match options().read(true).open(path) {
        Ok(file) => check(path, &file).map(|()| Some(file)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(source) => Err(RecordError::unusable(path, source)),
    }
}

/// Opens `path` for appending, locked against other writers. The file is created if it does not
/// exist.
pub fn to_append(path: &Path) -> Result<File, RecordError> {
    let until = Instant::now() + PATIENCE;
    loop {
        let file = open_or_make(path)?;
        check(path, &file)?;
        lock(path, &file, until)?;
        // The previous owner of the lock may have rotated the file.
        if is_at(&file, path) {
            return Ok(file);
        }
    }
}

fn open_or_make(path: &Path) -> Result<File, RecordError> {
    let mut to_append = options();
    to_append.read(true).append(true);
    let unusable = |source| RecordError::unusable(path, source);
    match to_append.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => return other.map_err(unusable),
    }
    let directory = directory_of(path);
    // The directory may be listed by everybody: others may see that there is a log, but not what it
    // holds.
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)
        .map_err(unusable)?;
    let made = to_append
        .create(true)
        .mode(0o640)
        .open(path)
        .map_err(unusable)?;
    sync_directory(path)?;
    Ok(made)
}

/// Syncs the directory of `path`, so that new names survive a crash of the machine.
pub fn sync_directory(path: &Path) -> Result<(), RecordError> {
    File::open(directory_of(path))
        .and_then(|directory| directory.sync_all())
        .map_err(|source| RecordError::unusable(path, source))
}

/// Renames `path` to `path.1`, `path.1` to `path.2`, and so on; the oldest of the `keep` files is
/// deleted.
pub fn rotate(path: &Path, keep: usize) -> Result<(), RecordError> {
    for number in (0..keep).rev() {
        let from = rotated(path, number);
        match std::fs::rename(&from, rotated(path, number + 1)) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(RecordError::unusable(&from, source));
            }
            _ => {}
        }
    }
    sync_directory(path)
}

/// The name of the log after `number` rotations.
pub fn rotated(path: &Path, number: usize) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Whether the last line of a file that is not empty has no line end, because a writer was interrupted.
pub fn ends_within_line(file: &mut File) -> io::Result<bool> {
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Device and inode, which identify a file.
pub fn identity(file: &File) -> Option<(u64, u64)> {
    file.metadata()
        .ok()
        .map(|metadata| (metadata.dev(), metadata.ino()))
}

fn is_at(file: &File, path: &Path) -> bool {
    let there = path
        .symlink_metadata()
        .ok()
        .map(|metadata| (metadata.dev(), metadata.ino()));
    there.is_some() && there == identity(file)
}

/// Opens without following a symbolic link and without waiting for the other end of a pipe.
fn options() -> OpenOptions {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.custom_flags(flags.bits().cast_signed());
    options
}

/// Checks that the file is regular, has no other name, belongs to root or to the caller, and cannot
/// be written by others.
fn check(path: &Path, file: &File) -> Result<(), RecordError> {
    let metadata = file
        .metadata()
        .map_err(|source| RecordError::unusable(path, source))?;
    let caller = rustix::process::geteuid().as_raw();
    let refused = |reason: String| {
        Err(RecordError::Refused {
            file: path.to_owned(),
            reason,
        })
    };
    if !metadata.is_file() {
        return refused("is not a regular file".to_owned());
    }
    if metadata.uid() != ROOT && metadata.uid() != caller {
        return refused(format!("belongs to uid {}", metadata.uid()));
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return refused(format!(
            "can be written by group or others (mode {:04o})",
            metadata.mode() & 0o7777
        ));
    }
    if metadata.nlink() > 1 {
        return refused("has another name".to_owned());
    }
    Ok(())
}

/// Waits for the lock until `until` at the latest: any process that may read the log could hold the
/// lock for ever.
fn lock(path: &Path, file: &File, until: Instant) -> Result<(), RecordError> {
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < until => {
                std::thread::sleep(PAUSE)
            }
            Err(Errno::WOULDBLOCK) => {
                let reason = "is held by another process".to_owned();
                return Err(RecordError::Refused {
                    file: path.to_owned(),
                    reason,
                });
            }
            Err(error) => return Err(RecordError::unusable(path, error.into())),
        }
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    }
}
