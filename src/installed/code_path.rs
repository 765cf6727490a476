//! The code path, indexed in one pass: which directory an application should be in, going by the
//! directories' names. A list of ten thousand directories is searched once, not once for each
//! application.

use crate::application::vsn;
use std::borrow::Cow;
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
    libraries: HashMap<&'p str, Library>,
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

/// A directory of modules that an application may be in.
pub type Candidate<'p> = Cow<'p, Path>;

impl<'p> CodePath<'p> {
    /// The index of `path`. Nothing is read yet.
    pub fn new(path: &'p [PathBuf], libs: &'p [PathBuf]) -> Self {
        let mut named = HashMap::with_capacity(path.len());
        let mut libraries: HashMap<&str, Library> = HashMap::new();
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
    pub fn named(&self, application: &str) -> Vec<Candidate<'p>> {
        let place = self.named.get(application);
        let Some(ebin) = place.and_then(|&place| self.path.get(place)) else {
            return Vec::new();
        };
        let first = || vec![Cow::Borrowed(ebin.as_path())];
        let Some((library, directory)) = split(ebin) else {
            return first();
        };
        // A directory without a version, or outside of OTP's own, was put on the path by hand.
        if directory == application || !self.libs.iter().any(|lib| same(lib, library)) {
            return first();
        }
        let versions = self.versions(library, application);
        if versions.iter().all(|entry| entry == directory) {
            return first();
        }
        latest_first(library, application, versions)
    }

    /// Where `application` is, going by the `.app` files that the directories of the path hold.
    pub fn listed(&self, application: &str) -> Option<Candidate<'p>> {
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
        self.path
            .get(*place)
            .map(|ebin| Cow::Borrowed(ebin.as_path()))
    }

    /// Where `application` is that was installed after the path was made: beside what is on it.
    pub fn beside(&self, application: &str) -> Vec<Candidate<'p>> {
        let mut libraries: Vec<_> = self.libraries.iter().collect();
        libraries.sort_unstable_by_key(|(_, library)| library.place);
        let mut found = libraries.into_iter().map(|(library, _)| {
            latest_first(library, application, self.versions(library, application))
        });
        found.find(|found| !found.is_empty()).unwrap_or_default()
    }

    /// The directories in `library` that are named after `application`, with a version.
    fn versions(&self, library: &str, application: &str) -> &[String] {
        let Some(known) = self.libraries.get(library) else {
            return &[];
        };
        let entries = known.entries.get_or_init(|| {
            let mut entries = entries(Path::new(library));
            entries.sort_unstable();
            entries
        });
        let start = entries.partition_point(|entry| before(entry, application));
        let rest = entries.get(start..).unwrap_or_default();
        let count = rest
            .iter()
            .take_while(|entry| vsn_of(entry, application).is_some());
        let count = count.count();
        rest.get(..count).unwrap_or_default()
    }
}

/// `LIBRARY/DIRECTORY/ebin` as its two parts.
fn split(ebin: &Path) -> Option<(&str, &str)> {
    let dir = ebin.to_str()?.trim_end_matches('/').strip_suffix("/ebin")?;
    dir.rsplit_once('/')
}

/// Whether two paths are the same text, but for slashes at the end.
fn same(path: &Path, text: &str) -> bool {
    let path = path.to_str().map(|path| path.trim_end_matches('/'));
    path == Some(text.trim_end_matches('/'))
}

/// The application that a directory `NAME` or `NAME-VSN` is named after.
fn application(directory: &str) -> &str {
    directory
        .split_once('-')
        .map_or(directory, |(name, _)| name)
}

/// Whether a directory stands before those of `application` in a sorted listing.
fn before(directory: &str, application: &str) -> bool {
    directory.bytes().lt(application.bytes().chain([b'-']))
}

/// The version that the name of a directory of `application` says.
fn vsn_of<'e>(directory: &'e str, application: &str) -> Option<&'e str> {
    directory.strip_prefix(application)?.strip_prefix('-')
}

fn latest_first<'p>(library: &str, application: &str, versions: &[String]) -> Vec<Candidate<'p>> {
    let vsn = |directory: &str| {
        vsn_of(directory, application)
            .unwrap_or_default()
            .to_owned()
    };
    let mut versions: Vec<&String> = versions.iter().collect();
    versions.sort_by(|a, b| vsn::compare(&vsn(b), &vsn(a)).then_with(|| b.cmp(a)));
    let ebin = |directory: &String| Path::new(library).join(directory).join("ebin");
    versions
        .into_iter()
        .map(|directory| Cow::Owned(ebin(directory)))
        .collect()
}

fn entries(dir: &Path) -> Vec<String> {
    let Ok(entries) = read_dir(dir) else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.collect()
}
