//! Which of the directories that an application may be in is meant, and what its specification is.

use super::code_path::{Candidate, CodePath};
use super::{Directories, Warning, only_term, overridden, specification, text};
use crate::application::{Application, Error as ContentError, FileError, FileKind, Metadata};
use crate::inclusion::Specification;
use crate::term::Atom;
use std::collections::HashSet;
use std::fs::read_dir;
use std::path::{Path, PathBuf};

/// Finds applications.
pub struct Locator<'d> {
    code_path: CodePath<'d>,
    applications: PathBuf,
    apps: &'d Path,
    /// The overrides that there are, where that is known; looked for one by one where not.
    overridden: Option<HashSet<Atom>>,
    /// The same of metadata.
    described: Option<HashSet<String>>,
}

/// What one thread brings along and takes away.
#[derive(Default)]
pub struct Work {
    /// What files are read into.
    buffer: Vec<u8>,
    /// What somebody should know.
    pub warnings: Vec<Warning>,
}

impl<'d> Locator<'d> {
    /// Finds applications in `directories`.
    pub fn new(directories: &'d Directories) -> Self {
        Self {
            code_path: CodePath::new(&directories.path, &directories.libs),
            applications: directories.applications(),
            apps: &directories.apps,
            overridden: None,
            described: None,
        }
    }

    /// The same, for many applications: these have overrides, and the directory of metadata is
    /// read as a whole.
    pub fn for_many(directories: &'d Directories, overridden: HashSet<Atom>) -> Self {
        let entries = read_dir(&directories.apps).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Self {
            overridden: Some(overridden),
            described: Some(names.collect()),
            ..Self::new(directories)
        }
    }

    /// What is installed of `name`.
    pub fn locate(&self, name: &Atom, work: &mut Work) -> Specification {
        match self.found(name, work) {
            Ok(Some((application, ebin))) => Specification::Found {
                application: Box::new(application),
                ebin: text(&ebin),
            },
            Ok(None) => Specification::Gone,
            Err(error) => Specification::Unusable(error),
        }
    }

    /// The specification of `name` in the directory `dir`.
    pub fn inside(
        &self,
        name: &Atom,
        dir: &Path,
        work: &mut Work,
    ) -> Result<(Application, PathBuf), FileError> {
        let candidate = Candidate {
            dir: dir.to_owned(),
            ebin: dir.join("ebin"),
        };
        let found = self.read(name, &candidate, work)?;
        found.ok_or_else(|| FileError::NotFound {
            file: text(&candidate.ebin.join(format!("{name}.app"))),
        })
    }

    fn found(
        &self,
        name: &Atom,
        work: &mut Work,
    ) -> Result<Option<(Application, PathBuf)>, FileError> {
        if let Some(metadata) = self.metadata(name, work) {
            return self.inside(name, Path::new(&metadata.dir), work).map(Some);
        }
        if let Some(found) = self.latest(name, self.code_path.named(name.as_str()), work)? {
            return Ok(Some(found));
        }
        if let Some(candidate) = self.code_path.listed(name.as_str()) {
            return self.read(name, &candidate, work);
        }
        self.latest(name, self.code_path.beside(name.as_str()), work)
    }

    /// The first of `candidates` that holds the application.
    fn latest(
        &self,
        name: &Atom,
        candidates: Vec<Candidate>,
        work: &mut Work,
    ) -> Result<Option<(Application, PathBuf)>, FileError> {
        let several = candidates.len() > 1;
        let mut candidates = candidates.into_iter();
        while let Some(candidate) = candidates.next() {
            let Some(found) = self.read(name, &candidate, work)? else {
                continue;
            };
            let file = format!("{name}.app");
            let there = |other: &Candidate| other.ebin.join(&file).is_file();
            let others = candidates
                .filter(there)
                .map(|other| other.dir)
                .collect::<Vec<_>>();
            if several && !others.is_empty() {
                work.warnings.push(Warning::SeveralVersions {
                    application: name.clone(),
                    chosen: candidate.dir,
                    others,
                });
            }
            return Ok(Some(found));
        }
        Ok(None)
    }

    fn read(
        &self,
        name: &Atom,
        candidate: &Candidate,
        work: &mut Work,
    ) -> Result<Option<(Application, PathBuf)>, FileError> {
        let file_name = format!("{name}.app");
        let file = candidate.ebin.join(&file_name);
        let Some(application) = specification(name, &file, &mut work.buffer)? else {
            return Ok(None);
        };
        let is_overridden = self
            .overridden
            .as_ref()
            .is_none_or(|known| known.contains(name));
        let application = match is_overridden {
            true => overridden(
                application,
                &self.applications.join(file_name),
                &mut work.buffer,
            )?,
            false => application,
        };
        Ok(Some((application, candidate.ebin.clone())))
    }

    /// The metadata of `name`. Nothing needs it: what cannot be used is passed over.
    fn metadata(&self, name: &Atom, work: &mut Work) -> Option<Metadata> {
        if self
            .described
            .as_ref()
            .is_some_and(|known| !known.contains(name.as_str()))
        {
            return None;
        }
        let file = self.apps.join(name.as_str());
        let metadata = only_term(&file, &mut work.buffer).and_then(|term| {
            let metadata = Metadata::from_term(&term)?;
            match metadata.application == *name {
                true => Ok(metadata),
                false => {
                    let found = metadata.application;
                    Err(ContentError::WrongName { found }.into())
                }
            }
        });
        match metadata {
            Ok(metadata) => Some(metadata),
            Err(fault) => {
                if !fault.is_missing() {
                    work.warnings.push(Warning::FileIgnored(FileError::Invalid {
                        file: text(&file),
                        kind: FileKind::Metadata,
                        fault,
                    }));
                }
                None
            }
        }
    }
}
