//! What is wrong on a host, from what its disk, its nodes and its journal say.

mod ailments;
mod kinds;
#[cfg(test)]
mod tests;

pub use kinds::DOCTOR;

use super::facts::{Stashed, Version};
use super::journal::Journal;
use crate::identity::NodeName;
use crate::term::Atom;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What an application directory beside that of the package holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The whole application: OTP may take it for the installed one.
    Application,
    /// An appup without an application, which is as bad.
    AppupAlone,
}

/// A directory that looks like a version of an application.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The application.
    pub application: Atom,
    /// Where.
    pub dir: PathBuf,
    /// What it holds.
    pub content: Content,
    /// Whether a package has it; `None` where nobody knows.
    pub owned: Option<bool>,
    /// Whether a package has the directory of the installed version itself: where none has, a person looks after both.
    pub packaged: bool,
}

/// An application that does not stand as it should on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// The application.
    pub application: String,
    /// What it is: a stable name.
    pub kind: &'static str,
    /// What and where, in one sentence.
    pub text: String,
    /// What a person can do.
    pub advice: String,
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
    /// Whether there is metadata of it, or a directory in a library that is known here.
    pub installed: bool,
}

/// What a package says about its application, and whether it is so.
#[derive(Clone, Debug)]
pub struct Package {
    /// The application.
    pub application: Atom,
    /// The version.
    pub version: Version,
    /// Whether the directory holds it.
    pub complete: bool,
}

/// Everything that is looked at.
#[derive(Clone, Debug, Default)]
pub struct Checkup {
    /// What packages say.
    pub packages: Vec<Package>,
    /// What is registered.
    pub registered: Vec<Registered>,
    /// Applications that do not stand as they should on a node: what is wrong, and what to do.
    pub stands: Vec<Stand>,
    /// Files of this host that say something that cannot be meant: where, and what.
    pub mistaken: Vec<(PathBuf, String)>,
    /// Of each node the applications that it has loaded or finds on its own code path.
    pub found: BTreeMap<NodeName, BTreeSet<Atom>>,
    /// Directories that no metadata names, of applications that have some.
    pub directories: Vec<Directory>,
    /// What is kept, with its application.
    pub stash: Vec<(Atom, Stashed)>,
    /// What is kept and damaged, with the reason.
    pub damaged: Vec<(PathBuf, String)>,
    /// What is to be said of nodes that are there and have no entry.
    pub unlisted: Option<String>,
    /// What an interrupted keeping left.
    pub unfinished: Vec<PathBuf>,
    /// What each node runs.
    pub nodes: BTreeMap<NodeName, BTreeMap<Atom, String>>,
    /// Nodes that do not say, with the reason and what may help.
    pub unknown: BTreeMap<NodeName, Silence>,
    /// The journal.
    pub journal: Journal,
}

/// Why a node says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The word that hooks have for it.
    pub outcome: String,
    /// Why.
    pub reason: String,
}

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It goes away by itself, or disturbs nobody.
    Info,
    /// Look at it.
    Warning,
    /// It breaks something.
    Error,
}

/// What can be done about it without a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Discard it from the stash.
    Discard(PathBuf),
    /// Remove the directory, which our own upgrade left.
    Remove(PathBuf),
    /// Bring the nodes to the version that is installed.
    Reconcile(Atom),
    /// Close what the journal has open.
    Close(Atom),
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ailment {
    /// What it is: a stable name.
    pub kind: &'static str,
    /// How much it matters.
    pub weight: Weight,
    /// What it is about.
    pub subject: String,
    /// What and where, in one sentence.
    pub text: String,
    /// What a person can do.
    pub advice: String,
    /// What the doctor can do.
    pub repair: Option<Repair>,
}
