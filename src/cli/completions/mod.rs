//! `erlrc completions`: completion scripts. Those for bash, zsh and fish ask the program itself, which knows the
//! applications, nodes and versions of the host; no node is asked.

mod candidates;

pub use candidates::{Words, complete};

use super::{Common, Failure, Status, output};
use clap_complete::Shell;

/// Arguments of `erlrc completions`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The scripts for bash, zsh and fish complete applications, versions, nodes and operations, too, as packages,
registrations, entries and history name them, and serve erlrc-start, erlrc-upgrade and the like as well.

JSON: {\"kind\": \"completions\", \"version\": 1, \"shell\", \"script\"}

Example:
  erlrc completions bash > /usr/share/bash-completion/completions/erlrc")]
pub struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

const BASH: &str = include_str!("erlrc.bash");
const ZSH: &str = include_str!("erlrc.zsh");
const FISH: &str = include_str!("erlrc.fish");

/// Prints the script.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let script = match arguments.shell {
        Shell::Bash => named(BASH),
        Shell::Zsh => named(ZSH),
        Shell::Fish => named(FISH),
        shell => generated(shell),
    };
    let report = serde_json::json!({"shell": arguments.shell.to_string(), "script": script});
    match common.json {
        true => common.output().envelope("completions", 1, &report),
        false => output::raw(script.as_bytes()),
    }
    Ok(Status::Done)
}

/// A script with every name that the program has.
fn named(script: &str) -> String {
    let command = super::command();
    let names = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let names: Vec<String> = names
        .map(|command| format!("erlrc-{}", command.get_name()))
        .collect();
    script.replace("@NAMES@", &names.join(" "))
}

fn generated(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "erlrc", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
