//! Maintainer scripts and scriptlets as text.
//!
//! They decide nothing: each calls one entry point of the binary, so that a fault in what is decided
//! is mended by an upgrade of erlrc, not frozen in packages that are installed already.

/// An erlrc that does not know the call (2), or that cannot be run (126, 127), is none: it must not keep the
/// package manager from its work.
const ELSE: &str = "\\
        || case $? in
        2 | 126 | 127) echo \"erlrc: this erlrc does not serve the package, its nodes are left alone\" >&2 ;;
        *) exit $? ;;
        esac
";

/// dpkg's scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Script {
    /// Before the files are unpacked.
    Preinst,
    /// When the package is configured.
    Postinst,
    /// Before the files are removed.
    Prerm,
    /// After that.
    Postrm,
}

/// rpm's scriptlets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scriptlet {
    /// Before the files are there.
    Pre,
    /// Once they are.
    Post,
    /// Before the files are removed.
    Preun,
    /// After that.
    Postun,
    /// At the end of the transaction.
    Posttrans,
}

/// What the scripts tell erlrc about the package that they are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The applications in it: name, version, directory.
    pub applications: Vec<(String, String, String)>,
    /// Other applications and the least version that these run with.
    pub minimum: Vec<(String, String)>,
    /// The service that the package is of, with its version, instead of applications.
    pub set: Option<(String, String)>,
}

impl Script {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Preinst, Self::Postinst, Self::Prerm, Self::Postrm];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preinst => "preinst",
            Self::Postinst => "postinst",
            Self::Prerm => "prerm",
            Self::Postrm => "postrm",
        }
    }

    /// The call of erlrc: what a debhelper script takes in.
    ///
    /// In an image that is made from outside (`DPKG_ROOT`) there is no node, and without erlrc nobody
    /// to speak to one.
    pub fn snippet(self, contents: &Contents) -> String {
        format!(
            "if [ -z \"${{DPKG_ROOT:-}}\" ] && command -v erlrc >/dev/null; then\n    \
             erlrc maint deb {}{} -- \"$@\" >&2 {ELSE}fi\n",
            self.name(),
            contents.arguments()
        )
    }

    /// The whole script. Commands of the package's own come after the call where something begins,
    /// before it where something ends.
    pub fn text(self, contents: &Contents, own: Option<&str>) -> String {
        let own = own.map(|own| format!("\n{}\n", own.trim_end()));
        let (before, after) = match self {
            Self::Preinst | Self::Postinst => (None, own),
            Self::Prerm | Self::Postrm => (own, None),
        };
        format!(
            "#!/bin/sh\nset -e\n{}\n{}{}",
            before.unwrap_or_default(),
            self.snippet(contents),
            after.unwrap_or_default()
        )
    }
}

impl Scriptlet {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Pre,
        Self::Post,
        Self::Preun,
        Self::Postun,
        Self::Posttrans,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Post => "post",
            Self::Preun => "preun",
            Self::Postun => "postun",
            Self::Posttrans => "posttrans",
        }
    }

    /// The whole scriptlet, which `/bin/sh` runs, with commands of the package's own as in [`Script::text`].
    pub fn text(self, contents: &Contents, own: Option<&str>) -> String {
        let own = own.map(|own| format!("{}\n", own.trim_end()));
        let (before, after) = match self {
            Self::Pre | Self::Post | Self::Posttrans => (None, own),
            Self::Preun | Self::Postun => (own, None),
        };
        let call = self.call(contents);
        before.unwrap_or_default() + &call + &after.unwrap_or_default()
    }

    fn call(self, contents: &Contents) -> String {
        format!(
            "if command -v erlrc >/dev/null; then\n    erlrc maint rpm {}{} -- \"$1\" >&2 {ELSE}fi\n",
            self.name(),
            contents.arguments()
        )
    }
}

impl Contents {
    /// `--app`, `--min` and `--set`, each on a line of its own.
    fn arguments(&self) -> String {
        let mut text = String::new();
        for (name, vsn, dir) in &self.applications {
            let value = quoted(&format!("{name}={vsn}={dir}"));
            text.push_str(&format!(" \\\n        --app {value}"));
        }
        for (name, vsn) in &self.minimum {
            let value = quoted(&format!("{name}>={vsn}"));
            text.push_str(&format!(" \\\n        --min {value}"));
        }
        if let Some((service, vsn)) = &self.set {
            let value = quoted(&format!("{service}={vsn}"));
            text.push_str(&format!(" \\\n        --set {value}"));
        }
        text + " \\\n       "
    }
}

/// `text` as one word for the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        let own = |text: &str| text.to_owned();
        Contents {
            applications: vec![(own("foo"), own("1.0"), own("/usr/lib/erlang/lib/foo-1.0"))],
            minimum: vec![(own("bar"), own("2.0-rc1"))],
            set: None,
        }
    }

    #[test]
    fn a_script_calls_erlrc_and_nothing_else() {
        assert_eq!(
            Script::Preinst.text(&contents(), None),
            "#!/bin/sh
set -e

if [ -z \"${DPKG_ROOT:-}\" ] && command -v erlrc >/dev/null; then
    erlrc maint deb preinst \\
        --app 'foo=1.0=/usr/lib/erlang/lib/foo-1.0' \\
        --min 'bar>=2.0-rc1' \\
        -- \"$@\" >&2 \\
        || case $? in
        2 | 126 | 127) echo \"erlrc: this erlrc does not serve the package, its nodes are left alone\" >&2 ;;
        *) exit $? ;;
        esac
fi
"
        );
    }

    #[test]
    fn a_scriptlet_passes_the_count() {
        assert_eq!(
            Scriptlet::Posttrans.text(&contents(), None),
            "if command -v erlrc >/dev/null; then
    erlrc maint rpm posttrans \\
        --app 'foo=1.0=/usr/lib/erlang/lib/foo-1.0' \\
        --min 'bar>=2.0-rc1' \\
        -- \"$1\" >&2 \\
        || case $? in
        2 | 126 | 127) echo \"erlrc: this erlrc does not serve the package, its nodes are left alone\" >&2 ;;
        *) exit $? ;;
        esac
fi
"
        );
    }

    #[test]
    fn commands_of_the_package_surround_what_runs() {
        let own = "echo own\n";
        let start = Script::Postinst.text(&contents(), Some(own));
        assert!(start.ends_with("esac\nfi\n\necho own\n"), "{start}");
        let end = Script::Prerm.text(&contents(), Some(own));
        assert!(
            end.starts_with("#!/bin/sh\nset -e\n\necho own\n\nif "),
            "{end}"
        );
    }

    #[test]
    fn words_for_the_shell_are_quoted() {
        assert_eq!(quoted("a'b$(c)"), r"'a'\''b$(c)'");
    }
}
