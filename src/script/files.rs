//! The files of an application that are text: its specification and its appup.

use std::path::{Path, PathBuf};

use super::error::{Age, FileError, ScriptError};
use super::{Options, Side, Version};
use crate::application::{self, Application};
use crate::appup::{Shipped, ShippedError};
use crate::beam::{self, BeamError};
use crate::term::{Atom, Limits, Term, text};

/// The specification of a version, which is that of the application and of the version.
pub fn specification(
    name: &Atom,
    version: &Version,
    age: Age,
    options: &Options,
) -> Result<Application, ScriptError> {
    let (file, application) = match &version.side {
        Side::Loaded(application, _) => (PathBuf::from(name.as_str()), (**application).clone()),
        Side::Directory(dir) => {
            let file = dir.join("ebin").join(format!("{name}.app"));
            let application =
                read(&file, name, options).map_err(|source| ScriptError::BadAppFile {
                    age,
                    file: file.clone(),
                    source: Box::new(source),
                })?;
            (file, application)
        }
    };
    if application.vsn != version.vsn {
        let (wanted, found) = (version.vsn.clone(), application.vsn);
        return Err(ScriptError::BadAppVsn {
            age,
            file,
            wanted,
            found,
        });
    }
    Ok(application)
}

fn read(file: &Path, name: &Atom, _options: &Options) -> Result<Application, FileError> {
    let application = single(terms(file)?)
        .and_then(Application::from_term)
        .map_err(FileError::Application)?;
    if application.name == *name {
        return Ok(application);
    }
    Err(FileError::Application(application::Error::WrongName {
        found: application.name,
    }))
}

fn single(terms: Vec<Term>) -> Result<Term, application::Error> {
    let count = terms.len();
    let [term] =
        <[Term; 1]>::try_from(terms).map_err(|_| application::Error::TermCount { count })?;
    Ok(term)
}

fn terms(file: &Path) -> Result<Vec<Term>, FileError> {
    let bytes = beam::read(file).map_err(|error| match error {
        BeamError::Unreadable { posix } => FileError::Unreadable { posix },
        error => FileError::Refused(error),
    })?;
    text::parse_all(&bytes, &Limits::default()).map_err(FileError::Parse)
}

/// The appup that a version ships, if it ships one.
pub fn shipped(name: &Atom, version: &Version) -> Result<Option<(PathBuf, Shipped)>, ScriptError> {
    let Side::Directory(dir) = &version.side else {
        return Ok(None);
    };
    let file = dir.join("ebin").join(format!("{name}.appup"));
    let terms = match terms(&file) {
        Ok(terms) => terms,
        Err(FileError::Unreadable { posix: "enoent" }) => return Ok(None),
        Err(source) => {
            return Err(ScriptError::UnreadableAppup {
                file,
                source: Box::new(source),
            });
        }
    };
    match Shipped::from_terms(terms, &version.vsn) {
        Ok(shipped) => Ok(Some((file, shipped))),
        Err(error) => Err(bad_appup(&file, error)),
    }
}

/// The error of an appup file.
pub fn bad_appup(file: &Path, source: ShippedError) -> ScriptError {
    ScriptError::BadAppup {
        file: file.to_owned(),
        source: Box::new(source),
    }
}
