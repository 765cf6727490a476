//! An OTP tree on disk, as facts: which emulator, which applications, which files.

use super::choice::{BOOT_FILES, Choice, DIRECTORIES, Found, PROGRAMS};
use super::error::{EnvironmentError, refused, unusable};
use super::record::is_plain;
use crate::application::{Application, vsn};
use crate::installed;
use crate::term::Atom;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Where a tree may be below a directory that somebody names.
const BELOW: [&str; 4] = ["", "lib/erlang", "usr/lib/erlang", "usr/lib64/erlang"];
/// More directories within each other than any application has.
const DEEPEST: usize = 32;
/// More files than any tree has.
const MOST: usize = 200_000;

/// A file of an environment: its path there, and the file that it is linked to.
pub type Link = (String, PathBuf);

/// An OTP tree.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Its directory.
    pub root: PathBuf,
    /// The version of OTP.
    pub otp: String,
    /// The version of the emulator.
    pub erts: String,
    /// All applications that can be found, those of packages too once they are told.
    pub found: BTreeMap<String, Found>,
    release: String,
}

impl Tree {
    /// The tree in `dir`, or where one is installed below it.
    pub fn read(dir: &Path) -> Result<Self, EnvironmentError> {
        let none = |what: &str| EnvironmentError::NoTree {
            dir: dir.to_owned(),
            what: what.to_owned(),
        };
        let places = BELOW.iter().map(|below| match *below {
            "" => dir.to_owned(),
            below => dir.join(below),
        });
        let has_emulator = |root: &PathBuf| root.join("lib").is_dir() && erts(root).is_some();
        let root = places.into_iter().find(has_emulator);
        let root = root.ok_or_else(|| none("no lib and no erts-VERSION below it"))?;
        let erts = erts(&root).ok_or_else(|| none("no erts-VERSION"))?;
        let release = release(&root).ok_or_else(|| none("no releases/RELEASE/OTP_VERSION"))?;
        let version = root.join("releases").join(&release).join("OTP_VERSION");
        let otp = fs::read_to_string(version).unwrap_or_default();
        // Two asterisks after it say that patches were applied.
        let otp = otp.trim().trim_end_matches('*').to_owned();
        if !is_plain(&otp) {
            return Err(none("OTP_VERSION holds no version"));
        }
        let found = applications(&root, &release);
        Ok(Self {
            root,
            otp,
            erts,
            found,
            release,
        })
    }

    /// Takes in the applications that packages say they installed, those of the tree first.
    pub fn with_packages(mut self, apps: &Path) -> Self {
        for name in crate::file::names(apps) {
            let Some(atom) = Atom::new(&name) else {
                continue;
            };
            let metadata = installed::metadata(apps, &atom);
            let shipped =
                metadata.and_then(|found| installed::shipped(&atom, Path::new(&found.dir)).ok());
            if let Some(application) = shipped {
                let found = found(&application, &application.vsn, false);
                self.found.entry(name).or_insert(found);
            }
        }
        self
    }

    /// The versions of the chosen applications of OTP.
    pub fn versions(&self, choice: &Choice) -> BTreeMap<String, String> {
        let chosen = choice.applications.iter();
        chosen
            .filter_map(|name| Some((name.clone(), self.found.get(name)?.vsn.clone())))
            .collect()
    }

    /// The files of an environment with what was chosen.
    pub fn files(&self, choice: &Choice) -> Result<Vec<Link>, EnvironmentError> {
        let mut files = Vec::new();
        let bin = format!("erts-{}/bin", self.erts);
        for (dir, list) in [(bin.as_str(), &PROGRAMS[..]), ("bin", &BOOT_FILES[..])] {
            for (name, is_needed) in list {
                let path = format!("{dir}/{name}");
                let file = self.root.join(&path);
                match file.is_file() {
                    true => files.push((path, file)),
                    false if *is_needed => return Err(refused(&file, "is not there")),
                    false => {}
                }
            }
        }
        let version = format!("releases/{}/OTP_VERSION", self.release);
        files.push((version.clone(), self.root.join(version)));
        for (name, vsn) in self.versions(choice) {
            for dir in DIRECTORIES {
                self.walk(&format!("lib/{name}-{vsn}/{dir}"), 0, &mut files)?;
            }
        }
        files.sort();
        Ok(files)
    }

    /// The files below `path`. Links are followed: an environment has no part outside of it.
    fn walk(
        &self,
        path: &str,
        depth: usize,
        files: &mut Vec<Link>,
    ) -> Result<(), EnvironmentError> {
        let dir = self.root.join(path);
        if depth > DEEPEST || files.len() > MOST {
            return Err(refused(&dir, "holds more than an application"));
        }
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && depth == 0 => {
                return Ok(());
            }
            entries => entries.map_err(|error| unusable(&dir, error))?,
        };
        for entry in entries {
            let name = entry.map_err(|error| unusable(&dir, error))?.file_name();
            let file = dir.join(&name);
            let name = name
                .to_str()
                .filter(|name| !name.contains(char::is_control));
            let name = name.ok_or_else(|| refused(&file, "has a name that is no text"))?;
            let path = format!("{path}/{name}");
            match fs::metadata(&file) {
                Ok(metadata) if metadata.is_dir() => self.walk(&path, depth + 1, files)?,
                Ok(metadata) if metadata.is_file() => files.push((path, file)),
                Ok(_) => return Err(refused(&file, "is neither a file nor a directory")),
                // A link whose target another package would bring, and has not: no part of what works here.
                Err(_) if file.is_symlink() => {}
                Err(error) => return Err(unusable(&file, error)),
            }
        }
        Ok(())
    }
}

/// The version of the emulator: the one that `start_erl.data` names, else the latest.
fn erts(root: &Path) -> Option<String> {
    let is_there = |vsn: &String| is_plain(vsn) && root.join(format!("erts-{vsn}/bin")).is_dir();
    let named = started(root).map(|(erts, _)| erts).filter(is_there);
    named.or_else(|| {
        let names = crate::file::names(root).into_iter();
        let versions = names.filter_map(|name| Some(name.strip_prefix("erts-")?.to_owned()));
        latest(versions.filter(is_there))
    })
}

fn release(root: &Path) -> Option<String> {
    let releases = root.join("releases");
    let is_there =
        |name: &String| is_plain(name) && releases.join(name).join("OTP_VERSION").is_file();
    let named = started(root).map(|(_, release)| release).filter(is_there);
    named.or_else(|| latest(crate::file::names(&releases).into_iter().filter(is_there)))
}

/// What `start_erl.data` says: the emulator and the release.
fn started(root: &Path) -> Option<(String, String)> {
    let text = fs::read_to_string(root.join("releases/start_erl.data")).ok()?;
    let (erts, release) = text.trim().split_once(' ')?;
    Some((erts.to_owned(), release.trim().to_owned()))
}

fn latest(versions: impl Iterator<Item = String>) -> Option<String> {
    versions.max_by(|a, b| vsn::compare(a, b))
}

/// The applications in `lib`, each in the version that belongs to the release, else in the latest.
fn applications(root: &Path, release: &str) -> BTreeMap<String, Found> {
    let list = root.join("releases").join(release);
    let list = fs::read_to_string(list.join("installed_application_versions"));
    let listed: BTreeSet<&str> = list.iter().flat_map(|text| text.lines()).collect();
    let of_otp: BTreeSet<&str> = listed.iter().filter_map(|dir| name(dir)).collect();
    let mut dirs: BTreeMap<String, String> = BTreeMap::new();
    for dir in crate::file::names(&root.join("lib")) {
        let Some(name) = name(&dir).map(str::to_owned) else {
            continue;
        };
        let is_better = dirs.get(&name).is_none_or(|known| {
            let rank = |dir: &str| listed.contains(dir);
            let later = || vsn::compare(&dir, known).is_gt();
            match (rank(&dir), rank(known)) {
                (true, false) => true,
                (false, true) => false,
                _ => later(),
            }
        });
        if is_better {
            dirs.insert(name, dir);
        }
    }
    let application = |(name, dir): (String, String)| {
        let vsn = dir.strip_prefix(&name)?.strip_prefix('-')?.to_owned();
        let shipped = installed::shipped(&Atom::new(&name)?, &root.join("lib").join(&dir));
        let is_of_otp = of_otp.is_empty() || of_otp.contains(name.as_str());
        let found = found(&shipped.ok()?, &vsn, is_of_otp);
        is_plain(&dir).then_some((name, found))
    };
    dirs.into_iter().filter_map(application).collect()
}

/// `kernel` of `kernel-8.5.3`.
fn name(dir: &str) -> Option<&str> {
    let name = dir.split_once('-')?.0;
    crate::application::is_application_name(name).then_some(name)
}

fn found(application: &Application, vsn: &str, of_otp: bool) -> Found {
    let text = |names: &[Atom]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut needs = text(&application.applications);
    needs.extend(text(&application.included_applications));
    Found {
        vsn: vsn.to_owned(),
        needs,
        optional: text(&application.optional_applications),
        of_otp,
    }
}
