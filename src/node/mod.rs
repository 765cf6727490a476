//! Speaks to a running node, synchronously: by the socket of its erlrc, or as a hidden node would.
//!
//! [`connect_socket`] opens the Unix socket of a node's erlrc; [`connect()`] finds a node by port mapper and
//! port and shakes hands as another node would. Either way [`Node::call`] calls a function in it: by the
//! socket as a request of erlrc's own, else through its `rex` server, in the dialect of C nodes. Arguments
//! travel as terms: nothing is ever evaluated but what [`Node::eval`] is given. One thread, one connection.
//!
//! Must not print, nor read the environment or the node's files; does not know rendezvous entries.

mod call;
mod connect;
mod deadline;
mod epmd;
mod error;
mod eval;
mod handshake;
mod inbox;
mod link;
mod listener;
mod lookup;
mod peer;
mod random;
mod socket;
mod tls;

pub use call::Call;
pub use connect::{Options, Reach, Target, connect};
pub use deadline::Deadline;
pub use epmd::names as known_to_epmd;
pub use error::{Absence, NodeError, Stage};
pub use eval::Evaluation;
pub use peer::Node;
pub use random::random;
pub use socket::connect as connect_socket;
