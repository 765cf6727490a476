//! Where things lie on a host: its directories, each with its variable and default, and the files in them.
//!
//! Makes paths only: must not read files, nor the environment. Which directory is meant is the caller's to say.

use std::path::{Path, PathBuf};

/// A directory of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The variable of the environment that names another one.
    pub variable: &'static str,
    /// Its place where that is not set.
    pub default: &'static str,
}

const fn directory(variable: &'static str, default: &'static str) -> Directory {
    Directory { variable, default }
}

/// Registrations, `erlrc.conf` and the node entries that people write: see [`Root`].
pub const ROOT: Directory = directory("ERLRC_ROOT", "/etc/erlrc.d");
/// The hooks' logs: see [`State`].
pub const STATE: Directory = directory("ERLRC_STATE", "/var/lib/erlrc");
/// The entries that nodes write themselves.
pub const RUN: Directory = directory("ERLRC_RUN", "/run/erlrc/nodes");
/// The metadata of installed applications, a file for each.
pub const APPS: Directory = directory("ERLRC_APPS", "/usr/lib/erlrc/apps");
/// What the packages of services name, a file for each.
pub const SETS: Directory = directory("ERLRC_SETS", "/usr/lib/erlrc/sets");
/// Old versions that nodes still run.
pub const STASH: Directory = directory("ERLRC_STASH", "/usr/lib/erlrc/stash");
/// OTP trees that `erlrc env` makes.
pub const ENVIRONMENTS: Directory = directory("ERLRC_ENVIRONMENTS", "/usr/lib/erlrc/env");
/// Services and their releases.
pub const SERVICES: Directory = directory("ERLRC_SERVICES", "/usr/lib/erlrc/services");

/// The directory of registrations.
#[derive(Clone, Copy, Debug)]
pub struct Root<'a>(pub &'a Path);

impl Root<'_> {
    /// The directory of registrations and overrides.
    pub fn registrations(self) -> PathBuf {
        self.0.join("applications")
    }

    /// The file that registers `application`.
    pub fn registration(self, application: &str) -> PathBuf {
        self.registrations().join(application)
    }

    /// The file whose keys replace those of the specification of `application`.
    pub fn overrides(self, application: &str) -> PathBuf {
        self.registrations().join(format!("{application}.app"))
    }

    /// The directory of the node entries that people write.
    pub fn nodes(self) -> PathBuf {
        self.0.join("nodes")
    }

    /// The configuration of erlrc on this host.
    pub fn configuration(self) -> PathBuf {
        self.0.join("erlrc.conf")
    }
}

/// The directory of the hooks' logs.
#[derive(Clone, Copy, Debug)]
pub struct State<'a>(pub &'a Path);

impl State<'_> {
    /// The log of what the hooks did.
    pub fn history(self) -> PathBuf {
        self.0.join("history")
    }

    /// The log of how far maintainer scripts have come.
    pub fn journal(self) -> PathBuf {
        self.0.join("journal")
    }

    /// What changes of services: which release of each is current.
    pub fn services(self) -> PathBuf {
        self.0.join("services")
    }

    /// The log of replaced files of emulators.
    pub fn restarts(self) -> PathBuf {
        self.0.join("restarts")
    }

    /// The directory of runs of `erlrc apply`.
    pub fn runs(self) -> PathBuf {
        self.0.join("runs")
    }

    /// The directory of snapshots of the package state.
    pub fn snapshots(self) -> PathBuf {
        self.0.join("snapshots")
    }
}

/// The directory of one version of an application.
#[derive(Clone, Copy, Debug)]
pub struct ApplicationDir<'a>(pub &'a Path);

impl ApplicationDir<'_> {
    /// The directory of its modules.
    pub fn ebin(self) -> PathBuf {
        self.0.join("ebin")
    }

    /// The specification of `application`.
    pub fn app(self, application: &str) -> PathBuf {
        self.ebin().join(format!("{application}.app"))
    }

    /// The shipped appup of `application`.
    pub fn appup(self, application: &str) -> PathBuf {
        self.ebin().join(format!("{application}.appup"))
    }

    /// What `application` says of the conversion of its states.
    pub fn migration(self, application: &str) -> PathBuf {
        self.0.join("priv").join(format!("{application}.migration"))
    }

    /// The object code of `module`.
    pub fn beam(self, module: &str) -> PathBuf {
        self.ebin().join(format!("{module}.beam"))
    }
}

/// The path within a package of the file that registers `application`.
pub fn packaged_registration(application: &str) -> String {
    let file = Root(Path::new(ROOT.default)).registration(application);
    file.display().to_string()
}

/// The path within a package of the set of `service`.
pub fn packaged_set(service: &str) -> String {
    format!("{}/{service}", SETS.default)
}

/// The path within a package of the metadata of `application`.
pub fn packaged_metadata(application: &str) -> String {
    format!("{}/{application}", APPS.default)
}
