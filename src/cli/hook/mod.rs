//! The package hooks: one operation over every node of the host, one line of output.
//!
//! Nodes are asked one after the other. When one fails, those that were changed before are changed
//! back, and what that loses is said; a node that cannot be spoken to is no such failure.

mod answer;
mod ask;
pub mod operation;
mod place;
mod report;

use super::arguments::seconds;
use super::{Common, Connection, Failure, Status, nodes};
use crate::rendezvous::{Entry, RendezvousError};
use answer::Answer;
use ask::{Asker, chain};
use operation::Operation;
use report::{Line, Report};
use std::time::{Duration, Instant};

/// What every hook takes.
#[derive(clap::Args, Clone, Debug)]
pub struct HookArguments {
    /// Say what each node would do, change nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Seconds for all nodes together
    #[arg(long, value_name = "SECONDS", env = "ERLRC_HOOK_TIMEOUT", default_value = "300",
          value_parser = seconds, hide_env_values = true)]
    pub hook_timeout: Duration,
    #[command(flatten)]
    connection: Connection,
}

/// A node that was changed: its place among the entries, and how it answered.
struct Done<'a> {
    entry: &'a Entry,
    outcome: String,
}

/// Does `operations` on every node; the first decides the outcome, the others follow where it succeeds.
pub fn run(
    operations: &[Operation],
    arguments: &HookArguments,
    common: &Common,
) -> Result<Status, Failure> {
    let Some(operation) = operations.first() else {
        return Ok(Status::Done);
    };
    if std::env::var_os("ERLRC_SKIP").is_some_and(|value| value == "1") {
        return Ok(Status::Done);
    }
    let started = Instant::now();
    let asker = Asker {
        connection: &arguments.connection,
    };
    let entries = nodes::entries(common, &arguments.connection)?;
    let mut report = Report::new(operation, arguments.dry_run, common.output());
    let mut done: Vec<Done<'_>> = Vec::new();
    let mut stopped = false;
    for (name, entry) in &entries {
        let left = arguments.hook_timeout.saturating_sub(started.elapsed());
        let answer = match entry {
            _ if stopped => Answer::new(Status::Done, "not_tried", None),
            Err(error) => refused(error),
            Ok(_) if left.is_zero() => out_of_time(arguments.hook_timeout),
            Ok(entry) if arguments.dry_run => asker.plan(
                entry,
                operation,
                left.min(arguments.connection.node_timeout),
            ),
            Ok(entry) => asker.ask(
                entry,
                operations,
                left.min(arguments.connection.node_timeout),
            ),
        };
        stopped |= is_failure(answer.status);
        if let Ok(entry) = entry {
            report.warnings(name, &entry.warnings);
            if !arguments.dry_run && is_change(operation, &answer) {
                done.push(Done {
                    entry,
                    outcome: answer.outcome.clone(),
                });
            }
        }
        report.node(name, answer);
    }
    report.end_line();
    if stopped && !done.is_empty() {
        undo(operation, &done, &asker, &mut report);
    }
    Ok(report.finish())
}

/// Changes back what was changed, the last node first.
fn undo(operation: &Operation, done: &[Done<'_>], asker: &Asker<'_>, report: &mut Report) {
    report.begin(Line::Undoing);
    for node in done.iter().rev() {
        let Some(reverse) = operation.reverse(&node.outcome) else {
            continue;
        };
        // Time for this there must be, however much the hook has taken so far.
        let answer = asker.ask(node.entry, &[reverse], asker.connection.node_timeout);
        let answer = match answer.status {
            Status::Done if answer.outcome != "node_down" => {
                let mut answer = answer;
                answer
                    .warnings
                    .push(format!("undone; {}", operation.loss()));
                answer
            }
            _ => Answer {
                status: Status::NotRolledBack,
                ..answer
            },
        };
        report.node(&node.entry.name, answer);
    }
    report.end_line();
}

/// Whether the operation failed, other than for want of somebody to ask.
fn is_failure(status: Status) -> bool {
    !matches!(status, Status::Done | Status::Unreachable)
}

fn is_change(operation: &Operation, answer: &Answer) -> bool {
    let untouched = ["node_down", "other_root", "not_tried"];
    answer.status == Status::Done
        && !untouched.contains(&answer.outcome.as_str())
        && operation.changed(answer)
}

fn refused(error: &RendezvousError) -> Answer {
    Answer::new(Status::Unreachable, "entry_refused", Some(chain(error)))
}

fn out_of_time(whole: Duration) -> Answer {
    let reason = format!("the {} s of the whole hook are over", whole.as_secs_f64());
    Answer::new(Status::Failed, "not_tried", Some(reason))
}
