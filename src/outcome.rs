//! What became of an operation on one node: the word for it, and the class that the word belongs to.
//!
//! Words cross the wire, are printed and are written into the history; they are never renamed. A class is what
//! decisions are made from. Which exit status a class stands for is told by the command line alone.
//!
//! Must not know nodes, exit statuses or texts for people.

use smol_str::SmolStr;
use std::fmt;

/// The longest word that is taken from a node.
const LONGEST_WORD: usize = 64;

/// How an operation ended on one node, as far as decisions depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// What was asked for is so.
    Done,
    /// The node does not run, is none of ours, or was passed over because another one failed.
    Absent,
    /// The node would not begin.
    Refused,
    /// It failed before the code was replaced: nothing of the new version has been tried.
    NotCommitted,
    /// It failed; the node is as it was before.
    RolledBack,
    /// It failed, and the node is not as it was before.
    NotRolledBack,
    /// There is no way from the one version to the other.
    NoPath,
    /// Only a restart of the emulator leads to what was asked for.
    RestartEmulator,
    /// The node is there and cannot be spoken to.
    Unreachable,
    /// The operation was begun and nobody can say how it ended: the node may still be at work on it.
    Unresolved,
    /// A fault in erlrc.
    Bug,
}

impl Class {
    /// Whether the operation failed, other than for want of a node to ask.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Done | Self::Absent | Self::Unreachable)
    }

    /// Whether a node does not say how it stands.
    pub fn is_silence(self) -> bool {
        matches!(self, Self::Unreachable | Self::Unresolved)
    }

    /// The worse of two: with several nodes the worst one decides. Of two that are as bad, the first.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        match other.badness() > self.badness() {
            true => other,
            false => self,
        }
    }

    fn badness(self) -> u8 {
        match self {
            Self::Done | Self::Absent => 0,
            Self::Unreachable | Self::Unresolved => 1,
            Self::NoPath => 2,
            Self::RestartEmulator => 3,
            Self::Refused | Self::NotCommitted | Self::RolledBack => 4,
            Self::NotRolledBack => 5,
            Self::Bug => 6,
        }
    }
}

/// A word that is none of [`Outcome`]'s: a node of another version of erlrc has said it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Word(SmolStr);

macro_rules! outcomes {
    ($(#[doc = $doc:literal] $variant:ident = $word:literal,)*) => {
        /// The word for what became of an operation on a node.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Outcome {
            $(#[doc = $doc] $variant,)*
            /// A word of another version of erlrc.
            Unknown(Word),
        }

        impl Outcome {
            /// The outcome that `word` stands for; `None` where it cannot be a word: lower-case letters and
            /// underscores, 64 at most.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => is_word(word).then(|| Self::Unknown(Word(word.into()))),
                }
            }

            /// The word.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Unknown(Word(word)) => word,
                }
            }

            /// Every outcome that has a name of its own, with its meaning.
            #[cfg(test)]
            pub fn catalogue() -> Vec<(Self, &'static str)> {
                vec![$((Self::$variant, $doc)),*]
            }
        }
    };
}

outcomes! {
    /// The application was started.
    Started = "started",
    /// The application was started, and applications that it includes were stopped before that.
    StartedIncludedStopped = "started_included_stopped",
    /// What was asked for ran already.
    AlreadyRunning = "already_running",
    /// The application runs as part of another one that includes it.
    Included = "included",
    /// The application was stopped.
    Stopped = "stopped",
    /// The application was stopped, and applications that it included were started after that.
    StoppedIncludedStarted = "stopped_included_started",
    /// The application did not run.
    NotRunning = "not_running",
    /// The application was unloaded.
    Unloaded = "unloaded",
    /// The later version runs.
    Upgraded = "upgraded",
    /// The earlier version runs.
    Downgraded = "downgraded",
    /// Several applications were changed as one; the answer says what became of each.
    Changed = "changed",
    /// Of several applications each was as asked for already.
    Unchanged = "unchanged",
    /// An upgrade that could still be rolled back was confirmed.
    Confirmed = "confirmed",
    /// An upgrade was rolled back, because another node failed.
    Reverted = "reverted",
    /// The way back of an upgrade is kept open for as long as was asked for.
    Held = "held",
    /// What an operation left undone was put right.
    Settled = "settled",
    /// A dry run says what would be done.
    Planned = "planned",
    /// There was nothing to do.
    Nothing = "nothing",
    /// The node says which version runs.
    Running = "running",
    /// The node says which code is loaded.
    Code = "code",
    /// The node says how it stands.
    Status = "status",
    /// The node says how far an operation has come.
    Progress = "progress",
    /// The operation that was asked about has not ended.
    InProgress = "in_progress",
    /// The operation that was asked about has ended; the answer says how.
    Ended = "ended",
    /// The operation that was asked about never reached the node, or the node has forgotten it.
    UnknownOperation = "unknown_operation",
    /// The node does not run.
    NodeDown = "node_down",
    /// The node was stopped while the operation was carried out.
    NodeStopped = "node_stopped",
    /// The node is being stopped: it begins nothing new, or could not finish what it had begun.
    NodeStopping = "node_stopping",
    /// The node does not see the file system of the hook.
    OtherRoot = "other_root",
    /// The node was not asked: an earlier one failed, or the time was over.
    NotTried = "not_tried",
    /// Another version runs than the one that was named.
    VersionMismatch = "version_mismatch",
    /// Another version is loaded than the one that was named, and does not run.
    VersionLoadMismatch = "version_load_mismatch",
    /// The directory does not hold the version that was named.
    BadDirectory = "bad_directory",
    /// The node does not understand the request.
    BadRequest = "bad_request",
    /// Other operations were first and took longer than the time limit allows.
    Busy = "busy",
    /// The node no longer has what a rollback of the operation needs.
    NotHeld = "not_held",
    /// The upgrade was to be provisional, and its way back cannot be kept open: it was not begun.
    NotProvisional = "not_provisional",
    /// An upgrade of the node is provisional; nothing else is begun until it is confirmed or taken back.
    Provisional = "provisional",
    /// The way back of a provisional upgrade failed before anything was changed: the new version stays.
    NotReverted = "not_reverted",
    /// The directory of the old version is gone, and the code that is loaded cannot take its place.
    OldDirectoryGone = "old_directory_gone",
    /// The time limit was over before the operation began.
    OutOfTime = "out_of_time",
    /// The atom table of the node has no room for the atoms of the new version.
    TooManyNewAtoms = "too_many_new_atoms",
    /// A dependency is not installed.
    AppspecFileNotFound = "appspec_file_not_found",
    /// The plan says that the upgrade would fail, so it was not tried.
    WouldFail = "would_fail",
    /// The plan says that states would be lost, so the upgrade was not tried.
    RestartApplication = "restart_application",
    /// Processes would be suspended for longer than max_pause allows.
    MaxPause = "max_pause",
    /// No appup leads from the one version to the other, and none can be generated.
    NoUpgradePath = "no_upgrade_path",
    /// A word of older versions of erlrc for no_upgrade_path.
    NotUpgradable = "not_upgradable",
    /// A word of older versions of erlrc for no_upgrade_path.
    VersionNotInAppup = "version_not_in_appup",
    /// A word of older versions of erlrc for no_upgrade_path.
    NoAppupFound = "no_appup_found",
    /// A module of OTP itself would be replaced.
    StickyDirectory = "sticky_directory",
    /// The emulator must be restarted.
    RestartNewEmulator = "restart_new_emulator",
    /// The script failed.
    ScriptFailed = "script_failed",
    /// A module of the new version cannot be loaded on any node.
    BadModule = "bad_module",
    /// The operation failed and could not be rolled back.
    NotRolledBack = "not_rolled_back",
    /// The operation did not end and was killed.
    Stuck = "stuck",
    /// The node died while the operation was carried out.
    NodeDied = "node_died",
    /// A fault in erlrc.
    Crashed = "crashed",
    /// The node has no erlrc on its code path.
    NoErlrc = "no_erlrc",
    /// What is called in the node failed.
    CallFailed = "call_failed",
    /// The connection was lost.
    Lost = "lost",
    /// No answer came in time.
    TimedOut = "timed_out",
    /// The node does not answer at all.
    Hung = "hung",
    /// The answer of the node cannot be understood.
    Malformed = "malformed",
    /// The entry of the node must not be used.
    EntryRefused = "entry_refused",
    /// The node's erlrc does not know the question.
    TooOld = "too_old",
    /// The operation waits until the package is configured.
    Waits = "waits",
    /// The new version runs after the node has been restarted.
    RestartNeeded = "restart_needed",
    /// An error that has no word of its own.
    Error = "error",
}

impl Outcome {
    /// Whether a node that says this may mean that all is well. A node that claims a success by any other word
    /// has not been understood.
    pub fn is_success(&self) -> bool {
        self.is_achievement() || self.is_answer()
    }

    /// Whether an operation has led to what was asked for.
    pub fn is_achievement(&self) -> bool {
        self.is_change() || self.is_idle()
    }

    /// Whether the node was changed.
    pub fn is_change(&self) -> bool {
        matches!(
            self,
            Self::Started
                | Self::StartedIncludedStopped
                | Self::Stopped
                | Self::StoppedIncludedStarted
                | Self::Unloaded
                | Self::Upgraded
                | Self::Downgraded
                | Self::Changed
                | Self::Confirmed
                | Self::Reverted
                | Self::Settled
        )
    }

    /// Whether all was as asked for before.
    fn is_idle(&self) -> bool {
        matches!(
            self,
            Self::AlreadyRunning | Self::Included | Self::NotRunning | Self::Unchanged
        )
    }

    fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Planned
                | Self::Running
                | Self::Code
                | Self::Status
                | Self::Progress
                | Self::InProgress
                | Self::Ended
                | Self::UnknownOperation
                | Self::Held
                | Self::NodeStopping
        )
    }

    /// Whether nothing was asked of the node.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::NodeDown | Self::OtherRoot | Self::NotTried)
    }

    /// Whether a version was named that the node does not run or have: nothing was begun.
    pub fn is_slip(&self) -> bool {
        matches!(
            self,
            Self::VersionMismatch | Self::VersionLoadMismatch | Self::BadDirectory
        )
    }

    /// Whether nothing happened, and nothing went wrong.
    pub fn is_quiet(&self) -> bool {
        self.is_idle() || self.is_absent()
    }

    /// What it means that a function of `erlrcdynamic` returned this as an error: what a node says that has no
    /// `erlrc_hook` to say it.
    pub fn class_of_error(&self) -> Class {
        match self {
            Self::NotRolledBack => Class::NotRolledBack,
            Self::Crashed => Class::Bug,
            Self::RestartNewEmulator => Class::RestartEmulator,
            Self::NoUpgradePath
            | Self::NotUpgradable
            | Self::VersionNotInAppup
            | Self::NoAppupFound
            | Self::StickyDirectory
            | Self::MaxPause => Class::NoPath,
            Self::VersionMismatch
            | Self::VersionLoadMismatch
            | Self::BadDirectory
            | Self::OldDirectoryGone
            | Self::NotProvisional
            | Self::Provisional
            | Self::NotHeld => Class::Refused,
            _ => Class::RolledBack,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_word(text: &str) -> bool {
    let letters = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    letters && (1..=LONGEST_WORD).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_its_word() {
        for (outcome, _) in Outcome::catalogue() {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome.clone()));
            assert!(is_word(outcome.as_str()), "{outcome}");
        }
    }

    #[test]
    fn a_word_of_another_version_is_kept_and_what_is_no_word_is_not() {
        let word = Outcome::parse("put_to_sleep").expect("a word");
        assert!(matches!(word, Outcome::Unknown(_)));
        assert_eq!(word.to_string(), "put_to_sleep");
        let longest = "a".repeat(LONGEST_WORD);
        assert!(Outcome::parse(&longest).is_some());
        let longer = longest + "a";
        for text in [
            "",
            "Up",
            "up) (n2",
            "up2",
            "u p",
            "\u{1b}[31m",
            "ü",
            &longer,
        ] {
            assert_eq!(Outcome::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_known_words_are_a_success() {
        let unknown = Outcome::parse("put_to_sleep").expect("a word");
        assert!(!unknown.is_success() && !unknown.is_absent() && !unknown.is_quiet());
        for outcome in [Outcome::NodeDown, Outcome::OtherRoot, Outcome::NotTried] {
            assert!(!outcome.is_success(), "{outcome} is not for a node to say");
        }
        assert!(Outcome::Upgraded.is_success() && !Outcome::Upgraded.is_quiet());
        assert!(Outcome::AlreadyRunning.is_quiet() && Outcome::AlreadyRunning.is_achievement());
        assert!(!Outcome::Planned.is_achievement());
    }

    #[test]
    fn errors_have_a_class_each() {
        let case = |word: &str, class| {
            let outcome = Outcome::parse(word).expect("a word");
            assert_eq!(outcome.class_of_error(), class, "{word}");
        };
        case("bad_directory", Class::Refused);
        case("no_appup_found", Class::NoPath);
        case("sticky_directory", Class::NoPath);
        case("not_rolled_back", Class::NotRolledBack);
        case("oops", Class::RolledBack);
    }

    #[test]
    fn a_node_that_is_not_there_is_no_failure() {
        for class in [Class::Done, Class::Absent, Class::Unreachable] {
            assert!(!class.is_failure(), "{class:?}");
        }
        for class in [
            Class::Refused,
            Class::NotCommitted,
            Class::RolledBack,
            Class::NotRolledBack,
            Class::NoPath,
            Class::RestartEmulator,
            Class::Unresolved,
            Class::Bug,
        ] {
            assert!(class.is_failure(), "{class:?}");
        }
    }
}
