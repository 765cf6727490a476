//! What an upgrade comes to.

use serde::Serialize;
use std::fmt;

/// What an upgrade comes to, the best first: the worst of several wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Hot: no process is restarted, nothing is lost.
    #[default]
    Hot,
    /// Hot, and a person should look at something before.
    HotWithWarnings,
    /// The application has to be restarted: its processes cannot be taken over.
    RestartApplication,
    /// The emulator has to be restarted.
    RestartEmulator,
    /// The upgrade would fail, and the node stay as it is.
    WouldFail,
}

impl Verdict {
    /// Every verdict, the best first.
    pub const ALL: [Self; 5] = [
        Self::Hot,
        Self::HotWithWarnings,
        Self::RestartApplication,
        Self::RestartEmulator,
        Self::WouldFail,
    ];

    /// The word that machines read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::HotWithWarnings => "hot_with_warnings",
            Self::RestartApplication => "restart_application",
            Self::RestartEmulator => "restart_emulator",
            Self::WouldFail => "would_fail",
        }
    }

    /// The verdict of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hot => "hot",
            Self::HotWithWarnings => "hot, with warnings",
            Self::RestartApplication => "the application needs a restart",
            Self::RestartEmulator => "the emulator needs a restart",
            Self::WouldFail => "would fail",
        })
    }
}
