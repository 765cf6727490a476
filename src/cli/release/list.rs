//! `erlrc release list`: the releases of services, one line each.

use super::{Services, chain, made, name, pointers, trial};
use crate::cli::table::table;
use crate::cli::{Common, Failure, Status, output};
use crate::release::{Release, ReleaseError, Stage, Store, Trial};
use serde_json::{Value, json};

/// Arguments of `erlrc release list`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
STATE says which release is current, which one was so before, and with ~ which one is on trial. A release that cannot be read is named with the
reason, and the status is 1. What nodes run is not looked at: erlrc status shows that.

JSON: {\"kind\": \"releases\", \"version\": 1, \"services\": [{\"service\", \"current\", \"previous\", \"releases\": [{\"release\", \"dir\",
\"otp\", \"erts\", \"environment\", \"applications\": {NAME: VSN}, \"made\", \"error\"}],
\"trial\": as erlrc release current has it}]}; of one that cannot be read release, dir and
error are there alone, schema/releases-1.json

Examples:
  erlrc release list
  erlrc release list shop")]
pub struct Arguments {
    /// The service [default: all]
    #[arg(value_name = "S", value_parser = name)]
    service: Option<String>,
    #[command(flatten)]
    place: Services,
}

/// Nothing is known of a service that somebody names.
#[derive(Debug, thiserror::Error)]
#[error("{service} has no release")]
struct ListError {
    service: String,
}

/// The releases of a service.
struct Listed {
    service: String,
    current: Option<String>,
    previous: Option<String>,
    trial: Option<(Trial, Stage)>,
    releases: Vec<(String, Result<Release, ReleaseError>)>,
}

/// A service that has no release.
pub fn none(service: &str) -> Failure {
    let hint = format!("erlrc release make {service} VSN --apps APP makes one");
    let service = service.to_owned();
    Failure::new(Status::Failed, ListError { service }).hint(hint)
}

/// Prints the list.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let (store, out) = (arguments.place.store(common), common.output());
    let services = match &arguments.service {
        Some(service) => vec![service.clone()],
        None => store.services(),
    };
    let mut all = Vec::new();
    for service in services {
        all.push(listed(&store, service)?);
    }
    if let Some(service) = &arguments.service
        && all.iter().all(|listed| listed.releases.is_empty())
    {
        return Err(none(service));
    }
    let told: Vec<Value> = all.iter().map(|listed| json(&store, listed)).collect();
    out.envelope("releases", 1, &json!({"services": told}));
    let rows: Vec<Vec<String>> = all.iter().flat_map(rows).collect();
    match rows.is_empty() {
        true => out.text(&format!("no release in {}\n", store.root().display())),
        false => {
            let heading = [
                "SERVICE",
                "RELEASE",
                "STATE",
                "APPLICATIONS",
                "OTP",
                "MADE",
                "PROBLEM",
            ];
            out.text(&table(&heading, &rows));
        }
    }
    for listed in &all {
        if let Some((trial, stage)) = &listed.trial {
            let lines = trial::lines(&listed.service, trial, *stage);
            out.text(&format!("~ {lines}"));
        }
    }
    let mut releases = all.iter().flat_map(|listed| &listed.releases);
    match releases.any(|(_, release)| release.is_err()) {
        true => Ok(Status::Failed),
        false => Ok(Status::Done),
    }
}

fn listed(store: &Store, service: String) -> Result<Listed, Failure> {
    let [current, previous] = pointers(store, &service)?;
    let trial = trial::read(store, &service)?;
    let versions = store.versions(&service).into_iter();
    let releases = versions.map(|version| {
        let release = store.read(&service, &version);
        (version, release)
    });
    Ok(Listed {
        releases: releases.collect(),
        service,
        current,
        previous,
        trial,
    })
}

fn json(store: &Store, listed: &Listed) -> Value {
    let service = &listed.service;
    let releases = listed.releases.iter().map(|(version, release)| {
        let dir = store.place(service, version);
        match release {
            Err(error) => json!({"release": version, "dir": dir, "error": chain(error)}),
            Ok(release) => {
                let members = release.applications.iter();
                let members = members.map(|one| (one.application.to_string(), json!(one.vsn)));
                let members: serde_json::Map<String, Value> = members.collect();
                json!({
                    "release": version, "dir": dir, "otp": release.otp, "erts": release.erts,
                    "environment": release.environment, "applications": members,
                    "made": made(release),
                })
            }
        }
    });
    let releases: Vec<Value> = releases.collect();
    json!({
        "service": service, "current": listed.current, "previous": listed.previous,
        "releases": releases,
        "trial": listed.trial.as_ref().map(|(trial, stage)| trial::json(trial, *stage)),
    })
}

fn rows(listed: &Listed) -> Vec<Vec<String>> {
    let state = |version: &String| {
        let is = |pointer: &Option<String>| pointer.as_ref() == Some(version);
        let tried = listed.trial.as_ref();
        let tried = tried.filter(|(trial, _)| trial.release == *version);
        match tried.map(|(_, stage)| stage) {
            Some(Stage::Committed) => return "~ current".to_owned(),
            Some(Stage::Over(_)) => return "~ was on trial".to_owned(),
            Some(Stage::Begun | Stage::OnTrial(_)) => return "~ on trial".to_owned(),
            None => {}
        }
        match (is(&listed.current), is(&listed.previous)) {
            (true, _) => "current".to_owned(),
            (false, true) => "previous".to_owned(),
            (false, false) => String::new(),
        }
    };
    let row = |(version, release): &(String, Result<Release, ReleaseError>)| {
        let (count, otp, made, problem) = match release {
            Ok(release) => (
                release.applications.len().to_string(),
                release.otp.clone(),
                made(release),
                String::new(),
            ),
            Err(error) => (String::new(), String::new(), String::new(), chain(error)),
        };
        let cells = [
            &listed.service,
            version,
            &state(version),
            &count,
            &otp,
            &made,
            &problem,
        ];
        cells.map(|cell| output::printable(cell)).to_vec()
    };
    listed.releases.iter().map(row).collect()
}
