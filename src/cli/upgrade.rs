//! `erlrc upgrade`: the hook that takes an application to a later version.

use super::arguments::{application, check_order, directory, vsn};
use super::hook::operation::{Operation, Step, Version};
use super::hook::{self, HookArguments, Options};
use super::words::two_versions;
use super::{Common, Failure, Status};
use crate::term::Atom;
use std::path::PathBuf;

/// Arguments of `erlrc upgrade`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Replaces the running version in every node that has an entry and runs, without a restart and without
loss of state. When a node fails, those before it are taken back to OLD. Outcomes: upgraded, started
(it did not run), already_running (runs NEW), included, node_down, other_root; anything else is a
failure.

JSON: {\"operation\", \"application\", \"dry_run\", \"nodes\": [...], \"undone\": [...], \"status\"}, where
nodes and undone are as `erlrc history` has them. ERLRC_SKIP=1 in the environment: nothing is done.

Examples:
  erlrc-upgrade egerl 4.0.1 4.1.0
  erlrc upgrade egerl 4.0.1 4.1.0 /usr/lib/erlang/lib/egerl-4.0.1 /usr/lib/erlang/lib/egerl-4.1.0
  erlrc upgrade --dry-run egerl 4.0.1 4.1.0")]
pub struct Arguments {
    /// The application
    #[arg(value_parser = application)]
    app: Atom,
    /// The version that runs
    #[arg(value_parser = vsn)]
    old: String,
    /// The version that is to run
    #[arg(value_parser = vsn)]
    new: String,
    /// The directory of OLD
    #[arg(value_parser = directory, requires = "newdir", value_name = "OLDDIR")]
    olddir: Option<PathBuf>,
    /// The directory of NEW
    #[arg(value_parser = directory, value_name = "NEWDIR")]
    newdir: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    hook: HookArguments,
}

impl Arguments {
    /// The arguments that plain words are.
    pub fn of_words(words: &[&str], hook: HookArguments) -> Option<Self> {
        let (app, [old, new], [olddir, newdir]) = two_versions(words)?;
        Some(Self {
            app,
            old,
            new,
            olddir,
            newdir,
            options: Options::default(),
            hook,
        })
    }
}

/// Upgrades it.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    check_order("upgrade", &arguments.old, &arguments.new);
    let from = Version {
        vsn: arguments.old,
        dir: arguments.olddir,
    };
    let to = Version {
        vsn: arguments.new,
        dir: arguments.newdir,
    };
    let operation = Operation {
        application: arguments.app,
        step: Step::Upgrade { from, to },
        options: arguments.options,
    };
    hook::run(&[operation], &arguments.hook, common)
}
