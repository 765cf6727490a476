//! `erlrc check`: whether all is well, now or before long: the gate for scripts.

use super::arguments::{Apps, application, seconds};
use super::{Common, Connection, Failure, Status, output, status};
use crate::status::Report;
use crate::term::Atom;
use serde_json::json;
use std::time::{Duration, Instant};

/// Arguments of `erlrc check`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The status is that of erlrc status: 0 where all that is to run runs in the version that is installed, no
change failed and none waits. Unlike there a node that is down is not well: 1. With --wait it looks again
until all is well or the time is over. Says what is not well, one line each.

JSON: {\"kind\": \"check\", \"version\": 1, \"well\", \"nodes\", \"applications\", \"findings\": [TEXT], \"waited_ms\", \"status\"}

Examples:
  erlrc check
  erlrc check egerl --wait 30
  erlrc check --node shop && deploy-next")]
pub struct Arguments {
    /// This application alone
    #[arg(value_parser = application)]
    app: Option<Atom>,
    /// Look again for so many seconds, until all is well
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    wait: Option<Duration>,
    #[command(flatten)]
    packages: Apps,
    #[command(flatten)]
    connection: Connection,
}

/// How often it looks.
const EVERY: Duration = Duration::from_millis(500);

/// Looks until all is well or the time is over.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let started = Instant::now();
    let wait = arguments.wait.unwrap_or_default();
    loop {
        let mut report = status::gathered(common, &arguments.connection, &arguments.packages)?;
        status::check_name(arguments.app.as_ref(), &report)?;
        narrow(&mut report, arguments.app.as_ref());
        let findings = findings(&report);
        let left = wait.saturating_sub(started.elapsed());
        if findings.is_empty() || left.is_zero() {
            return Ok(say(arguments, common, &report, &findings, started));
        }
        std::thread::sleep(EVERY.min(left));
    }
}

/// What is asked about.
fn narrow(report: &mut Report, app: Option<&Atom>) {
    let is_it = |name: &str| app.is_none_or(|app| app.as_str() == name);
    for node in &mut report.nodes {
        node.applications
            .retain(|app| app.is_managed() && is_it(&app.application));
    }
    report.pending.retain(|pending| is_it(&pending.application));
}

/// What is not well.
fn findings(report: &Report) -> Vec<String> {
    let mut findings = Vec::new();
    for node in &report.nodes {
        let name = &node.node;
        if node.state != "up" && node.state != "other_root" {
            let why = node.reason.as_ref();
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            findings.push(format!("{name}: {}{why}", node.state));
        }
        for app in &node.applications {
            let found = app.findings.iter();
            findings.extend(found.map(|one| format!("{name}: {}", status::found(app, *one))));
        }
        let restart = node.restart_needed.iter();
        findings.extend(restart.map(|reason| format!("{name}: restart needed: {reason}")));
    }
    findings.extend(report.pending.iter().map(status::in_words));
    findings
}

fn say(
    arguments: &Arguments,
    common: &Common,
    report: &Report,
    findings: &[String],
    started: Instant,
) -> Status {
    let out = common.output();
    let applications = report
        .nodes
        .iter()
        .map(|node| node.applications.len())
        .max();
    let (nodes, applications) = (report.nodes.len(), applications.unwrap_or_default());
    let status = match findings.is_empty() {
        true => Status::Done,
        false => status::status(report).worse(Status::Failed),
    };
    let waited = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let report = json!({
        "well": findings.is_empty(), "nodes": nodes, "applications": applications,
        "findings": findings, "waited_ms": waited, "status": status.code(),
    });
    out.envelope("check", 1, &report);
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    match (nodes, findings) {
        (0, []) => out.text(&format!(
            "{}\n",
            super::nodes::none(common, &arguments.connection)
        )),
        (_, []) => {
            let (nodes, applications) =
                (plural(nodes, "node"), plural(applications, "application"));
            out.text(&format!("all well: {nodes}, {applications}\n"));
        }
        (_, findings) => {
            for finding in findings.iter().filter(|_| !out.is_json()) {
                output::error_text(&format!("{}\n", output::printable(finding)));
            }
        }
    }
    status
}
