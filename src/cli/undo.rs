//! `erlrc undo`: back to the version before the last change.

use super::arguments::application;
use super::change::{Change, Wanted};
use super::hook::{HookArguments, Options};
use super::{Common, Failure, Status, ask};
use crate::history::{self, Record};
use crate::identity::NodeName;
use crate::term::Atom;

/// Arguments of `erlrc undo`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Takes every node back to the version before the last upgrade or downgrade of the application, or of any
application where none is named. OPERATION is an ID of erlrc history, or how it begins: what that one changed is
taken back, on the nodes that it changed; not where another operation has changed the application since. The
version must still be there: in its directory, where the node finds it, or in the stash. Asks on a terminal;
elsewhere --yes is needed.

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

/// What ran before the last upgrade or downgrade that was carried out.
pub fn before(common: &Common, app: Option<&Atom>) -> Result<Before, Failure> {
    let records = records(common)?;
    let changed = |record: &&Record| {
        app.is_none_or(|app| app.as_str() == record.application) && !record.changed().is_empty()
    };
    let last = records.iter().rfind(changed);
    last.and_then(Before::of).ok_or_else(|| {
        let app = app.map_or_else(String::new, |app| format!(" of {app}"));
        let text = format!("no upgrade or downgrade{app} has been written down");
        let hint = "erlrc downgrade APP=VSN names the version";
        Failure::new(Status::Failed, text).hint(hint)
    })
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

/// The one operation whose ID begins so.
fn operation(common: &Common, id: &str) -> Result<Record, Failure> {
    let records = records(common)?;
    let mut found = records
        .into_iter()
        .filter(|record| record.id().starts_with(id));
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

/// What an operation changed, and the nodes on which it did.
fn changed(record: &Record) -> Result<(Before, Vec<NodeName>), Failure> {
    let nodes: Vec<NodeName> = record
        .changed()
        .into_iter()
        .filter_map(NodeName::parse)
        .collect();
    if let (Some(before), false) = (Before::of(record), nodes.is_empty()) {
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

/// Where something else has changed the application since, nobody knows what going back would undo.
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

/// Goes back.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let mut hook = arguments.hook.clone();
    let before = match &arguments.what {
        Some(What::Operation(id)) => {
            let (before, nodes) = changed(&operation(common, id)?)?;
            if hook.connection.only.is_empty() {
                hook.connection.only = nodes;
            }
            before
        }
        Some(What::Last(app)) => self::before(common, Some(app))?,
        None => self::before(common, None)?,
    };
    let change = Change {
        command: "undo",
        hook: &hook,
        options: &arguments.options,
        common,
    };
    if matches!(arguments.what, Some(What::Operation(_))) {
        check_unchanged(&before, &change)?;
    }
    let Before {
        application,
        vsn,
        after,
    } = before;
    let what = format!("take {application} back from {after} to {vsn}");
    if !arguments.yes && !hook.dry_run && !ask::is_yes(&format!("{what}?")) {
        let failure = Failure::new(Status::Failed, format!("not done: nobody agreed to {what}"));
        return Err(failure.hint("--yes agrees, --dry-run shows what would be done"));
    }
    change.to(&[Wanted {
        application,
        vsn: Some(vsn),
    }])
}
