//! Why a snapshot cannot be made or used.

use super::Tag;
use crate::trust::PathError;
use std::io;
use std::path::Path;

/// Why a snapshot cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A file or directory that is not used.
    #[error(transparent)]
    Path(#[from] PathError),
    /// There is a snapshot of that name.
    #[error("there is a snapshot {0} already, it stays as it is")]
    Taken(Tag),
    /// There is none.
    #[error("there is no snapshot {0}")]
    Unknown(Tag),
    /// Its manifest says nothing.
    #[error("the manifest of snapshot {0} cannot be read: it is damaged, or of a later erlrc")]
    NoManifest(Tag),
    /// It cannot be restored, and nothing was tried.
    #[error("{tag} cannot be restored, nothing was changed: {}", why.join("; "))]
    Impossible {
        /// The snapshot.
        tag: Tag,
        /// What stands against it.
        why: Vec<String>,
    },
    /// It was tried, and the packages are not as the snapshot has them.
    #[error("{tag} was not restored: {}", why.join("; "))]
    NotRestored {
        /// The snapshot.
        tag: Tag,
        /// What failed, and what is left.
        why: Vec<String>,
    },
    /// A program that is asked is not there, or does not answer.
    #[error("cannot ask {program}")]
    NotAsked {
        /// Its name.
        program: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A program that is asked fails.
    #[error("{program} fails: {said}")]
    Fails {
        /// Its name.
        program: &'static str,
        /// The last line of its errors.
        said: String,
    },
}

/// The system refuses `path`.
pub fn unusable(path: &Path) -> impl FnOnce(io::Error) -> SnapshotError + '_ {
    move |source| PathError::unusable(path, source).into()
}
