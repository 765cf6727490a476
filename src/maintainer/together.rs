//! Batch mode on one node: what the applications of a run do there is one set, all of it or nothing.
//!
//! A node whose erlrc knows no sets changes one application after the other, and so does one where an upgrade policy
//! restarts an application. erlrc itself does not change in a set: a later version before all others, an earlier
//! one after them.

use super::blame::{Blame, blame};
use super::carry::ITSELF;
use super::part::{Part, Waiting, Way, changes, of, set, unloads};
use crate::application::Strategy;
use crate::appup::Direction;
use crate::cluster::operation::Step;
use crate::cluster::{Answer, Mode};
use crate::identity::NodeName;
use crate::maint::{NodeState, State, Verdict};
use crate::outcome::{Class, Outcome};
use std::cell::OnceCell;
use std::time::Duration;

/// What became of a part or of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The node has gone through it.
    Through,
    /// It is for each application alone to do.
    Apart,
    /// The node goes on with what it runs, and what belongs to it does the same.
    Waits,
    /// It is noted what there is to note; nothing more is done on the node.
    Left(Class),
}

/// How long a node may take to say whether it knows sets.
const PATIENCE: Duration = Duration::from_secs(60);
const WAITS: &str = "another application waits for a restart";

/// Everything on one node, or nothing of it.
pub(super) fn whole(node: &NodeName, waiting: &mut [Waiting<'_>]) -> Class {
    let mut done: Vec<Vec<Part>> = Vec::new();
    // The next one is the last.
    let mut sets = sets(node, waiting);
    sets.reverse();
    while let Some(set) = sets.pop() {
        let end = match set.as_slice() {
            [one] => alone(node, one, waiting),
            several => together(node, several, waiting),
        };
        match end {
            End::Through => done.push(set),
            End::Apart => {
                // Starts and stops come at the end of all of it.
                let changes = set.into_iter().filter(|part| part.change().is_some());
                sets.extend(changes.rev().map(|part| vec![part]));
            }
            End::Waits | End::Left(_) => return end.class().worse(back(node, done, end, waiting)),
        }
    }
    Class::Done
}

/// What is done as one, in order. Nothing but one start or stop is left for the end.
fn sets(node: &NodeName, waiting: &[Waiting<'_>]) -> Vec<Vec<Part>> {
    let (mut first, mut last, mut set) = (Vec::new(), Vec::new(), Vec::new());
    for (place, one) in waiting.iter().enumerate() {
        let Some(way) = one.way(node) else { continue };
        let itself = one.carrier.application.as_str() == ITSELF;
        let part = Part { place, way };
        match part.change().map(|change| change.direction) {
            Some(Direction::Up) if itself => first.push(part),
            Some(Direction::Down) if itself => last.push(part),
            _ => set.push(part),
        }
    }
    let mut sets = vec![first, set, last];
    sets.retain(|set| match set.as_slice() {
        [one] => one.change().is_some(),
        several => !several.is_empty(),
    });
    sets
}

/// A change by itself.
fn alone(node: &NodeName, part: &Part, waiting: &mut [Waiting<'_>]) -> End {
    let (Some(change), Some(one)) = (part.change(), waiting.get_mut(part.place)) else {
        return End::Through;
    };
    match one.carrier.swap(std::slice::from_ref(node), change) {
        Class::Done if one.carrier.runs(node, &change.to.vsn) => End::Through,
        Class::Done => End::Waits,
        class => End::Left(class),
    }
}

/// Several as one.
fn together(node: &NodeName, parts: &[Part], waiting: &mut [Waiting<'_>]) -> End {
    match beforehand(node, parts, waiting) {
        End::Through => {}
        End::Waits => {
            return put_off(
                node,
                parts,
                waiting,
                "its upgrade policy, or that of another, is to defer",
            );
        }
        end => return end,
    }
    for (one, change) in changes(parts, waiting) {
        one.carrier
            .note_node(State::Swapping, node, &change.to, None);
    }
    // What is loaded in another version and does not run is started by an upgrade.
    let answer = match attempt(node, parts, (waiting, Way::step)) {
        Some((answer, _)) if answer.outcome == Outcome::VersionLoadMismatch => {
            attempt(node, parts, (waiting, Way::upgrade))
        }
        answer => answer,
    };
    let Some((answer, blame)) = answer else {
        return End::Left(Class::Done);
    };
    blame.tell(node, &answer, (parts, waiting));
    let why = answer.reason.as_deref().unwrap_or(answer.outcome.as_str());
    match blame.end {
        End::Through => through(node, parts, waiting),
        End::Waits => return put_off(node, parts, waiting, why),
        End::Apart => {}
        End::Left(_) => left(node, parts, waiting, &answer),
    }
    blame.end
}

/// What is known before the node is asked for the set.
fn beforehand(node: &NodeName, parts: &[Part], waiting: &mut [Waiting<'_>]) -> End {
    let first = changes(parts, waiting).map(|(one, _)| one.carrier.host.policy(node).first());
    let first: Vec<Strategy> = first.collect();
    if first.contains(&Strategy::Defer) {
        return End::Waits;
    }
    if first.contains(&Strategy::RestartApplication) {
        return End::Apart;
    }
    let (Some(set), Some(one)) = (set(parts, waiting, Way::step), of(parts, waiting)) else {
        return End::Left(Class::Done);
    };
    let hooks = &one.session.hooks;
    let entry = one.host.entry(node);
    let answers = entry.map(|entry| hooks.query(entry, vec![set.dry_run(PATIENCE)]));
    let Some(Ok(answers)) = answers else {
        return End::Through;
    };
    let answer = answers.first().and_then(Option::as_ref);
    let answer = answer.and_then(Answer::parse);
    match answer.is_some_and(|answer| answer.outcome != Outcome::BadRequest) {
        true => End::Through,
        false => {
            one.warn(&format!(
                "{node} has an older erlrc: the applications are changed one after the other, not as one"
            ));
            End::Apart
        }
    }
}

/// Asks the node for the set; its answer, and what follows from it.
fn attempt(
    node: &NodeName,
    parts: &[Part],
    (waiting, step): (&[Waiting<'_>], fn(&Way) -> Step),
) -> Option<(Answer, Blame)> {
    let mut operations = vec![set(parts, waiting, step)?];
    operations.extend(unloads(parts, waiting));
    let one = of(parts, waiting)?;
    let entries = one.host.entries(std::slice::from_ref(node));
    let found: OnceCell<Blame> = OnceCell::new();
    let find = |answer: &Answer| blame(node, answer, parts, waiting);
    let again = |answer: &Answer| answer.outcome == Outcome::VersionLoadMismatch;
    let tolerates = |_: &NodeName, answer: &Answer| {
        again(answer) || found.get_or_init(|| find(answer)).tolerated
    };
    let outcomes = one.session.hooks.round(&entries, &operations, &tolerates)?;
    let (_, answer) = outcomes.answers.into_iter().next()?;
    let blame = found.into_inner().unwrap_or_else(|| find(&answer));
    Some((answer, blame))
}

fn through(node: &NodeName, parts: &[Part], waiting: &mut [Waiting<'_>]) {
    for part in parts {
        let Some(one) = waiting.get_mut(part.place) else {
            continue;
        };
        let runs = match &part.way {
            Way::Stop { .. } => NodeState::Idle,
            Way::Change(_) | Way::Start(_) => NodeState::Running(part.to().vsn.clone()),
        };
        one.carrier.runs.insert(node.clone(), runs);
        match &part.way {
            Way::Change(change) => one
                .carrier
                .note_node(State::Swapped, node, &change.to, None),
            Way::Start(_) => one.starts_no_more(node),
            Way::Stop { .. } => one.stops_no_more(node),
        }
    }
}

/// Each goes on with what it runs, and what is new is not started: it comes with the restart. So does what is removed.
fn put_off(node: &NodeName, parts: &[Part], waiting: &mut [Waiting<'_>], why: &str) -> End {
    for part in parts {
        let Some(one) = waiting.get_mut(part.place) else {
            continue;
        };
        match &part.way {
            Way::Change(change) => one.carrier.put_off(node, change, why),
            Way::Start(version) => {
                one.starts_no_more(node);
                let nodes = std::slice::from_ref(node);
                let text = "is started when the node is: what it belongs to waits for that";
                one.carrier
                    .say(nodes, version, Outcome::RestartNeeded, text);
            }
            Way::Stop { version, .. } => {
                one.runs_on(node);
                one.carrier.put_off_stop(node, version);
            }
        }
    }
    End::Waits
}

/// Notes what there is to note of a set that was not carried out. Where nobody knows whether it was, nothing of it is
/// started by itself.
fn left(node: &NodeName, parts: &[Part], waiting: &mut [Waiting<'_>], answer: &Answer) {
    let (state, runs) = match Verdict::of(answer.class, &answer.outcome) {
        Verdict::Unreachable => (State::Deferred, Some(NodeState::Unknown)),
        Verdict::Absent => (State::Unswapped, Some(NodeState::Idle)),
        _ => (State::Unswapped, None),
    };
    let unknown = state == State::Deferred;
    for part in parts {
        let Some(one) = waiting.get_mut(part.place) else {
            continue;
        };
        let why = "which does not say how the change ended that it belongs to";
        match &part.way {
            Way::Change(change) => {
                one.carrier
                    .note_node(state, node, &change.to, answer.reason.as_deref())
            }
            Way::Start(_) if unknown => {
                one.starts_no_more(node);
                one.carrier.warn(&format!("not started on {node}, {why}"));
            }
            Way::Stop { .. } if unknown => {
                one.runs_on(node);
                one.carrier.warn(&format!("not stopped on {node}, {why}"));
            }
            Way::Start(_) | Way::Stop { .. } => {}
        }
        if let Some(runs) = &runs {
            one.carrier.runs.insert(node.clone(), runs.clone());
        }
    }
}

/// What the node has gone through goes back; where it waits, so does all of this.
fn back(node: &NodeName, done: Vec<Vec<Part>>, end: End, waiting: &mut [Waiting<'_>]) -> Class {
    let mut worst = Class::Done;
    for parts in done.into_iter().rev() {
        let class = match parts.as_slice() {
            [part] => match (part.change(), waiting.get_mut(part.place)) {
                (Some(change), Some(one)) => one.carrier.back(node, change),
                _ => Class::Done,
            },
            several => all_back(node, several, waiting),
        };
        worst = worst.worse(class);
        if end == End::Waits {
            put_off(node, &parts, waiting, WAITS);
        }
    }
    worst
}

fn all_back(node: &NodeName, parts: &[Part], waiting: &mut [Waiting<'_>]) -> Class {
    let (Some(mut set), Some(one)) = (set(parts, waiting, Way::reverse), of(parts, waiting)) else {
        return Class::Done;
    };
    // No plan may refuse the way back.
    set.options.preflight = Some(Mode::Off);
    let entries = one.host.entries(std::slice::from_ref(node));
    let outcomes = one.session.hooks.round(&entries, &[set], &|_, _| false);
    for (one, change) in changes(parts, waiting) {
        one.carrier
            .note_node(State::Unswapped, node, &change.to, None);
    }
    match outcomes.map_or(Class::Done, |outcomes| outcomes.class) {
        Class::Done => Class::Done,
        _ => Class::NotRolledBack,
    }
}

impl End {
    fn class(self) -> Class {
        match self {
            Self::Left(class) => class,
            Self::Through | Self::Apart | Self::Waits => Class::Done,
        }
    }
}
