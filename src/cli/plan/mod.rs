//! `erlrc plan`: what an upgrade would do, and what would go wrong.
//!
//! Changes nothing, on no node. Between two directories no node is asked.

mod ask;
mod deb;
mod page;
mod picture;
mod text;

use super::arguments::{Apps, application, directory, vsn};
use super::hook::Migration;
use super::resolution::{self, Version};
use super::{Common, Connection, Failure, Status};
use crate::plan::{Depth, Plan, Question, SCHEMA, Surroundings, Verdict, plan};
use crate::record::Time;
use crate::script::Options;
use crate::script::opt_in::Said;
use crate::term::Atom;
use ask::Outcome;
use serde_json::json;
use std::path::{Path, PathBuf};
use text::Found;

/// Arguments of `erlrc plan`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Says for each node what would run and what would go wrong, and changes nothing. VERSION is by default what
is installed: what the metadata of the package says, else the latest version beside the one that runs.
With --from and --to (or --from-deb) no node is asked; --lib says what else is there to be looked at. The exit status
tells the worst verdict: 0 hot (with warnings too), 1 would fail, 4 the application needs a restart, 5
the emulator needs a restart. erlrc-findings(7) lists what a plan finds.

JSON: {\"kind\": \"plan\", \"version\": 1, \"application\", \"verdict\", \"status\", \"plans\": [...], \"others\": [...]}.

Examples:
  erlrc plan egerl
  erlrc plan egerl 4.1.0 --node shop --html change.html
  erlrc plan --from-deb ./egerl_4.1.0_all.deb
  erlrc plan egerl --from ./egerl-4.0.1 --to ./egerl-4.1.0 --lib /usr/lib/erlang/lib")]
pub struct Arguments {
    /// The application; may be left out where a package says which
    #[arg(value_parser = application, required_unless_present = "from_deb")]
    app: Option<Atom>,
    /// The version that is to run
    #[arg(id = "vsn", value_name = "VERSION", value_parser = vsn)]
    version: Option<String>,
    /// The directory of the version that runs: asks no node
    #[arg(long, value_name = "DIR", value_parser = directory, requires = "target", conflicts_with = "only")]
    from: Option<PathBuf>,
    /// The directory of the version that is to run
    #[arg(long, value_name = "DIR", value_parser = directory, group = "target")]
    to: Option<PathBuf>,
    /// A package that holds the version that is to run
    #[arg(long, value_name = "FILE.deb", value_parser = directory, group = "target")]
    from_deb: Option<PathBuf>,
    /// A directory of applications that are there too; may be given several times
    #[arg(long, value_name = "DIR", value_parser = directory, requires = "from")]
    lib: Vec<PathBuf>,
    /// The OTP release that the version is to run on
    #[arg(long, value_name = "RELEASE", requires = "from")]
    otp: Option<u32>,
    /// Write a page for a change request too, one file that needs nothing else
    #[arg(long, value_name = "FILE", value_parser = directory)]
    html: Option<PathBuf>,
    #[command(flatten)]
    migration: Migration,
    #[command(flatten)]
    packages: Apps,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, thiserror::Error)]
enum PlanError {
    #[error("cannot write {}", file.display())]
    Page {
        file: PathBuf,
        source: std::io::Error,
    },
}

/// Makes the plans and prints them.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    let unpack = |file: &PathBuf| {
        let unpacked = super::deb::unpack(file, None);
        unpacked.map_err(|error| Failure::new(Status::Failed, error))
    };
    let unpacked = arguments.from_deb.as_ref().map(unpack).transpose()?;
    let to = match &unpacked {
        Some(unpacked) => Some(deb::application(unpacked, arguments.app.as_ref())?),
        None => arguments.to.clone().map(|dir| (arguments.app.clone(), dir)),
    };
    let named = to.as_ref().and_then(|(application, _)| application.clone());
    let Some(application) = named.or_else(|| arguments.app.clone()) else {
        return Err(Failure::new(Status::Usage, "which application is not said"));
    };
    let to = to.map(|(_, dir)| dir);
    let mut outcomes = match (&arguments.from, &to) {
        (Some(from), Some(to)) => vec![offline(&application, from, to, &arguments, common)?],
        _ => {
            let outcomes = ask::nodes(&application, to.as_ref(), &arguments, common)?;
            check_name(&application, to.is_some(), &outcomes, &arguments, common)?;
            outcomes
        }
    };
    if let Some(unpacked) = &unpacked {
        outcomes
            .iter_mut()
            .for_each(|plan| plan.will_be_in(unpacked));
    }
    if let Some(file) = &arguments.html {
        let page = page::page(&application, &outcomes, (&super::page::host(), Time::now()));
        std::fs::write(file, page).map_err(|source| {
            let file = file.clone();
            Failure::new(Status::Failed, PlanError::Page { file, source })
        })?;
    }
    let found = match (&arguments.from_deb, &to) {
        _ if arguments.migration.choice().is_some() => Found::Elsewhere,
        (Some(_), _) => Found::Elsewhere,
        (None, Some(_)) => Found::InDirectory,
        (None, None) => Found::ByVersion,
    };
    Ok(report(&application, &outcomes, found, common))
}

/// A name that nobody knows was mistyped.
fn check_name(
    application: &Atom,
    has_target: bool,
    outcomes: &[Outcome],
    arguments: &Arguments,
    common: &Common,
) -> Result<(), Failure> {
    let apps = &arguments.packages.apps;
    let known = has_target || resolution::is_known_to_host(application, common, apps);
    match known || outcomes.iter().any(Outcome::may_have_it) {
        true => Ok(()),
        false => Err(resolution::nowhere(application)),
    }
}

/// Between two directories.
fn offline(
    application: &Atom,
    from: &Path,
    to: &Path,
    arguments: &Arguments,
    common: &Common,
) -> Result<Outcome, Failure> {
    let around = Surroundings {
        release: arguments.otp,
        ..Surroundings::installed(&arguments.lib, application)
    };
    let (from, to) = (
        Version::in_directory(application, from, common)?,
        Version::in_directory(application, to, common)?,
    );
    let scripts = Options {
        migrate: Said {
            asked: arguments.migration.choice(),
            root: Some(common.root.clone()),
            ..Said::default()
        },
        ..Options::default()
    };
    planned(application, (&from, &to), &around, scripts, common)
        .map(|plan| Outcome::Plan(Box::new(plan)))
}

/// The plan from one version to another.
fn planned(
    application: &Atom,
    (from, to): (&Version, &Version),
    around: &Surroundings,
    scripts: Options,
    common: &Common,
) -> Result<Plan, Failure> {
    let options = Options {
        root: scripts.root.or_else(|| Some(common.root.clone())),
        ..scripts
    };
    let question = Question {
        application,
        from: (&from.vsn, &from.dir),
        to: (&to.vsn, &to.dir),
        direction: from.way_to(to),
        options: &options,
        around,
        depth: Depth::Everything,
    };
    plan(&question).map_err(|error| Failure::new(Status::Failed, error))
}

/// Prints the outcomes. The status is the worst of them.
fn report(application: &Atom, outcomes: &[Outcome], found: Found, common: &Common) -> Status {
    let output = common.output();
    let status = outcomes
        .iter()
        .map(Outcome::status)
        .fold(Status::Done, Status::worse);
    let plans = || outcomes.iter().filter_map(Outcome::plan);
    let verdict = plans().map(|plan| plan.verdict).max();
    let others = outcomes.iter().filter_map(Outcome::json);
    let report = json!({
        "schema": SCHEMA,
        "application": application.as_str(),
        "verdict": verdict,
        "plans": plans().collect::<Vec<_>>(),
        "others": others.collect::<Vec<_>>(),
        "status": status.code(),
    });
    output.envelope("plan", SCHEMA, &report);
    if outcomes.is_empty() {
        output.text("no node to ask; --from names the version that runs and asks none\n");
    }
    let colours = super::colours::Colours::of_terminal();
    for outcome in outcomes {
        output.text(&text::outcome(application, outcome, found, colours));
    }
    status
}

/// The exit status that says a verdict.
pub fn status(verdict: Verdict) -> Status {
    match verdict {
        Verdict::Hot | Verdict::HotWithWarnings => Status::Done,
        Verdict::RestartApplication => Status::NoPath,
        Verdict::RestartEmulator => Status::RestartEmulator,
        Verdict::WouldFail => Status::Failed,
    }
}
