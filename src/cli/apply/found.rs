//! What the doctor says of runs.

use super::undo::again;
use super::{second, store};
use crate::cli::Common;
use crate::maint::{Finding, Severity};
use crate::run::{Outcome, Run, RunError, Store};

/// The run that is open or that did not go back, unless a command works on it.
pub fn findings(common: &Common) -> Vec<Finding> {
    let store = store(common);
    let run = match latest(&store) {
        Ok(run) => run,
        Err(error) => {
            let advice = "move the file away, and look with erlrc snapshot diff";
            return vec![finding("runs", error.to_string(), advice.to_owned())];
        }
    };
    let is_claimed = || store.claim().is_ok_and(|claim| claim.is_none());
    run.and_then(|run| of(&run, &is_claimed))
        .into_iter()
        .collect()
}

/// The run that is open, else the last.
fn latest(store: &Store) -> Result<Option<Run>, RunError> {
    match store.open()? {
        None => Ok(store.runs()?.pop()),
        open => Ok(open),
    }
}

fn of(run: &Run, is_claimed: &dyn Fn() -> bool) -> Option<Finding> {
    let (id, what) = (run.id.as_str(), run.outcome.in_words());
    let settle = format!("erlrc confirm keeps it, erlrc revert {id} takes it back");
    match (run.outcome, &run.deadline) {
        (Outcome::PendingConfirm, Some(deadline)) => Some(Finding {
            kind: "run_waits",
            severity: Severity::Info,
            ..finding(
                id,
                format!("run {id} {what} until {}", second(deadline.at)),
                settle,
            )
        }),
        (Outcome::Running, _) if is_claimed() => None,
        (Outcome::Running | Outcome::PendingConfirm, _) => {
            Some(finding(id, format!("run {id} {what}"), settle))
        }
        (Outcome::NotRestored, _) => {
            let tag = run.snapshot.as_ref()?;
            Some(finding(id, format!("run {id} {what}"), again(tag)))
        }
        _ => None,
    }
}

fn finding(subject: &str, text: String, advice: String) -> Finding {
    Finding {
        kind: "unfinished_run",
        severity: Severity::Warning,
        subject: subject.to_owned(),
        text,
        advice,
        repair: None,
    }
}
