//! What is decided: the actions of a maintainer script.

use super::facts::Version;
use super::gate::Unmet;
use crate::appup::Direction;
use crate::identity::NodeName;
use std::path::PathBuf;

/// From what runs to what is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which way that is.
    pub direction: Direction,
    /// The version that runs.
    pub from: String,
    /// Where its files are; `None` where the nodes have to do with what they have loaded.
    pub from_dir: Option<PathBuf>,
    /// The version that is to run.
    pub to: Version,
}

/// What is to be done. Actions are carried out in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Keep this version, whose directory is about to go.
    Stash(Version),
    /// Take these nodes from one version to another.
    Swap {
        /// The nodes, which all run the same version.
        nodes: Vec<NodeName>,
        /// From which version to which.
        change: Change,
    },
    /// Leave this node until the package is configured.
    Wait {
        /// The node.
        node: NodeName,
        /// The version that it is to get to.
        to: Version,
        /// Why.
        unmet: Unmet,
    },
    /// Leave everything to the end of the package manager's run.
    Queue(Version),
    /// Say that these nodes still need a restart to get to the installed version.
    Remind {
        /// The nodes.
        nodes: Vec<NodeName>,
        /// The version that they are to get to.
        to: Version,
    },
    /// These nodes do not say what they run.
    Unreachable {
        /// The nodes.
        nodes: Vec<NodeName>,
        /// The version that they should get to.
        to: Version,
    },
    /// Start the application on these nodes.
    Start {
        /// The nodes.
        nodes: Vec<NodeName>,
        /// The version to start.
        version: Version,
    },
    /// Stop and unload the application on these nodes.
    Stop {
        /// The nodes.
        nodes: Vec<NodeName>,
        /// The version that runs, or may be loaded.
        vsn: String,
        /// Its directory, if that is known.
        dir: Option<PathBuf>,
    },
    /// Drop what is kept and no node runs: this version is settled.
    Settle,
    /// Drop all that is kept and known of the application.
    Forget,
}
