//! The way back to a snapshot: looked at beforehand, one run of apt, looked at afterwards.

use super::difference::{Changed, difference};
use super::error::SnapshotError;
use super::host;
use super::manifest::Manifest;
use super::package::{Keep, Package};
use super::store::{Store, digest};
use super::tag::Tag;
use super::transaction::{self, Todo};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What apt-get is told beside: files that are here and nothing else.
const OPTIONS: [&str; 14] = [
    "--allow-change-held-packages",
    "--reinstall",
    "-o",
    "APT::Sandbox::User=root",
    "-o",
    "Dir::Etc::SourceList=/dev/null",
    "-o",
    "Dir::Etc::SourceParts=/dev/null",
    "-o",
    "Dir::Cache::pkgcache=",
    "-o",
    "Dir::Cache::srcpkgcache=",
    "-o",
    "APT::Get::AutomaticRemove=false",
];

/// What would be done.
#[derive(Debug)]
pub struct Plan {
    /// The snapshot.
    pub manifest: Manifest,
    /// What changes, from now to then.
    pub changes: Vec<Changed>,
    words: Vec<String>,
}

/// Looks at what would be done; what stands against it is an error.
pub fn plan(store: &Store, tag: &Tag, apps: &Path, empty: &Path) -> Result<Plan, SnapshotError> {
    let manifest = store.read(tag)?;
    let impossible = |why: String| SnapshotError::Impossible {
        tag: tag.clone(),
        why: vec![why],
    };
    if manifest.keep == Keep::None {
        return Err(impossible("it keeps no package files".to_owned()));
    }
    let state = host::state(apps)?;
    if state.architecture != manifest.architecture {
        let (there, here) = (&manifest.architecture, &state.architecture);
        return Err(impossible(format!(
            "it is of a host of {there}, and this one is {here}"
        )));
    }
    let now = host::compared(state.packages, &manifest.packages);
    let changes = transaction::changes(manifest.keep, &now, &manifest.packages);
    let why: Vec<String> = transaction::needed(&changes)
        .filter_map(|package| unusable_file(store, tag, package))
        .collect();
    if !why.is_empty() {
        return Err(SnapshotError::Impossible {
            tag: tag.clone(),
            why,
        });
    }
    let file = |package: &Package| store.file(tag, package).display().to_string();
    let words = transaction::words(&changes, file);
    let plan = Plan {
        manifest,
        changes,
        words,
    };
    plan.simulate(empty)?;
    Ok(plan)
}

/// Why the file of a package cannot be used; `None` where it can.
fn unusable_file(store: &Store, tag: &Tag, package: &Package) -> Option<String> {
    let name = format!("{} {}", package.name, package.version);
    let Some(kept) = &package.file else {
        let why = package
            .missing
            .as_deref()
            .unwrap_or("it was not to be kept");
        return Some(format!("no package file is kept for {name}: {why}"));
    };
    match digest(&store.file(tag, package)) {
        Ok((sha256, _)) if sha256 == kept.sha256 => None,
        Ok(_) => Some(format!("the package file of {name} is not what was kept")),
        Err(error) => Some(format!(
            "the package file of {name} cannot be read: {error}"
        )),
    }
}

impl Plan {
    /// Whether dpkg has nothing to do.
    pub fn is_still(&self) -> bool {
        let is_mark = |change: &Changed| transaction::todo(change) == Todo::Mark;
        self.changes.iter().all(is_mark)
    }

    /// The packages whose files the way back needs and `before` does not keep.
    pub fn gaps<'a>(&self, before: &'a Manifest) -> impl Iterator<Item = &'a Package> {
        let touched = self
            .changes
            .iter()
            .filter(|change| matches!(transaction::todo(change), Todo::Install | Todo::Remove));
        let touched: BTreeSet<String> = touched.map(|change| change.name.clone()).collect();
        before
            .missing()
            .filter(move |package| touched.contains(&package.name))
    }

    /// Asks apt what it would do.
    fn simulate(&self, empty: &Path) -> Result<(), SnapshotError> {
        if self.words.is_empty() {
            return Ok(());
        }
        let mut command = self.apt(empty)?;
        let printed = host::checked("apt-get", host::run(command.arg("-s"), "apt-get"))?;
        let why = transaction::objections(&self.changes, &printed);
        match why.is_empty() {
            true => Ok(()),
            false => Err(SnapshotError::Impossible {
                tag: self.manifest.tag.clone(),
                why,
            }),
        }
    }

    /// apt-get with what it is to do. `empty` is a directory of its own, without lists of repositories, so that nothing is
    /// loaded, and without an archive cache: what has the same name there is not looked at.
    fn apt(&self, empty: &Path) -> Result<Command, SnapshotError> {
        let mut command = host::apt_get()?;
        command.args(OPTIONS);
        for (key, name) in [
            ("Dir::State::Lists", "lists"),
            ("Dir::Cache::archives", "archives"),
        ] {
            let dir = empty.join(name);
            let partial = dir.join("partial");
            fs::create_dir_all(&partial).map_err(super::error::unusable(&partial))?;
            command.arg("-o").arg(format!("{key}={}", dir.display()));
        }
        command.arg("install").args(&self.words);
        Ok(command)
    }

    /// Does it; where that fails `before` is the way back. What apt and dpkg print goes to standard error.
    pub fn carry_out(
        &self,
        before: &Manifest,
        apps: &Path,
        empty: &Path,
    ) -> Result<(), SnapshotError> {
        let ran = match self.is_still() {
            true => Ok(()),
            false => self.run(empty),
        };
        let done = ran.and_then(|()| self.mark());
        let mut why: Vec<String> = done.err().iter().map(ToString::to_string).collect();
        let then = &self.manifest;
        let now = host::state(apps).map(|state| host::compared(state.packages, &then.packages));
        let is_as_before = match &now {
            Ok(now) => difference(&before.packages, now).is_empty(),
            Err(_) => false,
        };
        match now {
            Ok(now) => why.extend(transaction::left(then.keep, &now, &then.packages)),
            Err(error) => why.push(format!("what was done is not known: {error}")),
        }
        let tag = then.tag.clone();
        match (why.is_empty(), is_as_before) {
            (true, _) => Ok(()),
            (false, true) => Err(SnapshotError::Impossible { tag, why }),
            (false, false) => Err(SnapshotError::NotRestored { tag, why }),
        }
    }

    fn run(&self, empty: &Path) -> Result<(), SnapshotError> {
        let status = self.apt(empty)?.status();
        host::ended("apt-get", status)
    }

    fn mark(&self) -> Result<(), SnapshotError> {
        for (word, names) in transaction::marks(&self.changes) {
            let mut command = Command::new("apt-mark");
            let output = host::run(command.arg(word).args(names), "apt-mark");
            host::checked("apt-mark", output)?;
        }
        Ok(())
    }
}
