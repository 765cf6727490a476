//! Errors of the files about an application.

use super::Error;
use crate::term::Term;
use crate::term::text::ParseError;

/// A file about an application that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such `.app` file.
    #[error("{file} not found")]
    NotFound {
        /// The file, or its bare name if its directory is not known.
        file: String,
    },
    /// The file exists and is not valid.
    #[error("{file}: {fault}")]
    Invalid {
        /// The file.
        file: String,
        /// The kind of file.
        kind: FileKind,
        /// What is wrong.
        fault: Fault,
    },
}

/// The kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The specification of an application, or an override of it.
    Specification,
    /// A registration.
    Registration,
    /// Metadata.
    Metadata,
}

/// What is wrong with a file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// The file cannot be read.
    #[error("cannot be read: {posix}")]
    Unreadable {
        /// The error, as Erlang names it: `eacces`.
        posix: &'static str,
    },
    /// It is not a regular file.
    #[error("not a regular file")]
    NotRegular,
    /// It is larger than any such file.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The file does not consist of Erlang terms.
    #[error(transparent)]
    Syntax(#[from] ParseError),
    /// The terms do not have the form that the file requires.
    #[error(transparent)]
    Content(#[from] Error),
}

impl FileError {
    /// The reason as an Erlang term.
    pub fn reason(&self) -> Term {
        match self {
            Self::NotFound { file } => {
                Term::tuple([Term::atom("appspec_file_not_found"), Term::string(file)])
            }
            Self::Invalid {
                file,
                fault: Fault::Content(error),
                ..
            } if matches!(error, Error::OverrideWrongArity { .. }) => error.reason_in(file),
            Self::Invalid { file, kind, fault } => {
                Term::tuple([Term::atom(kind.tag()), Term::string(file), fault.reason()])
            }
        }
    }
}

impl FileKind {
    fn tag(self) -> &'static str {
        match self {
            Self::Specification => "appspec_file_parse_error",
            Self::Registration => "registration_file_error",
            Self::Metadata => "metadata_file_error",
        }
    }
}

impl Fault {
    /// Whether the file does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(
            self,
            Self::Unreadable {
                posix: "enoent" | "enotdir"
            }
        )
    }

    /// The reason as an Erlang term, without the file.
    pub fn reason(&self) -> Term {
        match self {
            Self::Unreadable { posix } => Term::atom(posix),
            Self::NotRegular => Term::atom("not_a_regular_file"),
            Self::TooLarge { limit } => {
                let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
                Term::tuple([Term::atom("larger_than"), Term::from(limit)])
            }
            Self::Syntax(error) => error.reason(),
            Self::Content(error) => error.reason(),
        }
    }
}
