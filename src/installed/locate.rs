//! Which of the directories that an application may be in is meant, and what its specification is.

use super::code_path::{Candidate, CodePath};
use super::{Directories, Warning, overridden, read_metadata, specification, text};
use crate::application::{Application, FileError, FileKind, Metadata};
use crate::file::{Buffer, names};
use crate::inclusion::Specification;
use crate::term::Atom;
use foldhash::HashSet;
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
    buffer: Buffer,
    /// The path of the file that is read.
    file: PathBuf,
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
        Self {
            overridden: Some(overridden),
            described: Some(names(&directories.apps).into_iter().collect()),
            ..Self::new(directories)
        }
    }

    /// What is installed of `name`.
    pub fn locate(&self, name: &Atom, work: &mut Work) -> Specification {
        match self.found(name, work) {
            Ok(Some((application, ebin))) => Specification::Found {
                application: Box::new(application),
                ebin,
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
    ) -> Result<(Application, String), FileError> {
        let ebin = dir.join("ebin");
        let found = self.read(name, &ebin.as_path().into(), work)?;
        found.ok_or_else(|| FileError::NotFound {
            file: text(&ebin.join(format!("{name}.app"))),
        })
    }

    fn found(
        &self,
        name: &Atom,
        work: &mut Work,
    ) -> Result<Option<(Application, String)>, FileError> {
        // A dependency may be any atom, `'../foo'` for instance, and is then nowhere.
        if name.as_str().is_empty() || name.as_str().contains(['/', '\0']) {
            return Ok(None);
        }
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
    fn latest<'c>(
        &self,
        name: &Atom,
        mut candidates: impl Iterator<Item = Candidate<'c>>,
        work: &mut Work,
    ) -> Result<Option<(Application, String)>, FileError> {
        while let Some(candidate) = candidates.next() {
            let Some(found) = self.read(name, &candidate, work)? else {
                continue;
            };
            let holds = |other: &Candidate<'_>| other.ebin.join(format!("{name}.app")).is_file();
            let others = candidates.filter(holds);
            let others: Vec<PathBuf> = others.map(|other| parent(&other.ebin)).collect();
            if !others.is_empty() {
                work.warnings.push(Warning::SeveralVersions {
                    application: name.clone(),
                    chosen: parent(&candidate.ebin),
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
        candidate: &Candidate<'_>,
        work: &mut Work,
    ) -> Result<Option<(Application, String)>, FileError> {
        // In place: most of what it takes to find a file is making names otherwise.
        let file = &mut work.file;
        file.as_mut_os_string().clear();
        file.as_mut_os_string().push(candidate.ebin.as_os_str());
        for part in ["/", name.as_str(), ".app"] {
            file.as_mut_os_string().push(part);
        }
        let place = candidate.place(file);
        let Some(application) = specification(name, file, place, &mut work.buffer)? else {
            return Ok(None);
        };
        let known = self.overridden.as_ref();
        let application = if known.is_none_or(|known| known.contains(name)) {
            let overrides = self.applications.join(format!("{name}.app"));
            overridden(application, &overrides, &mut work.buffer)?
        } else {
            application
        };
        Ok(Some((application, text(&candidate.ebin))))
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
        match read_metadata(&file, name, &mut work.buffer) {
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

/// The application's directory, which holds the directory of its modules.
fn parent(ebin: &Path) -> PathBuf {
    ebin.parent().unwrap_or(ebin).to_owned()
}
