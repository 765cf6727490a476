//! What a node's answer to a change of version means to a maintainer script.

use crate::cli::hook::Answer;
use crate::outcome::{Class, Outcome};

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs what it is to run.
    Done,
    /// It is not there, or not ours.
    Absent,
    /// Something that it needs is not installed yet.
    TooEarly,
    /// It cannot be spoken to, or does not say how the change ended.
    Unreachable,
    /// It is as it was: a change without restart is not to be had.
    NotHot,
    /// It failed.
    Failed,
}

/// What `answer` means. A failure before the code was replaced says nothing against the new version, unless its
/// files are the reason.
pub fn verdict(answer: &Answer) -> Verdict {
    match (answer.class, &answer.outcome) {
        (Class::Done, _) => Verdict::Done,
        (Class::Absent, _) => Verdict::Absent,
        (Class::Unreachable | Class::Unresolved, _) => Verdict::Unreachable,
        (Class::NoPath | Class::RestartEmulator, _) => Verdict::NotHot,
        (Class::NotRolledBack | Class::Bug, _) => Verdict::Failed,
        (_, Outcome::AppspecFileNotFound) => Verdict::TooEarly,
        (_, Outcome::BadModule) => Verdict::Failed,
        (_, outcome) if is_of_node(outcome) => Verdict::NotHot,
        (Class::NotCommitted, _) => Verdict::NotHot,
        (Class::Refused | Class::RolledBack, _) => Verdict::Failed,
    }
}

/// Whether it is the running node that cannot be changed, whatever the version.
fn is_of_node(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::OldDirectoryGone
            | Outcome::NoErlrc
            | Outcome::OutOfTime
            | Outcome::TooManyNewAtoms
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(class: Class, outcome: Outcome, expected: Verdict) {
        assert_eq!(verdict(&Answer::new(class, outcome, None)), expected);
    }

    #[test]
    fn a_failure_before_the_commit_says_nothing_against_the_version() {
        use Outcome::{BadModule, Crashed, ScriptFailed};
        case(Class::NotCommitted, ScriptFailed, Verdict::NotHot);
        case(Class::NotCommitted, BadModule, Verdict::Failed);
        case(Class::RolledBack, ScriptFailed, Verdict::Failed);
        case(Class::NotRolledBack, ScriptFailed, Verdict::Failed);
        case(Class::Bug, Crashed, Verdict::Failed);
    }

    #[test]
    fn what_is_no_failure_of_the_version_is_told_apart() {
        use Outcome::{
            AppspecFileNotFound, Busy, Lost, NoErlrc, NodeDown, OldDirectoryGone,
            RestartNewEmulator, TooManyNewAtoms, Upgraded,
        };
        case(Class::Done, Upgraded, Verdict::Done);
        case(Class::Absent, NodeDown, Verdict::Absent);
        case(Class::Unreachable, Lost, Verdict::Unreachable);
        case(Class::Unresolved, Lost, Verdict::Unreachable);
        case(Class::RestartEmulator, RestartNewEmulator, Verdict::NotHot);
        case(Class::RolledBack, AppspecFileNotFound, Verdict::TooEarly);
        case(Class::Refused, OldDirectoryGone, Verdict::NotHot);
        case(Class::Refused, NoErlrc, Verdict::NotHot);
        case(Class::RolledBack, TooManyNewAtoms, Verdict::NotHot);
        case(Class::Refused, Busy, Verdict::Failed);
    }
}
