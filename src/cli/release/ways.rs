//! What nodes have to do to come from what they run to a release, and that they do it as one.

use crate::application::vsn;
use crate::cli::change::{Still, unchanged};
use crate::cli::hook::operation::{self, Operation, Step};
use crate::cli::hook::request::versions;
use crate::cli::hook::{self, Asker, HookArguments, Options, Round};
use crate::cli::resolution::Known;
use crate::cli::{Common, Failure, Status, status};
use crate::identity::NodeName;
use crate::package::dependency::is_otp;
use crate::release::change::{self, Restart};
use crate::release::set::{Change, Kind};
use crate::release::{Member, Release};
use crate::rendezvous::{Entries, Entry};
use crate::term::{Atom, Term};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What the operation is called for machines.
pub const CHANGE: &str = "change";

#[derive(Debug, thiserror::Error)]
enum WayError {
    #[error("{service} {release} is not for {node} as it runs")]
    Restart {
        service: String,
        release: String,
        node: NodeName,
        source: Restart,
    },
    #[error("{one} and {other} have to change in different ways; nothing was done")]
    Apart { one: NodeName, other: NodeName },
}

/// A node, and what it has to do.
pub struct Way {
    /// The node.
    pub node: NodeName,
    entry: Entry,
    /// What it has to do.
    pub changes: Vec<Operation>,
    /// What tells whether two nodes have to do the same.
    key: Vec<(Change, PathBuf)>,
}

/// When applications stop that the release does not name any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stops {
    /// With the change.
    Now,
    /// When the release is committed: what has stopped would not come back as it was.
    Later,
}

/// What is compared with nodes.
pub struct Facts<'a> {
    /// How they are reached.
    pub hook: &'a HookArguments,
    /// How they change.
    pub options: &'a Options,
    /// The applications of the release that they come from.
    pub current: &'a [Member],
    /// The release that they go to.
    pub target: &'a Release,
    /// When what only the first names stops.
    pub stops: Stops,
}

/// Those that have to do the same, together.
pub fn groups(ways: Vec<Way>) -> Vec<Vec<Way>> {
    let mut groups: Vec<Vec<Way>> = Vec::new();
    for way in ways {
        match groups.iter_mut().find(|group| group[0].key == way.key) {
            Some(group) => group.push(way),
            None => groups.push(vec![way]),
        }
    }
    groups
}

/// All nodes together; they have to do the same. `None` where there is nothing to do.
pub fn carry_out(
    ways: Vec<Way>,
    (hook, options): (&HookArguments, &Options),
    common: &Common,
) -> Result<Option<Status>, Failure> {
    let mut ways = ways.into_iter().filter(|way| !way.changes.is_empty());
    let Some(first) = ways.next() else {
        return Ok(None);
    };
    let mut entries: Entries = vec![(first.node.clone(), Ok(first.entry))];
    for way in ways {
        if way.key != first.key {
            let (one, other) = (first.node, way.node);
            let failure = Failure::new(Status::Failed, WayError::Apart { one, other });
            return Err(failure.hint("--node names those that go together"));
        }
        entries.push((way.node, Ok(way.entry)));
    }
    let Some(together) = Operation::together(first.changes, options) else {
        return Ok(None);
    };
    let round = Round::new(hook, common);
    let unloads = unloads(&together);
    let outcome = round.over(&entries, &[vec![together], unloads].concat());
    if !hook.dry_run {
        status::refresh(common, &hook.connection);
    }
    Ok(outcome.map(|outcome| outcome.class.into()))
}

/// Says that no node has anything to do.
pub fn nothing(hook: &HookArguments, common: &Common) {
    common.output().text("no node has anything to do\n");
    unchanged(CHANGE, None, (&[], Status::Done), hook, common);
}

impl Facts<'_> {
    /// What each node has to do, and the nodes that do not say.
    pub fn ways(&self, entries: &Entries) -> Result<(Vec<Way>, Vec<Still>), Failure> {
        let members = self.current.iter().chain(&self.target.applications);
        let names: BTreeSet<Atom> = members.map(|member| member.application.clone()).collect();
        let names: Vec<Atom> = names.into_iter().collect();
        let asker = Asker {
            connection: &self.hook.connection,
        };
        let (mut ways, mut still) = (Vec::new(), Vec::new());
        for (node, entry) in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    still.push(Still::of_answer(node, hook::Answer::entry_refused(error)));
                    continue;
                }
            };
            let questions = names.iter().map(versions).collect();
            match asker.query(entry, questions) {
                Err(answer) => still.push(Still::of_answer(node, *answer)),
                Ok(answers) => {
                    let known = answers
                        .into_iter()
                        .map(|answer| Known::of_answer(&answer.unwrap_or(Term::NIL)));
                    let known: BTreeMap<Atom, Known> = names.iter().cloned().zip(known).collect();
                    ways.extend(self.way(node, entry, &known)?);
                }
            }
        }
        Ok((ways, still))
    }

    /// What a node has to do; none where it runs nothing of the releases but OTP, and was not named.
    fn way(
        &self,
        node: &NodeName,
        entry: &Entry,
        known: &BTreeMap<Atom, Known>,
    ) -> Result<Option<Way>, Failure> {
        let running = known
            .iter()
            .filter_map(|(name, known)| Some((name.clone(), known.running.clone()?)));
        let running: BTreeMap<Atom, String> = running.collect();
        let is_named = !self.hook.connection.only.is_empty();
        if !is_named && running.keys().all(|name| is_otp(name.as_str())) {
            return Ok(None);
        }
        let changes = change::changes(&running, self.current, &self.target.applications);
        let mut changes = changes.map_err(|source| {
            let error = WayError::Restart {
                service: self.target.service.clone(),
                release: self.target.version.clone(),
                node: node.clone(),
                source,
            };
            let hint = "a node that is started from the release runs it";
            Failure::new(Status::RestartEmulator, error).hint(hint)
        })?;
        changes.retain(|change| change.change != Kind::Remove || self.stops == Stops::Now);
        let steps = changes.iter().filter_map(|change| self.step(change, known));
        let (changes, key) = steps.unzip();
        Ok(Some(Way {
            node: node.clone(),
            entry: entry.clone(),
            changes,
            key,
        }))
    }

    fn step(
        &self,
        change: &Change,
        known: &BTreeMap<Atom, Known>,
    ) -> Option<(Operation, (Change, PathBuf))> {
        let name = &change.application;
        let mut members = self.target.applications.iter();
        let to = members.find(|member| member.application == *name);
        let to = to.map(|member| operation::Version {
            vsn: member.vsn.clone(),
            dir: Some(member.dir.clone()),
        });
        let known = known.get(name)?;
        let old = known.old_side(name).map(|old| old.dir);
        let old = old.or_else(|| known.origin.clone());
        let from = known.running.clone().map(|vsn| operation::Version {
            vsn,
            dir: old.clone(),
        });
        let loaded = known.loaded.clone().map(|vsn| operation::Version {
            vsn,
            dir: known.origin.clone(),
        });
        let step = match change.change {
            Kind::Add => started(loaded, to?),
            Kind::Remove => Step::Stop(from?),
            Kind::Upgrade => Step::Upgrade {
                from: from?,
                to: to?,
            },
            Kind::Downgrade => Step::Downgrade {
                from: from?,
                to: to?,
            },
            Kind::Reload => return None,
        };
        let operation = Operation {
            application: name.clone(),
            step,
            options: self.options.clone(),
        };
        Some((operation, (change.clone(), old.unwrap_or_default())))
    }
}

/// How an application is started: of one that is loaded in another version, that is replaced first.
fn started(loaded: Option<operation::Version>, to: operation::Version) -> Step {
    match loaded {
        Some(from) if vsn::compare(&from.vsn, &to.vsn) == Ordering::Less => {
            Step::Upgrade { from, to }
        }
        Some(from) if vsn::compare(&from.vsn, &to.vsn) == Ordering::Greater => {
            Step::Downgrade { from, to }
        }
        _ => Step::Start(to),
    }
}

/// What is stopped and nothing else is unloaded, as `erlrc stop` does it.
fn unloads(operation: &Operation) -> Vec<Operation> {
    let unload = |one: &Operation| match &one.step {
        Step::Stop(version) => Some(Operation {
            step: Step::Unload(version.clone()),
            ..one.clone()
        }),
        _ => None,
    };
    let unloads: Option<Vec<Operation>> = operation.changes().iter().map(unload).collect();
    unloads.unwrap_or_default()
}
