//! Reads files that hold or name a secret. Every check is made on the open file, so that the file
//! that was checked is the file that is read.

use super::{RendezvousError, SIZE_LIMIT};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
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

const OTHERS_WRITE: u32 = 0o022;
const OTHERS_READ: u32 = 0o044;

/// How often and at which intervals a file with two names is checked again: a node that writes its
/// entry gives the file two names for a moment.
const LOOKS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(5);

/// Whether the file has a second name. Its content may then be meant for something else, whoever
/// owns it.
fn has_other_names(file: &File) -> std::io::Result<bool> {
    for _ in 0..LOOKS {
        if file.metadata()?.nlink() <= 1 {
            return Ok(false);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(true)
}

/// Reads a regular file that only its owner can write, without following a symbolic link and
/// without waiting for the other end of a pipe.
pub fn read(file: &Path) -> Result<Text, RendezvousError> {
    let unreadable = |source| RendezvousError::Unreadable {
        file: file.to_owned(),
        source,
    };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(file)
        .map_err(|source| match source.raw_os_error() {
            Some(code) if code == Errno::LOOP.raw_os_error() => RendezvousError::NotRegular {
                file: file.to_owned(),
            },
            _ => unreadable(source),
        })?;
    let metadata = opened.metadata().map_err(unreadable)?;
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_file() {
        return Err(RendezvousError::NotRegular {
            file: file.to_owned(),
        });
    }
    if mode & OTHERS_WRITE != 0 {
        return Err(RendezvousError::Writable {
            file: file.to_owned(),
            mode,
        });
    }
    if has_other_names(&opened).map_err(unreadable)? {
        return Err(RendezvousError::Linked {
            file: file.to_owned(),
        });
    }
    let mut bytes = Vec::new();
    opened
        .take(SIZE_LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(RendezvousError::TooLarge {
            file: file.to_owned(),
        });
    }
    let warnings = (mode & OTHERS_READ != 0).then(|| {
        format!(
            "{} can be read by group or others (mode {mode:04o})",
            file.display()
        )
    });
    Ok(Text {
        bytes,
        owner: metadata.uid(),
        warnings: warnings.into_iter().collect(),
    })
}
