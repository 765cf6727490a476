//! No answer came to an operation: the node is asked what it runs, nothing is assumed.

use super::answer::Answer;
use super::ask::{Asker, chain, malformed};
use super::operation::{Operation, Step};
use super::request::what_runs;
use crate::cli::nodes;
use crate::node::{Deadline, NodeError};
use crate::outcome::{Class, Outcome};
use crate::rendezvous::Entry;
use crate::term::Term;
use std::time::Duration;

/// How often a node that is on its way down is asked.
const PAUSE: Duration = Duration::from_millis(50);

impl Asker<'_> {
    /// Asks what runs, over a connection of its own. A node that is on its way down may still take
    /// connections and close them: it is asked until it answers or is gone.
    fn ask_again(
        &self,
        entry: &Entry,
        operation: &Operation,
        deadline: Deadline,
    ) -> Result<Term, NodeError> {
        loop {
            let asked = nodes::connect(entry, self.connection)
                .and_then(|mut node| node.call(what_runs(&operation.application), deadline));
            match asked {
                Err(NodeError::Lost { .. } | NodeError::CookieRefused)
                    if deadline.left().is_some() =>
                {
                    std::thread::sleep(PAUSE);
                }
                settled => return settled,
            }
        }
    }

    /// No answer came: what does the node run?
    pub(super) fn aftermath(
        &self,
        entry: &Entry,
        operation: &Operation,
        error: &NodeError,
    ) -> Answer {
        let deadline = Deadline::after(self.connection.connect_timeout);
        let word = match error {
            NodeError::Hung { .. } => Outcome::TimedOut,
            NodeError::Malformed { .. } => Outcome::Malformed,
            _ => Outcome::Lost,
        };
        let asked = self.ask_again(entry, operation, deadline);
        let running = match asked {
            Ok(term) => match Answer::parse(&term) {
                Some(answer) => answer.running,
                None => return malformed(),
            },
            Err(NodeError::Undefined { .. }) => {
                let reason = format!("{}; the node cannot say what it runs", chain(error));
                return Answer::new(Class::RolledBack, word, Some(reason));
            }
            Err(NodeError::Down { .. }) => {
                let reason = format!("{}; the node is down now", chain(error));
                return Answer::new(Class::NotRolledBack, Outcome::NodeDied, Some(reason));
            }
            Err(again) => {
                let reason = format!("{}; asked again: {}", chain(error), chain(&again));
                return Answer::new(Class::Unreachable, word, Some(reason));
            }
        };
        let now = running
            .as_deref()
            .map_or("does not run it now".to_owned(), |vsn| {
                format!("runs {vsn} now")
            });
        let reached = running.as_deref() == operation.result();
        let note = format!("{}; the node {now}", chain(error));
        // Nothing tells that it was unloaded.
        let answer = if reached && !matches!(operation.step, Step::Unload(_)) {
            let done = Answer::new(Class::Done, operation.done(), None);
            Answer {
                warnings: vec![note],
                ..done
            }
        } else {
            let doubt = match error {
                NodeError::Hung { .. } => " and may still be at work, `erlrc status` tells",
                _ => "",
            };
            Answer::new(Class::RolledBack, word, Some(format!("{note}{doubt}")))
        };
        Answer { running, ..answer }
    }
}
