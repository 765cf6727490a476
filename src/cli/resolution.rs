//! One answer to which version of an application is meant and where it is: what the node runs and finds itself, what
//! the package says, what lies beside it.
//!
//! The node resolves its own way (`erlrc_versions`), and is asked; an older one is not, and what it has on its disk is
//! looked at from here.

use super::arguments::Apps;
use super::{Common, Failure, Status};
use crate::application::vsn;
use crate::appup::Direction;
use crate::installed;
use crate::places::Root;
use crate::term::{Atom, Term};
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
    #[error("{application} is nowhere to be found: {}", looked)]
    Nowhere {
        application: Atom,
        looked: &'static str,
    },
}

/// What a node runs of an application, and what it finds of it.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What runs, itself or inside another application.
    pub running: Option<String>,
    /// Where that came from, whether or not it is still there.
    pub origin: Option<PathBuf>,
    /// What is loaded where nothing runs.
    pub loaded: Option<String>,
    /// Every version that the node finds, the one that is meant before others.
    pub found: Vec<Version>,
}

impl Known {
    /// Reads the answer to `versions` or `code`.
    pub fn of_answer(answer: &Term) -> Self {
        let text = |term: &Term, key| Some(term.get(key)?.as_text()?.into_owned());
        let found = answer.get("versions").and_then(Term::elements);
        let running = text(answer, "running");
        let is_loaded = |term: &&Term| {
            let source = term.get("source").and_then(Term::as_atom);
            source.is_some_and(|source| source.as_str() == "loaded")
        };
        let loaded = found.as_ref();
        let loaded = loaded.and_then(|found| text(found.iter().find(is_loaded)?, "vsn"));
        let version = |term: &Term| {
            Some(Version {
                vsn: text(term, "vsn")?,
                dir: text(term, "dir")?.into(),
            })
        };
        let code = answer.get("code").unwrap_or(answer);
        Self {
            loaded: loaded.filter(|_| running.is_none()),
            running,
            origin: text(code, "dir").map(PathBuf::from),
            found: found
                .unwrap_or_default()
                .iter()
                .filter_map(version)
                .collect(),
        }
    }

    /// Whether the node has anything of it, in its memory or on its disk.
    pub fn is_anything(&self) -> bool {
        self.running.is_some() || self.origin.is_some() || !self.found.is_empty()
    }

    /// What runs, in a directory that holds it: its own, else the copy in the stash.
    pub fn old_side(&self, application: &Atom) -> Option<Version> {
        let vsn = self.running.as_ref()?;
        let own = self.origin.iter().map(|dir| Version {
            vsn: vsn.clone(),
            dir: dir.clone(),
        });
        let found = self.found.iter().filter(|found| found.vsn == *vsn).cloned();
        own.chain(found)
            .find(|version| version.is_held(application))
    }

    /// The version that is to run: `wanted`, else what is installed.
    pub fn target(
        &self,
        application: &Atom,
        wanted: Option<&str>,
        apps: &Path,
    ) -> Result<Version, Failure> {
        let installed = metadata(application, apps);
        let beside = self.origin.iter().flat_map(|dir| beside(application, dir));
        let mut all = installed.iter().chain(&self.found).cloned().chain(beside);
        let found = match wanted {
            Some(wanted) => all.find(|version| version.vsn == wanted),
            None => installed.clone().or_else(|| self.latest(all)),
        };
        found.ok_or_else(|| no_target(application, wanted))
    }

    /// The latest but for the one that runs.
    fn latest(&self, all: impl Iterator<Item = Version>) -> Option<Version> {
        all.filter(|version| Some(&version.vsn) != self.running.as_ref())
            .max_by(|a, b| vsn::compare(&a.vsn, &b.vsn))
    }
}

fn no_target(application: &Atom, wanted: Option<&str>) -> Failure {
    let application = application.clone();
    let error = match wanted {
        Some(vsn) => PlaceError::Version {
            application,
            vsn: vsn.to_owned(),
        },
        None => PlaceError::NoOther { application },
    };
    Failure::new(Status::Failed, error)
}

/// Why a name that neither the host nor a node knows is not taken for an application.
pub fn nowhere(application: &Atom) -> Failure {
    let application = application.clone();
    let looked = "it is neither registered nor installed, and no node that answers has it";
    Failure::new(
        Status::Failed,
        PlaceError::Nowhere {
            application,
            looked,
        },
    )
}

/// A name of which nothing is written down: mistyped, unless the host has heard of it. `what` says what was looked for.
pub fn heard_of(application: Option<&Atom>, what: &str, common: &Common) -> Result<(), Failure> {
    let apps = Apps::of_environment().apps;
    match application {
        Some(app) if !is_known_to_host(app, common, &apps) => {
            let text = format!("{app}: {what}, and it is neither registered nor installed");
            Err(Failure::new(Status::Failed, text))
        }
        _ => Ok(()),
    }
}

/// Whether the host has heard of an application: a registration or a package.
pub fn is_known_to_host(application: &Atom, common: &Common, apps: &Path) -> bool {
    let name = application.as_str();
    let files = [Root(&common.root).registration(name), apps.join(name)];
    files.iter().any(|file| file.symlink_metadata().is_ok())
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

    /// Whether its directory holds it.
    pub fn is_held(&self, application: &Atom) -> bool {
        installed::shipped(application, &self.dir).is_ok_and(|found| found.vsn == self.vsn)
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

/// The versions in directories beside this one, as `foo-1.1` is beside `foo-1.0`.
fn beside(application: &Atom, dir: &Path) -> Vec<Version> {
    let entries = dir.parent().and_then(|dir| std::fs::read_dir(dir).ok());
    let entries = entries.into_iter().flatten().flatten();
    let version = |other: PathBuf| {
        let (name, _) = other.file_name()?.to_str()?.split_once('-')?;
        if name != application.as_str() || other == dir {
            return None;
        }
        let found = installed::shipped(application, &other).ok()?;
        Some(Version {
            vsn: found.vsn,
            dir: other,
        })
    };
    entries.filter_map(|entry| version(entry.path())).collect()
}

/// What the package says that it installed.
fn metadata(application: &Atom, apps: &Path) -> Option<Version> {
    installed::metadata(apps, application).map(|metadata| Version {
        vsn: metadata.vsn,
        dir: PathBuf::from(metadata.dir),
    })
}
