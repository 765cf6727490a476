//! One operation over several nodes, all or none: prepare, commit, resolve.
//!
//! Where several nodes change their version, all are asked beforehand, and one that would refuse keeps all of them
//! from beginning. Then they change one after the other, each but the last keeping its way back open. At the end all
//! are confirmed, or, where one has failed, taken back; but nobody is taken back while another node may still be on
//! its way to the new version. A node that cannot be spoken to is no failure.

use super::answer::Answer;
use super::ask::{Asker, Limits};
use super::link::{Gate, Open, Reach};
use super::operation::Operation;
use super::options::{Hold, Over};
use crate::identity::NodeName;
use crate::outcome::{Class, Outcome};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whether the operation is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is.
    Perform,
    /// Each node says what it would do.
    Plan,
}

/// How an operation goes over nodes.
pub struct Round<'a, R: Reach> {
    /// How they are reached.
    pub reach: &'a R,
    /// How long it may take.
    pub limits: Limits,
    /// Whether it is carried out.
    pub purpose: Purpose,
    /// What each node has to pass beforehand.
    pub gate: &'a dyn Gate<R::Link>,
    /// Which failures do not end the round: what happens to that node is the caller's.
    pub tolerates: &'a dyn Fn(&NodeName, &Answer) -> bool,
}

/// What happens in a round, as it happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// A node has had its turn.
    Node {
        /// The node.
        node: &'a NodeName,
        /// How it ended there.
        answer: &'a Answer,
        /// Whether the caller tolerates that.
        tolerated: bool,
    },
    /// Something about a node that was changed.
    Warning {
        /// The node.
        node: &'a NodeName,
        /// What it is.
        text: String,
    },
    /// Nodes that were changed are taken back, from now on.
    TakingBack,
    /// A node that was changed has had its turn to go back.
    TakenBack {
        /// The node.
        node: &'a NodeName,
        /// How it ended.
        answer: &'a Answer,
    },
    /// A node that was changed stays so, for another one may be on its way to the same.
    Left {
        /// The node.
        node: &'a NodeName,
        /// The other one.
        other: &'a NodeName,
    },
}

impl Event<'_> {
    /// What it means for the round as a whole.
    pub fn class(&self) -> Class {
        match self {
            Self::Node {
                tolerated: false,
                answer,
                ..
            }
            | Self::TakenBack { answer, .. } => answer.class,
            Self::Left { .. } => Class::NotRolledBack,
            Self::Node { .. } | Self::Warning { .. } | Self::TakingBack => Class::Done,
        }
    }
}

/// What a round came to.
#[derive(Debug)]
pub struct Outcomes {
    /// The class of the worst answer, those tolerated left out.
    pub class: Class,
    /// The nodes' answers, in the order in which they were asked.
    pub answers: Vec<(NodeName, Answer)>,
    /// Whether what was changed has been changed back.
    pub undone: bool,
}

/// What the nodes would say, asked before any of them begins.
#[derive(Debug, Default)]
struct Votes {
    answers: BTreeMap<NodeName, Answer>,
    /// Whether a node would refuse.
    refused: bool,
    /// The last node that would do something.
    last: Option<NodeName>,
}

/// Whether a node has been asked what it would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Before,
    Never,
}

/// How far a round has come.
#[derive(Default)]
pub(super) struct Turns {
    pub(super) answers: Vec<(NodeName, Answer)>,
    pub(super) changed: Vec<Changed>,
    /// Whether a node has failed.
    pub(super) stopped: bool,
}

/// A node that was changed.
pub(super) struct Changed {
    pub(super) node: NodeName,
    /// What was carried out there.
    pub(super) done: Operation,
    pub(super) outcome: Outcome,
    /// Whether it was to keep its way back open, and under which number it does.
    pub(super) to_hold: bool,
    pub(super) held: Option<String>,
}

impl<R: Reach> Round<'_, R> {
    /// Does `operations` on `nodes`; the first decides the outcome, the others follow where it succeeds. `tell` hears
    /// of everything as it happens.
    pub fn over(
        &self,
        nodes: &[NodeName],
        operations: &[Operation],
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Outcomes {
        let mut class = Class::Done;
        let Some(operation) = operations.first() else {
            return Outcomes {
                class,
                answers: Vec::new(),
                undone: false,
            };
        };
        let mut tell = |event: Event<'_>| {
            class = class.worse(event.class());
            tell(event);
        };
        let votes = self.prepare(nodes, operation);
        let turns = self.commit(nodes, operations, &votes, &mut tell);
        let undone = self.resolve(operation, &turns, &mut tell);
        Outcomes {
            class,
            answers: turns.answers,
            undone,
        }
    }

    /// Asks what the nodes would do, where several are to change their version together.
    fn prepare(&self, nodes: &[NodeName], operation: &Operation) -> Votes {
        let mut votes = Votes::default();
        if self.purpose == Purpose::Plan || !operation.replaces() || nodes.len() < 2 {
            return votes;
        }
        let provisional = operation.options.provisional.is_some();
        let held = self.holding(std::slice::from_ref(operation), nodes);
        // A node that cannot keep its way back open is to say so.
        let asked = held.first().filter(|_| provisional).unwrap_or(operation);
        for node in nodes {
            let patience = self.left().min(self.limits.node);
            let answer = self.asker().foresee(node, asked, self.gate, patience);
            let answer = understood(operation, answer);
            let tolerated = (self.tolerates)(node, &answer);
            votes.note(node, answer, tolerated);
        }
        votes
    }

    /// The nodes' turns, until one fails.
    fn commit(
        &self,
        nodes: &[NodeName],
        operations: &[Operation],
        votes: &Votes,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Turns {
        let mut turns = Turns::default();
        for node in nodes {
            let provisional = operations.first().and_then(|one| one.options.provisional);
            let to_hold = votes.to_hold(node) || provisional.is_some();
            let mut answer = match votes.answer(node) {
                _ if turns.stopped => not_tried(),
                Some(answer) => answer,
                None if to_hold => {
                    self.one(node, &self.holding(operations, nodes), votes.asked(node))
                }
                None => self.one(node, operations, votes.asked(node)),
            };
            if answer.outcome != Outcome::NotTried {
                votes.add_warnings(node, &mut answer);
            }
            let tolerated = (self.tolerates)(node, &answer);
            turns.stopped |= answer.class.is_failure() && !tolerated;
            tell(Event::Node {
                node,
                answer: &answer,
                tolerated,
            });
            let done = operations.first().filter(|done| done.changed(&answer));
            if let (Purpose::Perform, Some(done)) = (self.purpose, done) {
                turns.changed.push(Changed {
                    node: node.clone(),
                    done: done.carried_out(&answer),
                    outcome: answer.outcome.clone(),
                    to_hold,
                    held: answer.held.clone(),
                });
            }
            turns.answers.push((node.clone(), answer));
        }
        turns
    }

    /// The turn of a node; one that has passed the gate does not meet it again.
    fn one(&self, node: &NodeName, operations: &[Operation], asked: Asked) -> Answer {
        let gate: &dyn Gate<R::Link> = match asked {
            Asked::Before => &Open,
            Asked::Never => self.gate,
        };
        let left = self.left();
        let patience = left.min(self.limits.node);
        let answer = match self.purpose {
            _ if left.is_zero() => out_of_time(self.limits.whole),
            Purpose::Plan => self.asker().plan(node, operations, patience),
            Purpose::Perform => self.asker().ask(node, operations, gate, patience),
        };
        operations
            .first()
            .map_or(answer.clone(), |one| understood(one, answer))
    }

    /// The same with the way back kept open for as long as it may be wanted: where it waits for a person, from when the
    /// last node is through.
    fn holding(&self, operations: &[Operation], nodes: &[NodeName]) -> Vec<Operation> {
        let left = self.left() + self.limits.node;
        let held = operations.iter().cloned().map(|mut operation| {
            let hold = match operation.options.provisional {
                None => (left, Over::Confirm),
                Some(time) if nodes.len() == 1 => (time, Over::Revert),
                Some(time) => (left + time, Over::Revert),
            };
            operation.options.hold = Some(Hold {
                time: hold.0,
                over: hold.1,
            });
            operation
        });
        held.collect()
    }

    fn left(&self) -> Duration {
        self.limits.whole.saturating_sub(self.reach.elapsed())
    }

    pub(super) fn asker(&self) -> Asker<'_, R> {
        Asker {
            reach: self.reach,
            limits: self.limits,
        }
    }
}

impl Votes {
    fn note(&mut self, node: &NodeName, answer: Answer, tolerated: bool) {
        // An older erlrc does not know the question.
        let known = !matches!(answer.outcome, Outcome::BadRequest | Outcome::NoErlrc);
        if !known || answer.outcome == Outcome::Planned {
            self.last = Some(node.clone());
        }
        if known {
            self.refused |= answer.class.is_failure() && !tolerated;
            self.answers.insert(node.clone(), answer);
        }
    }

    /// What is to be said of `node` without asking it once more.
    fn answer(&self, node: &NodeName) -> Option<Answer> {
        match self.answers.get(node) {
            Some(answer) if matches!(answer.class, Class::Unreachable | Class::Absent) => {
                Some(answer.clone())
            }
            Some(answer) if self.refused && answer.class.is_failure() => Some(answer.clone()),
            _ => self.refused.then(not_tried),
        }
    }

    fn asked(&self, node: &NodeName) -> Asked {
        match self.answers.contains_key(node) {
            true => Asked::Before,
            false => Asked::Never,
        }
    }

    /// What was said when `node` was asked is said with its answer.
    fn add_warnings(&self, node: &NodeName, answer: &mut Answer) {
        let said = self.answers.get(node).into_iter();
        for warning in said.flat_map(|said| &said.warnings) {
            if !answer.warnings.contains(warning) {
                answer.warnings.push(warning.clone());
            }
        }
    }

    /// Whether `node` is to keep its way back open.
    fn to_hold(&self, node: &NodeName) -> bool {
        self.last.as_ref().is_some_and(|last| last != node)
    }
}

/// A node that does not know what a provisional upgrade is has refused it.
fn understood(operation: &Operation, answer: Answer) -> Answer {
    let old = matches!(answer.outcome, Outcome::BadRequest | Outcome::NoErlrc);
    if !old || operation.options.provisional.is_none() {
        return answer;
    }
    let reason = "its erlrc knows no provisional upgrades and would stay on the new version; upgrade erlrc there first, or \
                  leave --provisional out";
    Answer::new(Class::Refused, Outcome::TooOld, Some(reason.to_owned()))
}

fn not_tried() -> Answer {
    Answer::new(Class::Absent, Outcome::NotTried, None)
}

fn out_of_time(whole: Duration) -> Answer {
    let reason = format!("the {} s of the whole hook are over", whole.as_secs_f64());
    Answer::new(Class::Refused, Outcome::NotTried, Some(reason))
}
