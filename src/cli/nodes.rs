//! From entries on disk to connections: the meeting of `rendezvous` and `node`.

use super::{Common, Connection, Failure, Status};
use crate::identity::{Cookie, NodeName};
use crate::node::{self, Deadline, Node, NodeError, Options, Reach, Target};
use crate::places::Root;
use crate::rendezvous::{self, Entries, Entry, Life, RendezvousError};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

/// The entries of this host's nodes, a person's before the nodes' own; of those that were named, where some were.
pub fn entries(common: &Common, connection: &Connection) -> Result<Entries, Failure> {
    let entries = rendezvous::entries(&directories(common, connection))
        .map_err(|error| Failure::new(Status::Failed, error))?;
    if connection.only.is_empty() {
        return Ok(entries);
    }
    selected(&connection.only, entries).map_err(|error| not_found(error, common, connection))
}

/// Where entries are.
fn directories(common: &Common, connection: &Connection) -> [PathBuf; 2] {
    [Root(&common.root).nodes(), connection.run.clone()]
}

/// What is said where there is no entry at all.
pub fn none(common: &Common, connection: &Connection) -> String {
    let [persons, own] = directories(common, connection);
    format!(
        "no nodes: none of {} and {} has an entry",
        persons.display(),
        own.display()
    )
}

/// What is to be said of nodes that the port mapper of this host knows and nobody asks, for they have no entry: a
/// node without erlrc, one whose entry was lost, one that may not write it. `None` where there is none.
pub fn unlisted(entries: &Entries, common: &Common, connection: &Connection) -> Option<String> {
    let deadline = Deadline::after(connection.connect_timeout.min(PATIENCE));
    let loopback = Ipv4Addr::LOCALHOST.into();
    let names = node::known_to_epmd(loopback, connection.epmd_port, deadline).ok()?;
    let names = names.iter().filter_map(|name| NodeName::parse(name));
    let unlisted: Vec<String> = names
        .filter(|name| {
            entries
                .iter()
                .all(|(known, _)| known.local() != name.local())
        })
        .map(|name| name.to_string())
        .collect();
    let [persons, own] = directories(common, connection);
    let text = || {
        format!(
            "not asked: {}, which epmd knows and which has no entry; start erlrc there, as its user may write \
             into {}, or write the cookie into {}/NAME",
            unlisted.join(", "),
            own.display(),
            persons.display()
        )
    };
    (!unlisted.is_empty() && connection.only.is_empty()).then(text)
}

/// How long the port mapper may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// A node that was named and cannot be meant.
pub fn not_found(error: LookupError, common: &Common, connection: &Connection) -> Failure {
    let [persons, own] = directories(common, connection);
    let hint = format!("entries are in {} and {}", persons.display(), own.display());
    Failure::new(Status::Failed, error).hint(hint)
}

/// Those of `entries` that `wanted` names.
fn selected(wanted: &[NodeName], entries: Entries) -> Result<Entries, LookupError> {
    let mut places = BTreeSet::new();
    for name in wanted {
        places.insert(place(name, &entries)?);
    }
    let numbered = entries.into_iter().enumerate();
    let chosen = numbered.filter(|(number, _)| places.contains(number));
    Ok(chosen.map(|(_, entry)| entry).collect())
}

/// Connects to the node of `entry`: by its socket, else as another node would.
pub fn connect(entry: &Entry, connection: &Connection) -> Result<Node, NodeError> {
    let timeout = connection.connect_timeout;
    let Some(socket) = &entry.socket else {
        let cookie = entry.cookie().ok().flatten();
        let cookie = cookie.ok_or(NodeError::NoWay)?;
        return distributed(entry, cookie, connection);
    };
    let error = match node::connect_socket(socket, entry.owner, timeout) {
        Err(error) if error.is_down() => error,
        settled => return settled,
    };
    match (entry.cookie(), entry.life) {
        (Ok(Some(cookie)), _) => distributed(entry, cookie, connection),
        // It is not down: its process runs.
        (_, Life::Alive) => Err(NodeError::NoWay),
        _ => Err(error),
    }
}

fn distributed(entry: &Entry, cookie: Cookie, connection: &Connection) -> Result<Node, NodeError> {
    let target = Target {
        name: entry.name.clone(),
        port: entry.port,
        host: entry.host.clone(),
        cookie,
        listener: entry.listener,
        reach: if entry.may_leave_host {
            Reach::Anywhere
        } else {
            Reach::ThisHost
        },
    };
    let timeout = connection.connect_timeout;
    node::connect(
        &target,
        &Options {
            timeout,
            epmd_port: connection.epmd_port,
        },
    )
}

/// Why there is no one entry for a name.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// There is none.
    #[error("there is no entry for the node {name}")]
    Unknown {
        /// What was asked for.
        name: NodeName,
    },
    /// There are several.
    #[error("{name} may be {}", candidates.join(" or "))]
    Ambiguous {
        /// What was asked for.
        name: NodeName,
        /// The entries.
        candidates: Vec<String>,
    },
    /// The entry must not be used.
    #[error("the entry of the node {name} is refused")]
    Refused {
        /// What was asked for.
        name: NodeName,
        /// Why.
        source: RendezvousError,
    },
}

/// The entry of the node that a person calls `name`, with or without host.
pub fn lookup(name: &NodeName, entries: Entries) -> Result<Entry, LookupError> {
    let place = place(name, &entries)?;
    match entries.into_iter().nth(place) {
        Some((_, entry)) => entry.map_err(|source| LookupError::Refused {
            name: name.clone(),
            source,
        }),
        None => Err(LookupError::Unknown { name: name.clone() }),
    }
}

/// Which of `entries` is that of `name`.
fn place(name: &NodeName, entries: &Entries) -> Result<usize, LookupError> {
    let similar = |known: &NodeName| {
        let hosts = name.host().zip(known.host());
        known.local() == name.local() && hosts.is_none_or(|(one, other)| one == other)
    };
    let numbered = entries.iter().map(|(known, _)| known).enumerate();
    let (exact, similar): (Vec<_>, Vec<_>) = numbered
        .filter(|(_, known)| similar(known))
        .partition(|(_, known)| *known == name);
    let found = if exact.is_empty() { similar } else { exact };
    match found.as_slice() {
        [] => Err(LookupError::Unknown { name: name.clone() }),
        [(place, _)] => Ok(*place),
        several => Err(LookupError::Ambiguous {
            name: name.clone(),
            candidates: several.iter().map(|(_, name)| name.to_string()).collect(),
        }),
    }
}
