//! The report again and again: redrawn on a terminal, elsewhere a line for whatever changes.

use super::text;
use crate::cli::colours::Colours;
use crate::cli::history::moment;
use crate::cli::output::{self, Output, printable};
use crate::cli::{Failure, Status};
use crate::record::Time;
use crate::status::{ApplicationStatus, NodeStatus, Report};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

/// Up to the left corner; what is left of a line, and of the screen, is cleared as it is overwritten.
const HOME: &str = "\u{1b}[H";
const REST_OF_LINE: &str = "\u{1b}[K";
const REST_OF_SCREEN: &str = "\u{1b}[J";
const CLEAR: &str = "\u{1b}[2J";

/// Shows what `make` makes every so often, until nobody reads any more.
pub fn run(
    every: Duration,
    out: Output,
    make: impl Fn() -> Result<Report, Failure>,
) -> Result<Status, Failure> {
    let terminal = std::io::stdout().is_terminal() && !out.is_json();
    let mut before = BTreeMap::new();
    if terminal {
        output::raw(CLEAR.as_bytes());
    }
    loop {
        let report = make()?;
        let text = if out.is_json() {
            format!(
                "{}\n",
                output::enveloped("status", crate::status::VERSION, &report)
            )
        } else if terminal {
            screen(&report, every)
        } else {
            let now = lines(&report);
            let changes = changes(&before, &now, report.time);
            before = now;
            changes
        };
        if !output::is_read(text.as_bytes()) {
            return Ok(Status::Done);
        }
        std::thread::sleep(every);
    }
}

fn screen(report: &Report, every: Duration) -> String {
    let title = format!(
        "erlrc status, {} UTC, every {} s",
        moment(report.time),
        every.as_secs_f64()
    );
    let text = format!(
        "{title}\n\n{}",
        text::report(report, Colours::of_terminal())
    );
    let lines: String = text
        .lines()
        .map(|line| format!("{line}{REST_OF_LINE}\n"))
        .collect();
    format!("{HOME}{lines}{REST_OF_SCREEN}")
}

/// A line for each node and application, by what it is about.
fn lines(report: &Report) -> BTreeMap<String, String> {
    let nodes = report.nodes.iter().flat_map(|node| {
        let apps = node.applications.iter().map(|app| {
            (
                format!("{} {}", node.node, app.application),
                application(app),
            )
        });
        [(node.node.clone(), of_node(node))].into_iter().chain(apps)
    });
    let pending = report.pending.iter().map(|pending| {
        let node = pending.node.as_deref().unwrap_or("host");
        (
            format!("{node} {} pending", pending.application),
            pending.state.clone(),
        )
    });
    nodes.chain(pending).collect()
}

fn of_node(node: &NodeStatus) -> String {
    let restart = if node.restart_needed.is_empty() {
        ""
    } else {
        ", restart needed"
    };
    let old = node.facts.as_ref().map_or(0, |facts| facts.old_code.len());
    let old = if old > 0 {
        format!(", {old} modules with processes in old code")
    } else {
        String::new()
    };
    format!("{}{restart}{old}", node.state)
}

fn application(app: &ApplicationStatus) -> String {
    let vsn = app.running.as_deref().unwrap_or("-");
    let state = serde_json::to_value(app.state).unwrap_or_default();
    let findings: Vec<&str> = app
        .findings
        .iter()
        .map(|finding| finding.in_words())
        .collect();
    let findings = if findings.is_empty() {
        String::new()
    } else {
        format!(", {}", findings.join(", "))
    };
    format!("{vsn} {}{findings}", state.as_str().unwrap_or_default())
}

fn changes(
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    time: Time,
) -> String {
    let new = now
        .iter()
        .filter(|(about, line)| before.get(*about) != Some(line));
    let gone = before
        .keys()
        .filter(|about| !now.contains_key(*about))
        .map(|about| (about, "gone"));
    new.map(|(about, line)| (about, line.as_str()))
        .chain(gone)
        .map(|(about, line)| {
            format!(
                "{} {}\n",
                moment(time),
                printable(&format!("{about}: {line}"))
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        let (old, new) = (
            map(&[("n1", "up"), ("n1 foo", "1.0 running"), ("n2", "up")]),
            map(&[("n1", "up"), ("n1 foo", "1.1 running")]),
        );
        let time = Time::from_millis(0);
        assert_eq!(
            changes(&old, &new, time),
            "1970-01-01 00:00:00 n1 foo: 1.1 running\n1970-01-01 00:00:00 n2: gone\n"
        );
        assert_eq!(changes(&new, &new, time), "");
    }
}
