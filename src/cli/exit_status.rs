//! Exit statuses: part of the interface, never renumbered.

use crate::outcome::Class;
use std::process::ExitCode;

/// How a command ended. The numbers are what maintainer scripts see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Done, or nothing to do; also no node, or every node down: a host without nodes is normal.
    Done = 0,
    /// Refused or failed; the node is as it was.
    Failed = 1,
    /// The command line is wrong; nothing was tried.
    Usage = 2,
    /// A node is there and cannot be spoken to (cookie refused, hung, not an Erlang node), or does not say how the
    /// operation ended.
    Unreachable = 3,
    /// There is no way from the one version to the other.
    NoPath = 4,
    /// The emulator must be restarted.
    RestartEmulator = 5,
    /// Failed, and could not be rolled back.
    NotRolledBack = 6,
    /// A fault in erlrc itself.
    Bug = 70,
}

impl Status {
    /// Every status, in the order of the manual.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Unreachable,
        Self::NoPath,
        Self::RestartEmulator,
        Self::NotRolledBack,
        Self::Bug,
    ];

    /// The number that the process exits with.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// One line for help and manual.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done or nothing to do (also: no node, node down)",
            Self::Failed => "refused or failed, the node is as it was",
            Self::Usage => "the command line is wrong, nothing was tried",
            Self::Unreachable => {
                "a node is there and cannot be spoken to (cookie refused, hung, no Erlang node), or does not say how it ended"
            }
            Self::NoPath => {
                "no upgrade path between the two versions (also: none within --max-pause)"
            }
            Self::RestartEmulator => "the emulator must be restarted",
            Self::NotRolledBack => "failed and could not be rolled back",
            Self::Bug => "a fault in erlrc itself, please report it",
        }
    }

    /// The worse of two: with several nodes the worst one decides.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if other.badness() > self.badness() {
            other
        } else {
            self
        }
    }

    fn badness(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unreachable => 1,
            Self::NoPath => 2,
            Self::RestartEmulator => 3,
            Self::Failed => 4,
            Self::NotRolledBack => 5,
            Self::Bug => 6,
            Self::Usage => 7,
        }
    }
}

impl From<Class> for Status {
    fn from(class: Class) -> Self {
        match class {
            Class::Done | Class::Absent => Self::Done,
            Class::Refused | Class::NotCommitted | Class::RolledBack => Self::Failed,
            Class::NotRolledBack => Self::NotRolledBack,
            Class::NoPath => Self::NoPath,
            Class::RestartEmulator => Self::RestartEmulator,
            Class::Unreachable | Class::Unresolved => Self::Unreachable,
            Class::Bug => Self::Bug,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_nodes_wins() {
        let order = [
            Status::Bug,
            Status::NotRolledBack,
            Status::Failed,
            Status::RestartEmulator,
            Status::NoPath,
            Status::Unreachable,
            Status::Done,
        ];
        for (place, worse) in order.iter().enumerate() {
            for better in &order[place..] {
                assert_eq!(worse.worse(*better), *worse);
                assert_eq!(better.worse(*worse), *worse);
            }
        }
    }

    #[test]
    fn the_worst_class_stands_for_the_worst_status() {
        let classes = [
            Class::Done,
            Class::Absent,
            Class::Refused,
            Class::NotCommitted,
            Class::RolledBack,
            Class::NotRolledBack,
            Class::NoPath,
            Class::RestartEmulator,
            Class::Unreachable,
            Class::Unresolved,
            Class::Bug,
        ];
        for one in classes {
            for other in classes {
                let worse = Status::from(one).worse(other.into());
                assert_eq!(Status::from(one.worse(other)), worse, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn the_numbers_are_those_of_the_contract() {
        let codes: Vec<u8> = Status::ALL.iter().map(|status| status.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 70]);
    }
}
