//! One operation on one node: connect, see whether it is ours to touch, ask, and when no answer comes
//! ask what it runs instead of assuming anything.

use super::answer::Answer;
use super::operation::{Operation, Settling};
use super::place;
use super::preflight::{Decision, Preflight};
use super::progress::Progress;
use crate::cli::{Connection, nodes, output};
use crate::node::{Call, Deadline, Node, NodeError, Stage};
use crate::outcome::{Class, Outcome};
use crate::rendezvous::Entry;
use crate::term::Term;
use std::error::Error;
use std::time::Duration;

/// How to reach nodes, and how long to wait for them.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// How to connect.
    pub connection: &'a Connection,
}

impl Asker<'_> {
    /// Asks the node of `entry` for `operations`, one after the other as long as they succeed. The
    /// answer is that to the first; what becomes of the others shows in its outcome and warnings.
    pub fn ask(
        &self,
        entry: &Entry,
        operations: &[Operation],
        preflight: &Preflight<'_>,
        patience: Duration,
    ) -> Answer {
        let mut node = match open(entry, self.connection) {
            Ok(node) => node,
            Err(answer) => return *answer,
        };
        let warnings = match preflight.decide(&mut node, Deadline::after(patience)) {
            Ok(Decision::Go(warnings)) => warnings,
            Ok(Decision::Refuse(answer)) => return *answer,
            Err(error) => {
                return match operations.first() {
                    Some(operation) => self.failed(entry, operation, &error),
                    None => unreachable(entry, &error),
                };
            }
        };
        let mut result: Option<Answer> = None;
        for operation in operations {
            let answer = self.perform(entry, &mut node, operation, patience);
            let go_on = matches!(answer.class, Class::Done | Class::Absent);
            result = Some(match result {
                None => answer,
                Some(first) => combine(first, answer),
            });
            if !go_on {
                break;
            }
        }
        let mut answer = result.unwrap_or_else(|| Answer::new(Class::Done, Outcome::Nothing, None));
        answer.warnings.extend(warnings);
        answer
    }

    /// Whether the node of `entry` would refuse `operation`, by the plan or by its own word.
    pub fn foresee(
        &self,
        entry: &Entry,
        operation: &Operation,
        preflight: &Preflight<'_>,
        patience: Duration,
    ) -> Answer {
        let mut node = match open(entry, self.connection) {
            Ok(node) => node,
            Err(answer) => return *answer,
        };
        match preflight.decide(&mut node, Deadline::after(patience)) {
            Ok(Decision::Go(_)) => self.dry_run(entry, &mut node, operation, patience),
            Ok(Decision::Refuse(answer)) => *answer,
            Err(error) => self.failed(entry, operation, &error),
        }
    }

    /// What the first of `operations` would do on the node of `entry`.
    pub fn plan(&self, entry: &Entry, operations: &[Operation], patience: Duration) -> Answer {
        let Some(operation) = operations.first() else {
            return Answer::new(Class::Done, Outcome::Nothing, None);
        };
        match open(entry, self.connection) {
            Ok(mut node) => self.dry_run(entry, &mut node, operation, patience),
            Err(answer) => *answer,
        }
    }

    fn dry_run(
        &self,
        entry: &Entry,
        node: &mut Node,
        operation: &Operation,
        patience: Duration,
    ) -> Answer {
        match node.call(operation.dry_run(patience), called_off(patience)) {
            Ok(term) => Answer::parse(&term).unwrap_or_else(malformed),
            Err(error) => self.failed(entry, operation, &error),
        }
    }

    /// What the node of `entry` answers to `calls`, `None` to those that it cannot carry out; or why it
    /// does not.
    pub fn query(&self, entry: &Entry, calls: Vec<Call>) -> Result<Vec<Option<Term>>, Box<Answer>> {
        let mut node = open(entry, self.connection)?;
        let mut answers = Vec::new();
        for call in calls {
            let deadline = Deadline::after(self.connection.connect_timeout);
            answers.push(match node.call(call, deadline) {
                Ok(term) => Some(term),
                Err(NodeError::Undefined { .. } | NodeError::CallFailed { .. }) => None,
                Err(error) => return Err(Box::new(unreachable(entry, &error))),
            });
        }
        Ok(answers)
    }

    /// Confirms or takes back what the node of `entry` holds of `operation`.
    pub fn settle(
        &self,
        entry: &Entry,
        operation: &Operation,
        (how, held): (Settling, Option<&str>),
        patience: Duration,
    ) -> Answer {
        let mut node = match open(entry, self.connection) {
            Ok(node) => node,
            Err(answer) => return *answer,
        };
        let call = operation.settle(how, held, patience);
        match node.call(call, called_off(patience)) {
            Ok(term) => Answer::parse(&term).unwrap_or_else(malformed),
            Err(error) => {
                let reverse = operation.reverse(&operation.done());
                let becomes = match how {
                    Settling::Confirm => operation,
                    Settling::Revert => reverse.as_ref().unwrap_or(operation),
                };
                self.failed(entry, becomes, &error)
            }
        }
    }

    fn perform(
        &self,
        entry: &Entry,
        node: &mut Node,
        operation: &Operation,
        patience: Duration,
    ) -> Answer {
        let deadline = called_off(patience);
        let progress = Progress::of(entry, self.connection);
        let asked = node.call(operation.request(patience), deadline);
        drop(progress);
        match asked {
            Ok(term) => match Answer::parse(&term) {
                Some(answer) if is_understood(operation, &answer) => answer,
                _ => self.aftermath(entry, operation, &odd()),
            },
            Err(NodeError::Undefined { .. }) => {
                match node.call(operation.direct_call(), deadline) {
                    Ok(term) => Answer::of_result(operation, &term),
                    Err(error) => self.failed(entry, operation, &error),
                }
            }
            Err(error) => self.failed(entry, operation, &error),
        }
    }

    fn failed(&self, entry: &Entry, operation: &Operation, error: &NodeError) -> Answer {
        match error {
            NodeError::Undefined { .. } => {
                let reason = "erlrc is not on the code path of the node";
                Answer::new(Class::Refused, Outcome::NoErlrc, Some(reason.to_owned()))
            }
            NodeError::CallFailed { .. } => {
                Answer::new(Class::RolledBack, Outcome::CallFailed, Some(chain(error)))
            }
            NodeError::Hung {
                stage: Stage::Call, ..
            }
            | NodeError::Lost {
                stage: Stage::Call, ..
            }
            | NodeError::Flooded { .. } => self.aftermath(entry, operation, error),
            error => unreachable(entry, error),
        }
    }
}

/// Connects, unless the node is none of ours.
pub fn open(entry: &Entry, connection: &Connection) -> Result<Node, Box<Answer>> {
    let deadline = Deadline::after(connection.connect_timeout);
    let mut node =
        nodes::connect(entry, connection).map_err(|error| Box::new(unreachable(entry, &error)))?;
    match place::is_shared(&mut node, connection, deadline) {
        Ok(true) => Ok(node),
        Ok(false) => {
            let reason = "left alone: it does not see the file system of this hook";
            let answer = Answer::new(Class::Absent, Outcome::OtherRoot, Some(reason.to_owned()));
            Err(Box::new(answer))
        }
        Err(error) => Err(Box::new(unreachable(entry, &error))),
    }
}

/// Until when there is an answer: a node that calls an operation off has to take back what it did.
pub fn called_off(patience: Duration) -> Deadline {
    Deadline::after(patience + TAKING_BACK)
}

/// How long a node may take for that before it is asked what it runs.
const TAKING_BACK: Duration = Duration::from_secs(5);

/// Whether an answer that claims a success claims one of this operation.
fn is_understood(operation: &Operation, answer: &Answer) -> bool {
    answer.class != Class::Done || operation.is_achieved_by(&answer.outcome)
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

/// What it means to a hook that a node cannot be spoken to.
pub fn unreachable(entry: &Entry, error: &NodeError) -> Answer {
    // The port of an entry that a node wrote, and left behind when it died, is another's by now.
    let stale = entry.managed && matches!(error, NodeError::WrongNode { .. });
    if stale || error.is_down() {
        return Answer::new(Class::Absent, Outcome::NodeDown, None);
    }
    let outcome = Outcome::parse(error.outcome()).unwrap_or(Outcome::Error);
    Answer::new(Class::Unreachable, outcome, Some(chain(error)))
}

pub(super) fn malformed() -> Answer {
    let reason = "the node's answer is not understood".to_owned();
    Answer::new(Class::Unreachable, Outcome::Malformed, Some(reason))
}

/// An error and its causes on one line.
pub fn chain(error: &dyn Error) -> String {
    let causes: Vec<String> = std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect();
    output::printable(&causes.join(": "))
}
