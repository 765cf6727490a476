//! What becomes of a node whose change of version was asked for: a table of how it ended, when, and the policy.

use super::call::Moment;
use crate::application::{Rung, UpgradePolicy};
use crate::outcome::{Class, Outcome};

/// What became of a change of version on a node.
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

/// Which way the package manager goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Forward, and what the new version needs may come later in the same run.
    Early,
    /// Forward, and everything is there.
    Forward,
    /// Back: nothing can be refused any more.
    Back,
}

/// What is to be done about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Note that it is changed.
    Changed,
    /// Note that it is as it was.
    Unchanged,
    /// Leave it until the package is configured.
    Wait,
    /// Note that it has to be asked again later.
    AskLater,
    /// Say that it cannot be spoken to, which fails the package where that is wanted.
    Complain,
    /// Try this instead.
    Try(Rung),
    /// End all of it: what was changed elsewhere goes back.
    End,
}

impl Phase {
    /// The phase that a moment in the life of a package belongs to.
    pub fn of(moment: Moment) -> Self {
        match moment {
            Moment::Swap => Self::Early,
            Moment::Unswap | Moment::Restore => Self::Back,
            _ => Self::Forward,
        }
    }
}

impl Verdict {
    /// What a node's answer means. A failure before the code was replaced says nothing against the new version,
    /// unless its files are the reason.
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

    /// What is to be done about the node.
    pub fn next(self, phase: Phase, policy: &UpgradePolicy) -> Next {
        match (self, phase) {
            (Self::Done, _) => Next::Changed,
            (Self::Absent, _) => Next::Unchanged,
            (Self::Unreachable, _) if policy.defers() => Next::AskLater,
            (Self::Unreachable, _) => Next::Complain,
            (Self::TooEarly | Self::NotHot | Self::Failed, Phase::Back) => Next::Try(Rung::Defer),
            (Self::TooEarly, Phase::Early) => Next::Wait,
            (Self::NotHot, _) => policy.after(Rung::Hot).map_or(Next::End, Next::Try),
            (Self::TooEarly | Self::Failed, _) => Next::End,
        }
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
            RestartNewEmulator, TooManyNewAtoms, Upgraded,
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
    const DEFER: Next = Next::Try(Rung::Defer);

    #[test]
    fn what_succeeds_or_is_not_there_is_noted() {
        for words in ["hot", "hot, defer", ALL] {
            row(Verdict::Done, words, [Next::Changed; 3]);
            row(Verdict::Absent, words, [Next::Unchanged; 3]);
        }
    }

    #[test]
    fn what_cannot_be_hot_is_tried_as_the_policy_says() {
        let restart = Next::Try(Rung::RestartApplication);
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
