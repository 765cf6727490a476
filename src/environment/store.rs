//! The directory of environments.
//!
//! One is made under a name that no environment has, made read-only, written out, and renamed: whoever looks, and
//! whenever the machine stops, finds all of it or nothing.

use super::choice::Choice;
use super::content::{self, Content};
use super::error::{EnvironmentError, refused, unusable};
use super::host::{Host, Loaded};
use super::needs::{Unmet, unmet};
use super::record::{self, Record};
use super::source::Tree;
use super::starter;
use crate::trust;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What the name of a directory begins with that is no environment yet, or no more.
pub const UNFINISHED: &str = ".unfinished-";
const STARTER: &str = "bin/erl";

/// The directory of environments; it need not be there.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// An environment that has all its files and not its name. It is gone with this value.
#[derive(Debug)]
pub struct Prepared {
    dir: PathBuf,
    /// What it is.
    pub record: Record,
    /// Its files.
    pub content: BTreeMap<String, Content>,
    /// How many of its files are copies.
    pub copied: usize,
}

/// An environment in its place.
#[derive(Clone, Debug)]
pub struct Made {
    /// Where it is.
    pub dir: PathBuf,
    /// Whether it was not there before.
    pub is_new: bool,
}

impl Prepared {
    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // Once it is in its place there is nothing. What cannot be removed is named by `erlrc env clean`.
        let _ = content::remove(&self.dir);
    }
}

impl Store {
    /// The environments in `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the environment `name` is, or would be.
    pub fn place(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Makes the files of an environment with the chosen applications of `tree`, in the directory `unfinished`, which
    /// no other process uses.
    pub fn prepare(
        &self,
        tree: &Tree,
        choice: &Choice,
        asked: &BTreeSet<String>,
        unfinished: &str,
    ) -> Result<Prepared, EnvironmentError> {
        self.make_root()?;
        let dir = self.root.join(unfinished);
        content::remove(&dir)?;
        let built = DirBuilder::new().mode(0o755).create(&dir);
        built.map_err(|error| unusable(&dir, error))?;
        let mut prepared = Prepared {
            dir,
            record: Record::default(),
            content: BTreeMap::new(),
            copied: 0,
        };
        let dir = &prepared.dir;
        let mut files = tree.files(choice)?;
        prepared.copied = content::link(&files, dir)?;
        write_starter(dir, &tree.erts)?;
        for (path, file) in &mut files {
            *file = dir.join(path);
        }
        files.push((STARTER.to_owned(), dir.join(STARTER)));
        // What was linked is what is recorded, whatever became of the tree meanwhile.
        prepared.content = content::survey(&files)?;
        prepared.record = recorded(tree, choice, asked, &prepared.content);
        prepared.record.write(dir)?;
        Ok(prepared)
    }

    /// Gives a prepared environment its name, unless it is there already.
    pub fn commit(&self, prepared: Prepared) -> Result<Made, EnvironmentError> {
        let dir = self.place(&prepared.record.name());
        content::seal(&prepared.dir)?;
        let is_new = match fs::rename(&prepared.dir, &dir) {
            Ok(()) => true,
            // Not empty: somebody has it.
            Err(error) if is_taken(&error) => false,
            Err(error) => return Err(unusable(&dir, error)),
        };
        trust::sync(&self.root)?;
        let record = self.read(&prepared.record.name())?;
        if record.digest != prepared.record.digest {
            return Err(refused(&dir, "is another environment of the same name"));
        }
        if !is_new {
            content::verify(&dir, &record)?;
        }
        Ok(Made { dir, is_new })
    }

    /// The record of the environment `name`. Its content is not looked at.
    pub fn read(&self, name: &str) -> Result<Record, EnvironmentError> {
        let dir = self.place(name);
        if !record::is_plain(name) || name.starts_with('.') {
            return Err(refused(&dir, "is no name of an environment"));
        }
        trust::check(&self.root)?;
        trust::check(&dir)?;
        let record = Record::read(&dir).filter(|record| record.name() == name);
        record.ok_or(EnvironmentError::NoRecord { dir })
    }

    /// The content of the environment of `record`, which must be what that says.
    pub fn verify(&self, record: &Record) -> Result<BTreeMap<String, Content>, EnvironmentError> {
        content::verify(&self.place(&record.name()), record)
    }

    /// All names that are those of environments, in order.
    pub fn names(&self) -> Vec<String> {
        let mut names = crate::file::names(&self.root);
        names.retain(|name| name.starts_with("otp-") && record::is_plain(name));
        names.sort_unstable();
        names
    }

    /// Removes the environment `name`; `unfinished` is what it is called while it goes.
    pub fn destroy(&self, name: &str, unfinished: &str) -> Result<(), EnvironmentError> {
        trust::check(&self.root)?;
        let (dir, gone) = (self.place(name), self.root.join(unfinished));
        if !record::is_plain(name) || name.starts_with('.') {
            return Err(refused(&dir, "is no name of an environment"));
        }
        content::remove(&gone)?;
        // What is half removed must not look like an environment.
        fs::rename(&dir, &gone).map_err(|error| unusable(&dir, error))?;
        trust::sync(&self.root)?;
        content::remove(&gone)
    }

    fn make_root(&self) -> Result<(), EnvironmentError> {
        if !self.root.exists() {
            let made = fs::create_dir_all(&self.root);
            // Whatever the mask of the caller is.
            let mode = Permissions::from_mode(0o755);
            let made = made.and_then(|()| fs::set_permissions(&self.root, mode));
            made.map_err(|error| unusable(&self.root, error))?;
        }
        Ok(trust::check(&self.root)?)
    }
}

/// What native code among `content`, at `place`, needs and this host does not have.
pub fn unmet_here(
    content: &BTreeMap<String, Content>,
    place: impl Fn(&str) -> PathBuf,
) -> Vec<Unmet> {
    let mut host = Host::of_system();
    let mut requirements = Vec::new();
    let objects = content.iter().filter_map(|(path, content)| {
        let object = content.object.as_ref()?;
        Some((path, object))
    });
    let (programs, libraries): (Vec<_>, Vec<_>) =
        objects.partition(|(_, object)| object.interpreter.is_some());
    let mut emulator = Loaded::new();
    for (path, object) in programs {
        let mut loaded = Loaded::new();
        let file = place(path);
        requirements.extend(host.requirements(path, &file, object, &mut loaded));
        if path.ends_with("/beam.smp") {
            emulator = loaded;
        }
    }
    // Libraries are loaded into the emulator, which has its own already.
    for (path, object) in libraries {
        let file = place(path);
        requirements.extend(host.requirements(path, &file, object, &mut emulator.clone()));
    }
    unmet(&requirements)
}

fn recorded(
    tree: &Tree,
    choice: &Choice,
    asked: &BTreeSet<String>,
    content: &BTreeMap<String, Content>,
) -> Record {
    let files = content.iter();
    let files = files.map(|(path, content)| (path.clone(), content.digest.clone()));
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for object in content.values().filter_map(|one| one.object.as_ref()) {
        for (library, versions) in &object.needs {
            let known = needs.entry(library.clone()).or_default();
            known.extend(versions.iter().cloned());
        }
    }
    let needs = needs.into_iter();
    let needs = needs.map(|(library, versions)| (library, versions.into_iter().collect()));
    Record {
        otp: tree.otp.clone(),
        erts: tree.erts.clone(),
        from: tree.root.clone(),
        asked: asked.iter().cloned().collect(),
        applications: tree.versions(choice),
        needs: needs.collect(),
        bytes: content.values().map(|one| one.bytes).sum(),
        ..Record::of(files.collect())
    }
}

fn write_starter(dir: &Path, erts: &str) -> Result<(), EnvironmentError> {
    let file = dir.join(STARTER);
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o555).open(&file);
    let written = opened.and_then(|mut opened| {
        opened.write_all(starter::text(erts).as_bytes())?;
        // Whatever the mask of the caller is.
        opened.set_permissions(Permissions::from_mode(0o555))?;
        opened.sync_all()
    });
    written.map_err(|error| unusable(&file, error))
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::DirectoryNotEmpty
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotADirectory
    )
}
