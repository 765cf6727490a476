//! The code path, indexed in one pass: which directory an application should be in, going by the
//! directories' names. A list of ten thousand directories is searched once, not once for each
//! application.

use crate::application::vsn;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fs::read_dir;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The code path.
#[derive(Debug)]
pub struct CodePath<'p> {
    path: &'p [PathBuf],
    /// Where OTP itself has chosen one of several versions.
    libs: &'p [PathBuf],
    /// Name of an application -> the first directory that is named after it.
    named: HashMap<&'p str, usize>,
    /// The directories that hold the applications' directories.
    libraries: HashMap<&'p Path, Library>,
    /// File name of a `.app` file -> the first directory that holds it.
    listed: OnceLock<HashMap<String, usize>>,
}

/// A directory that holds directories of applications.
#[derive(Debug, Default)]
struct Library {
    /// The order in which the code path names them.
    place: usize,
    /// What is in it, sorted.
    entries: OnceLock<Vec<String>>,
}

/// A directory that an application may be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The application's directory.
    pub dir: PathBuf,
    /// The directory of its modules.
    pub ebin: PathBuf,
}

impl Candidate {
    fn new(dir: PathBuf) -> Self {
        Self {
            ebin: dir.join("ebin"),
            dir,
        }
    }

    fn of_ebin(ebin: &Path) -> Self {
        Self {
            dir: ebin.parent().unwrap_or(ebin).to_owned(),
            ebin: ebin.to_owned(),
        }
    }
}

impl<'p> CodePath<'p> {
    /// The index of `path`. Nothing is read yet.
    pub fn new(path: &'p [PathBuf], libs: &'p [PathBuf]) -> Self {
        let mut named = HashMap::with_capacity(path.len());
        let mut libraries: HashMap<&Path, Library> = HashMap::new();
        for (place, ebin) in path.iter().enumerate() {
            let Some((library, directory)) = split(ebin) else {
                continue;
            };
            named.entry(application(directory)).or_insert(place);
            libraries.entry(library).or_insert_with(|| Library {
                place,
                entries: OnceLock::new(),
            });
        }
        Self {
            path,
            libs,
            named,
            libraries,
            listed: OnceLock::new(),
        }
    }

    /// Where `application` is by the name of a directory: that directory, and where OTP has chosen it
    /// itself the other versions beside it, which it has left out of the code path. The latest first.
    pub fn named(&self, application: &str) -> Vec<Candidate> {
        let Some(ebin) = self
            .named
            .get(application)
            .and_then(|&place| self.path.get(place))
        else {
            return Vec::new();
        };
        let first = Candidate::of_ebin(ebin);
        let Some((library, directory)) = split(ebin) else {
            return vec![first];
        };
        // A directory without a version, or outside of OTP's own, was put on the path by hand.
        if directory == application || !self.libs.iter().any(|lib| lib == library) {
            return vec![first];
        }
        let mut versions = self.versions(library, application);
        if versions.iter().all(|entry| entry == directory) {
            return vec![first];
        }
        sort_latest_first(application, &mut versions);
        versions
            .iter()
            .map(|entry| Candidate::new(library.join(entry)))
            .collect()
    }

    /// Where `application` is, going by the `.app` files that the directories of the path hold.
    pub fn listed(&self, application: &str) -> Option<Candidate> {
        let listed = self.listed.get_or_init(|| {
            let mut listed = HashMap::new();
            for (place, ebin) in self.path.iter().enumerate() {
                for name in entries(ebin)
                    .into_iter()
                    .filter(|name| name.ends_with(".app"))
                {
                    listed.entry(name).or_insert(place);
                }
            }
            listed
        });
        let place = listed.get(&format!("{application}.app"))?;
        self.path.get(*place).map(|ebin| Candidate::of_ebin(ebin))
    }

    /// Where `application` is that was installed after the path was made: beside what is on it.
    pub fn beside(&self, application: &str) -> Vec<Candidate> {
        let mut libraries: Vec<_> = self.libraries.iter().collect();
        libraries.sort_unstable_by_key(|(_, library)| library.place);
        for (library, _) in libraries {
            let mut found = self.versions(library, application);
            if !found.is_empty() {
                sort_latest_first(application, &mut found);
                return found
                    .iter()
                    .map(|entry| Candidate::new(library.join(entry)))
                    .collect();
            }
        }
        Vec::new()
    }

    /// The directories in `library` that are named after `application`, with a version.
    fn versions(&self, library: &Path, application: &str) -> Vec<String> {
        let Some(known) = self.libraries.get(library) else {
            return Vec::new();
        };
        let entries = known.entries.get_or_init(|| {
            let mut entries = entries(library);
            entries.sort_unstable();
            entries
        });
        let prefix = format!("{application}-");
        let start = entries.partition_point(|entry| *entry < prefix);
        let named = entries
            .iter()
            .skip(start)
            .take_while(|entry| entry.starts_with(&prefix));
        named.cloned().collect()
    }
}

/// `LIBRARY/DIRECTORY/ebin` as its two parts.
fn split(ebin: &Path) -> Option<(&Path, &str)> {
    if ebin.file_name()? != "ebin" {
        return None;
    }
    let dir = ebin.parent()?;
    Some((dir.parent()?, dir.file_name()?.to_str()?))
}

/// The application that a directory `NAME` or `NAME-VSN` is named after.
fn application(directory: &str) -> &str {
    directory
        .split_once('-')
        .map_or(directory, |(name, _)| name)
}

fn sort_latest_first(application: &str, directories: &mut [String]) {
    let version = |directory: &str| directory[application.len() + 1..].to_owned();
    directories.sort_by(|a, b| match vsn::compare(&version(b), &version(a)) {
        Ordering::Equal => b.cmp(a),
        order => order,
    });
}

fn entries(dir: &Path) -> Vec<String> {
    let Ok(entries) = read_dir(dir) else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.collect()
}
