//! The release that nodes try: how each of them stands, what is said of it, and what may not be done meanwhile.

use super::{current, failed};
use crate::cli::history::moment;
use crate::cli::hook::request::question;
use crate::cli::hook::{self, HookArguments};
use crate::cli::{Common, Failure, Output, Status, output};
use crate::identity::NodeName;
use crate::maint::{Finding, Severity};
use crate::record::Time;
use crate::release::store::{Locked, Pointer};
use crate::release::{Release, ReleaseError, Stage, Store, Trial, change};
use crate::rendezvous::{Entries, Entry};
use crate::status::{Held, Loaded, NodeFacts, State, WentBack};
use crate::term::Atom;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Why something is not done while a release is on trial, or after that.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// It is on trial, as far as the host or its nodes know.
    #[error("{service} {what}; nothing was done")]
    Open {
        /// The service.
        service: String,
        /// The release, and how far it has come.
        what: String,
    },
    /// It is not any more.
    #[error("{service} {release} is no longer on trial: {why}; {service} {from} stays current")]
    Over {
        /// The service.
        service: String,
        /// The release.
        release: String,
        /// Which node does not run it, and since when.
        why: String,
        /// The current release.
        from: String,
    },
    /// Nothing is on trial.
    #[error("no release of {service} is on trial; nothing was committed")]
    None {
        /// The service.
        service: String,
    },
    /// A node does not say whether it runs it.
    #[error("{node} does not answer: {reason}; {service} {release} was not committed")]
    Silent {
        /// The service.
        service: String,
        /// The release.
        release: String,
        /// The node.
        node: NodeName,
        /// Why.
        reason: String,
    },
    /// Some of its nodes are named.
    #[error("{service} {release} is on trial on {nodes}, which stay together; nothing was done")]
    Part {
        /// The service.
        service: String,
        /// The release.
        release: String,
        /// All of its nodes.
        nodes: String,
    },
    /// There is nothing to go back to.
    #[error("{service} has no previous release to go back to; nothing was done")]
    NoPrevious {
        /// The service.
        service: String,
    },
}

/// How a node of a trial stands.
pub enum Stand {
    /// It runs the release and keeps its way back open.
    Tries(Box<Held>),
    /// It runs the release, and has no way back any more.
    Runs,
    /// It does not run the release, since then where it went back by itself.
    Back(Option<u64>),
    /// It is not there.
    Down,
    /// It does not say; why.
    Silent(String),
}

impl Stand {
    /// Why the trial is over, where it is on this node.
    fn over(&self) -> Option<String> {
        match self {
            Self::Back(Some(since)) => Some(format!("went back at {} UTC", at(*since))),
            Self::Back(None) => Some("does not run it".to_owned()),
            Self::Down => Some("is down".to_owned()),
            Self::Tries(_) | Self::Runs | Self::Silent(_) => None,
        }
    }
}

/// A time as people read it.
pub fn at(millis: u64) -> String {
    moment(Time::from_millis(millis))
}

/// How far a trial has come, without the service: `2 is on trial until ...`.
pub fn text(trial: &Trial, stage: Stage) -> String {
    let release = &trial.release;
    match stage {
        Stage::Begun => format!("{release} is on trial on some nodes: the upgrade was interrupted"),
        Stage::OnTrial(until) => format!("{release} is on trial until {} UTC", at(until)),
        Stage::Over(until) => {
            format!(
                "{release} was on trial until {} UTC and not committed",
                at(until)
            )
        }
        Stage::Committed => {
            format!("{release} is current, but its commit was interrupted")
        }
    }
}

/// What leads on from there, in one command or two.
pub fn advice(service: &str, stage: Stage) -> String {
    match stage {
        Stage::OnTrial(_) => format!(
            "to keep it: erlrc release commit {service}; to go back: erlrc release revert {service}"
        ),
        Stage::Begun | Stage::Over(_) => {
            format!("erlrc release revert {service} makes sure that all nodes have gone back")
        }
        Stage::Committed => format!("erlrc release commit {service} finishes it"),
    }
}

/// The same in two lines.
pub fn lines(service: &str, trial: &Trial, stage: Stage) -> String {
    let (text, advice) = (text(trial, stage), advice(service, stage));
    output::printable_lines(&format!("{service} {text}\n  {advice}\n"))
}

/// Says it on standard error.
pub fn note(service: &str, trial: &Trial, stage: Stage) {
    output::error_text(&format!("erlrc: {}", lines(service, trial, stage)));
}

/// The same for machines.
pub fn json(trial: &Trial, stage: Stage) -> Value {
    let stage = match stage {
        Stage::Begun => "begun",
        Stage::OnTrial(_) => "on_trial",
        Stage::Over(_) => "over",
        Stage::Committed => "committed",
    };
    json!({
        "release": trial.release, "from": trial.from, "stage": stage,
        "begun_ms": trial.begun, "until_ms": trial.until, "nodes": trial.nodes,
    })
}

/// The stage of a trial now.
pub fn stage(store: &Store, service: &str, trial: &Trial) -> Result<Stage, Failure> {
    let current = store.pointer(service, Pointer::Current);
    let current = current.map_err(|error| failed(error, service))?;
    Ok(trial.stage(current.as_deref(), Time::now().millis()))
}

/// The release of a service that is on trial, and how far that has come.
pub fn read(store: &Store, service: &str) -> Result<Option<(Trial, Stage)>, Failure> {
    let trial = store
        .trial(service)
        .map_err(|error| failed(error, service))?;
    let Some(trial) = trial else {
        return Ok(None);
    };
    let stage = stage(store, service, &trial)?;
    Ok(Some((trial, stage)))
}

/// Says that a release is on trial.
pub fn say(store: &Store, (service, trial): (&str, &Trial), out: Output) -> Result<(), Failure> {
    let stage = stage(store, service, trial)?;
    out.envelope("release_current", 1, &current::report(store, service)?);
    let (text, advice) = (text(trial, stage), advice(service, stage));
    let from = &trial.from;
    out.text(&format!(
        "{service} {text}, then it goes back to {from}\n  {advice}\n"
    ));
    Ok(())
}

/// What the doctor says of releases on trial.
pub fn findings(store: &Store) -> Vec<Finding> {
    let one = |(service, trial): (String, Result<Trial, ReleaseError>)| {
        let stage = trial.map(|trial| {
            let current = store.pointer(&service, Pointer::Current).ok().flatten();
            let stage = trial.stage(current.as_deref(), Time::now().millis());
            (trial, stage)
        });
        finding(service, stage)
    };
    store.trials().into_iter().map(one).collect()
}

fn finding(service: String, found: Result<(Trial, Stage), ReleaseError>) -> Finding {
    let (text, advice) = match &found {
        Ok((trial, stage)) => (
            format!("{service} {}", text(trial, *stage)),
            advice(&service, *stage),
        ),
        Err(error) => (super::chain(error), "remove it".to_owned()),
    };
    let (kind, severity) = match found {
        Ok((_, Stage::OnTrial(_))) => ("release_on_trial", Severity::Info),
        _ => ("unfinished_release", Severity::Warning),
    };
    Finding {
        kind,
        severity,
        subject: service,
        text,
        advice,
        repair: None,
    }
}

/// Nothing of the service is on trial, whatever the nodes say.
pub fn check_no_file(store: &Store, service: &str) -> Result<(), Failure> {
    match read(store, service)? {
        None => Ok(()),
        Some((trial, stage)) => Err(open(service, &trial, stage)),
    }
}

fn open(service: &str, trial: &Trial, stage: Stage) -> Failure {
    let what = text(trial, stage);
    let error = TrialError::Open {
        service: service.to_owned(),
        what,
    };
    Failure::new(Status::Failed, error).hint(advice(service, stage))
}

/// Nothing of the service is on trial any more: what the nodes have ended is ended here.
pub fn check_none(
    locked: &Locked<'_>,
    store: &Store,
    (entries, hook): (&Entries, &HookArguments),
    common: &Common,
) -> Result<(), Failure> {
    let service = locked.service();
    let Some((trial, stage)) = read(store, service)? else {
        return Ok(());
    };
    let why = match stage {
        Stage::Committed => None,
        _ => all_over(&trial, store, (service, entries), hook),
    };
    let Some(why) = why else {
        return Err(open(service, &trial, stage));
    };
    let release = &trial.release;
    let text = format!("{service} {release} is no longer on trial: {why}\n");
    common.output().text(&text);
    match hook.dry_run {
        true => Ok(()),
        false => locked.end_trial().map_err(|error| failed(error, service)),
    }
}

/// Why a trial is over, where it is on all nodes.
fn all_over(
    trial: &Trial,
    store: &Store,
    (service, entries): (&str, &Entries),
    hook: &HookArguments,
) -> Option<String> {
    let target = store.read(service, &trial.release).ok()?;
    let only = &hook.connection.only;
    let is_asked = |node: &NodeName| only.is_empty() || only.contains(node);
    let stands = stands(trial, &target, entries, hook);
    let mut ended = stands.iter();
    let ended = ended.all(|(node, stand)| stand.over().is_some() && is_asked(node));
    over(&stands).filter(|_| ended)
}

/// An upgrade on trial has failed: where all nodes have gone back, nothing is on trial.
pub fn end_if_over(
    locked: &Locked<'_>,
    store: &Store,
    (entries, hook): (&Entries, &HookArguments),
) -> Result<(), Failure> {
    let service = locked.service();
    let Some((trial, stage)) = read(store, service)? else {
        return Ok(());
    };
    let failed = |error| failed(error, service);
    if all_over(&trial, store, (service, entries), hook).is_some() {
        return locked.end_trial().map_err(failed);
    }
    note(service, &trial, stage);
    Ok(())
}

/// Why a trial is over, where it is on any node that says so.
pub fn over(stands: &[(NodeName, Stand)]) -> Option<String> {
    let back = |(node, stand): &(NodeName, Stand)| Some(format!("{node} {}", stand.over()?));
    let down = |(_, stand): &&(NodeName, Stand)| !matches!(stand, Stand::Down);
    let mut first = stands.iter().filter(down).filter_map(back);
    let all_down = stands.iter().all(|(_, stand)| matches!(stand, Stand::Down));
    let down = all_down.then(|| stands.iter().find_map(back)).flatten();
    first.next().or(down)
}

/// How each node of a trial stands.
pub fn stands(
    trial: &Trial,
    target: &Release,
    entries: &Entries,
    hook: &HookArguments,
) -> Vec<(NodeName, Stand)> {
    let nodes = trial.nodes.iter();
    let nodes = nodes.filter_map(|name| NodeName::parse(name));
    let one = |node: NodeName| {
        let entry = entries.iter().find(|(name, _)| *name == node);
        let stand = match entry {
            None => Stand::Down,
            Some((_, Err(error))) => Stand::Silent(hook::chain(error)),
            Some((_, Ok(entry))) => stand(trial, target, entry, hook),
        };
        (node, stand)
    };
    nodes.map(one).collect()
}

fn stand(trial: &Trial, target: &Release, entry: &Entry, hook: &HookArguments) -> Stand {
    let answers = match hook::query(entry, &hook.connection, vec![question("status")]) {
        Ok(answers) => answers,
        Err(answer) if answer.outcome.is_absent() => return Stand::Down,
        Err(answer) => {
            let outcome = answer.outcome.to_string();
            return Stand::Silent(answer.reason.unwrap_or(outcome));
        }
    };
    let facts = answers.into_iter().next().flatten();
    let Some(facts) = facts.and_then(|term| NodeFacts::parse(&term)) else {
        return Stand::Silent("it does not say what it runs".to_owned());
    };
    let name = format!("{} {}", target.service, target.version);
    match facts.held {
        Some(held) if held.release.as_ref() == Some(&name) => Stand::Tries(Box::new(held)),
        _ if runs(&facts.applications, target) => Stand::Runs,
        _ => Stand::Back(facts.went_back.and_then(|back| since(trial, target, &back))),
    }
}

/// Whether a node that runs these has nothing to do to come to the release.
fn runs(applications: &[Loaded], target: &Release) -> bool {
    let is_running = |one: &&Loaded| matches!(one.state, State::Running | State::Included);
    let running = applications.iter().filter(is_running);
    let running = running.filter_map(|one| Some((Atom::new(&one.name)?, one.vsn.clone())));
    let running: BTreeMap<Atom, String> = running.collect();
    let changes = change::changes(&running, &[], &target.applications);
    changes.is_ok_and(|changes| changes.is_empty())
}

/// When a node went back from the release.
fn since(trial: &Trial, target: &Release, back: &WentBack) -> Option<u64> {
    let is_of = |application: &str, vsn: &str| {
        let mut members = target.applications.iter();
        members.any(|one| one.application.as_str() == application && one.vsn == vsn)
    };
    let mut changes = back.changes.iter();
    let is_it = back.since >= trial.begun && changes.all(|one| is_of(&one.application, &one.to));
    is_it.then_some(back.since)
}
