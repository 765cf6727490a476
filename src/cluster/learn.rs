//! How an operation ended whose answer did not come: it is learnt from that operation, nothing is assumed.
//!
//! The connection was lost, the server in the node died, or the time was over. The node is asked over other
//! connections for the operation that was given this name, until it has ended. A node that does not know it, or not
//! the question, is asked what it is doing until it does nothing any more, and then what it runs.

use super::answer::Answer;
use super::ask::Asker;
use super::link::{NodeLink, Reach};
use super::operation::{Operation, Step};
use super::request::{Id, outcome_of, question, what_runs};
use crate::identity::NodeName;
use crate::line::chain;
use crate::node::NodeError;
use crate::outcome::{Class, Outcome};
use crate::term::Term;
use std::time::Duration;

/// How long a node may take to answer a question that it answers at once.
pub const AT_ONCE: Duration = Duration::from_secs(3);
/// A node that does not know an operation is asked again: the operation may be on its way there.
const UNKNOWN: u32 = 3;

/// What an operation is to lead to.
pub struct Aim<'a> {
    /// The operation, or the one that does the same.
    pub operation: &'a Operation,
    /// The word for its success.
    pub done: Outcome,
}

impl Aim<'_> {
    /// Whether an answer that claims a success claims one of this.
    pub fn is_understood(&self, answer: &Answer) -> bool {
        let own = self.done == self.operation.done();
        answer.class != Class::Done
            || answer.outcome == self.done
            || own && self.operation.is_achieved_by(&answer.outcome)
    }
}

/// An operation that a node was asked for.
pub struct Asked<'a> {
    /// The node.
    pub node: &'a NodeName,
    /// What it is to lead to.
    pub aim: &'a Aim<'a>,
    /// Its name, where it has one.
    pub id: Option<&'a Id>,
    /// Until when its end is asked for, counted from the beginning of all of it.
    pub until: Duration,
}

/// How the operation stands, as far as one question has shown.
enum Stand {
    /// It has ended, and this is its answer.
    Ended(Box<Answer>),
    /// It, or another one, is being carried out.
    AtWork,
    /// The node does not know it and carries nothing out. It runs this version.
    Idle(Option<String>),
    /// The node is being stopped.
    Stopping,
    /// The node does not run any more.
    Down,
    /// The node did not answer the question, or has nothing to answer it with.
    Silent(String),
}

impl<R: Reach> Asker<'_, R> {
    /// The answer to an operation whose own answer was this error.
    pub(super) fn learn(&self, asked: &Asked<'_>, error: &NodeError) -> Answer {
        let mut idle = 0;
        loop {
            let stand = self.stand(asked);
            idle = if matches!(stand, Stand::Idle(_)) {
                idle + 1
            } else {
                0
            };
            match stand {
                Stand::Ended(answer) => return told_late(*answer, error),
                Stand::Idle(running) if idle >= UNKNOWN => {
                    return by_what_runs(asked.aim, running, error);
                }
                Stand::Down => return self.gone(asked.node, error),
                Stand::Idle(_) => self.reach.pause(),
                _ if self.reach.elapsed() < asked.until => self.reach.pause(),
                stand => return unresolved(&stand, error),
            }
        }
    }

    fn stand(&self, asked: &Asked<'_>) -> Stand {
        let mut link = match self.reach.open(asked.node) {
            Ok(link) => link,
            Err(answer) if answer.outcome == Outcome::NodeDown => return Stand::Down,
            Err(answer) => return Stand::Silent(in_words(&answer)),
        };
        match asked.id.map(|id| link.call(outcome_of(id), AT_ONCE)) {
            Some(Ok(term)) => match ended(&term) {
                Some(stand) => stand,
                None => by_status(&mut link, asked.aim),
            },
            Some(Err(error)) => Stand::Silent(chain(&error)),
            None => by_status(&mut link, asked.aim),
        }
    }

    /// The node is down.
    fn gone(&self, node: &NodeName, error: &NodeError) -> Answer {
        if self.reach.was_stopped(node) {
            let reason = "the node was stopped before the operation had ended".to_owned();
            return Answer::new(Class::Absent, Outcome::NodeStopped, Some(reason));
        }
        let reason = format!("{}; the node is down now", chain(error));
        Answer::new(Class::NotRolledBack, Outcome::NodeDied, Some(reason))
    }
}

/// What the answer to the question for the operation says; `None` where the node knows neither.
fn ended(term: &Term) -> Option<Stand> {
    let answer = Answer::parse(term)?;
    match answer.outcome {
        Outcome::InProgress => Some(Stand::AtWork),
        Outcome::NodeStopping => Some(Stand::Stopping),
        Outcome::Ended => {
            let answer = Answer::parse(term.get("answer")?)?;
            Some(Stand::Ended(Box::new(answer)))
        }
        _ => None,
    }
}

/// What the node does, and, where it does nothing, what it runs.
fn by_status<L: NodeLink>(link: &mut L, aim: &Aim<'_>) -> Stand {
    match link.call(question("status"), AT_ONCE) {
        Ok(status) if status.get("operation").is_some() => return Stand::AtWork,
        Ok(_) => {}
        Err(error) => return Stand::Silent(chain(&error)),
    }
    match link.call(what_runs(&aim.operation.application), AT_ONCE) {
        Ok(term) => match Answer::parse(&term) {
            Some(answer) => Stand::Idle(answer.running),
            None => Stand::Silent("the node's answer is not understood".to_owned()),
        },
        Err(error) => Stand::Silent(chain(&error)),
    }
}

fn told_late(answer: Answer, error: &NodeError) -> Answer {
    let mut answer = answer;
    let note = format!("{}; how it ended was asked for again", chain(error));
    answer.warnings.push(note);
    answer
}

/// The node carries nothing out, and this is what it runs.
fn by_what_runs(aim: &Aim<'_>, running: Option<String>, error: &NodeError) -> Answer {
    let now = running
        .as_deref()
        .map_or("does not run it now".to_owned(), |vsn| {
            format!("runs {vsn} now")
        });
    let note = format!("{}; the node {now}", chain(error));
    let reached = running.as_deref() == aim.operation.result();
    // Nothing tells that it was unloaded.
    let answer = if reached && !matches!(aim.operation.step, Step::Unload(_)) {
        Answer {
            warnings: vec![note],
            ..Answer::new(Class::Done, aim.done.clone(), None)
        }
    } else {
        Answer::new(Class::RolledBack, word(error), Some(note))
    };
    Answer { running, ..answer }
}

fn unresolved(stand: &Stand, error: &NodeError) -> Answer {
    let known = match stand {
        Stand::AtWork => "the node is still at work on it".to_owned(),
        Stand::Stopping => "the node is being stopped".to_owned(),
        Stand::Silent(why) => format!("asked again: {why}; the node may still be at work on it"),
        _ => "the node may still be at work on it".to_owned(),
    };
    let reason = format!("{}; {known}, `erlrc status` tells", chain(error));
    Answer::new(Class::Unresolved, word(error), Some(reason))
}

fn word(error: &NodeError) -> Outcome {
    match error {
        NodeError::Hung { .. } => Outcome::TimedOut,
        NodeError::CallFailed { .. } => Outcome::CallFailed,
        NodeError::Malformed { .. } => Outcome::Malformed,
        _ => Outcome::Lost,
    }
}

fn in_words(answer: &Answer) -> String {
    let word = answer.outcome.to_string();
    answer.reason.clone().unwrap_or(word)
}
