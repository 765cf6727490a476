//! The plain form of a hook: `erlrc start APP VSN [DIR]`, no options. It is what scripts call, and to
//! build a parser for all that could be there takes longer than to ask whether a node is up.
//!
//! Must not understand anything otherwise than the whole command line does, which is asked about all
//! that is not plain and about all that is wrong.

use super::colours::When;
use super::hook::HookArguments;
use super::{Cli, Command, Common, Connection, arguments, downgrade, start, stop, upgrade};
use crate::places::{self, Directory};
use crate::term::Atom;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What is not among the words comes from a variable, else is this.
struct Setting {
    variable: &'static str,
    default: &'static str,
}

const fn setting(variable: &'static str, default: &'static str) -> Setting {
    Setting { variable, default }
}

const ROOT: Setting = Setting::of(places::ROOT);
const STATE: Setting = Setting::of(places::STATE);
const RUN: Setting = Setting::of(places::RUN);
const CONNECT: Setting = setting("ERLRC_CONNECT_TIMEOUT", "3");
const NODE: Setting = setting("ERLRC_NODE_TIMEOUT", "60");
const HOOK: Setting = setting("ERLRC_HOOK_TIMEOUT", "300");
const EPMD: Setting = setting("ERL_EPMD_PORT", "4369");

/// The value of an environment variable.
type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What plain and sound arguments come to, the name of the program among them; none where they are
/// anything else.
pub fn parse(arguments: &[OsString]) -> Option<Cli> {
    parse_in(arguments, &|name| std::env::var_os(name))
}

fn parse_in(arguments: &[OsString], environment: Environment<'_>) -> Option<Cli> {
    let words: Option<Vec<&str>> = arguments.iter().skip(1).map(|word| plain(word)).collect();
    let words = words?;
    let (&name, words) = words.split_first()?;
    let hook = || hook(environment);
    let command = match name {
        "start" => Command::Start(start::Arguments::of_words(words, hook()?)?),
        "stop" => Command::Stop(stop::Arguments::of_words(words, hook()?)?),
        "upgrade" => Command::Upgrade(upgrade::Arguments::of_words(words, hook()?)?),
        "downgrade" => Command::Downgrade(downgrade::Arguments::of_words(words, hook()?)?),
        _ => return None,
    };
    let common = Common {
        json: false,
        quiet: false,
        verbose: false,
        color: When::default(),
        root: ROOT.value(environment)?.into(),
        state: STATE.value(environment)?.into(),
    };
    Some(Cli { common, command })
}

/// `APP VSN [DIR]`.
pub fn one_version(words: &[&str]) -> Option<(Atom, String, Option<PathBuf>)> {
    let (app, version, dir) = match *words {
        [app, version] => (app, version, None),
        [app, version, dir] => (app, version, Some(dir)),
        _ => return None,
    };
    let dir = dir.map(arguments::directory).transpose().ok()?;
    let (app, vsn) = (
        arguments::application(app).ok()?,
        arguments::vsn(version).ok()?,
    );
    Some((app, vsn, dir))
}

/// `APP VSN VSN [DIR DIR]`.
pub fn two_versions(words: &[&str]) -> Option<(Atom, [String; 2], [Option<PathBuf>; 2])> {
    let (app, versions, dirs) = match *words {
        [app, first, second] => (app, [first, second], None),
        [app, first, second, dir, other] => (app, [first, second], Some([dir, other])),
        _ => return None,
    };
    let [first, second] = versions.map(|vsn| arguments::vsn(vsn).ok());
    let dirs = match dirs.map(|dirs| dirs.map(|dir| arguments::directory(dir).ok())) {
        None => [None, None],
        Some([Some(dir), Some(other)]) => [Some(dir), Some(other)],
        Some(_) => return None,
    };
    let app = arguments::application(app).ok()?;
    Some((app, [first?, second?], dirs))
}

fn plain(word: &OsString) -> Option<&str> {
    word.to_str().filter(|word| !word.starts_with('-'))
}

fn hook(environment: Environment<'_>) -> Option<HookArguments> {
    let seconds = |setting: &Setting| {
        let text = setting.value(environment)?;
        arguments::seconds(text.to_str()?).ok()
    };
    Some(HookArguments {
        dry_run: false,
        hook_timeout: seconds(&HOOK)?,
        connection: Connection {
            only: Vec::new(),
            run: RUN.value(environment)?.into(),
            connect_timeout: seconds(&CONNECT)?,
            node_timeout: seconds(&NODE)?,
            epmd_port: EPMD.value(environment)?.to_str()?.parse().ok()?,
        },
    })
}

impl Setting {
    const fn of(directory: Directory) -> Self {
        setting(directory.variable, directory.default)
    }

    /// None where it is empty: what that means is not known here.
    fn value(&self, environment: Environment<'_>) -> Option<OsString> {
        let value = environment(self.variable).unwrap_or_else(|| OsStr::new(self.default).into());
        (!value.is_empty()).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser as _};
    use proptest::prelude::*;

    const SETTINGS: [(&str, Setting); 7] = [
        ("root", ROOT),
        ("state", STATE),
        ("run", RUN),
        ("connect_timeout", CONNECT),
        ("node_timeout", NODE),
        ("hook_timeout", HOOK),
        ("epmd_port", EPMD),
    ];

    fn os(words: &[impl AsRef<OsStr>]) -> Vec<OsString> {
        words.iter().map(|word| word.as_ref().into()).collect()
    }

    fn told(arguments: &[OsString]) -> Option<String> {
        parse(arguments).map(|cli| format!("{cli:?}"))
    }

    fn told_by_the_whole(arguments: &[OsString]) -> Option<String> {
        let cli = Cli::try_parse_from(arguments).ok();
        cli.map(|cli| format!("{cli:?}"))
    }

    /// Understood, and as by the whole command line.
    #[track_caller]
    fn same(words: &[&str]) {
        let arguments = os(words);
        let told = told(&arguments);
        assert!(told.is_some(), "{words:?}");
        assert_eq!(told, told_by_the_whole(&arguments), "{words:?}");
    }

    #[test]
    fn plain_hooks_are_understood() {
        same(&["erlrc", "start", "foo", "1.0"]);
        same(&["erlrc", "start", "foo", "1.0", "lib/foo-1.0"]);
        same(&["erlrc", "stop", "foo", "1.0", "/lib/foo-1.0"]);
        same(&["erlrc", "upgrade", "foo", "1.0", "1.1"]);
        same(&["erlrc", "upgrade", "foo", "1.0", "1.1", "/a", "/b"]);
        same(&["erlrc", "downgrade", "foo", "1.0", "1.1", "/a", "/b"]);
    }

    #[test]
    fn all_else_is_left_to_the_whole() {
        for words in [
            &["erlrc"][..],
            &["erlrc", "start"],
            &["erlrc", "start", "foo"],
            &["erlrc", "start", "Foo", "1.0"],
            &["erlrc", "start", "foo", ""],
            &["erlrc", "start", "foo", "1.0", "/a", "/b"],
            &["erlrc", "start", "foo", "1.0", "-n"],
            &["erlrc", "start", "--", "foo", "1.0"],
            &["erlrc", "upgrade", "foo", "1.0", "1.1", "/a"],
            &["erlrc", "help", "start"],
            &["erlrc", "status", "foo"],
        ] {
            assert_eq!(told(&os(words)), None, "{words:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_understood_is_understood_as_by_the_whole(
            command in "start|stop|upgrade|downgrade|help|maint",
            words in prop::collection::vec("foo|1\\.0|/a|\\PC{0,4}|-[a-z-]{0,3}", 0..7),
        ) {
            let words = [vec!["erlrc".to_owned(), command], words].concat();
            let arguments = os(&words);
            if let Some(told) = told(&arguments) {
                prop_assert_eq!(Some(told), told_by_the_whole(&arguments));
            }
        }
    }

    #[test]
    fn variables_and_defaults_are_those_of_the_whole() {
        let whole = Cli::command();
        for name in ["start", "stop", "upgrade", "downgrade"] {
            let hook = whole.find_subcommand(name).expect("a command");
            let set = |arg: &&clap::Arg| {
                arg.get_env().is_some()
                    || arg.get_action().takes_values() && !arg.get_default_values().is_empty()
            };
            let arguments = whole.get_arguments().chain(hook.get_arguments());
            // Nothing but a word of the command line sets it.
            let arguments = arguments.filter(|arg| arg.get_id() != "color");
            let found: Vec<_> = arguments
                .filter(set)
                .map(|arg| {
                    (
                        arg.get_id().as_str(),
                        arg.get_env(),
                        arg.get_default_values(),
                    )
                })
                .collect();
            assert_eq!(found.len(), SETTINGS.len(), "{name}: {found:?}");
            for (id, setting) in SETTINGS {
                let variable = Some(OsStr::new(setting.variable));
                let expected = (id, variable, &[setting.default.into()][..]);
                assert!(found.contains(&expected), "{name}: {expected:?}");
            }
        }
    }

    #[test]
    fn variables_count_and_what_is_odd_about_them_is_left_to_the_whole() {
        let arguments = os(&["erlrc", "stop", "foo", "1.0"]);
        let with = |name: &str, value: &str| {
            let environment = |asked: &str| (asked == name).then(|| value.into());
            parse_in(&arguments, &environment).map(|cli| format!("{cli:?}"))
        };
        for (_, setting) in SETTINGS {
            let told = with(setting.variable, "77").expect("a sound value");
            assert!(told.contains("77"), "{}: {told}", setting.variable);
            assert_eq!(with(setting.variable, ""), None, "{}", setting.variable);
        }
        assert_eq!(with("ERL_EPMD_PORT", "77777"), None);
        assert_eq!(with("ERLRC_NODE_TIMEOUT", "soon"), None);
    }
}
