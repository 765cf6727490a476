//! `erlrc undo`: back to the version before the last change.

use super::arguments::application;
use super::change::{Change, Wanted};
use super::hook::operation::Settling;
use super::hook::{HookArguments, Options};
use super::{Common, Failure, Status, ask, nodes, provisional, status};
use crate::history::{self, Record};
use crate::identity::NodeName;
use crate::term::Atom;

/// Arguments of `erlrc undo`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Takes every node back to the version before the last upgrade or downgrade of the application, or of any
application where none is named. OPERATION is an ID of erlrc history, or how it begins: what that one changed is
taken back, on the nodes that it changed; not where another operation has changed the application since.
Applications that were changed as one go back as one, whichever of them is named. What is provisional goes back as it
would by itself, at once. The versions must still be
there: in their directories, where the node finds them, or in the stash. Asks on a terminal; elsewhere --yes is
needed.

JSON: as erlrc upgrade.

Examples:
  erlrc undo egerl
  erlrc undo --dry-run
  erlrc undo 4f20c1d9
  erlrc undo --yes egerl --node shop")]
pub struct Arguments {
    /// The application whose last change is undone, or the operation that is, by its ID
    #[arg(value_name = "APP | OPERATION", value_parser = what)]
    what: Option<What>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    hook: HookArguments,
}

/// What is to be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// The last change of an application.
    Last(Atom),
    /// An operation, by the beginning of its ID.
    Operation(String),
}

/// An ID begins with a digit, the name of an application does not.
fn what(text: &str) -> Result<What, String> {
    let is_id = text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match is_id {
        true => Ok(What::Operation(text.to_owned())),
        false => application(text).map(What::Last),
    }
}

/// The version before the last change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// Of which application.
    pub application: Atom,
    /// Which one.
    pub vsn: String,
    /// The version that was to run after it.
    pub after: String,
}

/// What ran before the last upgrade or downgrade of the application that was carried out.
pub fn before(common: &Common, app: &Atom) -> Result<Before, Failure> {
    let records = records(common)?;
    let last = last(&records, Some(app))?;
    Before::of(last).ok_or_else(|| nothing_before(Some(app)))
}

/// The last upgrade or downgrade that was carried out, of `app` or of any application.
fn last<'r>(records: &'r [Record], app: Option<&Atom>) -> Result<&'r Record, Failure> {
    let changed = |record: &&Record| {
        app.is_none_or(|app| app.as_str() == record.application) && !record.changed().is_empty()
    };
    let last = records.iter().rfind(changed);
    last.ok_or_else(|| nothing_before(app))
}

fn nothing_before(app: Option<&Atom>) -> Failure {
    let app = app.map_or_else(String::new, |app| format!(" of {app}"));
    let text = format!("no upgrade or downgrade{app} has been written down");
    let hint = "erlrc downgrade APP=VSN names the version";
    Failure::new(Status::Failed, text).hint(hint)
}

fn records(common: &Common) -> Result<Vec<Record>, Failure> {
    let read = history::read(&common.state);
    let (records, _) = read.map_err(|error| Failure::new(Status::Failed, error))?;
    Ok(records)
}

impl Before {
    fn of(record: &Record) -> Option<Self> {
        Some(Self {
            application: Atom::new(&record.application)?,
            vsn: record.from.clone()?,
            after: record.to.clone()?,
        })
    }
}

/// The record of the one operation whose ID begins so.
fn operation<'r>(records: &'r [Record], id: &str) -> Result<&'r Record, Failure> {
    let mut found = records.iter().filter(|record| record.id().starts_with(id));
    let failed = |text: String| Failure::new(Status::Failed, text);
    let hint = "erlrc history lists the operations with their IDs";
    match (found.next(), found.next()) {
        (None, _) => Err(failed(format!("no operation {id} has been written down")).hint(hint)),
        (Some(_), Some(_)) => {
            Err(failed(format!("{id} may be one of several operations")).hint(hint))
        }
        (Some(record), None) => Ok(record),
    }
}

/// What an operation changed: the versions before, of all applications that it changed as one with that of `record`,
/// and the nodes on which it did.
fn changed(records: &[Record], record: &Record) -> Result<(Vec<Before>, Vec<NodeName>), Failure> {
    let nodes: Vec<NodeName> = record
        .changed()
        .into_iter()
        .filter_map(NodeName::parse)
        .collect();
    let before: Option<Vec<Before>> = together(records, record)
        .into_iter()
        .map(Before::of)
        .collect();
    if let (Some(before), false) = (before, nodes.is_empty()) {
        return Ok((before, nodes));
    }
    let (id, name, app) = (record.id(), &record.operation, &record.application);
    let hint = match (name.as_str(), &record.from, &record.to) {
        ("start", _, Some(vsn)) => format!("erlrc stop {app} {vsn} stops it"),
        ("stop" | "unload", Some(vsn), _) => format!("erlrc start {app} {vsn} starts it"),
        _ => format!("erlrc history {app} -l tells what came of it"),
    };
    let text =
        format!("{id}, {name} of {app}, has replaced no version: there is nothing to take back");
    Err(Failure::new(Status::Failed, text).hint(hint))
}

/// The records of one operation: of several applications each has one.
fn together<'r>(records: &'r [Record], record: &'r Record) -> Vec<&'r Record> {
    if record.together.is_empty() {
        return vec![record];
    }
    let same = |other: &&Record| {
        (other.time, &other.who, &other.together) == (record.time, &record.who, &record.together)
    };
    records.iter().filter(same).collect()
}

/// Where something else has changed an application since, nobody knows what going back would undo.
fn check_unchanged(before: &Before, change: &Change<'_>) -> Result<(), Failure> {
    let Before {
        application,
        vsn,
        after,
    } = before;
    for (node, running) in change.running(application)? {
        if let Some(running) = running.filter(|running| running != after && running != vsn) {
            let text =
                format!("not done: {application} {running} runs on {node} by now, not {after}");
            let hint = format!("erlrc downgrade {application}={vsn} goes there all the same");
            return Err(Failure::new(Status::Failed, text).hint(hint));
        }
    }
    Ok(())
}

/// Takes back what is provisional, which needs no reverse operation; `None` where nothing is.
fn provisional(arguments: &Arguments, common: &Common) -> Result<Option<Status>, Failure> {
    let (hook, records) = (&arguments.hook, records(common)?);
    let apps: Vec<Atom> = match &arguments.what {
        None => Vec::new(),
        Some(What::Last(app)) => vec![app.clone()],
        Some(What::Operation(id)) => {
            let record = operation(&records, id)?;
            Atom::new(&record.application).into_iter().collect()
        }
    };
    let entries = nodes::entries(common, &hook.connection)?;
    let (waiting, _) = provisional::waiting(&entries, hook, &apps);
    waiting.iter().try_for_each(|one| one.check())?;
    let mut status = None;
    for one in &waiting {
        if hook.dry_run {
            status = Some(provisional::would("take back", one, common));
            continue;
        }
        agreed(arguments, &format!("take {}", one.ways_back()))?;
        let how = Settling::Revert;
        let settled = provisional::settle(one, how, &entries, hook, common);
        status = Some(status.unwrap_or(Status::Done).worse(settled));
    }
    if status.is_some() && !hook.dry_run {
        status::refresh(common, &hook.connection);
    }
    Ok(status)
}

fn agreed(arguments: &Arguments, what: &str) -> Result<(), Failure> {
    if arguments.yes || arguments.hook.dry_run || ask::is_yes(&format!("{what}?")) {
        return Ok(());
    }
    let failure = Failure::new(Status::Failed, format!("not done: nobody agreed to {what}"));
    Err(failure.hint("--yes agrees, --dry-run shows what would be done"))
}

/// Goes back.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let mut hook = arguments.hook.clone();
    if let Some(status) = provisional(arguments, common)? {
        return Ok(status);
    }
    let records = records(common)?;
    let (record, by_id) = match &arguments.what {
        Some(What::Operation(id)) => (operation(&records, id)?, true),
        Some(What::Last(app)) => (last(&records, Some(app))?, false),
        None => (last(&records, None)?, false),
    };
    let (before, nodes) = changed(&records, record)?;
    if by_id && hook.connection.only.is_empty() {
        hook.connection.only = nodes;
    }
    let change = Change {
        command: "undo",
        hook: &hook,
        options: &arguments.options,
        common,
    };
    // Of several that go back as one, each must be where that operation left it.
    if by_id || before.len() > 1 {
        before
            .iter()
            .try_for_each(|one| check_unchanged(one, &change))?;
    }
    agreed(arguments, &question(&before))?;
    let wanted = before.into_iter().map(|one| Wanted {
        application: one.application,
        vsn: Some(one.vsn),
    });
    change.to(&wanted.collect::<Vec<_>>())
}

fn question(before: &[Before]) -> String {
    let ways: Vec<String> = before
        .iter()
        .map(|one| format!("{} back from {} to {}", one.application, one.after, one.vsn))
        .collect();
    match ways.as_slice() {
        [one] => format!("take {one}"),
        several => format!("take, as one, {}", several.join(", ")),
    }
}
