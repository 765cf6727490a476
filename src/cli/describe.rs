//! `erlrc describe`: everything about one application.

use super::arguments::application;
use super::hook::Asker;
use super::hook::request::versions;
use super::maint::Places;
use super::resolution::Known;
use super::table::duration;
use super::{Common, Connection, Failure, Status, nodes, output, status};
use crate::installed;
use crate::places::Root;
use crate::stash::Stash;
use crate::status::{ApplicationStatus, NodeStatus, Report};
use crate::term::Atom;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Arguments of `erlrc describe`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
What is installed and registered, and on each node: what runs, since when and from where, which versions
it finds, the last change with its outcome and reason, what it waits for, and the next command.

JSON: {\"kind\": \"describe\", \"version\": 1, \"application\", \"installed\": {\"vsn\", \"dir\"}, \"registered\": FILE,
\"kept\": [VSN], \"nodes\": [{\"node\", \"state\", \"origin\", \"versions\": [{\"vsn\", \"dir\"}], \"application\": as erlrc status has it}],
\"pending\": as erlrc status has it, \"next\": [COMMAND]}

Examples:
  erlrc describe egerl
  erlrc describe egerl --node shop --json")]
pub struct Arguments {
    /// The application
    #[arg(value_parser = application)]
    app: Atom,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    connection: Connection,
}

/// Prints what is known.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let name = &arguments.app;
    let mut report = status::gathered(common, &arguments.connection, &arguments.places.packages)?;
    let known = asked(arguments, common)?;
    if !known.values().any(Known::is_anything) {
        status::check_name(Some(name), &report)?;
    }
    report
        .pending
        .retain(|pending| pending.application == name.as_str());
    let out = common.output();
    let host = Host::of(arguments, common);
    let next = next(name, &report);
    out.envelope("describe", 1, &host.json(name, &report, &known, &next));
    let mut lines = host.lines(name);
    for node in &report.nodes {
        lines.extend(node_lines(node, name, known.get(&node.node), &report));
    }
    if report.nodes.is_empty() {
        lines.push(format!("  {}", nodes::none(common, &arguments.connection)));
    }
    lines.extend(next.iter().map(|command| format!("  next: {command}")));
    let lines = lines.iter().map(|line| output::printable(line) + "\n");
    out.text(&lines.collect::<String>());
    Ok(status::all_reached(&report))
}

/// What each node that answers has of it.
fn asked(arguments: &Arguments, common: &Common) -> Result<BTreeMap<String, Known>, Failure> {
    let asker = Asker {
        connection: &arguments.connection,
    };
    let entries = nodes::entries(common, &arguments.connection)?;
    let known = entries.into_iter().filter_map(|(node, entry)| {
        let answers = asker
            .query(&entry.ok()?, vec![versions(&arguments.app)])
            .ok()?;
        let answer = answers.into_iter().next()??;
        Some((node.to_string(), Known::of_answer(&answer)))
    });
    Ok(known.collect())
}

/// What the host itself has of it.
struct Host {
    installed: Option<crate::application::Metadata>,
    registration: Option<String>,
    kept: Vec<String>,
}

impl Host {
    fn of(arguments: &Arguments, common: &Common) -> Self {
        let name = &arguments.app;
        let file = Root(&common.root).registration(name.as_str());
        let stash = Stash::new(&arguments.places.stash);
        Self {
            installed: installed::metadata(&arguments.places.packages.apps, name),
            registration: file.is_file().then(|| file.display().to_string()),
            kept: stash
                .of(name.as_str())
                .into_iter()
                .map(|kept| kept.vsn)
                .collect(),
        }
    }

    fn lines(&self, name: &Atom) -> Vec<String> {
        let installed = self.installed.as_ref();
        let installed = installed.map_or_else(
            || "no package says so".to_owned(),
            |found| format!("{} in {}", found.vsn, found.dir),
        );
        let registered = self.registration.clone().unwrap_or_else(|| "no".to_owned());
        let kept = self.kept.join(", ");
        let kept = (!kept.is_empty()).then(|| format!("  kept in the stash: {kept}"));
        let head = [
            name.to_string(),
            format!("  installed: {installed}"),
            format!("  registered: {registered}"),
        ];
        head.into_iter().chain(kept).collect()
    }

    fn json(
        &self,
        name: &Atom,
        report: &Report,
        known: &BTreeMap<String, Known>,
        next: &[String],
    ) -> Value {
        let node = |node: &NodeStatus| {
            let known = known.get(&node.node);
            let found = known.map(|known| known.found.iter());
            let found = found.into_iter().flatten();
            let versions: Vec<_> = found
                .map(|found| json!({"vsn": found.vsn, "dir": found.dir}))
                .collect();
            json!({
                "node": node.node, "state": node.state, "versions": versions,
                "origin": known.and_then(|known| known.origin.as_ref()),
                "application": of_node(node, name),
            })
        };
        json!({
            "application": name.as_str(),
            "installed": self.installed.as_ref().map(|found| json!({"vsn": found.vsn, "dir": found.dir})),
            "registered": self.registration,
            "kept": self.kept,
            "nodes": report.nodes.iter().map(node).collect::<Vec<_>>(),
            "pending": report.pending,
            "next": next,
        })
    }
}

fn of_node<'a>(node: &'a NodeStatus, name: &Atom) -> Option<&'a ApplicationStatus> {
    let apps = &node.applications;
    apps.iter().find(|app| app.application == name.as_str())
}

fn node_lines(
    node: &NodeStatus,
    name: &Atom,
    known: Option<&Known>,
    report: &Report,
) -> Vec<String> {
    let Some(facts) = &node.facts else {
        let why = node.reason.as_ref();
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        return vec![format!("  {}: {}{why}", node.node, node.state)];
    };
    let up = duration(facts.uptime / 1000);
    let Some(app) = of_node(node, name) else {
        return vec![format!("  {}: up for {up}, has nothing of it", node.node)];
    };
    let from = known.and_then(|known| known.origin.as_ref());
    let from = from.map_or_else(String::new, |dir| format!(" from {}", dir.display()));
    let what = match &app.running {
        Some(vsn) => format!("{vsn} {}{from}", status::state(app)),
        None => status::state(app),
    };
    let mut lines = vec![format!("  {}: {what}; up for {up}", node.node)];
    let others = known.map(|known| known.found.iter());
    let others: Vec<String> = others
        .into_iter()
        .flatten()
        .filter(|found| Some(&found.vsn) != app.running.as_ref())
        .map(|found| format!("{} in {}", found.vsn, found.dir.display()))
        .collect();
    lines.extend(others.iter().map(|other| format!("    finds {other}")));
    let last = app.last.as_ref().map(status::changed);
    lines.extend(last.map(|last| format!("    last change: {last}")));
    let findings = app.findings.iter();
    lines.extend(findings.map(|finding| format!("    {}", finding.in_words())));
    lines.extend(status::going_back(app).map(|note| format!("    {note}")));
    let pending = report.pending.iter();
    let pending = pending.filter(|one| one.node.as_ref().is_none_or(|name| *name == node.node));
    lines.extend(pending.map(|pending| format!("    {}", status::in_words(pending))));
    lines
}

/// What a person would type next.
fn next(name: &Atom, report: &Report) -> Vec<String> {
    use crate::status::Finding;
    let mut next = Vec::new();
    for node in &report.nodes {
        let findings = of_node(node, name).map(|app| (app, app.findings.as_slice()));
        for (app, finding) in findings
            .into_iter()
            .flat_map(|(app, findings)| findings.iter().map(move |finding| (app, finding)))
        {
            let node = &node.node;
            let vsn = app.loaded.as_ref().or(app.installed.as_ref());
            next.push(match finding {
                Finding::OtherVersion => format!("erlrc plan {name} --node {node}"),
                Finding::NotRunning => {
                    let vsn = vsn.map_or("VERSION", String::as_str);
                    format!("erlrc start {name} {vsn} --node {node}")
                }
                Finding::Failed => format!("erlrc history {name} -l"),
                Finding::Pending | Finding::RefusedModules | Finding::OldLibrary => {
                    format!("erlrc status {name} --node {node}")
                }
            });
        }
    }
    next.dedup();
    next
}
