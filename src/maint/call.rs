//! Determines what the package manager is doing, from the name and the arguments of a maintainer
//! script.

/// The package format of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// dpkg: the first argument is a word, and dpkg unwinds every failure.
    Deb,
    /// rpm: the argument is the number of versions that are left, and a failure is not unwound.
    Rpm,
}

impl Format {
    /// The name on the command line, the ending of file names, and the name of the table for this
    /// format in a package specification.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
        }
    }
}

/// The moment in the life of a package at which a script is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// There is nothing to do.
    Nothing,
    /// Another version is about to be unpacked; only the old one is on the disk.
    Prepare,
    /// Both versions are on the disk, and the package manager is installing the new one.
    Swap,
    /// Both versions are on the disk, and the package manager is restoring the old one.
    Unswap,
    /// Only the new version is on the disk.
    Configure,
    /// Only the old version is on the disk again, after a failed upgrade.
    Restore,
    /// The removal of the package was cancelled.
    Resume,
    /// The package is about to be removed.
    Stop,
    /// The files of the package are removed.
    Gone,
    /// The files of the package are removed, or belong to another package now.
    Disappeared,
    /// The configuration of the package is removed too.
    Purged,
}

/// A call of a maintainer script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The format of the package.
    pub format: Format,
    /// The moment.
    pub moment: Moment,
    /// Whether the package manager can handle a failure.
    pub may_fail: bool,
}

impl Call {
    /// Parses the arguments of `script`; `None` if there is no such script.
    pub fn parse(format: Format, script: &str, arguments: &[String]) -> Option<Self> {
        let moment = match format {
            Format::Deb => deb(script, arguments)?,
            Format::Rpm => rpm(script, arguments)?,
        };
        // dpkg ignores a failing `prerm deconfigure` that a conflict causes, so it must not fail.
        let deconfigured = arguments.first().is_some_and(|word| word == "deconfigure");
        Some(Self {
            format,
            moment,
            may_fail: may_fail(moment) && !deconfigured,
        })
    }
}

/// A failing `preinst abort-upgrade` would leave a package that must be reinstalled by hand. A
/// failing postrm, or a postinst that unwinds, is of no use to the package manager either.
fn may_fail(moment: Moment) -> bool {
    matches!(moment, Moment::Swap | Moment::Configure | Moment::Stop)
}

/// Later versions of dpkg may add words; they are ignored.
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

/// `$1` is the number of versions of the package after the scriptlet. A downgrade and a
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
