//! `erlrc list`: the applications of this host by nodes, one line each.

use super::arguments::Apps;
use super::table::table;
use super::{Common, Connection, Failure, Status, nodes, output, status};
use crate::status::{ApplicationStatus, OnHost, Report};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Arguments of `erlrc list`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
One line for each application that is registered, installed by a package with metadata, or was operated
on; --all lists all that are loaded. ON tells what runs where. The status is 3 where a node is there and
cannot be spoken to.

JSON: {\"kind\": \"list\", \"version\": 1, \"applications\": [{\"application\", \"installed\", \"registered\", \"enabled\",
\"nodes\": [{\"node\", \"state\", \"running\"}]}]}; what is not known is left out or null.

Examples:
  erlrc list
  erlrc list --all --node shop
  erlrc list --json")]
pub struct Arguments {
    /// Every application that is loaded, those of OTP too
    #[arg(long, short)]
    all: bool,
    #[command(flatten)]
    packages: Apps,
    #[command(flatten)]
    connection: Connection,
}

/// Prints the list.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let out = common.output();
    let report = status::gathered(common, &arguments.connection, &arguments.packages)?;
    let names: BTreeSet<&str> = report
        .nodes
        .iter()
        .flat_map(|node| &node.applications)
        .filter(|app| arguments.all || app.is_managed())
        .map(|app| app.application.as_str())
        .chain(report.host.keys().map(String::as_str))
        .collect();
    if out.is_json() {
        let listed: Vec<_> = names.iter().map(|name| json(name, &report)).collect();
        out.envelope("list", 1, &json!({"applications": listed}));
        return Ok(status::tell_silent(&report, out));
    }
    let rows: Vec<Vec<String>> = names.iter().map(|name| row(name, &report)).collect();
    if report.nodes.is_empty() {
        out.text(&format!("{}\n", nodes::none(common, &arguments.connection)));
    }
    match rows.is_empty() {
        true => out.text("no applications: none is registered or installed\n"),
        false => out.text(&table(&["APPLICATION", "INSTALLED", "BOOT", "ON"], &rows)),
    }
    Ok(status::tell_silent(&report, out))
}

/// The application on each node that knows it.
fn on<'a>(name: &str, report: &'a Report) -> Vec<(&'a str, &'a ApplicationStatus)> {
    let nodes = report.nodes.iter();
    let found = nodes.filter_map(|node| Some((node.node.as_str(), node.application(name)?)));
    found.collect()
}

fn of_host(name: &str, report: &Report) -> OnHost {
    report.host.get(name).cloned().unwrap_or_default()
}

fn json(name: &str, report: &Report) -> serde_json::Value {
    let host = of_host(name, report);
    let nodes: Vec<_> = on(name, report)
        .iter()
        .map(|(node, app)| json!({"node": node, "state": app.state, "running": app.running}))
        .collect();
    json!({
        "application": name,
        "installed": host.installed,
        "registered": host.registered,
        "enabled": host.enabled,
        "nodes": nodes,
    })
}

fn row(name: &str, report: &Report) -> Vec<String> {
    let host = of_host(name, report);
    let boot = match (host.registered, host.enabled) {
        (true, true) => "yes",
        (true, false) => "disabled",
        (false, _) => "no",
    };
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (node, app) in on(name, report) {
        let word = match (&app.running, app.runs()) {
            (Some(vsn), true) => vsn.clone(),
            _ => status::state(app),
        };
        groups.entry(word).or_default().push(node);
    }
    let groups = groups.into_iter();
    let groups: Vec<String> = groups
        .map(|(word, nodes)| format!("{word} ({})", nodes.join(", ")))
        .collect();
    let cells = [
        name.to_owned(),
        host.installed.unwrap_or_else(|| "-".to_owned()),
        boot.to_owned(),
        groups.join(", "),
    ];
    cells.map(|cell| output::printable(&cell)).to_vec()
}
