//! `erlrc make-boot-script`: the boot script of a minimal release. OTP's own `systools` makes it, in
//! an Erlang that lives for as long as that takes.

use super::{Common, Failure, Status, arguments};
use crate::application::vsn;
use crate::term::Atom;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// A `-s` whose module is missing would leave a crash dump behind.
const MAIN: &str = r#"
    case code:ensure_loaded(erlrc_boot_script) of
        {module, Module} ->
            Module:main();
        {error, _} ->
            Text = "erlrc: Erlang does not find the application erlrc; name its ebin by --path
",
            io:put_chars(standard_error, Text),
            halt(1)
    end."#;

/// Arguments of `erlrc make-boot-script`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Writes NAME.rel, NAME.script and NAME.boot for kernel, stdlib, sasl, erlrc, the applications that are
named and all that these depend on. A node that is started with it boots what is registered, and ends
with status 1 when that fails; under systemd it says when it is ready (Type=notify).

JSON: {\"kind\": \"boot_script\", \"version\": 1, \"files\": [FILE], \"dry_run\"}

Examples:
  erlrc make-boot-script /usr/lib/node1/boot crypto,ssl
  erl -boot /usr/lib/node1/boot -sname node1")]
pub struct Arguments {
    /// Where to write, without the suffix
    #[arg(value_parser = arguments::directory)]
    name: PathBuf,
    /// Further applications, with commas between them
    #[arg(value_delimiter = ',', value_parser = arguments::application)]
    applications: Vec<Atom>,
    /// Print what would be written
    #[arg(long)]
    dry_run: bool,
    /// The erl to use
    #[arg(long, value_name = "FILE", default_value = "erl")]
    erl: PathBuf,
    /// Further directories of modules (ebin)
    #[arg(long, value_name = "DIR", value_parser = arguments::directory)]
    path: Vec<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum MakeError {
    #[error("cannot run {}", erl.display())]
    Erl {
        erl: PathBuf,
        source: std::io::Error,
    },
    #[error("no boot script was written")]
    Refused,
    #[error("{} ended with {status}", erl.display())]
    Ended { erl: PathBuf, status: ExitStatus },
}

/// Has the files written.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let files = [".rel", ".script", ".boot"].map(|suffix| {
        let mut file = arguments.name.clone().into_os_string();
        file.push(suffix);
        file.to_string_lossy().into_owned()
    });
    if !arguments.dry_run {
        make(arguments)?;
    }
    let out = common.output();
    let report = json!({ "files": files, "dry_run": arguments.dry_run });
    out.envelope("boot_script", 1, &report);
    for file in &files {
        out.text(&format!("{file}\n"));
    }
    Ok(Status::Done)
}

/// What went wrong inside Erlang it has said by itself.
fn make(arguments: &Arguments) -> Result<(), Failure> {
    let erl = arguments.erl.clone();
    let failed = |error| Failure::new(Status::Failed, error);
    let status = command(arguments).status().map_err(|source| {
        let erl = erl.clone();
        failed(MakeError::Erl { erl, source }).hint("name the Erlang to use by --erl")
    })?;
    match status.code() {
        Some(0) => Ok(()),
        Some(1) => Err(failed(MakeError::Refused)),
        _ => Err(failed(MakeError::Ended { erl, status })),
    }
}

/// An Erlang that lives for as long as its work takes, whatever flags the environment has for others.
pub fn erl(program: &Path) -> Command {
    let mut command = Command::new(program);
    for variable in ["ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS"] {
        command.env_remove(variable);
    }
    command.args(["-noinput", "-noshell"]).stdin(Stdio::null());
    command
}

fn command(arguments: &Arguments) -> Command {
    let mut command = erl(&arguments.erl);
    command.args(["-boot", "start_clean"]);
    for dir in own_modules().iter().chain(&arguments.path) {
        command.arg("-pa").arg(dir);
    }
    command.args(["-eval", MAIN, "-extra"]);
    command.arg(&arguments.name);
    if !arguments.applications.is_empty() {
        let names: Vec<&str> = arguments.applications.iter().map(Atom::as_str).collect();
        command.arg(names.join(","));
    }
    // Standard output belongs to this command.
    command.stdout(Stdio::null());
    command
}

/// The modules of the application erlrc that this program belongs to; none where it is for Erlang to find
/// them.
fn own_modules() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    let called = std::env::args_os().next().map(std::path::absolute);
    let called = called.and_then(Result::ok);
    ebins(&program, called.as_deref())
        .into_iter()
        .find(|ebin| ebin.join("erlrc.app").is_file())
}

/// Where the modules may be, seen from a program. It lies in the application's `priv`, which rebar3 makes
/// a link to that of the sources, or in a `bin` beside `lib/erlang`.
fn ebins(program: &Path, called: Option<&Path>) -> Vec<PathBuf> {
    let place = |program: &Path| program.parent().and_then(Path::parent).map(Path::to_owned);
    let Some(top) = place(program) else {
        return Vec::new();
    };
    // As called it may be the link.
    let mut ebins: Vec<PathBuf> = [Some(top.clone()), called.and_then(place)]
        .into_iter()
        .flatten()
        .map(|place| place.join("ebin"))
        .collect();
    let profiles = [top.join("_build/default")].into_iter();
    let profiles = profiles.chain(within(&top.join("_build"), ""));
    ebins.extend(profiles.map(|profile| profile.join("lib/erlrc/ebin")));
    let installed = within(&top.join("lib/erlang/lib"), "erlrc-");
    ebins.extend(installed.map(|application| application.join("ebin")));
    ebins
}

/// What is in a directory under names that start with `prefix`, the latest version first.
fn within(directory: &Path, prefix: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
    names.sort_by(|a, b| vsn::compare(b, a));
    let directory = directory.to_owned();
    names.into_iter().map(move |name| directory.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(program: &str, called: &str, expected: &str) {
        let top = tempfile::tempdir().expect("a directory");
        for directory in [
            "source/_build/default/lib/erlrc/ebin",
            "usr/lib/erlang/lib/erlrc-1.9/ebin",
            "usr/lib/erlang/lib/erlrc-1.10/ebin",
        ] {
            let ebin = top.path().join(directory);
            std::fs::create_dir_all(&ebin).expect("directories");
            std::fs::write(ebin.join("erlrc.app"), "").expect("a file");
        }
        let (program, called) = (top.path().join(program), top.path().join(called));
        let found = ebins(&program, Some(&called)).into_iter();
        let found = found
            .map(|ebin| ebin.join("erlrc.app"))
            .find(|file| file.is_file());
        assert_eq!(found, Some(top.path().join(expected).join("erlrc.app")));
    }

    #[test]
    fn the_modules_are_found_from_where_the_program_is() {
        let built = "source/_build/default/lib/erlrc";
        let link = format!("{built}/priv/erlrc");
        case(&link, "elsewhere/erlrc", &format!("{built}/ebin"));
        case("elsewhere/priv/erlrc", &link, &format!("{built}/ebin"));
        case("source/priv/erlrc", "erlrc", &format!("{built}/ebin"));
        case(
            "usr/bin/erlrc",
            "erlrc",
            "usr/lib/erlang/lib/erlrc-1.10/ebin",
        );
    }
}
