//! The history: one record for each operation of a hook, in the log `history` of the state
//! directory.
//!
//! Hooks append their record when they end; `erlrc history` and `erlrc status` read it without
//! asking a node. The log is a [`crate::record`]; its records are [`Record`]s, whose keys are never
//! renamed. A reader ignores unknown keys. It may be unable to understand a record of a higher
//! [`version`](Record::version).
//!
//! Must not read the environment: the caller passes in who called the hook.

mod who;

pub use who::{Script, Who, full_name};

use crate::outcome::Outcome;
use crate::places;
use crate::record::{RecordError, RecordLog, Tail, Time, checksum};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The version of the record format.
pub const VERSION: u32 = 1;

/// One operation of one hook. Durations are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version of the format, see [`VERSION`].
    pub version: u32,
    /// When the hook began, in UTC.
    pub time: Time,
    /// Who called it.
    pub who: Who,
    /// `start`, `stop`, `unload`, `upgrade` or `downgrade`.
    pub operation: String,
    /// The application.
    pub application: String,
    /// The version before; of upgrade, downgrade, stop and unload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The directory of that version, if the caller named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_dir: Option<String>,
    /// The version after; of upgrade, downgrade and start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The directory of that version, if the caller named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_dir: Option<String>,
    /// The outcome on each node, in the order in which the nodes were asked.
    pub nodes: Vec<NodeRecord>,
    /// The outcomes of reverting nodes that were done, after a later one failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<NodeRecord>,
    /// All applications that were changed as one with this one, where there were several: each has a record of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub together: Vec<String>,
    /// The exit status of the hook.
    pub status: u8,
    /// The duration of the whole operation.
    #[serde(rename = "duration_us", alias = "duration")]
    pub duration: u64,
}

/// The outcome of an operation on one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// The name of the node, as in its entry.
    pub node: String,
    /// The outcome, as the hook printed it.
    pub outcome: String,
    /// The exit status that the outcome stands for.
    pub status: u8,
    /// The reason of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The version that ran afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<String>,
    /// Warnings of the node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// For an upgrade or downgrade that ran a script: what the script cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Cost>,
}

/// What a script cost on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// The evaluator: `transactional` or `release_handler`.
    pub evaluator: String,
    /// The number of instructions.
    #[serde(default)]
    pub instructions: u64,
    /// The number of modules that were loaded.
    #[serde(default)]
    pub modules: u64,
    /// The number of processes that were suspended.
    #[serde(default)]
    pub processes: u64,
    /// The longest time for which a process was suspended.
    #[serde(default, rename = "pause_us", alias = "pause")]
    pub pause: u64,
    /// The duration of each stage.
    #[serde(default, rename = "stages_us", alias = "stages")]
    pub stages: BTreeMap<String, u64>,
}

impl NodeRecord {
    /// The record of a node that was to be reverted, with the outcome of that.
    pub fn taking_back(&self) -> &'static str {
        match self.status {
            0 => "undone",
            _ => "not_undone",
        }
    }
}

impl Record {
    /// The name of the operation: a digit and seven hexadecimal ones, made of when, what and of which application. It is
    /// never the name of an application, which begins with a letter.
    pub fn id(&self) -> String {
        let (time, operation, application) =
            (self.time.millis(), &self.operation, &self.application);
        let sum = checksum(format!("{time} {operation} {application}").as_bytes());
        format!("{}{:07x}", (sum >> 28) % 10, sum & 0x0fff_ffff)
    }

    /// The nodes on which an upgrade or downgrade was carried out; none where it was taken back.
    pub fn changed(&self) -> Vec<&str> {
        let words = ["upgraded", "downgraded"];
        let nodes = self.nodes.iter().filter(|_| self.undone.is_empty());
        let changed = nodes.filter(|node| words.contains(&node.outcome.as_str()));
        changed.map(|node| node.node.as_str()).collect()
    }

    /// Whether something was changed or went wrong. Such a record must survive even a crash of the
    /// machine.
    pub fn matters(&self) -> bool {
        let quiet = |node: &NodeRecord| {
            Outcome::parse(&node.outcome).is_some_and(|outcome| outcome.is_quiet())
        };
        self.status != 0 || !self.undone.is_empty() || !self.nodes.iter().all(quiet)
    }

    /// The longest time for which processes were suspended on any node.
    pub fn pause(&self) -> Option<u64> {
        self.nodes
            .iter()
            .filter_map(|node| Some(node.report.as_ref()?.pause))
            .max()
    }
}

/// Appends `record` to the history in the directory `state`. It waits for the disk only if the
/// record matters: a hook that found nothing to do must stay cheap.
pub fn record(state: &Path, record: &Record) -> Result<(), RecordError> {
    let log = log(state);
    if record.matters() {
        log.append(record)
    } else {
        log.append_lazily(record)
    }
}

/// Reads the history in the directory `state`: the records, the oldest first, and the lines that
/// are not records.
pub fn read(state: &Path) -> Result<(Vec<Record>, Tail), RecordError> {
    log(state).read()
}

fn log(state: &Path) -> RecordLog {
    RecordLog::open(places::State(state).history())
}
