//! `erlrc snapshot diff`: what differs between a snapshot and now, or another one.

use super::{failed, store, tag};
use crate::cli::arguments::Apps;
use crate::cli::env::count;
use crate::cli::table::table;
use crate::cli::{Common, Failure, Status, output};
use crate::snapshot::difference::{Changed, Kind, difference};
use crate::snapshot::package::{INSTALLED, Package};
use crate::snapshot::{Tag, host};
use serde_json::{Value, json};

/// Arguments of `erlrc snapshot diff`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
All packages are compared, whatever files are kept. rebuilt: the same version with other files, told for packages whose
files are kept, or of another architecture. state: dpkg has come further with it, or less far. marked: held, or installed
for another package's sake, and not so before; or the other way round. The status is 0 whether something differs or not.

JSON: {\"kind\": \"snapshot_difference\", \"version\": 1, \"before\": TAG, \"after\": TAG or null for now, \"changes\": [{\"name\",
\"kind\": added|removed|upgraded|downgraded|rebuilt|state|marked, \"before\": {\"version\", \"arch\", \"state\", \"auto\", \"hold\"}
or null, \"after\": the same}]}

Examples:
  erlrc snapshot diff before-deploy
  erlrc snapshot diff before-deploy after-deploy --json")]
pub struct Arguments {
    /// The snapshot
    #[arg(value_name = "TAG", value_parser = tag)]
    tag: Tag,
    /// A later one [default: what is installed now]
    #[arg(value_name = "TAG2", value_parser = tag)]
    other: Option<Tag>,
    #[command(flatten)]
    packages: Apps,
}

/// Prints what differs.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let (store, out) = (store(common), common.output());
    let before = store.read(&arguments.tag).map_err(failed)?.packages;
    let after = match &arguments.other {
        Some(tag) => store.read(tag).map_err(failed)?.packages,
        None => {
            let now = host::state(&arguments.packages.apps).map_err(failed)?;
            host::compared(now.packages, &before)
        }
    };
    let changes = difference(&before, &after);
    let listed: Vec<Value> = changes.iter().map(one).collect();
    let report = json!({"before": arguments.tag, "after": arguments.other, "changes": listed});
    out.envelope("snapshot_difference", 1, &report);
    let name = |tag: Option<&Tag>| tag.map_or_else(|| "NOW".to_owned(), ToString::to_string);
    let (from, to) = (name(Some(&arguments.tag)), name(arguments.other.as_ref()));
    out.text(&match changes.is_empty() {
        true => format!("nothing differs in {}\n", count(after.len(), "package")),
        false => lines(&changes, &from, &to),
    });
    Ok(Status::Done)
}

/// A table of changes.
pub fn lines(changes: &[Changed], from: &str, to: &str) -> String {
    let row = |change: &Changed| {
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        let cells = [
            change.name.clone(),
            kind(change.kind).to_owned(),
            side(before, after),
            side(after, before),
        ];
        cells.map(|cell| output::printable(&cell)).to_vec()
    };
    let rows: Vec<Vec<String>> = changes.iter().map(row).collect();
    table(&["PACKAGE", "CHANGE", from, to], &rows)
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Added => "added",
        Kind::Removed => "removed",
        Kind::Upgraded => "upgraded",
        Kind::Downgraded => "downgraded",
        Kind::Rebuilt => "rebuilt",
        Kind::State => "state",
        Kind::Marked => "marked",
    }
}

/// The version, and what else is not as on the other side.
fn side(package: Option<&Package>, other: Option<&Package>) -> String {
    let Some(package) = package else {
        return "-".to_owned();
    };
    let mut words = vec![package.version.clone()];
    let differs = |of: fn(&Package) -> String| other.is_some_and(|other| of(other) != of(package));
    if differs(|one| one.arch.clone()) {
        words.push(package.arch.clone());
    }
    if package.state != INSTALLED || differs(|one| one.state.clone()) {
        words.push(package.state.clone());
    }
    if differs(|one| one.auto.to_string()) {
        words.push(if package.auto { "automatic" } else { "manual" }.to_owned());
    }
    if differs(|one| one.hold.to_string()) {
        words.push(if package.hold { "held" } else { "not held" }.to_owned());
    }
    words.join(", ")
}

/// A change for machines.
pub fn one(change: &Changed) -> Value {
    let side = |package: &Option<Package>| match package {
        None => Value::Null,
        Some(package) => json!({
            "version": package.version,
            "arch": package.arch,
            "state": package.state,
            "auto": package.auto,
            "hold": package.hold,
        }),
    };
    json!({
        "name": change.name,
        "kind": change.kind,
        "before": side(&change.before),
        "after": side(&change.after),
    })
}
