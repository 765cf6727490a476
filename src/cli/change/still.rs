//! Nodes that a command leaves as they are, and why: those that have nothing to do, and those that do not answer.

use crate::cli::hook::{Answer, HookArguments};
use crate::cli::output;
use crate::cli::resolution::Known;
use crate::cli::{Common, Status};
use crate::history::NodeRecord;
use crate::identity::NodeName;
use crate::outcome::Outcome;
use crate::term::Atom;
use serde_json::json;

/// Tells machines of nodes that are not changed, and what that comes to.
pub fn unchanged(
    command: &str,
    name: Option<&Atom>,
    (nodes, status): (&[&NodeRecord], Status),
    hook: &HookArguments,
    common: &Common,
) {
    let report = json!({
        "operation": command, "application": name.map(Atom::as_str), "dry_run": hook.dry_run,
        "nodes": nodes, "undone": [], "status": status.code(),
    });
    common.output().envelope("operation", 1, &report);
}

/// One line in the manner of the hooks about each of them, those that have nothing to do the last; the worst of their
/// statuses. `command` is the operation for machines.
pub fn tell(
    command: &str,
    name: Option<&Atom>,
    still: &[Still],
    hook: &HookArguments,
    common: &Common,
) -> Status {
    let (well, other): (Vec<&Still>, Vec<&Still>) =
        still.iter().partition(|one| one.text.is_some());
    for one in other.into_iter().chain(well) {
        let reason = one.record.reason.as_ref();
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let word = one.text.as_ref().unwrap_or(&one.record.outcome);
        let of = name.map_or_else(String::new, |name| format!("{name} on "));
        let line = output::printable(&format!("{of}{}: {word}{reason}", one.record.node));
        common.output().text(&format!("{line}\n"));
    }
    let statuses = still.iter().map(|one| one.status);
    let status = statuses.fold(Status::Done, Status::worse);
    if !still.is_empty() {
        let records: Vec<&NodeRecord> = still.iter().map(|one| &one.record).collect();
        unchanged(command, name, (&records, status), hook, common);
    }
    status
}

/// A node that is not changed.
pub struct Still {
    /// As the history has it.
    pub record: NodeRecord,
    /// What it means.
    pub status: Status,
    /// What a person is told instead of the outcome.
    pub text: Option<String>,
}

impl Still {
    /// One that does not say what it has.
    pub fn of_answer(node: &NodeName, answer: Answer) -> Self {
        let status = Status::from(answer.class);
        let record = NodeRecord {
            node: node.to_string(),
            outcome: answer.outcome.to_string(),
            status: status.code(),
            reason: answer.reason,
            ..NodeRecord::default()
        };
        Self {
            record,
            status,
            text: None,
        }
    }

    /// One that has nothing to do.
    pub fn of_known(node: &NodeName, known: Known) -> Self {
        let (outcome, text, reason) = match &known.running {
            Some(vsn) => (
                Outcome::AlreadyRunning,
                Some(format!("{vsn} runs, nothing to do")),
                None,
            ),
            None => (
                Outcome::NotRunning,
                None,
                Some("erlrc start starts it".to_owned()),
            ),
        };
        let record = NodeRecord {
            node: node.to_string(),
            outcome: outcome.to_string(),
            running: known.running,
            reason,
            ..NodeRecord::default()
        };
        Self {
            record,
            status: Status::Done,
            text,
        }
    }
}
