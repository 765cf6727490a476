//! `erlrc apply`: a change of packages as one step, with one way back.

mod found;
mod gate;
mod undo;
mod wait;
mod words;

use super::arguments::{absolute, seconds};
use super::hook::HookArguments;
use super::maint::Places;
use super::snapshot::{self as snapshots, diff, missing};
use super::{Common, Failure, Status, output, scratch};
use crate::places;
use crate::record::Time;
use crate::rendezvous::{Process, own_namespace};
use crate::run::apt::{self, Preflight};
use crate::run::record::{Change, Deadline};
use crate::run::{Claim, Outcome, Run, RunError, Store, store};
use crate::snapshot::difference::difference;
use crate::snapshot::package::{Keep, Package};
use crate::snapshot::{Manifest, host};
pub use found::findings;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
pub use undo::settle;
use undo::undo;
pub use wait::watch;
pub use words::{json, say, second};

/// Arguments of `erlrc apply`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
One step: nothing else of this kind is under way; the state of the packages is kept as snapshot before-TIME; apt
loads what is needed; what each node would say to it is asked, and where it would not be hot nothing begins (--force
begins all the same); one run of apt-get, which nodes take as one, downwards too; then erlrc check, up to --wait
seconds. What is not well then and was well before, a package that fails, an application that waits for a restart: all
packages go back to the snapshot. Configuration files that somebody changed stay as they are. PACKAGE is what apt-get
install takes: NAME, NAME=VERSION, NAME- (removed) or the path of a package file.

With --confirm-within the step goes back by itself at the end of that time unless erlrc confirm is called before: also
if the connection of the operator is cut, and if the machine is started anew in between. erlrc revert takes it back at
once, erlrc runs lists the steps. What belongs to a run is found in erlrc history by its name.

JSON: {\"kind\": \"run\", \"version\": 1, \"id\", \"who\", \"begun\", \"packages\", \"outcome\": unchanged|would_change|refused|applied|
pending_confirm|restored|not_restored, \"changed\", \"reason\", \"snapshot\", \"deadline\", \"changes\": [{\"name\", \"before\",
\"after\"}], \"findings\": [TEXT], \"status\"}. What is not known is null; changed says whether packages are others than before.

Examples:
  erlrc apply -n erlang-egerl=4.1.0-1
  erlrc apply erlang-egerl=4.1.0-1 erlang-old-
  erlrc apply --confirm-within 600 ./erlang-egerl_4.1.0-1_all.deb")]
pub struct Arguments {
    /// What is to be there
    #[arg(value_name = "PACKAGE", required = true)]
    words: Vec<String>,
    /// Go back after so many seconds, unless it is confirmed
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    confirm_within: Option<Duration>,
    /// Wait for up to so many seconds until all is well
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    wait: Duration,
    /// Begin although the plan says that it would not be hot, or the way back has gaps
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    hook: HookArguments,
}

/// Why a run is refused that the plan is against.
const NOT_HOT: &str = "the plan says that it would not be hot";

/// The runs of this host.
pub fn store(common: &Common) -> Store {
    Store::new(places::State(&absolute(&common.state)).runs())
}

/// Why a run fails, with what helps.
pub fn failed(error: RunError) -> Failure {
    let hint = match &error {
        RunError::Claimed(run) => Some(format!(
            "erlrc confirm keeps what it did, erlrc revert {} takes it back",
            run.id
        )),
        RunError::Busy => Some("wait for it to end; erlrc runs lists what there is".to_owned()),
        RunError::Unknown(_) => Some("erlrc runs lists those that there are".to_owned()),
        RunError::Unreadable(_) => Some(
            "move the file away from /var/lib/erlrc/runs, and look with erlrc snapshot diff"
                .to_owned(),
        ),
        _ => None,
    };
    match (error, hint) {
        (RunError::Snapshot(error), _) => snapshots::failed(error),
        (error @ RunError::Word(_), _) => Failure::new(Status::Usage, error),
        (error, Some(hint)) => Failure::new(Status::Failed, error).hint(hint),
        (error, None) => Failure::new(Status::Failed, error),
    }
}

/// The right to work on runs, which nobody else has.
pub fn claim(store: &Store) -> Result<Claim<'_>, Failure> {
    let claim = store.claim().map_err(failed)?;
    claim.ok_or_else(|| failed(RunError::Busy))
}

/// Refuses a run on which apt still works, though the command that called it has ended.
pub fn at_rest(run: &Run) -> Result<(), Failure> {
    match run.is_worked_on(own_namespace()) {
        true => Err(failed(RunError::Busy)),
        false => Ok(()),
    }
}

/// Does it.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    apt::words(&arguments.words).map_err(failed)?;
    let runs = store(common);
    let claim = claim(&runs)?;
    if let Some(open) = runs.open().map_err(failed)? {
        return Err(failed(RunError::Claimed(Box::new(open))));
    }
    claim.prune().map_err(failed)?;
    let id = claim.id().map_err(failed)?;
    let who = super::hook::who();
    let run = Run::new(id, who, Time::now(), arguments.words.clone());
    let mut step = Step {
        arguments: &arguments,
        common,
        own: std::env::current_exe().map_err(|error| Failure::new(Status::Failed, error))?,
        claim,
        run,
        table: String::new(),
    };
    let status = step.go()?;
    let Step { run, table, .. } = step;
    say(&run, &table, status, common.output());
    Ok(status)
}

/// One run, as far as it has come.
struct Step<'a> {
    arguments: &'a Arguments,
    common: &'a Common,
    /// This command.
    own: PathBuf,
    claim: Claim<'a>,
    run: Run,
    table: String,
}

impl Step<'_> {
    fn go(&mut self) -> Result<Status, Failure> {
        if !apt::would_change(&self.run.packages).map_err(failed)? {
            return self.end(Outcome::Unchanged, Status::Done);
        }
        let apps = &self.arguments.places.packages.apps;
        let scratch = scratch::directory().map_err(|error| Failure::new(Status::Failed, error))?;
        let verdict = scratch.path().join("verdict");
        if self.arguments.hook.dry_run {
            return self.plan(&verdict);
        }
        let unwell = gate::unwell(self.common, self.arguments, Duration::ZERO, &[])?;
        let before = self.before(apps)?;
        self.begin(&before)?;
        let ran = self.apt(self.preflight(), &verdict);
        // From here on nothing may end the run but an outcome.
        let now = match host::state(apps) {
            Ok(state) => state.packages,
            Err(error) => return self.back(&error.to_string()),
        };
        let changes = difference(&before.packages, &now);
        self.run.changes = Change::of(&changes);
        self.table = diff::lines(&changes, "BEFORE", "NOW");
        match ran {
            Err(error) if changes.is_empty() => {
                self.refused(&before, &error.to_string(), status(&verdict))
            }
            Err(error) => self.back(&error.to_string()),
            Ok(()) => self.gate(&unwell, &now),
        }
    }

    fn preflight(&self) -> Preflight {
        match self.arguments.force {
            true => Preflight::Warn,
            false => Preflight::Strict,
        }
    }

    fn apt(&mut self, preflight: Preflight, verdict: &Path) -> Result<(), RunError> {
        let hook = (self.own.as_path(), verdict);
        let child = apt::start(&self.run.packages, &self.run.id, preflight, hook)?;
        self.run.apt = Some(Process::of(child.id()));
        let written = match preflight {
            Preflight::Only => Ok(()),
            Preflight::Strict | Preflight::Warn => self.claim.write(&self.run),
        };
        apt::wait(child).and(written)
    }

    /// What would be done, up to the point at which apt would begin.
    fn plan(&mut self, verdict: &Path) -> Result<Status, Failure> {
        let ran = self.apt(Preflight::Only, verdict);
        match (status(verdict), ran) {
            (None, Err(error)) => Err(failed(error)),
            (Some(Status::Done), _) => self.end(Outcome::WouldChange, Status::Done),
            (Some(verdict), _) => {
                self.run.reason = Some(NOT_HOT.to_owned());
                self.end(Outcome::Refused, verdict)
            }
            (None, Ok(())) => {
                let text =
                    "apt did not ask erlrc before it began: what was to be looked at only is done";
                Err(Failure::new(Status::Bug, text))
            }
        }
    }

    /// Keeps the state of the packages.
    fn before(&mut self, apps: &Path) -> Result<Manifest, Failure> {
        let kept = snapshots::before(self.common, Keep::Ours, apps)?;
        self.run.snapshot = Some(kept.tag.clone());
        let gaps = missing(kept.missing());
        if gaps.is_empty() {
            return Ok(kept);
        }
        output::error_text(&output::printable_lines(&gaps));
        if self.arguments.confirm_within.is_some() && !self.arguments.force {
            snapshots::discard(self.common, &kept.tag)?;
            let text = "nothing was changed: the way back has gaps, and this run may have to go back by itself";
            let hint = "put the package files into /var/cache/apt/archives, or begin all the same with --force";
            return Err(Failure::new(Status::Failed, text).hint(hint));
        }
        let out = self.common.output();
        out.warning(&format!("{}: the way back has gaps", kept.tag));
        Ok(kept)
    }

    /// From here on the run keeps others out, and is not forgotten whatever becomes of this command.
    fn begin(&mut self, before: &Manifest) -> Result<(), Failure> {
        self.claim.write(&self.run).map_err(failed)?;
        let started = match self.arguments.confirm_within {
            Some(_) => wait::start(&self.own, &self.run.id, self.common),
            None => Ok(()),
        };
        if let Err(failure) = &started {
            self.refused(before, &failure.in_one_line(), None)?;
        }
        started
    }

    /// Nothing was changed.
    fn refused(
        &mut self,
        before: &Manifest,
        why: &str,
        verdict: Option<Status>,
    ) -> Result<Status, Failure> {
        snapshots::discard(self.common, &before.tag)?;
        self.run.snapshot = None;
        let (reason, status) = match verdict {
            Some(verdict) if verdict != Status::Done => (NOT_HOT.to_owned(), verdict),
            _ => (why.to_owned(), Status::Failed),
        };
        self.run.reason = Some(reason);
        self.end(Outcome::Refused, status)
    }

    /// Whether it may stay.
    fn gate(&mut self, unwell: &[String], now: &[Package]) -> Result<Status, Failure> {
        self.run.left = left(now);
        let findings = gate::unwell(self.common, self.arguments, self.arguments.wait, unwell);
        // What could not be found out is no pass.
        let findings = findings.unwrap_or_else(|failure| vec![failure.in_one_line()]);
        if !findings.is_empty() {
            let reason = format!("not well afterwards: {}", findings.join("; "));
            self.run.findings = findings;
            return self.back(&reason);
        }
        let Some(within) = self.arguments.confirm_within else {
            return self.end(Outcome::Applied, Status::Done);
        };
        let clocks = match store::clocks() {
            Ok(clocks) => clocks,
            Err(error) => return self.back(&format!("the time is not known: {error}")),
        };
        self.run.deadline = Some(Deadline::within(within, &clocks));
        self.end(Outcome::PendingConfirm, Status::Done)
    }

    /// It does not stay.
    fn back(&mut self, reason: &str) -> Result<Status, Failure> {
        let text = format!("{} goes back: {reason}", self.run.id);
        self.common.output().warning(&output::printable(&text));
        self.run.reason = Some(reason.to_owned());
        let apps = &self.arguments.places.packages.apps;
        let how = (&self.claim, Outcome::Restored);
        undo(&mut self.run, how, apps, self.common)?;
        Ok(Status::Failed)
    }

    fn end(&mut self, outcome: Outcome, status: Status) -> Result<Status, Failure> {
        self.run.outcome = outcome;
        if outcome != Outcome::WouldChange && !self.arguments.hook.dry_run {
            self.claim.write(&self.run).map_err(failed)?;
        }
        Ok(status)
    }
}

/// The versions of the packages that brought applications.
pub fn left(packages: &[Package]) -> BTreeMap<String, String> {
    let ours = packages.iter().filter(|package| Keep::Ours.wants(package));
    ours.map(|package| (package.name.clone(), package.version.clone()))
        .collect()
}

/// What the plan has said; `None` where it was not asked.
fn status(verdict: &Path) -> Option<Status> {
    let code: u8 = std::fs::read_to_string(verdict).ok()?.parse().ok()?;
    Status::ALL.into_iter().find(|status| status.code() == code)
}
