//! From entries on disk to connections: the meeting of `rendezvous` and `node`.

use super::{Common, Connection, Failure, Status};
use crate::identity::NodeName;
use crate::node::{self, Node, NodeError, Options, Reach, Target};
use crate::rendezvous::{self, Entries, Entry, RendezvousError};

/// The entries of this host's nodes, a person's before the nodes' own.
pub fn entries(common: &Common, connection: &Connection) -> Result<Entries, Failure> {
    rendezvous::entries(&[common.root.join("nodes"), connection.run.clone()])
        .map_err(|error| Failure::new(Status::Failed, error))
}

/// Connects to the node of `entry`.
pub fn connect(entry: &Entry, connection: &Connection) -> Result<Node, NodeError> {
    let target = Target {
        name: entry.name.clone(),
        port: entry.port,
        host: entry.host.clone(),
        cookie: entry.cookie.clone(),
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
    let (exact, similar): (Vec<_>, Vec<_>) = entries
        .into_iter()
        .filter(|(known, _)| known.local() == name.local())
        .filter(|(known, _)| {
            name.host().is_none() || known.host().is_none_or(|h| Some(h) == name.host())
        })
        .partition(|(known, _)| known == name);
    let mut found = if exact.is_empty() { similar } else { exact };
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(LookupError::Unknown { name: name.clone() }),
        (Some((_, entry)), true) => entry.map_err(|source| LookupError::Refused {
            name: name.clone(),
            source,
        }),
        (Some(last), false) => {
            let mut candidates: Vec<String> =
                found.iter().map(|(name, _)| name.to_string()).collect();
            candidates.push(last.0.to_string());
            Err(LookupError::Ambiguous {
                name: name.clone(),
                candidates,
            })
        }
    }
}
