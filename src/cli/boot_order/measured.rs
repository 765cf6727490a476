//! What the last boots of nodes started, and how long that took: asked of the nodes, printed.

use super::{Arguments, BootOrderError, chain, chart};
use crate::cli::hook::{self, request::question};
use crate::cli::table::{microseconds, table};
use crate::cli::{Common, Connection, Failure, Output, Status, nodes, output};
use crate::node::{Deadline, NodeError};
use crate::outcome::Outcome;
use crate::rendezvous::{Entry, RendezvousError};
use crate::status::BootTimes;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A node and its last boot.
struct Node {
    name: String,
    /// `up`, or why it does not say anything.
    state: Outcome,
    reason: Option<String>,
    /// Where it has booted something.
    boot: Option<BootTimes>,
}

/// Asks and prints.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let out = common.output();
    let connection = &arguments.connection;
    let entries = nodes::entries(common, connection)?;
    let asked: Vec<Node> = entries
        .iter()
        .map(|(name, entry)| asked(name.to_string(), entry, connection))
        .collect();
    let listed: Vec<Value> = asked.iter().map(json).collect();
    out.envelope("boot_times", 1, &json!({"nodes": listed}));
    if asked.is_empty() {
        out.text(&format!("{}\n", nodes::none(common, connection)));
    }
    if let Some(file) = &arguments.svg {
        draw(only_one(&asked)?, file)?;
    }
    if arguments.dot {
        out.text(&chart::dot(only_one(&asked)?));
    } else {
        asked.iter().for_each(|node| print(node, arguments, out));
    }
    match asked.iter().any(|node| node.boot.is_some()) {
        true => Ok(Status::Done),
        false => Ok(Status::Failed),
    }
}

fn asked(name: String, entry: &Result<Entry, RendezvousError>, connection: &Connection) -> Node {
    let without = |name: String, state: Outcome, reason: Option<String>| Node {
        name,
        state,
        reason,
        boot: None,
    };
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => return without(name, Outcome::EntryRefused, Some(hook::chain(error))),
    };
    let mut node = match hook::open(entry, connection) {
        Ok(node) => node,
        Err(answer) => return without(name, answer.outcome, answer.reason),
    };
    match node.call(
        question("boot_times"),
        Deadline::after(connection.node_timeout),
    ) {
        Ok(answer)
            if answer
                .get("outcome")
                .is_some_and(|word| word.is_atom("boot_times")) =>
        {
            Node {
                name,
                state: Outcome::Running,
                reason: None,
                boot: BootTimes::parse(&answer),
            }
        }
        Ok(_) => without(
            name,
            Outcome::TooOld,
            Some("its erlrc does not know the question".to_owned()),
        ),
        Err(NodeError::Undefined { .. }) => without(
            name,
            Outcome::NoErlrc,
            Some("erlrc is not on the code path of the node".to_owned()),
        ),
        Err(error) => {
            let answer = hook::unreachable(entry, &error);
            without(name, answer.outcome, answer.reason)
        }
    }
}

fn json(node: &Node) -> Value {
    let boot = node.boot.as_ref().map(|boot| {
        let mut value = serde_json::to_value(boot).expect("maps have text keys");
        let path = boot.critical_path();
        let path: Vec<&str> = path.iter().map(|step| step.application.as_str()).collect();
        value["critical_path"] = json!(path);
        value
    });
    let mut value = json!({"node": node.name, "state": state(node)});
    if let Some(reason) = &node.reason {
        value["reason"] = json!(reason);
    }
    if let Some(boot) = boot {
        value["boot"] = boot;
    }
    value
}

fn state(node: &Node) -> &str {
    match &node.state {
        Outcome::Running => "up",
        other => other.as_str(),
    }
}

/// The boot of the only node that has one.
fn only_one(asked: &[Node]) -> Result<&BootTimes, Failure> {
    let mut booted = asked.iter().filter_map(|node| node.boot.as_ref());
    match (booted.next(), booted.next()) {
        (Some(boot), None) => Ok(boot),
        (None, _) => Err(Failure::new(Status::Failed, BootOrderError::NoBoot)),
        (Some(_), Some(_)) => {
            let failure = Failure::new(Status::Usage, BootOrderError::SeveralNodes);
            Err(failure.hint("name one by --node"))
        }
    }
}

fn draw(boot: &BootTimes, file: &Path) -> Result<(), Failure> {
    fs::write(file, chart::svg(boot)).map_err(|source| {
        let file = file.to_owned();
        Failure::new(Status::Failed, BootOrderError::Picture { file, source })
    })
}

fn print(node: &Node, arguments: &Arguments, out: Output) {
    let name = &node.name;
    let Some(boot) = &node.boot else {
        let reason = node.reason.as_deref();
        let line = match (&node.state, reason) {
            (Outcome::Running, _) => format!("{name}: erlrc has started nothing at boot"),
            (state, Some(reason)) => format!("{name}: not known: {state}: {reason}"),
            (state, None) => format!("{name}: not known: {state}"),
        };
        return out.warning(&line);
    };
    out.text(&output::printable(&heading(name, boot)));
    out.text("\n");
    out.text(&match arguments.critical_path {
        true => chain(boot.critical_path().into_iter().map(|step| {
            let (after, took) = (microseconds(step.begun), microseconds(step.took));
            format!("{} {} @{after} +{took}", step.application, step.vsn)
        })),
        false => times(boot, arguments),
    });
}

fn heading(name: &str, boot: &BootTimes) -> String {
    let count = match boot.applications.len() {
        1 => "1 application".to_owned(),
        count => format!("{count} applications"),
    };
    let how = match boot.jobs {
        0 | 1 => "one by one".to_owned(),
        jobs => format!("up to {jobs} at once"),
    };
    let took = microseconds(boot.took);
    format!("{name}: booted at {}, {count} in {took}, {how}", boot.at)
}

fn times(boot: &BootTimes, arguments: &Arguments) -> String {
    let applications = match arguments.timings {
        true => boot.longest_first(),
        false => boot.applications.iter().collect(),
    };
    let row = |step: &&crate::status::StartedApplication| {
        let outcome = match step.outcome.as_str() {
            "started" => "",
            "taken_back" => "stopped again",
            other => other,
        };
        [
            microseconds(step.took),
            microseconds(step.begun),
            format!("{} {}", step.application, step.vsn),
            outcome.to_owned(),
        ]
        .map(|cell| output::printable(&cell))
        .to_vec()
    };
    let rows: Vec<Vec<String>> = applications.iter().map(row).collect();
    table(&["TOOK", "AFTER", "APPLICATION", "OUTCOME"], &rows)
}
