//! `erlrc downgrade`: the hook that takes an application back to an earlier version.

use super::arguments::{application, check_order, directory, vsn};
use super::hook::operation::{Operation, Step, Version};
use super::hook::{self, HookArguments, Options};
use super::words::two_versions;
use super::{Common, Failure, Status};
use crate::term::Atom;
use std::path::PathBuf;

/// Arguments of `erlrc downgrade`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Mind the order: the earlier version, which is to run, comes first. Replaces the running version in
every node that has an entry and runs, without a restart. When a node fails, those before it are taken
again to LATER. Outcomes: downgraded, started (it did not run), already_running (runs EARLIER),
included, node_down, other_root; anything else is a failure.

JSON: {\"operation\", \"application\", \"dry_run\", \"nodes\": [...], \"undone\": [...], \"status\"}, where
nodes and undone are as `erlrc history` has them. ERLRC_SKIP=1 in the environment: nothing is done.

Examples:
  erlrc-downgrade egerl 4.0.1 4.1.0
  erlrc downgrade egerl 4.0.1 4.1.0 /srv/old/egerl-4.0.1 /usr/lib/erlang/lib/egerl-4.1.0")]
pub struct Arguments {
    /// The application
    #[arg(value_parser = application)]
    app: Atom,
    /// The version that is to run
    #[arg(value_parser = vsn)]
    earlier: String,
    /// The version that runs
    #[arg(value_parser = vsn)]
    later: String,
    /// The directory of EARLIER
    #[arg(value_parser = directory, requires = "laterdir", value_name = "EARLIERDIR")]
    earlierdir: Option<PathBuf>,
    /// The directory of LATER
    #[arg(value_parser = directory, value_name = "LATERDIR")]
    laterdir: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    hook: HookArguments,
}

impl Arguments {
    /// The arguments that plain words are.
    pub fn of_words(words: &[&str], hook: HookArguments) -> Option<Self> {
        let (app, [earlier, later], [earlierdir, laterdir]) = two_versions(words)?;
        Some(Self {
            app,
            earlier,
            later,
            earlierdir,
            laterdir,
            options: Options::default(),
            hook,
        })
    }
}

/// Downgrades it.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    check_order("downgrade", &arguments.earlier, &arguments.later);
    let from = Version {
        vsn: arguments.later,
        dir: arguments.laterdir,
    };
    let to = Version {
        vsn: arguments.earlier,
        dir: arguments.earlierdir,
    };
    let operation = Operation {
        application: arguments.app,
        step: Step::Downgrade { from, to },
        options: arguments.options,
    };
    hook::run(&[operation], &arguments.hook, common)
}
