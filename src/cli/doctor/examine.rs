//! What the disk, the nodes and the journal say.

use crate::application::{Registration, is_application_name};
use crate::cli::hook::request::{versions, what_runs};
use crate::cli::hook::{Answer, chain, query};
use crate::cli::maint::Session;
use crate::cli::resolution::Known;
use crate::cli::{nodes, settings, status};
use crate::installed;
use crate::maint::{
    Checkup, Content, Directory, NodeFinding, Package, Registered, Repair, Silence, Stashed,
    Version,
};
use crate::maintainer::{holds, metadata};
use crate::outcome::Class;
use crate::places::Root;
use crate::rendezvous::Entry;
use crate::status::{ApplicationStatus, Finding, Unsettled};
use crate::term::Atom;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_dir;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where OTP has its applications where no package says otherwise.
const LIBRARY: &str = "/usr/lib/erlang/lib";

/// Looks at everything.
pub fn examine(session: &Session<'_>) -> Checkup {
    let packages = packages(session);
    let directories = directories(&packages);
    let mut checkup = Checkup {
        registered: registered(session, &packages),
        mistaken: mistaken(session),
        node_findings: node_findings(session),
        directories,
        packages,
        unfinished: session.engine.stash.leftovers(),
        journal: session.engine.log.journal(),
        ..Checkup::default()
    };
    kept(session, &mut checkup);
    ask_all(session, &mut checkup);
    checkup
}

/// The names in a directory that can be applications'.
fn names(dir: &Path) -> Vec<Atom> {
    let entries = read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| is_application_name(name)).collect();
    names.sort_unstable();
    names.iter().filter_map(|name| Atom::new(name)).collect()
}

fn packages(session: &Session<'_>) -> Vec<Package> {
    let apps = &session.places.packages.apps;
    let package = |application: Atom| {
        let version = metadata(apps, &application)?;
        let complete = holds(&application, &version);
        Some(Package {
            application,
            version,
            complete,
        })
    };
    names(apps).into_iter().filter_map(package).collect()
}

/// The directories that applications are installed in.
fn libraries(packages: &[Package]) -> BTreeSet<PathBuf> {
    let parents = packages
        .iter()
        .filter_map(|package| package.version.dir.parent());
    let known = parents.map(Path::to_owned);
    known.chain([PathBuf::from(LIBRARY)]).collect()
}

fn directories(packages: &[Package]) -> Vec<Directory> {
    let mut found = Vec::new();
    for library in libraries(packages) {
        for entry in read_dir(library).into_iter().flatten().flatten() {
            found.extend(directory(packages, entry.path()));
        }
    }
    found.sort_by(|a, b| a.dir.cmp(&b.dir));
    found
}

/// `dir`, if it looks like another version of what a package has.
fn directory(packages: &[Package], dir: PathBuf) -> Option<Directory> {
    let name = dir.file_name()?.to_str()?.split_once('-')?.0;
    let package = packages
        .iter()
        .find(|package| package.application.as_str() == name)?;
    if packages.iter().any(|package| package.version.dir == dir) {
        return None;
    }
    let ebin = dir.join("ebin");
    let has = |extension: &str| ebin.join(format!("{name}.{extension}")).is_file();
    let content = match (has("app"), has("appup")) {
        (true, _) => Content::Application,
        (false, true) => Content::AppupAlone,
        (false, false) => return None,
    };
    let shipped = installed::shipped(&package.application, &dir).ok();
    Some(Directory {
        application: package.application.clone(),
        vsn: shipped.map(|application| application.vsn),
        owned: owned(&dir),
        packaged: owned(&package.version.dir) == Some(true),
        content,
        dir,
    })
}

/// Whether a package has `dir`, as far as the package managers of this host know.
fn owned(dir: &Path) -> Option<bool> {
    let ask = |program: &str, option: &str| {
        let mut command = Command::new(program);
        command.arg(option).arg(dir).stdin(Stdio::null());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.ok().map(|status| status.success())
    };
    let answers = [ask("dpkg-query", "-S"), ask("rpm", "-qf")];
    answers
        .into_iter()
        .flatten()
        .reduce(|one, other| one || other)
}

fn registered(session: &Session<'_>, packages: &[Package]) -> Vec<Registered> {
    let libraries = libraries(packages);
    let on_disk = |name: &Atom| {
        libraries.iter().any(|library| {
            let entries = read_dir(library).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            let prefix = format!("{name}-");
            names
                .into_iter()
                .any(|found| found == name.as_str() || found.starts_with(&prefix))
        })
    };
    let known = |name: &Atom| packages.iter().any(|package| package.application == *name);
    let dir = Root(&session.common.root).registrations();
    let one = |application: Atom| {
        let file = dir.join(application.as_str());
        let terms = installed::consult(&file).ok()?;
        let (registration, _) = Registration::from_terms(terms).ok()?;
        Some(Registered {
            file,
            enabled: registration.enabled,
            installed: application.as_str() == "erlrc"
                || known(&application)
                || on_disk(&application),
            application,
        })
    };
    names(&dir).into_iter().filter_map(one).collect()
}

/// What registrations, metadata and `erlrc.conf` say that cannot be meant.
fn mistaken(session: &Session<'_>) -> Vec<(PathBuf, String)> {
    let common = session.common;
    let settings = settings::of_host(common, &session.places.packages.apps);
    let wrong = settings
        .into_iter()
        .filter(|setting| setting.fault.is_some());
    let wrong = wrong.filter_map(|setting| Some((setting.file.clone()?, setting.complaint()?)));
    wrong.collect()
}

/// What has died or failed on the nodes.
fn node_findings(session: &Session<'_>) -> Vec<NodeFinding> {
    let (connection, packages) = (&session.hook.connection, &session.places.packages);
    let Ok(report) = status::gathered(session.common, connection, packages) else {
        return Vec::new();
    };
    let mut node_findings = Vec::new();
    for node in &report.nodes {
        for app in &node.applications {
            let found = app.findings.iter();
            node_findings
                .extend(found.filter_map(|finding| node_finding(&node.node, app, *finding)));
        }
        let left = node.facts.iter().flat_map(|facts| &facts.unsettled);
        node_findings.extend(left.map(|left| unsettled(&node.node, left)));
    }
    node_findings
}

fn node_finding(node: &str, app: &ApplicationStatus, finding: Finding) -> Option<NodeFinding> {
    let name = &app.application;
    let vsn = app.loaded.as_ref().or(app.installed.as_ref());
    let (kind, advice) = match finding {
        Finding::NotRunning => (
            "not_running",
            format!(
                "look at the log of the node, then: erlrc start {name} {} --node {node}",
                vsn.map_or("VERSION", String::as_str)
            ),
        ),
        Finding::Failed => (
            "failed",
            format!("erlrc history {name} -l tells why; then go on, or stay with what runs"),
        ),
        Finding::RefusedModules => (
            "refused_modules",
            format!("install a build of {name} for that release before {node} is restarted"),
        ),
        Finding::OldLibrary => (
            "old_library",
            format!("restart {node}, or upgrade {name} to a version whose modules load it"),
        ),
        // These are told by what packages and journal say.
        Finding::OtherVersion | Finding::Pending => return None,
    };
    Some(NodeFinding {
        application: name.clone(),
        kind,
        text: format!("on {node} {}", status::found(app, finding)),
        advice,
        repair: None,
    })
}

/// What the node could not put right by itself.
fn unsettled(node: &str, left: &Unsettled) -> NodeFinding {
    NodeFinding {
        application: left.application.clone(),
        kind: "unsettled",
        text: format!(
            "{} on {node} was not put right: {}",
            left.what(),
            left.left.join(", ")
        ),
        advice: format!("restart the node {node}"),
        repair: Atom::new(&left.application).map(|name| Repair::Settle(node.to_owned(), name)),
    }
}

fn kept(session: &Session<'_>, checkup: &mut Checkup) {
    let stash = &session.engine.stash;
    for listed in stash.list() {
        let kept = match listed {
            Ok(kept) => kept,
            Err((dir, error)) => {
                checkup.damaged.push((dir, chain(&error)));
                continue;
            }
        };
        match (
            stash.verified(&kept.application, &kept.vsn),
            Atom::new(&kept.application),
        ) {
            (Err(error), _) => checkup.damaged.push((kept.dir, chain(&error))),
            (Ok(_), Some(name)) => checkup.stash.push((
                name,
                Stashed {
                    version: Version {
                        vsn: kept.vsn,
                        dir: kept.origin,
                    },
                    dir: kept.dir,
                },
            )),
            (Ok(_), None) => {}
        }
    }
}

/// Which applications are asked for.
fn asked(checkup: &Checkup) -> Vec<Atom> {
    let packaged = checkup
        .packages
        .iter()
        .map(|package| package.application.clone());
    let kept = checkup.stash.iter().map(|(name, _)| name.clone());
    let open = checkup.journal.open();
    let open = open.filter_map(|record| Atom::new(&record.application));
    let registered = checkup.registered.iter();
    let registered = registered.map(|registered| registered.application.clone());
    let all: BTreeSet<Atom> = packaged.chain(kept).chain(open).chain(registered).collect();
    all.into_iter().collect()
}

fn ask_all(session: &Session<'_>, checkup: &mut Checkup) {
    let applications = asked(checkup);
    let entries = match nodes::entries(session.common, &session.hook.connection) {
        Ok(entries) => entries,
        Err(failure) => return crate::cli::output::error_text(&failure.text()),
    };
    checkup.unlisted = nodes::unlisted(&entries, session.common, &session.hook.connection);
    for (name, entry) in entries {
        let silence = |outcome: &str, reason| Silence {
            outcome: outcome.to_owned(),
            reason,
        };
        let why = match entry {
            Err(error) => silence("entry_refused", chain(&error)),
            Ok(entry) => match ask(session, &entry, &applications) {
                Ok(None) => continue,
                Ok(Some((runs, found))) => {
                    checkup.nodes.insert(name.clone(), runs);
                    checkup.found.insert(name, found);
                    continue;
                }
                Err(answer) => {
                    let reason = answer.reason.clone();
                    let reason = reason.unwrap_or_else(|| answer.outcome.to_string());
                    silence(answer.outcome.as_str(), reason)
                }
            },
        };
        checkup.unknown.insert(name, why);
    }
}

/// What a node runs, and what it has at all.
type Said = (BTreeMap<Atom, String>, BTreeSet<Atom>);

/// What the node of `entry` runs and finds of them; `None` where it is down or none of ours.
fn ask(
    session: &Session<'_>,
    entry: &Entry,
    applications: &[Atom],
) -> Result<Option<Said>, Box<Answer>> {
    let calls = applications.iter().map(what_runs);
    let calls = calls.chain(applications.iter().map(versions)).collect();
    let mut answers = match query(entry, &session.hook.connection, calls) {
        Ok(answers) => answers,
        Err(answer) if answer.class == Class::Absent => return Ok(None),
        Err(answer) => return Err(answer),
    };
    let found = answers.split_off(applications.len());
    let runs = applications.iter().zip(answers);
    let runs: BTreeMap<Atom, String> = runs
        .filter_map(|(name, answer)| {
            let vsn = answer.as_ref().and_then(Answer::parse)?.running?;
            Some((name.clone(), vsn))
        })
        .collect();
    let found = applications.iter().zip(found);
    let found = found.filter_map(|(name, answer)| {
        Known::of_answer(&answer?)
            .is_anything()
            .then(|| name.clone())
    });
    let found = found.chain(runs.keys().cloned()).collect();
    Ok(Some((runs, found)))
}
