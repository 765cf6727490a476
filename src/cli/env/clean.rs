//! `erlrc env clean`: removes what is left over, and what nothing runs from.

use super::{Place, count, failed, leftovers, unfinished};
use crate::cli::{Common, Failure, Status, ask, output};
use crate::environment::store::Store;
use crate::environment::{content, uses};
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `erlrc env clean`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Names what commands that were interrupted left, and with --unused the environments that no process runs from. They are
removed with --yes, or where a person says yes on a terminal; else nothing is.

Whether a unit that is stopped would start from an environment is not known here: name those that are to go with
erlrc env destroy where that matters.

JSON: {\"kind\": \"environments_removed\", \"version\": 1, \"found\": [DIR], \"removed\": [DIR]}, schema/environments_removed-1.json

Examples:
  erlrc env clean
  erlrc env clean --yes
  erlrc env clean --unused")]
pub struct Arguments {
    /// Environments too that no process runs from
    #[arg(long)]
    unused: bool,
    /// Remove, and do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    place: Place,
}

/// Names, asks, removes.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let (store, out) = (arguments.place.store(), common.output());
    if store.root().exists() {
        crate::trust::check(store.root()).map_err(|error| failed(error.into()))?;
    }
    let left = leftovers(&store);
    let unused = match arguments.unused {
        true => unused(&store),
        false => Vec::new(),
    };
    let dirs = unused.iter().map(|name| store.place(name));
    let found: Vec<PathBuf> = left.iter().cloned().chain(dirs).collect();
    for dir in &left {
        let line = format!(
            "{}: left by a command that was interrupted\n",
            dir.display()
        );
        out.text(&output::printable_lines(&line));
    }
    for name in &unused {
        out.text(&format!("{name}: nothing runs from it\n"));
    }
    if found.is_empty() {
        out.text("nothing to remove\n");
    }
    let question = format!(
        "remove {}?",
        count(found.len(), "directory").replace("ys", "ies")
    );
    let agreed = arguments.yes || (!found.is_empty() && !out.is_json() && ask::is_yes(&question));
    let removed = match agreed {
        true => {
            remove(&store, &left, &unused)?;
            found.clone()
        }
        false => Vec::new(),
    };
    out.text(match (found.is_empty(), agreed) {
        (true, _) => "",
        (false, true) => "removed\n",
        (false, false) => "nothing was removed: erlrc env clean --yes removes it\n",
    });
    let report = json!({"found": found, "removed": removed});
    out.envelope("environments_removed", 1, &report);
    Ok(Status::Done)
}

fn unused(store: &Store) -> Vec<String> {
    let mut names = store.names();
    names.retain(|name| uses::of(&store.place(name)).is_empty());
    names
}

fn remove(store: &Store, left: &[PathBuf], unused: &[String]) -> Result<(), Failure> {
    for dir in left {
        content::remove(dir).map_err(failed)?;
    }
    for name in unused {
        store.destroy(name, &unfinished("gone")).map_err(failed)?;
    }
    Ok(())
}
