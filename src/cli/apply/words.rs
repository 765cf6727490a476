//! What is said of a run, to people and to machines.

use crate::cli::env::count;
use crate::cli::{Output, Status, output};
use crate::record::Time;
use crate::run::{Outcome, Run};
use serde_json::{Value, json};

/// Says what became of a run.
pub fn say(run: &Run, table: &str, status: Status, out: Output) {
    out.envelope("run", 1, &json(run, Some(status)));
    out.text(&output::printable_lines(&format!("{table}{}", text(run))));
}

/// A run for machines.
pub fn json(run: &Run, status: Option<Status>) -> Value {
    let changed = !run.changes.is_empty() && run.outcome.stands();
    let mut value = json!({
        "id": run.id,
        "who": run.who,
        "begun": run.begun,
        "packages": run.packages,
        "outcome": run.outcome,
        "changed": changed,
        "reason": run.reason,
        "snapshot": run.snapshot,
        "deadline": run.deadline.as_ref().map(|deadline| deadline.at),
        "changes": run.changes,
        "findings": run.findings,
    });
    if let Some(status) = status {
        value["status"] = json!(status.code());
    }
    value
}

fn text(run: &Run) -> String {
    let id = &run.id;
    let changed = count(run.changes.len(), "package");
    let why = run.reason.as_deref().unwrap_or_default();
    match run.outcome {
        Outcome::Unchanged => "all is so already, nothing to do\n".to_owned(),
        Outcome::WouldChange => "it would be hot, nothing was changed\n".to_owned(),
        Outcome::Refused => format!("refused, nothing was changed: {why}\n"),
        Outcome::Applied => {
            format!("{id}: applied, {changed} changed\n  to take it back: erlrc revert {id}\n")
        }
        Outcome::PendingConfirm => {
            let at = run.deadline.as_ref().map(|deadline| second(deadline.at));
            format!(
                "{id}: applied, {changed} changed; goes back at {} unless it is confirmed\n  to keep it: erlrc confirm\n  to take it \
                 back at once: erlrc revert\n",
                at.unwrap_or_default()
            )
        }
        Outcome::Restored => format!("{id}: failed, the packages are as before: {why}\n"),
        outcome => format!("{id}: {}\n", outcome.in_words()),
    }
}

/// A time to the second.
pub fn second(time: Time) -> String {
    let time = time.to_string();
    format!("{}Z", time.split('.').next().unwrap_or_default())
}
