//! Which directories are trusted: what they hold is run or loaded, so nobody else may be able to put something there.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why a file or directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// The system refuses.
    #[error("cannot use {}", path.display())]
    Unusable {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not to be trusted, or not what belongs there.
    #[error("{} {reason}", path.display())]
    Refused {
        /// Which one.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
}

impl PathError {
    /// The system refuses `path`.
    pub fn unusable(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Unusable { path, source }
    }

    /// `path` is refused.
    pub fn refused(path: &Path, reason: &'static str) -> Self {
        let path = path.to_owned();
        Self::Refused { path, reason }
    }
}

const ROOT: u32 = 0;
const OTHERS_WRITE: u32 = 0o022;

/// A directory of root's or the caller's that nobody else can write into, and no link to one.
pub fn check(dir: &Path) -> Result<(), PathError> {
    match distrust(dir) {
        Ok(None) => Ok(()),
        Ok(Some(reason)) => Err(PathError::refused(dir, reason)),
        Err(error) => Err(PathError::unusable(dir, error)),
    }
}

/// Makes the names in `dir` survive a loss of power.
pub fn sync(dir: &Path) -> Result<(), PathError> {
    let synced = std::fs::File::open(dir).and_then(|opened| opened.sync_all());
    synced.map_err(|error| PathError::unusable(dir, error))
}

/// Why a directory is not trusted: it is a link or no directory at all, it belongs to somebody else than root or the
/// caller, or others can write into it.
fn distrust(dir: &Path) -> io::Result<Option<&'static str>> {
    let metadata = dir.symlink_metadata()?;
    let caller = rustix::process::geteuid().as_raw();
    Ok(match &metadata {
        metadata if !metadata.is_dir() => Some("is not a directory"),
        metadata if metadata.uid() != ROOT && metadata.uid() != caller => {
            Some("belongs to somebody else")
        }
        metadata if metadata.mode() & OTHERS_WRITE != 0 => {
            Some("can be written by group or others")
        }
        _ => None,
    })
}
