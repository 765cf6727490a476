//! One operation on one node: connect, ask, and where no answer comes learn how it ended.

use super::answer::Answer;
use super::learn::{AT_ONCE, Aim, Asked};
use super::link::{Decision, Gate, NodeLink, Open, Reach};
use super::operation::{Operation, Settling};
use super::request::Id;
use crate::identity::NodeName;
use crate::line::chain;
use crate::node::{Call, NodeError, Stage};
use crate::outcome::{Class, Outcome};
use crate::term::Term;
use std::time::Duration;

/// How long a node may take to call an operation off before its answer is not waited for any more.
pub const TAKING_BACK: Duration = Duration::from_secs(5);
/// An operation that does not end is killed by its node so long after its deadline.
const KILLED: Duration = Duration::from_secs(30);

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All of it, counted from its beginning.
    pub whole: Duration,
    /// One operation on one node.
    pub node: Duration,
}

/// Who asks nodes.
pub struct Asker<'a, R> {
    /// How they are reached.
    pub reach: &'a R,
    /// How long they may take.
    pub limits: Limits,
}

impl<R: Reach> Asker<'_, R> {
    /// Asks `node` for `operations`, one after the other as long as they succeed. The answer is that to the first;
    /// what becomes of the others shows in its outcome and warnings.
    pub fn ask(
        &self,
        node: &NodeName,
        operations: &[Operation],
        gate: &dyn Gate<R::Link>,
        patience: Duration,
    ) -> Answer {
        let (mut link, warnings) = match self.admitted(node, gate, patience) {
            Ok(admitted) => admitted,
            Err(answer) => return *answer,
        };
        let mut result: Option<Answer> = None;
        for operation in operations {
            let answer = self.perform(node, &mut link, operation, patience);
            let go_on = answer.class == Class::Done;
            result = Some(match result {
                None => answer,
                Some(first) => combine(first, answer),
            });
            if !go_on {
                break;
            }
        }
        let mut answer = result.unwrap_or_else(nothing);
        answer.warnings.extend(warnings);
        answer
    }

    /// A connection to a node that the gate lets pass, and what the gate says; else the answer that this is.
    fn admitted(
        &self,
        node: &NodeName,
        gate: &dyn Gate<R::Link>,
        patience: Duration,
    ) -> Result<(R::Link, Vec<String>), Box<Answer>> {
        let mut link = self.reach.open(node)?;
        match gate.decide(&mut link, patience.max(AT_ONCE)) {
            Ok(Decision::Go(warnings)) => Ok((link, warnings)),
            Ok(Decision::Refuse(answer)) => Err(answer),
            Err(error) => Err(Box::new(self.not_asked(node, &error))),
        }
    }

    /// Whether `node` would refuse `operation`, by the gate or by its own word.
    pub fn foresee(
        &self,
        node: &NodeName,
        operation: &Operation,
        gate: &dyn Gate<R::Link>,
        patience: Duration,
    ) -> Answer {
        match self.admitted(node, gate, patience) {
            Ok((mut link, warnings)) => {
                let mut answer = self.dry_run(node, &mut link, operation, patience);
                answer.warnings.extend(warnings);
                answer
            }
            Err(answer) => *answer,
        }
    }

    /// What the first of `operations` would do on `node`.
    pub fn plan(&self, node: &NodeName, operations: &[Operation], patience: Duration) -> Answer {
        match operations.first() {
            Some(operation) => self.foresee(node, operation, &Open, patience),
            None => nothing(),
        }
    }

    fn dry_run(
        &self,
        node: &NodeName,
        link: &mut R::Link,
        operation: &Operation,
        patience: Duration,
    ) -> Answer {
        match link.call(operation.dry_run(patience), patience + TAKING_BACK) {
            Ok(term) => Answer::parse(&term).unwrap_or_else(malformed),
            Err(error) => self.not_asked(node, &error),
        }
    }

    /// What the failure of a question means: nothing has been asked for.
    fn not_asked(&self, node: &NodeName, error: &NodeError) -> Answer {
        match error {
            NodeError::Undefined { .. } => no_erlrc(),
            NodeError::CallFailed { .. } => {
                Answer::new(Class::Refused, Outcome::CallFailed, Some(chain(error)))
            }
            error => self.reach.unreachable(node, error),
        }
    }

    fn perform(
        &self,
        node: &NodeName,
        link: &mut R::Link,
        operation: &Operation,
        patience: Duration,
    ) -> Answer {
        let id = Id::random();
        let aim = Aim {
            operation,
            done: operation.done(),
        };
        let asked = Asked {
            node,
            aim: &aim,
            id: id.as_ref(),
            until: self.until(patience),
        };
        let answer = {
            let _watch = self.reach.watch(node);
            link.call(
                operation.request(patience, id.as_ref()),
                patience + TAKING_BACK,
            )
        };
        match answer {
            Err(NodeError::Undefined { .. }) if operation.options.provisional.is_some() => {
                no_erlrc()
            }
            Err(NodeError::Undefined { .. }) => {
                self.perform_directly(link, operation, patience, &asked)
            }
            answer => self.answered(answer, &asked),
        }
    }

    /// The same in the words of an erlrc that has no `erlrc_hook`.
    fn perform_directly(
        &self,
        link: &mut R::Link,
        operation: &Operation,
        patience: Duration,
        asked: &Asked<'_>,
    ) -> Answer {
        match link.call(operation.direct_call(), patience + TAKING_BACK) {
            Ok(term) => Answer::of_result(operation, &term),
            Err(NodeError::Undefined { .. }) => no_erlrc(),
            Err(error) => self.learn(asked, &error),
        }
    }

    fn answered(&self, answer: Result<Term, NodeError>, asked: &Asked<'_>) -> Answer {
        match answer {
            Ok(term) => match Answer::parse(&term) {
                Some(answer) if asked.aim.is_understood(&answer) => answer,
                _ => self.learn(asked, &odd()),
            },
            Err(error) => self.learn(asked, &error),
        }
    }

    /// Confirms or takes back what `node` holds of `operation`.
    pub fn settle(
        &self,
        node: &NodeName,
        operation: &Operation,
        (how, held): (Settling, Option<&str>),
    ) -> Answer {
        let mut link = match self.reach.open(node) {
            Ok(link) => link,
            Err(answer) => return *answer,
        };
        let patience = self.limits.node;
        let id = Id::random();
        let reverse = operation.reverse(&operation.done());
        let aim = match how {
            Settling::Confirm => Aim {
                operation,
                done: Outcome::Confirmed,
            },
            Settling::Prolong(_) => Aim {
                operation,
                done: Outcome::Held,
            },
            Settling::Revert => Aim {
                operation: reverse.as_ref().unwrap_or(operation),
                done: Outcome::Reverted,
            },
        };
        let asked = Asked {
            node,
            aim: &aim,
            id: id.as_ref(),
            until: self.until(patience),
        };
        let call: Call = operation.settle(how, held, patience, id.as_ref());
        self.answered(link.call(call, patience + TAKING_BACK), &asked)
    }

    /// Until when it is worth while to ask how an operation ended that begins now: later its node has killed it.
    fn until(&self, patience: Duration) -> Duration {
        let answered = self.reach.elapsed() + patience + TAKING_BACK;
        (answered + KILLED).min(self.limits.whole.max(answered))
    }
}

fn nothing() -> Answer {
    Answer::new(Class::Done, Outcome::Nothing, None)
}

fn no_erlrc() -> Answer {
    let reason = "erlrc is not on the code path of the node";
    Answer::new(Class::Refused, Outcome::NoErlrc, Some(reason.to_owned()))
}

fn malformed() -> Answer {
    Answer::new(Class::Unreachable, Outcome::Malformed, Some(chain(&odd())))
}

fn odd() -> NodeError {
    NodeError::Malformed {
        stage: Stage::Call,
        source: None,
    }
}

/// A stopped application that could not be unloaded is stopped all the same.
fn combine(first: Answer, second: Answer) -> Answer {
    let mut warnings = first.warnings;
    warnings.extend(second.warnings);
    if second.class != Class::Done {
        let reason = second
            .reason
            .map_or_else(String::new, |reason| format!(": {reason}"));
        warnings.push(format!("not unloaded: {}{reason}", second.outcome));
    }
    Answer {
        warnings,
        running: second.running,
        ..first
    }
}
