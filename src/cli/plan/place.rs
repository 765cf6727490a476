//! Which version is meant, and where it is.

use crate::application::vsn;
use crate::appup::Direction;
use crate::cli::{Common, Failure, Status};
use crate::installed;
use crate::term::Atom;
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// A version of an application and its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Which one.
    pub vsn: String,
    /// Where it is.
    pub dir: PathBuf,
}

#[derive(Debug, thiserror::Error)]
enum PlaceError {
    #[error("{} holds no version of the application", dir.display())]
    Specification {
        dir: PathBuf,
        source: crate::application::FileError,
    },
    #[error("version {vsn} of {application} is nowhere to be found")]
    Version { application: Atom, vsn: String },
    #[error("no other version of {application} is installed")]
    NoOther { application: Atom },
}

impl Version {
    /// The version that a directory holds.
    pub fn in_directory(application: &Atom, dir: &Path, common: &Common) -> Result<Self, Failure> {
        let found = installed::application(application, dir, &common.root);
        let found = found.map_err(|source| {
            let dir = dir.to_owned();
            Failure::new(Status::Failed, PlaceError::Specification { dir, source })
        })?;
        Ok(Self {
            vsn: found.vsn,
            dir: dir.to_owned(),
        })
    }

    /// The version that is to run where this one runs: `wanted`, else what is installed.
    pub fn successor(
        &self,
        application: &Atom,
        wanted: Option<&str>,
        apps: &Path,
    ) -> Result<Self, Failure> {
        let metadata = metadata(application, apps);
        let beside = || self.beside(application);
        let found = match wanted {
            Some(wanted) => metadata
                .into_iter()
                .chain(beside())
                .find(|version| version.vsn == wanted),
            None => metadata.or_else(|| {
                let latest = |a: &Self, b: &Self| vsn::compare(&a.vsn, &b.vsn);
                beside().into_iter().max_by(latest)
            }),
        };
        found.ok_or_else(|| {
            let application = application.clone();
            let error = match wanted {
                Some(vsn) => PlaceError::Version {
                    application,
                    vsn: vsn.to_owned(),
                },
                None => PlaceError::NoOther { application },
            };
            Failure::new(Status::Failed, error).hint("--to names its directory")
        })
    }

    /// The versions in directories beside this one's, as `foo-1.1` is beside `foo-1.0`.
    fn beside(&self, application: &Atom) -> Vec<Self> {
        let entries = self
            .dir
            .parent()
            .and_then(|dir| std::fs::read_dir(dir).ok());
        let dirs = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        let version = |dir: PathBuf| {
            let name = dir.file_name()?.to_str()?;
            let (name, _) = name.split_once('-')?;
            if name != application.as_str() || dir == self.dir {
                return None;
            }
            let found = installed::shipped(application, &dir).ok()?;
            Some(Self {
                vsn: found.vsn,
                dir,
            })
        };
        dirs.filter_map(version).collect()
    }

    /// The direction from this version to another one.
    pub fn way_to(&self, other: &Self) -> Direction {
        if vsn::compare(&self.vsn, &other.vsn) == Ordering::Greater {
            Direction::Down
        } else {
            Direction::Up
        }
    }
}

/// What the package says that it installed.
fn metadata(application: &Atom, apps: &Path) -> Option<Version> {
    installed::metadata(apps, application).map(|metadata| Version {
        vsn: metadata.vsn,
        dir: PathBuf::from(metadata.dir),
    })
}
