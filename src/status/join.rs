//! From facts to a report.

use super::{
    ApplicationStatus, Facts, Finding, Last, Loaded, Node, NodeStatus, OnHost, Pending, Report,
    State, VERSION,
};
use crate::installed::Inventory;
use crate::outcome::Outcome;
use crate::record::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What `facts` come to.
pub fn report(facts: Facts) -> Report {
    let last = last_operations(&facts);
    let nodes: Vec<NodeStatus> = facts
        .nodes
        .iter()
        .map(|node| of_node(node, &facts, &last))
        .collect();
    let inventory = &facts.inventory;
    let names = inventory
        .registered
        .keys()
        .chain(inventory.installed.keys());
    let host = names
        .map(|name| (name.clone(), on_host(name, inventory)))
        .collect();
    let open = |pending: &Pending| !has_come(pending, &facts);
    Report {
        version: VERSION,
        time: facts.time,
        nodes,
        pending: facts
            .pending
            .iter()
            .filter(|one| open(one))
            .cloned()
            .collect(),
        host,
        warnings: facts.inventory.warnings,
    }
}

fn on_host(name: &str, inventory: &Inventory) -> OnHost {
    let registration = inventory.registered.get(name);
    let installed = inventory.installed.get(name);
    OnHost {
        installed: installed.map(|metadata| metadata.vsn.clone()),
        registered: registration.is_some(),
        enabled: registration.is_some_and(|registration| registration.enabled),
    }
}

/// When a node began, if it says so.
fn began(node: &Node, facts: &Facts) -> Option<Time> {
    let up = Duration::from_millis(node.facts.as_ref()?.uptime);
    Some(facts.time.minus(up))
}

/// Whether the restart that something waits for has happened: the node began later, or runs what it was to run.
fn has_come(pending: &Pending, facts: &Facts) -> bool {
    let node = |node: &&Node| pending.node.as_ref() == Some(&node.name);
    let Some(node) = facts.nodes.iter().find(node) else {
        return false;
    };
    let later = began(node, facts).zip(Time::parse(&pending.time));
    let runs = node.facts.iter().flat_map(|facts| &facts.applications);
    let mut runs = runs.filter(|app| matches!(app.state, State::Running | State::Included));
    later.is_some_and(|(began, since)| pending.state == "pending" && began > since)
        || runs.any(|app| app.name == pending.application && Some(&app.vsn) == pending.to.as_ref())
}

/// Node and application.
type Place<'a> = (&'a str, &'a str);

/// Outcomes of what found nothing to do.
const IDLE: [&str; 3] = ["already_running", "included", "not_running"];

/// Of each application on each node what was changed last, or was to be. What found nothing to do hides none of that.
fn last_operations(facts: &Facts) -> BTreeMap<Place<'_>, Last> {
    let mut last: BTreeMap<Place<'_>, Last> = BTreeMap::new();
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
                reason: node.reason.clone(),
                from: record.from.clone(),
                to: record.to.clone(),
                status,
                pause: node.report.as_ref().map(|report| report.pause),
            };
            let place = (node.node.as_str(), record.application.as_str());
            match status == 0 && IDLE.contains(&outcome) {
                true => drop(last.entry(place).or_insert(operation)),
                false => drop(last.insert(place, operation)),
            }
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
        status.refused_modules = node.refused.get(name).cloned();
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
    let host = on_host(name, &facts.inventory);
    let state = loaded.map_or(State::Absent, |app| app.state);
    let runs = matches!(state, State::Running | State::Included);
    let vsn = loaded.map(|app| app.vsn.clone());
    ApplicationStatus {
        application: name.to_owned(),
        state,
        running: vsn.clone().filter(|_| runs),
        loaded: vsn.filter(|_| !runs),
        includer: loaded.and_then(|app| app.includer.clone()),
        installed: host.installed,
        registered: host.registered,
        enabled: host.enabled,
        stopped: false,
        last,
        refused_modules: None,
        after_restart: loaded.and_then(|app| app.after_restart.clone()),
        old_libraries: loaded.map_or_else(Vec::new, |app| app.old_libraries.clone()),
        findings: Vec::new(),
    }
}

/// Of a node that does not answer nothing is known but what was done.
fn judged(status: ApplicationStatus, node: &Node, facts: &Facts) -> ApplicationStatus {
    let known = node.facts.is_some();
    let runs = status.runs();
    let other = status.installed.is_some() && runs && status.installed != status.running;
    // What was done before the node began says nothing of how it stands.
    let began = began(node, facts);
    let last = status.last.as_ref();
    let last = last.filter(|last| began.is_none_or(|began| last.time >= began));
    // Registered, not installed and not loaded is what a removed package leaves behind.
    let there = status.installed.is_some() || status.state == State::Loaded;
    let was_left_running = last.is_some_and(|last| last.status == 0 && last.to.is_some());
    let wanted = (status.enabled && there) || (was_left_running && status.state == State::Loaded);
    let pending = facts.pending.iter().any(|pending| {
        pending.application == status.application
            && pending.node.as_ref().is_none_or(|name| *name == node.name)
            && !has_come(pending, facts)
    });
    let failed = last.is_some_and(|last| last.status != 0 && !made_up_for(last, &status, known));
    // What neither node nor host knows was mistyped, or is gone: nobody can mend what was refused then.
    let nobody_knows =
        known && status.state == State::Absent && status.installed.is_none() && !status.registered;
    let failed = failed && !nobody_knows;
    let not_running = known && wanted && !status.stopped && !runs;
    let findings = [
        (other, Finding::OtherVersion),
        (not_running, Finding::NotRunning),
        (failed, Finding::Failed),
        (pending, Finding::Pending),
        (status.refused_modules.is_some(), Finding::RefusedModules),
        (!status.old_libraries.is_empty(), Finding::OldLibrary),
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

/// Whether what was to be has come about by other means.
fn made_up_for(last: &Last, status: &ApplicationStatus, known: bool) -> bool {
    known && last.to.is_some() && status.running == last.to
}
