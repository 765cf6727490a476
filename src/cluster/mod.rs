//! One operation over the nodes of a host: asked beforehand, carried out, confirmed or taken back.
//!
//! `round` goes over several nodes, `ask` deals with one, `learn` finds out how an operation ended whose answer did
//! not come. All of it is generic over `link`: how nodes are reached, and how time passes. `operation`, `request`
//! and `answer` are the words that cross the wire; `foresight` is the verdict on an upgrade before it is begun.
//!
//! Must not print, nor read the environment or the command line: what happens is told to the caller as [`Event`]s.

mod answer;
mod ask;
mod cost;
pub mod foresight;
mod learn;
mod link;
pub mod operation;
mod options;
pub mod request;
mod resolve;
mod round;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Change};
pub use ask::{Asker, Limits, TAKING_BACK};
pub use link::{Decision, Gate, NodeLink, Open, Reach};
pub use options::{Evaluator, Hold, Migration, Mode, Options, Over, ReleaseName};
pub use round::{Event, Outcomes, Purpose, Round};
