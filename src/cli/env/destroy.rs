//! `erlrc env destroy`: removes environments.

use super::{Place, failed, unfinished};
use crate::cli::{Common, Failure, Status, ask};
use crate::environment::store::Store;
use crate::environment::uses::{self, Use};
use serde_json::json;

/// Arguments of `erlrc env destroy`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Refused while a process runs from one. Removed is with --yes, or where a person says yes on a terminal; else nothing
is, and the status is 1. The files of the tree that it was made from stay: they have names of their own.

JSON: {\"kind\": \"environments_removed\", \"version\": 1, \"found\": [DIR], \"removed\": [DIR]}, schema/environments_removed-1.json

Examples:
  erlrc env destroy otp-25.2.3-6f1c0a92d3b4
  erlrc env destroy --yes otp-25.2.3-6f1c0a92d3b4")]
pub struct Arguments {
    /// The environments
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Remove, and do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    place: Place,
}

/// Why nothing is removed.
#[derive(Debug, thiserror::Error)]
enum DestroyError {
    #[error("there is no environment {name} in {store}")]
    Unknown { name: String, store: String },
    #[error("{name} is in use: {used}; nothing was removed")]
    Used { name: String, used: String },
    #[error("nothing was removed")]
    NotAgreed,
}

/// Asks and removes.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let (store, out) = (arguments.place.store(), common.output());
    for name in &arguments.names {
        check(&store, name)?;
    }
    let question = format!("remove {}?", arguments.names.join(", "));
    if !arguments.yes && (out.is_json() || !ask::is_yes(&question)) {
        let failure = Failure::new(Status::Failed, DestroyError::NotAgreed);
        return Err(failure.hint("--yes removes without a question"));
    }
    let mut removed = Vec::new();
    for name in &arguments.names {
        store.destroy(name, &unfinished("gone")).map_err(failed)?;
        removed.push(store.place(name));
        out.text(&format!("{name}: removed\n"));
    }
    let report = json!({"found": removed, "removed": removed});
    out.envelope("environments_removed", 1, &report);
    Ok(Status::Done)
}

/// Whether it is there and nothing runs from it. What is damaged can go as well as what is whole.
fn check(store: &Store, name: &str) -> Result<(), Failure> {
    if !store.names().iter().any(|known| known == name) {
        let (name, store) = (name.to_owned(), store.root().display().to_string());
        let failure = Failure::new(Status::Failed, DestroyError::Unknown { name, store });
        return Err(failure.hint("erlrc env list names those that are there"));
    }
    let used = uses::of(&store.place(name));
    if used.is_empty() {
        return Ok(());
    }
    let text = |one: &Use| format!("{} runs as process {}", one.program, one.pid);
    let used: Vec<String> = used.iter().map(text).collect();
    let (name, used) = (name.to_owned(), used.join(", "));
    let failure = Failure::new(Status::Failed, DestroyError::Used { name, used });
    Err(failure.hint("stop what runs from it"))
}
