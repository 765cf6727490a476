//! What holds for one call of `erlrc maint`.

use super::journal::Log;
use crate::cli::Common;
use crate::cli::arguments::Apps;
use crate::cli::hook::HookArguments;
use crate::installed;
use crate::maint::{Call, Configuration};
use crate::places::{Root, STASH};
use crate::stash::Stash;
use std::path::PathBuf;
use std::time::Instant;

/// Where packages and hooks keep what they know.
#[derive(clap::Args, Clone, Debug)]
pub struct Places {
    #[command(flatten)]
    pub packages: Apps,
    /// Directory of old versions that are kept for a late upgrade
    #[arg(
        long,
        value_name = "DIR",
        env = STASH.variable,
        default_value = STASH.default,
        hide_env_values = true
    )]
    pub stash: PathBuf,
}

/// One call.
pub struct Session<'a> {
    /// What the package manager is doing.
    pub call: Call,
    /// How to reach the nodes.
    pub hook: &'a HookArguments,
    /// Where things are.
    pub places: &'a Places,
    /// What holds for every command.
    pub common: &'a Common,
    /// How this host wants it.
    pub configuration: Configuration,
    /// When it began.
    pub started: Instant,
    /// What was and is done.
    pub log: Log,
}

impl<'a> Session<'a> {
    /// The call of `script`, a name for the journal.
    pub fn new(
        call: Call,
        script: String,
        hook: &'a HookArguments,
        places: &'a Places,
        common: &'a Common,
    ) -> Self {
        Self {
            call,
            hook,
            places,
            common,
            configuration: configuration(common),
            started: Instant::now(),
            log: Log::open(&common.state, script, common.output()),
        }
    }

    /// What is kept.
    pub fn stash(&self) -> Stash {
        Stash::new(&self.places.stash)
    }
}

/// What `erlrc.conf` says; `ERLRC_BATCH` has the last word on that. A file that cannot be read says
/// nothing.
pub fn configuration(common: &Common) -> Configuration {
    let file = Root(&common.root).configuration();
    let mut configuration = match installed::consult(&file) {
        Ok(terms) => Configuration::from_terms(terms),
        Err(fault) => {
            if !fault.is_missing() {
                let text = format!("{} is passed over: {fault}", file.display());
                common.output().warning(&text);
            }
            Configuration::default()
        }
    };
    for term in std::mem::take(&mut configuration.unknown) {
        let text = format!("{}: {term} is not known, it is passed over", file.display());
        common.output().warning(&text);
    }
    match std::env::var("ERLRC_BATCH").as_deref() {
        Ok("1") => configuration.batch = true,
        Ok("0") => configuration.batch = false,
        _ => {}
    }
    configuration
}
