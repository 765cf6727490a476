//! `erlrc maint apt-preflight`: what an apt run would do to the nodes, before anything is changed.
//!
//! apt hands over the list of packages on standard input. Those that replace an installed application
//! are unpacked beside, planned from what each node runs, and what would not be hot is said; in strict
//! mode that keeps apt from beginning.

use super::session::Session;
use super::subject::Subject;
use super::{Arguments, survey};
use crate::application::vsn;
use crate::appup::Direction;
use crate::cli::hook::chain;
use crate::cli::{Common, Failure, Status, deb, output};
use crate::maint::{Call, Format, Moment, NodeState, Preflight, Unpacked, Version, replaced};
use crate::plan::{Depth, Plan, Question, Surroundings, Verdict, plan};
use crate::script::Options;
use crate::term::Atom;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// More than apt says about all packages of a distribution.
const MOST_BYTES: u64 = 256 << 20;

/// Plans; the status is not 0 where apt is not to begin.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let call = Call {
        format: Format::Deb,
        moment: Moment::Swap,
        may_fail: true,
    };
    let script = "apt pre-flight".to_owned();
    let session = Session::new(call, script, &arguments.hook, &arguments.places, common);
    let mode = session.configuration.preflight;
    if mode == Preflight::Off {
        return Ok(Status::Done);
    }
    let result = all(&session);
    match (mode, result) {
        (Preflight::Strict, result) => result,
        (_, Ok(_)) => Ok(Status::Done),
        (_, Err(failure)) => {
            output::error_text(&failure.text());
            Ok(Status::Done)
        }
    }
}

fn all(session: &Session<'_>) -> Result<Status, Failure> {
    let failed = |error: Box<dyn std::error::Error>| Failure::new(Status::Failed, error);
    let mut bytes = Vec::new();
    let read = std::io::stdin().take(MOST_BYTES).read_to_end(&mut bytes);
    read.map_err(|error| failed(error.into()))?;
    let packages =
        replaced(&String::from_utf8_lossy(&bytes)).map_err(|error| failed(error.into()))?;
    let ours = owners(&session.places.packages.apps);
    let mut status = Status::Done;
    for package in packages.iter().filter(|package| is_ours(package, &ours)) {
        let dir = deb::unpack(&package.deb, Some(&session.places.packages.apps))
            .map_err(|error| failed(error.into()))?;
        for name in names(&below(dir.path(), &session.places.packages.apps)) {
            status = status.worse(one(session, &name, dir.path())?);
        }
    }
    Ok(status)
}

/// The packages that have metadata; `None` where dpkg does not say.
fn owners(apps: &Path) -> Option<BTreeSet<String>> {
    let files: Vec<PathBuf> = names(apps)
        .iter()
        .map(|name| apps.join(name.as_str()))
        .collect();
    if files.is_empty() {
        return Some(BTreeSet::new());
    }
    let mut query = Command::new("dpkg-query");
    query
        .arg("-S")
        .args(files)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let text = query.output().ok()?.stdout;
    let text = String::from_utf8_lossy(&text).into_owned();
    let packages = text.lines().filter_map(|line| line.rsplit_once(": "));
    let packages = packages.flat_map(|(packages, _)| packages.split(", "));
    // An architecture may follow the name.
    let name = |package: &str| package.split(':').next().map(str::to_owned);
    let found: BTreeSet<String> = packages.filter_map(name).collect();
    (!found.is_empty()).then_some(found)
}

/// Where it is not known which packages are ours, all are looked at.
fn is_ours(package: &Unpacked, ours: &Option<BTreeSet<String>>) -> bool {
    ours.as_ref()
        .is_none_or(|ours| ours.contains(&package.package))
}

fn names(dir: &Path) -> Vec<Atom> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| crate::application::is_application_name(name))
        .filter_map(|name| Atom::new(&name))
        .collect()
}

/// The absolute `path` within `root`.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// One application, from each version that a node runs.
fn one(session: &Session<'_>, name: &Atom, root: &Path) -> Result<Status, Failure> {
    let metadata = survey::metadata(&below(root, &session.places.packages.apps), name);
    let Some(new) = metadata else {
        return Ok(Status::Done);
    };
    let to = Version {
        dir: below(root, &new.dir),
        vsn: new.vsn,
    };
    let Some(installed) = survey::metadata(&session.places.packages.apps, name) else {
        return Ok(Status::Done);
    };
    let subject = Subject {
        application: name.clone(),
        version: installed,
    };
    let (_, facts) = survey::survey(session, &subject, &[])?;
    let mut status = Status::Done;
    for node in &facts.nodes {
        let NodeState::Running(from) = &node.state else {
            continue;
        };
        let Some(from_dir) = facts.place(from) else {
            continue;
        };
        let from = Version {
            vsn: from.clone(),
            dir: from_dir,
        };
        status = status.worse(say(name, &node.name.to_string(), &from, &to));
    }
    Ok(status)
}

/// Says what would not be hot, and what that means to apt in strict mode.
fn say(name: &Atom, node: &str, from: &Version, to: &Version) -> Status {
    let line = |text: &str| {
        let line = format!(
            "erlrc-preflight: {node}: {name} {} -> {}: {text}",
            from.vsn, to.vsn
        );
        output::error_text(&format!("{}\n", output::printable(&line)));
    };
    match planned(name, from, to) {
        Ok(plan) => {
            if plan.verdict > Verdict::HotWithWarnings {
                line(&plan.verdict.to_string());
                let worst = plan
                    .findings
                    .iter()
                    .filter(|one| one.verdict == plan.verdict);
                for finding in worst {
                    line(&format!("{}; {}", finding.text, finding.advice));
                }
            }
            crate::cli::plan::status(plan.verdict)
        }
        Err(error) => {
            line(&chain(&error));
            Status::Failed
        }
    }
}

fn planned(name: &Atom, from: &Version, to: &Version) -> Result<Plan, crate::script::ScriptError> {
    let direction = match vsn::compare(&to.vsn, &from.vsn) {
        Ordering::Less => Direction::Down,
        _ => Direction::Up,
    };
    plan(&Question {
        application: name,
        from: (&from.vsn, &from.dir),
        to: (&to.vsn, &to.dir),
        direction,
        options: &Options::default(),
        around: &Surroundings::default(),
        depth: Depth::Changes,
    })
}
