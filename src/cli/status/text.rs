//! A report for people: a block for each node, what should be looked at last in it.

use crate::cli::colours::{BOLD, Colours, RED, YELLOW};
use crate::cli::history::moment;
use crate::cli::output::{self, printable};
use crate::cli::provisional::reason;
use crate::cli::table::{duration, indented};
use crate::record::Time;
use crate::restart::Refused;
use crate::status::{
    ApplicationStatus, Current, Finding, Held, Last, NodeFacts, NodeStatus, OldCode, Pending,
    Process, Replaced, Report, State, WentBack,
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
            "LAST CHANGE",
        ];
        text.push_str(&indented(2, &heading, &rows));
    }
    for app in &node.applications {
        for finding in &app.findings {
            text.push_str(&line(colours, RED, &format!("  {}", found(app, *finding))));
        }
        if let Some(note) = going_back(app) {
            text.push_str(&line(colours, YELLOW, &format!("  {note}")));
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

pub fn heading(node: &NodeStatus) -> String {
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

/// How an application stands, in a word or two.
pub fn state(app: &ApplicationStatus) -> String {
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

pub fn last(last: &Last) -> String {
    let time: String = moment(last.time).chars().take(16).collect();
    // The word for a success names the operation.
    match last.status {
        0 => format!("{time} {}", last.outcome),
        _ => format!("{time} {} {}", last.operation, last.outcome),
    }
}

/// What is found, why, and what tells more.
pub fn found(app: &ApplicationStatus, finding: Finding) -> String {
    let name = &app.application;
    let words = finding.in_words();
    if let (Finding::RefusedModules, Some(refused)) = (finding, &app.refused_modules) {
        return format!("{name}: {}", in_vain(refused));
    }
    if finding == Finding::OldLibrary {
        let (files, vsn) = (app.old_libraries.join(", "), app.running.as_ref());
        let vsn = vsn.map_or("the version", String::as_str);
        return format!("{name}: {words}: {files}; a restart of the node loads that of {vsn}");
    }
    let Some(last) = app.last.as_ref().filter(|_| finding == Finding::Failed) else {
        return format!("{name}: {words}");
    };
    let versions = versions(last.from.as_deref(), last.to.as_deref());
    let why = last
        .reason
        .as_ref()
        .map_or_else(String::new, |why| format!(": {}", brief(why)));
    let (operation, outcome) = (&last.operation, &last.outcome);
    format!(
        "{name}: {words}: {operation}{versions}: {outcome}{why}; erlrc history {name} -l tells more"
    )
}

/// That a restart of the node goes back to the version in its release, and what keeps the one that runs.
pub fn going_back(app: &ApplicationStatus) -> Option<String> {
    let (name, next) = (&app.application, app.after_restart.as_ref()?);
    let vsn = app.running.as_ref().or(app.loaded.as_ref())?;
    let (other, release) = (&next.vsn, &next.release);
    Some(format!(
        "{name}: a restart goes back to {other} (release {release}); install one with {vsn} first"
    ))
}

/// How many modules are named.
const MODULES: usize = 5;

fn in_vain(refused: &Refused) -> String {
    let (release, modules) = (refused.otp_release, &refused.modules);
    let named = modules.iter().take(MODULES).map(String::as_str);
    let named = named.collect::<Vec<_>>().join(", ");
    let more = match modules.len().saturating_sub(MODULES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "OTP {release}, with which the node starts next, does not load {named}{more}: install a build for it"
    )
}

/// The last change with its outcome and reason.
pub fn changed(last: &Last) -> String {
    let time: String = moment(last.time).chars().take(16).collect();
    let versions = versions(last.from.as_deref(), last.to.as_deref());
    let why = last.reason.as_ref();
    let why = why.map_or_else(String::new, |why| format!(": {}", brief(why)));
    format!("{time} {}{versions}: {}{why}", last.operation, last.outcome)
}

/// More of a reason than this is for who asks for it.
const LONGEST_REASON: usize = 160;

fn brief(reason: &str) -> String {
    let reason = &output::without_stack(reason);
    match reason.chars().count() > LONGEST_REASON {
        true => reason
            .chars()
            .take(LONGEST_REASON)
            .chain("...".chars())
            .collect(),
        false => reason.to_owned(),
    }
}

fn versions(from: Option<&str>, to: Option<&str>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!(" {from} -> {to}"),
        (None, Some(one)) | (Some(one), None) => format!(" {one}"),
        (None, None) => String::new(),
    }
}

/// What has been put off, until when, since when and why.
pub fn in_words(pending: &Pending) -> String {
    let app = format!(
        "{}{}",
        pending.application,
        versions(pending.from.as_deref(), pending.to.as_deref())
    );
    let to = pending.to.as_deref().unwrap_or("the other version");
    let what = match (pending.state.as_str(), &pending.node) {
        ("pending", Some(node)) => {
            format!("restart needed: {to} runs when {node} has been restarted")
        }
        ("pending", None) => format!("restart needed: {to} runs after that"),
        ("deferred", _) => "waits until its package is configured".to_owned(),
        ("queued", _) if pending.to.is_none() => {
            "is removed, and stopped at the end of the package manager's run".to_owned()
        }
        ("queued", _) => "waits for the end of the package manager's run".to_owned(),
        ("swapping", _) => "was on its way when its hook ended; erlrc doctor finds out".to_owned(),
        ("prepared", _) => "its package is being replaced".to_owned(),
        (other, _) => other.replace('_', " "),
    };
    let time: String = pending.time.replace('T', " ").chars().take(16).collect();
    let why = pending.reason.as_ref();
    let why = why.map_or_else(String::new, |why| format!(": {}", brief(why)));
    format!("{app}: {what} (since {time}){why}")
}

pub fn details(facts: &NodeFacts, now: Time) -> Vec<String> {
    let unknown =
        (!facts.complete).then(|| "old code: there was no time to ask all processes".to_owned());
    let operation = facts
        .operation
        .as_ref()
        .map(|operation| busy(operation, now));
    let held = facts.held.as_ref().map(way_back);
    let back = facts.went_back.as_ref().filter(|back| !back.later);
    let back = back.map(went_back);
    let old = facts.old_code.iter().map(|code| old_code(code, now));
    let unsettled = facts.unsettled.iter().map(|unsettled| {
        let left = unsettled.left.join(", ");
        format!(
            "not put right: {}: {left}; erlrc doctor --yes",
            unsettled.what()
        )
    });
    let first = operation
        .into_iter()
        .chain(held)
        .chain(back)
        .chain(unsettled);
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
    let application = &held.application;
    let way = way(&held.changes, (&held.to, &held.from));
    let left = duration(held.left / 1000);
    if !held.is_provisional() {
        return format!(
            "{application} keeps its way back {way} open for another {left}, or until the next operation"
        );
    }
    if let Some(release) = &held.release {
        let service = release.split(' ').next().unwrap_or(release);
        return format!(
            "on trial: {release} goes back in {left}; erlrc release commit {service} keeps it, \
             erlrc release revert {service} takes it back at once"
        );
    }
    // Any of them takes all of them back.
    let one = held
        .changes
        .first()
        .map_or(application, |one| &one.application);
    format!(
        "provisional: {application} goes back {way} in {left}; erlrc confirm {application} keeps it, \
         erlrc undo {one} takes it back at once"
    )
}

/// The way from one version to the other; of several applications that of each.
fn way(changes: &[Replaced], (from, to): (&str, &str)) -> String {
    match changes {
        [_, _, ..] => {
            let each = changes
                .iter()
                .map(|one| format!("{} from {} to {}", one.application, one.to, one.from));
            format!("({})", each.collect::<Vec<_>>().join(", "))
        }
        _ => format!("from {from} to {to}"),
    }
}

fn went_back(back: &WentBack) -> String {
    let application = &back.application;
    let way = way(&back.changes, (&back.to, &back.from));
    let what = match back.outcome.as_str() {
        "reverted" => format!("{application} went back {way}"),
        "not_reverted" => format!("{application} stays as it is and did not go back {way}"),
        _ => format!("{application} did not go back {way} as a whole"),
    };
    let time: String = moment(Time::from_millis(back.since))
        .chars()
        .take(16)
        .collect();
    format!("{what} ({time}): {}", reason(back))
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
