//! What takes a run back that nobody confirms: a process of its own, which outlives the command and its terminal.

use super::{failed, settle, store};
use crate::cli::arguments::absolute;
use crate::cli::{Common, Failure, Status};
use crate::rendezvous::own_namespace;
use crate::run::record::Run;
use crate::run::{Outcome, Store, store::clocks};
use crate::snapshot::Tag;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(500);

/// Starts it. Where systemd runs it is a unit of its own, since a unit takes its processes with it when it ends.
pub fn start(own: &Path, id: &Tag, common: &Common) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(Status::Failed, error);
    // It may work in another directory.
    let words = [
        own.into(),
        "--state".into(),
        absolute(&common.state).into_os_string(),
        "--root".into(),
        absolute(&common.root).into_os_string(),
        "revert".into(),
        "--when-due".into(),
    ];
    if Path::new("/run/systemd/system").exists() {
        if started(in_a_unit(id), &words).is_ok_and(|status| status.success()) {
            return Ok(());
        }
        let text = "systemd-run fails: the run goes back only as long as this session is there";
        common.output().warning(text);
    }
    let mut alone = Command::new("setsid");
    alone.arg("--fork");
    match started(alone, &words).map_err(failed)?.success() {
        true => Ok(()),
        false => {
            let text = "nothing was changed: what would take the run back cannot be started";
            Err(Failure::new(Status::Failed, text))
        }
    }
}

fn started(mut command: Command, words: &[OsString]) -> std::io::Result<ExitStatus> {
    command
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
}

fn in_a_unit(id: &Tag) -> Command {
    let passed = std::env::vars_os().filter_map(passed_on);
    let mut command = Command::new("systemd-run");
    command
        .args(["--quiet", "--collect", "--service-type=exec"])
        .arg(format!("--unit=erlrc-run-{id}"))
        .args(passed.flat_map(|pair| [OsString::from("--setenv"), pair]))
        .arg("--");
    command
}

/// What of the environment says where things are.
fn passed_on((name, value): (OsString, OsString)) -> Option<OsString> {
    let known = name.to_str()?;
    let is_ours = known.starts_with("ERLRC_") || known == "ERL_EPMD_PORT" || known == "PATH";
    let pair = [name.as_os_str(), value.as_os_str()].join("=".as_ref());
    is_ours.then_some(pair)
}

/// Waits until no run is open, and takes back the one that is due.
pub fn watch(apps: &Path, common: &Common) -> Result<Status, Failure> {
    let runs = store(common);
    while let Some(open) = runs.open().map_err(failed)? {
        if let Some(status) = settled_if_due(&runs, &open, apps, common)? {
            return Ok(status);
        }
        std::thread::sleep(EVERY);
    }
    Ok(Status::Done)
}

/// Takes a run back that is due. The right to it is asked for only then: whoever confirms must not find it taken.
fn settled_if_due(
    runs: &Store,
    open: &Run,
    apps: &Path,
    common: &Common,
) -> Result<Option<Status>, Failure> {
    if due(open)?.is_none() {
        return Ok(None);
    }
    // Where a command still works on it, it is not due.
    let Some(claim) = runs.claim().map_err(failed)? else {
        return Ok(None);
    };
    // It may have been settled before the lock was had.
    let run = runs.read(&open.id).map_err(failed)?;
    match due(&run)? {
        Some(outcome) => settle(&claim, run, outcome, apps, common).map(Some),
        None => Ok(None),
    }
}

/// What becomes of a run on which no command works; `None` for what waits still.
fn due(run: &Run) -> Result<Option<Outcome>, Failure> {
    let clocks = clocks().map_err(|error| Failure::new(Status::Failed, error))?;
    Ok(match (run.outcome, &run.deadline) {
        (Outcome::Running, _) if run.is_worked_on(own_namespace()) => None,
        // Nobody is there any more who would see how it ends.
        (Outcome::Running, _) => Some(Outcome::Restored),
        (Outcome::PendingConfirm, Some(deadline)) if deadline.is_over(&clocks) => {
            Some(Outcome::Expired)
        }
        _ => None,
    })
}
