//! How the nodes and applications of a host stand: what runs against what is installed, what has been
//! done last, what should be looked at.
//!
//! Pure: [`Facts`] are gathered elsewhere, [`report`] says what they come to. The report is also the JSON
//! of `erlrc status`; its keys are never renamed.

mod boot;
mod health;
mod join;
mod node;
mod prometheus;
#[cfg(test)]
mod tests;

pub use boot::{BootTimes, StartedApplication};
pub use health::{Check, Health, Peer};
pub use join::report;
pub use node::{
    AfterRestart, Current, Held, Loaded, NodeFacts, OldCode, Process, Replaced, State, Unsettled,
    WentBack,
};
pub use prometheus::prometheus;

use crate::history::Record;
use crate::installed::Inventory;
use crate::outcome::Outcome;
use crate::record::Time;
use crate::restart::{Reason, Refused};
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the form of a report.
pub const VERSION: u32 = 1;

/// What a report is made of.
#[derive(Debug, Default)]
pub struct Facts {
    /// When it was gathered.
    pub time: Time,
    /// What is registered and installed.
    pub inventory: Inventory,
    /// The nodes that have entries.
    pub nodes: Vec<Node>,
    /// What the hooks did, the oldest first.
    pub history: Vec<Record>,
    /// What has been put off.
    pub pending: Vec<Pending>,
}

/// A node that has an entry.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name, as the entry has it.
    pub name: String,
    /// Whether it answers: `up`, or why not in the words of the hooks (`node_down`, `other_root`…).
    pub state: String,
    /// More of that.
    pub reason: Option<String>,
    /// What it says.
    pub facts: Option<NodeFacts>,
    /// Why it must be restarted.
    pub restart: Vec<Reason>,
    /// Of its applications those with modules that the emulator which it starts with next does not load.
    pub refused: BTreeMap<String, Refused>,
}

/// An operation that has been put off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// The application.
    pub application: String,
    /// The node, where it is about one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// How far it has come, in the words of the journal.
    pub state: String,
    /// What runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What is to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Since when.
    pub time: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How everything stands.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The form of the report.
    pub version: u32,
    /// When it was made.
    pub time: Time,
    /// The nodes, by name.
    pub nodes: Vec<NodeStatus>,
    /// What has been put off.
    pub pending: Vec<Pending>,
    /// What could not be read.
    pub warnings: Vec<String>,
    /// What is registered or installed, nodes or none.
    #[serde(skip)]
    pub host: BTreeMap<String, OnHost>,
}

/// What registrations and packages say of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnHost {
    /// The version that a package installed.
    pub installed: Option<String>,
    /// Whether it is registered.
    pub registered: bool,
    /// Whether that is in force.
    pub enabled: bool,
}

/// How a node stands.
#[derive(Clone, Debug, Serialize)]
pub struct NodeStatus {
    /// The node.
    pub node: String,
    /// `up`, `node_down`, `other_root`, …
    pub state: String,
    /// More of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it says.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub facts: Option<NodeFacts>,
    /// Its applications, by name.
    pub applications: Vec<ApplicationStatus>,
    /// Why it must be restarted; for no reason, if empty.
    pub restart_needed: Vec<Reason>,
}

/// How an application stands on a node.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationStatus {
    /// The application.
    pub application: String,
    /// Whether it runs.
    pub state: State,
    /// The version that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<String>,
    /// The version that is loaded and does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loaded: Option<String>,
    /// The application in which it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub includer: Option<String>,
    /// The version that its package installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed: Option<String>,
    /// Whether it is to run on this host.
    pub registered: bool,
    /// Whether its registration is in force.
    pub enabled: bool,
    /// Whether an operation stopped it since.
    pub stopped: bool,
    /// The last change, or attempt at one: what found nothing to do is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
    /// The modules that the emulator which the node starts with next does not load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_modules: Option<Refused>,
    /// What a restart of the node brings instead of what runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_restart: Option<AfterRestart>,
    /// Native libraries of an earlier version that run on, where this one has others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub old_libraries: Vec<String>,
    /// What somebody should look at.
    pub findings: Vec<Finding>,
}

/// The last change of an application on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Last {
    /// When it began.
    pub time: Time,
    /// Which it was.
    pub operation: String,
    /// What came of it.
    pub outcome: String,
    /// Why, where that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The version that was to be left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version that was to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The same as an exit status.
    pub status: u8,
    /// The longest time for which processes stood still, in microseconds.
    #[serde(rename = "pause_us", skip_serializing_if = "Option::is_none")]
    pub pause: Option<u64>,
}

/// What somebody should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Another version runs than is installed.
    OtherVersion,
    /// It is to run, and does not.
    NotRunning,
    /// The last change failed, and nothing since has made up for it.
    Failed,
    /// An operation has been put off.
    Pending,
    /// It has modules that the emulator which the node starts with next does not load.
    RefusedModules,
    /// A native library of an earlier version runs on.
    OldLibrary,
}

impl Finding {
    /// A few words for a table.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::OtherVersion => "not the installed version",
            Self::NotRunning => "does not run",
            Self::Failed => "last change failed",
            Self::Pending => "operation pending",
            Self::RefusedModules => "cannot be loaded after a restart of the node",
            Self::OldLibrary => "an earlier native library runs on",
        }
    }
}

impl ApplicationStatus {
    /// Whether erlrc has anything to do with it: registered, installed with metadata, or operated on.
    pub fn is_managed(&self) -> bool {
        let last = self.last.as_ref();
        let done = last.is_some_and(|last| self.state != State::Absent || last.has_found());
        self.registered || self.installed.is_some() || done
    }

    /// Whether it is anything but a name that somebody once mistyped.
    pub fn is_known(&self) -> bool {
        let is_there = self.running.is_some() || self.loaded.is_some();
        let last = self.last.as_ref();
        let was_there = last.is_some_and(|last| last.status == 0 && last.has_found());
        self.registered || self.installed.is_some() || is_there || was_there
    }

    /// Whether it runs, by itself or inside another.
    pub fn runs(&self) -> bool {
        matches!(self.state, State::Running | State::Included)
    }
}

impl Last {
    /// Whether it found the application: to stop what does not run says nothing of a name.
    fn has_found(&self) -> bool {
        self.outcome != Outcome::NotRunning.as_str()
    }
}

impl NodeStatus {
    /// The application of this name, which is looked for in their order.
    pub fn application(&self, name: &str) -> Option<&ApplicationStatus> {
        let apps = &self.applications;
        let place = apps.binary_search_by(|app| app.application.as_str().cmp(name));
        apps.get(place.ok()?)
    }

    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        self.facts.is_some()
    }
}
