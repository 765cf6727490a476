//! What may come next on a command line: the last of some words, which may be empty, is the one to be completed.
//!
//! Asks no node, changes nothing, and says nothing of what it cannot find out.

use crate::cli::{Common, Failure, Status, output};
use crate::identity::NodeName;
use crate::places::{APPS, Directory, RUN, Root, STASH};
use crate::stash::Stash;
use crate::{file, history, installed};
use clap::{Arg, Command};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Arguments of `erlrc complete`, which the scripts call.
#[derive(clap::Args, Debug)]
pub struct Words {
    /// The command line so far
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Prints the candidates, one a line.
pub fn complete(arguments: &Words, common: &Common) -> Result<Status, Failure> {
    let called = crate::cli::multi_call(arguments.words.clone());
    let words: Vec<String> = called
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let Some((current, before)) = words.split_last() else {
        return Ok(Status::Done);
    };
    let host = Host::of(common);
    for candidate in candidates(before, current, &host) {
        if candidate.starts_with(current.as_str()) {
            output::raw(format!("{}\n", output::printable(&candidate)).as_bytes());
        }
    }
    Ok(Status::Done)
}

/// Where names are found.
struct Host {
    root: PathBuf,
    state: PathBuf,
    apps: PathBuf,
    stash: PathBuf,
    run: PathBuf,
}

impl Host {
    fn of(common: &Common) -> Self {
        let set = |place: Directory| {
            std::env::var_os(place.variable).map_or_else(|| place.default.into(), PathBuf::from)
        };
        Self {
            root: common.root.clone(),
            state: common.state.clone(),
            apps: set(APPS),
            stash: set(STASH),
            run: set(RUN),
        }
    }

    fn applications(&self) -> BTreeSet<String> {
        let inventory = installed::inventory(&self.root, &self.apps);
        let names = inventory.registered.into_keys();
        names.chain(inventory.installed.into_keys()).collect()
    }

    /// The entries' names; those that a node has begun to write have none.
    fn nodes(&self) -> BTreeSet<String> {
        let names = [Root(&self.root).nodes(), self.run.clone()];
        let names = names.iter().flat_map(|dir| file::names(dir));
        names
            .filter(|name| NodeName::parse(name).is_some())
            .collect()
    }

    /// The versions that the host has or had: installed, beside that, in the stash, in the history.
    fn versions(&self, application: &str) -> BTreeSet<String> {
        let inventory = installed::inventory(&self.root, &self.apps);
        let found = inventory.installed.get(application);
        let beside = found.and_then(|found| Path::new(&found.dir).parent());
        let beside = beside.map(file::names).unwrap_or_default();
        let prefix = format!("{application}-");
        let beside = beside.iter().filter_map(|name| name.strip_prefix(&prefix));
        let beside = beside.map(str::to_owned).collect::<Vec<_>>();
        let kept = Stash::new(&self.stash).of(application);
        let records = history::read(&self.state).map(|(records, _)| records);
        let records = records.unwrap_or_default().into_iter();
        let records = records.filter(|record| record.application == application);
        let done = records
            .flat_map(|record| [record.from, record.to])
            .flatten();
        let versions = found
            .map(|found| found.vsn.clone())
            .into_iter()
            .chain(beside);
        versions
            .chain(kept.into_iter().map(|kept| kept.vsn))
            .chain(done)
            .collect()
    }

    fn operations(&self) -> Vec<String> {
        let records = history::read(&self.state).map(|(records, _)| records);
        records
            .unwrap_or_default()
            .iter()
            .map(history::Record::id)
            .collect()
    }
}

/// What may stand in the place of `current`.
fn candidates(before: &[String], current: &str, host: &Host) -> Vec<String> {
    let mut whole = crate::cli::command();
    whole.build();
    let mut words = before.iter().skip(1).map(String::as_str);
    let Some(mut command) = words.find_map(|word| whole.find_subcommand(word)) else {
        return match current.starts_with('-') {
            true => options(&whole),
            false => subcommands(&whole),
        };
    };
    while let Some(nested) = words
        .clone()
        .next()
        .and_then(|word| command.find_subcommand(word))
    {
        command = nested;
        words.next();
    }
    let words: Vec<&str> = words.collect();
    if let Some(option) = words.last().and_then(|word| open_option(command, word)) {
        return values(option, &[], current, host);
    }
    if current.starts_with('-') {
        return options(command);
    }
    let given = positional(command, &words);
    if command.has_subcommands() && given.is_empty() {
        return subcommands(command);
    }
    let places: Vec<&Arg> = command.get_positionals().collect();
    let place = places.get(given.len()).or_else(|| places.last());
    place.map_or_else(Vec::new, |place| values(place, &given, current, host))
}

fn subcommands(whole: &Command) -> Vec<String> {
    let visible = whole
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    visible
        .map(|command| command.get_name().to_owned())
        .collect()
}

fn options(command: &Command) -> Vec<String> {
    let visible = command
        .get_opts()
        .chain(command.get_arguments().filter(|arg| !arg.is_positional()));
    let visible = visible
        .filter(|arg| !arg.is_hide_set())
        .filter_map(Arg::get_long);
    let names: BTreeSet<String> = visible.map(|long| format!("--{long}")).collect();
    names.into_iter().collect()
}

/// The option that `word` is and that waits for its value.
fn open_option<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let long = word.strip_prefix("--")?;
    let mut options = command.get_opts();
    options.find(|option| option.get_long() == Some(long) && option.get_action().takes_values())
}

/// The words that are no options and no values of options.
fn positional<'a>(command: &Command, words: &[&'a str]) -> Vec<&'a str> {
    let mut given = Vec::new();
    let mut is_value = false;
    for word in words {
        if !is_value && !word.starts_with('-') {
            given.push(*word);
        }
        is_value = open_option(command, word).is_some();
    }
    given
}

/// The values that an argument may have, where the words `given` come before it.
fn values(arg: &Arg, given: &[&str], current: &str, host: &Host) -> Vec<String> {
    let possible = arg.get_possible_values();
    if !possible.is_empty() && arg.get_action().takes_values() {
        return possible
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect();
    }
    let versions = |given: &[&str]| {
        given
            .first()
            .map(|app| host.versions(app))
            .unwrap_or_default()
    };
    let found = match (arg.get_id().as_str(), current.split_once('=')) {
        ("only" | "target", _) => host.nodes(),
        ("words", Some((app, _))) => {
            let versions = host.versions(app).into_iter();
            versions.map(|vsn| format!("{app}={vsn}")).collect()
        }
        ("words", None) => host
            .applications()
            .into_iter()
            .chain(versions(given))
            .collect(),
        ("app", _) => host.applications(),
        ("what", _) => host
            .applications()
            .into_iter()
            .chain(host.operations())
            .collect(),
        ("vsn" | "version" | "from" | "to", _) if arg.is_positional() => versions(given),
        _ => BTreeSet::new(),
    };
    found.into_iter().collect()
}
