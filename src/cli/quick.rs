//! The command line of a hook by itself. Package managers run hooks by the dozen, and to build every
//! other command would take as long as to ask a node: a hook without nodes takes 0.80 ms of the
//! processor this way, 1.43 ms with the whole command line, and 0.55 ms in its plain form (see `words`).
//!
//! Must not say anything: help, errors and all other commands are the whole command line's.

use super::{Cli, Common, downgrade, maint, start, stop, upgrade};
use clap::{Args as _, Command, FromArgMatches as _};
use std::ffi::OsString;

/// Adds the arguments of a command.
type Augment = fn(Command) -> Command;

/// The hooks.
const HOOKS: [(&str, Augment); 5] = [
    ("start", start::Arguments::augment_args),
    ("stop", stop::Arguments::augment_args),
    ("upgrade", upgrade::Arguments::augment_args),
    ("downgrade", downgrade::Arguments::augment_args),
    ("maint", maint::Arguments::augment_args),
];

/// Whether a command is a hook.
pub fn is_hook(name: &str) -> bool {
    HOOKS.iter().any(|(hook, _)| *hook == name)
}

/// What sound arguments of a hook come to, the name of the program among them; none where they are
/// anything else.
pub fn parse(arguments: &[OsString]) -> Option<Cli> {
    let name = arguments.get(1)?.to_str()?;
    let (name, augment) = HOOKS.iter().find(|(hook, _)| *hook == name)?;
    let hook = augment(Command::new(*name));
    let command = Common::augment_args(Command::new("erlrc")).subcommand(hook);
    let matches = command.try_get_matches_from(arguments).ok()?;
    Cli::from_arg_matches(&matches).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[track_caller]
    fn same(arguments: &[&str]) {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let quick = parse(&arguments).map(|cli| format!("{cli:?}"));
        let whole = Cli::try_parse_from(&arguments).ok();
        assert_eq!(quick, whole.map(|cli| format!("{cli:?}")), "{arguments:?}");
    }

    #[test]
    fn a_hook_is_understood_as_by_the_whole_command_line() {
        same(&["erlrc", "start", "foo", "1.0", "/lib/foo"]);
        same(&["erlrc", "start", "--json", "foo", "1.0", "--root", "/x"]);
        same(&["erlrc", "stop", "--no-unload", "foo", "1.0"]);
        same(&["erlrc", "upgrade", "-n", "foo", "1.0", "1.1", "/a", "/b"]);
        same(&["erlrc", "downgrade", "foo", "1.0", "1.1"]);
        same(&[
            "erlrc",
            "maint",
            "deb",
            "postinst",
            "--app",
            "foo=1=/lib/foo",
            "--",
            "configure",
        ]);
    }

    #[test]
    fn what_is_unsound_or_another_command_is_left_to_the_whole() {
        for arguments in [
            &["erlrc", "start"][..],
            &["erlrc", "start", "--help"],
            &["erlrc", "man"],
            &["erlrc"],
        ] {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            assert!(parse(&arguments).is_none(), "{arguments:?}");
        }
    }
}
