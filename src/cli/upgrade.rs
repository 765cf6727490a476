//! `erlrc upgrade`: takes applications to what is installed, or from one version to another.

use super::arguments::check_order;
use super::change::{self, Change};
use super::hook::operation::{Operation, Step, Version};
use super::hook::{self, HookArguments, Options};
use super::words::two_versions;
use super::{Common, Failure, Status};
use std::time::Duration;

/// Arguments of `erlrc upgrade`.
#[derive(clap::Args, Debug)]
#[command(
    override_usage = "erlrc upgrade [OPTIONS] [APP[=VSN]]...\n       erlrc upgrade [OPTIONS] APP OLD NEW [OLDDIR NEWDIR]",
    after_help = "\
Replaces the running version in every node that has an entry and runs, without a restart and without
loss of state. By names alone: from what each node runs to what is installed, or to VSN; nodes that run
different versions are brought together, each from where it is. Without names: every application of which
a node runs another version than is installed. Several applications are changed as one, all of them or
none; --dry-run says where a shipped appup cuts that into several moments.

With --provisional the upgrade is done and its way back stays open: after so many seconds all nodes go back
by themselves, with what was done meanwhile, unless erlrc confirm comes before; erlrc undo goes back at once.
Until then the nodes begin nothing else. Where a way back cannot be kept open (a shipped appup with apply, stop
or start, erlrc itself, an older erlrc, an application that does not run) nothing is begun. A node that is
restarted meanwhile starts what is installed.

With OLD and NEW, for scripts: from the one to the other. When a node fails, those before it are taken
back to OLD. Outcomes: upgraded, started (it did not run), already_running (runs NEW), included,
node_down, other_root; anything else is a failure.

JSON: {\"kind\": \"operation\", \"version\": 1, \"operation\", \"application\", \"dry_run\", \"nodes\": [...], \"undone\": [...],
\"status\"}, where nodes and undone are as `erlrc history` has them; with --provisional also \"provisional_s\". ERLRC_SKIP=1 in the environment: nothing is
done.

Examples:
  erlrc upgrade
  erlrc upgrade egerl --node shop
  erlrc upgrade --dry-run egerl=4.1.0
  erlrc upgrade --provisional 600 egerl
  erlrc-upgrade egerl 4.0.1 4.1.0
  erlrc upgrade egerl 4.0.1 4.1.0 /usr/lib/erlang/lib/egerl-4.0.1 /usr/lib/erlang/lib/egerl-4.1.0"
)]
pub struct Arguments {
    /// Applications, each with the version that is to run if it is another than is installed; or APP OLD NEW [OLDDIR NEWDIR]
    #[arg(value_name = "APP[=VSN]")]
    words: Vec<String>,
    /// Every application of which a node runs another version than is installed
    #[arg(long, conflicts_with = "words")]
    all: bool,
    /// Go back by itself after so many seconds, unless erlrc confirm comes before that
    #[arg(long, value_name = "SECONDS", value_parser = provisional)]
    provisional: Option<Duration>,
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
            all: false,
            provisional: None,
            options: Options::default(),
            hook,
        })
    }
}

/// The longest time that an upgrade can be provisional, in seconds: 30 days.
const LONGEST: u64 = 2_592_000;

/// Reads how long an upgrade is provisional.
pub fn provisional(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=LONGEST) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("whole seconds, from 1 to {LONGEST}")),
    }
}

/// Upgrades them.
pub fn run(mut arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    arguments.options.provisional = arguments.provisional;
    if change::is_long(&arguments.words, common) {
        return between(arguments, common);
    }
    let change = Change {
        command: "upgrade",
        hook: &arguments.hook,
        options: &arguments.options,
        common,
    };
    let wanted = match arguments.words.as_slice() {
        [] => change.pending()?,
        words => words
            .iter()
            .map(|word| change::wanted(word))
            .collect::<Result<_, _>>()?,
    };
    change.to(&wanted)
}

/// From one version to another, both named.
fn between(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    let (application, [old, new], [olddir, newdir]) = change::long(&arguments.words)?;
    check_order("upgrade", &old, &new);
    let from = Version {
        vsn: old,
        dir: olddir,
    };
    let to = Version {
        vsn: new,
        dir: newdir,
    };
    let operation = Operation {
        application,
        step: Step::Upgrade { from, to },
        options: arguments.options,
    };
    hook::run(&[operation], &arguments.hook, common)
}
