//! Nodes that are made up: what they answer, and what becomes of an operation whose answer is lost.

use super::super::{Answer, NodeLink, Reach};
use crate::identity::NodeName;
use crate::node::{Call, NodeError, Stage};
use crate::outcome::{Class, Outcome};
use crate::term::{Atom, Term};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a node that is made up does with an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It does it.
    Does,
    /// It would refuse, and does.
    Refuses,
    /// Its script fails, and it is as before.
    Fails,
    /// Its script fails, and it is not as before.
    Breaks,
    /// It does not run.
    Down,
    /// It cannot be spoken to.
    Closed,
    /// The connection is lost; then this.
    Lost(End),
    /// No answer comes in time; then this.
    Hangs(End),
    /// The process that answers dies; then this.
    ServerDies(End),
}

/// What becomes of an upgrade whose answer did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It ends well, after so many questions.
    Well(u32),
    /// It fails after so many questions.
    Badly(u32),
    /// It never reached the node.
    Never,
    /// It does not end.
    Endless,
    /// The node does not answer any more.
    Silence,
    /// The node dies.
    Death,
    /// The node is stopped.
    Stop,
}

/// What the node does beside that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits {
    /// It does not know the questions `dry_run` and `outcome`.
    pub(super) old: bool,
    /// It keeps no way back open.
    pub(super) forgets: bool,
    /// It understands only holds that end in the new version.
    pub(super) numbers: bool,
    /// Its way back fails.
    pub(super) stuck: bool,
    /// It is down once it has been changed.
    pub(super) dies: bool,
}

pub(super) struct Fake {
    pub(super) way: Way,
    pub(super) traits: Traits,
    pub(super) running: &'static str,
    pub(super) held: bool,
    /// Questions for the end, so far.
    pub(super) asked: u32,
    pub(super) lost: bool,
    pub(super) calls: Vec<String>,
}

pub(super) struct Fakes {
    pub(super) nodes: RefCell<BTreeMap<NodeName, Fake>>,
    pub(super) now: Cell<Duration>,
}

pub(super) struct Link<'a> {
    pub(super) fakes: &'a Fakes,
    pub(super) node: NodeName,
}

impl<'a> Reach for &'a Fakes {
    type Link = Link<'a>;
    type Watch = ();

    fn open(&self, node: &NodeName) -> Result<Self::Link, Box<Answer>> {
        let nodes = self.nodes.borrow();
        let fake = &nodes[node];
        let end = fake.lost.then(|| end(fake.way)).flatten();
        let absent = match (fake.way, end) {
            (Way::Down, _) | (_, Some(End::Death | End::Stop)) => {
                Some((Class::Absent, Outcome::NodeDown))
            }
            _ if fake.traits.dies && fake.running == "2" => {
                Some((Class::Absent, Outcome::NodeDown))
            }
            (Way::Closed, _) => Some((Class::Unreachable, Outcome::EntryRefused)),
            (_, Some(End::Silence)) => Some((Class::Unreachable, Outcome::Hung)),
            _ => None,
        };
        match absent {
            Some((class, outcome)) => Err(Box::new(Answer::new(class, outcome, None))),
            None => Ok(Link {
                fakes: self,
                node: node.clone(),
            }),
        }
    }

    fn unreachable(&self, _node: &NodeName, error: &NodeError) -> Answer {
        let outcome = Outcome::parse(error.outcome()).expect("a word");
        Answer::new(Class::Unreachable, outcome, None)
    }

    fn was_stopped(&self, node: &NodeName) -> bool {
        end(self.nodes.borrow()[node].way) == Some(End::Stop)
    }

    fn watch(&self, _node: &NodeName) {}

    fn elapsed(&self) -> Duration {
        self.now.get()
    }

    fn pause(&self) {
        self.now.set(self.now.get() + Duration::from_millis(50));
    }
}

fn end(way: Way) -> Option<End> {
    match way {
        Way::Lost(end) | Way::Hangs(end) | Way::ServerDies(end) => Some(end),
        _ => None,
    }
}

impl NodeLink for Link<'_> {
    fn call(&mut self, call: Call, patience: Duration) -> Result<Term, NodeError> {
        let mut nodes = self.fakes.nodes.borrow_mut();
        let fake = nodes.get_mut(&self.node).expect("a node");
        let request = call.arguments.first().expect("a request");
        let name = request.get("operation").and_then(Term::as_atom);
        let name = name.map_or("", Atom::as_str).to_owned();
        fake.calls.push(name.clone());
        let answer = fake.request(&name, request);
        if matches!(answer, Err(NodeError::Hung { .. })) {
            self.fakes.now.set(self.fakes.now.get() + patience);
        }
        answer
    }
}

impl Fake {
    fn request(&mut self, name: &str, request: &Term) -> Result<Term, NodeError> {
        Ok(match name {
            "dry_run" | "outcome" if self.traits.old => answer("refused", "bad_request", self),
            // It has heard of no pair.
            "dry_run" | "upgrade" if self.traits.numbers && is_pair(request) => {
                answer("refused", "bad_request", self)
            }
            "upgrade" if self.traits.old && is_pair(request) => {
                answer("refused", "bad_request", self)
            }
            "dry_run" if self.way == Way::Refuses => answer("refused", "version_mismatch", self),
            "dry_run" => answer("ok", "planned", self),
            "upgrade" => return self.upgrade(request),
            "downgrade" if self.traits.stuck => answer("failed", "script_failed", self),
            "downgrade" => {
                self.running = "1";
                answer("ok", "downgraded", self)
            }
            "prolong" => answer("ok", "held", self),
            "confirm" => {
                self.held = false;
                answer("ok", "confirmed", self)
            }
            "revert" => self.revert(),
            "outcome" => self.outcome(),
            "status" => self.status(),
            _ => answer("ok", "running", self),
        })
    }

    fn upgrade(&mut self, request: &Term) -> Result<Term, NodeError> {
        let hold = request.get("options").and_then(|term| term.get("hold"));
        match self.way {
            Way::Refuses => return Ok(answer("refused", "version_mismatch", self)),
            Way::Fails => return Ok(answer("failed", "script_failed", self)),
            Way::Breaks => return Ok(answer("not_rolled_back", "not_rolled_back", self)),
            Way::Lost(_) | Way::Hangs(_) | Way::ServerDies(_) => {
                self.lost = true;
                return Err(lost(self.way));
            }
            _ => {}
        }
        self.running = "2";
        self.held = hold.is_some() && !self.traits.forgets;
        Ok(answer("ok", "upgraded", self))
    }

    fn revert(&mut self) -> Term {
        if !std::mem::take(&mut self.held) {
            return answer("refused", "not_held", self);
        }
        if self.traits.stuck {
            return answer("not_rolled_back", "not_rolled_back", self);
        }
        self.running = "1";
        answer("ok", "reverted", self)
    }

    fn outcome(&mut self) -> Term {
        match self.stand() {
            None => answer("ok", "unknown_operation", self),
            Some(None) => answer("ok", "in_progress", self),
            Some(Some(own)) => {
                let Term::Map(mut pairs) = answer("ok", "ended", self) else {
                    unreachable!()
                };
                pairs.push((Term::atom("answer"), own));
                Term::map(pairs)
            }
        }
    }

    fn status(&mut self) -> Term {
        let at_work = self.traits.old && matches!(self.stand(), Some(None));
        let Term::Map(mut pairs) = answer("ok", "status", self) else {
            unreachable!()
        };
        if at_work {
            pairs.push((Term::atom("operation"), Term::NIL));
        }
        Term::map(pairs)
    }

    /// How the lost operation stands: unknown, in progress, or its answer.
    fn stand(&mut self) -> Option<Option<Term>> {
        self.asked += 1;
        match end(self.way).filter(|_| self.lost)? {
            End::Well(after) if self.asked > after => {
                self.running = "2";
                Some(Some(answer("ok", "upgraded", self)))
            }
            End::Badly(after) if self.asked > after => {
                Some(Some(answer("failed", "script_failed", self)))
            }
            End::Never => None,
            _ => Some(None),
        }
    }
}

fn is_pair(request: &Term) -> bool {
    let hold = request.get("options").and_then(|term| term.get("hold"));
    hold.is_some_and(|hold| hold.as_tuple().is_some())
}

fn answer(status: &'static str, outcome: &'static str, fake: &Fake) -> Term {
    let mut pairs = vec![
        (Term::atom("status"), Term::atom(status)),
        (Term::atom("outcome"), Term::atom(outcome)),
        (Term::atom("running"), Term::binary(fake.running)),
    ];
    if fake.held {
        pairs.push((Term::atom("held"), Term::binary("7")));
    }
    Term::map(pairs)
}

fn lost(way: Way) -> NodeError {
    let stage = Stage::Call;
    match way {
        Way::Hangs(_) => NodeError::Hung {
            stage,
            after: Duration::ZERO,
        },
        Way::ServerDies(_) => NodeError::CallFailed {
            reason: "killed".to_owned(),
        },
        _ => NodeError::Lost {
            stage,
            source: None,
        },
    }
}
