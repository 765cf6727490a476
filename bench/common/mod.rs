//! What the benches share.

#![allow(dead_code)] // Each bench uses a part of it.

pub mod appup;
pub mod boot;
pub mod erlang;
pub mod floor;
pub mod measure;
pub mod modules;
