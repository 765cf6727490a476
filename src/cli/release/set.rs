//! The set of a release: what is asked for, found on this host, with all that it needs.

use crate::application::{Application, FileError};
use crate::cli::arguments::Apps;
use crate::cli::env::{Environments, make};
use crate::cli::{Common, Failure, Status, boot_order, output};
use crate::environment::Record;
use crate::environment::source::Tree;
use crate::file::{Buffer, ReadError};
use crate::inclusion::{self, Loaded};
use crate::installed::{self, Directories, Event, Node};
use crate::release::control::{self, ControlError};
use crate::release::order::{self, ALWAYS, Placed};
use crate::release::wanted::{self, Range, Version, Wanted, WantedError};
use crate::term::Atom;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Larger than any control file.
const LARGEST: u64 = 16 << 20;

/// What is asked for.
pub struct Asked<'a> {
    /// The service.
    pub service: &'a str,
    /// Applications with versions.
    pub apps: &'a [(Atom, Range)],
    /// A control file.
    pub control: Option<&'a Path>,
    /// Further directories of applications.
    pub libs: &'a [PathBuf],
    /// What packages say.
    pub packages: &'a Apps,
}

/// The OTP that a release runs on.
pub struct Otp {
    /// The directory that was named, or the tree.
    pub dir: PathBuf,
    /// The tree.
    pub tree: Tree,
    /// The name, where it is an environment.
    pub environment: Option<String>,
}

impl Otp {
    /// The program that starts a node from it.
    pub fn erl(&self) -> PathBuf {
        self.tree.root.join("bin/erl")
    }
}

/// What is found.
pub struct Found {
    /// The applications in start order.
    pub placed: Vec<Placed>,
    /// Dependencies that are no applications.
    pub passed_over: Vec<String>,
    /// What somebody should know.
    pub warnings: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
enum SetError {
    #[error("cannot read {}", file.display())]
    Read {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error("{} cannot be used", file.display())]
    Control { file: PathBuf, source: ControlError },
    #[error("{needer} needs {missing}, which is nowhere to be found")]
    Missing { needer: Atom, missing: String },
    #[error(
        "{dependent} depends on {included}, which another application includes: a boot script of OTP cannot start it"
    )]
    Included { dependent: Atom, included: Atom },
}

fn refused(error: impl Into<Box<dyn std::error::Error>>) -> Failure {
    Failure::new(Status::Failed, error)
}

/// The OTP that `named` is, an environment's name or a directory; else the distribution's.
pub fn otp(named: Option<&Path>, environments: &Environments) -> Result<Otp, Failure> {
    let dir = named.map(|named| {
        let store = environments.store();
        let place = named.to_str().map(|name| store.place(name));
        let is_name = named.components().count() == 1 && !named.exists();
        let place = place.filter(|place| is_name && place.is_dir());
        place.unwrap_or_else(|| std::path::absolute(named).unwrap_or_else(|_| named.to_owned()))
    });
    let tree = make::tree(dir.as_deref())?;
    Ok(Otp {
        environment: Record::read(&tree.root).map(|record| record.name()),
        dir: dir.unwrap_or_else(|| tree.root.clone()),
        tree,
    })
}

/// Finds what is asked for and all that it needs.
pub fn find(asked: &Asked<'_>, otp: &Otp, common: &Common) -> Result<Found, Failure> {
    let directories = directories(asked, otp, common)?;
    let mut search = Search {
        directories: &directories,
        warnings: Vec::new(),
    };
    let mut wishes: Vec<(Atom, Range)> = asked.apps.to_vec();
    let mut passed_over = Vec::new();
    if let Some(file) = asked.control {
        let resolved = search.resolved(file, asked.service, &otp.tree.otp)?;
        wishes.extend(resolved.wishes);
        passed_over = resolved.passed_over;
    }
    let mut wanted = wanted::merge(wishes).map_err(refused)?;
    let base = search.base(&mut wanted)?;
    let starts = search.starts(&wanted)?;
    let placed = search.placed(base, starts, common)?;
    Ok(Found {
        placed,
        passed_over,
        warnings: search.warnings,
    })
}

/// Whether a boot script of OTP can start the set: application_controller knows of an included application that it is
/// loaded, and of nothing that runs under its name.
pub fn check_boot(placed: &[Placed]) -> Result<(), Failure> {
    match order::dependent_on_included(placed) {
        None => Ok(()),
        Some((dependent, included)) => {
            let (dependent, included) = (dependent.clone(), included.clone());
            let hint = "leave out --rel";
            Err(refused(SetError::Included {
                dependent,
                included,
            })
            .hint(hint))
        }
    }
}

fn directories(asked: &Asked<'_>, otp: &Otp, common: &Common) -> Result<Directories, Failure> {
    let libraries =
        boot_order::libraries_with(&otp.tree.root.join("lib"), std::env::var_os("ERL_LIBS"));
    let libs: Vec<PathBuf> = asked.libs.iter().cloned().chain(libraries).collect();
    let mut path = Vec::new();
    for dir in &libs {
        let read = boot_order::code_path(dir).map_err(|source| {
            let file = dir.clone();
            refused(SetError::Read { file, source })
        });
        path.extend(read?);
    }
    Ok(Directories {
        root: common.root.clone(),
        apps: asked.packages.apps.clone(),
        path,
        libs,
        threads: installed::threads(),
    })
}

struct Search<'a> {
    directories: &'a Directories,
    warnings: Vec<String>,
}

impl Search<'_> {
    fn resolved(
        &self,
        file: &Path,
        service: &str,
        otp: &str,
    ) -> Result<control::Resolved, Failure> {
        let unusable = |source| {
            let file = file.to_owned();
            refused(SetError::Control { file, source })
        };
        let text = text(file)?;
        let needs = control::needs(&text, service).map_err(unusable)?;
        let versions = |name: &Atom| {
            let found = installed::versions(self.directories, name);
            found.map(|found| listed(&found.found)).unwrap_or_default()
        };
        control::resolve(&needs, otp, versions).map_err(unusable)
    }

    /// Takes what every release has out of what is wanted, and finds it.
    fn base(&mut self, wanted: &mut Wanted) -> Result<Vec<(Application, PathBuf)>, Failure> {
        let mut base = Vec::new();
        for name in ALWAYS.map(Atom::of) {
            let range = wanted.remove(&name).unwrap_or_default();
            base.push(self.chosen(&name, &range)?);
        }
        Ok(base)
    }

    fn starts(&mut self, wanted: &Wanted) -> Result<Vec<(Atom, String, PathBuf)>, Failure> {
        let mut starts = Vec::new();
        for (name, range) in wanted {
            let (application, dir) = self.chosen(name, range)?;
            starts.push((name.clone(), application.vsn, dir));
        }
        Ok(starts)
    }

    fn chosen(&mut self, name: &Atom, range: &Range) -> Result<(Application, PathBuf), Failure> {
        let found = installed::versions(self.directories, name).map_err(refused)?;
        if range.is_any() {
            let warnings = found.warnings.iter().map(ToString::to_string);
            self.warnings.extend(warnings);
        }
        let versions = listed(&found.found);
        let chosen = wanted::choose(name, range, &versions).map_err(nowhere)?;
        let mut all = found.found.into_iter();
        let taken = all.find(|(_, dir)| *dir == chosen.dir);
        Ok(taken.expect("what is chosen is one of those"))
    }

    /// All of it in start order.
    fn placed(
        &mut self,
        base: Vec<(Application, PathBuf)>,
        start: Vec<(Atom, String, PathBuf)>,
        common: &Common,
    ) -> Result<Vec<Placed>, Failure> {
        let event = Event::Change {
            upgrade: Vec::new(),
            start,
            stop: Vec::new(),
        };
        let survey = installed::survey(self.directories, emulator(&base), event);
        let survey = survey.map_err(refused)?;
        let warnings = survey.warnings.iter().map(ToString::to_string);
        self.warnings.extend(warnings);
        let known = survey.facts.specifications.clone();
        let started = inclusion::transition(survey.facts, &survey.event).map_err(|error| {
            let missing = match &error {
                inclusion::Error::Specification(FileError::NotFound { file }) => {
                    file.strip_suffix(".app").map(str::to_owned)
                }
                _ => None,
            };
            let needer = missing.and_then(|missing| {
                let needer = order::needer(&known, &missing)?.clone();
                Some(SetError::Missing { needer, missing })
            });
            match needer {
                Some(missing) => refused(missing).hint(FIND),
                None => refused(error),
            }
        })?;
        let inventory = installed::inventory(&common.root, &self.directories.apps);
        let halting = inventory
            .registered
            .iter()
            .filter(|(_, registration)| registration.on_exit == crate::application::OnExit::Halt);
        let permanent: BTreeSet<Atom> = halting.filter_map(|(name, _)| Atom::new(name)).collect();
        Ok(order::members(base, started, &permanent))
    }
}

const FIND: &str = "install the package that brings it, or name its directory with --lib";

fn nowhere(error: WantedError) -> Failure {
    let hint = match &error {
        WantedError::TwoVersions { .. } => "a release has one version of each application",
        WantedError::None { .. } => FIND,
    };
    refused(error).hint(hint)
}

/// A text that is no longer than any control file: somebody may name a device or a pipe.
fn text(file: &Path) -> Result<String, Failure> {
    let mut buffer = Buffer::default();
    let read = buffer.read(file.into(), LARGEST);
    let why = match read {
        Ok(()) => match String::from_utf8(buffer.take()) {
            Ok(text) => return Ok(text),
            Err(_) => "is no text in UTF-8",
        },
        Err(ReadError::System(posix)) => posix,
        Err(ReadError::NotRegular) => "is not a regular file",
        Err(ReadError::TooLarge) => "is larger than any control file",
    };
    let (file, source) = (file.to_owned(), std::io::Error::other(why));
    Err(refused(SetError::Read { file, source }))
}

fn listed(found: &[(Application, PathBuf)]) -> Vec<Version> {
    let version = |(application, dir): &(Application, PathBuf)| Version {
        vsn: output::printable(&application.vsn),
        dir: dir.clone(),
    };
    found.iter().map(version).collect()
}

/// A node that runs what every release begins with.
fn emulator(base: &[(Application, PathBuf)]) -> Node {
    let loaded = base.iter().map(|(application, _)| Loaded {
        name: application.name.clone(),
        applications: application.applications.clone(),
        included_applications: application.included_applications.clone(),
        optional_applications: application.optional_applications.clone(),
    });
    Node {
        loaded: loaded.collect(),
        running: base
            .iter()
            .map(|(application, _)| application.name.clone())
            .collect(),
        ..Node::default()
    }
}
