//! The erlrc engine: what must be known and decided to start, stop, upgrade and downgrade OTP
//! applications in running nodes.
//!
//! The modules in reading order:
//!
//! * [`term`]: Erlang terms as values, as text and in the external format.
//! * [`application`]: what is written about an application, its specification above all.
//! * [`inclusion`]: what to start and stop, in which order, included applications above all.
//! * [`installed`]: what is on disk, as the facts that `inclusion` decides from.
//! * [`appup`]: scripts from one version of an application to another.
//! * `file`: files read whole.
//! * `places`: directories of a host, and the files in them.
//! * `trust`: which directories are trusted.
//! * `catalogue`: names that users meet, with their meanings.
//! * `line`: text fit for one line of a terminal.
//! * [`beam`]: BEAM files, read without loading them.
//! * [`forms`]: debug information of modules, and what it tells of states and supervisors.
//! * [`migration`]: how the state of a process becomes that of another version.
//! * [`script`]: two versions on disk or in a node, and the script between them.
//! * `maint`: what a package manager's maintainer scripts have to do.
//! * `maintainer`: carries that out.
//! * `stash`: old versions that nodes still run.
//! * `environment`: OTP trees that survive what a distribution does to its own.
//! * `release`: sets of applications that belong together, as directories.
//! * `plan`: what an upgrade would do, and what would go wrong.
//! * `outcome`: what became of an operation on a node.
//! * `identity`: names and cookies of nodes.
//! * `rendezvous`: node entries on disk.
//! * `node`: the distribution client.
//! * `cluster`: one operation over several nodes, all or none.
//! * `record`: logs that survive a crash.
//! * `history`: what the hooks did, in such a log.
//! * `package`: OS packages of applications.
//! * `restart`: whether the emulator under a node was replaced.
//! * `snapshot`: the package state of a host under a tag.
//! * `run`: changes of packages as one step, with one way back.
//! * `status`: how nodes and applications stand, from all of that.
//! * `cli`: the command line, one file per command.
//!
//! Nothing here prints, and nothing but the `cli` feature reads the environment.
#![warn(missing_docs)]

pub mod application;
pub mod appup;
pub mod beam;
#[cfg(feature = "cli")]
pub mod catalogue;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod cluster;
#[cfg(feature = "cli")]
pub mod environment;
mod file;
pub mod forms;
#[cfg(feature = "cli")]
pub mod history;
#[cfg(feature = "cli")]
pub mod identity;
pub mod inclusion;
pub mod installed;
#[cfg(feature = "cli")]
pub mod line;
#[cfg(feature = "cli")]
pub mod maint;
#[cfg(feature = "cli")]
pub mod maintainer;
pub mod migration;
#[cfg(feature = "cli")]
pub mod node;
#[cfg(feature = "cli")]
pub mod outcome;
#[cfg(feature = "cli")]
pub mod package;
pub mod places;
#[cfg(feature = "cli")]
pub mod plan;
#[cfg(feature = "cli")]
pub mod record;
#[cfg(feature = "cli")]
pub mod release;
#[cfg(feature = "cli")]
pub mod rendezvous;
#[cfg(feature = "cli")]
pub mod restart;
#[cfg(feature = "cli")]
pub mod run;
pub mod script;
#[cfg(feature = "cli")]
pub mod snapshot;
#[cfg(feature = "cli")]
pub mod stash;
#[cfg(feature = "cli")]
pub mod status;
pub mod term;
#[cfg(feature = "cli")]
mod trust;
