//! Finds what is wrong on a host, from its disk, its nodes and its journal.

mod kinds;
mod rules;
#[cfg(test)]
mod tests;

pub use kinds::DOCTOR;

use super::facts::{Stashed, Version};
use super::journal::Journal;
use crate::identity::NodeName;
use crate::term::Atom;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The content of an application directory beside that of the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The whole application, which OTP may take for the installed one.
    Application,
    /// An appup without an application, which is just as bad.
    AppupAlone,
}

/// A directory that looks like a version of an application.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The application.
    pub application: Atom,
    /// The directory.
    pub dir: PathBuf,
    /// Its content.
    pub content: Content,
    /// The version in its `.app`, where it can be read.
    pub vsn: Option<String>,
    /// Whether it belongs to a package; `None` if that is not known.
    pub owned: Option<bool>,
    /// Whether the directory of the installed version belongs to a package; if not, a person
    /// manages both.
    pub packaged: bool,
}

/// An application whose state on a node is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFinding {
    /// The application.
    pub application: String,
    /// The kind: a stable name.
    pub kind: &'static str,
    /// What and where, in one sentence.
    pub text: String,
    /// What a person can do.
    pub advice: String,
    /// What the doctor can do.
    pub repair: Option<Repair>,
}

/// An application that is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The application.
    pub application: Atom,
    /// The file.
    pub file: PathBuf,
    /// Whether nodes start it when they boot.
    pub enabled: bool,
    /// Whether there is metadata of it, or a directory in a library that is known on the host.
    pub installed: bool,
}

/// The installed version of an application, as its package says, and whether that is true.
#[derive(Clone, Debug)]
pub struct Package {
    /// The application.
    pub application: Atom,
    /// The version.
    pub version: Version,
    /// Whether the directory holds the version.
    pub complete: bool,
}

/// All facts of a checkup.
#[derive(Clone, Debug, Default)]
pub struct Checkup {
    /// The installed packages.
    pub packages: Vec<Package>,
    /// The registrations.
    pub registered: Vec<Registered>,
    /// The applications whose state on a node is not as it should be.
    pub node_findings: Vec<NodeFinding>,
    /// The configuration files with an invalid value, and what is wrong.
    pub mistaken: Vec<(PathBuf, String)>,
    /// For each node the applications that it has loaded or finds on its code path.
    pub found: BTreeMap<NodeName, BTreeSet<Atom>>,
    /// The directories of applications with metadata that no metadata names.
    pub directories: Vec<Directory>,
    /// The versions in the stash, with their applications.
    pub stash: Vec<(Atom, Stashed)>,
    /// The damaged versions in the stash, with the reason.
    pub damaged: Vec<(PathBuf, String)>,
    /// A report about nodes that run and have no entry.
    pub unlisted: Option<String>,
    /// What an interrupted script left in the stash.
    pub unfinished: Vec<PathBuf>,
    /// What commands that were interrupted left among the environments.
    pub unfinished_environments: Vec<PathBuf>,
    /// What is said of releases on trial and of runs.
    pub unsettled: Vec<Finding>,
    /// The versions that each node runs.
    pub nodes: BTreeMap<NodeName, BTreeMap<Atom, String>>,
    /// The nodes that do not answer, with the reason.
    pub unknown: BTreeMap<NodeName, Silence>,
    /// The journal.
    pub journal: Journal,
}

/// Why a node does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The outcome, as hooks print it.
    pub outcome: String,
    /// The reason.
    pub reason: String,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It goes away by itself, or does no harm.
    Info,
    /// It should be looked at.
    Warning,
    /// It breaks something.
    Error,
}

/// A repair that needs no person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Remove the directory from the stash.
    Discard(PathBuf),
    /// Remove the directory, which an upgrade by erlrc has left.
    Remove(PathBuf),
    /// Upgrade or downgrade the nodes to the installed version.
    Reconcile(Atom),
    /// Close the open records of the journal.
    Close(Atom),
    /// Have the node make the application whole.
    Settle(String, Atom),
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind: a stable name.
    pub kind: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The application, directory, file or node.
    pub subject: String,
    /// What and where, in one sentence.
    pub text: String,
    /// What a person can do.
    pub advice: String,
    /// The repair, if there is one.
    pub repair: Option<Repair>,
}
