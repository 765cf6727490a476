//! Reading small files of terms: regular ones only, never more than a limit.

use crate::application::Fault;
use crate::term::{Limits, Term, text};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The most bytes that a file about an application may have. The largest `.app` files of OTP have
/// thousands; ten thousand modules take a few hundred thousand.
const MAX_BYTES: u64 = 4 << 20;

/// Where one file after the other is read into.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    fn content(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

/// The terms in `file`; `buffer` is what it is read into, to be used again.
pub fn terms(file: &Path, buffer: &mut Buffer) -> Result<Vec<Term>, Fault> {
    read(file, buffer)?;
    Ok(text::parse_all(buffer.content(), &Limits::default())?)
}

// Opening a pipe would wait for its writer: not with O_NONBLOCK, which a regular file ignores.
fn read(path: &Path, buffer: &mut Buffer) -> Result<(), Fault> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = file.map_err(|error| unreadable(&error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(Fault::NotRegular);
    }
    if metadata.len() > MAX_BYTES {
        return Err(Fault::TooLarge { limit: MAX_BYTES });
    }
    fill(file, metadata.len(), buffer)
}

/// Reads what the file had when it was opened. The buffer is not cleared between files: zeroing it
/// again for each would cost more than reading.
fn fill(mut file: File, length: u64, buffer: &mut Buffer) -> Result<(), Fault> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if buffer.bytes.len() < length {
        buffer.bytes.resize(length.next_multiple_of(1 << 14), 0);
    }
    buffer.filled = 0;
    while let Some(rest @ [_, ..]) = buffer.bytes.get_mut(buffer.filled..length) {
        match file.read(rest) {
            // The end, or became shorter meanwhile.
            Ok(0) => break,
            Ok(count) => buffer.filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(&error)),
        }
    }
    Ok(())
}

fn unreadable(error: &io::Error) -> Fault {
    Fault::Unreadable {
        posix: posix(error),
    }
}

/// The name of an error, as Erlang has it.
pub fn posix(error: &io::Error) -> &'static str {
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
