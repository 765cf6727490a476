//! The package hooks: one operation over every node of the host, one line of output.
//!
//! Nodes are asked one after the other. When one fails, those that were changed before are changed
//! back, and what that loses is said; a node that cannot be spoken to is no such failure.

mod aftermath;
mod answer;
mod ask;
mod cost;
mod foresight;
pub mod operation;
mod options;
mod place;
mod preflight;
mod progress;
mod recorder;
mod report;
pub mod request;

use super::arguments::seconds;
use super::{Common, Connection, Failure, Output, Status, nodes, status};
use crate::identity::NodeName;
use crate::outcome::{Class, Outcome};
use crate::rendezvous::{Entries, Entry, RendezvousError};
pub use answer::Answer;
pub use ask::{Asker, called_off, chain, open, unreachable};
use foresight::Foresight;
use operation::{Operation, Settling};
pub use options::{Migration, Options};
pub use preflight::Mode;
use preflight::Preflight;
pub use report::{Line, Report};
use std::io::IsTerminal;
use std::path::Path;
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
    /// How to reach the nodes.
    #[command(flatten)]
    pub connection: Connection,
}

/// A node that was changed: its place among the entries, and how it answered.
struct Done<'a> {
    entry: &'a Entry,
    outcome: Outcome,
    /// Whether it was to keep the way back open, and under which number it does.
    to_hold: bool,
    held: Option<String>,
}

/// Does `operations` on every node; the first decides the outcome, the others follow where it succeeds.
pub fn run(
    operations: &[Operation],
    arguments: &HookArguments,
    common: &Common,
) -> Result<Status, Failure> {
    if skipped() {
        return Ok(Status::Done);
    }
    let started = Instant::now();
    let entries = nodes::entries(common, &arguments.connection)?;
    if entries.is_empty() && std::io::stdout().is_terminal() {
        // A person wants to know; to a script a host without nodes is normal.
        let text = nodes::none(common, &arguments.connection);
        common.output().text(&format!("{text}\n"));
    }
    let round = Round {
        arguments,
        output: common.output(),
        state: &common.state,
        started,
        tolerates: &|_, _| false,
    };
    let outcome = round.over(&entries, operations);
    let is_absent = |(_, answer): &(NodeName, Answer)| answer.class == Class::Absent;
    let unheard = |outcome: &Outcomes| outcome.answers.iter().all(is_absent);
    if outcome.as_ref().is_none_or(unheard)
        && let Some(text) = nodes::unlisted(&entries, common, &arguments.connection)
        && let Some(operation) = operations.first()
    {
        super::output::error_text(&format!("erlrc-{}: {text}\n", operation.name()));
    }
    if !arguments.dry_run {
        status::refresh(common, &arguments.connection);
    }
    Ok(outcome.map_or(Status::Done, |outcome| outcome.status))
}

/// Whether the hooks are to do nothing: `ERLRC_SKIP=1`.
pub fn skipped() -> bool {
    std::env::var_os("ERLRC_SKIP").is_some_and(|value| value == "1")
}

/// How a round over nodes is made.
pub struct Round<'a> {
    /// What the command line says.
    pub arguments: &'a HookArguments,
    /// Where its line goes.
    pub output: Output,
    /// Where it is written down.
    pub state: &'a Path,
    /// When the whole hook began.
    pub started: Instant,
    /// Which failures do not end the round: what happens to that node is the caller's.
    pub tolerates: &'a dyn Fn(&NodeName, &Answer) -> bool,
}

/// What a round came to.
pub struct Outcomes {
    /// The worst status of all nodes, those tolerated left out.
    pub status: Status,
    /// The nodes' answers, in the order in which they were asked.
    pub answers: Vec<(NodeName, Answer)>,
    /// Whether what was changed has been changed back.
    pub undone: bool,
}

impl Round<'_> {
    /// Does `operations` on the nodes of `entries`; `None` where there is nothing to do.
    pub fn over(&self, entries: &Entries, operations: &[Operation]) -> Option<Outcomes> {
        let operation = operations.first()?;
        let mut report = Report::new(operation, self.arguments.dry_run, self.output);
        let preflight = Preflight::new(operation);
        let mut done: Vec<Done<'_>> = Vec::new();
        let mut answers = Vec::new();
        let mut stopped = false;
        let foresight = Foresight::of(self, entries, operation, &preflight);
        for (name, entry) in entries {
            let to_hold = foresight.to_hold(name);
            let answer = match entry {
                _ if stopped => Answer::new(Class::Absent, Outcome::NotTried, None),
                Err(error) => refused(error),
                Ok(entry) => match foresight.answer(name) {
                    Some(answer) => answer,
                    None if to_hold => self.one(entry, &self.holding(operations), &preflight),
                    None => self.one(entry, operations, &preflight),
                },
            };
            let tolerated = (self.tolerates)(name, &answer);
            stopped |= answer.class.is_failure() && !tolerated;
            if let Ok(entry) = entry {
                report.warnings(name, &entry.warnings);
                if !self.arguments.dry_run && operation.changed(&answer) {
                    done.push(Done {
                        entry,
                        outcome: answer.outcome.clone(),
                        to_hold,
                        held: answer.held.clone(),
                    });
                }
            }
            match tolerated {
                true => report.tolerated(name, answer.clone()),
                false => report.node(name, answer.clone()),
            }
            answers.push((name.clone(), answer));
        }
        if !stopped {
            self.confirm(operation, &done, &mut report);
        }
        report.end_line();
        let undone = stopped && !done.is_empty();
        if undone {
            undo(operation, &done, &self.asker(), &mut report);
        }
        let begun = recorder::begun(operation, self.started);
        let record = report.record(begun);
        let status = report.finish();
        if !self.arguments.dry_run {
            recorder::write(self.state, &record, self.output);
        }
        Some(Outcomes {
            status,
            answers,
            undone,
        })
    }

    fn one(&self, entry: &Entry, operations: &[Operation], preflight: &Preflight<'_>) -> Answer {
        let left = self.left();
        let patience = left.min(self.arguments.connection.node_timeout);
        match self.arguments.dry_run {
            _ if left.is_zero() => out_of_time(self.arguments.hook_timeout),
            true => self.asker().plan(entry, operations, patience),
            false => self.asker().ask(entry, operations, preflight, patience),
        }
    }

    /// The same with the way back kept open for as long as the hook may want to go it.
    fn holding(&self, operations: &[Operation]) -> Vec<Operation> {
        let left = self.left() + self.arguments.connection.node_timeout;
        let held = operations.iter().cloned().map(|mut operation| {
            operation.options.hold = Some(left);
            operation
        });
        held.collect()
    }

    fn left(&self) -> Duration {
        let whole = self.arguments.hook_timeout;
        whole.saturating_sub(self.started.elapsed())
    }

    /// All are done: none has to go back. One that does not hear of it comes to know it by itself.
    fn confirm(&self, operation: &Operation, done: &[Done<'_>], report: &mut Report) {
        for node in done.iter().filter(|node| node.held.is_some()) {
            let how = (Settling::Confirm, node.held.as_deref());
            let patience = self.arguments.connection.node_timeout;
            let answer = self.asker().settle(node.entry, operation, how, patience);
            let text = match answer.class {
                Class::Absent if answer.outcome == Outcome::NodeDown => {
                    "the node was changed and is down now".to_owned()
                }
                Class::Done | Class::Absent => continue,
                _ => format!(
                    "the way back is still kept open ({}), until it closes by itself",
                    answer.outcome
                ),
            };
            report.warnings(&node.entry.name, &[text]);
        }
    }

    fn asker(&self) -> Asker<'_> {
        Asker {
            connection: &self.arguments.connection,
        }
    }
}

/// Changes back what was changed, the last node first.
fn undo(operation: &Operation, done: &[Done<'_>], asker: &Asker<'_>, report: &mut Report) {
    report.begin(Line::Undoing);
    for node in done.iter().rev() {
        let answer = revert(operation, node, asker).or_else(|| reverse(operation, node, asker));
        if let Some(answer) = answer {
            report.node(&node.entry.name, answer);
        }
    }
    report.end_line();
}

/// Goes the way back that the node has kept open; `None` where there is none.
fn revert(operation: &Operation, node: &Done<'_>, asker: &Asker<'_>) -> Option<Answer> {
    if !node.to_hold {
        return None;
    }
    // Time for this there must be, however much the hook has taken so far.
    let patience = asker.connection.node_timeout;
    let how = (Settling::Revert, node.held.as_deref());
    let mut answer = asker.settle(node.entry, operation, how, patience);
    let untouched = "undone; states that nobody had touched since are what they were";
    match answer.class {
        Class::Done if answer.outcome == Outcome::Reverted => {
            answer.warnings.push(untouched.to_owned());
        }
        Class::NotRolledBack => (),
        _ => return None,
    }
    Some(answer)
}

/// Does the reverse operation.
fn reverse(operation: &Operation, node: &Done<'_>, asker: &Asker<'_>) -> Option<Answer> {
    let reverse = operation.reverse(&node.outcome)?;
    let patience = asker.connection.node_timeout;
    let mut answer = asker.ask(node.entry, &[reverse], &Preflight::none(), patience);
    if answer.class == Class::Done {
        let loss = operation.loss();
        answer.warnings.push(format!("undone; {loss}"));
    } else {
        answer.class = Class::NotRolledBack;
    }
    Some(answer)
}

/// What it means to a hook that an entry must not be used.
pub fn refused(error: &RendezvousError) -> Answer {
    Answer::new(
        Class::Unreachable,
        Outcome::EntryRefused,
        Some(chain(error)),
    )
}

fn out_of_time(whole: Duration) -> Answer {
    let reason = format!("the {} s of the whole hook are over", whole.as_secs_f64());
    Answer::new(Class::Refused, Outcome::NotTried, Some(reason))
}
