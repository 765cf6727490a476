//! `erlrc history`: what the hooks did. Needs no node.

#[cfg(test)]
mod tests;

use super::arguments::application;
use super::table::{microseconds, table};
use super::{Common, Failure, Status, output, resolution};
use crate::history::{self, Cost, NodeRecord, Record};
use crate::record::{Tail, Time};
use crate::term::Atom;
use serde_json::json;
use std::time::Duration;

/// Arguments of `erlrc history`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Every run of a hook on a host with nodes adds one record to the file history in the state directory:
when, who, what, from which version to which, what came of it on each node, time per stage, the longest
time for which processes stood still. Nodes need not run to read it. Lines that were damaged are named
on standard error and cost nothing but themselves.

The log: one record a line, 'LEN CRC JSON', the length of the JSON in bytes and its CRC-32 as gzip
has it, in eight hexadecimal digits. A log of a megabyte becomes history.1, that history.2, up to
history.4.

JSON: {\"kind\": \"history\", \"version\": 1, \"records\": [...], \"torn\": false, \"corrupt\": [{\"file\", \"line\", \"damage\"}]}. A record
has id (what erlrc undo takes), version (1), time (RFC 3339, UTC), who {uid, user, sudo_user, parent, script {package, name}, run},
operation, application, from, from_dir, to, to_dir, nodes [{node, outcome, status, reason, running,
warnings, report}], undone (as nodes), together (all applications
that were changed as one), status, duration_us; report has evaluator, instructions,
modules, processes, pause_us, stages_us {name: time}. Times are in microseconds, status is an exit
status; what is not known is left out. Keys are never renamed, new ones may come.

Examples:
  erlrc history
  erlrc history egerl --limit 1 --long
  erlrc history --since 2026-03-01 --json
  erlrc history --since 2h")]
pub struct Arguments {
    /// This application alone
    #[arg(value_parser = application)]
    app: Option<Atom>,
    /// Not before: a time in UTC (2026-03-01T12:00), or so long ago (90s, 15m, 2h, 7d, 4w)
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Time>,
    /// At most the last N
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Say all that is known
    #[arg(long, short)]
    long: bool,
}

/// Prints the records that were asked for, the oldest first.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let out = common.output();
    let read = history::read(&common.state);
    let (mut records, tail) = read.map_err(|error| Failure::new(Status::Failed, error))?;
    records.retain(|record| arguments.wants(record));
    let surplus = records.len() - arguments.limit.unwrap_or(usize::MAX).min(records.len());
    records.drain(..surplus);
    if records.is_empty() {
        resolution::heard_of(arguments.app.as_ref(), "nothing was done to it", common)?;
        out.text(&nothing(arguments, common));
    }
    out.envelope("history", history::VERSION, &json(&records, &tail));
    out.text(&match arguments.long || common.verbose {
        true => records.iter().map(long).collect(),
        false => short(&records),
    });
    if !out.is_json() {
        tell(&tail, |line| out.warning(line));
    }
    Ok(Status::Done)
}

/// What is said where there is no record.
fn nothing(arguments: &Arguments, common: &Common) -> String {
    let app = arguments.app.as_ref();
    let app = app.map_or_else(String::new, |app| format!(" of {app}"));
    let since = arguments
        .since
        .map_or_else(String::new, |time| format!(" since {}", moment(time)));
    let state = common.state.display();
    format!("nothing{app} has been written down in {state}{since}\n")
}

/// So many lines that are no records are named in text.
const NAMED: usize = 3;

/// What is no record: some lines by name, of the others how many they are.
pub fn tell(tail: &Tail, mut line: impl FnMut(&str)) {
    for corrupt in tail.corrupt.iter().take(NAMED) {
        line(&corrupt.to_string());
    }
    match tail.corrupt_count.saturating_sub(NAMED) {
        0 => {}
        1 => line("1 more line is no record"),
        more => line(&format!("{more} more lines are no records")),
    }
}

impl Arguments {
    fn wants(&self, record: &Record) -> bool {
        let app = self
            .app
            .as_ref()
            .is_none_or(|app| app.as_str() == record.application);
        app && self.since.is_none_or(|since| record.time >= since)
    }
}

fn json(records: &[Record], tail: &Tail) -> serde_json::Value {
    let corrupt: Vec<_> = tail
        .corrupt
        .iter()
        .map(|line| json!({"file": line.file.display().to_string(), "line": line.line, "damage": line.damage.to_string()}))
        .collect();
    let records: Vec<_> = records.iter().map(with_id).collect();
    json!({"records": records, "torn": tail.torn, "corrupt": corrupt})
}

/// A record for machines.
pub fn with_id(record: &Record) -> serde_json::Value {
    let mut value = json!(record);
    value["id"] = record.id().into();
    value
}

fn short(records: &[Record]) -> String {
    let rows: Vec<Vec<String>> = records.iter().map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    table(
        &[
            "ID",
            "TIME (UTC)",
            "OPERATION",
            "APPLICATION",
            "VERSION",
            "PAUSE",
            "OUTCOME",
        ],
        &rows,
    )
}

fn row(record: &Record) -> Vec<String> {
    let cells = [
        record.id(),
        moment(record.time),
        record.operation.clone(),
        record.application.clone(),
        versions(record),
        record.pause().map(microseconds).unwrap_or_default(),
        outcome(record),
    ];
    cells.iter().map(|cell| output::printable(cell)).collect()
}

/// To the second, without what every line would say.
pub fn moment(time: Time) -> String {
    time.to_string()
        .replace('T', " ")
        .chars()
        .take(19)
        .collect()
}

pub fn versions(record: &Record) -> String {
    match (&record.from, &record.to) {
        (Some(from), Some(to)) => format!("{from} -> {to}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => String::new(),
    }
}

/// The nodes by what came of it, in the order in which they were asked.
pub fn outcome(record: &Record) -> String {
    let done = record
        .nodes
        .iter()
        .map(|node| (node.outcome.as_str(), node));
    let undone = record.undone.iter().map(|node| (node.taking_back(), node));
    let whole = match record.undone.iter().all(|node| node.status == 0) {
        true if !record.undone.is_empty() => vec!["undone".to_owned()],
        _ => groups(undone),
    };
    groups(done)
        .into_iter()
        .chain(whole)
        .collect::<Vec<_>>()
        .join(", ")
}

fn groups<'a>(nodes: impl Iterator<Item = (&'a str, &'a NodeRecord)>) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (word, node) in nodes {
        match groups.iter_mut().find(|(other, _)| *other == word) {
            Some((_, nodes)) => nodes.push(&node.node),
            None => groups.push((word, vec![&node.node])),
        }
    }
    let named = groups
        .into_iter()
        .map(|(word, nodes)| format!("{word} ({})", nodes.join(", ")));
    named.collect()
}

fn long(record: &Record) -> String {
    let mut lines = vec![format!(
        "{} {} {} {} {}",
        record.id(),
        record.time,
        record.operation,
        record.application,
        versions(record)
    )];
    lines.push(format!(
        "  by {}; status {} after {}",
        record.who.in_words(),
        record.status,
        microseconds(record.duration)
    ));
    let dirs = record.from_dir.iter().chain(&record.to_dir);
    lines.extend(dirs.map(|dir| format!("  in {dir}")));
    lines.extend(record.nodes.iter().flat_map(|node| node_lines("", node)));
    lines.extend(
        record
            .undone
            .iter()
            .flat_map(|node| node_lines("undoing: ", node)),
    );
    lines
        .iter()
        .map(|line| format!("{}\n", output::printable(line)))
        .collect()
}

fn node_lines(prefix: &str, node: &NodeRecord) -> Vec<String> {
    let runs = node
        .running
        .as_ref()
        .map_or(String::new(), |vsn| format!(", runs {vsn}"));
    let mut lines = vec![format!("  {prefix}{}: {}{runs}", node.node, node.outcome)];
    lines.extend(
        node.reason
            .iter()
            .chain(&node.warnings)
            .map(|text| format!("    {text}")),
    );
    lines.extend(node.report.iter().flat_map(cost_lines));
    lines
}

fn cost_lines(cost: &Cost) -> Vec<String> {
    let stages: Vec<String> = cost
        .stages
        .iter()
        .map(|(name, time)| format!("{name} {}", microseconds(*time)))
        .collect();
    let numbers = format!(
        "    {}, {}, {}, longest pause {} ({})",
        counted(cost.instructions, "instruction", "instructions"),
        counted(cost.modules, "module", "modules"),
        counted(cost.processes, "process", "processes"),
        microseconds(cost.pause),
        cost.evaluator
    );
    let stages = (!stages.is_empty()).then(|| format!("    {}", stages.join(", ")));
    [Some(numbers), stages].into_iter().flatten().collect()
}

fn counted(count: u64, one: &str, several: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {several}"),
    }
}

/// A time, or how long before now.
fn since(text: &str) -> Result<Time, String> {
    let ago = || {
        let unit = text.chars().last()?;
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        Some(Time::now().minus(Duration::from_secs(number.checked_mul(seconds)?)))
    };
    Time::parse(text)
        .or_else(ago)
        .ok_or_else(|| "neither a time as 2026-03-01T12:00 nor one as 2h".to_owned())
}
