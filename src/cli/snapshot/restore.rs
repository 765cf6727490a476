//! `erlrc snapshot restore`: the packages of this host as a snapshot has them.

use super::diff::{lines, one};
use super::{before, failed, missing, store, tag};
use crate::cli::arguments::Apps;
use crate::cli::env::count;
use crate::cli::{Common, Failure, Output, Status, output, scratch};
use crate::snapshot::difference::Changed;
use crate::snapshot::restore::{self, Plan};
use crate::snapshot::{SnapshotError, Tag};
use serde_json::{Value, json};
use std::path::Path;

/// Arguments of `erlrc snapshot restore`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Restored are the packages whose files the snapshot keeps, or should keep: with --keep ours those that brought
applications then or now, and erlrc; others stay as they are. Before anything begins every package file that is needed is
there with the content that it had, and apt has said that it would do this and nothing else. Then the state is kept as
snapshot before-TIME, and one run of apt-get does all of it from these files, without a repository; nodes take it as one,
as in batch mode. Configuration files that somebody changed stay as they are. Holds, and what was installed for another
package's sake, are marked as they were. At the end dpkg is asked whether all is so; where it is not, the message names
what is left and the command that goes back. What apt prints goes to standard error.

A snapshot holds packages, no data: what a later version has written the earlier one must be able to read. The next
upgrade by apt brings the later versions again, unless they are held.

JSON: {\"kind\": \"snapshot_restored\", \"version\": 1, \"tag\", \"outcome\": restored|unchanged|would_change, \"way_back\":
TAG or null, \"changes\": as erlrc snapshot diff has them, from now to the snapshot}

Examples:
  erlrc snapshot restore before-deploy -n
  erlrc snapshot restore before-deploy")]
pub struct Arguments {
    /// The snapshot
    #[arg(value_name = "TAG", value_parser = tag)]
    tag: Tag,
    /// Say what would change, and change nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    packages: Apps,
}

/// Restores it.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let store = store(common);
    let empty = scratch::directory().map_err(|error| Failure::new(Status::Failed, error))?;
    let apps = &arguments.packages.apps;
    let plan = restore::plan(&store, &arguments.tag, apps, empty.path()).map_err(failed)?;
    let out = common.output();
    let outcome = match (plan.changes.is_empty(), arguments.dry_run) {
        (true, _) => "unchanged",
        (false, true) => "would_change",
        (false, false) => return carry_out(&plan, apps, empty.path(), common),
    };
    say(&plan, outcome, None, out);
    Ok(Status::Done)
}

fn carry_out(plan: &Plan, apps: &Path, empty: &Path, common: &Common) -> Result<Status, Failure> {
    let out = common.output();
    let before = before(common, plan.manifest.keep, apps)?;
    let gaps = missing(plan.gaps(&before));
    if !gaps.is_empty() {
        out.warning(&format!("{}: the way back has gaps", before.tag));
        output::error_text(&output::printable_lines(&gaps));
    }
    let done = plan.carry_out(&before, apps, empty);
    done.map_err(|error| match error {
        error @ SnapshotError::NotRestored { .. } => {
            let hint = format!("erlrc snapshot restore {} goes back", before.tag);
            Failure::new(Status::NotRolledBack, error).hint(hint)
        }
        error => failed(error),
    })?;
    say(plan, "restored", Some(&before.tag), out);
    Ok(Status::Done)
}

fn say(plan: &Plan, outcome: &str, before: Option<&Tag>, out: Output) {
    let (tag, changes) = (&plan.manifest.tag, &plan.changes);
    let listed: Vec<Value> = changes.iter().map(one).collect();
    let report = json!({
        "tag": tag,
        "outcome": outcome,
        "way_back": before,
        "changes": listed,
    });
    out.envelope("snapshot_restored", 1, &report);
    out.text(&text(tag, changes, outcome, before));
}

fn text(tag: &Tag, changes: &[Changed], outcome: &str, before: Option<&Tag>) -> String {
    let table = || lines(changes, "NOW", tag.as_str());
    let packages = count(changes.len(), "package");
    match (outcome, before) {
        ("unchanged", _) => format!("{tag}: all is as it was then, nothing to do\n"),
        (_, Some(before)) => format!(
            "{}{tag}: restored, {packages} changed\n  erlrc snapshot restore {before} undoes it\n",
            table()
        ),
        (_, None) => format!(
            "{}{tag}: {packages} would change, nothing was changed\n",
            table()
        ),
    }
}
