//! `erlrc env`: OTP trees that survive what a distribution does to its own.

mod check;
mod clean;
mod destroy;
mod list;
pub mod make;

use super::arguments::absolute;
use super::{Common, Failure, Status, leftover};
use crate::environment::{EnvironmentError, Store, store};
use crate::places::ENVIRONMENTS;
use std::path::PathBuf;

pub use Place as Environments;

/// Arguments of `erlrc env`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
An environment is an OTP tree of its own below /usr/lib/erlrc/env: the emulator, kernel, stdlib, sasl and what the
applications that were named need, 12 MB of hard links, and bin/erl, which starts a node from it. An upgrade of
the distribution's Erlang replaces files by new ones and leaves an environment what it is. It is named by its
content, read-only, and never changed.

Examples:
  erlrc env make ssl
  erlrc env list
  erlrc env check
  erlrc env destroy otp-25.2.3-6f1c0a92d3b4")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Make an environment in which the applications can run
    Make(make::Arguments),
    /// List the environments of this host
    List(list::Arguments),
    /// Say whether environments are whole, can run here, and have what the distribution has now
    Check(check::Arguments),
    /// Remove what commands that were interrupted left, and environments that nothing runs from
    Clean(clean::Arguments),
    /// Remove environments
    Destroy(destroy::Arguments),
}

/// Where environments are.
#[derive(clap::Args, Clone, Debug)]
pub struct Place {
    /// Directory of environments
    #[arg(
        long,
        value_name = "DIR",
        env = ENVIRONMENTS.variable,
        default_value = ENVIRONMENTS.default,
        hide_env_values = true
    )]
    environments: PathBuf,
}

impl Place {
    /// An absolute place: hard links and comparisons are made by it.
    pub fn store(&self) -> Store {
        Store::new(absolute(&self.environments))
    }
}

/// Does what was asked for.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    match arguments.action {
        Action::Make(arguments) => make::run(arguments, common),
        Action::List(arguments) => list::run(&arguments, common),
        Action::Check(arguments) => check::run(&arguments, common),
        Action::Clean(arguments) => clean::run(&arguments, common),
        Action::Destroy(arguments) => destroy::run(&arguments, common),
    }
}

/// A name for what this process makes or removes, from which it can be told that it has ended.
fn unfinished(what: &str) -> String {
    format!("{}{what}", leftover::prefix(store::UNFINISHED))
}

/// What commands have left that have ended.
pub fn leftovers(store: &Store) -> Vec<PathBuf> {
    let left = leftover::left(store.root(), store::UNFINISHED);
    let mut left: Vec<PathBuf> = left.map(|entry| entry.path()).collect();
    left.sort();
    left
}

fn failed(error: EnvironmentError) -> Failure {
    Failure::new(Status::Failed, error)
}

/// Bytes with a unit that suits people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// `1 file`, `2 files`.
pub fn count(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
