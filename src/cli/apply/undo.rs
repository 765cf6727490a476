//! The way back of a run: the packages as its snapshot has them.

use super::{failed, say};
use crate::cli::snapshot as snapshots;
use crate::cli::{Common, Failure, Status, scratch};
use crate::run::{Claim, Outcome, Run};
use crate::snapshot::{SnapshotError, Tag, restore};
use std::path::Path;

/// Takes the packages back and writes down what became of the run: `outcome`, unless they are not as before or that is
/// not known.
pub fn undo(
    run: &mut Run,
    (claim, outcome): (&Claim<'_>, Outcome),
    apps: &Path,
    common: &Common,
) -> Result<(), Failure> {
    let restored = restored(run, apps, common);
    run.outcome = match restored {
        Ok(()) => outcome,
        Err(_) => Outcome::NotRestored,
    };
    claim.write(run).map_err(failed)?;
    restored.map_err(|error| {
        let why = format!("run {} did not go back: {error}", run.id);
        let failure = Failure::new(Status::NotRolledBack, why);
        match &run.snapshot {
            Some(tag) => failure.hint(again(tag)),
            None => failure,
        }
    })
}

/// What helps where packages are not as a snapshot has them.
pub fn again(tag: &Tag) -> String {
    format!(
        "erlrc snapshot diff {tag} shows what is left, erlrc snapshot restore {tag} tries again"
    )
}

/// Takes a run back and writes down what became of it.
pub fn settle(
    claim: &Claim<'_>,
    mut run: Run,
    outcome: Outcome,
    apps: &Path,
    common: &Common,
) -> Result<Status, Failure> {
    undo(&mut run, (claim, outcome), apps, common)?;
    say(&run, "", Status::Done, common.output());
    Ok(Status::Done)
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
