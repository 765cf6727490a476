//! The facts behind a report: all nodes asked at once, files read.

use crate::cli::arguments::Apps;
use crate::cli::hook::{self, Answer, request::question};
use crate::cli::{Common, Connection, Failure, nodes, provisional};
use crate::history;
use crate::installed::{Inventory, inventory};
use crate::maint::{Journal, Record};
use crate::node::{Deadline, NodeError};
use crate::outcome::{Class, Outcome};
use crate::places;
use crate::record::{RecordLog, Tail, Time};
use crate::rendezvous::{Entries, Entry, RendezvousError};
use crate::restart::{self, Refused};
use crate::status::{Facts, Node, NodeFacts, Pending, State};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A node that needs longer to say how it stands is not asked further.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many nodes are asked at once.
const AT_ONCE: usize = 16;

/// What is known of this host.
pub fn facts(common: &Common, connection: &Connection, packages: &Apps) -> Result<Facts, Failure> {
    let entries = nodes::entries(common, connection)?;
    let mut inventory = inventory(&common.root, &packages.apps);
    let warnings = &mut inventory.warnings;
    warnings.extend(nodes::unlisted(&entries, common, connection));
    let mut history = readable(history::read(&common.state), warnings);
    let journal = RecordLog::open(places::State(&common.state).journal()).read::<Record>();
    let journal = Journal::replay(readable(journal, warnings));
    let mut nodes = ask(&entries, connection, &common.state);
    for node in &nodes {
        if let Some(back) = node
            .facts
            .as_ref()
            .and_then(|facts| facts.went_back.as_ref())
        {
            let new = provisional::write_down(&node.name, back, &history, &common.state);
            history.extend(new);
        }
    }
    refusals(&mut nodes, &inventory);
    Ok(Facts {
        time: Time::now(),
        inventory,
        nodes,
        history,
        pending: journal.open().map(pending).collect(),
    })
}

/// Which applications the nodes would not come up with. Where the release of OTP is another on the disk, all
/// are looked at, else those of ours that do not run.
fn refusals(nodes: &mut [Node], inventory: &Inventory) {
    let mut known: BTreeMap<(PathBuf, u32), Option<Refused>> = BTreeMap::new();
    for node in nodes {
        let Some((facts, (running, next))) = node.facts.as_ref().and_then(|facts| {
            let running: u32 = facts.otp_release.parse().ok()?;
            let on_disk = facts.root.as_ref();
            let on_disk = on_disk.and_then(|root| restart::release_on_disk(Path::new(root)));
            Some((facts, (running, on_disk.unwrap_or(running))))
        }) else {
            continue;
        };
        let mut dirs: BTreeMap<String, PathBuf> = BTreeMap::new();
        for app in &facts.applications {
            dirs.extend(app.dir.as_ref().map(|dir| (app.name.clone(), dir.into())));
        }
        // What is installed is what starts next.
        for (name, metadata) in &inventory.installed {
            dirs.insert(name.clone(), PathBuf::from(&metadata.dir));
        }
        let runs: BTreeSet<&str> = facts
            .applications
            .iter()
            .filter(|app| matches!(app.state, State::Running | State::Included))
            .map(|app| app.name.as_str())
            .collect();
        let ours = |name: &String| {
            inventory.installed.contains_key(name) || inventory.registered.contains_key(name)
        };
        let looked_at = dirs
            .into_iter()
            .filter(|(name, _)| running != next || (ours(name) && !runs.contains(name.as_str())));
        node.refused = looked_at
            .filter_map(|(name, dir)| {
                let of_dir = known.entry((dir, next));
                let of_dir = of_dir.or_insert_with_key(|(dir, next)| restart::refused(dir, *next));
                Some((name, of_dir.clone()?))
            })
            .collect();
    }
}

/// What cannot be read is not known, and said so.
fn readable<T>(
    read: Result<(Vec<T>, Tail), crate::record::RecordError>,
    warnings: &mut Vec<String>,
) -> Vec<T> {
    match read {
        Ok((records, tail)) => {
            crate::cli::history::tell(&tail, |line| warnings.push(line.to_owned()));
            records
        }
        Err(error) => {
            warnings.push(hook::chain(&error));
            Vec::new()
        }
    }
}

fn pending(record: &Record) -> Pending {
    Pending {
        application: record.application.clone(),
        node: record.node.clone(),
        state: record.state.name().to_owned(),
        from: record.from.as_ref().map(|subject| subject.vsn.clone()),
        to: record.to.as_ref().map(|subject| subject.vsn.clone()),
        time: record.time.clone(),
        reason: record.reason.clone(),
    }
}

/// All at once: one that hangs costs the others nothing.
fn ask(entries: &Entries, connection: &Connection, state: &Path) -> Vec<Node> {
    let mut nodes = Vec::new();
    for some in entries.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let threads: Vec<_> = some
                .iter()
                .map(|(name, entry)| {
                    scope.spawn(move || one(&name.to_string(), entry, connection, state))
                })
                .collect();
            // A thread that panicked has said so.
            nodes.extend(threads.into_iter().filter_map(|thread| thread.join().ok()));
        });
    }
    nodes
}

fn one(
    name: &str,
    entry: &Result<Entry, RendezvousError>,
    connection: &Connection,
    state: &Path,
) -> Node {
    let node = |state: &str, reason: Option<String>| Node {
        name: name.to_owned(),
        state: state.to_owned(),
        reason,
        facts: None,
        restart: Vec::new(),
        refused: BTreeMap::new(),
    };
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => return node("entry_refused", Some(hook::chain(error))),
    };
    let patience = connection.node_timeout.min(PATIENCE);
    match said(entry, connection, patience) {
        Ok(facts) => Node {
            restart: reasons(&facts, state),
            facts: Some(facts),
            ..node("up", None)
        },
        Err(answer) => node(answer.outcome.as_str(), answer.reason),
    }
}

/// What the node of `entry` says of itself; else why it does not.
fn said(
    entry: &Entry,
    connection: &Connection,
    patience: Duration,
) -> Result<NodeFacts, Box<Answer>> {
    let no = |outcome, reason: &str| {
        Box::new(Answer::new(
            Class::Refused,
            outcome,
            Some(reason.to_owned()),
        ))
    };
    let mut node = hook::open(entry, connection)?;
    match node.call(question("status"), Deadline::after(patience)) {
        Ok(term) => NodeFacts::parse(&term)
            .ok_or_else(|| no(Outcome::TooOld, "its erlrc does not know the question")),
        Err(NodeError::Undefined { .. }) => Err(no(
            Outcome::NoErlrc,
            "erlrc is not on the code path of the node",
        )),
        Err(error) => Err(Box::new(hook::unreachable(entry, &error))),
    }
}

/// What may not be looked at is no reason.
fn reasons(facts: &NodeFacts, state: &Path) -> Vec<restart::Reason> {
    let began = Time::now().minus(Duration::from_millis(facts.uptime));
    let seen = facts.os_pid.and_then(|pid| restart::of_process(pid).ok());
    let noted = restart::noted_since(state, began);
    seen.into_iter()
        .flatten()
        .chain(noted.into_iter().flatten())
        .collect()
}
