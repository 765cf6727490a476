//! Why there is no script.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use super::named::Fault;
use crate::application::{self, FileError};
use crate::appup::{BadAttribute, ShippedError};
use crate::beam::BeamFileError;
use crate::term::{Atom, Term};

/// Which of both versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// The earlier one.
    Old,
    /// The later one.
    New,
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Old => "earlier",
            Self::New => "later",
        })
    }
}

/// Why there is no script.
#[derive(Clone, Debug, Error)]
pub enum ScriptError {
    /// The `.app` file of a version cannot be used, or its override.
    #[error("the {age} version cannot be told from its .app file")]
    BadAppFile {
        /// Which version.
        age: Age,
        /// What is wrong with which file.
        source: Box<FileError>,
    },
    /// The `.app` file is that of another version.
    #[error("{} is for version {found}, not {wanted}", file.display())]
    BadAppVsn {
        /// Which version.
        age: Age,
        /// The file.
        file: PathBuf,
        /// The version that was asked for.
        wanted: String,
        /// The version that the file is for.
        found: String,
    },
    /// A module file cannot be used.
    #[error(transparent)]
    BadBeam(#[from] BeamFileError),
    /// The version that is to run lists a module of which it has no file.
    #[error("version {vsn} lists the module {module} but has no file of it")]
    MissingBeam {
        /// The version.
        vsn: String,
        /// The module.
        module: Atom,
    },
    /// A migration module that is named cannot be used.
    #[error(transparent)]
    BadMigration(#[from] Fault),
    /// A directory cannot be listed.
    #[error("{}: {posix}", dir.display())]
    BadDirectory {
        /// The directory.
        dir: PathBuf,
        /// The POSIX name of the error.
        posix: &'static str,
    },
    /// An attribute that steers generation has a value that it cannot have.
    #[error(transparent)]
    BadAttribute(#[from] BadAttribute),
    /// The appup file cannot be read as terms.
    #[error("{}", file.display())]
    UnreadableAppup {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: Box<application::Fault>,
    },
    /// The appup file holds something else than an appup.
    #[error("{}", file.display())]
    BadAppup {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: Box<ShippedError>,
    },
}

impl ScriptError {
    /// The reason as an Erlang term: for `.app` files the atoms that `erlrcdynamic:make_appup/5`
    /// answers, otherwise a tuple that names what is wrong where.
    pub fn reason(&self) -> Term {
        let path = |path: &PathBuf| Term::string(&path.to_string_lossy());
        let bad = |tag, file: &PathBuf, why| Term::tuple([Term::atom(tag), path(file), why]);
        match self {
            Self::BadAppFile { age: Age::Old, .. } => Term::atom("bad_old_appfile"),
            Self::BadAppFile { age: Age::New, .. } => Term::atom("bad_new_appfile"),
            Self::BadAppVsn { age: Age::Old, .. } => Term::atom("bad_old_appvsn"),
            Self::BadAppVsn { age: Age::New, .. } => Term::atom("bad_new_appvsn"),
            Self::BadBeam(error) => error.reason(),
            Self::MissingBeam { vsn, module } => Term::tuple([
                Term::atom("no_beam"),
                Term::string(vsn),
                Term::Atom(module.clone()),
            ]),
            Self::BadMigration(fault) => Term::tuple([
                Term::atom("bad_migration"),
                Term::string(&fault.to_string()),
            ]),
            Self::BadDirectory { dir, posix } => bad("bad_directory", dir, Term::atom(posix)),
            Self::BadAttribute(BadAttribute {
                module,
                attribute,
                value,
            }) => Term::tuple([
                Term::atom("bad_attribute"),
                Term::Atom(module.clone()),
                Term::Atom(attribute.clone()),
                value.clone(),
            ]),
            Self::UnreadableAppup { file, source } => bad("bad_appup", file, source.reason()),
            Self::BadAppup { file, source } => bad("bad_appup", file, source.reason()),
        }
    }
}
