//! Why a release cannot be made, read or removed.

use crate::environment::EnvironmentError;
use crate::trust::PathError;
use std::io;
use std::path::{Path, PathBuf};

/// Why a release cannot be made, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// A file or directory that is not used.
    #[error(transparent)]
    Path(#[from] PathError),
    /// There is no such release.
    #[error("{service} has no release {version}")]
    NoRelease {
        /// The service.
        service: String,
        /// The version.
        version: String,
    },
    /// A file of a release is not what was written.
    #[error("{} is not what was written", path.display())]
    Damaged {
        /// The first such file.
        path: PathBuf,
    },
    /// The release exists and names something else.
    #[error("{service} {version} exists and is another set: {difference}")]
    Exists {
        /// The service.
        service: String,
        /// The version.
        version: String,
        /// What differs, in a line.
        difference: String,
    },
    /// Another command works on the releases of this service.
    #[error("another command changes the releases of {service}; nothing was done")]
    Busy {
        /// The service.
        service: String,
    },
    /// A directory or the files of an application.
    #[error(transparent)]
    Content(#[from] EnvironmentError),
}

/// The system refuses `path`.
pub fn unusable(path: &Path, source: io::Error) -> ReleaseError {
    PathError::unusable(path, source).into()
}

/// `path` is refused.
pub fn refused(path: &Path, reason: &'static str) -> ReleaseError {
    PathError::refused(path, reason).into()
}
