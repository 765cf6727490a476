//! The facts about a host that a maintainer script decides from.

use super::gate::Minimum;
use crate::appup::Direction;
use crate::identity::NodeName;
use crate::term::Atom;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A version of an application, with the directory of its package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The version.
    pub vsn: String,
    /// Its directory, which holds `ebin`.
    pub dir: PathBuf,
}

/// A version that is kept in the stash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stashed {
    /// The version with its original directory.
    pub version: Version,
    /// The directory in the stash.
    pub dir: PathBuf,
}

/// The state of the application on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It runs in this version, by itself or as part of another.
    Running(String),
    /// It does not run.
    Idle,
    /// The node is up and does not answer.
    Unknown,
}

/// A node of this host that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its name.
    pub name: NodeName,
    /// The state of the application on the node.
    pub state: NodeState,
    /// The running versions of the applications that the new version has requirements for.
    pub siblings: BTreeMap<Atom, String>,
}

/// All facts.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The version that the calling script belongs to.
    pub own: Version,
    /// The version in the metadata file.
    pub metadata: Option<Version>,
    /// The directories that hold the version that they should hold.
    pub present: BTreeSet<PathBuf>,
    /// The versions of the application in the stash that are intact.
    pub stash: Vec<Stashed>,
    /// The nodes that run.
    pub nodes: Vec<NodeFacts>,
    /// Whether the application is registered and enabled.
    pub registered: bool,
    /// Whether policy-rc.d allows starting applications now.
    pub may_start: bool,
    /// The versions from which a shipped appup leads to the installed one, with the direction.
    pub appups: Vec<(String, Direction)>,
    /// The requirements of the new version for the versions of other applications.
    pub minimums: Vec<Minimum>,
    /// The installed versions of those applications.
    pub installed: BTreeMap<Atom, String>,
    /// The nodes that are known to need a restart to run a version.
    pub pending: BTreeMap<NodeName, String>,
    /// Whether upgrades, starts and stops wait for the end of the package manager's run.
    pub batch: bool,
    /// Whether another application waits for that already.
    pub others_wait: bool,
    /// Whether the application stays when its package is removed, as erlrc itself does.
    pub stays: bool,
}

impl Facts {
    /// The version that the package manager has installed.
    pub fn installed_version(&self) -> &Version {
        self.metadata.as_ref().unwrap_or(&self.own)
    }

    /// Whether `dir` holds the version that it should hold.
    pub fn is_present(&self, dir: &Path) -> bool {
        self.present.contains(dir)
    }

    /// The present directory of version `vsn`: that of its package, or else the one in the stash.
    /// `None` if only the code that nodes have loaded is left.
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

    /// Version `vsn` in the stash.
    pub fn stashed(&self, vsn: &str) -> Option<&Stashed> {
        self.stash.iter().find(|stashed| stashed.version.vsn == vsn)
    }
}
