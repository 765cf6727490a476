//! `erlrc env check`: whether environments are whole, can run here, and have what the distribution has now.

use super::list::chain;
use super::{Place, make};
use crate::cli::{Common, Failure, Status, output};
use crate::environment::content::{self, Content};
use crate::environment::drift::{self, Behind, Now};
use crate::environment::needs::Unmet;
use crate::environment::source::{Link, Tree};
use crate::environment::store::{Store, unmet_here};
use crate::environment::{EnvironmentError, Record};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;

/// Arguments of `erlrc env check`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Every file is compared with the record, and every library that native code asks for is looked for, with the symbol
versions: what would fail in the dynamic linker is named before anything runs. Then the environment is compared with
the tree that it was made from. Security updates of a distribution keep the version of an application, so bytes decide.

Verdicts: well; behind, the tree has something newer; damaged, it is not what was made; unfit, this host cannot run
it. The status is 1 where one is damaged or unfit; with --strict also where one is behind.

JSON: {\"kind\": \"environment_check\", \"version\": 1, \"environments\": [{\"name\", \"verdict\", \"findings\": [TEXT], \"behind\":
[{\"part\", \"vsn\", \"now\", \"files\"}]}], \"status\"}, schema/environment_check-1.json

Examples:
  erlrc env check
  erlrc env check otp-25.2.3-6f1c0a92d3b4 --strict")]
pub struct Arguments {
    /// These alone
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Fail where the tree has something newer
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    place: Place,
}

/// How an environment stands.
pub struct Stand {
    /// Its name.
    pub name: String,
    /// In a word.
    pub verdict: Verdict,
    /// One line each.
    pub findings: Vec<String>,
    /// The parts of which the tree has something newer.
    pub behind: Vec<Behind>,
    /// The command that makes another one of the same kind.
    again: String,
}

/// In a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All is well.
    Well,
    /// The tree that it was made from has something newer.
    Behind,
    /// It is not what was made.
    Damaged,
    /// This host cannot run it.
    Unfit,
}

/// Looks and says.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let (store, out) = (arguments.place.store(), common.output());
    let names = match arguments.names.is_empty() {
        true => store.names(),
        false => arguments.names.clone(),
    };
    let stands: Vec<Stand> = names.iter().map(|name| stand(&store, name)).collect();
    let is_bad = |stand: &Stand| match stand.verdict {
        Verdict::Well => false,
        Verdict::Behind => arguments.strict,
        Verdict::Damaged | Verdict::Unfit => true,
    };
    let status = match stands.iter().any(is_bad) {
        true => Status::Failed,
        false => Status::Done,
    };
    let listed: Vec<_> = stands
        .iter()
        .map(|stand| {
            json!({
                "name": stand.name, "verdict": stand.verdict,
                "findings": stand.findings, "behind": stand.behind,
            })
        })
        .collect();
    let report = json!({"environments": listed, "status": status.code()});
    out.envelope("environment_check", 1, &report);
    if stands.is_empty() {
        out.text(&format!("no environment in {}\n", store.root().display()));
    }
    for stand in &stands {
        out.text(&output::printable_lines(&text(stand)));
    }
    Ok(status)
}

/// How the environment `name` stands.
pub fn stand(store: &Store, name: &str) -> Stand {
    let mut stand = Stand {
        name: name.to_owned(),
        verdict: Verdict::Well,
        findings: Vec::new(),
        behind: Vec::new(),
        again: make::command(&[], None),
    };
    let read = store.read(name);
    let read = read.and_then(|record| Ok((store.verify(&record)?, record)));
    let (content, record) = match read {
        Ok(read) => read,
        Err(error) => {
            stand.verdict = Verdict::Damaged;
            stand.findings = vec![chain(&error)];
            return stand;
        }
    };
    stand.again = make::command(&record.asked, Some(&record.from));
    let unmet = unmet_here(&content, |path| store.place(name).join(path));
    if !unmet.is_empty() {
        stand.verdict = Verdict::Unfit;
        stand.findings = unmet.iter().map(Unmet::text).collect();
        return stand;
    }
    match compared(store, &record, &content) {
        Ok(behind) if behind.is_empty() => {}
        Ok(behind) => {
            stand.verdict = Verdict::Behind;
            let tree = record.from.display().to_string();
            stand.findings = behind.iter().map(|part| part.text(&tree)).collect();
            stand.behind = behind;
        }
        // What it was made from may be gone: it is there for that.
        Err(error) => stand
            .findings
            .push(format!("cannot be compared: {}", chain(&error))),
    }
    stand
}

/// What of the tree that it was made from is not what it has.
fn compared(
    store: &Store,
    record: &Record,
    content: &BTreeMap<String, Content>,
) -> Result<Vec<Behind>, EnvironmentError> {
    let tree = Tree::read(&record.from)?;
    let own = store.place(&record.name());
    let mut changed = BTreeSet::new();
    let mut open: Vec<Link> = Vec::new();
    // The starter is ours.
    for path in record.files.keys().filter(|path| *path != "bin/erl") {
        let (here, there) = (own.join(path), tree.root.join(path));
        let number = |file| std::fs::metadata(file).map(|found| (found.dev(), found.ino()));
        match (number(&here), number(&there)) {
            (Ok(here), Ok(there)) if here == there => {}
            (_, Ok(_)) => open.push((path.clone(), there)),
            (_, Err(_)) => {
                changed.insert(path.clone());
            }
        }
    }
    for (path, found) in content::survey(&open)? {
        let is_same = |own: &Content| digest(own) == digest(&found);
        if !content.get(&path).is_some_and(is_same) {
            changed.insert(path);
        }
    }
    let applications = tree.found.iter();
    let applications = applications.map(|(name, found)| (name.clone(), found.vsn.clone()));
    let now = Now {
        erts: tree.erts.clone(),
        applications: applications.collect(),
        changed,
    };
    Ok(drift::behind(record, &now))
}

/// The digest of the bytes alone: a copy may have another mode.
fn digest(content: &Content) -> &str {
    content.digest.trim_end_matches('x')
}

fn text(stand: &Stand) -> String {
    let name = &stand.name;
    let again = &stand.again;
    let (word, next) = match stand.verdict {
        Verdict::Well => ("well", String::new()),
        Verdict::Behind => ("behind", format!("{again} makes one of what is there now")),
        Verdict::Damaged => (
            "damaged",
            format!("erlrc env destroy {name} removes it; {again} makes another"),
        ),
        Verdict::Unfit => (
            "unfit, it cannot run on this host",
            "install the library, or make an environment from a tree that was built for this host"
                .to_owned(),
        ),
    };
    let lines = stand
        .findings
        .iter()
        .map(String::as_str)
        .chain([next.as_str()]);
    let lines = lines.filter(|line| !line.is_empty());
    lines.fold(format!("{name}: {word}\n"), |text, line| {
        format!("{text}  {line}\n")
    })
}
