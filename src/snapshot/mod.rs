//! Snapshots: which packages a host has, by exact version, under a tag, with the package files that lead back to them.
//!
//! A snapshot is a directory `TAG` with `manifest.json` and `debs/`. Package files of the same content are one file,
//! which `pool/` names by its SHA-256; it goes with the last snapshot that has it. On hosts with dpkg and apt.
//!
//! * [`tag`]: names of snapshots (core).
//! * [`package`]: the package state of a host, from what dpkg and apt print (core).
//! * [`difference`]: what differs between two states (core).
//! * [`source`]: where the file of a package is taken from (core).
//! * [`manifest`]: what a snapshot says about itself, as a file.
//! * [`host`]: dpkg and apt, asked.
//! * [`store`]: the directory of snapshots.
//! * [`create`]: a snapshot of this host.
//! * [`transaction`]: what leads from one state to another (core).
//! * [`restore`]: the way back to a snapshot.
//!
//! Must not print.

pub mod create;
pub mod difference;
mod error;
pub mod host;
pub mod manifest;
pub mod package;
pub mod restore;
pub mod source;
pub mod store;
pub mod tag;
pub mod transaction;

pub use error::SnapshotError;
pub use manifest::Manifest;
pub use store::Store;
pub use tag::Tag;
