//! `erlrc stop`: the hook that stops an application and takes it out of the nodes' memory.

use super::arguments::{application, directory, vsn};
use super::hook::operation::{Operation, Step, Version};
use super::hook::{self, HookArguments};
use super::words::one_version;
use super::{Common, Failure, Status};
use crate::term::Atom;
use std::path::PathBuf;

/// Arguments of `erlrc stop`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Stops the application in every node that has an entry and runs, and unloads it: its modules are purged
and its directory leaves the code path. Outcomes: stopped, stopped_included_started (applications that
it included run on by themselves), not_running, node_down, other_root; anything else is a failure.

JSON: {\"kind\": \"operation\", \"version\": 1, \"operation\", \"application\", \"dry_run\", \"nodes\": [...], \"undone\": [...],
\"status\"}, where nodes and undone are as `erlrc history` has them. ERLRC_SKIP=1 in the environment: nothing is done.

Examples:
  erlrc-stop egerl 4.1.0
  erlrc stop --no-unload egerl 4.1.0")]
pub struct Arguments {
    /// Stop only: leave specification, modules and code path
    #[arg(long)]
    no_unload: bool,
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
            no_unload: false,
            hook,
        })
    }
}

/// Stops it.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    let version = Version {
        vsn: arguments.vsn,
        dir: arguments.dir,
    };
    let mut steps = vec![Step::Stop(version.clone())];
    if !arguments.no_unload {
        steps.push(Step::Unload(version));
    }
    let application = arguments.app;
    let operations: Vec<Operation> = steps
        .into_iter()
        .map(|step| Operation::new(application.clone(), step))
        .collect();
    hook::run(&operations, &arguments.hook, common)
}
