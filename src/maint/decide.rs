//! Decides what to do at each moment in the life of a package: facts -> actions.

use super::action::{Action, Change};
use super::call::{Call, Format, Moment};
use super::facts::{Facts, NodeFacts, NodeState, Version};
use super::gate::unmet;
use crate::application::vsn;
use crate::appup::Direction;
use crate::identity::NodeName;
use std::cmp::Ordering;

/// Decides what `call` has to do, given these `facts`.
pub fn decide(call: Call, facts: &Facts) -> Vec<Action> {
    match call.moment {
        Moment::Nothing => Vec::new(),
        Moment::Prepare => prepare(facts),
        Moment::Swap if facts.batch => queue(facts),
        Moment::Configure if facts.batch => configure_in_batch(facts),
        Moment::Swap => swap(facts),
        Moment::Unswap => unswap(facts),
        Moment::Configure => configure(facts),
        Moment::Restore => restore(facts),
        Moment::Resume if stops_wait(call, facts) => configure_in_batch(facts),
        Moment::Resume => start(facts, facts.nodes.iter().collect()),
        Moment::Stop if stops_wait(call, facts) => stop_in_batch(facts),
        Moment::Stop => stop(facts),
        Moment::Gone | Moment::Disappeared | Moment::Purged => gone(facts, stops_wait(call, facts)),
    }
}

/// Whether what is removed runs until the end of the package manager's run, to be stopped with what else changes then.
/// rpm calls nobody at the end of a transaction that only removes.
fn stops_wait(call: Call, facts: &Facts) -> bool {
    call.format == Format::Deb && !facts.stays && (facts.batch || facts.others_wait)
}

/// Keeps what nodes may still need after it is removed from the disk.
fn prepare(facts: &Facts) -> Vec<Action> {
    let Some(old) = &facts.metadata else {
        return Vec::new();
    };
    let needed = facts.nodes.iter().any(|node| match &node.state {
        NodeState::Running(vsn) => *vsn == old.vsn,
        NodeState::Unknown => true,
        NodeState::Idle => false,
    });
    match needed && facts.is_present(&old.dir) {
        true => vec![Action::Stash(old.clone())],
        false => Vec::new(),
    }
}

fn queue(facts: &Facts) -> Vec<Action> {
    let to = facts.installed_version();
    match facts.is_present(&to.dir) && facts.nodes.iter().any(runs) {
        true => vec![Action::Queue(to.clone())],
        false => Vec::new(),
    }
}

/// Only running applications are upgraded here; others are started, or not, when the package is
/// configured.
fn swap(facts: &Facts) -> Vec<Action> {
    let to = facts.installed_version();
    if !facts.is_present(&to.dir) {
        return Vec::new();
    }
    let mut plan = Plan::new(facts, to);
    for node in &facts.nodes {
        match &node.state {
            NodeState::Running(vsn) => plan.gated(node, vsn),
            NodeState::Unknown => plan.unknown.push(node.name.clone()),
            NodeState::Idle => {}
        }
    }
    plan.actions()
}

/// If a version was replaced by the same version with other files, the nodes are restored when the
/// old files are back.
fn unswap(facts: &Facts) -> Vec<Action> {
    let back = &facts.own;
    let mut plan = Plan::new(facts, back);
    for node in &facts.nodes {
        if let NodeState::Running(vsn) = &node.state
            && *vsn != back.vsn
        {
            plan.swap(node, vsn);
        }
    }
    plan.actions()
}

fn configure(facts: &Facts) -> Vec<Action> {
    let to = facts.installed_version();
    let mut plan = Plan::new(facts, to);
    for node in &facts.nodes {
        match &node.state {
            NodeState::Running(vsn) if *vsn == to.vsn && facts.stashed(vsn).is_none() => {
                plan.start.push(node.name.clone());
            }
            NodeState::Running(vsn) if *vsn != to.vsn && waits(facts, node, to) => {
                plan.remind.push(node.name.clone());
            }
            NodeState::Running(vsn) => plan.gated(node, vsn),
            NodeState::Idle => plan.start.push(node.name.clone()),
            NodeState::Unknown => plan.unknown.push(node.name.clone()),
        }
    }
    let mut actions = plan.actions();
    actions.push(Action::Settle);
    actions
}

/// If nodes could not be downgraded while both versions were on the disk, they are now, from the
/// code that they have loaded. Files may differ under the same version, so those are compared.
fn restore(facts: &Facts) -> Vec<Action> {
    let back = &facts.own;
    let mut plan = Plan::new(facts, back);
    for node in &facts.nodes {
        match &node.state {
            NodeState::Running(vsn) if *vsn != back.vsn && waits(facts, node, back) => {
                plan.remind.push(node.name.clone());
            }
            NodeState::Running(vsn) => plan.swap(node, vsn),
            NodeState::Idle => plan.start.push(node.name.clone()),
            NodeState::Unknown => {}
        }
    }
    let mut actions = plan.actions();
    actions.push(Action::Settle);
    actions
}

/// Whether it is known that the node needs a restart to run this version.
fn waits(facts: &Facts, node: &NodeFacts, to: &Version) -> bool {
    facts.pending.get(&node.name) == Some(&to.vsn)
}

/// What is registered and does not run is started at the end of the run, together with what changes.
fn configure_in_batch(facts: &Facts) -> Vec<Action> {
    let to = facts.installed_version();
    let starts = facts.registered && facts.may_start;
    let concerned = |node: &NodeFacts| match &node.state {
        NodeState::Running(_) => true,
        NodeState::Idle => starts,
        NodeState::Unknown => false,
    };
    match facts.is_present(&to.dir) && facts.nodes.iter().any(concerned) {
        true => vec![Action::Queue(to.clone())],
        false => Vec::new(),
    }
}

fn start(facts: &Facts, nodes: Vec<&NodeFacts>) -> Vec<Action> {
    let version = facts.installed_version();
    let mut plan = Plan::new(facts, version);
    let nodes = nodes.iter().filter(|node| node.state != NodeState::Unknown);
    plan.start = nodes.map(|node| node.name.clone()).collect();
    plan.actions()
}

/// Stops whatever version runs, even if it is not the version of the package: the node may have
/// been waiting for a restart.
fn stop(facts: &Facts) -> Vec<Action> {
    let mut groups: Vec<(String, Vec<NodeName>)> = Vec::new();
    let mut unknown = Vec::new();
    for node in &facts.nodes {
        let vsn = match &node.state {
            NodeState::Running(vsn) => vsn,
            NodeState::Idle => &facts.own.vsn,
            NodeState::Unknown => {
                unknown.push(node.name.clone());
                continue;
            }
        };
        join(&mut groups, vsn, node.name.clone());
    }
    let mut actions: Vec<Action> = groups
        .into_iter()
        .map(|(vsn, nodes)| Action::Stop {
            nodes,
            dir: facts.place(&vsn),
            vsn,
        })
        .collect();
    if !unknown.is_empty() {
        actions.push(Action::Unreachable {
            nodes: unknown,
            to: facts.own.clone(),
        });
    }
    actions
}

/// The files are removed before the end of the run: they are kept for the nodes that run it until then.
fn stop_in_batch(facts: &Facts) -> Vec<Action> {
    if !facts.nodes.iter().any(runs) {
        return stop(facts);
    }
    let silent = |action: &Action| matches!(action, Action::Unreachable { .. });
    let mut actions = stop(facts);
    actions.retain(silent);
    actions.extend(prepare(facts));
    actions.push(Action::QueueStop(facts.own.clone()));
    actions
}

/// What the removal of a package comes to at the end of the run. A node knows the application by the directory that the
/// package had, even if that is gone.
pub fn stop_at_the_end(facts: &Facts) -> Vec<Action> {
    let mut actions = stop(facts);
    for action in &mut actions {
        if let Action::Stop { vsn, dir, .. } = action {
            let kept = || Some(&facts.stashed(vsn)?.version);
            let own = Some(&facts.own).filter(|own| own.vsn == *vsn);
            let known = own.or_else(kept).map(|version| version.dir.clone());
            *dir = known.or(dir.take());
        }
    }
    actions.push(Action::Forget);
    actions
}

fn runs(node: &NodeFacts) -> bool {
    matches!(node.state, NodeState::Running(_))
}

/// Another package may own the application by now; then it must not be stopped.
fn gone(facts: &Facts, waits: bool) -> Vec<Action> {
    if facts.metadata.is_some() {
        return Vec::new();
    }
    if waits && facts.nodes.iter().any(runs) {
        return vec![Action::QueueStop(facts.own.clone())];
    }
    let running = |node: &&NodeFacts| runs(node);
    let left = Facts {
        nodes: facts.nodes.iter().filter(running).cloned().collect(),
        ..facts.clone()
    };
    let mut actions = stop(&left);
    actions.push(Action::Forget);
    actions
}

/// The decisions for each node, from which the actions are made.
struct Plan<'a> {
    facts: &'a Facts,
    to: &'a Version,
    swaps: Vec<(String, Vec<NodeName>)>,
    waits: Vec<Action>,
    remind: Vec<NodeName>,
    start: Vec<NodeName>,
    unknown: Vec<NodeName>,
}

impl<'a> Plan<'a> {
    fn new(facts: &'a Facts, to: &'a Version) -> Self {
        Self {
            facts,
            to,
            swaps: Vec::new(),
            waits: Vec::new(),
            remind: Vec::new(),
            start: Vec::new(),
            unknown: Vec::new(),
        }
    }

    fn gated(&mut self, node: &NodeFacts, runs: &str) {
        match unmet(self.facts, node) {
            Some(unmet) if runs != self.to.vsn => self.waits.push(Action::Wait {
                node: node.name.clone(),
                to: self.to.clone(),
                unmet,
            }),
            _ => self.swap(node, runs),
        }
    }

    fn swap(&mut self, node: &NodeFacts, runs: &str) {
        join(&mut self.swaps, runs, node.name.clone());
    }

    fn actions(self) -> Vec<Action> {
        let Self { facts, to, .. } = self;
        let swap = |(from, nodes): (String, Vec<NodeName>)| Action::Swap {
            nodes,
            change: change(facts, from, to),
        };
        let mut actions: Vec<Action> = self.swaps.into_iter().map(swap).collect();
        actions.extend(self.waits);
        let to = || to.clone();
        if !self.remind.is_empty() {
            actions.push(Action::Remind {
                nodes: self.remind,
                to: to(),
            });
        }
        if !self.unknown.is_empty() {
            actions.push(Action::Unreachable {
                nodes: self.unknown,
                to: to(),
            });
        }
        if facts.registered && facts.may_start && !self.start.is_empty() {
            actions.push(Action::Start {
                nodes: self.start,
                version: to(),
            });
        }
        actions
    }
}

fn join(groups: &mut Vec<(String, Vec<NodeName>)>, vsn: &str, node: NodeName) {
    match groups.iter_mut().find(|(known, _)| known == vsn) {
        Some((_, nodes)) => nodes.push(node),
        None => groups.push((vsn.to_owned(), vec![node])),
    }
}

/// The direction: the appup that covers the pair determines it; without one, the order of the
/// versions.
fn change(facts: &Facts, from: String, to: &Version) -> Change {
    let shipped = facts.appups.iter().find(|(known, _)| *known == from);
    let direction = match shipped {
        Some((_, direction)) if *to == *facts.installed_version() => *direction,
        _ if vsn::compare(&to.vsn, &from) == Ordering::Less => Direction::Down,
        _ => Direction::Up,
    };
    Change {
        direction,
        from_dir: facts.place(&from),
        from,
        to: to.clone(),
    }
}
