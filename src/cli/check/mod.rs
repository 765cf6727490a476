//! `erlrc check`: whether all is well, now or before long: the gate for scripts.

mod ask;

use super::arguments::{Apps, application, seconds};
use super::{Common, Connection, Failure, Status, output, status};
use crate::status::{Check, Health, Peer, Report};
use crate::term::Atom;
use ask::Said;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Arguments of `erlrc check`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Asks what erlrc status asks, and besides, on every node, the health checks and service checks that upgrades
go by, those of the node and those of its applications (erlrc_health_check and erlrc_service_check in their
environment), and whether it is connected to the nodes of sync_nodes_mandatory and of its mnesia.

The status is that of erlrc status: 0 where all that is to run runs in the version that is installed, no
change failed and none waits; 1 where a check does not pass or a peer is missing. Unlike there a node that is
down is not well: 1. With --wait it looks again until all is well or the time is over. Says what is not well,
one line each; -v names the checks that pass and the peers.

JSON: {\"kind\": \"check\", \"version\": 1, \"well\", \"nodes\", \"applications\", \"findings\": [TEXT], \"checks\": [{\"node\",
\"application\", \"name\", \"reason\"}], \"peers\": [{\"node\", \"peer\", \"state\", \"others\": [{\"application\", \"here\",
\"there\"}]}], \"waited_ms\", \"status\"}. A check that passes has no reason. A peer is connected, silent or missing; its
others are applications that run there in another version.

Examples:
  erlrc check
  erlrc check egerl --wait 30
  erlrc check --node shop && deploy-next")]
pub struct Arguments {
    /// This application alone
    #[arg(value_parser = application)]
    app: Option<Atom>,
    /// Wait for up to so many seconds until all is well
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
    let look = Look {
        app: arguments.app.as_ref(),
        wait: arguments.wait.unwrap_or_default(),
        packages: &arguments.packages,
        connection: &arguments.connection,
        common,
    };
    let looked = look.until(&<[String]>::is_empty)?;
    Ok(say(arguments, common, &looked))
}

/// What is not well on this host, a line each: as soon as `is_enough` holds for it, else what it is after `wait`.
pub fn unwell(
    common: &Common,
    connection: &Connection,
    packages: &Apps,
    wait: Duration,
    is_enough: &dyn Fn(&[String]) -> bool,
) -> Result<Vec<String>, Failure> {
    let look = Look {
        app: None,
        wait,
        packages,
        connection,
        common,
    };
    Ok(look.until(is_enough)?.findings)
}

/// What is looked at, and for how long.
struct Look<'a> {
    app: Option<&'a Atom>,
    wait: Duration,
    packages: &'a Apps,
    connection: &'a Connection,
    common: &'a Common,
}

impl Look<'_> {
    fn until(&self, is_enough: &dyn Fn(&[String]) -> bool) -> Result<Looked, Failure> {
        let started = Instant::now();
        loop {
            let (report, said) = self.once()?;
            let findings = findings(&report, &said);
            let left = self.wait.saturating_sub(started.elapsed());
            if is_enough(&findings) || left.is_zero() {
                let waited = started.elapsed();
                return Ok(Looked {
                    report,
                    said,
                    findings,
                    waited,
                });
            }
            std::thread::sleep(EVERY.min(left));
        }
    }

    fn once(&self) -> Result<(Report, Vec<Said>), Failure> {
        let mut report = status::gathered(self.common, self.connection, self.packages)?;
        status::check_name(self.app, &report)?;
        narrow(&mut report, self.app);
        let is_up = |name: &str| {
            report
                .nodes
                .iter()
                .any(|node| node.node == name && node.state == "up")
        };
        let mut said = ask::health(self.common, self.connection, &is_up)?;
        said.iter_mut().for_each(|(_, said)| about(self.app, said));
        Ok((report, said))
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

/// Takes out what is not about the application, or about the node as a whole.
fn about(app: Option<&Atom>, said: &mut Result<Health, String>) {
    if let (Some(app), Ok(health)) = (app, said) {
        let is_it = |name: &str| name == app.as_str();
        health
            .checks
            .retain(|check| is_it(&check.application) || check.application == "erlrc");
        for peer in &mut health.peers {
            peer.others.retain(|other| is_it(&other.application));
        }
    }
}

/// What was found out.
struct Looked {
    report: Report,
    said: Vec<Said>,
    findings: Vec<String>,
    waited: Duration,
}

/// What is not well.
fn findings(report: &Report, said: &[Said]) -> Vec<String> {
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
    for (name, said) in said {
        let found = match said {
            Ok(health) => health.findings(),
            Err(why) => vec![why.clone()],
        };
        findings.extend(found.iter().map(|finding| format!("{name}: {finding}")));
    }
    findings
}

/// Every check, or every peer, with its node.
fn each<'a, T: 'a>(
    said: &'a [Said],
    of: fn(&Health) -> &[T],
) -> impl Iterator<Item = (&'a str, &'a T)> {
    said.iter().flat_map(move |(name, said)| {
        let found = said.as_ref().map(of).unwrap_or_default();
        found.iter().map(|one| (name.as_str(), one))
    })
}

fn checks(said: &[Said]) -> impl Iterator<Item = (&str, &Check)> {
    each(said, |health| &health.checks)
}

fn peers(said: &[Said]) -> impl Iterator<Item = (&str, &Peer)> {
    each(said, |health| &health.peers)
}

fn say(arguments: &Arguments, common: &Common, looked: &Looked) -> Status {
    let out = common.output();
    let Looked {
        report, findings, ..
    } = looked;
    let status = match findings.is_empty() {
        true => Status::Done,
        false => status::status(report).worse(Status::Failed),
    };
    out.envelope("check", 1, &json(looked, status));
    if out.is_verbose() {
        out.text(&details(&looked.said));
    }
    match (report.nodes.len(), findings.as_slice()) {
        (0, []) => {
            let none = super::nodes::none(common, &arguments.connection);
            out.text(&format!("{none}\n"));
        }
        (_, []) => out.text(&format!("all well: {}\n", counted(looked))),
        (_, findings) => {
            for finding in findings.iter().filter(|_| !out.is_json()) {
                output::error_text(&format!("{}\n", output::printable(finding)));
            }
        }
    }
    status
}

fn applications(report: &Report) -> usize {
    let counts = report.nodes.iter().map(|node| node.applications.len());
    counts.max().unwrap_or_default()
}

fn json(looked: &Looked, status: Status) -> Value {
    let Looked {
        report,
        said,
        findings,
        waited,
    } = looked;
    let check = |(node, check): (&str, &Check)| {
        let mut value = json!(check);
        value["node"] = node.into();
        value
    };
    let peer = |(node, peer): (&str, &Peer)| json!({"node": node, "peer": peer.node, "state": peer.state, "others": peer.others});
    json!({
        "well": findings.is_empty(), "nodes": report.nodes.len(), "applications": applications(report),
        "findings": findings, "checks": checks(said).map(check).collect::<Vec<_>>(),
        "peers": peers(said).map(peer).collect::<Vec<_>>(),
        "waited_ms": u64::try_from(waited.as_millis()).unwrap_or(u64::MAX), "status": status.code(),
    })
}

/// How much was looked at, in words.
fn counted(looked: &Looked) -> String {
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let report = &looked.report;
    let always = [
        (report.nodes.len(), "node"),
        (applications(report), "application"),
    ];
    let more = [
        (checks(&looked.said).count(), "check"),
        (peers(&looked.said).count(), "peer"),
    ];
    let more = more.into_iter().filter(|(count, _)| *count > 0);
    let words = always.into_iter().chain(more);
    let words: Vec<String> = words.map(|(count, what)| plural(count, what)).collect();
    words.join(", ")
}

/// The checks that pass, and the peers.
fn details(said: &[Said]) -> String {
    let passed = checks(said).filter(|(_, check)| check.reason.is_none());
    let passed = passed.map(|(node, check)| {
        let name = check.name.replace('_', " ");
        format!("{node}: {}: {name} passes", check.application)
    });
    let peer = |(node, peer): (&str, &Peer)| {
        let others = peer.others.iter();
        let others = others.map(|other| {
            format!(
                ", {} {} (here {})",
                other.application, other.there, other.here
            )
        });
        format!(
            "{node}: peer {} is {}{}",
            peer.node,
            peer.state,
            others.collect::<String>()
        )
    };
    let lines = passed.chain(peers(said).map(peer));
    lines.map(|line| output::printable(&line) + "\n").collect()
}
