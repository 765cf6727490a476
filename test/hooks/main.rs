//! The `erlrc` command against real nodes: every outcome, the exact lines, the exit statuses.
//!
//! `ERLRC_TEST_ERL` names another `erl` than the one on the path.

mod boot_script;
mod call;
mod config;
mod eval;
mod everyday;
mod history;
mod host;
mod hostile;
mod lost;
mod operations;
mod pages;
mod plan;
mod plan_deb;
mod prediction;
mod progress;
mod reach;
mod resolution;
mod secrets;
mod socket;
mod status;
mod undo;
