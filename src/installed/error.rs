//! What can be wrong with what is installed, and what somebody should know of it.

use super::text;
use crate::application::FileError;
use crate::term::{Atom, Term};
use std::path::PathBuf;

/// Why there are no facts.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The directory of registrations cannot be read.
    #[error("cannot read {}: {posix}", dir.display())]
    DirectoryUnreadable {
        /// The directory.
        dir: PathBuf,
        /// The error, as Erlang names it.
        posix: &'static str,
    },
    /// A file that has to be right is not.
    #[error(transparent)]
    File(#[from] FileError),
    /// The application to start is in another version in the directory that was given.
    #[error("{} holds version {found} of '{application}', not {wanted}", dir.display())]
    VersionMismatch {
        /// The application.
        application: Atom,
        /// The directory.
        dir: PathBuf,
        /// The version that was asked for.
        wanted: String,
        /// The version that is there.
        found: String,
    },
}

impl Error {
    /// The reason as an Erlang term.
    pub fn reason(&self) -> Term {
        match self {
            Self::DirectoryUnreadable { dir, posix } => {
                let dir = Term::string(&text(dir));
                Term::tuple([Term::atom("app_dir_unreadable"), dir, Term::atom(posix)])
            }
            Self::File(error) => error.reason(),
            Self::VersionMismatch { .. } => Term::atom("version_mismatch"),
        }
    }
}

/// Something that is installed in a way that somebody should look at.
#[derive(Clone, Debug)]
pub enum Warning {
    /// Several versions are on disk, and no metadata says which is meant.
    SeveralVersions {
        /// The application.
        application: Atom,
        /// The directory of the version that is taken, the latest.
        chosen: PathBuf,
        /// The directories of the others.
        others: Vec<PathBuf>,
    },
    /// A registration says something that this version of erlrc does not know.
    UnknownRegistrationTerm {
        /// The registration.
        file: PathBuf,
        /// What it says.
        term: Term,
    },
    /// A registration or metadata file that cannot be used, and need not be.
    FileIgnored(FileError),
}

impl Warning {
    /// The warning as `erlrc_error:format_error/1` reads it.
    pub fn term(&self) -> Term {
        match self {
            Self::SeveralVersions {
                application,
                chosen,
                others,
            } => Term::tuple([
                Term::atom("several_versions"),
                Term::Atom(application.clone()),
                Term::string(&text(chosen)),
                Term::list(others.iter().map(|dir| Term::string(&text(dir)))),
            ]),
            Self::UnknownRegistrationTerm { file, term } => {
                let file = Term::string(&text(file));
                Term::tuple([Term::atom("unknown_registration_term"), file, term.clone()])
            }
            Self::FileIgnored(error) => error.reason(),
        }
    }
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SeveralVersions {
                application,
                chosen,
                others,
            } => {
                let others: Vec<_> = others.iter().map(|dir| text(dir)).collect();
                let (chosen, others) = (chosen.display(), others.join(", "));
                write!(
                    f,
                    "several versions of '{application}': {chosen} is taken, not {others}"
                )
            }
            Self::UnknownRegistrationTerm { file, term } => {
                write!(f, "{}: {term} is not known, passed over", file.display())
            }
            Self::FileIgnored(error) => write!(f, "{error}; passed over"),
        }
    }
}
