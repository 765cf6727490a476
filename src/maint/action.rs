//! The actions of a maintainer script.

use super::facts::Version;
use super::gate::Unmet;
use crate::appup::Direction;
use crate::identity::NodeName;
use std::path::PathBuf;

/// A change from the version that runs to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The direction.
    pub direction: Direction,
    /// The version before.
    pub from: String,
    /// The directory of the version before; `None` if only the code that nodes have loaded is left
    /// of it.
    pub from_dir: Option<PathBuf>,
    /// The version after.
    pub to: Version,
}

/// An action. Actions are carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Keep a copy of this version in the stash: its directory is about to be removed.
    Stash(Version),
    /// Upgrade or downgrade these nodes.
    Swap {
        /// The nodes, all of which run the same version.
        nodes: Vec<NodeName>,
        /// The versions before and after.
        change: Change,
    },
    /// Leave the node until the package is configured.
    Wait {
        /// The node.
        node: NodeName,
        /// The version that it is to run.
        to: Version,
        /// The reason.
        unmet: Unmet,
    },
    /// Leave everything until the end of the package manager's run.
    Queue(Version),
    /// Leave the stop of this version, whose package is removed, until the end of the package manager's run.
    QueueStop(Version),
    /// Report that these nodes still need a restart to run the installed version.
    Remind {
        /// The nodes.
        nodes: Vec<NodeName>,
        /// The version that they are to run.
        to: Version,
    },
    /// Report that these nodes do not say what they run.
    Unreachable {
        /// The nodes.
        nodes: Vec<NodeName>,
        /// The version that they should run.
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
        /// Its directory, if known.
        dir: Option<PathBuf>,
    },
    /// Remove every version from the stash that no node runs, and close the journal: all nodes run
    /// this version.
    Settle,
    /// Remove everything about the application from stash and journal.
    Forget,
}
