//! Carries out what was decided, action after action, with the hooks' rounds.

use super::journal::Note;
use super::session::Session;
use super::subject::Subject;
use super::survey::Host;
use crate::cli::hook::operation::{self, Operation, Step};
use crate::cli::hook::{Answer, Mode, Outcomes, Report, Round, chain};
use crate::cli::nodes::connect;
use crate::cli::{Status, output};
use crate::identity::NodeName;
use crate::maint::{Action, Change, Facts, Format, Moment, NodeState, State, Verdict, Version};
use crate::node::{Call, Deadline};
use crate::outcome::{Class, Outcome};
use crate::term::Atom;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

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
const ITSELF: &str = "erlrc";

/// The trigger of erlrc's own package that ends a run in batch mode.
const TRIGGER: &str = "erlrc-batch";

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

    /// Carries them out until one fails: the worst status.
    pub fn carry_out(&mut self, actions: &[Action]) -> Status {
        let mut status = Status::Done;
        for action in actions {
            status = status.worse(self.one(action));
            if !matches!(status, Status::Done | Status::Unreachable) && self.session.call.may_fail {
                break;
            }
        }
        let call = self.session.call;
        if call.format == Format::Rpm && call.moment == Moment::Swap && status != Status::Done {
            self.warn("rpm goes on all the same, it cannot take back; the next attempt is made at its end");
        }
        status
    }

    fn one(&mut self, action: &Action) -> Status {
        match action {
            Action::Stash(version) => self.stash(version),
            Action::Swap { nodes, change } => self.swap(nodes, change),
            Action::Wait { node, to, unmet } => self.wait(node, to, &unmet.to_string()),
            Action::Queue(version) => self.queue(version),
            Action::Remind { nodes, to } => self.remind(nodes, to),
            Action::Unreachable { nodes, to } => self.unreachable(nodes, to),
            Action::Start { nodes, version } => self.start(nodes, version),
            Action::Stop { nodes, vsn, dir } => self.stop(nodes, vsn, dir.as_ref()),
            Action::Settle => self.settle(),
            Action::Forget => self.forget(),
        }
    }

    fn stash(&mut self, version: &Version) -> Status {
        let stash = self.session.stash();
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
        Status::Done
    }

    pub(super) fn wait(&mut self, node: &NodeName, to: &Version, why: &str) -> Status {
        let reason = format!("{why}; it is upgraded when its package is configured");
        self.say(std::slice::from_ref(node), to, Outcome::Waits, &reason);
        self.note_node(State::Deferred, node, to, Some(why));
        Status::Done
    }

    /// In batch mode only the end of the run acts.
    fn queue(&mut self, version: &Version) -> Status {
        let note = Note {
            to: Some(version.into()),
            ..Note::default()
        };
        self.session
            .log
            .note(State::Queued, &self.application, note);
        if self.session.call.format == Format::Deb {
            let mut trigger = Command::new("dpkg-trigger");
            trigger.args(["--no-await", TRIGGER]).stdin(Stdio::null());
            trigger.stdout(Stdio::null());
            if !trigger.status().is_ok_and(|status| status.success()) {
                self.warn("dpkg-trigger failed; run `erlrc maint deb trigger` when the packages are configured");
            }
        }
        Status::Done
    }

    fn remind(&mut self, nodes: &[NodeName], to: &Version) -> Status {
        let reason = format!(
            "goes on with the old version; restart the node to get to {}",
            to.vsn
        );
        self.say(nodes, to, Outcome::RestartNeeded, &reason);
        Status::Done
    }

    fn unreachable(&mut self, nodes: &[NodeName], to: &Version) -> Status {
        let mut status = Status::Done;
        let operation = match self.session.call.moment {
            Moment::Stop => Operation::new(self.application.clone(), Step::Stop(known(to))),
            _ => self.upgrade_to(to),
        };
        let mut report = self.report(&operation);
        for node in nodes {
            let Some(answer) = self.host.refusal(node) else {
                continue;
            };
            report.tolerated(node, answer.clone());
            if !self.host.policy(node).defers() || self.session.configuration.strict {
                status = status.worse(answer.class.into());
            }
        }
        report.end_line();
        report.finish();
        status
    }

    fn start(&mut self, nodes: &[NodeName], version: &Version) -> Status {
        let step = Step::Start(known(version));
        let tolerates = |_: &NodeName, answer: &Answer| {
            matches!(
                answer.outcome,
                Outcome::VersionLoadMismatch | Outcome::NoErlrc
            )
        };
        let Some(outcome) = self.round(nodes, &[step], &tolerates) else {
            return Status::Done;
        };
        // Another version is loaded and does not run: going to this one starts it.
        let loaded = outcome.answers.iter();
        let loaded = loaded.filter(|(_, answer)| answer.outcome == Outcome::VersionLoadMismatch);
        let loaded: Vec<NodeName> = loaded.map(|(name, _)| name.clone()).collect();
        let step = self.upgrade_to(version).step;
        let again = self.round(&loaded, &[step], &|_, _| false);
        again.map_or(outcome.status, |again| outcome.status.worse(again.status))
    }

    fn stop(&mut self, nodes: &[NodeName], vsn: &str, dir: Option<&PathBuf>) -> Status {
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
        outcome.map_or(Status::Done, |outcome| outcome.status)
    }

    /// erlrc itself is not stopped when its package goes: a node has it loaded as a whole, and what it stands for is what a
    /// later installation finds the node by.
    fn stay(&self, nodes: &[NodeName], vsn: &str) -> Status {
        let connection = &self.session.hook.connection;
        for (_, entry) in self.host.entries(nodes) {
            let node = entry
                .ok()
                .and_then(|entry| connect(&entry, connection).ok());
            if let Some(mut node) = node {
                // What is not loaded yet goes with the files.
                let load = Call {
                    module: "erlrc_node",
                    function: "load_modules",
                    arguments: Vec::new(),
                };
                let _ = node.call(load, Deadline::after(connection.connect_timeout));
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
        Status::Done
    }

    /// One round; keeps in mind what the nodes run after it.
    pub(super) fn round(
        &mut self,
        nodes: &[NodeName],
        steps: &[Step],
        tolerates: &dyn Fn(&NodeName, &Answer) -> bool,
    ) -> Option<Outcomes> {
        let operations = self.operations(steps);
        self.perform(nodes, &operations, tolerates)
    }

    /// The same on the way back, which no plan may refuse.
    pub(super) fn round_back(
        &mut self,
        nodes: &[NodeName],
        step: Step,
        tolerates: &dyn Fn(&NodeName, &Answer) -> bool,
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
        tolerates: &dyn Fn(&NodeName, &Answer) -> bool,
    ) -> Option<Outcomes> {
        let entries = self.host.entries(nodes);
        if entries.is_empty() {
            return None;
        }
        let round = Round {
            arguments: self.session.hook,
            output: self.session.common.output(),
            state: &self.session.common.state,
            started: self.session.started,
            tolerates,
        };
        let outcome = round.over(&entries, operations)?;
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
        let operation = self.upgrade_to(to);
        let mut report = self.report(&operation);
        for node in nodes {
            report.tolerated(
                node,
                Answer::new(Class::Done, word.clone(), Some(reason.to_owned())),
            );
        }
        report.end_line();
        report.finish();
    }

    fn report(&self, operation: &Operation) -> Report {
        Report::new(operation, false, self.session.common.output())
    }

    fn upgrade_to(&self, to: &Version) -> Operation {
        let step = Step::Upgrade {
            from: known(&self.facts.own),
            to: known(to),
        };
        Operation::new(self.application.clone(), step)
    }

    pub(super) fn warn(&self, text: &str) {
        let line = format!("erlrc-maint: {}: {text}", self.application);
        output::error_text(&format!("{}\n", output::printable(&line)));
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
