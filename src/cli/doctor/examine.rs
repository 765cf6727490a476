//! What the disk, the nodes and the journal say.

use crate::application::is_application_name;
use crate::cli::hook::request::what_runs;
use crate::cli::hook::{Answer, chain};
use crate::cli::maint::{Session, holds, metadata};
use crate::cli::nodes;
use crate::maint::{Checkup, Content, Directory, Package, Stashed, Version};
use crate::outcome::Class;
use crate::rendezvous::Entry;
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
        orphaned_registrations: orphaned(session, &packages),
        directories,
        packages,
        unfinished: session.stash().leftovers(),
        journal: session.log.journal(),
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
    Some(Directory {
        application: package.application.clone(),
        owned: owned(&dir),
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

fn orphaned(session: &Session<'_>, packages: &[Package]) -> Vec<Atom> {
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
    let registered = names(&session.common.root.join("applications"));
    registered
        .into_iter()
        .filter(|name| name.as_str() != "erlrc" && !known(name) && !on_disk(name))
        .collect()
}

fn kept(session: &Session<'_>, checkup: &mut Checkup) {
    let stash = session.stash();
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
    let all: BTreeSet<Atom> = packaged.chain(kept).chain(open).collect();
    all.into_iter().collect()
}

fn ask_all(session: &Session<'_>, checkup: &mut Checkup) {
    let applications = asked(checkup);
    let entries = match nodes::entries(session.common, &session.hook.connection) {
        Ok(entries) => entries,
        Err(failure) => return crate::cli::output::error_text(&failure.text()),
    };
    for (name, entry) in entries {
        match entry {
            Ok(entry) => match ask(session, &entry, &applications) {
                Ok(Some(runs)) => drop(checkup.nodes.insert(name, runs)),
                Ok(None) => {}
                Err(why) => drop(checkup.unknown.insert(name, why)),
            },
            Err(error) => drop(checkup.unknown.insert(name, chain(&error))),
        }
    }
}

/// What the node of `entry` runs of them; `None` where it is down or none of ours.
fn ask(
    session: &Session<'_>,
    entry: &Entry,
    applications: &[Atom],
) -> Result<Option<BTreeMap<Atom, String>>, String> {
    let calls = applications.iter().map(what_runs).collect();
    let answers = match session.asker().query(entry, calls) {
        Ok(answers) => answers,
        Err(answer) if answer.class == Class::Absent => return Ok(None),
        Err(answer) => return Err(answer.reason.unwrap_or(answer.outcome.to_string())),
    };
    let runs = applications.iter().zip(answers);
    let runs = runs.filter_map(|(name, answer)| {
        let vsn = answer.as_ref().and_then(Answer::parse)?.running?;
        Some((name.clone(), vsn))
    });
    Ok(Some(runs.collect()))
}
