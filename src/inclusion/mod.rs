//! Start order and included applications: (facts, event) -> actions.
//!
//! Three statements hold after every transition:
//!
//! 1. Every wanted application runs, is included in one that runs, or is listed as skipped.
//! 2. When an application runs, all that it includes count as running.
//! 3. No application both runs by itself and is included by a running one, unless it did so before:
//!    OTP allows this, and an administrator who does it does it on purpose. Such an application is a
//!    unit of its own; it is left running and counts as running.
//!
//! An application that runs by itself, together with everything that it includes directly or
//! indirectly, is a *unit*. The running application is the *top* of the unit. Units are started and
//! stopped as a whole. An application that depends on a member of a unit depends on its top:
//! application_controller knows only the top, so the loaded specification of every dependent is
//! rewritten to name it, and is restored when the inclusion ends.
//!
//! Must not do I/O: [`crate::installed`] reads the specifications. The time is linear in
//! applications and dependencies, apart from sorting, and nothing recurses.

mod error;
mod event;
mod facts;
mod graph;
mod plan;
mod state;
mod transition;
mod upgrade;
mod world;

#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use event::{Action, Change, Event, Outcome, Transition, Warning};
pub use facts::{Facts, Loaded, Specification};
pub use transition::transition;
