//! Distribution client: speaks to a running node as a hidden node would, synchronously.
//!
//! [`connect()`] finds the node and shakes hands; [`Node::call`] calls a function in it through its
//! `rex` server, in the dialect of C nodes. Arguments travel as terms: nothing is ever evaluated
//! but what [`Node::eval`] is given. One thread, one connection, `std::net` alone.
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
mod tls;

pub use call::Call;
pub use connect::{Options, Reach, Target, connect};
pub use deadline::Deadline;
pub use error::{Absence, NodeError, Stage};
pub use eval::Evaluation;
pub use link::Node;
