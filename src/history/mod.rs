//! What the hooks did: one record an operation, in the log `history` of the state directory.
//!
//! Written by the hooks at their end, read by `erlrc history` and `erlrc status`, which need no node for
//! it. The log is one of [`crate::record`]; the form of a record is that of [`Record`], whose keys are
//! never renamed. A reader passes over keys that it does not know, and a record of a higher
//! [`version`](Record::version) is one it may not understand.
//!
//! Must not read the environment: who called is told by the caller.

mod who;

pub use who::{Script, Who, full_name};

use crate::outcome::Outcome;
use crate::record::{RecordError, RecordLog, Tail, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The version of the form of a record.
pub const VERSION: u32 = 1;

/// One operation of one hook run. Times that something took are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The form of the record.
    pub version: u32,
    /// When the hook began, UTC.
    pub time: Time,
    /// Who called it.
    pub who: Who,
    /// `start`, `stop`, `unload`, `upgrade` or `downgrade`.
    pub operation: String,
    /// The application.
    pub application: String,
    /// The version that was to be left; of upgrade, downgrade, stop and unload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Its directory, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_dir: Option<String>,
    /// The version that was to run; of upgrade, downgrade and start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Its directory, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_dir: Option<String>,
    /// What came of it on each node, in the order in which they were asked.
    pub nodes: Vec<NodeRecord>,
    /// What came of changing back the nodes that were done, where a later one failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<NodeRecord>,
    /// The exit status of the hook.
    pub status: u8,
    /// How long all of it took.
    pub duration: u64,
}

/// What came of an operation on one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// The node, as its entry is named.
    pub node: String,
    /// The word that the hook printed.
    pub outcome: String,
    /// What it means, as an exit status.
    pub status: u8,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The version that ran afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<String>,
    /// What else was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Of an upgrade or downgrade that ran a script: what that cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Cost>,
}

/// What a script cost on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// What ran it: `transactional` or `release_handler`.
    pub evaluator: String,
    /// Its instructions.
    #[serde(default)]
    pub instructions: u64,
    /// Modules that were loaded.
    #[serde(default)]
    pub modules: u64,
    /// Processes that stood still meanwhile.
    #[serde(default)]
    pub processes: u64,
    /// The longest time for which they did.
    #[serde(default)]
    pub pause: u64,
    /// The time of each stage.
    #[serde(default)]
    pub stages: BTreeMap<String, u64>,
}

impl NodeRecord {
    /// Of a node that was to go back: whether it did.
    pub fn taking_back(&self) -> &'static str {
        match self.status {
            0 => "undone",
            _ => "not_undone",
        }
    }
}

impl Record {
    /// Whether something was changed, or went wrong: what must outlive even a crash of the machine.
    pub fn matters(&self) -> bool {
        let quiet = |node: &NodeRecord| {
            Outcome::parse(&node.outcome).is_some_and(|outcome| outcome.is_quiet())
        };
        self.status != 0 || !self.undone.is_empty() || !self.nodes.iter().all(quiet)
    }

    /// The longest time for which processes stood still on any node.
    pub fn pause(&self) -> Option<u64> {
        self.nodes
            .iter()
            .filter_map(|node| Some(node.report.as_ref()?.pause))
            .max()
    }
}

/// Writes `record` down below the directory `state`. The disk is waited for only where the record
/// matters: a hook that found nothing to do must not cost more than that.
pub fn record(state: &Path, record: &Record) -> Result<(), RecordError> {
    let log = log(state);
    if record.matters() {
        log.append(record)
    } else {
        log.append_lazily(record)
    }
}

/// Every record below the directory `state`, the oldest first, and what is no record.
pub fn read(state: &Path) -> Result<(Vec<Record>, Tail), RecordError> {
    log(state).read()
}

fn log(state: &Path) -> RecordLog {
    RecordLog::open(state.join("history"))
}
