//! `erlrc confirm`: a provisional upgrade stays.

use super::apply;
use super::arguments::{application, seconds};
use super::hook::HookArguments;
use super::hook::operation::Settling;
use super::{Common, Failure, Status, nodes, provisional, status};
use crate::run::record::Deadline;
use crate::run::{Outcome, store::clocks};
use crate::term::Atom;
use std::time::Duration;

/// Arguments of `erlrc confirm`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Confirms what erlrc upgrade --provisional has done, on every node that still can go back: the new version stays, and
the way back is given up. Without names: every provisional upgrade. Applications that were upgraded as one are
confirmed as one, whichever of them is named. erlrc undo takes it back at once instead. Outcomes: confirmed,
version_mismatch (it has gone back in the meantime); where nothing waits, that is said, with status 1.

Without names the run of erlrc apply that waits, or whose command ended in the midst, is confirmed as well: what it did
stays. With --for it waits so many seconds more instead.

JSON: as erlrc upgrade; for a run as erlrc apply, the outcome is confirmed or pending_confirm.

Examples:
  erlrc confirm
  erlrc confirm --for 600
  erlrc confirm egerl
  erlrc confirm egerl --node shop")]
pub struct Arguments {
    /// The applications; all that wait, where none is named
    #[arg(value_name = "APP", value_parser = application)]
    apps: Vec<Atom>,
    /// Let a run of erlrc apply wait for so many seconds from now on
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds, conflicts_with = "apps")]
    longer: Option<Duration>,
    #[command(flatten)]
    hook: HookArguments,
}

/// Confirms.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let is_run = arguments.apps.is_empty() && arguments.hook.connection.only.is_empty();
    let confirmed = match is_run {
        true => of_a_run(arguments, common)?,
        false => false,
    };
    match (confirmed, arguments.longer) {
        (false, Some(_)) => Err(no_run(common)?),
        (true, Some(_)) => Ok(Status::Done),
        (confirmed, None) => of_nodes(arguments, confirmed, common),
    }
}

/// Confirms the run that is open; whether there was one.
fn of_a_run(arguments: &Arguments, common: &Common) -> Result<bool, Failure> {
    let runs = apply::store(common);
    if runs.open().map_err(apply::failed)?.is_none() {
        return Ok(false);
    }
    let claim = match arguments.hook.dry_run {
        true => None,
        false => Some(apply::claim(&runs)?),
    };
    // It may have been settled before the lock was had.
    let Some(mut run) = runs.open().map_err(apply::failed)? else {
        return Err(no_run(common)?);
    };
    let Some(claim) = claim else {
        let text = format!(
            "{}: would be confirmed, {}\n",
            run.id,
            run.outcome.in_words()
        );
        common.output().text(&text);
        return Ok(true);
    };
    apply::at_rest(&run)?;
    match (arguments.longer, &run.deadline) {
        (Some(longer), Some(_)) => {
            let clocks = clocks().map_err(|error| Failure::new(Status::Failed, error))?;
            run.deadline = Some(Deadline::within(longer, &clocks));
        }
        (Some(_), None) => return Err(no_run(common)?),
        (None, _) => run.outcome = Outcome::Confirmed,
    }
    claim.write(&run).map_err(apply::failed)?;
    apply::say(&run, "", Status::Done, common.output());
    Ok(true)
}

/// That no run waits, and what became of the last one.
fn no_run(common: &Common) -> Result<Failure, Failure> {
    let mut runs = apply::store(common).runs().map_err(apply::failed)?;
    let text = "nothing to confirm: no run of erlrc apply waits".to_owned();
    let failure = match runs.pop() {
        Some(run) => format!("{text}; {} {}", run.id, run.outcome.in_words()),
        None => text,
    };
    Ok(Failure::new(Status::Failed, failure).hint("erlrc runs lists what there was"))
}

fn of_nodes(arguments: &Arguments, is_enough: bool, common: &Common) -> Result<Status, Failure> {
    let entries = nodes::entries(common, &arguments.hook.connection)?;
    let (waiting, silent) = provisional::waiting(&entries, &arguments.hook, &arguments.apps);
    for node in &silent {
        let text = format!("{node} does not answer: what waits there to be confirmed is not known");
        common.output().warning(&text);
    }
    if waiting.is_empty() && is_enough {
        return Ok(Status::Done);
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
    let hint = "erlrc status tells what runs, erlrc history and erlrc runs whether it went back";
    Err(Failure::new(status, format!("nothing to confirm: {what}")).hint(hint))
}
