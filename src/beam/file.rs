//! Reading module files: whole, into a buffer that is used again, and unpacked where they are packed.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::path::Path;

use flate2::read::GzDecoder;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::path::Arg;

use super::BeamError;

/// The most bytes that a module may have, packed or unpacked. The largest of OTP has three million.
pub const MAX_BYTES: u64 = 64 << 20;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A buffer for one file after the other.
#[derive(Debug, Default)]
pub struct Reader {
    raw: Vec<u8>,
    unpacked: Vec<u8>,
    filled: usize,
    packed: bool,
}

impl Reader {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file. Its bytes are [`Reader::bytes`] until the next one is read.
    pub fn read(&mut self, path: &Path) -> Result<(), BeamError> {
        self.read_in(CWD, path)
    }

    /// Reads a file of a directory, which is not looked up again for each of its files.
    pub fn read_in(&mut self, dir: impl AsFd, name: impl Arg) -> Result<(), BeamError> {
        self.filled = 0;
        self.packed = false;
        let (mut file, size) = open(dir, name)?;
        self.read_raw(&mut file, size)?;
        if self.raw[..self.filled].starts_with(&GZIP) {
            self.unpack()?;
        }
        Ok(())
    }

    /// The bytes of the file as they are in it, packed or not.
    pub fn raw(&self) -> &[u8] {
        &self.raw[..self.filled]
    }

    /// The bytes of the module.
    pub fn bytes(&self) -> &[u8] {
        if self.packed {
            &self.unpacked
        } else {
            self.raw()
        }
    }

    // The buffer is never cleared: zeroing it again for each file would cost as much as comparing it.
    fn read_raw(&mut self, file: &mut File, size: usize) -> Result<(), BeamError> {
        if self.raw.len() < size {
            self.raw.resize(size.next_multiple_of(1 << 16), 0);
        }
        while self.filled < size {
            match file.read(&mut self.raw[self.filled..size]) {
                // Became shorter meanwhile.
                Ok(0) => return Ok(()),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(&error)),
            }
        }
        Ok(())
    }

    fn unpack(&mut self) -> Result<(), BeamError> {
        self.unpacked.clear();
        let mut unpacked = GzDecoder::new(&self.raw[..self.filled]).take(MAX_BYTES + 1);
        unpacked
            .read_to_end(&mut self.unpacked)
            .map_err(|_| BeamError::BadCompression)?;
        if self.unpacked.len() as u64 > MAX_BYTES {
            self.unpacked = Vec::new();
            return Err(BeamError::TooLarge);
        }
        self.packed = true;
        Ok(())
    }
}

/// The bytes of one module file.
pub fn read(path: &Path) -> Result<Vec<u8>, BeamError> {
    let mut reader = Reader::new();
    reader.read(path)?;
    let Reader {
        mut raw,
        unpacked,
        filled,
        packed,
    } = reader;
    raw.truncate(filled);
    Ok(if packed { unpacked } else { raw })
}

// Opening a pipe would wait for its writer: not with O_NONBLOCK, which a regular file ignores.
fn open(dir: impl AsFd, name: impl Arg) -> Result<(File, usize), BeamError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(dir, name, flags, Mode::empty());
    let file = File::from(file.map_err(|errno| unreadable(&errno.into()))?);
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(BeamError::NotRegular);
    }
    if metadata.len() > MAX_BYTES {
        return Err(BeamError::TooLarge);
    }
    let size = usize::try_from(metadata.len()).map_err(|_| BeamError::TooLarge)?;
    Ok((file, size))
}

fn unreadable(error: &io::Error) -> BeamError {
    BeamError::Unreadable {
        posix: posix_name(error),
    }
}

/// The POSIX name of an error, as Erlang has it.
pub fn posix_name(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EACCES) => "eacces",
        Some(libc::EPERM) => "eperm",
        Some(libc::ENOENT) => "enoent",
        Some(libc::ENOTDIR) => "enotdir",
        Some(libc::EISDIR) => "eisdir",
        Some(libc::ELOOP) => "eloop",
        Some(libc::ENAMETOOLONG) => "enametoolong",
        Some(libc::EMFILE) => "emfile",
        Some(libc::ENFILE) => "enfile",
        Some(libc::ENOMEM) => "enomem",
        Some(libc::ESTALE) => "estale",
        Some(libc::ENXIO) => "enxio",
        _ => "eio",
    }
}
