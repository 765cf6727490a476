//! The end of an operation: what is kept and noted goes when nobody needs it any more. And the end of
//! one that had none.

use super::carry::Carrier;
use super::log::Note;
use crate::identity::NodeName;
use crate::line::chain;
use crate::maint::{NodeState, State, Version};
use crate::outcome::Class;
use crate::stash::Stash;
use std::path::Path;

impl Carrier<'_> {
    /// Drops what no node runs any more, and closes what is open.
    pub(super) fn settle(&mut self) -> Class {
        let to = self.facts.installed_version().clone();
        let stash = &self.session.stash;
        for stashed in &self.facts.stash {
            if !self.may_run(&stashed.version.vsn, &to) {
                self.discard(stash, &stashed.dir);
            }
        }
        let journal = self.session.log.journal();
        let open: Vec<_> = journal.of(&self.application).cloned().collect();
        let waits = |state| matches!(state, State::Pending | State::Deferred);
        let left = |node: &Option<String>| {
            let node = node.as_deref().and_then(NodeName::parse);
            let runs = node.and_then(|node| self.runs.get(&node));
            !matches!(runs, Some(NodeState::Running(vsn)) if *vsn == to.vsn)
        };
        let (left, done): (Vec<_>, Vec<_>) = open
            .into_iter()
            .partition(|record| waits(record.state) && left(&record.node));
        if left.is_empty() && !done.is_empty() {
            self.session
                .log
                .note(State::Done, &self.application, Note::default());
            return Class::Done;
        }
        for record in done.into_iter().filter(|record| record.node.is_some()) {
            let note = Note {
                node: record.node,
                ..Note::default()
            };
            self.session.log.note(State::Done, &self.application, note);
        }
        Class::Done
    }

    /// Whether a node may still run `vsn`, which is not what is installed; under the same name the new
    /// bytes are in place.
    fn may_run(&self, vsn: &str, to: &Version) -> bool {
        vsn != to.vsn
            && self.runs.values().any(|state| match state {
                NodeState::Running(running) => running == vsn,
                NodeState::Unknown => true,
                NodeState::Idle => false,
            })
    }

    pub(super) fn forget(&mut self) -> Class {
        let stash = &self.session.stash;
        for stashed in &self.facts.stash {
            self.discard(stash, &stashed.dir);
        }
        let journal = self.session.log.journal();
        if journal.of(&self.application).next().is_some() {
            self.session
                .log
                .note(State::Done, &self.application, Note::default());
        }
        Class::Done
    }

    fn discard(&self, stash: &Stash, dir: &Path) {
        if let Err(error) = stash.discard(dir) {
            self.warn(&chain(&error));
        }
    }

    /// Says what an earlier call left in the middle, and what the nodes run by now.
    pub fn settle_interrupted(&mut self) {
        let journal = self.session.log.journal();
        for record in journal.of(&self.application) {
            let node = record.node.as_deref().and_then(NodeName::parse);
            let (State::Swapping, Some(node), Some(to)) = (record.state, node, &record.to) else {
                continue;
            };
            let (now, state) = match self.runs.get(&node) {
                Some(NodeState::Running(vsn)) if *vsn == to.vsn => (vsn.clone(), State::Swapped),
                Some(NodeState::Running(vsn)) => (vsn.clone(), State::Unswapped),
                Some(NodeState::Unknown) => continue,
                Some(NodeState::Idle) | None => ("nothing of it".to_owned(), State::Unswapped),
            };
            self.warn(&format!(
                "'{}' of {} was interrupted on the way to {}; {node} runs {now} now",
                record.script, record.time, to.vsn
            ));
            let note = Note {
                node: Some(node.to_string()),
                from: record.from.clone(),
                to: record.to.clone(),
                reason: Some("interrupted".to_owned()),
                ..Note::default()
            };
            self.session.log.note(state, &self.application, note);
        }
    }
}
