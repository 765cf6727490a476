//! Runs: changes of packages that `erlrc apply` makes as one step, with one way back.
//!
//! A run has a name, a snapshot from before it, and a record in a directory of the host. One is begun at a time: the
//! one that is under way, waits to be confirmed, or ended in the midst keeps all others out until it is settled.
//!
//! * [`record`]: what a run says about itself, and when it goes back by itself (core).
//! * [`store`]: the directory of runs and its lock.
//! * [`apt`]: what apt would do, and apt itself.
//!
//! Must not print.

pub mod apt;
mod error;
pub mod record;
pub mod store;

pub use error::RunError;
pub use record::{Change, Deadline, Outcome, Run};
pub use store::{Claim, Store};
