//! What holds for one call of `erlrc maint`.

use super::shell::Shell;
use crate::cli::Common;
use crate::cli::arguments::Apps;
use crate::cli::hook::HookArguments;
use crate::installed;
use crate::maint::{Call, Configuration};
use crate::maintainer::{self, Log};
use crate::places::{Root, SETS, STASH};
use crate::stash::Stash;
use std::path::{Path, PathBuf};

/// Where packages and hooks keep what they know.
#[derive(clap::Args, Clone, Debug)]
pub struct Places {
    #[command(flatten)]
    pub packages: Apps,
    /// Directory of the sets that the packages of services name
    #[arg(
        long,
        value_name = "DIR",
        env = SETS.variable,
        default_value = SETS.default,
        hide_env_values = true
    )]
    pub sets: PathBuf,
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

/// One call, and what the command line says beside it.
pub struct Session<'a> {
    /// How to reach the nodes.
    pub hook: &'a HookArguments,
    /// Where things are.
    pub places: &'a Places,
    /// What holds for every command.
    pub common: &'a Common,
    /// The call itself.
    pub engine: maintainer::Session<'a>,
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
        let output = common.output();
        let warn = Box::new(move |text: &str| output.warning(text));
        let engine = maintainer::Session {
            call,
            configuration: configuration(common, &places.sets),
            root: common.root.clone(),
            apps: places.packages.apps.clone(),
            sets: places.sets.clone(),
            stash: Stash::new(&places.stash),
            hooks: Box::new(Shell::new(call.format, hook, common)),
            log: Log::open(&common.state, script, warn),
        };
        Self {
            hook,
            places,
            common,
            engine,
        }
    }
}

/// What `erlrc.conf` says. The package of a service turns batch mode on; `ERLRC_BATCH` has the last word on that. A
/// file that cannot be read says nothing.
pub fn configuration(common: &Common, sets: &Path) -> Configuration {
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
    configuration.batch |= !maintainer::sets(sets).is_empty();
    match std::env::var("ERLRC_BATCH").as_deref() {
        Ok("1") => configuration.batch = true,
        Ok("0") => configuration.batch = false,
        _ => {}
    }
    configuration
}
