//! The directory of registrations and overrides.

use super::file::{Buffer, posix, terms};
use super::{Error, Warning, text};
use crate::application::{FileError, FileKind, Registration, is_application_name};
use crate::term::Atom;
use std::collections::HashSet;
use std::fs::{DirEntry, read_dir};
use std::path::{Path, PathBuf};

/// What the directory of registrations holds.
#[derive(Debug, Default)]
pub struct Registrations {
    /// The applications that are registered and enabled.
    pub enabled: Vec<Atom>,
    /// The applications that have an override.
    pub overridden: HashSet<Atom>,
    /// What somebody should know.
    pub warnings: Vec<Warning>,
}

/// Everything in `dir`. One registration that cannot be used makes all of them unusable: what it
/// was to say is not known.
pub fn all(dir: &Path) -> Result<Registrations, Error> {
    let unreadable = |error: std::io::Error| Error::DirectoryUnreadable {
        dir: dir.to_owned(),
        posix: posix(&error),
    };
    let mut found = Registrations::default();
    let mut files = Vec::new();
    for entry in read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some(name) = name
            .strip_suffix(".app")
            .filter(|name| is_application_name(name))
        {
            found.overridden.extend(Atom::new(name));
        } else if let (true, Some(name)) = (is_application_name(name), Atom::new(name)) {
            files.extend(length(&entry).map(|length| (name, length)));
        }
    }
    files.sort_unstable();
    for (name, length) in files {
        // Most registrations are empty, and need not be opened.
        let registration = match length {
            0 => Registration::default(),
            _ => one(&dir.join(name.as_str()), &mut found.warnings)?,
        };
        if registration.enabled {
            found.enabled.push(name);
        }
    }
    Ok(found)
}

/// Those of `names` that are registered in `dir` and enabled; a registration that cannot be used is
/// none, with a warning.
pub fn among(dir: &Path, names: impl IntoIterator<Item = Atom>) -> Registrations {
    let mut found = Registrations::default();
    for name in names {
        let file: PathBuf = dir.join(name.as_str());
        if !is_application_name(name.as_str()) || !file.is_file() {
            continue;
        }
        match one(&file, &mut found.warnings) {
            Ok(registration) if registration.enabled => found.enabled.push(name),
            Ok(_) => {}
            Err(error) => found.warnings.push(Warning::FileIgnored(error)),
        }
    }
    found
}

/// The length of a regular file, or of one that a link leads to.
fn length(entry: &DirEntry) -> Option<u64> {
    let kind = entry.file_type().ok()?;
    let metadata = if kind.is_symlink() {
        entry.path().metadata()
    } else if kind.is_file() {
        entry.metadata()
    } else {
        return None;
    };
    metadata
        .ok()
        .filter(|metadata| metadata.is_file())
        .map(|metadata| metadata.len())
}

fn one(file: &Path, warnings: &mut Vec<Warning>) -> Result<Registration, FileError> {
    let invalid = |fault| FileError::Invalid {
        file: text(file),
        kind: FileKind::Registration,
        fault,
    };
    let terms = terms(file, &mut Buffer::default()).map_err(invalid)?;
    let (registration, unknown) =
        Registration::from_terms(terms).map_err(|error| invalid(error.into()))?;
    warnings.extend(
        unknown
            .into_iter()
            .map(|term| Warning::UnknownRegistrationTerm {
                file: file.to_owned(),
                term,
            }),
    );
    Ok(registration)
}
