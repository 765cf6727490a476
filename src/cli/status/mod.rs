//! `erlrc status`: how the nodes and applications of this host stand.

mod chart;
mod gather;
mod metrics;
mod page;
mod text;
mod watch;

pub use metrics::refresh;
pub use text::{changed, found, going_back, in_words, state};

use super::arguments::{Apps, application, directory, seconds};
use super::colours::Colours;
use super::{Common, Connection, Failure, Output, Status, nodes, resolution};
use crate::history;
use crate::outcome::Outcome;
use crate::status::{NodeStatus, Report, report};
use crate::term::Atom;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Arguments of `erlrc status`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Asks every node that has an entry, and reads what packages, registrations, history and journal say; of
a node that is down it tells the latter. Shown are the applications that are registered, installed by
a package with metadata, or that a hook has operated on; --all shows all that are loaded.

The status is 0 where all is as it should be; 1 where an application does not run, another version
runs than is installed, the last change failed, one has been put off or the node would not load it after
a restart, since OTP on the disk is of another release; 5 where the emulator or a
library under it was replaced since the node began; 3 where a node cannot be spoken to. A node that is
down is no fault. With --prometheus the status is 0 when the file was written.

--watch redraws on a terminal; elsewhere it prints a line for whatever changes, or with --json a report
a round.

JSON: {\"kind\": \"status\", \"version\": 1, \"time\", \"nodes\": [...], \"pending\": [...], \"warnings\": [...]}. A node has node, state (up
or an outcome of the hooks), reason, otp_release, erts, erlrc, os_pid, uptime_ms,
operation {name, application, since_ms, waiting}, held {application, from, to, left_ms, over, release}, went_back {application, from, to, why, outcome, reason, since_ms, later}, unsettled [{application, operation, from, to, since_ms, left}],
old_code [{module, application, since_ms, count,
processes [{pid, name, initial_call, current}]}], old_modules, complete (false where there was no time
to ask all processes), restart_needed [{kind, file | what, time}] and applications; one of these has
application, state (running, included, loaded, absent, unknown), running, loaded (not running) and
installed (versions), includer, registered, enabled, stopped, last {time, operation, outcome, reason, from, to,
status, pause_us} (the last change, or attempt at one), refused_modules {otp_release, modules} (what
the emulator with which the node starts next does not load), after_restart {vsn, release, script} (the version in the
release that the node boots, where another one runs), old_libraries (native libraries of an earlier version that run
on), findings (other_version, not_running, failed, pending, refused_modules, old_library). Pending is application, node, state, from, to, time,
reason. Keys are never renamed, new ones may come.

Metrics: erlrc_node_up, _node_info, _node_restart_needed, _failed_operations, _old_code_modules,
_old_code_processes (by node), erlrc_application_info, _application_running, _application_outdated,
_last_operation_timestamp_seconds, _last_operation_success, _last_pause_seconds (by node and
application), erlrc_pending_operations, erlrc_status_timestamp_seconds. Hooks refresh the file that
ERLRC_METRICS names, or else {metrics, \"/FILE\"}. in erlrc.conf beside the registrations.

Examples:
  erlrc status
  erlrc status egerl --node n1 --json
  erlrc status --watch 5
  erlrc status --html host.html
  erlrc status --prometheus /var/lib/prometheus/node-exporter/erlrc.prom")]
pub struct Arguments {
    /// This application alone
    #[arg(value_parser = application)]
    app: Option<Atom>,
    /// Every application that is loaded, those of OTP too
    #[arg(long, short)]
    all: bool,
    /// Repeat every so many seconds
    #[arg(long, short, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = seconds)]
    watch: Option<Duration>,
    /// Write metrics into FILE, for node_exporter's textfile collector, and print nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["watch", "app", "only", "all"])]
    prometheus: Option<PathBuf>,
    /// Write an HTML page too, one self-contained file: nodes, applications, history with pauses
    #[arg(long, value_name = "FILE", value_parser = directory, conflicts_with_all = ["watch", "prometheus"])]
    html: Option<PathBuf>,
    #[command(flatten)]
    packages: Apps,
    #[command(flatten)]
    connection: Connection,
}

/// Prints how everything stands.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    if let Some(file) = &arguments.prometheus {
        let report = whole(arguments, common)?;
        return metrics::write(file, &report).map(|()| Status::Done);
    }
    match arguments.watch {
        Some(every) => watch::run(every, common.output(), || wanted(arguments, common)),
        None => {
            let out = common.output();
            let report = wanted(arguments, common)?;
            if let Some(file) = &arguments.html {
                write_page(file, &report, arguments, common)?;
            }
            out.envelope("status", crate::status::VERSION, &report);
            match report.nodes.is_empty() && report.pending.is_empty() {
                true => out.text(&format!("{}\n", nodes::none(common, &arguments.connection))),
                false => out.text(&text::report(&report, Colours::of_terminal())),
            }
            if !out.is_json() {
                report
                    .warnings
                    .iter()
                    .for_each(|warning| out.warning(warning));
            }
            Ok(status(&report))
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", file.display())]
struct PageError {
    file: PathBuf,
    source: std::io::Error,
}

fn write_page(
    file: &Path,
    report: &Report,
    arguments: &Arguments,
    common: &Common,
) -> Result<(), Failure> {
    // What cannot be read is among the report's warnings.
    let mut records = history::read(&common.state)
        .map(|(records, _)| records)
        .unwrap_or_default();
    let app = arguments.app.as_ref();
    records.retain(|record| app.is_none_or(|app| app.as_str() == record.application));
    let page = page::page(report, &records, &super::page::host());
    std::fs::write(file, page).map_err(|source| {
        let file = file.to_owned();
        Failure::new(Status::Failed, PageError { file, source })
    })
}

fn whole(arguments: &Arguments, common: &Common) -> Result<Report, Failure> {
    gathered(common, &arguments.connection, &arguments.packages)
}

/// How everything stands.
pub fn gathered(
    common: &Common,
    connection: &Connection,
    packages: &Apps,
) -> Result<Report, Failure> {
    gather::facts(common, connection, packages).map(report)
}

/// The report without what was not asked for.
fn wanted(arguments: &Arguments, common: &Common) -> Result<Report, Failure> {
    let mut report = whole(arguments, common)?;
    check_name(arguments.app.as_ref(), &report)?;
    if !arguments.connection.only.is_empty() {
        let nodes = &report.nodes;
        let is_one = |name: &String| nodes.iter().any(|node| node.node == *name);
        report
            .pending
            .retain(|pending| pending.node.as_ref().is_some_and(is_one));
    }
    for node in &mut report.nodes {
        node.applications.retain(|app| match &arguments.app {
            Some(wanted) => wanted.as_str() == app.application,
            None => arguments.all || app.is_managed(),
        });
    }
    let other = |app: &str| {
        arguments
            .app
            .as_ref()
            .is_some_and(|wanted| wanted.as_str() != app)
    };
    report
        .pending
        .retain(|pending| !other(&pending.application));
    Ok(report)
}

/// A name that neither the host nor a node knows was mistyped.
pub fn check_name(app: Option<&Atom>, report: &Report) -> Result<(), Failure> {
    let Some(app) = app else {
        return Ok(());
    };
    let mut all = report.nodes.iter().flat_map(|node| &node.applications);
    let known = all.any(|known| known.application == app.as_str() && known.is_known());
    let waits = || {
        report
            .pending
            .iter()
            .any(|one| one.application == app.as_str())
    };
    let on_host = || report.host.contains_key(app.as_str());
    match known || waits() || on_host() {
        true => Ok(()),
        false => Err(resolution::nowhere(app)),
    }
}

/// Whether a node answers; one that is down, or none of ours, is no fault.
fn reached(node: &NodeStatus) -> Status {
    let absent = Outcome::parse(&node.state).is_some_and(|word| word.is_absent());
    match node.state == "up" || absent {
        true => Status::Done,
        false => Status::Unreachable,
    }
}

/// Names the nodes that do not answer, where a text shows the applications alone; what that comes to.
pub fn tell_silent(report: &Report, out: Output) -> Status {
    for node in report.nodes.iter().filter(|node| node.state != "up") {
        out.warning(&text::heading(node));
    }
    all_reached(report)
}

/// Whether every node answers that is there.
pub fn all_reached(report: &Report) -> Status {
    report
        .nodes
        .iter()
        .map(reached)
        .fold(Status::Done, Status::worse)
}

/// What a report comes to.
pub fn status(report: &Report) -> Status {
    let of_node = report
        .nodes
        .iter()
        .map(|node| match node.restart_needed.is_empty() {
            true => reached(node),
            false => Status::RestartEmulator,
        });
    let findings = report
        .nodes
        .iter()
        .flat_map(|node| &node.applications)
        .any(|app| !app.findings.is_empty());
    let found = if findings || !report.pending.is_empty() {
        Status::Failed
    } else {
        Status::Done
    };
    of_node.fold(found, Status::worse)
}
