//! `erlrc completions`: completion scripts, from the same source as the help.

use super::{Common, Failure, Status, output};
use clap_complete::Shell;

/// Arguments of `erlrc completions`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "JSON: {\"kind\": \"completions\", \"version\": 1, \"shell\", \"script\"}\n\nExample:\n  erlrc completions bash > /usr/share/bash-completion/completions/erlrc"
)]
pub struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "erlrc", &mut script);
    let text = String::from_utf8_lossy(&script);
    let report = serde_json::json!({"shell": arguments.shell.to_string(), "script": text});
    match common.json {
        true => common.output().envelope("completions", 1, &report),
        false => output::raw(&script),
    }
    Ok(Status::Done)
}
