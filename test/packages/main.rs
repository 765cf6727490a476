//! Real packages, real dpkg, apt and rpm, real nodes: what the package managers do to applications that run.
//!
//! Each test is a row: the packages that are installed in a Debian of its own, where a node runs them and clients talk to
//! them without pause; what is done; what is so afterwards. Needs root and the root directory that `test/system` makes.

mod apply;
mod apt;
mod batch;
mod crash;
mod disk;
mod dnf;
mod failing;
mod fixture;
mod host;
mod own;
mod package;
mod policy;
mod row;
mod rpm;
mod service;
mod set;
mod several;
mod snapshot;
mod transactions;
mod tutorial;
