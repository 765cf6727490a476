//! Why a run cannot be begun, read or settled.

use super::record::Run;
use crate::snapshot::{SnapshotError, Tag};
use crate::trust::PathError;
use std::io;
use std::path::Path;

/// Why a run cannot be begun, read or settled.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file or directory that is not used.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Another run is not settled.
    #[error("nothing was changed: run {} of {} {}", .0.id, .0.who.in_words(), .0.outcome.in_words())]
    Claimed(Box<Run>),
    /// A command of this kind is working.
    #[error("nothing was changed: another erlrc apply, confirm or revert works on this host")]
    Busy,
    /// There is no such run.
    #[error("there is no run {0}")]
    Unknown(Tag),
    /// Its record says nothing.
    #[error("the record of run {0} cannot be read: it is damaged, or of a later erlrc")]
    Unreadable(Tag),
    /// A word that apt must not be given.
    #[error(
        "nothing was changed: {0:?} is no package: NAME, NAME=VERSION, NAME- or the path of a package file"
    )]
    Word(String),
    /// dpkg and apt, or the snapshot.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// The system refuses `path`.
pub fn unusable(path: &Path) -> impl FnOnce(io::Error) -> RunError + '_ {
    move |source| PathError::unusable(path, source).into()
}
