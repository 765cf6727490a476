//! What a node's answer to a change of version means to a maintainer script.

use crate::cli::Status;
use crate::cli::hook::Answer;

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs what it is to run.
    Done,
    /// It is not there, or not ours.
    Absent,
    /// Something that it needs is not installed yet.
    TooEarly,
    /// It cannot be spoken to.
    Unreachable,
    /// It is as it was: a change without restart is not to be had.
    NotHot,
    /// It failed.
    Failed,
}

/// Failures that say nothing against the new version: it has not been tried. A process did not stand
/// still in time, or code cannot be replaced in a running emulator.
const BEFORE_COMMIT: [&str; 7] = [
    "not_suspended",
    "hung",
    "old_processes",
    "loads_nif",
    "on_load",
    "old_directory_gone",
    "no_erlrc",
];

/// What `answer` means.
pub fn verdict(answer: &Answer) -> Verdict {
    let outcome = answer.outcome.as_str();
    let cause = answer.cause.as_deref().unwrap_or(outcome);
    match answer.status {
        Status::Done if matches!(outcome, "node_down" | "other_root" | "not_tried") => {
            Verdict::Absent
        }
        Status::Done => Verdict::Done,
        Status::Unreachable => Verdict::Unreachable,
        Status::NoPath | Status::RestartEmulator => Verdict::NotHot,
        Status::Failed if outcome == "appspec_file_not_found" => Verdict::TooEarly,
        Status::Failed if BEFORE_COMMIT.contains(&cause) => Verdict::NotHot,
        _ => Verdict::Failed,
    }
}
