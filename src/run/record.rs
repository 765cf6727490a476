//! What a run says about itself.

use crate::history::Who;
use crate::record::Time;
use crate::rendezvous::{Life, Process};
use crate::snapshot::Tag;
use crate::snapshot::difference::{Changed, Kind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The form of the record.
const FORM: u32 = 1;

/// How a run ended, or how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was begun. Where no command works on it any more, that command ended in the midst.
    Running,
    /// Nothing was to be done.
    Unchanged,
    /// A dry run: it would change packages.
    WouldChange,
    /// The plan or apt refused; nothing was changed.
    Refused,
    /// Done.
    Applied,
    /// Done, and goes back at the deadline.
    PendingConfirm,
    /// Done, and somebody said that it stays.
    Confirmed,
    /// It failed, and the packages are as before.
    Restored,
    /// Somebody took it back.
    Reverted,
    /// Nobody confirmed it in time, and it went back.
    Expired,
    /// It was to go back, and the packages are not as before.
    NotRestored,
}

impl Outcome {
    /// Whether the run keeps others out.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::PendingConfirm)
    }

    /// Whether what the run changed is there.
    pub fn stands(self) -> bool {
        matches!(
            self,
            Self::Running | Self::Applied | Self::PendingConfirm | Self::Confirmed
        )
    }

    /// The name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Unchanged => "unchanged",
            Self::WouldChange => "would_change",
            Self::Refused => "refused",
            Self::Applied => "applied",
            Self::PendingConfirm => "pending_confirm",
            Self::Confirmed => "confirmed",
            Self::Restored => "restored",
            Self::Reverted => "reverted",
            Self::Expired => "expired",
            Self::NotRestored => "not_restored",
        }
    }

    /// What is said of a run.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Running => "ended in the midst",
            Self::Unchanged => "found nothing to do",
            Self::WouldChange => "would change packages",
            Self::Refused => "was refused, nothing was changed",
            Self::Applied => "was applied",
            Self::PendingConfirm => "waits to be confirmed",
            Self::Confirmed => "was confirmed",
            Self::Restored => "failed, and went back",
            Self::Reverted => "was taken back",
            Self::Expired => "was not confirmed in time, and went back",
            Self::NotRestored => "did not go back as a whole",
        }
    }
}

/// A package that a run changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Its version before; `None` where it was not there.
    pub before: Option<String>,
    /// Its version after; `None` where it went.
    pub after: Option<String>,
}

impl Change {
    /// What of `changes` is another version, another build, or came or went.
    pub fn of(changes: &[Changed]) -> Vec<Self> {
        let is_one = |change: &&Changed| !matches!(change.kind, Kind::State | Kind::Marked);
        let version = |side: &Option<crate::snapshot::package::Package>| {
            side.as_ref().map(|package| package.version.clone())
        };
        let one = |change: &Changed| Self {
            name: change.name.clone(),
            before: version(&change.before),
            after: version(&change.after),
        };
        changes.iter().filter(is_one).map(one).collect()
    }
}

/// When a run goes back by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// By the clock of the host.
    pub at: Time,
    /// When it was set, by the same clock.
    pub set: Time,
    /// By the clock that counts from the start of the machine and cannot be set, in milliseconds.
    pub uptime: u64,
    /// Which start of the machine that is.
    pub boot: String,
}

/// What the clocks say.
#[derive(Clone, Debug)]
pub struct Clocks {
    /// The clock of the host.
    pub now: Time,
    /// Milliseconds since the machine was started.
    pub uptime: u64,
    /// Which start that was.
    pub boot: String,
}

impl Deadline {
    /// The deadline that is `within` away.
    pub fn within(within: Duration, clocks: &Clocks) -> Self {
        let millis = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        Self {
            at: Time::from_millis(clocks.now.millis().saturating_add(millis)),
            set: clocks.now,
            uptime: clocks.uptime.saturating_add(millis),
            boot: clocks.boot.clone(),
        }
    }

    /// Whether it is over. After another start of the machine only the clock of the host can tell; one that is before
    /// the time at which the deadline was set tells nothing, and then it is over.
    pub fn is_over(&self, clocks: &Clocks) -> bool {
        match clocks.boot == self.boot {
            true => clocks.uptime >= self.uptime,
            false => clocks.now >= self.at || clocks.now < self.set,
        }
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    form: u32,
    /// Its name.
    pub id: Tag,
    /// Who began it.
    pub who: Who,
    /// When it was begun.
    pub begun: Time,
    /// What was asked for.
    pub packages: Vec<String>,
    /// How it ended, or how far it has come.
    pub outcome: Outcome,
    /// Why it ended so.
    pub reason: Option<String>,
    /// The snapshot from before it.
    pub snapshot: Option<Tag>,
    /// apt, which goes on where the command is killed that called it.
    pub apt: Option<Process>,
    /// When it goes back by itself.
    pub deadline: Option<Deadline>,
    /// What it changed.
    pub changes: Vec<Change>,
    /// What was not well after it and had been well before.
    pub findings: Vec<String>,
    /// The versions of the packages that brought applications, as it left them.
    pub left: BTreeMap<String, String>,
}

impl Run {
    /// A run that begins.
    pub fn new(id: Tag, who: Who, begun: Time, packages: Vec<String>) -> Self {
        Self {
            form: FORM,
            id,
            who,
            begun,
            packages,
            outcome: Outcome::Running,
            reason: None,
            snapshot: None,
            apt: None,
            deadline: None,
            changes: Vec::new(),
            findings: Vec::new(),
            left: BTreeMap::new(),
        }
    }

    /// Whether the apt that it called still works. `own` is the pid namespace of this process.
    pub fn is_worked_on(&self, own: Option<u64>) -> bool {
        let life = self.apt.map_or(Life::Dead, |apt| apt.life(own));
        self.outcome == Outcome::Running && life != Life::Dead
    }

    /// Whether this is the form that is known here.
    pub fn is_known(&self) -> bool {
        self.form == FORM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks(now: u64, uptime: u64, boot: &str) -> Clocks {
        Clocks {
            now: Time::from_millis(now),
            uptime,
            boot: boot.to_owned(),
        }
    }

    #[test]
    fn a_deadline_is_over_by_the_clock_that_can_tell() {
        let set = clocks(1_000_000, 5_000, "a");
        let deadline = Deadline::within(Duration::from_secs(10), &set);
        for (now, uptime, boot, over) in [
            (1_000_000, 5_000, "a", false),
            (1_000_000, 14_999, "a", false),
            (1_000_000, 15_000, "a", true),
            // The clock of the host was set: that of the machine counts.
            (9_000_000, 5_001, "a", false),
            (1, 15_000, "a", true),
            // The machine was started anew.
            (1_009_999, 20_000, "b", false),
            (1_010_000, 1, "b", true),
            (999_999, 1, "b", true),
        ] {
            let clocks = clocks(now, uptime, boot);
            assert_eq!(deadline.is_over(&clocks), over, "{clocks:?}");
        }
    }

    #[test]
    fn a_deadline_has_no_overflow() {
        let set = clocks(u64::MAX, u64::MAX, "a");
        let deadline = Deadline::within(Duration::MAX, &set);
        assert!(deadline.is_over(&set));
    }
}
