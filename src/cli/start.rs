//! `erlrc start`: the hook that starts an application.

use super::arguments::{application, directory, vsn};
use super::hook::operation::{Operation, Step, Version};
use super::hook::{self, HookArguments};
use super::words::one_version;
use super::{Common, Failure, Status};
use crate::term::Atom;
use std::path::PathBuf;

/// Arguments of `erlrc start`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Starts the application, after those that it needs, in every node that has an entry and runs. Outcomes:
started, already_running, included (runs inside another), started_included_stopped (applications that
it includes were stopped first), node_down, other_root; anything else is a failure.

JSON: {\"kind\": \"operation\", \"version\": 1, \"operation\", \"application\", \"dry_run\", \"nodes\": [...], \"undone\": [...],
\"status\"}, where nodes and undone are as `erlrc history` has them. ERLRC_SKIP=1 in the environment: nothing is done.

Examples:
  erlrc-start egerl 4.1.0
  erlrc start egerl 4.1.0 /usr/lib/erlang/lib/egerl-4.1.0
  erlrc start --dry-run --json egerl 4.1.0")]
pub struct Arguments {
    /// The application
    #[arg(value_parser = application)]
    app: Atom,
    /// Its version
    #[arg(value_parser = vsn)]
    vsn: String,
    /// Its directory; else what its package says, else below the node's code:lib_dir()
    #[arg(value_parser = directory)]
    dir: Option<PathBuf>,
    #[command(flatten)]
    hook: HookArguments,
}

impl Arguments {
    /// The arguments that plain words are.
    pub fn of_words(words: &[&str], hook: HookArguments) -> Option<Self> {
        let (app, vsn, dir) = one_version(words)?;
        Some(Self {
            app,
            vsn,
            dir,
            hook,
        })
    }
}

/// Starts it.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    let version = Version {
        vsn: arguments.vsn,
        dir: arguments.dir,
    };
    let operation = Operation::new(arguments.app, Step::Start(version));
    hook::run(&[operation], &arguments.hook, common)
}
