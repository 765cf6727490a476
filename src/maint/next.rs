//! What happens to a node after a change of version was attempted: a table of result, phase and
//! upgrade policy.

use super::call::Moment;
use crate::application::{Strategy, UpgradePolicy};
use crate::outcome::{Class, Outcome};

/// The result of a change of version on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs the new version.
    Done,
    /// It does not run, or erlrc does not look after it.
    Absent,
    /// A requirement is not installed yet.
    TooEarly,
    /// It cannot be reached, or does not say how the change ended.
    Unreachable,
    /// It is as it was: the change is not possible without a restart.
    NotHot,
    /// The change failed.
    Failed,
}

/// The phase of the package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Forward; requirements of the new version may still be unpacked later in the run.
    Early,
    /// Forward; everything is on the disk.
    Forward,
    /// Backward; nothing can be refused any more.
    Back,
}

/// What to do about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Record that it was changed.
    Changed,
    /// Record that it is as it was.
    Unchanged,
    /// Leave it until the package is configured.
    Wait,
    /// Record that it must be asked again later.
    AskLater,
    /// Report that it cannot be reached, which fails the package if the configuration is strict.
    Complain,
    /// Try this way instead.
    Try(Strategy),
    /// Give up: the nodes that were changed are changed back.
    End,
}

impl Phase {
    /// The phase of a moment in the life of a package.
    pub fn of(moment: Moment) -> Self {
        match moment {
            Moment::Swap => Self::Early,
            Moment::Unswap | Moment::Restore => Self::Back,
            _ => Self::Forward,
        }
    }
}

impl Verdict {
    /// Interprets the answer of a node. A failure before the code was replaced says nothing against
    /// the new version, unless the reason is in its files.
    pub fn of(class: Class, outcome: &Outcome) -> Self {
        match (class, outcome) {
            (Class::Done, _) => Self::Done,
            (Class::Absent, _) => Self::Absent,
            (Class::Unreachable | Class::Unresolved, _) => Self::Unreachable,
            (Class::NoPath | Class::RestartEmulator, _) => Self::NotHot,
            (Class::NotRolledBack | Class::Bug, _) => Self::Failed,
            (_, Outcome::AppspecFileNotFound) => Self::TooEarly,
            (_, Outcome::BadModule) => Self::Failed,
            (_, outcome) if is_of_node(outcome) => Self::NotHot,
            (Class::NotCommitted, _) => Self::NotHot,
            (Class::Refused | Class::RolledBack, _) => Self::Failed,
        }
    }

    /// Decides what to do about the node.
    pub fn next(self, phase: Phase, policy: &UpgradePolicy) -> Next {
        match (self, phase) {
            (Self::Done, _) => Next::Changed,
            (Self::Absent, _) => Next::Unchanged,
            (Self::Unreachable, _) if policy.defers() => Next::AskLater,
            (Self::Unreachable, _) => Next::Complain,
            (Self::TooEarly | Self::NotHot | Self::Failed, Phase::Back) => {
                Next::Try(Strategy::Defer)
            }
            (Self::TooEarly, Phase::Early) => Next::Wait,
            (Self::NotHot, _) => policy.after(Strategy::Hot).map_or(Next::End, Next::Try),
            (Self::TooEarly | Self::Failed, _) => Next::End,
        }
    }
}

/// Whether the cause is the running node and not the version.
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
    use crate::term::{Limits, text};

    #[track_caller]
    fn verdict(class: Class, outcome: Outcome, expected: Verdict) {
        assert_eq!(Verdict::of(class, &outcome), expected, "{outcome}");
    }

    #[test]
    fn a_failure_before_the_commit_says_nothing_against_the_version() {
        use Outcome::{BadModule, Crashed, ScriptFailed};
        verdict(Class::NotCommitted, ScriptFailed, Verdict::NotHot);
        verdict(Class::NotCommitted, BadModule, Verdict::Failed);
        verdict(Class::RolledBack, ScriptFailed, Verdict::Failed);
        verdict(Class::NotRolledBack, ScriptFailed, Verdict::Failed);
        verdict(Class::Bug, Crashed, Verdict::Failed);
    }

    #[test]
    fn what_is_no_failure_of_the_version_is_told_apart() {
        use Outcome::{
            AppspecFileNotFound, Busy, Lost, NoErlrc, NodeDown, NodeStopping, OldDirectoryGone,
            OutOfTime, RestartNewEmulator, TooManyNewAtoms, Upgraded,
        };
        verdict(Class::Done, Upgraded, Verdict::Done);
        verdict(Class::Absent, NodeDown, Verdict::Absent);
        verdict(Class::Absent, NodeStopping, Verdict::Absent);
        verdict(Class::Unreachable, Lost, Verdict::Unreachable);
        verdict(Class::Unresolved, Lost, Verdict::Unreachable);
        verdict(Class::RestartEmulator, RestartNewEmulator, Verdict::NotHot);
        verdict(Class::RolledBack, AppspecFileNotFound, Verdict::TooEarly);
        verdict(Class::Refused, OldDirectoryGone, Verdict::NotHot);
        verdict(Class::Refused, NoErlrc, Verdict::NotHot);
        verdict(Class::RolledBack, OutOfTime, Verdict::NotHot);
        verdict(Class::RolledBack, TooManyNewAtoms, Verdict::NotHot);
        verdict(Class::Refused, Busy, Verdict::Failed);
    }

    fn policy(words: &str) -> UpgradePolicy {
        let source = format!("[{words}].");
        let terms = text::parse_all(source.as_bytes(), &Limits::default()).expect("a term");
        UpgradePolicy::from_term(&terms[0]).expect("a policy")
    }

    /// Early, forward and back, under these policies.
    #[track_caller]
    fn row(verdict: Verdict, words: &str, expected: [Next; 3]) {
        let policy = policy(words);
        let phases = [Phase::Early, Phase::Forward, Phase::Back];
        assert_eq!(
            phases.map(|phase| verdict.next(phase, &policy)),
            expected,
            "{words}"
        );
    }

    const ALL: &str = "hot, restart_application, defer";
    const DEFER: Next = Next::Try(Strategy::Defer);

    #[test]
    fn what_succeeds_or_is_not_there_is_noted() {
        for words in ["hot", "hot, defer", ALL] {
            row(Verdict::Done, words, [Next::Changed; 3]);
            row(Verdict::Absent, words, [Next::Unchanged; 3]);
        }
    }

    #[test]
    fn what_cannot_be_hot_is_tried_as_the_policy_says() {
        let restart = Next::Try(Strategy::RestartApplication);
        row(Verdict::NotHot, "hot", [Next::End, Next::End, DEFER]);
        row(Verdict::NotHot, "hot, defer", [DEFER; 3]);
        row(Verdict::NotHot, ALL, [restart, restart, DEFER]);
    }

    #[test]
    fn what_fails_ends_everything_but_the_way_back() {
        for words in ["hot", "hot, defer", ALL] {
            row(Verdict::Failed, words, [Next::End, Next::End, DEFER]);
            row(Verdict::TooEarly, words, [Next::Wait, Next::End, DEFER]);
        }
    }

    #[test]
    fn who_cannot_be_spoken_to_is_asked_again_where_the_policy_defers() {
        row(Verdict::Unreachable, "hot", [Next::Complain; 3]);
        row(Verdict::Unreachable, "hot, defer", [Next::AskLater; 3]);
    }

    #[test]
    fn moments_have_their_phase() {
        assert_eq!(Phase::of(Moment::Swap), Phase::Early);
        assert_eq!(Phase::of(Moment::Configure), Phase::Forward);
        assert_eq!(Phase::of(Moment::Unswap), Phase::Back);
        assert_eq!(Phase::of(Moment::Restore), Phase::Back);
    }
}
