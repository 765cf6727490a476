//! What is so on the host, as far as a maintainer script has to know.

use super::gate::Minimum;
use crate::appup::Direction;
use crate::identity::NodeName;
use crate::term::Atom;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A version of an application, and the directory that its package has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its name.
    pub vsn: String,
    /// Its directory, the one that holds `ebin`.
    pub dir: PathBuf,
}

/// A version that is kept although its package is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stashed {
    /// The version, and where it was.
    pub version: Version,
    /// Where it is kept.
    pub dir: PathBuf,
}

/// What a node has of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It runs in this version, by itself or included in another.
    Running(String),
    /// It does not run.
    Idle,
    /// The node is there and does not say.
    Unknown,
}

/// A node of this host that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its name.
    pub name: NodeName,
    /// What it has of the application.
    pub state: NodeState,
    /// Which versions run of the applications that the new version asks for.
    pub siblings: BTreeMap<Atom, String>,
}

/// Everything that is decided from.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What the script that calls belongs to.
    pub own: Version,
    /// What the metadata file says that is installed now.
    pub metadata: Option<Version>,
    /// The directories that hold the version that they are said to hold.
    pub present: BTreeSet<PathBuf>,
    /// The versions of the application that are kept, each sound.
    pub stash: Vec<Stashed>,
    /// The nodes that are up.
    pub nodes: Vec<NodeFacts>,
    /// Whether the application is registered and enabled.
    pub registered: bool,
    /// Whether applications may be started now (policy-rc.d).
    pub may_start: bool,
    /// Shipped appups that lead from these versions to the installed one, and which way that is.
    pub appups: Vec<(String, Direction)>,
    /// What the new version asks of the versions of others.
    pub minimums: Vec<Minimum>,
    /// The versions of those that are installed.
    pub installed: BTreeMap<Atom, String>,
    /// Nodes that need a restart to get to a version, as was found before.
    pub pending: BTreeMap<NodeName, String>,
    /// Whether all swaps wait for the end of the package manager's run.
    pub batch: bool,
}

impl Facts {
    /// The version that the package manager has installed.
    pub fn installed_version(&self) -> &Version {
        self.metadata.as_ref().unwrap_or(&self.own)
    }

    /// Whether `dir` holds what it is said to hold.
    pub fn is_present(&self, dir: &Path) -> bool {
        self.present.contains(dir)
    }

    /// Where the version `vsn` is now: in the directory of its package, else in the stash; `None` where
    /// there is nothing of it but what nodes have loaded.
    pub fn place(&self, vsn: &str) -> Option<PathBuf> {
        let packaged = [Some(&self.own), self.metadata.as_ref()];
        let packaged = packaged.into_iter().flatten();
        let kept = self.stash.iter().map(|stashed| &stashed.version);
        let original = packaged
            .chain(kept)
            .find(|version| version.vsn == vsn && self.is_present(&version.dir))
            .map(|version| version.dir.clone());
        original.or_else(|| self.stashed(vsn).map(|stashed| stashed.dir.clone()))
    }

    /// The version `vsn` in the stash.
    pub fn stashed(&self, vsn: &str) -> Option<&Stashed> {
        self.stash.iter().find(|stashed| stashed.version.vsn == vsn)
    }
}
