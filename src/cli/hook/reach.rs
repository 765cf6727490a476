//! The nodes of this host, as the engine reaches them: by their entries, where they see our file system.

use super::place;
use super::progress::Progress;
use crate::cli::{Connection, nodes};
use crate::cluster::{Answer, Reach, TAKING_BACK};
use crate::identity::NodeName;
use crate::line::chain;
use crate::node::{Call, Deadline, Node, NodeError};
use crate::outcome::{Class, Outcome};
use crate::rendezvous::{Entries, Entry, RendezvousError};
use crate::term::Term;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often a node is asked how an operation ended.
const PAUSE: Duration = Duration::from_millis(50);

/// The nodes that have an entry.
pub struct Nodes<'a> {
    entries: BTreeMap<&'a NodeName, &'a Result<Entry, RendezvousError>>,
    connection: &'a Connection,
    started: Instant,
}

impl<'a> Nodes<'a> {
    /// The nodes of `entries`, for a hook that began at `started`.
    pub fn new(entries: &'a Entries, connection: &'a Connection, started: Instant) -> Self {
        let entries = entries.iter().map(|(name, entry)| (name, entry));
        Self {
            entries: entries.collect(),
            connection,
            started,
        }
    }

    fn entry(&self, node: &NodeName) -> Option<&'a Entry> {
        self.entries.get(node)?.as_ref().ok()
    }
}

impl Reach for Nodes<'_> {
    type Link = Node;
    type Watch = Option<Progress>;

    fn open(&self, node: &NodeName) -> Result<Node, Box<Answer>> {
        match self.entries.get(node) {
            Some(Ok(entry)) => open(entry, self.connection),
            Some(Err(error)) => Err(Box::new(Answer::entry_refused(error))),
            None => Err(Box::new(down())),
        }
    }

    fn unreachable(&self, node: &NodeName, error: &NodeError) -> Answer {
        self.entry(node)
            .map_or_else(down, |entry| unreachable(entry, error))
    }

    /// A node takes the entry that it wrote itself away when it is stopped, and leaves it when it dies.
    fn was_stopped(&self, node: &NodeName) -> bool {
        self.entry(node)
            .is_some_and(|entry| entry.managed && !entry.file.exists())
    }

    fn watch(&self, node: &NodeName) -> Option<Progress> {
        Progress::of(self.entry(node)?, self.connection)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn pause(&self) {
        std::thread::sleep(PAUSE);
    }
}

/// Connects, unless the node is none of ours.
pub fn open(entry: &Entry, connection: &Connection) -> Result<Node, Box<Answer>> {
    let mut node =
        connect(entry, connection).map_err(|error| Box::new(unreachable(entry, &error)))?;
    let deadline = Deadline::after(connection.connect_timeout);
    match place::is_shared(&mut node, connection, deadline) {
        Ok(true) => Ok(node),
        Ok(false) => {
            let reason = "left alone: it does not see the file system of this hook";
            let reason = Some(reason.to_owned());
            Err(Box::new(Answer::new(
                Class::Absent,
                Outcome::OtherRoot,
                reason,
            )))
        }
        Err(error) => Err(Box::new(unreachable(entry, &error))),
    }
}

/// A node that refuses a cookie closes the connection without a word, and so does one that goes down, or that is cut
/// off: only what happens twice is a refusal.
fn connect(entry: &Entry, connection: &Connection) -> Result<Node, NodeError> {
    match nodes::connect(entry, connection) {
        Err(NodeError::CookieRefused) => nodes::connect(entry, connection),
        connected => connected,
    }
}

/// Asks one node at a time, over its entry.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// How to connect.
    pub connection: &'a Connection,
}

impl Asker<'_> {
    /// As [`query`].
    ///
    /// # Errors
    /// The node does not answer.
    pub fn query(&self, entry: &Entry, calls: Vec<Call>) -> Result<Vec<Option<Term>>, Box<Answer>> {
        query(entry, self.connection, calls)
    }
}

/// What the node of `entry` answers to `calls`, `None` to those that it cannot carry out; or why it does not.
pub fn query(
    entry: &Entry,
    connection: &Connection,
    calls: Vec<Call>,
) -> Result<Vec<Option<Term>>, Box<Answer>> {
    let mut node = open(entry, connection)?;
    let mut answers = Vec::new();
    for call in calls {
        let deadline = Deadline::after(connection.connect_timeout);
        answers.push(match node.call(call, deadline) {
            Ok(term) => Some(term),
            Err(NodeError::Undefined { .. } | NodeError::CallFailed { .. }) => None,
            Err(error) => return Err(Box::new(unreachable(entry, &error))),
        });
    }
    Ok(answers)
}

/// Until when there is an answer: a node that calls an operation off has to take back what it did.
pub fn called_off(patience: Duration) -> Deadline {
    Deadline::after(patience + TAKING_BACK)
}

/// What it means to a hook that a node cannot be spoken to.
pub fn unreachable(entry: &Entry, error: &NodeError) -> Answer {
    // The port of an entry that a node wrote, and left behind when it died, is another's by now.
    let stale = entry.managed && matches!(error, NodeError::WrongNode { .. });
    if stale || error.is_down() {
        return down();
    }
    let outcome = Outcome::parse(error.outcome()).unwrap_or(Outcome::Error);
    let reason = match error {
        NodeError::CookieRefused => format!(
            "{}, that of {}",
            chain(error),
            entry.cookie_origin().display()
        ),
        _ => chain(error),
    };
    Answer::new(Class::Unreachable, outcome, Some(reason))
}

fn down() -> Answer {
    Answer::new(Class::Absent, Outcome::NodeDown, None)
}
