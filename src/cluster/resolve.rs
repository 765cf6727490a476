//! The end of a round: the nodes that were changed stay so, go back, or are left as they are.

use super::answer::Answer;
use super::link::{Open, Reach};
use super::operation::{Operation, Settling};
use super::round::{Changed, Event, Round, Turns};
use crate::outcome::{Class, Outcome};

impl<R: Reach> Round<'_, R> {
    /// Makes the nodes that were changed stay so or go back; whether they went back.
    pub(super) fn resolve(
        &self,
        operation: &Operation,
        turns: &Turns,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> bool {
        let mut answers = turns.answers.iter();
        let unresolved = answers.find(|(_, answer)| answer.class == Class::Unresolved);
        match unresolved {
            _ if !turns.stopped && operation.options.provisional.is_some() => {
                self.keep_open(operation, &turns.changed, tell);
            }
            _ if !turns.stopped => self.confirm(operation, &turns.changed, tell),
            Some((other, _)) => {
                for Changed { node, .. } in &turns.changed {
                    tell(Event::Left { node, other });
                }
            }
            None if turns.changed.is_empty() => {}
            None => {
                self.take_back(operation, &turns.changed, tell);
                return true;
            }
        }
        false
    }

    /// All are done: none has to go back. One that does not hear of it comes to know it by itself.
    fn confirm(&self, operation: &Operation, changed: &[Changed], tell: &mut dyn FnMut(Event<'_>)) {
        for Changed { node, held, .. } in changed.iter().filter(|node| node.held.is_some()) {
            let how = (Settling::Confirm, held.as_deref());
            let answer = self.asker().settle(node, operation, how);
            for text in answer.warnings {
                tell(Event::Warning { node, text });
            }
            let text = match answer.class {
                Class::Absent if answer.outcome == Outcome::NodeDown => {
                    "the node was changed and is down now".to_owned()
                }
                Class::Done | Class::Absent => continue,
                _ => format!(
                    "the way back is still kept open ({}), until it closes by itself",
                    answer.outcome
                ),
            };
            tell(Event::Warning { node, text });
        }
    }

    /// All are done and wait for a person: from now on all of them have the same time. One that does not hear of it goes
    /// back too, only later.
    fn keep_open(
        &self,
        operation: &Operation,
        changed: &[Changed],
        tell: &mut dyn FnMut(Event<'_>),
    ) {
        let alone = changed.len() == 1;
        for Changed { node, held, .. } in changed {
            let text = match (held, operation.options.provisional) {
                (Some(_), _) if alone => continue,
                (Some(held), Some(time)) => {
                    let how = (Settling::Prolong(time), Some(held.as_str()));
                    let answer = self.asker().settle(node, operation, how);
                    match answer.outcome {
                        Outcome::Held => continue,
                        other => format!(
                            "the time to confirm could not be set ({other}); erlrc status tells when it goes back"
                        ),
                    }
                }
                _ => "the way back is not open there: the new version stays".to_owned(),
            };
            tell(Event::Warning { node, text });
        }
    }

    /// Changes back what was changed, the last node first.
    fn take_back(
        &self,
        operation: &Operation,
        changed: &[Changed],
        tell: &mut dyn FnMut(Event<'_>),
    ) {
        tell(Event::TakingBack);
        for each in changed.iter().rev() {
            let answer = self.revert(operation, each);
            if let Some(answer) = answer.or_else(|| self.reverse(operation, each)) {
                let node = &each.node;
                tell(Event::TakenBack {
                    node,
                    answer: &answer,
                });
            }
        }
    }

    /// Goes the way back that the node has kept open; `None` where there is none.
    fn revert(&self, operation: &Operation, changed: &Changed) -> Option<Answer> {
        if !changed.to_hold {
            return None;
        }
        let how = (Settling::Revert, changed.held.as_deref());
        let mut answer = self.asker().settle(&changed.node, operation, how);
        let untouched = "undone; states that nobody had touched since are what they were";
        match answer.class {
            Class::Done if answer.outcome == Outcome::Reverted => {
                answer.warnings.push(untouched.to_owned());
            }
            // Whether it goes back is not known: to ask for the reverse beside it would be a guess.
            Class::Unresolved => answer.class = Class::NotRolledBack,
            Class::NotRolledBack => {}
            _ => return None,
        }
        Some(answer)
    }

    /// Does the reverse operation.
    fn reverse(&self, operation: &Operation, changed: &Changed) -> Option<Answer> {
        let reverse = changed.done.reverse(&changed.outcome)?;
        // Time for this there must be, however much has been taken so far.
        let patience = self.limits.node;
        let mut answer = self.asker().ask(&changed.node, &[reverse], &Open, patience);
        match answer.class {
            Class::Done => answer
                .warnings
                .push(format!("undone; {}", operation.loss())),
            _ => answer.class = Class::NotRolledBack,
        }
        Some(answer)
    }
}
