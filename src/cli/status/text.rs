//! A report for people: a block for each node, what should be looked at last in it.

use crate::cli::colours::{BOLD, Colours, RED, YELLOW};
use crate::cli::history::moment;
use crate::cli::output::printable;
use crate::cli::table::{duration, table};
use crate::record::Time;
use crate::status::{
    ApplicationStatus, Current, Held, Last, NodeFacts, NodeStatus, OldCode, Pending, Process,
    Report, State,
};

/// How many processes in old code of one module are named.
const NAMED: usize = 3;

/// The report as text.
pub fn report(report: &Report, colours: Colours) -> String {
    let mut text: String = report
        .nodes
        .iter()
        .map(|node| block(node, report, colours))
        .collect();
    for pending in report
        .pending
        .iter()
        .filter(|pending| pending.node.is_none())
    {
        text.push_str(&line(colours, YELLOW, &in_words(pending)));
    }
    text
}

fn block(node: &NodeStatus, report: &Report, colours: Colours) -> String {
    let mut text = format!("{}\n", colours.paint(BOLD, &printable(&heading(node))));
    let rows: Vec<Vec<String>> = node.applications.iter().map(row).collect();
    if !rows.is_empty() {
        let heading = [
            "APPLICATION",
            "RUNNING",
            "INSTALLED",
            "STATE",
            "LAST OPERATION",
        ];
        text.extend(
            table(&heading, &rows)
                .lines()
                .map(|line| format!("  {line}\n")),
        );
    }
    for app in &node.applications {
        for finding in &app.findings {
            text.push_str(&line(
                colours,
                RED,
                &format!("  {}: {}", app.application, finding.in_words()),
            ));
        }
    }
    for pending in report
        .pending
        .iter()
        .filter(|pending| pending.node.as_deref() == Some(&node.node))
    {
        text.push_str(&line(colours, YELLOW, &format!("  {}", in_words(pending))));
    }
    for reason in &node.restart_needed {
        text.push_str(&line(colours, RED, &format!("  restart needed: {reason}")));
    }
    let facts = node
        .facts
        .iter()
        .flat_map(|facts| details(facts, report.time));
    text.extend(facts.map(|detail| line(colours, YELLOW, &format!("  {detail}"))));
    text
}

fn line(colours: Colours, code: &str, text: &str) -> String {
    format!("{}\n", colours.paint(code, &printable(text)))
}

fn heading(node: &NodeStatus) -> String {
    match &node.facts {
        Some(facts) => {
            let erlrc = facts
                .erlrc
                .as_ref()
                .map_or_else(String::new, |vsn| format!(", erlrc {vsn}"));
            let up = duration(facts.uptime / 1000);
            format!(
                "{}: {} for {up}, OTP {}, erts {}{erlrc}",
                node.node, node.state, facts.otp_release, facts.erts
            )
        }
        None => {
            let why = node
                .reason
                .as_ref()
                .map_or_else(String::new, |reason| format!(", {reason}"));
            format!("{}: {}{why}", node.node, node.state)
        }
    }
}

fn row(app: &ApplicationStatus) -> Vec<String> {
    let dash = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".to_owned());
    let running = app
        .running
        .as_ref()
        .filter(|_| matches!(app.state, State::Running | State::Included));
    let cells = [
        app.application.clone(),
        dash(running),
        dash(app.installed.as_ref()),
        state(app),
        app.last.as_ref().map(last).unwrap_or_default(),
    ];
    cells.iter().map(|cell| printable(cell)).collect()
}

fn state(app: &ApplicationStatus) -> String {
    match (app.state, &app.includer) {
        (State::Included, Some(includer)) => format!("in {includer}"),
        (State::Running | State::Included, _) => "running".to_owned(),
        (State::Unknown, _) => "unknown".to_owned(),
        _ if app.stopped => "stopped".to_owned(),
        _ if app.registered && !app.enabled => "disabled".to_owned(),
        _ if !app.registered => "not registered".to_owned(),
        (State::Loaded, _) => "loaded".to_owned(),
        (State::Absent, _) => "absent".to_owned(),
    }
}

fn last(last: &Last) -> String {
    let time: String = moment(last.time).chars().take(16).collect();
    format!("{time} {} {}", last.operation, last.outcome)
}

fn in_words(pending: &Pending) -> String {
    let versions = match (&pending.from, &pending.to) {
        (Some(from), Some(to)) => format!(" {from} -> {to}"),
        (None, Some(one)) | (Some(one), None) => format!(" {one}"),
        (None, None) => String::new(),
    };
    let why = pending
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(": {reason}"));
    let state = match pending.state.as_str() {
        "pending" => "restart needed",
        other => other,
    };
    format!(
        "{}{versions} {state} since {}{why}",
        pending.application, pending.time
    )
}

fn details(facts: &NodeFacts, now: Time) -> Vec<String> {
    let unknown =
        (!facts.complete).then(|| "old code: there was no time to ask all processes".to_owned());
    let operation = facts
        .operation
        .as_ref()
        .map(|operation| busy(operation, now));
    let held = facts.held.as_ref().map(way_back);
    let old = facts.old_code.iter().map(|code| old_code(code, now));
    let first = operation.into_iter().chain(held);
    first.chain(old).chain(unknown).collect()
}

fn busy(operation: &Current, now: Time) -> String {
    let app = operation
        .application
        .as_ref()
        .map_or_else(String::new, |app| format!(" of {app}"));
    let waiting = if operation.waiting > 0 {
        format!(", {} waiting", operation.waiting)
    } else {
        String::new()
    };
    format!(
        "busy: {}{app} for {}{waiting}",
        operation.name,
        ago(operation.since, now)
    )
}

/// As a rule for a moment; longer where the hook that asked for it was lost.
fn way_back(held: &Held) -> String {
    format!(
        "{} keeps its way back from {} to {} open for another {}, or until the next operation",
        held.application,
        held.to,
        held.from,
        duration(held.left / 1000)
    )
}

fn old_code(code: &OldCode, now: Time) -> String {
    let since = code
        .since
        .map_or_else(String::new, |since| format!(" for {}", ago(since, now)));
    let named: Vec<String> = code.processes.iter().take(NAMED).map(process).collect();
    let more = code.count.saturating_sub(named.len() as u64);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!(
        "old code of {}{since}: {}{more}",
        code.module,
        named.join(", ")
    )
}

fn process(process: &Process) -> String {
    let who = process.name.as_ref().or(process.initial_call.as_ref());
    who.map_or_else(
        || process.pid.clone(),
        |who| format!("{} {who}", process.pid),
    )
}

fn ago(since: u64, now: Time) -> String {
    duration(now.since(Time::from_millis(since)).as_secs())
}
