//! `erlrc init`: what a project needs that is to be packaged and upgraded. Never overwrites anything.

use super::arguments::directory;
use super::{Common, Failure, Output, Status};
use crate::package::project::{self, Source};
use crate::package::spec;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `erlrc init`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
In a project of rebar3 or mix it writes erlrc.toml, in which every key of a package's specification is
explained and commented out; for each application test/APP_upgrade_SUITE.erl, a suite of Common Test that
upgrades it on a node of its own and takes it back; and into .gitignore the packages that `erlrc package` makes.
What is there already stays as it is.

JSON: {\"kind\": \"init\", \"version\": 1, \"files\": [{\"file\", \"outcome\": \"written\" | \"extended\" | \"kept\"}]}.

Examples:
  erlrc init
  erlrc init ~/orders && rebar3 ct --suite test/orders_upgrade_SUITE")]
pub struct Arguments {
    /// The project
    #[arg(value_name = "DIR", value_parser = directory, default_value = ".")]
    dir: PathBuf,
}

const SUITE: &str = include_str!("upgrade_SUITE.template");

/// What `erlrc package` leaves in a project.
const IGNORED: [&str; 3] = ["/*.deb", "/*.rpm", "/*.changes"];

#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("{} is no project of rebar3 or mix: {why}", dir.display())]
    NoProject { dir: PathBuf, why: &'static str },
    #[error("cannot write {}", file.display())]
    Write {
        file: PathBuf,
        source: std::io::Error,
    },
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Written,
    Extended,
    Kept,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Extended => "extended",
            Self::Kept => "kept",
        }
    }
}

/// Writes what is not there, and says so.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let dir = &arguments.dir;
    let sources = sources(dir).map_err(|error| Failure::new(Status::Failed, error))?;
    let mut files = Vec::new();
    let mut note = |file: PathBuf, outcome| files.push((file, outcome));
    let name = match sources.as_slice() {
        [one] => one.name.as_str(),
        _ => "APP",
    };
    let toml = dir.join("erlrc.toml");
    note(toml.clone(), new(&toml, &spec::template(name))?);
    for source in &sources {
        let file = format!("test/{}_upgrade_SUITE.erl", source.name);
        let file = source.dir.join(file);
        note(file.clone(), new(&file, &suite(source, dir))?);
    }
    let ignore = dir.join(".gitignore");
    note(ignore.clone(), ignored(&ignore)?);
    print(&files, dir, common.output());
    Ok(Status::Done)
}

fn sources(dir: &Path) -> Result<Vec<Source>, InitError> {
    let none = |why| InitError::NoProject {
        dir: dir.to_owned(),
        why,
    };
    if !project::is_project(dir) {
        return Err(none("it has neither rebar.config nor mix.exs"));
    }
    let sources = project::sources(dir);
    match sources.is_empty() {
        true => Err(none(
            "no application's sources are in it, in apps, lib or libs",
        )),
        false => Ok(sources),
    }
}

fn suite(source: &Source, project: &Path) -> String {
    let at = source.dir.strip_prefix(project).unwrap_or(Path::new(""));
    let dir = at.join("test").display().to_string();
    let name = &source.name;
    let run = if project.join("rebar.config").is_file() {
        format!("rebar3 ct --suite {dir}/{name}_upgrade_SUITE")
    } else {
        format!("mix compile && ct_run -pa _build/dev/lib/*/ebin -suite {dir}/{name}_upgrade_SUITE")
    };
    SUITE.replace("~APP~", name).replace("~RUN~", &run)
}

fn failed(file: &Path, source: std::io::Error) -> Failure {
    let file = file.to_owned();
    Failure::new(Status::Failed, InitError::Write { file, source })
}

/// Writes a file that is not there; neither a link nor anything else is followed or replaced.
fn new(file: &Path, text: &str) -> Result<Outcome, Failure> {
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).map_err(|source| failed(file, source))?;
    }
    let mut opened = match OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Ok(Outcome::Kept);
        }
        Err(source) => return Err(failed(file, source)),
    };
    opened
        .write_all(text.as_bytes())
        .map_err(|source| failed(file, source))?;
    Ok(Outcome::Written)
}

/// Adds the lines that are missing at the end.
fn ignored(file: &Path) -> Result<Outcome, Failure> {
    let lines = |missing: &[&str]| {
        missing
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    if new(file, &lines(&IGNORED))? == Outcome::Written {
        return Ok(Outcome::Written);
    }
    let text = fs::read_to_string(file).map_err(|source| failed(file, source))?;
    let is_missing = |line: &&str| !text.lines().any(|known| known.trim_end() == *line);
    let missing: Vec<&str> = IGNORED.into_iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(Outcome::Kept);
    }
    let before = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let mut opened = OpenOptions::new()
        .append(true)
        .open(file)
        .map_err(|source| failed(file, source))?;
    opened
        .write_all(format!("{before}{}", lines(&missing)).as_bytes())
        .map_err(|source| failed(file, source))?;
    Ok(Outcome::Extended)
}

fn print(files: &[(PathBuf, Outcome)], dir: &Path, out: Output) {
    let listed: Vec<_> = files
        .iter()
        .map(|(file, outcome)| json!({"file": file.display().to_string(), "outcome": outcome.word()}))
        .collect();
    out.envelope("init", 1, &json!({"files": listed}));
    for (file, outcome) in files {
        let file = file.strip_prefix(dir).unwrap_or(file).display();
        out.text(&match outcome {
            Outcome::Kept => format!("{file} is there and stays as it is\n"),
            outcome => format!("{file} {}\n", outcome.word()),
        });
    }
}
