//! From facts to a report.

use super::{
    ApplicationStatus, Facts, Finding, Last, Loaded, Node, NodeStatus, Report, State, VERSION,
};
use crate::outcome::Outcome;
use std::collections::{BTreeMap, BTreeSet};

/// What `facts` come to.
pub fn report(facts: Facts) -> Report {
    let last = last_operations(&facts);
    let nodes = facts
        .nodes
        .iter()
        .map(|node| of_node(node, &facts, &last))
        .collect();
    Report {
        version: VERSION,
        time: facts.time,
        nodes,
        pending: facts.pending,
        warnings: facts.inventory.warnings,
    }
}

/// Node and application.
type Place<'a> = (&'a str, &'a str);

/// Of each application on each node what was done last.
fn last_operations(facts: &Facts) -> BTreeMap<Place<'_>, Last> {
    let mut last = BTreeMap::new();
    for record in &facts.history {
        let done = record
            .nodes
            .iter()
            .map(|node| (node, node.outcome.as_str(), node.status));
        // What was undone has failed, if elsewhere.
        let undone = record
            .undone
            .iter()
            .map(|node| (node, node.taking_back(), record.status));
        for (node, outcome, status) in done
            .chain(undone)
            .filter(|(_, outcome, _)| !Outcome::parse(outcome).is_some_and(|word| word.is_absent()))
        {
            let operation = Last {
                time: record.time,
                operation: record.operation.clone(),
                outcome: outcome.to_owned(),
                status,
                pause: node.report.as_ref().map(|report| report.pause),
            };
            last.insert((node.node.as_str(), record.application.as_str()), operation);
        }
    }
    last
}

fn of_node(node: &Node, facts: &Facts, last: &BTreeMap<Place<'_>, Last>) -> NodeStatus {
    let said = node
        .facts
        .as_ref()
        .map(|facts| facts.applications.as_slice());
    let loaded: BTreeMap<&str, &Loaded> = said
        .unwrap_or_default()
        .iter()
        .map(|app| (app.name.as_str(), app))
        .collect();
    let done = last
        .keys()
        .filter(|(on, _)| *on == node.name)
        .map(|(_, name)| *name);
    let inventory = &facts.inventory;
    let host = inventory
        .registered
        .keys()
        .chain(inventory.installed.keys())
        .map(String::as_str);
    let names: BTreeSet<&str> = loaded.keys().copied().chain(host).chain(done).collect();
    let application = |name: &str| {
        let last = last.get(&(node.name.as_str(), name)).cloned();
        let mut status = of_application(name, loaded.get(name).copied(), facts, last);
        let stopped = node.facts.as_ref().map(|facts| facts.stopped.as_slice());
        status.stopped = stopped
            .unwrap_or_default()
            .iter()
            .any(|stopped| stopped == name);
        judged(status, node, facts)
    };
    NodeStatus {
        node: node.name.clone(),
        state: node.state.clone(),
        reason: node.reason.clone(),
        facts: node.facts.clone(),
        applications: names.into_iter().map(application).collect(),
        restart_needed: node.restart.clone(),
    }
}

fn of_application(
    name: &str,
    loaded: Option<&Loaded>,
    facts: &Facts,
    last: Option<Last>,
) -> ApplicationStatus {
    let registration = facts.inventory.registered.get(name);
    let installed = facts.inventory.installed.get(name);
    ApplicationStatus {
        application: name.to_owned(),
        state: loaded.map_or(State::Absent, |app| app.state),
        running: loaded.map(|app| app.vsn.clone()),
        includer: loaded.and_then(|app| app.includer.clone()),
        installed: installed.map(|metadata| metadata.vsn.clone()),
        registered: registration.is_some(),
        enabled: registration.is_some_and(|registration| registration.enabled),
        stopped: false,
        last,
        findings: Vec::new(),
    }
}

/// Of a node that does not answer nothing is known but what was done.
fn judged(status: ApplicationStatus, node: &Node, facts: &Facts) -> ApplicationStatus {
    let known = node.facts.is_some();
    let runs = matches!(status.state, State::Running | State::Included);
    let other = status.installed.is_some() && runs && status.installed != status.running;
    // Registered and not installed is what a removed package leaves behind.
    let wanted = status.enabled && status.installed.is_some() && !status.stopped;
    let pending = facts.pending.iter().any(|pending| {
        pending.application == status.application
            && pending.node.as_ref().is_none_or(|name| *name == node.name)
    });
    // What neither node nor host knows was mistyped, or is gone: nobody can mend what was refused then.
    let nobody_knows =
        known && status.running.is_none() && status.installed.is_none() && !status.registered;
    let failed = status.last.as_ref().is_some_and(|last| last.status != 0) && !nobody_knows;
    let findings = [
        (other, Finding::OtherVersion),
        (known && wanted && !runs, Finding::NotRunning),
        (failed, Finding::Failed),
        (pending, Finding::Pending),
    ];
    ApplicationStatus {
        findings: findings
            .into_iter()
            .filter(|(found, _)| *found)
            .map(|(_, finding)| finding)
            .collect(),
        state: if known { status.state } else { State::Unknown },
        ..status
    }
}
