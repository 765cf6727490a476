//! Carries out the actions for one application, one after the other.

use super::hooks::Tolerates;
use super::log::Note;
use super::session::{Session, Subject};
use super::survey::Host;
use crate::cluster::operation::{self, Operation, Step};
use crate::cluster::{Answer, Mode, Outcomes};
use crate::identity::NodeName;
use crate::line::chain;
use crate::maint::{Action, Change, Facts, Format, Moment, NodeState, State, Verdict, Version};
use crate::outcome::{Class, Outcome};
use crate::term::Atom;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Who carries out the actions for one application.
pub struct Carrier<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) application: Atom,
    pub(super) facts: Facts,
    pub(super) host: Host,
    /// What each node runs by now.
    pub(super) runs: BTreeMap<NodeName, NodeState>,
}

/// The application that all of this is about.
pub(super) const ITSELF: &str = "erlrc";

impl<'a> Carrier<'a> {
    /// Carries out actions for the application of `subject`.
    pub fn new(session: &'a Session<'a>, subject: &Subject, facts: Facts, host: Host) -> Self {
        let runs = facts.nodes.iter();
        Self {
            session,
            application: subject.application.clone(),
            runs: runs
                .map(|node| (node.name.clone(), node.state.clone()))
                .collect(),
            facts,
            host,
        }
    }

    /// Carries them out until one fails; returns the class of the worst answer.
    pub fn carry_out(&mut self, actions: &[Action]) -> Class {
        let mut class = Class::Done;
        for action in actions {
            class = class.worse(self.one(action));
            if class != Class::Done && !class.is_silence() && self.session.call.may_fail {
                break;
            }
        }
        let call = self.session.call;
        if call.format == Format::Rpm && call.moment == Moment::Swap && class != Class::Done {
            self.warn("rpm goes on all the same, it cannot take back; the next attempt is made at its end");
        }
        class
    }

    fn one(&mut self, action: &Action) -> Class {
        match action {
            Action::Stash(version) => self.stash(version),
            Action::Swap { nodes, change } => self.swap(nodes, change),
            Action::Wait { node, to, unmet } => self.wait(node, to, &unmet.to_string()),
            Action::Queue(version) => self.queue(Note {
                to: Some(version.into()),
                ..Note::default()
            }),
            Action::QueueStop(version) => self.queue(Note {
                from: Some(version.into()),
                ..Note::default()
            }),
            Action::Remind { nodes, to } => self.remind(nodes, to),
            Action::Unreachable { nodes, to } => self.unreachable(nodes, to),
            Action::Start { nodes, version } => self.start(nodes, version),
            Action::Stop { nodes, vsn, dir } => self.stop(nodes, vsn, dir.as_ref()),
            Action::Settle => self.settle(),
            Action::Forget => self.forget(),
        }
    }

    fn stash(&mut self, version: &Version) -> Class {
        let stash = &self.session.stash;
        let name = self.application.as_str();
        match stash.keep(name, &version.vsn, &version.dir) {
            Ok(_) => {
                let note = Note {
                    from: Some(version.into()),
                    needs: self.facts.minimums.clone(),
                    ..Note::default()
                };
                self.session
                    .log
                    .note(State::Prepared, &self.application, note);
            }
            Err(error) => self.warn(&format!("not kept for later: {}", chain(&error))),
        }
        Class::Done
    }

    pub(super) fn wait(&mut self, node: &NodeName, to: &Version, why: &str) -> Class {
        let reason = format!("{why}; it is upgraded when its package is configured");
        self.say(std::slice::from_ref(node), to, Outcome::Waits, &reason);
        self.note_node(State::Deferred, node, to, Some(why));
        Class::Done
    }

    /// In batch mode only the end of the run acts.
    fn queue(&mut self, note: Note) -> Class {
        self.session
            .log
            .note(State::Queued, &self.application, note);
        if !self.session.hooks.call_at_the_end() {
            self.warn("dpkg-trigger failed; run `erlrc maint deb trigger` when the packages are configured");
        }
        Class::Done
    }

    fn remind(&mut self, nodes: &[NodeName], to: &Version) -> Class {
        let reason = format!(
            "goes on with the old version; restart the node to get to {}",
            to.vsn
        );
        self.say(nodes, to, Outcome::RestartNeeded, &reason);
        Class::Done
    }

    fn unreachable(&mut self, nodes: &[NodeName], to: &Version) -> Class {
        let mut class = Class::Done;
        let operation = match self.session.call.moment {
            Moment::Stop => Operation::new(self.application.clone(), Step::Stop(known(to))),
            _ => self.upgrade_to(to),
        };
        let mut refusals = Vec::new();
        for node in nodes {
            let Some(answer) = self.host.refusal(node) else {
                continue;
            };
            refusals.push((node.clone(), answer.clone()));
            if !self.host.policy(node).defers() || self.session.configuration.strict {
                class = class.worse(answer.class);
            }
        }
        self.session.hooks.say(&operation, refusals);
        class
    }

    fn start(&mut self, nodes: &[NodeName], version: &Version) -> Class {
        let step = Step::Start(known(version));
        let tolerates = |_: &NodeName, answer: &Answer| {
            matches!(
                answer.outcome,
                Outcome::VersionLoadMismatch | Outcome::NoErlrc
            )
        };
        let Some(outcome) = self.round(nodes, &[step], &tolerates) else {
            return Class::Done;
        };
        // Another version is loaded and does not run: going to this one starts it.
        let loaded = outcome.answers.iter();
        let loaded = loaded.filter(|(_, answer)| answer.outcome == Outcome::VersionLoadMismatch);
        let loaded: Vec<NodeName> = loaded.map(|(name, _)| name.clone()).collect();
        let step = self.upgrade_to(version).step;
        let again = self.round(&loaded, &[step], &|_, _| false);
        again.map_or(outcome.class, |again| outcome.class.worse(again.class))
    }

    fn stop(&mut self, nodes: &[NodeName], vsn: &str, dir: Option<&PathBuf>) -> Class {
        if self.application.as_str() == ITSELF {
            return self.stay(nodes, vsn);
        }
        let version = operation::Version {
            vsn: vsn.to_owned(),
            dir: dir.cloned(),
        };
        let steps = [Step::Stop(version.clone()), Step::Unload(version)];
        let tolerates = |_: &NodeName, answer: &Answer| answer.outcome == Outcome::NoErlrc;
        let outcome = self.round(nodes, &steps, &tolerates);
        outcome.map_or(Class::Done, |outcome| outcome.class)
    }

    /// erlrc itself is not stopped when its package goes: a node has it loaded as a whole, and what it stands for is what a
    /// later installation finds the node by.
    fn stay(&self, nodes: &[NodeName], vsn: &str) -> Class {
        for (_, entry) in self.host.entries(nodes) {
            if let Ok(entry) = entry {
                // What is not loaded yet goes with the files.
                self.session.hooks.load_modules(&entry);
            }
        }
        if self.session.call.moment == Moment::Stop && !nodes.is_empty() {
            let names: Vec<String> = nodes.iter().map(ToString::to_string).collect();
            let (names, verb) = (
                names.join(", "),
                if nodes.len() == 1 { "keeps" } else { "keep" },
            );
            self.warn(&format!(
                "{names} {verb} erlrc {vsn}, which is loaded there, and follows no package until it is installed again"
            ));
        }
        Class::Done
    }

    /// One round; keeps in mind what the nodes run after it.
    pub(super) fn round(
        &mut self,
        nodes: &[NodeName],
        steps: &[Step],
        tolerates: Tolerates<'_>,
    ) -> Option<Outcomes> {
        let operations = self.operations(steps);
        self.perform(nodes, &operations, tolerates)
    }

    /// The same on the way back, which no plan may refuse.
    pub(super) fn round_back(
        &mut self,
        nodes: &[NodeName],
        step: Step,
        tolerates: Tolerates<'_>,
    ) -> Option<Outcomes> {
        let mut operations = self.operations(&[step]);
        for operation in &mut operations {
            operation.options.preflight = Some(Mode::Off);
        }
        self.perform(nodes, &operations, tolerates)
    }

    fn operations(&self, steps: &[Step]) -> Vec<Operation> {
        let operation = |step: &Step| Operation::new(self.application.clone(), step.clone());
        steps.iter().map(operation).collect()
    }

    fn perform(
        &mut self,
        nodes: &[NodeName],
        operations: &[Operation],
        tolerates: Tolerates<'_>,
    ) -> Option<Outcomes> {
        let entries = self.host.entries(nodes);
        if entries.is_empty() {
            return None;
        }
        let hooks = &self.session.hooks;
        let outcome = hooks.round(&entries, operations, tolerates)?;
        if !outcome.undone {
            for (name, answer) in &outcome.answers {
                self.learn(name, answer, operations.first()?.result());
            }
        }
        Some(outcome)
    }

    /// Whether `node` runs `vsn` by now.
    pub(super) fn runs(&self, node: &NodeName, vsn: &str) -> bool {
        matches!(self.runs.get(node), Some(NodeState::Running(found)) if found == vsn)
    }

    /// What the nodes run by now.
    pub(super) fn states(&self) -> impl Iterator<Item = &NodeState> {
        self.runs.values()
    }

    fn learn(&mut self, node: &NodeName, answer: &Answer, result: Option<&str>) {
        let state = match Verdict::of(answer.class, &answer.outcome) {
            Verdict::Done => {
                result.map_or(NodeState::Idle, |vsn| NodeState::Running(vsn.to_owned()))
            }
            Verdict::Absent => NodeState::Idle,
            Verdict::Unreachable => NodeState::Unknown,
            _ => return,
        };
        self.runs.insert(node.clone(), state);
    }

    pub(super) fn note_node(&self, state: State, node: &NodeName, to: &Version, why: Option<&str>) {
        let runs = match self.runs.get(node) {
            Some(NodeState::Running(vsn)) => Some(vsn.clone()),
            _ => None,
        };
        let from = runs.map(|vsn| crate::maint::Subject {
            dir: self.facts.place(&vsn),
            vsn,
        });
        let note = Note {
            node: Some(node.to_string()),
            from,
            to: Some(to.into()),
            reason: why.map(str::to_owned),
            ..Note::default()
        };
        self.session.log.note(state, &self.application, note);
    }

    /// One line about nodes to which nothing was done.
    pub(super) fn say(&self, nodes: &[NodeName], to: &Version, word: Outcome, reason: &str) {
        let answer = Answer::new(Class::Done, word, Some(reason.to_owned()));
        let answers = nodes.iter().map(|node| (node.clone(), answer.clone()));
        let operation = self.upgrade_to(to);
        self.session.hooks.say(&operation, answers.collect());
    }

    fn upgrade_to(&self, to: &Version) -> Operation {
        let step = Step::Upgrade {
            from: known(&self.facts.own),
            to: known(to),
        };
        Operation::new(self.application.clone(), step)
    }

    pub(super) fn warn(&self, text: &str) {
        self.session.hooks.complain(&self.application, text);
    }
}

/// A version whose directory is known.
pub(super) fn known(version: &Version) -> operation::Version {
    operation::Version {
        vsn: version.vsn.clone(),
        dir: Some(version.dir.clone()),
    }
}

/// The step that a change is.
pub(super) fn step(change: &Change) -> Step {
    let from = operation::Version {
        vsn: change.from.clone(),
        dir: change.from_dir.clone(),
    };
    let to = known(&change.to);
    match change.direction {
        crate::appup::Direction::Up => Step::Upgrade { from, to },
        crate::appup::Direction::Down => Step::Downgrade { from, to },
    }
}
