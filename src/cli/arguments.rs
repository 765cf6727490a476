//! Arguments that several commands share, checked before anything is done.

use super::colours::When;
use super::{Form, Output};
use crate::identity::NodeName;
use crate::places::{self, APPS};
use crate::term::Atom;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the help puts the options of every command under, and those about nodes.
const COMMON: &str = "Options of every command";
const REACH: &str = "Options about nodes";

/// What holds for every command.
#[derive(clap::Args, Clone, Debug)]
pub struct Common {
    /// Print JSON, one value a line, instead of text
    #[arg(long, global = true, help_heading = COMMON)]
    pub json: bool,
    /// Print only problems
    #[arg(long, short, global = true, help_heading = COMMON, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say all that is known
    #[arg(long, short, global = true, help_heading = COMMON)]
    pub verbose: bool,
    /// When to use colours
    #[arg(
        long, global = true, help_heading = COMMON, value_enum, value_name = "WHEN", default_value_t
    )]
    pub color: When,
    /// Directory of registrations and node entries
    #[arg(
        long,
        global = true, help_heading = COMMON,
        value_name = "DIR",
        env = places::ROOT.variable,
        default_value = places::ROOT.default,
        hide_env_values = true
    )]
    pub root: PathBuf,
    /// Directory of what hooks write down
    #[arg(
        long,
        global = true, help_heading = COMMON,
        value_name = "DIR",
        env = places::STATE.variable,
        default_value = places::STATE.default,
        hide_env_values = true
    )]
    pub state: PathBuf,
}

/// The same place, whatever directory a process works in; as it is where that cannot be found out.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl Common {
    /// Where and in which form to print.
    pub fn output(&self) -> Output {
        Output::new(match self {
            Self { json: true, .. } => Form::Json,
            Self { quiet: true, .. } => Form::Quiet,
            Self { verbose: true, .. } => Form::Verbose,
            _ => Form::Text,
        })
    }
}

/// Where packages say what they installed.
#[derive(clap::Args, Clone, Debug)]
pub struct Apps {
    /// Directory of what packages say about the applications that they installed
    #[arg(
        long,
        value_name = "DIR",
        env = places::APPS.variable,
        default_value = places::APPS.default,
        hide_env_values = true
    )]
    pub apps: PathBuf,
}

impl Apps {
    /// The directory that the environment names, for what has no arguments of its own.
    pub fn of_environment() -> Self {
        let apps = std::env::var_os(APPS.variable).map_or(APPS.default.into(), PathBuf::from);
        Self { apps }
    }
}

/// Where node entries are, and how long to wait for a node.
#[derive(clap::Args, Clone, Debug)]
pub struct Connection {
    /// This node alone, the host may be left out; may be given several times
    #[arg(long = "node", value_name = "NODE", value_parser = node_name, help_heading = REACH)]
    pub only: Vec<NodeName>,
    /// Directory of the entries that nodes write themselves
    #[arg(
        long,
        value_name = "DIR",
        env = places::RUN.variable,
        default_value = places::RUN.default,
        help_heading = REACH, hide_env_values = true
    )]
    pub run: PathBuf,
    /// Seconds for connection and handshake
    #[arg(long, value_name = "SECONDS", env = "ERLRC_CONNECT_TIMEOUT", default_value = "3",
          value_parser = seconds, help_heading = REACH, hide_env_values = true)]
    pub connect_timeout: Duration,
    /// Seconds for one operation on one node
    #[arg(long, value_name = "SECONDS", env = "ERLRC_NODE_TIMEOUT", default_value = "60",
          value_parser = seconds, help_heading = REACH, hide_env_values = true)]
    pub node_timeout: Duration,
    /// Port of the port mapper (epmd)
    #[arg(
        long,
        value_name = "PORT",
        env = "ERL_EPMD_PORT",
        default_value = "4369",
        help_heading = REACH, hide_env_values = true
    )]
    pub epmd_port: u16,
}

/// Seconds, with a fraction if need be; more than none and less than a year.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    if seconds > 0.0 && seconds < 31_536_000.0 {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("must be more than 0 and less than a year".to_owned())
    }
}

/// The name of an application, as a registration may have it.
pub fn application(text: &str) -> Result<Atom, String> {
    let mut bytes = text.bytes();
    let sound = bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'@');
    let atom = if sound { Atom::new(text) } else { None };
    atom.ok_or_else(|| "an application is named [a-z][0-9A-Za-z_@]*".to_owned())
}

/// The name of a node, with or without host.
pub fn node_name(text: &str) -> Result<NodeName, String> {
    NodeName::parse(text).ok_or_else(|| "not a node's name".to_owned())
}

/// A version: text that can stand in a directory name.
pub fn vsn(text: &str) -> Result<String, String> {
    let sound = !text.is_empty()
        && text.len() <= 255
        && !text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == '/');
    sound
        .then(|| text.to_owned())
        .ok_or_else(|| "a version has no spaces, slashes or control characters".to_owned())
}

/// Says that two versions are named the wrong way round, as it seems; only the person knows.
pub fn check_order(command: &str, earlier: &str, later: &str) {
    if crate::application::vsn::compare(earlier, later).is_gt() {
        super::output::error_text(&format!(
            "erlrc-{command}: {earlier} is named first, as the earlier version, and is later than {later}\n"
        ));
    }
}

/// A directory; relative ones are meant from here, not from where the node runs.
pub fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("not a directory name".to_owned());
    }
    std::path::absolute(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_applications_are_those_of_registrations() {
        for name in ["foo", "foo_bar", "f@b", "fOO1"] {
            assert_eq!(
                application(name).map(|atom| atom.to_string()),
                Ok(name.to_owned())
            );
        }
        for name in [
            "",
            "Foo",
            "1foo",
            "foo.app",
            "foo'",
            "'foo',halt()",
            "foo bar",
            "föö",
            "foo\n",
        ] {
            assert!(application(name).is_err(), "{name}");
        }
        assert!(application(&"a".repeat(256)).is_err());
    }

    #[test]
    fn versions_are_plain_text() {
        for version in ["1", "1.0-rc1", "2:3~x+git", "ä"] {
            assert_eq!(vsn(version), Ok(version.to_owned()));
        }
        for version in ["", "1 0", "../1", "1\u{1b}"] {
            assert!(vsn(version).is_err(), "{version}");
        }
    }

    #[test]
    fn relative_directories_become_absolute() {
        let here = std::env::current_dir().expect("a directory to run in");
        assert_eq!(directory("x/y"), Ok(here.join("x/y")));
        assert_eq!(directory("/x"), Ok(PathBuf::from("/x")));
        assert!(directory("").is_err());
    }

    #[test]
    fn seconds_have_fractions_and_limits() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for text in ["0", "-1", "nan", "inf", "1e99", "x", ""] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
