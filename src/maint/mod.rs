//! What a maintainer script has to do: (format, script, arguments, facts) -> actions.
//!
//! Pure: [`Call`] says what the package manager is doing, [`Facts`] what is so on this host,
//! [`decide`] what follows from both. Which directories are there at which script, and what a failure
//! of it leads to, is dpkg's and rpm's own: deb-preinst(5) and its siblings, Debian policy chapter 6,
//! rpm-scriptlets(7). Scripts in installed packages are frozen; what they call is not, so all of the
//! judgement is here.

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

#[cfg(test)]
mod tests;

pub use action::{Action, Change};
pub use call::{Call, Format, Moment};
pub use checkup::{
    Ailment, Checkup, Content, DOCTOR, Directory, Package, Registered, Repair, Silence, Stand,
    Weight,
};
pub use configuration::{Configuration, FILE_KEYS, FileKey, Preflight};
pub use decide::decide;
pub use facts::{Facts, NodeFacts, NodeState, Stashed, Version};
pub use gate::{Minimum, Unmet};
pub use journal::{Journal, Record, State, Subject};
pub use next::{Next, Phase, Verdict};
pub use order::{Changing, order};
pub use preflight::{PreflightError, Unpacked, replaced};
