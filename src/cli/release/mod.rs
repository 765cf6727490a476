//! `erlrc release`: sets of applications that belong together, as releases of a service.

mod boot_files;
mod current;
mod diff;
mod list;
mod make;
mod remove;
mod reset;
mod set;
mod settle;
mod show;
pub mod trial;
mod upgrade;
mod ways;

use super::arguments::absolute;
use super::{Common, Failure, Status};
use crate::places::{SERVICES, State};
use crate::release::store::Pointer;
use crate::release::{Release, ReleaseError, Store, is_name};
use std::error::Error;
use std::path::PathBuf;

/// Arguments of `erlrc release`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
A release names a set of applications: which version of each, where it is, and the digest of its files. It is a
directory below /usr/lib/erlrc/services that is written once and never changed. Several releases of a service stand
side by side; one of them is current.

Examples:
  erlrc release make shop 1.0 --apps tally
  erlrc release list shop
  erlrc release diff shop 1.0 1.1
  erlrc release upgrade shop 1.1")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Make a release of what is installed
    Make(make::Arguments),
    /// List the releases of a service, or of all
    List(list::Arguments),
    /// Print which release of a service is current
    Current(current::Arguments),
    /// Make a release the current one
    Default(current::DefaultArguments),
    /// Show the applications of a release
    Show(show::Arguments),
    /// Show what changes from one release to another
    Diff(diff::Arguments),
    /// Show what an upgrade of the nodes to a release would do
    Plan(upgrade::PlanArguments),
    /// Upgrade the nodes to a release, without a restart, and make it the current one
    Upgrade(upgrade::Arguments),
    /// The same to an earlier release
    Downgrade(upgrade::Arguments),
    /// Make the release that is on trial the current one
    Commit(settle::Arguments),
    /// Take the nodes back from the release that is on trial, or to the previous one
    Revert(settle::RevertArguments),
    /// Stop what the current release names; no release is current then
    Reset(reset::Arguments),
    /// Remove a release
    Remove(remove::Arguments),
}

/// A release of a service.
#[derive(clap::Args, Debug)]
struct Named {
    /// The service
    #[arg(value_name = "S", value_parser = name)]
    service: String,
    /// The version of the release
    #[arg(value_name = "VSN", value_parser = name)]
    release: String,
}

/// Where releases are.
#[derive(clap::Args, Clone, Debug)]
pub struct Services {
    /// Directory of services
    #[arg(
        long,
        value_name = "DIR",
        env = SERVICES.variable,
        default_value = SERVICES.default,
        hide_env_values = true
    )]
    services: PathBuf,
}

impl Services {
    /// Absolute places: links are compared with them.
    pub fn store(&self, common: &Common) -> Store {
        let state = State(&absolute(&common.state)).services();
        Store::new(absolute(&self.services), state)
    }
}

/// Does what was asked for.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    match arguments.action {
        Action::Make(arguments) => make::run(&arguments, common),
        Action::List(arguments) => list::run(&arguments, common),
        Action::Current(arguments) => current::run(&arguments, common),
        Action::Default(arguments) => current::set(&arguments, common),
        Action::Show(arguments) => show::run(&arguments, common),
        Action::Diff(arguments) => diff::run(&arguments, common),
        Action::Plan(arguments) => upgrade::plan(arguments, common),
        Action::Upgrade(arguments) => upgrade::up(&arguments, common),
        Action::Downgrade(arguments) => upgrade::down(&arguments, common),
        Action::Commit(arguments) => settle::commit(&arguments, common),
        Action::Revert(arguments) => settle::revert(&arguments, common),
        Action::Reset(arguments) => reset::run(&arguments, common),
        Action::Remove(arguments) => remove::run(&arguments, common),
    }
}

/// The name of a service or the version of a release.
fn name(text: &str) -> Result<String, String> {
    let why = "it starts with a letter or a digit, has letters, digits and . _ + ~ - and does not end with .tmp";
    is_name(text)
        .then(|| text.to_owned())
        .ok_or_else(|| why.to_owned())
}

/// An error of the releases of `service`, with what to do.
fn failed(error: ReleaseError, service: &str) -> Failure {
    let hint = match &error {
        ReleaseError::NoRelease { .. } => Some(format!(
            "erlrc release list {service} names those that there are"
        )),
        ReleaseError::Damaged { .. } => {
            Some("make a release of another version, and remove this one".to_owned())
        }
        ReleaseError::Exists { .. } => {
            Some("a release is never changed: choose another version for this set".to_owned())
        }
        ReleaseError::Busy { .. } => Some("try again when it has ended".to_owned()),
        _ => None,
    };
    let failure = Failure::new(Status::Failed, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// An error with its causes, on one line.
fn chain(error: &ReleaseError) -> String {
    let first: &dyn Error = error;
    let all = std::iter::successors(Some(first), |&error| error.source());
    let all: Vec<String> = all.map(ToString::to_string).collect();
    super::output::printable(&all.join(": "))
}

/// When a release was made, as a list of operations says it.
fn made(release: &Release) -> String {
    let time = crate::record::Time::from_millis(release.made.saturating_mul(1000));
    super::history::moment(time)
}

/// The current release of a service, and the one before.
fn pointers(store: &Store, service: &str) -> Result<[Option<String>; 2], Failure> {
    let pointer = |pointer| {
        let found = store.pointer(service, pointer);
        found.map_err(|error| failed(error, service))
    };
    Ok([pointer(Pointer::Current)?, pointer(Pointer::Previous)?])
}

/// What a release has, for machines.
fn applications(release: &Release) -> Vec<serde_json::Value> {
    let members = release.applications.iter();
    let member = |member: &crate::release::Member| {
        serde_json::json!({
            "application": member.application.as_str(),
            "vsn": member.vsn,
            "dir": member.dir,
            "digest": member.digest,
            "start": member.start,
        })
    };
    members.map(member).collect()
}
