//! `erlrc confirm`: a provisional upgrade stays.

use super::arguments::application;
use super::hook::HookArguments;
use super::hook::operation::Settling;
use super::{Common, Failure, Status, nodes, provisional, status};
use crate::term::Atom;

/// Arguments of `erlrc confirm`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Confirms what erlrc upgrade --provisional has done, on every node that still can go back: the new version stays, and
the way back is given up. Without names: every provisional upgrade. Applications that were upgraded as one are
confirmed as one, whichever of them is named. erlrc undo takes it back at once instead. Outcomes: confirmed,
version_mismatch (it has gone back in the meantime); where nothing waits, that is said, with status 1.

JSON: as erlrc upgrade.

Examples:
  erlrc confirm
  erlrc confirm egerl
  erlrc confirm egerl --node shop")]
pub struct Arguments {
    /// The applications; all that wait, where none is named
    #[arg(value_name = "APP", value_parser = application)]
    apps: Vec<Atom>,
    #[command(flatten)]
    hook: HookArguments,
}

/// Confirms.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let entries = nodes::entries(common, &arguments.hook.connection)?;
    let (waiting, silent) = provisional::waiting(&entries, &arguments.hook, &arguments.apps);
    for node in &silent {
        let text = format!("{node} does not answer: what waits there to be confirmed is not known");
        common.output().warning(&text);
    }
    if waiting.is_empty() {
        return nothing(arguments, common, silent.is_empty());
    }
    waiting.iter().try_for_each(|one| one.check())?;
    let mut worst = match silent.is_empty() {
        true => Status::Done,
        false => Status::Unreachable,
    };
    for one in &waiting {
        let how = Settling::Confirm;
        worst = worst.worse(match arguments.hook.dry_run {
            true => provisional::would("confirm", one, common),
            false => provisional::settle(one, how, &entries, &arguments.hook, common),
        });
    }
    if !arguments.hook.dry_run {
        status::refresh(common, &arguments.hook.connection);
    }
    Ok(worst)
}

fn nothing(arguments: &Arguments, common: &Common, all: bool) -> Result<Status, Failure> {
    if !arguments.hook.dry_run {
        // What went back in the meantime is written down.
        status::refresh(common, &arguments.hook.connection);
    }
    let names: Vec<&str> = arguments.apps.iter().map(Atom::as_str).collect();
    let of = match names.as_slice() {
        [] => String::new(),
        names => format!(" of {}", names.join(" ")),
    };
    let (status, what) = match all {
        true => (Status::Failed, format!("no provisional upgrade{of} waits")),
        false => (
            Status::Unreachable,
            format!("no node that answers has a provisional upgrade{of}"),
        ),
    };
    let hint = "erlrc status tells what runs, erlrc history whether it went back";
    Err(Failure::new(status, format!("nothing to confirm: {what}")).hint(hint))
}
