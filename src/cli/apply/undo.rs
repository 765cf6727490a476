//! The way back of a run: the packages as its snapshot has them.

use super::{failed, say};
use crate::cli::snapshot as snapshots;
use crate::cli::{Common, Failure, Status, scratch};
use crate::run::{Claim, Outcome, Run};
use crate::snapshot::{SnapshotError, restore};
use std::path::Path;

/// Whether the packages are as before the run.
pub enum Undone {
    /// They are.
    AsBefore,
    /// They are not, or it is not known.
    Not(Failure),
}

/// Takes the packages back; `outcome` is that of the run where this succeeds.
pub fn undo(run: &mut Run, apps: &Path, outcome: Outcome, common: &Common) -> Undone {
    match restored(run, apps, common) {
        Ok(()) => {
            run.outcome = outcome;
            Undone::AsBefore
        }
        Err(error) => {
            run.outcome = Outcome::NotRestored;
            let why = format!("run {} did not go back: {error}", run.id);
            let failure = Failure::new(Status::NotRolledBack, why);
            Undone::Not(match &run.snapshot {
                Some(tag) => failure.hint(format!(
                    "erlrc snapshot diff {tag} shows what is left, erlrc snapshot restore {tag} tries again"
                )),
                None => failure,
            })
        }
    }
}

/// Takes a run back and writes down what became of it.
pub fn settle(
    claim: &Claim<'_>,
    mut run: Run,
    outcome: Outcome,
    apps: &Path,
    common: &Common,
) -> Result<Status, Failure> {
    let undone = undo(&mut run, apps, outcome, common);
    claim.write(&run).map_err(failed)?;
    match undone {
        Undone::AsBefore => {
            say(&run, "", Status::Done, common.output());
            Ok(Status::Done)
        }
        Undone::Not(failure) => Err(failure),
    }
}

fn restored(run: &Run, apps: &Path, common: &Common) -> Result<(), String> {
    let Some(tag) = &run.snapshot else {
        return Err("it has no snapshot".to_owned());
    };
    let empty = scratch::directory().map_err(|error| error.to_string())?;
    let said = |error: SnapshotError| error.to_string();
    let store = snapshots::store(common);
    let plan = restore::plan(&store, tag, apps, empty.path()).map_err(said)?;
    let before = store.read(tag).map_err(said)?;
    match plan.changes.is_empty() {
        true => Ok(()),
        false => plan.carry_out(&before, apps, empty.path()).map_err(said),
    }
}
