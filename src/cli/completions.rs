//! `erlrc completions`: completion scripts, from the same source as the help.

use super::{Common, Failure, Status, output};
use clap_complete::Shell;

/// Arguments of `erlrc completions`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Example:\n  erlrc completions bash > /usr/share/bash-completion/completions/erlrc"
)]
pub struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub fn run(arguments: &Arguments, _: &Common) -> Result<Status, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "erlrc", &mut script);
    output::raw(&script);
    Ok(Status::Done)
}
