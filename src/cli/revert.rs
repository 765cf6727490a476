//! `erlrc revert`: takes a run of `erlrc apply` back.

use super::apply::{self, at_rest, claim, failed, settle, watch};
use super::arguments::Apps;
use super::{Common, Failure, Status};
use crate::run::{Outcome, Run, Store};
use crate::snapshot::{Tag, host};
use std::collections::BTreeMap;

/// Arguments of `erlrc revert`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
All packages that brought applications, and erlrc, go back to the snapshot from before the run, in one run of apt-get
that nodes take as one, without a repository. Without a name: the run that waits to be confirmed or ended in the midst,
else the last that stands. Refused where packages have been changed since by others. A run that was confirmed can be
taken back, too.

JSON: as erlrc apply; the outcome is reverted or not_restored.

Examples:
  erlrc revert
  erlrc revert 20261130T150302Z")]
pub struct Arguments {
    /// The run
    #[arg(value_name = "RUN", value_parser = Tag::parse)]
    id: Option<Tag>,
    /// Wait until a run is due, and take that one back: what erlrc apply --confirm-within starts, and systemd at boot
    #[arg(long, hide = true, conflicts_with = "id")]
    when_due: bool,
    #[command(flatten)]
    packages: Apps,
}

/// Takes it back.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let apps = &arguments.packages.apps;
    if arguments.when_due {
        return watch(apps, common);
    }
    let runs = apply::store(common);
    let claim = claim(&runs)?;
    let run = which(&runs, arguments.id.as_ref())?;
    refuse(&run)?;
    at_rest(&run)?;
    if !run.outcome.is_open() {
        let now = host::state(apps).map_err(super::snapshot::failed)?;
        unchanged_since(&run, &apply::left(&now.packages))?;
    }
    settle(&claim, run, Outcome::Reverted, apps, common)
}

fn which(runs: &Store, id: Option<&Tag>) -> Result<Run, Failure> {
    if let Some(id) = id {
        return runs.read(id).map_err(failed);
    }
    if let Some(open) = runs.open().map_err(failed)? {
        return Ok(open);
    }
    let mut all = runs.runs().map_err(failed)?;
    all.retain(|run| run.outcome.stands());
    all.pop().ok_or_else(|| {
        let text = "nothing to take back: no run of erlrc apply stands";
        Failure::new(Status::Failed, text).hint("erlrc runs lists what there was")
    })
}

/// A run that does not stand is not taken back.
fn refuse(run: &Run) -> Result<(), Failure> {
    match run.outcome.stands() {
        true => Ok(()),
        false => {
            let (id, what) = (&run.id, run.outcome.in_words());
            let text = format!("nothing was changed: run {id} {what}");
            Err(Failure::new(Status::Failed, text).hint("erlrc runs lists those that stand"))
        }
    }
}

fn unchanged_since(run: &Run, now: &BTreeMap<String, String>) -> Result<(), Failure> {
    let names = run.left.keys().chain(now.keys());
    let other = names
        .filter(|name| run.left.get(*name) != now.get(*name))
        .min();
    let Some(name) = other else {
        return Ok(());
    };
    let version = |side: Option<&String>| side.map_or("not there", String::as_str).to_owned();
    let (left, now) = (version(run.left.get(name)), version(now.get(name)));
    let id = &run.id;
    let text = format!("nothing was changed: {name} is {now} now, and run {id} left it {left}");
    let failure = Failure::new(Status::Failed, text);
    Err(match &run.snapshot {
        Some(tag) => failure.hint(format!(
            "erlrc snapshot diff {tag} shows all that differs, erlrc snapshot restore {tag} takes all of it back"
        )),
        None => failure,
    })
}
