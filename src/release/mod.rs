//! Releases: immutable directories that name a set of applications, each with its version, directory and digest.
//!
//! A release belongs to a service and has a version. It holds no code: it says which versions that packages have
//! installed belong together, what they were, and in which order they start.
//!
//! * [`wanted`]: which applications are asked for, and which of the versions that there are will do (core).
//! * [`control`]: the same from the dependencies of a Debian package (core).
//! * [`order`]: the applications in start order, from what the engine decides (core).
//! * [`record`]: a release as a term (core).
//! * [`set`]: what is different between two sets (core).
//! * [`change`]: what a node has to do to come to a release (core).
//! * [`content`]: the digest of an application's files.
//! * [`store`]: the directories of releases, and which of them is current.
//! * [`trial`]: which of them nodes try.
//!
//! Must not print.

pub mod change;
pub mod content;
pub mod control;
mod error;
pub mod order;
pub mod record;
pub mod set;
pub mod store;
pub mod trial;
pub mod wanted;

pub use error::ReleaseError;
pub use record::{Member, Release, Start};
pub use store::Store;
pub use trial::{Stage, Trial};

/// Whether `name` can name a service or a release: a part of a file's name, of one line of a terminal, and not the name
/// of a release that is being written.
pub fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    starts && crate::environment::record::is_plain(name) && !name.ends_with(store::UNFINISHED)
}
