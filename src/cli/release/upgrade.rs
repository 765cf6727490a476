//! `erlrc release plan`, `upgrade` and `downgrade`: nodes go from what they run to a release, as one change.

use super::{Named, Services, current, failed, name};
use crate::application::vsn;
use crate::cli::change::{Still, tell, unchanged};
use crate::cli::hook::operation::{self, Operation, Step};
use crate::cli::hook::request::versions;
use crate::cli::hook::{self, Asker, HookArguments, Options, Round};
use crate::cli::resolution::Known;
use crate::cli::{Common, Failure, Status, nodes, status};
use crate::identity::NodeName;
use crate::package::dependency::is_otp;
use crate::release::change::{self, Restart};
use crate::release::set::{Change, Kind};
use crate::release::store::Pointer;
use crate::release::{Member, Release, Store};
use crate::rendezvous::{Entries, Entry};
use crate::term::{Atom, Term};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

/// What the operation is called for machines.
const CHANGE: &str = "change";

/// Arguments of `erlrc release upgrade` and `downgrade`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
What a node runs is compared with the release: all that differs is upgraded, downgraded and started as one, and stopped
is what only the current release names. Nodes that run nothing of both are left alone. Either all of it happens, on all
nodes, or nothing; then the release becomes the current one. Another OTP needs a restart: it is refused with status 5.

JSON: as erlrc upgrade, then as erlrc release current.

Examples:
  erlrc release upgrade shop 1.1
  erlrc release downgrade shop 1.0
  erlrc release upgrade shop 1.1 --node shop")]
pub struct Arguments {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    hook: HookArguments,
    #[command(flatten)]
    place: Services,
}

/// Arguments of `erlrc release plan`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The same as erlrc release upgrade --dry-run, up or down. Without VSN the latest release is meant.

JSON: as erlrc upgrade --dry-run.

Examples:
  erlrc release plan shop
  erlrc release plan shop 1.1")]
pub struct PlanArguments {
    /// The service
    #[arg(value_name = "S", value_parser = name)]
    service: String,
    /// The version of the release [default: the latest]
    #[arg(value_name = "VSN", value_parser = name)]
    release: Option<String>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    hook: HookArguments,
    #[command(flatten)]
    place: Services,
}

#[derive(Debug, thiserror::Error)]
enum UpgradeError {
    #[error("{to} is {what} than {current}, which is current; nothing was done")]
    Direction {
        to: String,
        current: String,
        what: &'static str,
    },
    #[error("{service} {release} is not for {node} as it runs")]
    Restart {
        service: String,
        release: String,
        node: NodeName,
        source: Restart,
    },
    #[error("{one} and {other} have to change in different ways; nothing was done")]
    Apart { one: NodeName, other: NodeName },
    #[error("the nodes run {service} {release}, and it did not become current")]
    NotCurrent {
        service: String,
        release: String,
        source: crate::release::ReleaseError,
    },
}

/// Goes to a later release.
pub fn up(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    run(arguments, Some(Ordering::Less), common)
}

/// Goes to an earlier release.
pub fn down(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    run(arguments, Some(Ordering::Greater), common)
}

/// Says what would be done.
pub fn plan(arguments: PlanArguments, common: &Common) -> Result<Status, Failure> {
    let store = arguments.place.store(common);
    let latest = || store.versions(&arguments.service).pop();
    let Some(release) = arguments.release.clone().or_else(latest) else {
        return Err(super::list::none(&arguments.service));
    };
    let mut hook = arguments.hook;
    hook.dry_run = true;
    let arguments = Arguments {
        named: Named {
            service: arguments.service,
            release,
        },
        options: arguments.options,
        hook,
        place: arguments.place,
    };
    run(&arguments, None, common)
}

/// A node, and what it has to do.
struct Way {
    node: NodeName,
    entry: Entry,
    changes: Vec<Operation>,
    /// What tells whether two nodes have to do the same.
    key: Vec<(Change, PathBuf)>,
}

fn run(arguments: &Arguments, is: Option<Ordering>, common: &Common) -> Result<Status, Failure> {
    if hook::skipped() {
        return Ok(Status::Done);
    }
    let (service, version) = (&arguments.named.service, &arguments.named.release);
    let store = arguments.place.store(common);
    let failed = |error| failed(error, service);
    let (locked, target) = current::locked(&store, service, version)?;
    let now = before(&store, service).map_err(failed)?;
    if let (Some(now), Some(is)) = (&now, is) {
        check_direction(now, version, is)?;
    }
    let entries = nodes::entries(common, &arguments.hook.connection)?;
    let facts = Facts {
        arguments,
        current: now
            .as_ref()
            .map(|now| now.applications.as_slice())
            .unwrap_or_default(),
        target: &target,
    };
    let (ways, still) = facts.ways(&entries)?;
    let mut status = tell(CHANGE, None, &still, &arguments.hook, common);
    if status == Status::Done {
        status = carry_out(ways, arguments, common)?;
    }
    if status != Status::Done || arguments.hook.dry_run {
        return Ok(status);
    }
    let was = locked.set_current(version).map_err(|source| {
        let (service, release) = (service.clone(), version.clone());
        let hint = format!("erlrc release default {service} {release} makes it current");
        let error = UpgradeError::NotCurrent {
            service,
            release,
            source,
        };
        Failure::new(Status::Failed, error).hint(hint)
    })?;
    current::say(&store, (service, version), was, common.output())?;
    Ok(Status::Done)
}

/// The release that is current.
fn before(store: &Store, service: &str) -> Result<Option<Release>, crate::release::ReleaseError> {
    let now = store.pointer(service, Pointer::Current)?;
    now.map(|now| store.read(service, &now)).transpose()
}

fn check_direction(now: &Release, version: &str, is: Ordering) -> Result<(), Failure> {
    let order = vsn::compare(&now.version, version);
    if order == is || order == Ordering::Equal {
        return Ok(());
    }
    let (what, command) = match is {
        Ordering::Less => ("earlier", "downgrade"),
        _ => ("later", "upgrade"),
    };
    let error = UpgradeError::Direction {
        to: version.to_owned(),
        current: now.version.clone(),
        what,
    };
    let hint = format!("erlrc release {command} {} {version}", now.service);
    Err(Failure::new(Status::Failed, error).hint(hint))
}

/// All nodes together; they have to do the same.
fn carry_out(ways: Vec<Way>, arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let mut ways = ways.into_iter().filter(|way| !way.changes.is_empty());
    let Some(first) = ways.next() else {
        common.output().text("no node has anything to do\n");
        unchanged(CHANGE, None, (&[], Status::Done), &arguments.hook, common);
        return Ok(Status::Done);
    };
    let mut entries: Entries = vec![(first.node.clone(), Ok(first.entry))];
    for way in ways {
        if way.key != first.key {
            let (one, other) = (first.node, way.node);
            let failure = Failure::new(Status::Failed, UpgradeError::Apart { one, other });
            return Err(failure.hint("--node names those that go together"));
        }
        entries.push((way.node, Ok(way.entry)));
    }
    let Some(together) = Operation::together(first.changes, &arguments.options) else {
        return Ok(Status::Done);
    };
    let round = Round {
        arguments: &arguments.hook,
        output: common.output(),
        state: &common.state,
        started: Instant::now(),
        tolerates: &|_, _| false,
    };
    let outcome = round.over(&entries, &[together]);
    if !arguments.hook.dry_run {
        status::refresh(common, &arguments.hook.connection);
    }
    Ok(outcome.map_or(Status::Done, |outcome| outcome.class.into()))
}

/// What is compared with nodes.
struct Facts<'a> {
    arguments: &'a Arguments,
    current: &'a [Member],
    target: &'a Release,
}

impl Facts<'_> {
    /// What each node has to do, and the nodes that do not say.
    fn ways(&self, entries: &Entries) -> Result<(Vec<Way>, Vec<Still>), Failure> {
        let members = self.current.iter().chain(&self.target.applications);
        let names: BTreeSet<Atom> = members.map(|member| member.application.clone()).collect();
        let names: Vec<Atom> = names.into_iter().collect();
        let asker = Asker {
            connection: &self.arguments.hook.connection,
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

    /// What a node has to do; none where it runs nothing of the releases but OTP.
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
        if running.keys().all(|name| is_otp(name.as_str())) {
            return Ok(None);
        }
        let changes = change::changes(&running, self.current, &self.target.applications);
        let changes = changes.map_err(|source| {
            let error = UpgradeError::Restart {
                service: self.target.service.clone(),
                release: self.target.version.clone(),
                node: node.clone(),
                source,
            };
            let hint = "a node that is started from the release runs it";
            Failure::new(Status::RestartEmulator, error).hint(hint)
        })?;
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
        let step = match change.change {
            Kind::Add => Step::Start(to?),
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
            options: self.arguments.options.clone(),
        };
        Some((operation, (change.clone(), old.unwrap_or_default())))
    }
}
