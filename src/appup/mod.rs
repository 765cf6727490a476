//! Appups: the instructions that take an application from one version to another and back (appup(5)).
//!
//! Generation is a pure function of [`Facts`]; must not do I/O. What reads the modules is
//! [`crate::beam`].

mod check;
pub mod facts;
mod generate;
mod graph;
mod instruction;
mod kind;
mod order;
mod reason;
mod replacement;
mod shipped;
mod steering;
#[cfg(test)]
mod tests;
mod warning;

pub use facts::Facts;
pub use generate::{Generated, Step, generate};
pub use instruction::{Direction, Instruction, Mfa, Purge, Timeout};
pub use reason::Reason;
pub use shipped::{Shipped, ShippedError};
pub use steering::BadAttribute;
pub use warning::Warning;
