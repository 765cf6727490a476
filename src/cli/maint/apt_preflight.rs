//! `erlrc maint apt-preflight`: what an apt run would do to the nodes, before anything is changed.
//!
//! apt hands over the list of packages on standard input. Those that replace an installed application
//! are unpacked beside, each node is asked as the hook will ask it, and what would not be hot is said; in strict
//! mode that keeps apt from beginning. `erlrc apply` asks the same, in a mode of its own: then what the configuration
//! says does not count, and the verdict is written into a file.

use super::Arguments;
use super::session::Session;
use crate::application::vsn;
use crate::cli::hook::operation::{self, Operation, Step};
use crate::cli::hook::{Answer, Foreseen, Preflight, open, unreachable};
use crate::cli::{Common, Failure, Status, deb, output};
use crate::cluster::foresight;
use crate::identity::NodeName;
use crate::maint::{self, Call, Format, Moment, NodeState, Unpacked, Version, replaced};
use crate::maintainer::{self, Subject};
use crate::package::search;
use crate::plan::{Finding, Verdict};
use crate::rendezvous::Entry;
use crate::run::apt::{self, RUN_ID};
use crate::term::Atom;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// More than apt says about all packages of a distribution.
const MOST_BYTES: u64 = 256 << 20;

/// Plans; the status is not 0 where apt is not to begin.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let call = Call {
        format: Format::Deb,
        moment: Moment::Swap,
        may_fail: true,
    };
    let script = "apt pre-flight".to_owned();
    let session = Session::new(call, script, &arguments.hook, &arguments.places, common);
    if let Some(mode) = &arguments.script {
        return of_a_run(mode, &arguments.arguments, &session);
    }
    let mode = session.engine.configuration.preflight;
    // A run has asked already, or is about to.
    if mode == maint::Preflight::Off || std::env::var_os(RUN_ID).is_some() {
        return Ok(Status::Done);
    }
    let result = all(&session);
    match (mode, result) {
        (maint::Preflight::Strict, result) => result,
        (_, Ok(_)) => Ok(Status::Done),
        (_, Err(failure)) => {
            output::error_text(&failure.text());
            Ok(Status::Done)
        }
    }
}

/// What `erlrc apply` asks: the verdict goes into the file that it names.
fn of_a_run(mode: &str, files: &[String], session: &Session<'_>) -> Result<Status, Failure> {
    let usage = |text: &str| Failure::new(Status::Usage, text.to_owned());
    let mode =
        apt::Preflight::parse(mode).ok_or_else(|| usage("this is no mode of apt-preflight"))?;
    let [file] = files else {
        return Err(usage("apt-preflight needs a file for its verdict"));
    };
    let verdict = all(session)?;
    let written = std::fs::write(file, verdict.code().to_string());
    written.map_err(|error| Failure::new(Status::Failed, error))?;
    match mode {
        // apt must not begin.
        apt::Preflight::Only => Ok(verdict.worse(Status::Failed)),
        apt::Preflight::Strict => Ok(verdict),
        apt::Preflight::Warn => Ok(Status::Done),
    }
}

fn all(session: &Session<'_>) -> Result<Status, Failure> {
    let failed = |error: Box<dyn std::error::Error>| Failure::new(Status::Failed, error);
    let mut bytes = Vec::new();
    let read = std::io::stdin().take(MOST_BYTES).read_to_end(&mut bytes);
    read.map_err(|error| failed(error.into()))?;
    let packages =
        replaced(&String::from_utf8_lossy(&bytes)).map_err(|error| failed(error.into()))?;
    let ours = owners(&session.places.packages.apps);
    let mut status = Status::Done;
    for package in packages.iter().filter(|package| is_ours(package, &ours)) {
        let dir = deb::unpack(&package.deb, Some(&session.places.packages.apps))
            .map_err(|error| failed(error.into()))?;
        for name in names(&below(dir.path(), &session.places.packages.apps)) {
            status = status.worse(one(session, &name, dir.path()));
        }
    }
    Ok(status)
}

/// The packages that have metadata; `None` where dpkg does not say.
fn owners(apps: &Path) -> Option<BTreeSet<String>> {
    let files: Vec<PathBuf> = names(apps)
        .iter()
        .map(|name| apps.join(name.as_str()))
        .collect();
    if files.is_empty() {
        return Some(BTreeSet::new());
    }
    let mut query = Command::new("dpkg-query");
    query
        .arg("-S")
        .args(files)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let text = query.output().ok()?.stdout;
    let text = String::from_utf8_lossy(&text);
    let packages = search::owners(&text).flat_map(|(packages, _)| packages);
    let found: BTreeSet<String> = packages.map(str::to_owned).collect();
    (!found.is_empty()).then_some(found)
}

/// Where it is not known which packages are ours, all are looked at.
fn is_ours(package: &Unpacked, ours: &Option<BTreeSet<String>>) -> bool {
    ours.as_ref()
        .is_none_or(|ours| ours.contains(&package.package))
}

fn names(dir: &Path) -> Vec<Atom> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| crate::application::is_application_name(name))
        .filter_map(|name| Atom::new(&name))
        .collect()
}

/// The absolute `path` within `root`.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// One application, from each version that a node runs.
fn one(session: &Session<'_>, name: &Atom, root: &Path) -> Status {
    let metadata = maintainer::metadata(&below(root, &session.places.packages.apps), name);
    let Some(new) = metadata else {
        return Status::Done;
    };
    let to = Version {
        dir: below(root, &new.dir),
        vsn: new.vsn,
    };
    let Some(installed) = maintainer::metadata(&session.places.packages.apps, name) else {
        return Status::Done;
    };
    let subject = Subject {
        application: name.clone(),
        version: installed,
    };
    let (host, facts) = maintainer::survey(&session.engine, &subject, &[]);
    let mut status = Status::Done;
    for node in &facts.nodes {
        status = status.worse(match (&node.state, host.entry(&node.name)) {
            (NodeState::Running(vsn), Some(entry)) => {
                let from = operation::Version {
                    vsn: vsn.clone(),
                    dir: facts.place(vsn),
                };
                of_node(session, entry, &change(name, from, &to))
            }
            (NodeState::Unknown, _) => {
                let answer = host.refusal(&node.name);
                not_found_out(&node.name, name.as_str(), answer.map(why))
            }
            _ => Status::Done,
        });
    }
    status
}

/// From what a node runs to what is about to be installed.
fn change(name: &Atom, from: operation::Version, to: &Version) -> Operation {
    let down = vsn::compare(&to.vsn, &from.vsn) == Ordering::Less;
    let to = operation::Version {
        vsn: to.vsn.clone(),
        dir: Some(to.dir.clone()),
    };
    let step = match down {
        true => Step::Downgrade { from, to },
        false => Step::Upgrade { from, to },
    };
    Operation::new(name.clone(), step)
}

fn why(answer: &Answer) -> String {
    let reason = answer.reason.as_deref();
    reason.unwrap_or(answer.outcome.as_str()).to_owned()
}

fn line(node: &NodeName, what: &str, text: &str) {
    let line = format!("erlrc-preflight: {node}: {what}: {text}");
    output::error_text(&format!("{}\n", output::printable(&line)));
}

/// Says that there is no verdict, which is no pass.
fn not_found_out(node: &NodeName, what: &str, why: Option<String>) -> Status {
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    let text = format!("whether the upgrade would be hot cannot be found out{why}");
    line(node, what, &text);
    Status::Unreachable
}

/// Says what would not be hot on one node, and what that means to apt in strict mode.
fn of_node(session: &Session<'_>, entry: &Entry, operation: &Operation) -> Status {
    let (Step::Upgrade { from, to } | Step::Downgrade { from, to }) = &operation.step else {
        return Status::Done;
    };
    let what = format!("{} {} -> {}", operation.application, from.vsn, to.vsn);
    let not_found_out = |why| not_found_out(&entry.name, &what, Some(why));
    match foreseen(session, entry, operation) {
        Ok(Foreseen::Plan(plan)) => {
            let verdict = plan.verdict.to_string();
            let against = plan.against().map(Finding::sentence);
            let hot = plan.verdict <= Verdict::HotWithWarnings;
            let texts = [verdict].into_iter().chain(against);
            texts
                .skip(usize::from(hot))
                .for_each(|text| line(&entry.name, &what, &text));
            crate::cli::plan::status(plan.verdict)
        }
        Ok(Foreseen::Nothing) => Status::Done,
        Ok(Foreseen::OldSideGone(dir)) => {
            let place = dir.display();
            not_found_out(format!(
                "what runs is neither in {place} any more nor in the stash"
            ))
        }
        Ok(Foreseen::NotLooked(answer)) | Err(answer) => not_found_out(why(&answer)),
    }
}

/// What the hook will ask before the same upgrade.
fn foreseen(
    session: &Session<'_>,
    entry: &Entry,
    operation: &Operation,
) -> Result<Foreseen, Box<Answer>> {
    let connection = &session.hook.connection;
    let mut node = open(entry, connection)?;
    let preflight = Preflight::new(operation);
    let patience = connection.node_timeout;
    let foreseen = preflight.ask(operation, &mut node, patience);
    let mut foreseen = foreseen.map_err(|error| Box::new(unreachable(entry, &error)))?;
    if let Foreseen::Plan(plan) = &mut foreseen {
        let rehearsed = foresight::rehearse(plan, operation, &mut node, patience);
        rehearsed.map_err(|error| Box::new(unreachable(entry, &error)))?;
    }
    Ok(foreseen)
}
