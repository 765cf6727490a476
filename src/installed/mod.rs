//! What is installed: specifications, overrides, registrations and metadata on disk, as
//! [`Facts`](crate::inclusion::Facts).
//!
//! Reads files and directories, and nothing of the environment: which directories these are is the
//! caller's to say. Must not decide what is to be done: that is `inclusion`'s.

mod code_path;
mod error;
mod file;
mod inventory;
mod locate;
mod reach;
mod registrations;
mod survey;
mod versions;

#[cfg(test)]
mod tests;

use crate::application::{
    Application, Error as ContentError, Fault, FileError, FileKind, Metadata, merge, only,
};
use crate::file::{Buffer, Place};
use crate::places::{ApplicationDir, Root};
use crate::term::{Atom, Term};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

pub use error::{Error, Warning};
pub use inventory::{Inventory, inventory};
pub use survey::{Event, Node, Survey, survey};
pub use versions::{Versions, versions};

/// Where applications are installed and registered.
#[derive(Clone, Debug)]
pub struct Directories {
    /// `ERLRC_ROOT`: registrations and overrides are in `applications` below it.
    pub root: PathBuf,
    /// `ERLRC_APPS`: the metadata.
    pub apps: PathBuf,
    /// The code path: directories that hold modules and `.app` files.
    pub path: Vec<PathBuf>,
    /// Directories of applications' directories, `code:lib_dir()` and those of `ERL_LIBS`: of several
    /// versions in one of these OTP has put one on the path itself. Anywhere else a person chose.
    pub libs: Vec<PathBuf>,
    /// How many threads may read at once, where there is enough to read.
    pub threads: usize,
}

/// As many threads as read faster than one; more of them wait for the disk and each other.
pub fn threads() -> usize {
    const MOST: usize = 4;
    available_parallelism().map_or(1, NonZero::get).min(MOST)
}

impl Directories {
    fn applications(&self) -> PathBuf {
        Root(&self.root).registrations()
    }
}

/// The terms of a file, as `file:consult/1` returns them.
pub fn consult(file: &Path) -> Result<Vec<Term>, Fault> {
    file::terms(file, &mut Buffer::default())
}

/// The specification in `dir/ebin/NAME.app`, with the override in `root` put over it.
pub fn application(name: &Atom, dir: &Path, root: &Path) -> Result<Application, FileError> {
    let overrides = Root(root).overrides(name.as_str());
    overridden(shipped(name, dir)?, &overrides, &mut Buffer::default())
}

/// What the package of an application says that it installed, where `apps` holds a file of it that can be
/// used.
pub fn metadata(apps: &Path, application: &Atom) -> Option<Metadata> {
    let file = apps.join(application.as_str());
    read_metadata(&file, application, &mut Buffer::default()).ok()
}

fn read_metadata(file: &Path, application: &Atom, buffer: &mut Buffer) -> Result<Metadata, Fault> {
    let metadata = Metadata::from_term(&only_term(file, buffer)?)?;
    if metadata.application == *application {
        return Ok(metadata);
    }
    let found = metadata.application;
    Err(ContentError::WrongName { found }.into())
}

/// The specification in `dir/ebin/NAME.app` as it is.
pub fn shipped(name: &Atom, dir: &Path) -> Result<Application, FileError> {
    let file = ApplicationDir(dir).app(name.as_str());
    let found = specification(name, &file, file.as_path().into(), &mut Buffer::default())?;
    found.ok_or_else(|| FileError::NotFound { file: text(&file) })
}

/// The specification of `name` in `file`; none where there is no such file.
fn specification(
    name: &Atom,
    file: &Path,
    place: Place<'_>,
    buffer: &mut Buffer,
) -> Result<Option<Application>, FileError> {
    let read = file::read(place, buffer);
    let application = match read.and_then(|()| Application::from_text(buffer.take())) {
        Err(fault) if fault.is_missing() => return Ok(None),
        result => result.map_err(|fault| invalid(file, fault))?,
    };
    if application.name == *name {
        Ok(Some(application))
    } else {
        let found = application.name;
        Err(invalid(file, ContentError::WrongName { found }.into()))
    }
}

/// `application` with the override in `file`, if there is one, put over it.
fn overridden(
    application: Application,
    file: &Path,
    buffer: &mut Buffer,
) -> Result<Application, FileError> {
    match only_term(file, buffer) {
        Err(fault) if fault.is_missing() => Ok(application),
        result => {
            let overrides = result.map_err(|fault| invalid(file, fault))?;
            merge(application, overrides).map_err(|error| invalid(file, error.into()))
        }
    }
}

fn invalid(file: &Path, fault: Fault) -> FileError {
    FileError::Invalid {
        file: text(file),
        kind: FileKind::Specification,
        fault,
    }
}

/// The one term of a file.
fn only_term(file: &Path, buffer: &mut Buffer) -> Result<Term, Fault> {
    Ok(only(file::terms(file, buffer)?)?)
}

/// A path as the text that messages and terms have for it.
fn text(path: &Path) -> String {
    // Mostly it is UTF-8, which is seen to faster than replaced.
    path.to_str()
        .map_or_else(|| path.to_string_lossy().into_owned(), str::to_owned)
}
