//! `erlrc release current` and `erlrc release default`: which release of a service is current.

use super::show::{State, state};
use super::{Named, Services, failed, name, pointers, trial};
use crate::cli::{Common, Failure, Output, Status};
use crate::release::store::Locked;
use crate::release::{Release, Store};
use serde_json::{Value, json};

/// Arguments of `erlrc release current`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Prints the version, and nothing where no release is current; the status is then 1. What is on trial is said on standard
error.

JSON: {\"kind\": \"release_current\", \"version\": 1, \"service\", \"current\", \"previous\", \"trial\": {\"release\", \"from\",
\"stage\", \"begun_ms\", \"until_ms\", \"nodes\"}}, where trial is null if nothing is on trial, schema/release_current-1.json

Examples:
  erlrc release current shop")]
pub struct Arguments {
    /// The service
    #[arg(value_name = "S", value_parser = name)]
    service: String,
    #[command(flatten)]
    place: Services,
}

/// Arguments of `erlrc release default`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
One link is replaced, and the release that was current becomes the previous one. No node is touched. Refused where the
files of an application are not what they were when the release was made.

JSON: as erlrc release current.

Examples:
  erlrc release default shop 1.1")]
pub struct DefaultArguments {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    place: Services,
}

#[derive(Debug, thiserror::Error)]
enum CurrentError {
    #[error("no release of {service} is current")]
    None { service: String },
    #[error("{service} {version} does not become current: {what}")]
    Changed {
        service: String,
        version: String,
        what: String,
    },
}

/// Prints it.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let service = &arguments.service;
    let (store, out) = (arguments.place.store(common), common.output());
    let [current, _] = pointers(&store, service)?;
    let Some(current) = current else {
        let service = service.clone();
        let hint = format!("erlrc release default {service} VSN makes one current");
        let failure = Failure::new(Status::Failed, CurrentError::None { service });
        return Err(failure.hint(hint));
    };
    out.envelope("release_current", 1, &report(&store, service)?);
    out.text(&format!("{current}\n"));
    if let Some((tried, stage)) = trial::read(&store, service)?
        && !out.is_json()
    {
        trial::note(service, &tried, stage);
    }
    Ok(Status::Done)
}

/// The same for machines.
pub fn report(store: &Store, service: &str) -> Result<Value, Failure> {
    let [current, previous] = pointers(store, service)?;
    let trial = trial::read(store, service)?;
    let trial = trial.map(|(trial, stage)| trial::json(&trial, stage));
    Ok(json!({"service": service, "current": current, "previous": previous, "trial": trial}))
}

/// Sets it.
pub fn set(arguments: &DefaultArguments, common: &Common) -> Result<Status, Failure> {
    let (service, version) = (&arguments.named.service, &arguments.named.release);
    let (store, out) = (arguments.place.store(common), common.output());
    let (locked, _) = locked(&store, service, version)?;
    trial::check_no_file(&store, service)?;
    let before = locked.set_current(version);
    let before = before.map_err(|error| failed(error, service))?;
    say(&store, (service, version), before, out)?;
    Ok(Status::Done)
}

/// A release whose applications are what they were, and that nobody removes for as long as the lock is there.
pub fn locked<'a>(
    store: &'a Store,
    service: &str,
    version: &str,
) -> Result<(Locked<'a>, Release), Failure> {
    let failed = |error| failed(error, service);
    let release = store.read(service, version).map_err(failed)?;
    check(&release)?;
    let locked = store.lock(service).map_err(failed)?;
    // It may have been removed before the lock was had.
    let release = store.read(service, version).map_err(failed)?;
    Ok((locked, release))
}

/// Says that a release of a service is current, and which one was before.
pub fn say(
    store: &Store,
    (service, version): (&str, &str),
    before: Option<String>,
    out: Output,
) -> Result<(), Failure> {
    out.envelope("release_current", 1, &report(store, service)?);
    out.text(&match before {
        Some(before) if before == version => format!("{service} {version} is current already\n"),
        Some(before) => format!("{service} {version} is current, {before} was\n"),
        None => format!("{service} {version} is current\n"),
    });
    Ok(())
}

/// Whether all that it names is what it was.
fn check(release: &Release) -> Result<(), Failure> {
    let spoilt = release.applications.iter().find_map(|member| {
        let (name, vsn, dir) = (&member.application, &member.vsn, member.dir.display());
        match state(member) {
            State::Same => None,
            State::Changed => Some(format!("the files of {name} {vsn} in {dir} have changed")),
            State::Gone => Some(format!("{name} {vsn} is no longer in {dir}")),
        }
    });
    let Some(what) = spoilt else {
        return Ok(());
    };
    let (service, version) = (release.service.clone(), release.version.clone());
    let hint = "install what it was made of, or make a release of what is there";
    let failure = CurrentError::Changed {
        service,
        version,
        what,
    };
    Err(Failure::new(Status::Failed, failure).hint(hint))
}
