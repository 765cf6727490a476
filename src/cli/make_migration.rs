//! `erlrc make-migration`: the conversion of states between two versions, as source for `code_change`, or as a migration
//! module.

use super::arguments::{application, directory, vsn};
use super::{Common, Failure, Status};
use crate::appup::Direction;
use crate::installed;
use crate::migration::skeleton::{self, Part};
use crate::migration::{Loss, source};
use crate::script::migrations;
use crate::term::Atom;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Arguments of `erlrc make-migration`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Prints, for each module whose states change and whose code_change does not convert them, the functions that
do, ready to be pasted into the later version: what --migrate does by itself. Of a supervisor it is a clause
of init/1, which takes the argument of the earlier version. Both versions need debug
information. Modules that cannot be converted field by field are named with the reason, and the status is 1.

With --module it is the source of a module that is not one of those: APP_migration, or the name that is
given. It goes into the later version; its attribute -erlrc_migration says whose states it converts.

JSON: {\"kind\": \"migration\", \"version\": 1, \"application\", \"modules\": {MODULE: SOURCE}, \"refused\": {MODULE:
[REASON]}, \"status\"}

Examples:
  erlrc make-migration egerl 4.0.1 4.1.0 ./egerl-4.0.1 ./egerl-4.1.0
  erlrc make-migration --module egerl 4.0.1 4.1.0 ./egerl-4.0.1 ./egerl-4.1.0")]
pub struct Arguments {
    /// The application
    #[arg(value_parser = application)]
    app: Atom,
    /// The earlier version
    #[arg(value_parser = vsn)]
    from: String,
    /// The later version
    #[arg(value_parser = vsn)]
    to: String,
    /// The directory of FROM, the one that holds ebin
    #[arg(value_parser = directory, value_name = "FROMDIR")]
    fromdir: PathBuf,
    /// The directory of TO
    #[arg(value_parser = directory, value_name = "TODIR")]
    todir: PathBuf,
    /// Print a migration module instead
    #[arg(long, value_name = "NAME", value_parser = application, num_args = 0..=1, require_equals = true)]
    module: Option<Option<Atom>>,
}

/// Why no source is printed for the argument of a supervisor, which `--migrate` converts all the same.
const SAME_SIZE: &str = "both versions of the argument of its init/1 are of the same size, so a clause cannot tell which one it is given; --migrate converts it";

/// Finds the conversions and prints them.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let shipped = |dir: &PathBuf| {
        let found = installed::shipped(&arguments.app, dir);
        found.map_err(|error| Failure::new(Status::Failed, error))
    };
    let (old, new) = (shipped(&arguments.fromdir)?, shipped(&arguments.todir)?);
    let modules = new
        .modules()
        .iter()
        .filter(|name| old.modules().contains(name));
    let dirs = (arguments.fromdir.as_path(), arguments.todir.as_path());
    let found = migrations::find(dirs, modules.cloned(), Direction::Up, Loss::Allowed);
    let output = common.output();
    let (mut texts, mut refused) = (BTreeMap::new(), BTreeMap::new());
    let mut parts = Vec::new();
    let mut status = Status::Done;
    for (module, migration) in found {
        let printed: Result<String, Vec<String>> = match migration {
            Ok(found) if arguments.module.is_some() => {
                let ways = Ok((found.migration, found.back));
                parts.push(Part {
                    changed: module,
                    ways,
                });
                continue;
            }
            Ok(found) => {
                let printed =
                    source::code_change(&found.migration, found.back.as_ref(), &arguments.from);
                printed.ok_or_else(|| vec![SAME_SIZE.to_owned()])
            }
            Err(obstacles) => Err(obstacles.iter().map(ToString::to_string).collect()),
        };
        match printed {
            Ok(text) => {
                texts.insert(module.to_string(), text);
            }
            Err(why) => {
                parts.push(Part {
                    changed: module.clone(),
                    ways: Err(why.join("; ")),
                });
                output.warning(&format!("{module} is not converted: {}", why.join("; ")));
                refused.insert(module.to_string(), why);
                status = Status::Failed;
            }
        }
    }
    if let Some(name) = arguments.module.as_ref().filter(|_| !parts.is_empty()) {
        let name = name.clone().unwrap_or_else(|| own_name(&arguments.app));
        let text = skeleton::module(&name, &parts, (&arguments.from, &arguments.to));
        texts.insert(name.to_string(), text);
    }
    let report = json!({
        "application": arguments.app.as_str(), "modules": texts, "refused": refused, "status": status.code(),
    });
    output.envelope("migration", 1, &report);
    match texts.is_empty() {
        true if status == Status::Done => {
            output.text("%% No state changes without a code_change that converts it.\n")
        }
        _ => output.text(&texts.into_values().collect::<Vec<_>>().join("\n")),
    }
    Ok(status)
}

/// The name of the migration module of an application.
fn own_name(application: &Atom) -> Atom {
    Atom::new(&format!("{application}_migration")).unwrap_or_else(|| application.clone())
}
