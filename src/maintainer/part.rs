//! What waits for the end of a run in batch mode: for each application what each node goes through, and what the
//! node is asked for.

use super::carry::{Carrier, known, step};
use super::swap::reversed;
use crate::cluster::Options;
use crate::cluster::operation::{self, Operation, Step};
use crate::identity::NodeName;
use crate::maint::{Action, Change, NodeState, Version};
use std::path::PathBuf;

/// An application on its way.
pub(super) struct Waiting<'a> {
    pub(super) carrier: Carrier<'a>,
    /// What each node is to go through.
    pub(super) changes: Vec<(NodeName, Change)>,
    /// What remains to be done.
    pub(super) rest: Vec<Action>,
}

/// What an application does on the node.
pub(super) struct Part {
    /// Its place among those that wait.
    pub(super) place: usize,
    pub(super) way: Way,
}

/// How it does it.
#[derive(Clone)]
pub(super) enum Way {
    /// It changes what runs.
    Change(Change),
    /// It is started.
    Start(Version),
    /// It is stopped, and taken out of memory and code path.
    Stop {
        /// What runs, where it can be started from again.
        version: Version,
        /// The directory that the node has it from.
        from: Option<PathBuf>,
    },
}

/// The nodes on which something of the run changes, starts or stops.
pub(super) fn nodes(waiting: &[Waiting<'_>]) -> Vec<NodeName> {
    let changed = waiting.iter().flat_map(|one| &one.changes);
    let started = waiting.iter().flat_map(Waiting::starts);
    let stopped = waiting.iter().flat_map(Waiting::stops);
    let mut nodes: Vec<NodeName> = changed
        .map(|(node, _)| node)
        .chain(started.map(|(node, _)| node))
        .chain(stopped.map(|(node, _)| node))
        .cloned()
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

/// The carrier that speaks for all of them.
pub(super) fn of<'w, 'a>(parts: &[Part], waiting: &'w [Waiting<'a>]) -> Option<&'w Carrier<'a>> {
    let one = waiting.get(parts.first()?.place)?;
    Some(&one.carrier)
}

/// What the node is asked for, all of it as one.
pub(super) fn set(
    parts: &[Part],
    waiting: &[Waiting<'_>],
    step: fn(&Way) -> Step,
) -> Option<Operation> {
    let operation = |part: &Part| {
        let one = waiting.get(part.place)?;
        let application = one.carrier.application.clone();
        Some(Operation::new(application, step(&part.way)))
    };
    let operations = parts.iter().filter_map(operation);
    Operation::together(operations.collect(), &Options::default())
}

/// What follows when the node has gone through it: what was stopped leaves its memory and its code path.
pub(super) fn unloads(parts: &[Part], waiting: &[Waiting<'_>]) -> Vec<Operation> {
    let unload = |part: &Part| {
        let Way::Stop { version, from } = &part.way else {
            return None;
        };
        let version = operation::Version {
            vsn: version.vsn.clone(),
            dir: from.clone(),
        };
        let one = waiting.get(part.place)?;
        let application = one.carrier.application.clone();
        Some(Operation::new(application, Step::Unload(version)))
    };
    parts.iter().filter_map(unload).collect()
}

/// Those that change, and how.
pub(super) fn changes<'w, 'a>(
    parts: &'w [Part],
    waiting: &'w mut [Waiting<'a>],
) -> impl Iterator<Item = (&'w mut Waiting<'a>, &'w Change)> {
    let of = |place: usize| parts.iter().find(|part| part.place == place);
    let all = waiting.iter_mut().enumerate();
    all.filter_map(move |(place, one)| Some((one, of(place)?.change()?)))
}

impl Waiting<'_> {
    /// What is to be started, and on which nodes it does not run.
    fn starts(&self) -> impl Iterator<Item = (&NodeName, &Version)> {
        let each = self.rest.iter().flat_map(|action| match action {
            Action::Start { nodes, version } => nodes.iter().map(|node| (node, version)).collect(),
            _ => Vec::new(),
        });
        each.filter(|(node, _)| self.is_idle(node))
    }

    fn is_idle(&self, node: &NodeName) -> bool {
        self.carrier.runs.get(node) == Some(&NodeState::Idle)
    }

    /// The nodes on which it is to be stopped, and how.
    fn stops(&self) -> impl Iterator<Item = (&NodeName, Way)> {
        let each = self.rest.iter().flat_map(|action| match action {
            Action::Stop { nodes, vsn, dir } => {
                nodes.iter().map(|node| (node, (vsn, dir))).collect()
            }
            _ => Vec::new(),
        });
        let running = each.filter(|(node, (vsn, _))| self.carrier.runs(node, vsn));
        running.map(|(node, (vsn, from))| {
            let facts = &self.carrier.facts;
            let version = Version {
                vsn: vsn.clone(),
                dir: facts.place(vsn).unwrap_or_else(|| facts.own.dir.clone()),
            };
            let from = from.clone();
            (node, Way::Stop { version, from })
        })
    }

    /// It does not run on the node any more.
    pub(super) fn stops_no_more(&mut self, node: &NodeName) {
        for action in &mut self.rest {
            if let Action::Stop { nodes, .. } = action {
                nodes.retain(|known| known != node);
            }
        }
    }

    /// It runs on, on this node: what is kept and noted of it stays.
    pub(super) fn runs_on(&mut self, node: &NodeName) {
        self.stops_no_more(node);
        self.rest.retain(|action| *action != Action::Forget);
    }

    /// It is started on the node already, or not at all.
    pub(super) fn starts_no_more(&mut self, node: &NodeName) {
        for action in &mut self.rest {
            if let Action::Start { nodes, .. } = action {
                nodes.retain(|known| known != node);
            }
        }
    }

    /// What it does on the node.
    pub(super) fn way(&self, node: &NodeName) -> Option<Way> {
        let change = self.changes.iter().find(|(name, _)| name == node);
        let change = change.map(|(_, change)| Way::Change(change.clone()));
        let start = || self.starts().find(|(name, _)| *name == node);
        let start = || start().map(|(_, version)| Way::Start(version.clone()));
        let stop = || self.stops().find(|(name, _)| *name == node);
        change.or_else(start).or_else(|| Some(stop()?.1))
    }
}

impl Part {
    /// The change, where it is one.
    pub(super) fn change(&self) -> Option<&Change> {
        match &self.way {
            Way::Change(change) => Some(change),
            Way::Start(_) | Way::Stop { .. } => None,
        }
    }

    /// The version that is to run, or to stop.
    pub(super) fn to(&self) -> &Version {
        self.way.to()
    }

    /// What the node is asked for.
    pub(super) fn step(&self) -> Step {
        self.way.step()
    }
}

impl Way {
    fn to(&self) -> &Version {
        match self {
            Self::Change(change) => &change.to,
            Self::Start(version) | Self::Stop { version, .. } => version,
        }
    }

    /// What the node is asked for.
    pub(super) fn step(&self) -> Step {
        match self {
            Self::Change(change) => step(change),
            Self::Start(version) => Step::Start(known(version)),
            Self::Stop { version, .. } => Step::Stop(known(version)),
        }
    }

    /// The same; what is loaded in another version and does not run is started by an upgrade.
    pub(super) fn upgrade(&self) -> Step {
        match self {
            Self::Start(version) => Step::Upgrade {
                from: known(version),
                to: known(version),
            },
            other => other.step(),
        }
    }

    /// What takes it back.
    pub(super) fn reverse(&self) -> Step {
        match self {
            Self::Change(change) => reversed(change),
            Self::Start(version) => Step::Stop(known(version)),
            Self::Stop { version, .. } => Step::Start(known(version)),
        }
    }
}
