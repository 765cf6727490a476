//! `erlrc enable`, `erlrc disable`, `erlrc restart`: whether nodes start an application when they boot, and at once.

use super::arguments::{Apps, application};
use super::hook::operation::{Operation, Step, Version};
use super::hook::request::versions;
use super::hook::{self, Answer, Asker, HookArguments, Round};
use super::resolution::{self, Known};
use super::{Common, Failure, Status, change, nodes, output, status};
use crate::application::Registration;
use crate::installed;
use crate::places::Root;
use crate::rendezvous::Entries;
use crate::term::{Atom, Term};
use change::Still;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Arguments of `erlrc enable` and `erlrc disable`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The application
    #[arg(value_parser = application)]
    app: Atom,
    /// Take effect at once, on every running node
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    hook: HookArguments,
}

/// Arguments of `erlrc restart`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Stops the application on every node that runs it and starts the same version again: its state is lost.
Where it does not run nothing is done. When a node fails to stop, those before it are started again.
Nodes that do not answer are named and left as they are; the status is that of erlrc stop.

JSON: for each node that runs it as erlrc stop, then as erlrc start; before that once as erlrc stop for
the nodes that do not answer.

Examples:
  erlrc restart egerl
  erlrc restart egerl --node shop")]
pub struct RestartArguments {
    /// The application
    #[arg(value_parser = application)]
    app: Atom,
    #[command(flatten)]
    hook: HookArguments,
}

#[derive(Debug, thiserror::Error)]
enum RegistrationError {
    #[error("cannot write {}", file.display())]
    Write { file: PathBuf, source: io::Error },
    #[error("{} is no registration", file.display())]
    Invalid { file: PathBuf, why: String },
}

/// Whether nodes are to start it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Enabled,
    Disabled,
}

/// Registers it, or puts its registration in force.
pub fn enable(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    edited(arguments, common, Wish::Enabled)
}

/// Keeps nodes from starting it when they boot.
pub fn disable(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    edited(arguments, common, Wish::Disabled)
}

fn edited(arguments: &Arguments, common: &Common, wish: Wish) -> Result<Status, Failure> {
    let name = &arguments.app;
    let entries = nodes::entries(common, &arguments.hook.connection)?;
    let (known, silent) = known(name, &entries, &arguments.hook);
    let apps = Apps::of_environment().apps;
    let on_host = resolution::is_known_to_host(name, common, &apps);
    if !on_host && !known.iter().any(|(_, known)| known.is_anything()) {
        return Err(resolution::nowhere(name));
    }
    let file = Root(&common.root).registration(name.as_str());
    let changed = edit(&file, wish, arguments.hook.dry_run)?;
    let word = match (wish, changed) {
        (Wish::Enabled, true) => "enabled: nodes start it when they boot",
        (Wish::Enabled, false) => "enabled already",
        (Wish::Disabled, true) => "disabled: nodes do not start it when they boot",
        (Wish::Disabled, false) => "not enabled, nothing to do",
    };
    let would = match changed && arguments.hook.dry_run {
        true => "would be ",
        false => "",
    };
    let out = common.output();
    out.text(&output::printable(&format!("{name}: {would}{word}")));
    out.text("\n");
    out.envelope(
        "registration",
        1,
        &serde_json::json!({"application": name.as_str(), "enabled": wish == Wish::Enabled, "changed": changed, "file": file}),
    );
    if !arguments.now {
        return Ok(Status::Done);
    }
    let operation = match wish {
        Wish::Enabled => "start",
        Wish::Disabled => "stop",
    };
    let status = change::tell(operation, Some(name), &silent, &arguments.hook, common);
    let done = match wish {
        Wish::Enabled => start(name, known, &apps, &arguments.hook, common)?,
        Wish::Disabled => stop(name, known, &arguments.hook, common)?.0,
    };
    Ok(status.worse(done))
}

/// Whether the file had to be changed.
fn edit(file: &Path, wish: Wish, dry_run: bool) -> Result<bool, Failure> {
    let text = match fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(unwritten(file, source)),
    };
    let enabled = match &text {
        Some(_) => Some(is_enabled(file)?),
        None => None,
    };
    let new = match (wish, text, enabled) {
        (Wish::Enabled, None, _) => String::new(),
        (Wish::Enabled, Some(text), Some(false)) => with(&text, "true"),
        (Wish::Disabled, Some(text), Some(true)) => with(&text, "false"),
        _ => return Ok(false),
    };
    if !dry_run {
        replace(file, &new).map_err(|source| unwritten(file, source))?;
    }
    Ok(true)
}

fn is_enabled(file: &Path) -> Result<bool, Failure> {
    let invalid = |why: String| {
        let file = file.to_owned();
        let hint = why.clone();
        Failure::new(Status::Failed, RegistrationError::Invalid { file, why }).hint(hint)
    };
    let terms = installed::consult(file).map_err(|fault| invalid(fault.to_string()))?;
    let (registration, _) =
        Registration::from_terms(terms).map_err(|error| invalid(error.to_string()))?;
    Ok(registration.enabled)
}

/// What else a person wrote into it stays as it is: the last of several terms wins.
fn with(text: &str, value: &str) -> String {
    let other = if value == "true" { "false" } else { "true" };
    let written = format!("{{enabled, {other}}}.");
    match text.matches(&written).count() {
        1 => text.replace(&written, &format!("{{enabled, {value}}}.")),
        _ => {
            let end = if text.is_empty() || text.ends_with('\n') {
                ""
            } else {
                "\n"
            };
            format!("{text}{end}{{enabled, {value}}}.\n")
        }
    }
}

/// As a whole: a node that boots meanwhile reads the one or the other.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new()
        .prefix(".erlrc-")
        .tempfile_in(directory)?;
    new.write_all(text.as_bytes())?;
    new.as_file()
        .set_permissions(fs::Permissions::from_mode(0o644))?;
    new.as_file().sync_all()?;
    new.persist(file).map(drop).map_err(|error| error.error)
}

fn unwritten(file: &Path, source: io::Error) -> Failure {
    let file = file.to_owned();
    Failure::new(Status::Failed, RegistrationError::Write { file, source })
}

/// What each node that answers has of the application, and the nodes that do not answer.
fn known(
    name: &Atom,
    entries: &Entries,
    hook: &HookArguments,
) -> (Vec<(Entries, Known)>, Vec<Still>) {
    let asker = Asker {
        connection: &hook.connection,
    };
    let (mut known, mut silent) = (Vec::new(), Vec::new());
    for (node, entry) in entries {
        let said = match entry {
            Ok(entry) => asker
                .query(entry, vec![versions(name)])
                .map(|answers| (entry, answers)),
            Err(error) => Err(Box::new(Answer::entry_refused(error))),
        };
        match said {
            Ok((entry, answers)) => {
                let answer = answers.into_iter().next().flatten().unwrap_or(Term::NIL);
                let entries = vec![(node.clone(), Ok(entry.clone()))];
                known.push((entries, Known::of_answer(&answer)));
            }
            Err(answer) => silent.push(Still::of_answer(node, *answer)),
        }
    }
    (known, silent)
}

/// Runs one operation on nodes that are told apart by what each has.
fn round(operation: Operation, entries: &Entries, hook: &HookArguments, common: &Common) -> Status {
    let outcome = Round::new(hook, common).over(entries, &[operation]);
    outcome.map_or(Status::Done, |outcome| outcome.class.into())
}

type Stopped = Vec<(Entries, Version)>;

fn stop(
    name: &Atom,
    known: Vec<(Entries, Known)>,
    hook: &HookArguments,
    common: &Common,
) -> Result<(Status, Stopped), Failure> {
    let mut stopped = Vec::new();
    let mut status = Status::Done;
    for (entries, known) in known {
        let Some(vsn) = known.running else { continue };
        let version = Version {
            vsn,
            dir: known.origin,
        };
        let operation = Operation::new(name.clone(), Step::Stop(version.clone()));
        status = status.worse(round(operation, &entries, hook, common));
        if status != Status::Done {
            break;
        }
        stopped.push((entries, version));
    }
    status::refresh(common, &hook.connection);
    Ok((status, stopped))
}

fn start(
    name: &Atom,
    known: Vec<(Entries, Known)>,
    apps: &Path,
    hook: &HookArguments,
    common: &Common,
) -> Result<Status, Failure> {
    let mut status = Status::Done;
    for (entries, known) in known {
        if known.running.is_some() {
            continue;
        }
        let target = known.target(name, None, apps)?;
        let version = Version {
            vsn: target.vsn,
            dir: Some(target.dir),
        };
        let operation = Operation::new(name.clone(), Step::Start(version));
        status = status.worse(round(operation, &entries, hook, common));
    }
    status::refresh(common, &hook.connection);
    Ok(status)
}

/// Stops it and starts it again.
pub fn restart(arguments: &RestartArguments, common: &Common) -> Result<Status, Failure> {
    if hook::skipped() {
        return Ok(Status::Done);
    }
    let (name, hook) = (&arguments.app, &arguments.hook);
    let entries = nodes::entries(common, &hook.connection)?;
    let (known, silent) = known(name, &entries, hook);
    let apps = Apps::of_environment().apps;
    let anything = known.iter().any(|(_, known)| known.is_anything());
    if !anything && !resolution::is_known_to_host(name, common, &apps) {
        return Err(resolution::nowhere(name));
    }
    let unheard = change::tell("stop", Some(name), &silent, hook, common);
    if known.iter().all(|(_, known)| known.running.is_none()) {
        let node = match silent.is_empty() {
            true => "node",
            false => "node that answers",
        };
        let text = format!("{name} runs on no {node}, nothing to do\n");
        common.output().text(&text);
        if silent.is_empty() {
            change::unchanged("stop", Some(name), (&[], unheard), hook, common);
        }
    }
    let (stopping, stopped) = stop(name, known, hook, common)?;
    let mut status = unheard.worse(stopping);
    for (entries, version) in stopped {
        if hook.dry_run {
            continue;
        }
        let operation = Operation::new(name.clone(), Step::Start(version));
        status = status.worse(round(operation, &entries, hook, common));
    }
    status::refresh(common, &hook.connection);
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_else_is_written_stays() {
        assert_eq!(with("", "false"), "{enabled, false}.\n");
        let text = "% mine\n{enabled, true}.\n{on_exit, halt}.\n";
        let expected = "% mine\n{enabled, false}.\n{on_exit, halt}.\n";
        assert_eq!(with(text, "false"), expected);
        assert_eq!(with(expected, "true"), text);
        let odd = "{ enabled , false }.";
        assert_eq!(
            with(odd, "true"),
            "{ enabled , false }.\n{enabled, true}.\n"
        );
    }
}
