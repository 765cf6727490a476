//! `erlrc maint` against real nodes: the calls of dpkg and rpm in their order, with the directories
//! that are there at each of them.

mod batch;
mod crash;
mod doctor;
mod dpkg;
#[path = "../hooks/host.rs"]
#[allow(dead_code, reason = "shared with the tests of the hooks")]
mod host;
mod package;
mod policy;
mod preflight;
mod rpm;
mod together;
mod unwind;
