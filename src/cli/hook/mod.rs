//! The package hooks: one operation over every node of the host, one line of output.
//!
//! What happens on the nodes is [`crate::cluster`]'s; arguments and words for people are here.

mod place;
mod preflight;
mod progress;
mod reach;
mod recorder;
mod report;

use super::arguments::seconds;
use super::{Common, Connection, Failure, Output, Status, nodes, status};
use crate::cluster::{self, Limits, Outcomes, Purpose};
pub use crate::cluster::{Answer, Migration, Options, ReleaseName, operation, request};
use crate::identity::NodeName;
pub use crate::line::chain;
use crate::outcome::Class;
use crate::rendezvous::{Entries, Entry};
use operation::Operation;
use preflight::Preflights;
pub use preflight::{Foreseen, Preflight};
use reach::Nodes;
pub use reach::{Asker, called_off, open, query, unreachable};
pub use recorder::who;
pub use report::Report;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// What every hook takes.
#[derive(clap::Args, Clone, Debug)]
pub struct HookArguments {
    /// Show what each node would do, change nothing
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
        started,
        ..Round::new(arguments, common)
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
    Ok(outcome.map_or(Status::Done, |outcome| outcome.class.into()))
}

/// What the node of `entry` would answer to `operation`, by the plan or by its own word.
pub fn foresee(entry: &Entry, arguments: &HookArguments, operation: &Operation) -> Answer {
    let entries = vec![(entry.name.clone(), Ok(entry.clone()))];
    let nodes = Nodes::new(&entries, &arguments.connection, Instant::now());
    let patience = arguments.connection.node_timeout;
    let preflights = Preflights::new(operation);
    asker(&nodes, arguments).foresee(&entry.name, operation, &preflights, patience)
}

/// Confirms or takes back what `node` keeps open of `operation`.
pub fn settle(
    entries: &Entries,
    arguments: &HookArguments,
    node: &NodeName,
    operation: &Operation,
    how: (operation::Settling, Option<&str>),
) -> Answer {
    let nodes = Nodes::new(entries, &arguments.connection, Instant::now());
    asker(&nodes, arguments).settle(node, operation, how)
}

fn asker<'a>(nodes: &'a Nodes<'_>, arguments: &HookArguments) -> cluster::Asker<'a, Nodes<'a>> {
    cluster::Asker {
        reach: nodes,
        limits: Limits {
            whole: arguments.hook_timeout,
            node: arguments.connection.node_timeout,
        },
    }
}

/// Writes down that it was confirmed or taken back.
pub fn write_settled(
    operation: &Operation,
    how: operation::Settling,
    started: Instant,
    (report, state): (&Report, &Path),
    output: Output,
) {
    for begun in recorder::settling(operation, how, started) {
        recorder::write(state, &report.record(begun), output);
    }
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

impl<'a> Round<'a> {
    /// A round that begins now and that any failure ends.
    pub fn new(arguments: &'a HookArguments, common: &'a Common) -> Self {
        Self {
            arguments,
            output: common.output(),
            state: &common.state,
            started: Instant::now(),
            tolerates: &|_, _| false,
        }
    }

    /// Does `operations` on the nodes of `entries`; `None` where there is nothing to do.
    pub fn over(&self, entries: &Entries, operations: &[Operation]) -> Option<Outcomes> {
        let operation = operations.first()?;
        let mut report = Report::new(operation, self.arguments.dry_run, self.output);
        for (name, entry) in entries {
            if let Ok(entry) = entry {
                report.warnings(name, &entry.warnings);
            }
        }
        let outcomes = self.carry_out(entries, operations, operation, &mut report);
        report.end_line();
        report.provisional(operation, &outcomes.answers);
        // Where nothing is written down, nobody looks for who called.
        let begun = match self.arguments.dry_run || entries.is_empty() {
            true => Vec::new(),
            false => recorder::begun_each(operation, self.started),
        };
        let begun = begun.into_iter();
        let records: Vec<_> = begun.map(|begun| report.record(begun)).collect();
        report.finish();
        for record in &records {
            recorder::write(self.state, record, self.output);
        }
        Some(outcomes)
    }

    fn carry_out(
        &self,
        entries: &Entries,
        operations: &[Operation],
        operation: &Operation,
        report: &mut Report,
    ) -> Outcomes {
        let names: Vec<NodeName> = entries.iter().map(|(name, _)| name.clone()).collect();
        let round = cluster::Round {
            reach: &Nodes::new(entries, &self.arguments.connection, self.started),
            limits: Limits {
                whole: self.arguments.hook_timeout,
                node: self.arguments.connection.node_timeout,
            },
            purpose: match self.arguments.dry_run {
                true => Purpose::Plan,
                false => Purpose::Perform,
            },
            gate: &Preflights::new(operation),
            tolerates: self.tolerates,
        };
        round.over(&names, operations, &mut |event| report.hear(event))
    }
}
