//! `erlrc release commit` and `erlrc release revert`: the release on trial becomes current, or the nodes go back.
//!
//! `current` is replaced in between: after all nodes have said that they keep their way back open for long enough, and
//! before the first of them gives it up. Whoever repeats a command that was interrupted goes on where it was.

use super::trial::{self, Stand, TrialError, over, stands};
use super::ways::{self, CHANGE, Facts, Stops};
use super::{Services, current, failed, name, upgrade};
use crate::cli::change::tell;
use crate::cli::hook::operation::Settling;
use crate::cli::hook::{self, HookArguments, Options};
use crate::cli::provisional::{self, Waiting};
use crate::cli::{Common, Failure, Status, nodes, status};
use crate::identity::NodeName;
use crate::outcome::Outcome;
use crate::record::Time;
use crate::release::store::{Locked, Pointer};
use crate::release::{Release, Stage, Store, Trial};
use crate::rendezvous::Entries;

/// Arguments of `erlrc release commit`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The release that erlrc release upgrade --provisional has brought becomes the current one, its nodes give their way back up,
and what it does not name any more stops. Refused, with the nodes taken back that still can go, where a node has gone
back already, was restarted, or does not run the release for another reason; with status 3 and nothing done where a node
does not say. A node that is down hinders nothing while another one runs the release. What was interrupted is finished by
the same command.

JSON: as erlrc confirm, then as erlrc release current.

Examples:
  erlrc release commit shop")]
pub struct Arguments {
    /// The service
    #[arg(value_name = "S", value_parser = name)]
    service: String,
    #[command(flatten)]
    hook: HookArguments,
    #[command(flatten)]
    place: Services,
}

/// Arguments of `erlrc release revert`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Where a release is on trial, its nodes go back at once, as they would by themselves, and the current release stays. Else
the nodes go to the previous release, as by erlrc release upgrade or downgrade, and that becomes the current one: twice
is where one was.

JSON: as erlrc undo or erlrc release upgrade, then as erlrc release current.

Examples:
  erlrc release revert shop
  erlrc release revert shop --dry-run")]
pub struct RevertArguments {
    /// The service
    #[arg(value_name = "S", value_parser = name)]
    service: String,
    #[command(flatten)]
    hook: HookArguments,
    #[command(flatten)]
    place: Services,
}

/// A release that is on trial, and its nodes.
struct Tried<'a> {
    store: &'a Store,
    locked: &'a Locked<'a>,
    trial: Trial,
    stage: Stage,
    target: Release,
    entries: Entries,
    hook: &'a HookArguments,
    common: &'a Common,
}

/// Commits.
pub fn commit(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    if hook::skipped() {
        return Ok(Status::Done);
    }
    let service = &arguments.service;
    let store = arguments.place.store(common);
    let locked = store
        .lock(service)
        .map_err(|error| failed(error, service))?;
    match Tried::read(&store, &locked, &arguments.hook, common)? {
        Some(tried) if tried.stage == Stage::Committed => tried.finish(),
        Some(tried) => tried.commit(),
        None => {
            let service = service.clone();
            let hint = format!(
                "erlrc release list {service} names what is current; a trial that was over is forgotten"
            );
            Err(Failure::new(Status::Failed, TrialError::None { service }).hint(hint))
        }
    }
}

/// Goes back.
pub fn revert(arguments: &RevertArguments, common: &Common) -> Result<Status, Failure> {
    if hook::skipped() {
        return Ok(Status::Done);
    }
    let (service, hook) = (&arguments.service, &arguments.hook);
    let store = arguments.place.store(common);
    let failed = |error| failed(error, service);
    {
        let locked = store.lock(service).map_err(failed)?;
        match Tried::read(&store, &locked, hook, common)? {
            Some(tried) if tried.stage != Stage::Committed => return tried.revert(),
            Some(tried) => tried.forget_commit()?,
            None => {}
        }
    }
    let previous = store.pointer(service, Pointer::Previous).map_err(failed)?;
    let Some(previous) = previous else {
        let hint = format!("erlrc release list {service} names the releases that there are");
        let service = service.clone();
        let failure = Failure::new(Status::Failed, TrialError::NoPrevious { service });
        return Err(failure.hint(hint));
    };
    upgrade::to((service, &previous), (hook, &arguments.place), common)
}

impl<'a> Tried<'a> {
    fn read(
        store: &'a Store,
        locked: &'a Locked<'a>,
        hook: &'a HookArguments,
        common: &'a Common,
    ) -> Result<Option<Self>, Failure> {
        let service = locked.service();
        let Some((trial, stage)) = trial::read(store, service)? else {
            return Ok(None);
        };
        let target = store.read(service, &trial.release);
        let target = target.map_err(|error| failed(error, service))?;
        let entries = nodes::entries(common, &hook.connection)?;
        let tried = Self {
            store,
            locked,
            trial,
            stage,
            target,
            entries,
            hook,
            common,
        };
        tried.check_all()?;
        Ok(Some(tried))
    }

    fn names(&self) -> (String, String) {
        (self.target.service.clone(), self.target.version.clone())
    }

    /// The nodes of a trial stay together.
    fn check_all(&self) -> Result<(), Failure> {
        let only = &self.hook.connection.only;
        let is_left = |node: &String| only.iter().all(|one| one.to_string() != *node);
        if only.is_empty() || !self.trial.nodes.iter().any(is_left) {
            return Ok(());
        }
        let (service, release) = self.names();
        let nodes = self.trial.nodes.join(", ");
        let error = TrialError::Part {
            service,
            release,
            nodes,
        };
        Err(Failure::new(Status::Failed, error).hint("leave --node out"))
    }

    fn failed(&self, error: crate::release::ReleaseError) -> Failure {
        failed(error, &self.target.service)
    }

    fn stands(&self) -> Vec<(NodeName, Stand)> {
        stands(&self.trial, &self.target, &self.entries, self.hook)
    }

    /// What nodes keep open of it.
    fn waiting(stands: Vec<(NodeName, Stand)>) -> Vec<Waiting> {
        let held = stands.into_iter().filter_map(|(node, stand)| match stand {
            Stand::Tries(held) => Some((node, *held)),
            _ => None,
        });
        provisional::gathered(held.collect())
    }

    fn commit(mut self) -> Result<Status, Failure> {
        let stands = self.stands();
        if let Some((node, reason)) = stands.iter().find_map(silent) {
            return Err(self.silent(node, reason));
        }
        if let Some(why) = over(&stands) {
            return self.too_late(why, Self::waiting(stands));
        }
        for (node, _) in stands
            .iter()
            .filter(|(_, stand)| matches!(stand, Stand::Down))
        {
            let text = format!("{node} is down: what it runs when it starts is not known here");
            self.common.output().warning(&text);
        }
        let (service, release) = self.names();
        if self.hook.dry_run {
            let nodes = self.trial.nodes.join(", ");
            let text = format!("would make {service} {release} current, which runs on {nodes}\n");
            self.common.output().text(&text);
            return Ok(Status::Done);
        }
        if let Some(why) = self.hold_on(&Self::waiting(stands))? {
            return self.too_late(why, Self::waiting(self.stands()));
        }
        let flipped = self.locked.set_current(&release);
        flipped.map_err(|error| self.failed(error))?;
        self.finish()
    }

    /// Gives the nodes all the time that the commit can take; why one of them does not.
    fn hold_on(&mut self, waiting: &[Waiting]) -> Result<Option<String>, Failure> {
        let time = self.hook.hook_timeout + self.hook.connection.node_timeout;
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let until = Time::now().millis().saturating_add(millis);
        self.trial.until = self.trial.until.max(Some(until));
        let written = self.locked.set_trial(&self.trial);
        written.map_err(|error| self.failed(error))?;
        for one in waiting {
            match provisional::prolong(one, time, &self.entries, self.hook) {
                None => {}
                Some((node, answer)) if answer.outcome == Outcome::NotHeld => {
                    return Ok(Some(format!("{node} has gone back")));
                }
                Some((node, answer)) if answer.outcome.is_absent() => {
                    return Ok(Some(format!("{node} is down")));
                }
                Some((node, answer)) => {
                    let outcome = answer.outcome.to_string();
                    return Err(self.silent(&node, &answer.reason.unwrap_or(outcome)));
                }
            }
        }
        Ok(None)
    }

    fn silent(&self, node: &NodeName, reason: &str) -> Failure {
        let (service, release) = self.names();
        let error = TrialError::Silent {
            service,
            release,
            node: node.clone(),
            reason: reason.to_owned(),
        };
        let hint = "the same again when it answers; until then its nodes can go back";
        Failure::new(Status::Unreachable, error).hint(hint)
    }

    /// All or none: the nodes that still run it go back.
    fn too_late(&self, why: String, waiting: Vec<Waiting>) -> Result<Status, Failure> {
        let (service, release) = self.names();
        if !self.hook.dry_run {
            let status = self.settle(&waiting, Settling::Revert);
            if status == Status::Done {
                let ended = self.locked.end_trial();
                ended.map_err(|error| self.failed(error))?;
            }
        }
        let hint = format!(
            "erlrc release upgrade {service} {release} --provisional SECONDS tries it again"
        );
        let from = self.trial.from.clone();
        let error = TrialError::Over {
            service,
            release,
            why,
            from,
        };
        Err(Failure::new(Status::Failed, error).hint(hint))
    }

    fn settle(&self, waiting: &[Waiting], how: Settling) -> Status {
        let settle = |one| provisional::settle(one, how, &self.entries, self.hook, self.common);
        let status = waiting.iter().map(settle).fold(Status::Done, Status::worse);
        if !waiting.is_empty() {
            // What the nodes did by themselves is written down, too.
            status::refresh(self.common, &self.hook.connection);
        }
        status
    }

    /// The release is current: what its nodes keep open is confirmed, and what is left to do is done.
    fn finish(&self) -> Result<Status, Failure> {
        let (service, release) = self.names();
        let previous = self.locked.set_previous(&self.trial.from);
        previous.map_err(|error| self.failed(error))?;
        let mut status = self.settle(&Self::waiting(self.stands()), Settling::Confirm);
        let from = self.store.read(&service, &self.trial.from);
        let from = from.map_err(|error| self.failed(error))?;
        status = status.worse(self.change(&from, &self.target, |_| true)?);
        if status == Status::Done {
            let ended = self.locked.end_trial();
            ended.map_err(|error| self.failed(error))?;
        } else {
            trial::note(&service, &self.trial, Stage::Committed);
        }
        let was = Some(self.trial.from.clone());
        current::say(self.store, (&service, &release), was, self.common.output())?;
        Ok(status)
    }

    /// Takes nodes of the trial that are meant from one release to the other.
    fn change(
        &self,
        from: &Release,
        to: &Release,
        is_meant: impl Fn(&NodeName) -> bool,
    ) -> Result<Status, Failure> {
        let options = Options::default();
        let nodes = &self.trial.nodes;
        let is_tried = |node: &NodeName| nodes.contains(&node.to_string()) && is_meant(node);
        let entries = nodes::entries(self.common, &self.hook.connection)?;
        let entries = entries.into_iter().filter(|(node, _)| is_tried(node));
        let facts = Facts {
            hook: self.hook,
            options: &options,
            current: &from.applications,
            target: to,
            stops: Stops::Now,
        };
        let (ways, still) = facts.ways(&entries.collect())?;
        let mut status = tell(CHANGE, None, &still, self.hook, self.common);
        // Each comes from where it is: there is nothing that all of them could go back to.
        for group in ways::groups(ways) {
            let changed = ways::carry_out(group, (self.hook, &options), self.common)?;
            status = status.worse(changed.unwrap_or(Status::Done));
        }
        Ok(status)
    }

    /// Back to the current release.
    fn revert(&self) -> Result<Status, Failure> {
        let (service, release) = self.names();
        let (out, stands) = (self.common.output(), self.stands());
        let back = over(&stands);
        let stay: Vec<NodeName> = stands
            .iter()
            .filter(|(_, stand)| matches!(stand, Stand::Runs))
            .map(|(node, _)| node.clone())
            .collect();
        let mut status = Status::Done;
        for (node, reason) in stands.iter().filter_map(silent) {
            out.warning(&format!("{node} does not answer: {reason}"));
            status = Status::Unreachable;
        }
        let waiting = Self::waiting(stands);
        if self.hook.dry_run {
            let mut told = waiting.iter();
            told.all(|one| provisional::would("take back", one, self.common) == Status::Done);
        } else {
            status = status.worse(self.settle(&waiting, Settling::Revert));
        }
        if !stay.is_empty() {
            let from = self.store.read(&service, &self.trial.from);
            let from = from.map_err(|error| self.failed(error))?;
            status = status.worse(self.change(&self.target, &from, |node| stay.contains(node))?);
        }
        if let (Some(back), true, true) = (back, waiting.is_empty(), stay.is_empty()) {
            out.text(&format!(
                "{service} {release} is no longer on trial: {back}\n"
            ));
        }
        if self.hook.dry_run || status != Status::Done {
            return Ok(status);
        }
        let ended = self.locked.end_trial();
        ended.map_err(|error| self.failed(error))?;
        let from = &self.trial.from;
        let report = current::report(self.store, &service)?;
        out.envelope("release_current", 1, &report);
        out.text(&format!(
            "{service} {from} is current, {release} was on trial\n"
        ));
        Ok(Status::Done)
    }

    /// A commit that was interrupted is as good as done: the nodes that can go back do, and the release before is the
    /// previous one.
    fn forget_commit(&self) -> Result<(), Failure> {
        if self.hook.dry_run {
            return Ok(());
        }
        let previous = self.locked.set_previous(&self.trial.from);
        previous.map_err(|error| self.failed(error))?;
        self.settle(&Self::waiting(self.stands()), Settling::Revert);
        let ended = self.locked.end_trial();
        ended.map_err(|error| self.failed(error))
    }
}

fn silent((node, stand): &(NodeName, Stand)) -> Option<(&NodeName, &String)> {
    match stand {
        Stand::Silent(reason) => Some((node, reason)),
        _ => None,
    }
}
