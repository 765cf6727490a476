//! The directory of registrations and overrides.

use super::file::terms;
use super::{Error, Warning, text};
use crate::application::{FileError, FileKind, Registration, is_application_name};
use crate::file::{Buffer, list, open_directory, posix};
use crate::term::{Atom, Term};
use foldhash::HashSet;
use rustix::fs::{AtFlags, FileType, statat};
use std::os::fd::AsFd;
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
    let unreadable = |errno| Error::DirectoryUnreadable {
        dir: dir.to_owned(),
        posix: posix(errno),
    };
    let mut found = Registrations::default();
    let mut files = Vec::new();
    let open = open_directory(dir).map_err(unreadable)?;
    let visit = |name: &str| {
        if is_application_name(name) {
            files.extend(length(&open, name).and_then(|length| Some((Atom::new(name)?, length))));
        } else if let Some(name) = name.strip_suffix(".app")
            && is_application_name(name)
        {
            found.overridden.extend(Atom::new(name));
        }
    };
    list(&open, visit).map_err(unreadable)?;
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
fn length(dir: impl AsFd, name: &str) -> Option<u64> {
    let status = statat(dir, name, AtFlags::empty()).ok()?;
    let is_file = FileType::from_raw_mode(status.st_mode).is_file();
    is_file.then(|| u64::try_from(status.st_size).unwrap_or(u64::MAX))
}

/// The restart type of an application, where that is all that a file holds.
fn word(file: &Path) -> Option<Atom> {
    const WORDS: [&str; 3] = ["permanent", "temporary", "transient"];
    const LONGEST: u64 = 64;
    let length = std::fs::metadata(file).ok()?.len();
    let text = (length <= LONGEST).then(|| std::fs::read_to_string(file).ok());
    let text = text.flatten()?;
    let word = WORDS.into_iter().find(|word| *word == text.trim());
    word.map(Atom::of)
}

fn one(file: &Path, warnings: &mut Vec<Warning>) -> Result<Registration, FileError> {
    let invalid = |fault| FileError::Invalid {
        file: text(file),
        kind: FileKind::Registration,
        fault,
    };
    let terms = terms(file, &mut Buffer::default());
    // Before, such a file held how the application was to be started: one word.
    let terms = match (terms, word(file)) {
        (Err(_), Some(word)) => vec![Term::Atom(word)],
        (terms, _) => terms.map_err(invalid)?,
    };
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
