//! `erlrc downgrade`: takes applications back to an earlier version.

use super::arguments::check_order;
use super::change::{self, Change, Wanted};
use super::hook::operation::{Operation, Step, Version};
use super::hook::{self, HookArguments, Options};
use super::words::two_versions;
use super::{Common, Failure, Status, undo};

/// Arguments of `erlrc downgrade`.
#[derive(clap::Args, Debug)]
#[command(
    override_usage = "erlrc downgrade [OPTIONS] APP[=VSN]...\n       erlrc downgrade [OPTIONS] APP EARLIER LATER [EARLIERDIR LATERDIR]",
    after_help = "\
Replaces the running version in every node that has an entry and runs, without a restart. By name alone:
to VSN, else to the version before the last change, if it can still be had.

With EARLIER and LATER, for scripts; mind the order: the earlier version, which is to run, comes first.
When a node fails, those before it are taken again to LATER. Outcomes: downgraded, started (it did not
run), already_running (runs EARLIER), included, node_down, other_root; anything else is a failure.

JSON: {\"kind\": \"operation\", \"version\": 1, \"operation\", \"application\", \"dry_run\", \"nodes\": [...], \"undone\": [...],
\"status\"}, where nodes and undone are as `erlrc history` has them. ERLRC_SKIP=1 in the environment: nothing is
done.

Examples:
  erlrc downgrade egerl=4.0.1
  erlrc downgrade egerl
  erlrc-downgrade egerl 4.0.1 4.1.0
  erlrc downgrade egerl 4.0.1 4.1.0 /srv/old/egerl-4.0.1 /usr/lib/erlang/lib/egerl-4.1.0"
)]
pub struct Arguments {
    /// Applications, each with the version that is to run if it is another than the one before; or APP EARLIER LATER [EARLIERDIR LATERDIR]
    #[arg(value_name = "APP[=VSN]", required = true)]
    words: Vec<String>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    hook: HookArguments,
}

impl Arguments {
    /// The arguments that plain words are.
    pub fn of_words(words: &[&str], hook: HookArguments) -> Option<Self> {
        two_versions(words)?;
        Some(Self {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            options: Options::default(),
            hook,
        })
    }
}

/// Downgrades them.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    if change::is_long(&arguments.words, common) {
        return between(arguments, common);
    }
    let wanted = |word: &String| {
        let wanted = change::wanted(word)?;
        let vsn = match &wanted.vsn {
            Some(vsn) => vsn.clone(),
            None => undo::before(common, &wanted.application)?.vsn,
        };
        Ok(Wanted {
            vsn: Some(vsn),
            ..wanted
        })
    };
    let wanted: Result<Vec<Wanted>, Failure> = arguments.words.iter().map(wanted).collect();
    let change = Change {
        command: "downgrade",
        hook: &arguments.hook,
        options: &arguments.options,
        common,
    };
    change.to(&wanted?)
}

/// From one version to another, both named.
fn between(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    let (application, [earlier, later], [earlierdir, laterdir]) = change::long(&arguments.words)?;
    check_order("downgrade", &earlier, &later);
    let from = Version {
        vsn: later,
        dir: laterdir,
    };
    let to = Version {
        vsn: earlier,
        dir: earlierdir,
    };
    let operation = Operation {
        application,
        step: Step::Downgrade { from, to },
        options: arguments.options,
    };
    hook::run(&[operation], &arguments.hook, common)
}
