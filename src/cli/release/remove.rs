//! `erlrc release remove`: removes a release.

use super::{Named, Services, failed, pointers, trial};
use crate::cli::{Common, Failure, Status, ask};
use crate::release::{ReleaseError, Store};
use serde_json::json;

/// Arguments of `erlrc release remove`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The applications stay: they are the packages'. The current release, the previous one and one that is on trial
are not removed. Removed is with
--yes, or where a person says yes on a terminal; else nothing is, and the status is 1.

JSON: {\"kind\": \"release_removed\", \"version\": 1, \"service\", \"release\", \"dir\"}, schema/release_removed-1.json

Examples:
  erlrc release remove shop 1.0
  erlrc release remove --yes shop 1.0")]
pub struct Arguments {
    #[command(flatten)]
    named: Named,
    /// Remove, and do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    place: Services,
}

/// Why nothing is removed.
#[derive(Debug, thiserror::Error)]
enum RemoveError {
    #[error("{service} {version} {what}; nothing was removed")]
    InUse {
        service: String,
        version: String,
        what: &'static str,
    },
    #[error("nothing was removed")]
    NotAgreed,
}

/// Asks and removes.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let (service, version) = (&arguments.named.service, &arguments.named.release);
    let (store, out) = (arguments.place.store(common), common.output());
    let failed = |error| failed(error, service);
    check(&store, service, version)?;
    let question = format!("remove {service} {version}?");
    if !arguments.yes && (out.is_json() || !ask::is_yes(&question)) {
        let failure = Failure::new(Status::Failed, RemoveError::NotAgreed);
        return Err(failure.hint("--yes removes without a question"));
    }
    let locked = store.lock(service).map_err(failed)?;
    // It may have become current while the question stood.
    check(&store, service, version)?;
    locked.remove(version).map_err(failed)?;
    let dir = store.place(service, version);
    let report = json!({"service": service, "release": version, "dir": dir});
    out.envelope("release_removed", 1, &report);
    out.text(&format!("{service} {version}: removed\n"));
    Ok(Status::Done)
}

/// Whether it is there and nothing names it. One that cannot be read can go as well as one that is whole.
fn check(store: &Store, service: &str, version: &str) -> Result<(), Failure> {
    let (service, version) = (service.to_owned(), version.to_owned());
    if !store.versions(&service).contains(&version) {
        let error = ReleaseError::NoRelease {
            service: service.clone(),
            version,
        };
        return Err(failed(error, &service));
    }
    let [current, previous] = pointers(store, &service)?;
    let trial = trial::read(store, &service)?;
    let trial = trial.map(|(trial, stage)| (trial.release, trial::advice(&service, stage)));
    let other = format!("erlrc release default {service} VSN makes another one current");
    let uses = [
        (current, "is the current release", other.clone()),
        (previous, "is the previous release", other),
        match trial {
            Some((release, advice)) => (Some(release), "is on trial", advice),
            None => (None, "", String::new()),
        },
    ];
    for (found, what, hint) in uses {
        if found.as_ref() == Some(&version) {
            let failure = Failure::new(
                Status::Failed,
                RemoveError::InUse {
                    service,
                    version,
                    what,
                },
            );
            return Err(failure.hint(hint));
        }
    }
    Ok(())
}
