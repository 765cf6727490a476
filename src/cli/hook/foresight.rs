//! What several nodes would say to an upgrade, asked before any of them begins.
//!
//! One that would refuse keeps all of them from beginning; one that cannot be spoken to is not asked again.
//! Those that come before the last one are to keep their way back open until that one has answered.

use super::{Answer, Operation, Preflight, Round};
use crate::identity::NodeName;
use crate::outcome::{Class, Outcome};
use crate::rendezvous::Entries;
use std::collections::BTreeMap;

/// The answers of the nodes that were asked.
#[derive(Debug, Default)]
pub struct Foresight {
    answers: BTreeMap<NodeName, Answer>,
    /// Whether somebody would refuse.
    refused: bool,
    /// The last node that would do something.
    last: Option<NodeName>,
}

impl Foresight {
    /// Asks the nodes of `entries` what `operation` would do, where several could be concerned.
    pub fn of(
        round: &Round<'_>,
        entries: &Entries,
        operation: &Operation,
        preflight: &Preflight<'_>,
    ) -> Self {
        let sound = || {
            let entries = entries.iter();
            entries.filter_map(|(name, entry)| Some((name, entry.as_ref().ok()?)))
        };
        let mut foresight = Self::default();
        if round.arguments.dry_run || !operation.replaces() || sound().count() < 2 {
            return foresight;
        }
        for (name, entry) in sound() {
            let patience = round.left().min(round.arguments.connection.node_timeout);
            let answer = round.asker().foresee(entry, operation, preflight, patience);
            foresight.note(name, answer, round);
        }
        foresight
    }

    fn note(&mut self, name: &NodeName, answer: Answer, round: &Round<'_>) {
        let known = is_known(&answer);
        if !known || answer.outcome == Outcome::Planned {
            self.last = Some(name.clone());
        }
        if known {
            self.refused |= answer.class.is_failure() && !(round.tolerates)(name, &answer);
            self.answers.insert(name.clone(), answer);
        }
    }

    /// What is to be said of the node `name` without asking it once more.
    pub fn answer(&self, name: &NodeName) -> Option<Answer> {
        match self.answers.get(name) {
            Some(answer) if is_absent(answer) => Some(answer.clone()),
            Some(answer) if self.refused && answer.class.is_failure() => Some(answer.clone()),
            _ => self
                .refused
                .then(|| Answer::new(Class::Absent, Outcome::NotTried, None)),
        }
    }

    /// Whether the node `name` is to keep its way back open.
    pub fn to_hold(&self, name: &NodeName) -> bool {
        self.last.as_ref().is_some_and(|last| last != name)
    }
}

/// Whether the node has been heard of: an older erlrc does not know the question.
fn is_known(answer: &Answer) -> bool {
    !matches!(answer.outcome, Outcome::BadRequest | Outcome::NoErlrc)
}

/// Whether there is nobody to ask.
fn is_absent(answer: &Answer) -> bool {
    matches!(answer.class, Class::Unreachable | Class::Absent)
}
