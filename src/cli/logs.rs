//! `erlrc logs`: what hooks and nodes said, oldest first.

use super::arguments::application;
use super::history::{moment, with_id};
use super::{Common, Failure, Status, output, resolution};
use crate::history::{self, Record};
use crate::term::Atom;
use serde_json::json;
use std::time::Duration;

/// Arguments of `erlrc logs`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
One line for each operation and node, and one for each reason and warning, oldest first: what the hooks
have written down. -v gives stacks in full. What the nodes themselves log is in the log of their service.

JSON: a line for each operation, {\"kind\": \"log\", \"version\": 1, \"record\": as erlrc history has it}.

Examples:
  erlrc logs
  erlrc logs -f egerl")]
pub struct Arguments {
    /// This application alone
    #[arg(value_parser = application)]
    app: Option<Atom>,
    /// Go on printing as messages come
    #[arg(long, short)]
    follow: bool,
}

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// Prints what was said.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let mut last: Option<Record> = None;
    loop {
        let read = history::read(&common.state);
        let (records, _) = read.map_err(|error| Failure::new(Status::Failed, error))?;
        let seen = last
            .as_ref()
            .and_then(|last| records.iter().rposition(|one| one == last));
        let new = records
            .get(seen.map_or(0, |at| at + 1)..)
            .unwrap_or_default();
        let wanted = |record: &&Record| {
            let app = arguments.app.as_ref();
            app.is_none_or(|app| app.as_str() == record.application)
        };
        let told: Vec<&Record> = new.iter().filter(wanted).collect();
        if last.is_none() && told.is_empty() && !arguments.follow {
            return nothing(arguments, common);
        }
        for record in &told {
            if !output::is_read(text(record, common).as_bytes()) {
                return Ok(Status::Done);
            }
        }
        if !arguments.follow {
            return Ok(Status::Done);
        }
        last = records.into_iter().next_back().or(last);
        std::thread::sleep(EVERY);
    }
}

fn nothing(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    resolution::heard_of(arguments.app.as_ref(), "nothing was said of it", common)?;
    let state = common.state.display();
    common
        .output()
        .text(&format!("nothing has been written down in {state}\n"));
    Ok(Status::Done)
}

fn text(record: &Record, common: &Common) -> String {
    let out = common.output();
    if out.is_json() {
        let value = output::enveloped("log", 1, &json!({"record": with_id(record)}));
        return format!("{value}\n");
    }
    let versions = match (&record.from, &record.to) {
        (Some(from), Some(to)) => format!(" {from} -> {to}"),
        (Some(one), None) | (None, Some(one)) => format!(" {one}"),
        (None, None) => String::new(),
    };
    let what = format!("{} {}{versions}", record.operation, record.application);
    let time = moment(record.time);
    let done = record
        .nodes
        .iter()
        .map(|node| (node, node.outcome.as_str()));
    let undone = record.undone.iter().map(|node| (node, node.taking_back()));
    let mut text = String::new();
    for (node, outcome) in done.chain(undone) {
        let name = &node.node;
        let said = node.reason.iter().chain(&node.warnings);
        let said = said.map(|said| match common.verbose {
            true => said.clone(),
            false => output::without_stack(said),
        });
        let lines = [format!("{what}: {outcome}")].into_iter().chain(said);
        for line in lines {
            text.push_str(&format!("{time} {name}: {}\n", output::printable(&line)));
        }
    }
    text
}
