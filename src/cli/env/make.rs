//! `erlrc env make`: an environment in which the applications named can run.

use super::{Place, count, failed, size, unfinished};
use crate::cli::arguments::{Apps, application, directory};
use crate::cli::{Common, Failure, Output, Status, output};
use crate::environment::choice::{self, Choice};
use crate::environment::needs::Unmet;
use crate::environment::source::Tree;
use crate::environment::store::{Made, Prepared, unmet_here};
use crate::term::Atom;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where distributions have their tree.
const TREES: [&str; 3] = [
    "/usr/lib/erlang",
    "/usr/lib64/erlang",
    "/usr/local/lib/erlang",
];

/// Arguments of `erlrc env make`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
kernel, stdlib and sasl are always in it, and all that the applications named need of OTP, at any distance. One that
is no part of OTP stays where its package has it: what it needs of OTP comes in. Files are linked; those that another
user could change, and those of another file system, are copied. An environment of the same content is made once.

Before it gets its place, what its native code asks of this host's libraries is compared with what they have: a
tree that is too new is refused with the symbol version that is missing, and nothing of it has run.

JSON: {\"kind\": \"environment_made\", \"version\": 1, \"name\", \"dir\", \"new\", \"otp\", \"erts\", \"from\", \"applications\":
{NAME: VSN}, \"outside\": [NAME], \"files\", \"bytes\", \"copied\", \"start\"}, schema/environment_made-1.json

Examples:
  erlrc env make
  erlrc env make ssl mnesia
  erlrc env make tally --from /opt/otp-27")]
pub struct Arguments {
    /// Applications that are to run in it
    #[arg(value_name = "APP", value_parser = application)]
    applications: Vec<Atom>,
    /// OTP tree to make it from, or the directory that it is installed below [default: the distribution's]
    #[arg(long, value_name = "DIR", value_parser = directory)]
    from: Option<PathBuf>,
    #[command(flatten)]
    packages: Apps,
    #[command(flatten)]
    place: Place,
}

/// A tree that cannot run here.
#[derive(Debug, thiserror::Error)]
#[error("OTP {otp} of {} cannot run on this host: {}", from.display(), unmet.join("; "))]
struct Unfit {
    otp: String,
    from: PathBuf,
    unmet: Vec<String>,
}

/// Makes it.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    let tree = tree(arguments.from.as_deref())?.with_packages(&arguments.packages.apps);
    let names = arguments.applications.iter().map(ToString::to_string);
    let asked: BTreeSet<String> = names.collect();
    let choice = choice::choose(&tree.found, &asked).map_err(|error| {
        let hint = "install the package that brings it, or name the tree that has it with --from";
        Failure::new(Status::Failed, error).hint(hint)
    })?;
    let store = arguments.place.store();
    let prepared = store.prepare(&tree, &choice, &asked, &unfinished("make"));
    let prepared = prepared.map_err(failed)?;
    let place = |path: &str| prepared.dir().join(path);
    let unmet = unmet_here(&prepared.content, place);
    if !unmet.is_empty() {
        return Err(unfit(&tree, &unmet));
    }
    let said = said(&prepared, &choice);
    let made = store.commit(prepared).map_err(failed)?;
    say(&made, said, common.output());
    Ok(Status::Done)
}

/// The command that makes an environment for these applications from this tree.
pub fn command(applications: &[String], from: Option<&Path>) -> String {
    let usual = usual_tree();
    let from = from.filter(|from| usual.canonicalize().ok().as_deref() != Some(from));
    let mut command = "erlrc env make".to_owned();
    for application in applications {
        command = format!("{command} {application}");
    }
    match from {
        Some(dir) => format!("{command} --from {}", dir.display()),
        None => command,
    }
}

fn usual_tree() -> &'static Path {
    let mut places = TREES.map(Path::new).into_iter();
    let found = places.find(|dir| dir.exists());
    found.unwrap_or(Path::new(TREES[0]))
}

/// The tree to make it from.
pub(in crate::cli) fn tree(from: Option<&Path>) -> Result<Tree, Failure> {
    let hint = "--from DIR names the tree";
    match from {
        Some(dir) => Tree::read(dir).map_err(failed),
        None => Tree::read(usual_tree()).map_err(|error| failed(error).hint(hint)),
    }
}

fn unfit(tree: &Tree, unmet: &[Unmet]) -> Failure {
    let unfit = Unfit {
        otp: tree.otp.clone(),
        from: tree.root.clone(),
        unmet: unmet.iter().map(Unmet::text).collect(),
    };
    let hint = "take a tree that was built for this release of the distribution";
    Failure::new(Status::Failed, unfit).hint(hint)
}

fn said(prepared: &Prepared, choice: &Choice) -> serde_json::Value {
    let record = &prepared.record;
    json!({
        "name": record.name(),
        "otp": record.otp,
        "erts": record.erts,
        "from": record.from,
        "applications": record.applications,
        "outside": choice.others,
        "files": record.files.len() + 1,
        "bytes": record.bytes,
        "copied": prepared.copied,
    })
}

fn say(made: &Made, mut said: serde_json::Value, out: Output) {
    let start = made.dir.join("bin/erl");
    if let Some(said) = said.as_object_mut() {
        said.insert("dir".to_owned(), json!(made.dir));
        said.insert("new".to_owned(), json!(made.is_new));
        said.insert("start".to_owned(), json!(start));
    }
    out.envelope("environment_made", 1, &said);
    let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| said[key].as_u64().unwrap_or_default();
    let what = match made.is_new {
        true => "made",
        false => "is there already",
    };
    let files = count(usize::try_from(number("files")).unwrap_or(0), "file");
    let copied = match number("copied") {
        0 => String::new(),
        copied => format!(", {copied} of them copied"),
    };
    let size = size(number("bytes"));
    let applications = said["applications"].as_object().into_iter().flatten();
    let listed: Vec<String> = applications
        .map(|(name, vsn)| format!("{name} {}", vsn.as_str().unwrap_or_default()))
        .collect();
    let text = format!(
        "{}: {what}, OTP {} from {}, {files}{copied}, {size}\n  erts {}, {}\n  {} starts a node from it\n",
        text("name"),
        text("otp"),
        text("from"),
        text("erts"),
        listed.join(", "),
        start.display(),
    );
    out.text(&output::printable_lines(&text));
}
