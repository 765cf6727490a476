//! `erlrc release plan`, `upgrade` and `downgrade`: nodes go from what they run to a release, as one change; for good, or
//! on trial.

use super::trial;
use super::ways::{self, CHANGE, Facts, Stops, Way};
use super::{Named, Services, current, failed, name};
use crate::application::vsn;
use crate::cli::change::tell;
use crate::cli::hook::operation::Operation;
use crate::cli::hook::{self, HookArguments, Options, ReleaseName};
use crate::cli::upgrade::provisional;
use crate::cli::{Common, Failure, Status, nodes};
use crate::record::Time;
use crate::release::store::{Locked, Pointer};
use crate::release::{Release, ReleaseError, Store, Trial};
use crate::rendezvous::Entries;
use std::cmp::Ordering;
use std::time::Duration;

/// Arguments of `erlrc release upgrade` and `downgrade`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
What a node runs is compared with the release: all that differs is upgraded, downgraded and started as one, and stopped
is what only the current release names. Nodes that run nothing of both are left alone, unless --node names them. Either all of it happens, on all
nodes, or nothing; then the release becomes the current one. Another OTP needs a restart: it is refused with status 5.

With --provisional the release is on trial: the nodes run it, the current release stays current, and after so many
seconds all nodes go back by themselves, unless erlrc release commit comes before; erlrc release revert goes back at once.
What only the current release names runs on until the commit. Meanwhile the nodes begin nothing else; one that is
restarted starts as before. Nothing is begun where a way back cannot be kept open (see erlrc upgrade), where no version
changes, or where no release is current.

JSON: as erlrc upgrade, then as erlrc release current.

Examples:
  erlrc release upgrade shop 1.1
  erlrc release upgrade shop 1.1 --provisional 600
  erlrc release downgrade shop 1.0
  erlrc release upgrade shop 1.1 --node shop")]
pub struct Arguments {
    #[command(flatten)]
    named: Named,
    /// Go back by itself after so many seconds, unless erlrc release commit comes before that
    #[arg(long, value_name = "SECONDS", value_parser = provisional)]
    provisional: Option<Duration>,
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
    #[error("the nodes run {service} {release}, and it did not become current")]
    NotCurrent {
        service: String,
        release: String,
        source: ReleaseError,
    },
    #[error("{service} {release} cannot be on trial: {why}; nothing was done")]
    NoTrial {
        service: String,
        release: String,
        why: &'static str,
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
        provisional: None,
        options: arguments.options,
        hook,
        place: arguments.place,
    };
    run(&arguments, None, common)
}

/// Takes the nodes to a release, whatever came before.
pub fn to(
    named: (&str, &str),
    (hook, place): (&HookArguments, &Services),
    common: &Common,
) -> Result<Status, Failure> {
    let arguments = Arguments {
        named: Named {
            service: named.0.to_owned(),
            release: named.1.to_owned(),
        },
        provisional: None,
        options: Options::default(),
        hook: hook.clone(),
        place: place.clone(),
    };
    run(&arguments, None, common)
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
    let hook = &arguments.hook;
    let entries = nodes::entries(common, &hook.connection)?;
    trial::check_none(&locked, &store, (&entries, hook), common)?;
    let going = Going {
        arguments,
        locked: &locked,
        store: &store,
        now: now.as_ref(),
        target: &target,
        entries: &entries,
        common,
    };
    match arguments.provisional {
        None => going.for_good(),
        Some(time) => going.on_trial(time),
    }
}

/// Nodes on their way to a release.
struct Going<'a> {
    arguments: &'a Arguments,
    locked: &'a Locked<'a>,
    store: &'a Store,
    now: Option<&'a Release>,
    target: &'a Release,
    entries: &'a Entries,
    common: &'a Common,
}

impl Going<'_> {
    /// What each node has to do; `Err` where one does not say.
    fn ways(&self, options: &Options, stops: Stops) -> Result<Result<Vec<Way>, Status>, Failure> {
        let hook = &self.arguments.hook;
        let now = self.now.map(|now| now.applications.as_slice());
        let facts = Facts {
            hook,
            options,
            current: now.unwrap_or_default(),
            target: self.target,
            stops,
        };
        let (ways, still) = facts.ways(self.entries)?;
        Ok(match tell(CHANGE, None, &still, hook, self.common) {
            Status::Done => Ok(ways),
            status => Err(status),
        })
    }

    fn for_good(&self) -> Result<Status, Failure> {
        let (hook, options) = (&self.arguments.hook, &self.arguments.options);
        let ways = match self.ways(options, Stops::Now)? {
            Ok(ways) => ways,
            Err(status) => return Ok(status),
        };
        let status = ways::carry_out(ways, (hook, options), self.common)?;
        if status.is_none() {
            ways::nothing(hook, self.common);
        }
        let status = status.unwrap_or(Status::Done);
        if status != Status::Done || hook.dry_run {
            return Ok(status);
        }
        let (service, release) = (&self.target.service, &self.target.version);
        let was = self.locked.set_current(release).map_err(|source| {
            let (service, release) = (service.clone(), release.clone());
            let hint = format!("erlrc release default {service} {release} makes it current");
            let error = UpgradeError::NotCurrent {
                service,
                release,
                source,
            };
            Failure::new(Status::Failed, error).hint(hint)
        })?;
        current::say(self.store, (service, release), was, self.common.output())?;
        Ok(Status::Done)
    }

    fn on_trial(&self, time: Duration) -> Result<Status, Failure> {
        let (service, release) = (&self.target.service, &self.target.version);
        let Some(now) = self.now else {
            let hint = format!("erlrc release default {service} VSN makes current what runs");
            return Err(self.no_trial("no release is current to go back to", &hint));
        };
        let hint = "without --provisional it is for good";
        if now.version == *release {
            return Err(self.no_trial("it is current already", hint));
        }
        let options = Options {
            provisional: Some(time),
            release: Some(ReleaseName {
                service: service.clone(),
                release: release.clone(),
            }),
            ..self.arguments.options.clone()
        };
        let ways = match self.ways(&options, Stops::Later)? {
            Ok(ways) => ways,
            Err(status) => return Ok(status),
        };
        let mut trying = ways.iter().filter(|way| !way.changes.is_empty());
        if trying.clone().next().is_none() {
            return Err(self.no_trial("no node has anything to do", hint));
        }
        if trying.any(|way| !way.changes.iter().any(Operation::replaces)) {
            return Err(self.no_trial("it replaces no version that runs", hint));
        }
        self.attempt(&now.version, ways, &options)
    }

    fn no_trial(&self, why: &'static str, hint: &str) -> Failure {
        let (service, release) = (self.target.service.clone(), self.target.version.clone());
        let error = UpgradeError::NoTrial {
            service,
            release,
            why,
        };
        Failure::new(Status::Failed, error).hint(hint)
    }

    /// What is on trial is written down before the first node is asked, and again when all are through.
    fn attempt(&self, from: &str, ways: Vec<Way>, options: &Options) -> Result<Status, Failure> {
        let (hook, service) = (&self.arguments.hook, &self.target.service);
        let failed = |error| failed(error, service);
        let trying = ways.iter().filter(|way| !way.changes.is_empty());
        let names = trying.map(|way| way.node.to_string()).collect();
        let mut trial = Trial::new(&self.target.version, from, Time::now().millis(), names);
        if !hook.dry_run {
            self.locked.set_trial(&trial).map_err(failed)?;
        }
        let status = ways::carry_out(ways, (hook, options), self.common)?;
        let status = status.unwrap_or(Status::Done);
        if hook.dry_run {
            return Ok(status);
        }
        if status != Status::Done {
            trial::end_if_over(self.locked, self.store, (self.entries, hook))?;
            return Ok(status);
        }
        let time = options.provisional.unwrap_or_default();
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        trial.until = Some(Time::now().millis().saturating_add(time));
        self.locked.set_trial(&trial).map_err(failed)?;
        trial::say(self.store, (service, &trial), self.common.output())?;
        Ok(Status::Done)
    }
}

/// The release that is current.
pub fn before(store: &Store, service: &str) -> Result<Option<Release>, ReleaseError> {
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
