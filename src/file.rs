//! Files read whole: regular ones only, never more than a limit, into a buffer that is used again.
//!
//! The lowest of the effects: `beam` and `installed` both stand on it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir, fstat, openat};
use rustix::io::{Errno, read, retry_on_intr};

/// A path, from a directory that is open already or, where there is none, from the current one. A
/// directory that holds many files is thus not looked up again for each of them.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    dir: BorrowedFd<'a>,
    path: &'a Path,
}

impl<'a> Place<'a> {
    /// `path`, as seen from `dir`.
    pub fn inside(dir: BorrowedFd<'a>, path: &'a Path) -> Self {
        Self { dir, path }
    }
}

impl<'a> From<&'a Path> for Place<'a> {
    fn from(path: &'a Path) -> Self {
        Self::inside(CWD, path)
    }
}

/// Why a file could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The system refuses it; the error as Erlang names it.
    System(&'static str),
    /// A directory, device, socket or pipe.
    NotRegular,
    /// Larger than the limit.
    TooLarge,
}

impl From<Errno> for ReadError {
    fn from(errno: Errno) -> Self {
        Self::System(posix(errno))
    }
}

/// Where one file after the other is read into.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
}

impl Buffer {
    /// What was read last.
    pub fn content(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives what was read last away: where it is to stay, that is less than a copy.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Reads a file of at most `limit` bytes.
    pub fn read(&mut self, place: Place<'_>, limit: u64) -> Result<(), ReadError> {
        self.bytes.clear();
        // Opening a pipe would wait for its writer: not with NONBLOCK, which a regular file ignores.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let open = || openat(place.dir, place.path, flags, Mode::empty());
        let file = retry_on_intr(open)?;
        let status = fstat(&file)?;
        if !FileType::from_raw_mode(status.st_mode).is_file() {
            return Err(ReadError::NotRegular);
        }
        let length = u64::try_from(status.st_size).unwrap_or(u64::MAX);
        if length > limit {
            return Err(ReadError::TooLarge);
        }
        let length = usize::try_from(length).map_err(|_| ReadError::TooLarge)?;
        self.fill(&file, length)
    }

    // What the file had when it was opened, into memory that is not zeroed before: that would cost more
    // than reading.
    fn fill(&mut self, file: impl AsFd, length: usize) -> Result<(), ReadError> {
        self.bytes.reserve(length);
        while self.bytes.len() < length {
            // Became shorter meanwhile.
            if retry_on_intr(|| read(&file, spare_capacity(&mut self.bytes)))? == 0 {
                break;
            }
        }
        self.bytes.truncate(length);
        Ok(())
    }
}

/// So many bytes of names are asked for at once: some thousand.
const LISTED_AT_ONCE: usize = 32 << 10;

/// Opens a directory, to find files in it by [`Place::inside`] or to [`list`] it.
pub fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retry_on_intr(|| openat(CWD, path, flags, Mode::empty()))
}

/// Calls `visit` with the name of everything in a directory that was opened for this, but for names that
/// are no UTF-8.
pub fn list(directory: impl AsFd, mut visit: impl FnMut(&str)) -> Result<(), Errno> {
    let mut space = Vec::with_capacity(LISTED_AT_ONCE);
    let mut entries = RawDir::new(directory, space.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        match entry?.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(name) => visit(name),
        }
    }
    Ok(())
}

/// The names in the directory `path`; none where it cannot be read.
pub fn names(path: &Path) -> Vec<String> {
    let mut names = Vec::new();
    // What was read before an error is there.
    let _ = open_directory(path).and_then(|dir| list(dir, |name| names.push(name.to_owned())));
    names
}

/// The name of an error, as Erlang has it.
pub fn posix(error: impl Into<io::Error>) -> &'static str {
    match Errno::from_io_error(&error.into()) {
        Some(Errno::ACCESS) => "eacces",
        Some(Errno::PERM) => "eperm",
        Some(Errno::NOENT) => "enoent",
        Some(Errno::NOTDIR) => "enotdir",
        Some(Errno::ISDIR) => "eisdir",
        Some(Errno::LOOP) => "eloop",
        Some(Errno::NAMETOOLONG) => "enametoolong",
        Some(Errno::MFILE) => "emfile",
        Some(Errno::NFILE) => "enfile",
        Some(Errno::NOMEM) => "enomem",
        Some(Errno::STALE) => "estale",
        Some(Errno::NXIO) => "enxio",
        _ => "eio",
    }
}
