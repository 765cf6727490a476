//! `erlrc release reset`: nodes go to the empty set, and no release is current.

use super::ways::{self, CHANGE, Facts, Stops, Way};
use super::{Services, current, failed, name, trial, upgrade};
use crate::cli::change::tell;
use crate::cli::hook::{self, HookArguments, Options};
use crate::cli::{Common, Failure, Status, ask, nodes};
use crate::release::Release;

/// Arguments of `erlrc release reset`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
What the current release names is stopped and unloaded on all nodes that run any of it; OTP's own applications and erlrc run on.
Then no release is current, and the one that was is the previous one: erlrc release revert S --node N starts it on a node again,
without the states that were lost. Stopped is with --yes, or where a person says yes on a terminal; else nothing is, and
the status is 1.

JSON: as erlrc stop, then as erlrc release current, where current is null.

Examples:
  erlrc release reset shop
  erlrc release reset --yes shop")]
pub struct Arguments {
    /// The service
    #[arg(value_name = "S", value_parser = name)]
    service: String,
    /// Stop, and do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    hook: HookArguments,
    #[command(flatten)]
    place: Services,
}

/// Nobody has said that it is to be done.
#[derive(Debug, thiserror::Error)]
#[error("nothing was stopped: nobody agreed")]
struct NotAgreed;

/// Asks and stops.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    if hook::skipped() {
        return Ok(Status::Done);
    }
    let (service, hook, out) = (&arguments.service, &arguments.hook, common.output());
    let store = arguments.place.store(common);
    let failed = |error| failed(error, service);
    let locked = store.lock(service).map_err(failed)?;
    let entries = nodes::entries(common, &hook.connection)?;
    trial::check_none(&locked, &store, (&entries, hook), common)?;
    let Some(now) = upgrade::before(&store, service).map_err(failed)? else {
        out.envelope("release_current", 1, &current::report(&store, service)?);
        out.text(&format!("no release of {service} is current already\n"));
        return Ok(Status::Done);
    };
    let nothing = Release {
        applications: Vec::new(),
        ..now.clone()
    };
    let options = Options::default();
    let facts = Facts {
        hook,
        options: &options,
        current: &now.applications,
        target: &nothing,
        stops: Stops::Now,
    };
    let (ways, still) = facts.ways(&entries)?;
    let mut status = tell(CHANGE, None, &still, hook, common);
    let is_agreed = || !out.is_json() && ask::is_yes(&question(service, &ways));
    if !arguments.yes && !hook.dry_run && !is_agreed() {
        let failure = Failure::new(Status::Failed, NotAgreed);
        return Err(failure.hint("--yes stops without a question"));
    }
    // What one node cannot is no reason to start on another one what has lost its state.
    for group in ways::groups(ways) {
        let changed = ways::carry_out(group, (hook, &options), common)?;
        status = status.worse(changed.unwrap_or(Status::Done));
    }
    if status != Status::Done || hook.dry_run {
        return Ok(status);
    }
    locked.unset_current().map_err(failed)?;
    out.envelope("release_current", 1, &current::report(&store, service)?);
    let version = &now.version;
    out.text(&format!(
        "no release of {service} is current, {version} was\n"
    ));
    Ok(Status::Done)
}

fn question(service: &str, ways: &[Way]) -> String {
    let nodes = ways.iter().filter(|way| !way.changes.is_empty());
    let nodes: Vec<String> = nodes.map(|way| way.node.to_string()).collect();
    match nodes.as_slice() {
        [] => format!("make no release of {service} current?"),
        nodes => format!(
            "stop {service} on {}, with the loss of its states?",
            nodes.join(", ")
        ),
    }
}
