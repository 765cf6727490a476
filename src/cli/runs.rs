//! `erlrc runs`: the steps of `erlrc apply`.

use super::apply::{self, failed, second};
use super::table::table;
use super::{Common, Failure, Status, output};
use crate::run::{Change, Outcome, Run};
use crate::snapshot::Tag;
use serde_json::{Value, json};

/// Arguments of `erlrc runs`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The oldest first; with a name that one in full. A run that waits to be confirmed, or whose command ended in the midst,
keeps other runs out until erlrc confirm or erlrc revert settles it. The last 100 that are settled are kept.

JSON: {\"kind\": \"runs\", \"version\": 1, \"runs\": [...]}, each as erlrc apply has it, without status

Examples:
  erlrc runs
  erlrc runs 20261130T150302Z")]
pub struct Arguments {
    /// The run
    #[arg(value_name = "RUN", value_parser = Tag::parse)]
    id: Option<Tag>,
}

/// Lists them.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let (store, out) = (apply::store(common), common.output());
    let runs = match &arguments.id {
        Some(id) => vec![store.read(id).map_err(failed)?],
        None => store.runs().map_err(failed)?,
    };
    let listed: Vec<Value> = runs.iter().map(|run| apply::json(run, None)).collect();
    out.envelope("runs", 1, &json!({"runs": listed}));
    out.text(&match (runs.as_slice(), &arguments.id) {
        ([], _) => "no run: erlrc apply makes one\n".to_owned(),
        ([run], Some(_)) => output::printable_lines(&whole(run)),
        (runs, _) => {
            let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
            table(&["RUN", "BY", "OUTCOME", "PACKAGES"], &rows)
        }
    });
    Ok(Status::Done)
}

fn row(run: &Run) -> Vec<String> {
    let user = run.who.sudo_user.as_ref().or(run.who.user.as_ref());
    let outcome = match (run.outcome, &run.deadline) {
        (Outcome::PendingConfirm, Some(deadline)) => {
            format!("{} until {}", run.outcome.in_words(), second(deadline.at))
        }
        (outcome, _) => outcome.in_words().to_owned(),
    };
    let cells = [
        run.id.to_string(),
        user.cloned().unwrap_or_else(|| run.who.uid.to_string()),
        outcome,
        run.packages.join(" "),
    ];
    cells.iter().map(|cell| output::printable(cell)).collect()
}

fn whole(run: &Run) -> String {
    let mut lines = vec![
        format!("{}: {}", run.id, run.outcome.in_words()),
        format!(
            "  begun     {} by {}",
            second(run.begun),
            run.who.in_words()
        ),
        format!("  asked for {}", run.packages.join(" ")),
    ];
    lines.extend(run.reason.iter().map(|why| format!("  because   {why}")));
    lines.extend(run.snapshot.iter().map(|tag| format!("  snapshot  {tag}")));
    let deadline = run.deadline.iter();
    lines.extend(deadline.map(|deadline| format!("  deadline  {}", second(deadline.at))));
    lines.extend(run.changes.iter().map(change));
    lines.join("\n") + "\n"
}

fn change(change: &Change) -> String {
    let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
    let (before, after) = (side(&change.before), side(&change.after));
    format!("  {} {before} -> {after}", change.name)
}
