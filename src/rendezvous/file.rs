//! Reads files that hold or name a secret. Every check is made on the open file, so that the file
//! that was checked is the file that is read.

use super::{RendezvousError, SIZE_LIMIT};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The content of a file, and its owner.
pub struct Text {
    /// The content.
    pub bytes: Vec<u8>,
    /// The owner.
    pub owner: u32,
    /// What should be corrected about the file.
    pub warnings: Vec<String>,
}

const PERMISSIONS: u32 = 0o7777;
const OTHERS_WRITE: u32 = 0o022;
const OTHERS_READ: u32 = 0o044;

/// How often and at which intervals a file with two names is checked again: a node that writes its
/// entry gives the file two names for a moment.
const LOOKS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(5);

/// Whether the file has a second name. Its content may then be meant for something else, whoever
/// owns it.
fn has_other_names(file: &File, metadata: &Metadata) -> std::io::Result<bool> {
    let mut names = metadata.nlink();
    for _ in 0..LOOKS {
        if names <= 1 {
            return Ok(false);
        }
        std::thread::sleep(PAUSE);
        names = file.metadata()?.nlink();
    }
    Ok(names > 1)
}

/// Reads a regular file that only its owner can write, without following a symbolic link and
/// without waiting for the other end of a pipe.
pub fn read(file: &Path) -> Result<Text, RendezvousError> {
    read_at(CWD, file, &|| file.to_owned())
}

/// The same for the file `name` of `directory`; `path` is what an error calls it.
pub fn read_at(
    directory: impl AsFd,
    name: &Path,
    path: &dyn Fn() -> PathBuf,
) -> Result<Text, RendezvousError> {
    let unreadable = |source| RendezvousError::Unreadable {
        file: path(),
        source,
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = openat(directory, name, flags | OFlags::NOCTTY, Mode::empty());
    let opened = File::from(opened.map_err(|error| match error {
        Errno::LOOP => RendezvousError::NotRegular { file: path() },
        error => unreadable(error.into()),
    })?);
    let metadata = opened.metadata().map_err(unreadable)?;
    check(&opened, &metadata, path)?;
    let bytes = content(&opened, metadata.len()).map_err(unreadable)?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(RendezvousError::TooLarge { file: path() });
    }
    let mode = metadata.mode() & PERMISSIONS;
    let warnings = (mode & OTHERS_READ != 0).then(|| {
        format!(
            "{} can be read by group or others (mode {mode:04o})",
            path().display()
        )
    });
    Ok(Text {
        bytes,
        owner: metadata.uid(),
        warnings: warnings.into_iter().collect(),
    })
}

fn check(
    opened: &File,
    metadata: &Metadata,
    path: &dyn Fn() -> PathBuf,
) -> Result<(), RendezvousError> {
    let mode = metadata.mode() & PERMISSIONS;
    if !metadata.is_file() {
        return Err(RendezvousError::NotRegular { file: path() });
    }
    if mode & OTHERS_WRITE != 0 {
        return Err(RendezvousError::Writable { file: path(), mode });
    }
    match has_other_names(opened, metadata) {
        Ok(false) => Ok(()),
        Ok(true) => Err(RendezvousError::Linked { file: path() }),
        Err(source) => Err(RendezvousError::Unreadable {
            file: path(),
            source,
        }),
    }
}

/// The content of a file of `size` bytes, at most one byte more than the limit. A file that is as long as it was is read
/// at once.
fn content(mut file: &File, size: u64) -> std::io::Result<Vec<u8>> {
    let size = usize::try_from(size.min(SIZE_LIMIT)).unwrap_or_default();
    let mut bytes = vec![0; size + 1];
    let count = file.read(&mut bytes)?;
    bytes.truncate(count);
    if count != size {
        let rest = (SIZE_LIMIT + 1).saturating_sub(count as u64);
        file.take(rest).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
