//! The files of an application that are text: its specification and its appup.

use std::path::{Path, PathBuf};

use super::error::{Age, ScriptError};
use super::{Options, Side, Version};
use crate::application::{Application, FileError};
use crate::appup::{Shipped, ShippedError};
use crate::installed;
use crate::places::ApplicationDir;
use crate::term::Atom;

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
            let application = read(name, dir, options);
            let bad = |source| ScriptError::BadAppFile {
                age,
                source: Box::new(source),
            };
            (
                ApplicationDir(dir).app(name.as_str()),
                application.map_err(bad)?,
            )
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

fn read(name: &Atom, dir: &Path, options: &Options) -> Result<Application, FileError> {
    match &options.root {
        Some(root) => installed::application(name, dir, root),
        None => installed::shipped(name, dir),
    }
}

/// The appup that a version ships, if it ships one.
pub fn shipped(name: &Atom, version: &Version) -> Result<Option<(PathBuf, Shipped)>, ScriptError> {
    let Side::Directory(dir) = &version.side else {
        return Ok(None);
    };
    let file = ApplicationDir(dir).appup(name.as_str());
    let terms = match installed::consult(&file) {
        Ok(terms) => terms,
        Err(fault) if fault.is_missing() => return Ok(None),
        Err(fault) => {
            let source = Box::new(fault);
            return Err(ScriptError::UnreadableAppup { file, source });
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
