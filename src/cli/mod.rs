//! The command line: one file per command, arguments → request → outcome → text.
//!
//! The only place that prints or reads the environment. A new command is a file with a
//! `#[derive(clap::Args)] pub struct Arguments` and `pub fn run(arguments, &Common) ->
//! Result<Status, Failure>`, a variant of [`Command`] and an arm of `Command::run`; `erlrc-<name>`,
//! help, manual page and completions follow from that.

mod apply;
pub mod arguments;
mod ask;
mod boot_order;
mod change;
mod check;
mod colours;
mod completions;
mod config;
mod confirm;
mod deb;
mod debhelper;
mod describe;
mod doctor;
mod downgrade;
mod env;
mod eval;
#[cfg(test)]
mod examples;
mod exit_status;
mod failure;
mod history;
mod hook;
mod init;
mod keys;
mod leftover;
mod list;
mod logs;
mod maint;
mod make_appup;
mod make_boot_script;
mod make_migration;
mod man;
mod nodes;
pub mod output;
mod package;
mod page;
mod plan;
mod provisional;
mod quick;
#[cfg(test)]
mod reference;
mod registration;
mod release;
mod resolution;
mod revert;
mod runs;
mod scratch;
mod settings;
mod snapshot;
mod start;
mod status;
mod stop;
mod table;
mod undo;
mod upgrade;
mod words;

pub use arguments::{Common, Connection};
pub use exit_status::Status;
pub use failure::Failure;
pub use output::{Form, Output};

use clap::{CommandFactory, Parser, Subcommand};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

/// Starts, upgrades, downgrades and stops OTP applications in the running nodes of this host.
#[derive(Debug, Parser)]
#[command(
    name = "erlrc",
    version,
    propagate_version = true,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub common: Common,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start an application on the running nodes of this host
    Start(start::Arguments),
    /// Stop an application on the running nodes of this host
    Stop(stop::Arguments),
    /// Upgrade applications without a restart
    Upgrade(upgrade::Arguments),
    /// Downgrade an application without a restart
    Downgrade(downgrade::Arguments),
    /// Undo the last upgrade or downgrade
    Undo(undo::Arguments),
    /// Confirm a provisional upgrade, or a run of erlrc apply
    Confirm(confirm::Arguments),
    /// Restart an application on every node that runs it
    Restart(registration::RestartArguments),
    /// Enable an application: nodes start it when they boot
    #[command(after_help = "\
Registers the application, or puts its registration in force; what else the file says stays. With --now it
is started on every node where it does not run.

JSON: {\"kind\": \"registration\", \"version\": 1, \"application\", \"enabled\", \"changed\", \"file\"}; with --now as erlrc start
after it, for each node where it does not run.

Examples:
  erlrc enable egerl
  erlrc enable --now egerl")]
    Enable(registration::Arguments),
    /// Disable an application: nodes do not start it when they boot
    #[command(after_help = "\
The registration stays and says {enabled, false}. With --now the application is stopped on every node.

JSON: as erlrc enable; with --now as erlrc stop after it, for each node that runs it.

Examples:
  erlrc disable egerl
  erlrc disable --now egerl")]
    Disable(registration::Arguments),
    /// List applications, and which version runs on which node
    List(list::Arguments),
    /// Show everything about one application
    Describe(describe::Arguments),
    /// Check that all is well, at once or within a time
    Check(check::Arguments),
    /// Show the messages of past operations, oldest first
    Logs(logs::Arguments),
    /// Show the state of the nodes and applications of this host
    Status(status::Arguments),
    /// Show past operations with their outcome and duration
    History(history::Arguments),
    /// Find problems, and repair those that are safe to repair
    Doctor(doctor::Arguments),
    /// Show every setting of this host and its nodes, with its source
    Config(config::Arguments),
    /// Manage OTP trees that upgrades of the distribution leave alone
    Env(env::Arguments),
    /// Change packages as one step, with one way back
    Apply(apply::Arguments),
    /// Take back a run of erlrc apply
    Revert(revert::Arguments),
    /// List the runs of erlrc apply
    Runs(runs::Arguments),
    /// Keep the package state of this host under a tag
    Snapshot(snapshot::Arguments),
    /// Manage sets of applications that belong together, as releases of a service
    Release(release::Arguments),
    /// Evaluate Erlang expressions on a node
    Eval(eval::Arguments),
    /// Show which applications a node starts when it boots, in which order and why
    BootOrder(boot_order::Arguments),
    /// Write a boot script that starts the registered applications
    MakeBootScript(make_boot_script::Arguments),
    /// Print the appup between two versions of an application
    #[command(visible_alias = "makeappup")]
    MakeAppup(make_appup::Arguments),
    /// Print the code that converts states between two versions of an application
    MakeMigration(make_migration::Arguments),
    /// Prepare a project for packages and hot upgrades
    Init(init::Arguments),
    /// Make a .deb or .rpm of a built application
    Package(package::Arguments),
    /// Show what an upgrade would do, and what would go wrong
    Plan(plan::Arguments),
    /// Do the work of a package's maintainer script
    #[command(hide = true)]
    Maint(Box<maint::Arguments>),
    /// Add applications to the packages that debhelper builds
    Debhelper(debhelper::Arguments),
    /// Print the completion script of a shell
    Completions(completions::Arguments),
    /// Say what may come next on a command line
    #[command(hide = true)]
    Complete(completions::Words),
    /// Write the manual pages into a directory
    Man(man::Arguments),
}

impl Command {
    fn run(self, common: &Common) -> Result<Status, Failure> {
        match self {
            Self::Start(arguments) => start::run(arguments, common),
            Self::Stop(arguments) => stop::run(arguments, common),
            Self::Upgrade(arguments) => upgrade::run(arguments, common),
            Self::Downgrade(arguments) => downgrade::run(arguments, common),
            Self::Undo(arguments) => undo::run(&arguments, common),
            Self::Confirm(arguments) => confirm::run(&arguments, common),
            Self::Restart(arguments) => registration::restart(&arguments, common),
            Self::Enable(arguments) => registration::enable(&arguments, common),
            Self::Disable(arguments) => registration::disable(&arguments, common),
            Self::List(arguments) => list::run(&arguments, common),
            Self::Describe(arguments) => describe::run(&arguments, common),
            Self::Check(arguments) => check::run(&arguments, common),
            Self::Logs(arguments) => logs::run(&arguments, common),
            Self::Status(arguments) => status::run(&arguments, common),
            Self::History(arguments) => history::run(&arguments, common),
            Self::Doctor(arguments) => doctor::run(&arguments, common),
            Self::Config(arguments) => config::run(&arguments, common),
            Self::Env(arguments) => env::run(arguments, common),
            Self::Apply(arguments) => apply::run(arguments, common),
            Self::Revert(arguments) => revert::run(&arguments, common),
            Self::Runs(arguments) => runs::run(&arguments, common),
            Self::Snapshot(arguments) => snapshot::run(arguments, common),
            Self::Release(arguments) => release::run(arguments, common),
            Self::Eval(arguments) => eval::run(&arguments, common),
            Self::BootOrder(arguments) => boot_order::run(&arguments, common),
            Self::MakeBootScript(arguments) => make_boot_script::run(&arguments, common),
            Self::MakeAppup(arguments) => make_appup::run(arguments, common),
            Self::MakeMigration(arguments) => make_migration::run(&arguments, common),
            Self::Init(arguments) => init::run(&arguments, common),
            Self::Package(arguments) => package::run(arguments, common),
            Self::Plan(arguments) => plan::run(arguments, common),
            Self::Maint(arguments) => maint::run(&arguments, common),
            Self::Debhelper(arguments) => debhelper::run(&arguments, common),
            Self::Completions(arguments) => completions::run(&arguments, common),
            Self::Complete(arguments) => completions::complete(&arguments, common),
            Self::Man(arguments) => man::run(&arguments, common),
        }
    }
}

/// Where things are, for the page of the whole.
const FILES: &str = "\
Files:
  /etc/erlrc.d/applications/APP      registered: APP is to run; may hold
                                     {enabled, false}. {on_exit, halt}.
  /etc/erlrc.d/applications/APP.app  overrides keys of its .app
  /etc/erlrc.d/nodes/NODE            a node: its cookie, or lines
                                     cookie_file=, port=, host=
  /run/erlrc/nodes/NODE              the same, written by the node
  /etc/erlrc.d/erlrc.conf            what erlrc-maint(8) goes by
  /usr/lib/erlrc/apps/APP            what a package installed
  /usr/lib/erlrc/stash               old versions that nodes still run
  /usr/lib/erlrc/env                 OTP trees that erlrc env made
  /usr/lib/erlrc/services/S/releases releases that erlrc release made
  /var/lib/erlrc                     history and journal
  /var/lib/erlrc/snapshots           what erlrc snapshot keeps
  /var/lib/erlrc/runs                runs of erlrc apply
  /var/lib/erlrc/services/S/current  which release of S is current

ERLRC_SKIP=1 in the environment makes every hook do nothing.

";

/// Commands that change no node and ask none for more than what it runs: of the statuses they have these.
const AT_HOME: &[&str] = &[
    "boot-order",
    "completions",
    "config",
    "debhelper",
    "env",
    "history",
    "init",
    "logs",
    "make-appup",
    "make-boot-script",
    "man",
    "release",
];

/// The exit statuses of a command, or of all.
fn statuses(name: Option<&str>) -> String {
    let at_home = name.is_some_and(|name| AT_HOME.contains(&name));
    let has = |status: &&Status| !at_home || matches!(status.code(), 0..=2 | 70);
    let meaning = |status: &Status| match (at_home, status) {
        (true, Status::Done) => "done",
        (true, Status::Failed) => "refused or failed",
        _ => status.meaning(),
    };
    let listed = Status::ALL.iter().filter(has);
    listed.fold(String::from("Exit status:\n"), |text, status| {
        format!("{text}{:>4}  {}\n", status.code(), meaning(status))
    })
}

/// The command line with the exit statuses under each command's help.
pub fn command() -> clap::Command {
    let (all, usages) = (statuses(None), usages());
    let mut command = Cli::command()
        .after_help(all.clone())
        .after_long_help(format!("{FILES}{all}"));
    let names: Vec<String> = command
        .get_subcommands()
        .map(|c| c.get_name().to_owned())
        .collect();
    for name in names {
        command = command.mut_subcommand(&name, |mut subcommand| {
            let nested: Vec<String> = subcommand
                .get_subcommands()
                .map(|c| c.get_name().to_owned())
                .collect();
            for nested in nested {
                let whole = format!("{name} {nested}");
                subcommand = subcommand
                    .mut_subcommand(&nested, |nested| explained(nested, &whole, &name, &usages));
            }
            explained(subcommand, &name, &name, &usages)
        });
    }
    command
}

/// `command`, called by `whole`, with its usage and with the exit statuses that `name` has under its help.
fn explained(
    command: clap::Command,
    whole: &str,
    name: &str,
    usages: &BTreeMap<String, String>,
) -> clap::Command {
    let examples = command.get_after_help().map(ToString::to_string);
    let text = examples.map_or_else(String::new, |text| format!("{}\n\n", flowing(&text)));
    let command = match usages.get(whole) {
        Some(usage) => command.override_usage(usage.clone()),
        None => command,
    };
    command.after_help(format!("{text}{}", statuses(Some(name))))
}

/// The usage of each command as it is where no variable is set: clap takes a set variable for an option that was given,
/// and shows it as if it had to be.
fn usages() -> BTreeMap<String, String> {
    let mut whole = Cli::command();
    whole.build();
    let usage = |command: &mut clap::Command| {
        let usage = command.render_usage().to_string();
        Some(usage.strip_prefix("Usage: ")?.trim().to_owned())
    };
    let mut found = BTreeMap::new();
    for command in whole.get_subcommands_mut() {
        let name = command.get_name().to_owned();
        found.extend(usage(command).map(|usage| (name.clone(), usage)));
        for nested in command.get_subcommands_mut() {
            let whole = format!("{name} {}", nested.get_name());
            found.extend(usage(nested).map(|usage| (whole, usage)));
        }
    }
    found
}

/// `text` with each paragraph on one line, so that it becomes as wide as the terminal is; what is indented
/// stays as it is.
fn flowing(text: &str) -> String {
    let is_plain = |line: &str| !line.is_empty() && !line.starts_with(' ');
    let mut flowing = String::new();
    let mut before = "";
    for line in text.lines() {
        let joined = is_plain(before) && is_plain(line);
        if !flowing.is_empty() {
            flowing.push(if joined { ' ' } else { '\n' });
        }
        flowing.push_str(line);
        before = line;
    }
    flowing
}

/// Runs the command line of a process: `arguments` include the name it was called by.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        let text = format!(
            "erlrc: internal error: {}\n",
            output::printable(&panic.to_string())
        );
        output::error_text(&text);
    }));
    let arguments = multi_call(arguments.into_iter().collect());
    let form = form_for(&arguments);
    let status = panic::catch_unwind(AssertUnwindSafe(|| dispatch(arguments)));
    let bug = |_| {
        let failure = Failure::new(Status::Bug, "internal error, standard error says more");
        Output::new(form).json(&failure.json());
        Status::Bug
    };
    status.unwrap_or_else(bug).into()
}

/// The form of output that is asked for, where the command line may be a wrong one.
fn form_for(arguments: &[OsString]) -> Form {
    let mut options = arguments.iter().take_while(|word| *word != "--");
    match options.any(|word| word == "--json") {
        true => Form::Json,
        false => Form::Text,
    }
}

fn dispatch(arguments: Vec<OsString>) -> Status {
    if let Some(cli) = words::parse(&arguments).or_else(|| quick::parse(&arguments)) {
        return run(cli);
    }
    let parsed = Cli::command().try_get_matches_from(&arguments);
    let matches = match parsed.or_else(|_| command().try_get_matches_from(&arguments)) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version go to standard output and are no errors.
            let status = if error.use_stderr() {
                Status::Usage
            } else {
                Status::Done
            };
            let _ = error.print();
            if status == Status::Usage {
                let text = error.to_string();
                let first: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
                let first = first.join(" ").trim_start_matches("error: ").to_owned();
                let failure = Failure::new(status, first);
                Output::new(form_for(&arguments)).json(&failure.json());
            }
            return status;
        }
    };
    let cli = <Cli as clap::FromArgMatches>::from_arg_matches(&matches)
        .unwrap_or_else(|error| error.exit());
    run(cli)
}

fn run(cli: Cli) -> Status {
    let common = cli.common;
    colours::choose(common.color);
    match cli.command.run(&common) {
        Ok(status) => status,
        Err(failure) => {
            common.output().json(&failure.json());
            output::error_text(&failure.text());
            failure.status()
        }
    }
}

/// `erlrc-start …` is `erlrc start …`, for every command and its aliases; `dh_erlrc` has the name that
/// debhelper asks for.
fn multi_call(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let called = arguments.first().map(std::path::Path::new);
    let name = called
        .and_then(|path| path.file_name())
        .and_then(|name| name.to_str());
    let wanted = name.and_then(|name| match name {
        "dh_erlrc" => Some("debhelper"),
        name => name.strip_prefix("erlrc-"),
    });
    let is_known =
        |wanted: &&str| quick::is_hook(wanted) || Cli::command().find_subcommand(wanted).is_some();
    let known = wanted.filter(is_known);
    if let Some(known) = known.map(OsString::from) {
        // What usage and errors call it: `erlrc start`, not `erlrc-start start`.
        arguments.splice(0..1, ["erlrc".into(), known]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(called: &[&str], expected: &[&str]) {
        let called = called.iter().map(OsString::from).collect();
        assert_eq!(multi_call(called), expected);
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn paragraphs_flow_and_what_is_indented_stays() {
        let text = "One\ntwo.\n\nThree:\n  a\n  b\n\nFour\nfive";
        let expected = "One two.\n\nThree:\n  a\n  b\n\nFour five";
        assert_eq!(flowing(text), expected);
    }

    #[test]
    fn the_name_it_is_called_by_chooses_the_command() {
        case(&["/usr/bin/erlrc-man", "x"], &["erlrc", "man", "x"]);
        case(&["/usr/bin/dh_erlrc"], &["erlrc", "debhelper"]);
        case(&["erlrc", "man"], &["erlrc", "man"]);
        case(&["erlrc-unknown", "x"], &["erlrc-unknown", "x"]);
        case(&[], &[]);
    }
}
