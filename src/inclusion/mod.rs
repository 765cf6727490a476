//! Start order and included applications: (facts, event) -> actions.
//!
//! Three lines hold after every transition:
//!
//! 1. Every wanted application runs, is included in one that runs, or is listed as skipped.
//! 2. When an application runs, all that it includes count as running.
//! 3. No application both runs itself and is included by a running one, but for those of which that was so before:
//!    OTP allows it, and who does it does it on purpose. Such an application is a unit of its own, is left running and
//!    counts as running.
//!
//! An application that runs, with all that it includes, directly or through others, is a *unit*,
//! named after the one that runs, its *top*. Units are what is started and stopped, and what
//! depends on a member depends on the top: application_controller knows of nobody else, so the
//! loaded specification of every dependent says so, and says again what it said before when the
//! inclusion ends.
//!
//! Must not do I/O: `installed` brings the specifications. Linear in applications and
//! dependencies but for the sorting; nothing recurses.

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
pub use event::{Action, Event, Outcome, Transition, Warning};
pub use facts::{Facts, Loaded, Specification};
pub use transition::transition;
