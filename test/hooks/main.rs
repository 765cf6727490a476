//! The `erlrc` command against real nodes: every outcome, the exact lines, the exit statuses.
//!
//! `ERLRC_TEST_ERL` names another `erl` than the one on the path.

mod boot_script;
mod call;
mod check;
mod committed;
mod completions;
mod config;
mod eval;
mod everyday;
mod history;
mod host;
mod hostile;
mod howto;
mod json;
mod library;
mod lost;
mod operations;
mod pages;
mod plan;
mod plan_deb;
mod prediction;
mod progress;
mod provisional;
mod reach;
mod releases;
mod resolution;
#[path = "../support/schema.rs"]
mod schema;
mod secrets;
mod sets;
mod snapshot;
mod socket;
mod status;
mod undo;
mod versions;
