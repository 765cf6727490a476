//! What the checks of the nodes' applications say, all nodes asked at once.

use crate::cli::hook::{self, request::question};
use crate::cli::{Common, Connection, Failure, nodes};
use crate::node::{Deadline, NodeError};
use crate::rendezvous::{Entries, Entry};
use crate::status::Health;
use std::time::Duration;

/// A check may take five seconds, and so may a peer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How many nodes are asked at once.
const AT_ONCE: usize = 16;

/// What a node says, or in words why it does not.
pub type Said = (String, Result<Health, String>);

/// Asks the nodes that `wanted` takes.
pub fn health(
    common: &Common,
    connection: &Connection,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Said>, Failure> {
    let mut entries = nodes::entries(common, connection)?;
    entries.retain(|(name, _)| wanted(&name.to_string()));
    Ok(ask(&entries, connection))
}

fn ask(entries: &Entries, connection: &Connection) -> Vec<Said> {
    let mut said = Vec::new();
    for some in entries.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let asked = some.iter().filter_map(|(name, entry)| {
                let entry = entry.as_ref().ok()?;
                Some(scope.spawn(move || (name.to_string(), one(entry, connection))))
            });
            let threads: Vec<_> = asked.collect();
            // A thread that panicked has said so.
            said.extend(threads.into_iter().filter_map(|thread| thread.join().ok()));
        });
    }
    said
}

fn one(entry: &Entry, connection: &Connection) -> Result<Health, String> {
    let mut node = hook::open(entry, connection).map_err(|answer| {
        let reason = answer
            .reason
            .map_or_else(String::new, |why| format!(": {why}"));
        format!("{}{reason}", answer.outcome)
    })?;
    let patience = connection.node_timeout.min(PATIENCE);
    let too_old = || "its checks were not called: its erlrc is too old for that".to_owned();
    match node.call(question("health"), Deadline::after(patience)) {
        Ok(term) => Health::parse(&term).ok_or_else(too_old),
        Err(NodeError::Undefined { .. }) => Err(too_old()),
        Err(error) => Err(format!("its checks say nothing: {}", hook::chain(&error))),
    }
}
