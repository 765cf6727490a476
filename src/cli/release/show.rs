//! `erlrc release show`: the applications of a release, and whether they are still what they were.

use super::{Named, Services, applications, failed, made, trial};
use crate::cli::env::count;
use crate::cli::table::indented;
use crate::cli::{Common, Failure, Status, output};
use crate::release::store::Pointer;
use crate::release::{Member, Release, content};
use serde_json::json;

/// Arguments of `erlrc release show`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
START is the type of the application, in start order: permanent, temporary, or load where another one includes it.
STATE is empty where the files are what they were when the release was made; changed or gone where they are not.

JSON: {\"kind\": \"release\", \"version\": 1, \"service\", \"release\", \"dir\", \"current\", \"otp\", \"erts\", \"environment\", \"made\",
\"applications\": [{\"application\", \"vsn\", \"dir\", \"digest\", \"start\", \"state\"}], \"boot\": FILE,
\"trial\": as erlrc release current has it}, schema/release-1.json

Examples:
  erlrc release show shop 1.0
  erlrc release show shop 1.0 --json")]
pub struct Arguments {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    place: Services,
}

/// How the files of an application are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// What they were.
    Same,
    /// Others.
    Changed,
    /// There are none.
    Gone,
}

/// Shows it.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let (service, version) = (&arguments.named.service, &arguments.named.release);
    let (store, out) = (arguments.place.store(common), common.output());
    let failed = |error| failed(error, service);
    let release = store.read(service, version).map_err(failed)?;
    let current = store.pointer(service, Pointer::Current).map_err(failed)?;
    let is_current = current.as_ref() == Some(version);
    let trial = trial::read(&store, service)?;
    let trial = trial.filter(|(trial, _)| trial.release == *version);
    let states: Vec<State> = release.applications.iter().map(state).collect();
    let mut told = applications(&release);
    for (told, state) in told.iter_mut().zip(&states) {
        told["state"] = json!(state);
    }
    let dir = store.place(service, version);
    let report = json!({
        "service": service, "release": version, "dir": dir, "current": is_current,
        "otp": release.otp, "erts": release.erts, "environment": release.environment,
        "made": made(&release), "applications": told,
        "boot": store.boot(service, version),
        "trial": trial.as_ref().map(|(trial, stage)| trial::json(trial, *stage)),
    });
    out.envelope("release", 1, &report);
    out.text(&output::printable_lines(&text(
        &release, &states, is_current,
    )));
    if let Some((trial, stage)) = trial {
        out.text(&trial::lines(service, &trial, stage));
    }
    Ok(Status::Done)
}

/// How the files of an application are now. What cannot be read is not what it was.
pub fn state(member: &Member) -> State {
    let ebin = crate::places::ApplicationDir(&member.dir).ebin();
    match content::digest(&member.dir) {
        _ if !ebin.exists() => State::Gone,
        Ok(digest) if digest == member.digest => State::Same,
        _ => State::Changed,
    }
}

fn text(release: &Release, states: &[State], is_current: bool) -> String {
    let environment = release.environment.iter();
    let environment: String = environment.map(|name| format!(" of {name}")).collect();
    let current = if is_current { ", current" } else { "" };
    let mut text = format!(
        "{} {}: {}, OTP {}{environment}, made {}{current}\n",
        release.service,
        release.version,
        count(release.applications.len(), "application"),
        release.otp,
        made(release),
    );
    let rows = release.applications.iter().zip(states);
    let rows: Vec<Vec<String>> = rows
        .map(|(member, state)| {
            let state = match state {
                State::Same => "",
                State::Changed => "changed",
                State::Gone => "gone",
            };
            vec![
                member.application.to_string(),
                member.vsn.clone(),
                member.start.as_str().to_owned(),
                state.to_owned(),
                member.dir.display().to_string(),
            ]
        })
        .collect();
    let heading = ["APPLICATION", "VERSION", "START", "STATE", "DIRECTORY"];
    text += &indented(2, &heading, &rows);
    text
}
