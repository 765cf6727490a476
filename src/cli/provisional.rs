//! Upgrades that wait for a person: which nodes keep their way back open, what becomes of it, and what is written down
//! of those that went back by themselves.

use super::hook::operation::{Operation, Settling, Step, Version};
use super::hook::request::question;
use super::hook::{self, Answer, HookArguments, Report};
use super::{Common, Failure, Status};
use crate::history::{NodeRecord, Record, Who};
use crate::identity::NodeName;
use crate::outcome::Outcome;
use crate::record::Time;
use crate::rendezvous::Entries;
use crate::status::{Held, NodeFacts, Replaced, WentBack};
use crate::term::Atom;
use std::path::Path;
use std::time::{Duration, Instant};

/// A provisional upgrade, and the nodes that have it with the number that each gave it.
#[derive(Debug)]
pub struct Waiting {
    /// What it has replaced.
    pub changes: Vec<Replaced>,
    /// Service and version of the release that is on trial so.
    release: Option<String>,
    nodes: Vec<(NodeName, Option<String>)>,
}

/// A release that is on trial is confirmed and taken back as a whole.
#[derive(Debug, thiserror::Error)]
#[error("{what} belongs to {release}, which is on trial; nothing was done")]
struct OnTrial {
    what: String,
    release: String,
}

impl Waiting {
    /// What is asked before it is taken back.
    pub fn ways_back(&self) -> String {
        let way =
            |one: &Replaced| format!("{} back from {} to {}", one.application, one.to, one.from);
        self.changes.iter().map(way).collect::<Vec<_>>().join(", ")
    }

    /// Whether it is for this command, which knows nothing of releases, to settle it.
    pub fn check(&self) -> Result<(), Failure> {
        let Some(release) = &self.release else {
            return Ok(());
        };
        let service = release.split(' ').next().unwrap_or(release);
        let hint = format!(
            "erlrc release commit {service} keeps it, erlrc release revert {service} takes it back"
        );
        let names = self.changes.iter().map(|one| one.application.as_str());
        let (what, release) = (names.collect::<Vec<_>>().join(" "), release.clone());
        Err(Failure::new(Status::Failed, OnTrial { what, release }).hint(hint))
    }

    fn operation(&self) -> Option<Operation> {
        let changes: Option<Vec<Operation>> = self.changes.iter().map(upgrade).collect();
        Operation::together(changes?, &hook::Options::default())
    }
}

fn upgrade(one: &Replaced) -> Option<Operation> {
    let version = |vsn: &str| Version {
        vsn: vsn.to_owned(),
        dir: None,
    };
    let (from, to) = (version(&one.from), version(&one.to));
    Some(Operation::new(
        Atom::new(&one.application)?,
        Step::Upgrade { from, to },
    ))
}

/// The provisional upgrades of one of `apps`, or of any application where none is named; and the nodes that do not say.
pub fn waiting(
    entries: &Entries,
    arguments: &HookArguments,
    apps: &[Atom],
) -> (Vec<Waiting>, Vec<NodeName>) {
    let (mut found, mut silent) = (Vec::new(), Vec::new());
    for (node, entry) in entries {
        let Ok(entry) = entry else {
            silent.push(node.clone());
            continue;
        };
        let facts = match hook::query(entry, &arguments.connection, vec![question("status")]) {
            Ok(answers) => answers.into_iter().next().flatten(),
            Err(answer) if answer.outcome.is_absent() => continue,
            Err(_) => {
                silent.push(node.clone());
                continue;
            }
        };
        let held = facts.and_then(|term| NodeFacts::parse(&term)?.held);
        let named = |one: &Replaced| apps.iter().any(|app| app.as_str() == one.application);
        let Some(held) = held.filter(|held| {
            held.is_provisional() && (apps.is_empty() || held.changes.iter().any(named))
        }) else {
            continue;
        };
        found.push((node.clone(), held));
    }
    (gathered(found), silent)
}

/// What these nodes keep open: those with the same changes together.
pub fn gathered(nodes: Vec<(NodeName, Held)>) -> Vec<Waiting> {
    let mut found = Vec::<Waiting>::new();
    for (node, held) in nodes {
        let same = |one: &&mut Waiting| one.changes == held.changes && one.release == held.release;
        let node = (node, held.held);
        match found.iter_mut().find(same) {
            Some(one) => one.nodes.push(node),
            None => found.push(Waiting {
                changes: held.changes,
                release: held.release,
                nodes: vec![node],
            }),
        }
    }
    found
}

/// Gives all nodes so much time again; the first that does not take it, with what it answers.
pub fn prolong(
    waiting: &Waiting,
    time: Duration,
    entries: &Entries,
    arguments: &HookArguments,
) -> Option<(NodeName, Answer)> {
    let operation = waiting.operation()?;
    waiting.nodes.iter().find_map(|(node, held)| {
        let how = (Settling::Prolong(time), held.as_deref());
        let answer = hook::settle(entries, arguments, node, &operation, how);
        (answer.outcome != Outcome::Held).then(|| (node.clone(), answer))
    })
}

/// Confirms `waiting` on all its nodes, or takes it back.
pub fn settle(
    waiting: &Waiting,
    how: Settling,
    entries: &Entries,
    arguments: &HookArguments,
    common: &Common,
) -> Status {
    let started = Instant::now();
    let Some(operation) = waiting.operation() else {
        return Status::Bug;
    };
    let mut report = Report::settling(&operation, how, common.output());
    for (node, held) in &waiting.nodes {
        let answer = hook::settle(entries, arguments, node, &operation, (how, held.as_deref()));
        report.settled(node, answer);
    }
    report.end_line();
    let status = report.status();
    hook::write_settled(
        &operation,
        how,
        started,
        (&report, &common.state),
        common.output(),
    );
    report.finish();
    status
}

/// Says what would become of `waiting`.
pub fn would(what: &str, waiting: &Waiting, common: &Common) -> Status {
    let name = |one: &Replaced| format!("{} {} -> {}", one.application, one.from, one.to);
    let names: Vec<String> = waiting.changes.iter().map(name).collect();
    let nodes: Vec<String> = waiting
        .nodes
        .iter()
        .map(|(node, _)| node.to_string())
        .collect();
    let (names, nodes) = (names.join(", "), nodes.join(", "));
    let text = format!("would {what} the provisional upgrade {names} on {nodes}\n");
    common.output().text(&text);
    Status::Done
}

/// Writes down what went back on a node without a command that could have done so; what `records` did not know of it.
pub fn write_down(
    node: &str,
    went_back: &WentBack,
    records: &[Record],
    state: &Path,
) -> Vec<Record> {
    let time = Time::from_millis(went_back.since);
    let known = |record: &&Record| {
        record.operation == "revert"
            && record.time == time
            && record.nodes.iter().any(|of| of.node == node)
    };
    if records.iter().any(|record| known(&record)) {
        return Vec::new();
    }
    let changes = went_back.changes.iter();
    let new: Vec<Record> = changes.map(|one| record(node, one, went_back)).collect();
    for record in &new {
        // A command that may not write it leaves that to one that may.
        let _ = crate::history::record(state, record);
    }
    new
}

fn record(node: &str, one: &Replaced, went_back: &WentBack) -> Record {
    let reverted = went_back.outcome == Outcome::Reverted.as_str();
    let why = reason(went_back);
    let together: Vec<String> = match went_back.changes.as_slice() {
        [_] => Vec::new(),
        several => several.iter().map(|one| one.application.clone()).collect(),
    };
    let status = match (reverted, went_back.outcome.as_str()) {
        (true, _) => Status::Done,
        (false, "not_reverted") => Status::Failed,
        _ => Status::NotRolledBack,
    };
    Record {
        version: crate::history::VERSION,
        time: Time::from_millis(went_back.since),
        who: Who::calling(),
        operation: "revert".to_owned(),
        application: one.application.clone(),
        from: Some(one.to.clone()),
        from_dir: None,
        to: Some(one.from.clone()),
        to_dir: None,
        nodes: vec![NodeRecord {
            node: node.to_owned(),
            outcome: went_back.outcome.clone(),
            status: status.code(),
            reason: Some(why),
            running: match went_back.outcome.as_str() {
                "reverted" => Some(one.from.clone()),
                "not_reverted" => Some(one.to.clone()),
                _ => None,
            },
            ..NodeRecord::default()
        }],
        undone: Vec::new(),
        together,
        status: status.code(),
        duration: 0,
    }
}

/// Why a provisional upgrade went back, and what hindered it.
pub fn reason(went_back: &WentBack) -> String {
    let why = match went_back.why.as_str() {
        "time_is_over" => "nobody confirmed it in time",
        "guardian_killed" => "the process that kept the way back open was killed",
        other => other,
    };
    match &went_back.reason {
        Some(reason) => format!("{why}; {reason}"),
        None => why.to_owned(),
    }
}
