//! Decides what a maintainer script has to do: (format, script, arguments, facts) -> actions.
//!
//! Pure: [`Call`] is what the package manager is doing, [`Facts`] is the state of the host,
//! [`decide`] derives the actions. Which directories exist when a script is called, and what
//! follows from its failure, is defined by dpkg and rpm: deb-preinst(5) and related pages, Debian
//! policy chapter 6, rpm-scriptlets(7). The scripts in installed packages are frozen, but the
//! command that they call is not; so every decision is made here.

mod action;
mod call;
mod checkup;
mod configuration;
mod decide;
mod facts;
mod gate;
mod journal;
mod next;
mod order;
mod preflight;
mod service;

#[cfg(test)]
mod tests;

pub use action::{Action, Change};
pub use call::{Call, Format, Moment};
pub use checkup::{
    Checkup, Content, DOCTOR, Directory, Finding, NodeFinding, Package, Registered, Repair,
    Severity, Silence,
};
pub use configuration::{Configuration, FILE_KEYS, FileKey, Preflight};
pub use decide::{decide, stop_at_the_end};
pub use facts::{Facts, NodeFacts, NodeState, Stashed, Version};
pub use gate::{Minimum, Unmet};
pub use journal::{Journal, Record, State, Subject};
pub use next::{Next, Phase, Verdict};
pub use order::{Changing, order};
pub use preflight::{PreflightError, Unpacked, replaced};
pub use service::ServiceSet;
