//! Why an environment cannot be made or used.

use crate::package::machine::NativeError;
use crate::trust::PathError;
use std::io;
use std::path::{Path, PathBuf};

/// Why an environment cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// A file or directory that is not used.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The record is not there or says nothing.
    #[error("{} has no record that can be read", dir.display())]
    NoRecord {
        /// The environment.
        dir: PathBuf,
    },
    /// The content is not what it was.
    #[error("{} is not what was recorded", path.display())]
    Changed {
        /// The first file that differs, is missing or is too many.
        path: PathBuf,
    },
    /// A directory that holds no OTP.
    #[error("{} holds no OTP tree: {what}", dir.display())]
    NoTree {
        /// The directory.
        dir: PathBuf,
        /// What is missing.
        what: String,
    },
    /// Native code that cannot be read.
    #[error("{}", file.display())]
    Native {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: NativeError,
    },
}

/// The system refuses `path`.
pub fn unusable(path: &Path, source: io::Error) -> EnvironmentError {
    PathError::unusable(path, source).into()
}

/// `path` is refused.
pub fn refused(path: &Path, reason: &'static str) -> EnvironmentError {
    PathError::refused(path, reason).into()
}
