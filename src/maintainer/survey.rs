//! The facts of this host.

use super::carry::ITSELF;
use super::session::{Session, Subject};
use crate::application::{Registration, UpgradePolicy};
use crate::appup::{Direction, Shipped};
use crate::cluster::Answer;
use crate::cluster::request::what_runs;
use crate::identity::NodeName;
use crate::installed;
use crate::maint::{Facts, Minimum, Moment, NodeFacts, NodeState, Stashed, Version};
use crate::node::Call;
use crate::outcome::Class;
use crate::places::{ApplicationDir, Root};
use crate::rendezvous::{Entries, Entry};
use crate::term::{Atom, Term};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The nodes of the host that are up, and how to speak to them.
#[derive(Default)]
pub struct Host {
    nodes: BTreeMap<NodeName, Known>,
    /// What the registration of the application says.
    policy: Option<UpgradePolicy>,
}

struct Known {
    entry: Option<Entry>,
    /// Why it does not say what it runs.
    refusal: Option<Answer>,
    policy: Option<UpgradePolicy>,
}

impl Host {
    /// What to do on `node` where an upgrade cannot be hot.
    pub fn policy(&self, node: &NodeName) -> UpgradePolicy {
        let own = || self.nodes.get(node).and_then(|known| known.policy.clone());
        self.policy.clone().or_else(own).unwrap_or_default()
    }

    /// The entries of `names`.
    pub fn entries(&self, names: &[NodeName]) -> Entries {
        let known =
            |name: &NodeName| Some((name.clone(), Ok(self.nodes.get(name)?.entry.clone()?)));
        names.iter().filter_map(known).collect()
    }

    /// The entry of `node`, where it can be asked.
    pub fn entry(&self, node: &NodeName) -> Option<&Entry> {
        self.nodes.get(node)?.entry.as_ref()
    }

    /// Why `node` does not say what it runs.
    pub fn refusal(&self, node: &NodeName) -> Option<&Answer> {
        self.nodes.get(node)?.refusal.as_ref()
    }
}

/// Asks the nodes and reads the disk. Where no node is up, no more than is needed.
pub fn survey(session: &Session<'_>, subject: &Subject, minimums: &[Minimum]) -> (Host, Facts) {
    let name = &subject.application;
    let metadata = metadata(&session.apps, name);
    // The script may be that of the version that is replaced.
    let other = metadata
        .as_ref()
        .is_some_and(|found| *found != subject.version);
    let noted = session.log.journal().minimums(name);
    let minimums = match session.call.moment == Moment::Swap && other {
        true => noted.as_slice(),
        false => minimums,
    };
    let mut host = Host::default();
    let mut facts = Facts {
        own: subject.version.clone(),
        metadata,
        present: BTreeSet::new(),
        stash: stashed(session, name),
        nodes: Vec::new(),
        registered: false,
        may_start: true,
        appups: Vec::new(),
        minimums: minimums.to_vec(),
        installed: BTreeMap::new(),
        pending: session.log.journal().pending(name),
        batch: session.configuration.batch,
        others_wait: session.log.journal().queued().next().is_some(),
        stays: name.as_str() == ITSELF,
    };
    if session.call.moment == Moment::Nothing {
        return (host, facts);
    }
    ask_all(session, subject, &mut host, &mut facts);
    if facts.nodes.is_empty() {
        if session.call.moment == Moment::Configure {
            // Nobody was asked: people are told whom one could have meant.
            if let Some(text) = session.hooks.unlisted() {
                session.hooks.complain(name, &text);
            }
        }
        return (host, facts);
    }
    let registration = registration(session, name);
    facts.registered = registration.as_ref().is_some_and(|found| found.enabled);
    host.policy = registration.and_then(|found| found.upgrade_policy);
    facts.may_start = !starts(session.call.moment) || session.hooks.may_start(name);
    facts.present = present(name, &facts);
    facts.appups = appups(name, &facts);
    for minimum in minimums {
        let found = self::metadata(&session.apps, &minimum.application);
        let found = found.map(|version| (minimum.application.clone(), version.vsn));
        facts.installed.extend(found);
    }
    (host, facts)
}

fn starts(moment: Moment) -> bool {
    matches!(moment, Moment::Configure | Moment::Restore | Moment::Resume)
}

/// The version of `name` that its package says is installed.
pub fn metadata(apps: &Path, name: &Atom) -> Option<Version> {
    installed::metadata(apps, name).map(|metadata| Version {
        vsn: metadata.vsn,
        dir: metadata.dir.into(),
    })
}

fn stashed(session: &Session<'_>, name: &Atom) -> Vec<Stashed> {
    let kept = session.stash.of(name.as_str()).into_iter();
    let stashed = kept.map(|kept| Stashed {
        version: Version {
            vsn: kept.vsn,
            dir: kept.origin,
        },
        dir: kept.dir,
    });
    stashed.collect()
}

/// What the registration says; `None` where there is none that can be used.
fn registration(session: &Session<'_>, name: &Atom) -> Option<Registration> {
    let file = Root(&session.root).registration(name.as_str());
    match installed::consult(&file) {
        Ok(terms) => match Registration::from_terms(terms) {
            Ok((registration, _)) => return Some(registration),
            Err(error) => warn(session, &file, &error.to_string()),
        },
        Err(fault) if fault.is_missing() => {}
        Err(fault) => warn(session, &file, &fault.to_string()),
    }
    None
}

fn warn(session: &Session<'_>, file: &Path, why: &str) {
    let text = format!("{} is passed over: {why}", file.display());
    session.hooks.warn(&text);
}

fn present(name: &Atom, facts: &Facts) -> BTreeSet<PathBuf> {
    let said = [Some(&facts.own), facts.metadata.as_ref()];
    let kept = facts.stash.iter().map(|stashed| &stashed.version);
    let versions = said.into_iter().flatten().chain(kept);
    let there = versions.filter(|version| holds(name, version));
    there.map(|version| version.dir.clone()).collect()
}

/// Whether the directory of `version` is there and holds it.
pub fn holds(name: &Atom, version: &Version) -> bool {
    installed::shipped(name, &version.dir).is_ok_and(|found| found.vsn == version.vsn)
}

/// The way that shipped appups lead from what runs to what is installed.
fn appups(name: &Atom, facts: &Facts) -> Vec<(String, Direction)> {
    let to = facts.installed_version();
    let running = facts.nodes.iter().filter_map(|node| match &node.state {
        NodeState::Running(vsn) if *vsn != to.vsn => Some(vsn.clone()),
        _ => None,
    });
    let running: BTreeSet<String> = running.collect();
    let way = |from: String| {
        let old = facts.place(&from);
        if covers(name, to, &to.dir, Direction::Up, &from) {
            return Some((from, Direction::Up));
        }
        let old = Version {
            vsn: from.clone(),
            dir: old?,
        };
        covers(name, &old, &old.dir, Direction::Down, &to.vsn).then_some((from, Direction::Down))
    };
    running.into_iter().filter_map(way).collect()
}

fn covers(name: &Atom, version: &Version, dir: &Path, way: Direction, other: &str) -> bool {
    let file = ApplicationDir(dir).appup(name.as_str());
    let shipped = installed::consult(&file).ok();
    let shipped = shipped.and_then(|terms| Shipped::from_terms(terms, &version.vsn).ok());
    shipped.is_some_and(|appup| matches!(appup.script(way, other), Ok(Some(_))))
}

fn ask_all(session: &Session<'_>, subject: &Subject, host: &mut Host, facts: &mut Facts) {
    for (name, entry) in session.hooks.entries() {
        let found = match entry {
            Ok(entry) => ask(session, subject, &facts.minimums, entry),
            Err(error) => Some(unknown(None, Answer::entry_refused(&error))),
        };
        let Some((known, state, siblings)) = found else {
            continue;
        };
        host.nodes.insert(name.clone(), known);
        facts.nodes.push(NodeFacts {
            name,
            state,
            siblings,
        });
    }
}

type Found = (Known, NodeState, BTreeMap<Atom, String>);

fn unknown(entry: Option<Entry>, refusal: Answer) -> Found {
    let known = Known {
        entry,
        refusal: Some(refusal),
        policy: None,
    };
    (known, NodeState::Unknown, BTreeMap::new())
}

/// What the node of `entry` has; `None` where it is down or none of ours.
fn ask(
    session: &Session<'_>,
    subject: &Subject,
    minimums: &[Minimum],
    entry: Entry,
) -> Option<Found> {
    let name = &subject.application;
    let mut calls = vec![what_runs(name), applications(), policy()];
    calls.extend(
        minimums
            .iter()
            .map(|minimum| what_runs(&minimum.application)),
    );
    let answers = match session.hooks.query(&entry, calls) {
        Ok(answers) => answers,
        Err(answer) if answer.class == Class::Absent => return None,
        Err(answer) => return Some(unknown(Some(entry), *answer)),
    };
    let running = |index: usize, name: &Atom| {
        let answer = answers.get(index).and_then(Option::as_ref);
        match answer.and_then(Answer::parse) {
            Some(answer) => answer.running,
            // Without erlrc the node knows what runs, not what is included in what.
            None => listed(answers.get(1)?.as_ref()?, name),
        }
    };
    let state = running(0, name).map_or(NodeState::Idle, NodeState::Running);
    let needed = minimums.iter().enumerate().filter_map(|(place, minimum)| {
        let vsn = running(place + 3, &minimum.application)?;
        Some((minimum.application.clone(), vsn))
    });
    let siblings = needed.collect();
    let own = answers.get(2).and_then(Option::as_ref);
    let own = own.and_then(|term| UpgradePolicy::from_term(term.as_tagged("ok")?.first()?));
    let known = Known {
        entry: Some(entry),
        refusal: None,
        policy: own,
    };
    Some((known, state, siblings))
}

fn applications() -> Call {
    Call {
        module: "application",
        function: "which_applications",
        arguments: Vec::new(),
    }
}

fn policy() -> Call {
    Call {
        module: "application",
        function: "get_env",
        arguments: vec![Term::atom("erlrc"), Term::atom("upgrade_policy")],
    }
}

/// The version of `name` in the answer of `application:which_applications/0`.
fn listed(answer: &Term, name: &Atom) -> Option<String> {
    let list = answer.elements()?;
    let of_it = list.iter().find_map(|term| match term.as_tuple()? {
        [Term::Atom(found), _, vsn] if found == name => vsn.as_string(),
        _ => None,
    });
    of_it.map(|vsn| vsn.into_owned())
}
