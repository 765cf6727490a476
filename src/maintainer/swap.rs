//! From one version to another on several nodes: all or none, but for those that the upgrade policy
//! leaves behind.

use super::carry::{Carrier, step};
use super::log::Note;
use crate::application::{Strategy, UpgradePolicy};
use crate::cluster::operation::{self, Operation, Step};
use crate::cluster::{Answer, Outcomes};
use crate::identity::NodeName;
use crate::line::chain;
use crate::maint::{Change, Next, Phase, State, Verdict, Version};
use crate::outcome::{Class, Outcome};
use std::collections::BTreeMap;

/// A node that could not be changed hot, and why.
struct Left {
    node: NodeName,
    strategy: Option<Strategy>,
    why: String,
}

impl Left {
    fn new(node: &NodeName, strategy: Option<Strategy>, why: String) -> Self {
        let node = node.clone();
        Self {
            node,
            strategy,
            why,
        }
    }
}

fn next(answer: &Answer, phase: Phase, policy: &UpgradePolicy) -> Next {
    Verdict::of(answer.class, &answer.outcome).next(phase, policy)
}

impl Carrier<'_> {
    /// Takes `nodes` through `change`.
    pub(super) fn swap(&mut self, nodes: &[NodeName], change: &Change) -> Class {
        let first = |node: &NodeName| self.host.policy(node).first();
        let (hot, other): (Vec<NodeName>, Vec<NodeName>) = nodes
            .iter()
            .cloned()
            .partition(|node| first(node) == Strategy::Hot);
        let mut left: Vec<Left> = other.into_iter().map(|node| self.by_policy(node)).collect();
        for node in &hot {
            self.note_node(State::Swapping, node, &change.to, None);
        }
        let phase = Phase::of(self.session.call.moment);
        let policies: BTreeMap<NodeName, UpgradePolicy> = hot
            .iter()
            .map(|node| (node.clone(), self.host.policy(node)))
            .collect();
        let tolerates = |node: &NodeName, answer: &Answer| {
            let policy = policies.get(node).cloned().unwrap_or_default();
            next(answer, phase, &policy) != Next::End
        };
        let outcome = match phase {
            Phase::Back => self.round_back(&hot, step(change), &tolerates),
            Phase::Early | Phase::Forward => self.round(&hot, &[step(change)], &tolerates),
        };
        let Some(outcome) = outcome else {
            return self.try_strategies_on_all(&[], left, change);
        };
        if outcome.class != Class::Done {
            for node in &hot {
                self.note_node(State::Unswapped, node, &change.to, None);
            }
            return outcome.class;
        }
        let (class, done) = self.judge(&outcome, (phase, change), &mut left);
        match class {
            Class::Done => self.try_strategies_on_all(&done, left, change),
            class => class,
        }
    }

    fn by_policy(&self, node: NodeName) -> Left {
        Left {
            strategy: Some(self.host.policy(&node).first()),
            node,
            why: "its upgrade policy does not begin with hot".to_owned(),
        }
    }

    /// Notes what became of each node: those that are changed, and in `left` those that are not.
    fn judge(
        &mut self,
        outcome: &Outcomes,
        (phase, change): (Phase, &Change),
        left: &mut Vec<Left>,
    ) -> (Class, Vec<NodeName>) {
        let (mut done, mut class) = (Vec::new(), Class::Done);
        let to = &change.to;
        for (node, answer) in &outcome.answers {
            let why = answer
                .reason
                .clone()
                .unwrap_or_else(|| answer.outcome.to_string());
            match next(answer, phase, &self.host.policy(node)) {
                Next::Changed => {
                    done.push(node.clone());
                    self.note_node(State::Swapped, node, to, None);
                }
                Next::Unchanged => self.note_node(State::Unswapped, node, to, Some(&why)),
                Next::Wait => {
                    self.wait(node, to, &why);
                }
                Next::AskLater => self.note_node(State::Deferred, node, to, Some(&why)),
                Next::Complain => class = class.worse(answer.class),
                Next::Try(strategy) => left.push(Left::new(node, Some(strategy), why)),
                Next::End => left.push(Left::new(node, None, why)),
            }
        }
        (class, done)
    }

    /// The next steps of the policy; where one fails for good, those that are `done` go back.
    fn try_strategies_on_all(
        &mut self,
        done: &[NodeName],
        left: Vec<Left>,
        change: &Change,
    ) -> Class {
        for left in left {
            let class = self.try_strategies(&left, change);
            if class != Class::Done {
                self.note_node(State::Unswapped, &left.node, &change.to, Some(&left.why));
                return class.worse(self.all_back(done, change));
            }
        }
        Class::Done
    }

    /// Takes a node back from where `change` led.
    pub(super) fn back(&mut self, node: &NodeName, change: &Change) -> Class {
        self.all_back(std::slice::from_ref(node), change)
    }

    fn all_back(&mut self, nodes: &[NodeName], change: &Change) -> Class {
        let back = self.round_back(nodes, reversed(change), &|_, _| false);
        for node in nodes {
            self.note_node(State::Unswapped, node, &change.to, None);
        }
        match back.map_or(Class::Done, |back| back.class) {
            Class::Done => Class::Done,
            _ => Class::NotRolledBack,
        }
    }

    fn try_strategies(&mut self, left: &Left, change: &Change) -> Class {
        let mut strategy = left.strategy;
        while let Some(now) = strategy {
            let class = match now {
                Strategy::Hot => self.hot_again(left, change),
                Strategy::RestartApplication => self.restart(&left.node, change),
                Strategy::Defer => return self.defer(left, change),
            };
            if class == Class::Done {
                self.note_node(State::Swapped, &left.node, &change.to, Some(&left.why));
                return class;
            }
            strategy = self.host.policy(&left.node).after(now);
        }
        Class::Refused
    }

    fn hot_again(&mut self, left: &Left, change: &Change) -> Class {
        let nodes = std::slice::from_ref(&left.node);
        let outcome = self.round(nodes, &[step(change)], &|_, _| false);
        outcome.map_or(Class::Refused, |outcome| outcome.class)
    }

    /// Stops the old version and starts the new one; where that does not start, the old one again.
    fn restart(&mut self, node: &NodeName, change: &Change) -> Class {
        let nodes = std::slice::from_ref(node);
        let old = operation::Version {
            vsn: change.from.clone(),
            dir: change.from_dir.clone(),
        };
        let new = super::carry::known(&change.to);
        let stop = [Step::Stop(old.clone()), Step::Unload(old.clone())];
        let stopped = self.round(nodes, &stop, &|_, _| false);
        let stopped = stopped.map_or(Class::Refused, |outcome| outcome.class);
        if stopped != Class::Done {
            return stopped;
        }
        let started = self.round(nodes, &[Step::Start(new)], &|_, _| false);
        let started = started.map_or(Class::Refused, |outcome| outcome.class);
        if started != Class::Done {
            self.round(nodes, &[Step::Start(old)], &|_, _| false);
        }
        started
    }

    fn defer(&mut self, left: &Left, change: &Change) -> Class {
        self.put_off(&left.node, change, &left.why);
        Class::Done
    }

    /// The node goes on with what it runs, which is kept for it.
    pub(super) fn put_off(&mut self, node: &NodeName, change: &Change, why: &str) {
        self.keep(change);
        let reason = format!(
            "goes on with {}; restart the node to get to {}",
            change.from, change.to.vsn
        );
        let nodes = std::slice::from_ref(node);
        self.say(nodes, &change.to, Outcome::RestartNeeded, &reason);
        self.note_node(State::Pending, node, &change.to, Some(why));
    }

    /// The node goes on with what is removed.
    pub(super) fn put_off_stop(&self, node: &NodeName, version: &Version) {
        let reason = "runs on until the node is restarted: what it belongs to waits for that";
        let answer = Answer::new(Class::Done, Outcome::RestartNeeded, Some(reason.to_owned()));
        let stop = Step::Stop(super::carry::known(version));
        let operation = Operation::new(self.application.clone(), stop);
        let hooks = &self.session.hooks;
        hooks.say(&operation, vec![(node.clone(), answer)]);
        let log = &self.session.log;
        log.note(State::Done, &self.application, Note::default());
    }

    fn keep(&self, change: &Change) {
        let stash = &self.session.stash;
        let name = self.application.as_str();
        let kept = matches!(stash.verified(name, &change.from), Ok(Some(_)));
        let origin = change
            .from_dir
            .as_ref()
            .filter(|dir| self.facts.is_present(dir));
        if let (false, Some(origin)) = (kept, origin)
            && let Err(error) = stash.keep(name, &change.from, origin)
        {
            self.warn(&format!("not kept for later: {}", chain(&error)));
        }
    }
}

/// The way back from where `change` leads.
pub(super) fn reversed(change: &Change) -> Step {
    let to = operation::Version {
        vsn: change.from.clone(),
        dir: change.from_dir.clone(),
    };
    let from = super::carry::known(&change.to);
    match change.direction {
        crate::appup::Direction::Up => Step::Downgrade { from, to },
        crate::appup::Direction::Down => Step::Upgrade { from, to },
    }
}
