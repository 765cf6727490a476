//! What the package manager is doing, from the name and the arguments of a maintainer script.

/// The package format that a script belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// dpkg: scripts with words, every failure has a way back.
    Deb,
    /// rpm: scriptlets with the number of versions that are left, no way back.
    Rpm,
}

impl Format {
    /// The name on the command line, the ending of file names, and the name of the table for this format
    /// alone in the specification of a package.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
        }
    }
}

/// Where in the life of a package a script is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing of ours is to be done.
    Nothing,
    /// Another version is about to be unpacked: the old one alone is there.
    Prepare,
    /// Both versions are there, the new one is what the package manager wants.
    Swap,
    /// Both versions are there, the old one is to be had again.
    Unswap,
    /// The new version alone is there.
    Configure,
    /// The old version alone is there again, after an upgrade that failed.
    Restore,
    /// The version that was to be removed stays.
    Resume,
    /// The application is about to be removed.
    Stop,
    /// Its files are gone.
    Gone,
    /// Its files are gone, or another package's now.
    Disappeared,
    /// Its configuration is gone too.
    Purged,
}

/// A call of a maintainer script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Whose script it is.
    pub format: Format,
    /// What it is called for.
    pub moment: Moment,
    /// Whether the package manager makes something sensible of a failure.
    pub may_fail: bool,
}

impl Call {
    /// The call of `script` with `arguments`; `None` where there is no such script.
    pub fn parse(format: Format, script: &str, arguments: &[String]) -> Option<Self> {
        let moment = match format {
            Format::Deb => deb(script, arguments)?,
            Format::Rpm => rpm(script, arguments)?,
        };
        // A conflict that takes away what another needs goes on whatever we say.
        let deconfigured = arguments.first().is_some_and(|word| word == "deconfigure");
        Some(Self {
            format,
            moment,
            may_fail: may_fail(moment) && !deconfigured,
        })
    }
}

/// A failing `preinst abort-upgrade` leaves a package that must be reinstalled by hand; one of
/// postrm, of a postinst that takes back, cannot be helped by the package manager either.
fn may_fail(moment: Moment) -> bool {
    matches!(moment, Moment::Swap | Moment::Configure | Moment::Stop)
}

/// Words that a later dpkg may add are none of ours.
fn deb(script: &str, arguments: &[String]) -> Option<Moment> {
    let word = arguments.first().map_or("", String::as_str);
    Some(match (script, word) {
        ("preinst", "upgrade") => Moment::Prepare,
        ("preinst", "abort-upgrade") => Moment::Unswap,
        ("postinst", "configure") => Moment::Configure,
        ("postinst", "abort-upgrade") => Moment::Restore,
        ("postinst", "abort-remove" | "abort-deconfigure") => Moment::Resume,
        ("prerm", "remove") => Moment::Stop,
        ("prerm", "deconfigure") if arguments.iter().any(|word| word == "removing") => Moment::Stop,
        ("postrm", "upgrade" | "failed-upgrade") => Moment::Swap,
        ("postrm", "remove") => Moment::Gone,
        ("postrm", "disappear") => Moment::Disappeared,
        ("postrm", "purge") => Moment::Purged,
        ("preinst" | "postinst" | "prerm" | "postrm", _) => Moment::Nothing,
        _ => return None,
    })
}

/// `$1` is how many versions of the package there are when the scriptlet has run. A downgrade and a
/// reinstallation look like an upgrade.
fn rpm(script: &str, arguments: &[String]) -> Option<Moment> {
    let left: Option<u32> = arguments.first().and_then(|count| count.parse().ok());
    let several = left.is_some_and(|left| left >= 2);
    Some(match script {
        "pre" if several => Moment::Prepare,
        "post" if several => Moment::Swap,
        "posttrans" => Moment::Configure,
        "preun" if left == Some(0) => Moment::Stop,
        "postun" if left == Some(0) => Moment::Gone,
        "pre" | "post" | "preun" | "postun" | "pretrans" => Moment::Nothing,
        _ => return None,
    })
}
