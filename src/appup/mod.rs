//! Appups: the instructions that take an application from one version to another and back (appup(5)).
//!
//! Generation is a pure function of [`Facts`]; must not do I/O. What reads the modules is
//! [`crate::beam`].

pub mod after_commit;
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
pub use kind::{CODE_CHANGES, ModuleKind, Signs, behaviours};
pub use reason::Reason;
pub use shipped::{Shipped, ShippedError};
pub use steering::BadAttribute;
pub use warning::Warning;

use crate::term::Atom;

/// The applications that the emulator itself runs on. If one of them changes, OTP's release
/// upgrades restart the emulator, so a running node does not replace them.
pub const SYSTEM_APPLICATIONS: [&str; 4] = ["erts", "kernel", "stdlib", "sasl"];

/// Whether an application is one of [`SYSTEM_APPLICATIONS`].
pub fn is_system(application: &Atom) -> bool {
    SYSTEM_APPLICATIONS.contains(&application.as_str())
}
