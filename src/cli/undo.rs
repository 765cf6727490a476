//! `erlrc undo`: back to the version before the last change.

use super::arguments::application;
use super::change::{Change, Wanted};
use super::hook::{HookArguments, Options};
use super::{Common, Failure, Status, ask};
use crate::history::{self, Record};
use crate::term::Atom;

/// Arguments of `erlrc undo`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Takes every node back to the version before the last upgrade or downgrade of the application, or of any
application where none is named. The version must still be there: in its directory, where the node finds
it, or in the stash. Asks on a terminal; elsewhere --yes is needed.

JSON: as erlrc upgrade.

Examples:
  erlrc undo egerl
  erlrc undo --dry-run
  erlrc undo --yes egerl --node shop")]
pub struct Arguments {
    /// The application whose last change is undone
    #[arg(value_parser = application)]
    app: Option<Atom>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    hook: HookArguments,
}

/// The version before the last change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// Of which application.
    pub application: Atom,
    /// Which one.
    pub vsn: String,
    /// The version that was to run after it.
    pub after: String,
}

/// What ran before the last upgrade or downgrade that was carried out.
pub fn before(common: &Common, app: Option<&Atom>) -> Result<Before, Failure> {
    let read = history::read(&common.state);
    let (records, _) = read.map_err(|error| Failure::new(Status::Failed, error))?;
    let changed = |record: &&Record| {
        let words = ["upgraded", "downgraded"];
        let nodes = record.nodes.iter();
        app.is_none_or(|app| app.as_str() == record.application)
            && record.undone.is_empty()
            && nodes
                .into_iter()
                .any(|node| words.contains(&node.outcome.as_str()))
    };
    let last = records.iter().rfind(changed);
    let before = last.and_then(|record| {
        Some(Before {
            application: Atom::new(&record.application)?,
            vsn: record.from.clone()?,
            after: record.to.clone()?,
        })
    });
    before.ok_or_else(|| {
        let app = app.map_or_else(String::new, |app| format!(" of {app}"));
        let text = format!("no upgrade or downgrade{app} has been written down");
        let hint = "erlrc downgrade APP=VSN names the version";
        Failure::new(Status::Failed, text).hint(hint)
    })
}

/// Goes back.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let before = before(common, arguments.app.as_ref())?;
    let Before {
        application,
        vsn,
        after,
    } = before;
    let what = format!("take {application} back from {after} to {vsn}");
    if !arguments.yes && !arguments.hook.dry_run && !ask::is_yes(&format!("{what}?")) {
        let failure = Failure::new(Status::Failed, format!("not done: nobody agreed to {what}"));
        return Err(failure.hint("--yes agrees, --dry-run shows what would be done"));
    }
    let change = Change {
        command: "undo",
        hook: &arguments.hook,
        options: &arguments.options,
        common,
    };
    change.to(&[Wanted {
        application,
        vsn: Some(vsn),
    }])
}
