//! The code path, indexed in one pass: which directory an application should be in, going by the
//! directories' names. A list of ten thousand directories is searched once, not once for each
//! application.

use crate::application::vsn;
use crate::file::{self, Place};
use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// So many directories in one library are worth a look at the library itself, once.
const WORTH_OPENING: usize = 8;

/// The code path.
#[derive(Debug)]
pub struct CodePath<'p> {
    path: &'p [PathBuf],
    /// Name of an application -> the first directory that is named after it.
    named: HashMap<&'p str, Named<'p>>,
    /// The directories that hold the applications' directories, in the order of the code path.
    libraries: Vec<Library<'p>>,
    /// File name of a `.app` file -> the first directory that holds it.
    listed: OnceLock<HashMap<String, usize>>,
}

/// A directory on the path that is named after an application.
#[derive(Clone, Copy, Debug)]
struct Named<'p> {
    ebin: &'p Path,
    /// The application's directory, without the library.
    directory: &'p str,
    library: usize,
}

/// A directory that holds directories of applications.
#[derive(Debug)]
struct Library<'p> {
    path: &'p str,
    /// Whether OTP itself has chosen one of several versions in it.
    chosen: bool,
    /// How many directories of the path are in it.
    count: usize,
    open: OnceLock<Option<OwnedFd>>,
    /// Applications that something else is named after than the directory that is on the path.
    others: OnceLock<HashSet<&'p str>>,
    /// What is in it, sorted.
    entries: OnceLock<Vec<String>>,
}

/// A directory of modules that an application may be in.
#[derive(Debug)]
pub struct Candidate<'c> {
    /// The directory.
    pub ebin: Cow<'c, Path>,
    /// Its library, where that is open, and how much of the path that is.
    library: Option<(BorrowedFd<'c>, usize)>,
}

/// The directories that an application may be in, the best first: mostly one.
pub type Candidates<'c> =
    std::iter::Chain<std::option::IntoIter<Candidate<'c>>, std::vec::IntoIter<Candidate<'c>>>;

impl Candidate<'_> {
    /// Where `file` is, which must be in this directory.
    pub fn place<'f>(&'f self, file: &'f Path) -> Place<'f> {
        let inside = self.library.and_then(|(library, length)| {
            let inside = file.as_os_str().as_bytes().get(length..)?;
            Some(Place::inside(library, Path::new(OsStr::from_bytes(inside))))
        });
        inside.unwrap_or_else(|| file.into())
    }
}

impl<'c> From<&'c Path> for Candidate<'c> {
    fn from(ebin: &'c Path) -> Self {
        Self {
            ebin: Cow::Borrowed(ebin),
            library: None,
        }
    }
}

impl<'p> Library<'p> {
    fn new(path: &'p str, libs: &[PathBuf]) -> Self {
        Self {
            path,
            chosen: libs.iter().any(|lib| same(lib, path)),
            count: 0,
            open: OnceLock::new(),
            others: OnceLock::new(),
            entries: OnceLock::new(),
        }
    }

    /// The library itself, where it holds so much that it is worth it.
    fn open(&self) -> Option<BorrowedFd<'_>> {
        if self.count < WORTH_OPENING {
            return None;
        }
        let open = || file::open_directory(Path::new(self.path)).ok();
        self.open.get_or_init(open).as_ref().map(OwnedFd::as_fd)
    }

    /// The directories in it that are named after `application`, with a version.
    fn versions(&self, application: &str) -> &[String] {
        let entries = self.entries.get_or_init(|| {
            let mut entries = file::names(Path::new(self.path));
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

    /// Where the versions of `application` in it are, the latest first.
    fn latest_first(&self, application: &str) -> Vec<Candidate<'_>> {
        let vsn = |directory: &str| {
            vsn_of(directory, application)
                .unwrap_or_default()
                .to_owned()
        };
        let mut versions: Vec<&String> = self.versions(application).iter().collect();
        versions.sort_by(|a, b| vsn::compare(&vsn(b), &vsn(a)).then_with(|| b.cmp(a)));
        let ebin = |directory: &String| Path::new(self.path).join(directory).join("ebin");
        let candidate = |directory| Candidate {
            ebin: Cow::Owned(ebin(directory)),
            library: None,
        };
        versions.into_iter().map(candidate).collect()
    }
}

impl<'p> CodePath<'p> {
    /// The index of `path`, of which OTP itself has chosen what is in `libs`. Nothing is read yet.
    pub fn new(path: &'p [PathBuf], libs: &[PathBuf]) -> Self {
        let mut named = HashMap::with_capacity(path.len());
        let mut libraries: Vec<Library<'_>> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        for ebin in path {
            let Some((library, directory)) = split(ebin) else {
                continue;
            };
            let last = libraries.len().checked_sub(1);
            let is_last = |last: &usize| libraries.get(*last).is_some_and(|l| l.path == library);
            let library = last.filter(is_last).unwrap_or_else(|| {
                *known.entry(library).or_insert_with(|| {
                    libraries.push(Library::new(library, libs));
                    libraries.len() - 1
                })
            });
            libraries[library].count += 1;
            named.entry(application(directory)).or_insert(Named {
                ebin,
                directory,
                library,
            });
        }
        Self {
            path,
            named,
            libraries,
            listed: OnceLock::new(),
        }
    }

    /// Where `application` is by the name of a directory: that directory, and where OTP has chosen it
    /// itself the other versions beside it, which it has left out of the code path. The latest first.
    pub fn named(&self, application: &str) -> Candidates<'_> {
        let Some(named) = self.named.get(application) else {
            return candidates(None, Vec::new());
        };
        let library = &self.libraries[named.library];
        // A directory without a version, or outside of OTP's own, was put on the path by hand.
        let by_hand = !library.chosen || named.directory == application;
        if !by_hand && self.others(named.library).contains(application) {
            return candidates(None, library.latest_first(application));
        }
        let candidate = Candidate {
            ebin: Cow::Borrowed(named.ebin),
            library: library.open().map(|open| (open, library.path.len() + 1)),
        };
        candidates(Some(candidate), Vec::new())
    }

    /// Where `application` is, going by the `.app` files that the directories of the path hold.
    pub fn listed(&self, application: &str) -> Option<Candidate<'_>> {
        let listed = self.listed.get_or_init(|| {
            let mut listed = HashMap::new();
            for (place, ebin) in self.path.iter().enumerate() {
                let names = file::names(ebin).into_iter();
                for name in names.filter(|name| name.ends_with(".app")) {
                    listed.entry(name).or_insert(place);
                }
            }
            listed
        });
        let place = listed.get(&format!("{application}.app"))?;
        Some(self.path.get(*place)?.as_path().into())
    }

    /// Where `application` is that was installed after the path was made: beside what is on it.
    pub fn beside(&self, application: &str) -> Candidates<'_> {
        let libraries = self.libraries.iter();
        let mut found = libraries.map(|library| library.latest_first(application));
        let first = found.find(|found| !found.is_empty());
        candidates(None, first.unwrap_or_default())
    }

    /// The applications that something else in the library is named after than the directory on the
    /// path.
    fn others(&self, library: usize) -> &HashSet<&'p str> {
        self.libraries[library].others.get_or_init(|| {
            let mut others = HashSet::new();
            let visit = |directory: &str| {
                if let Some((name, named)) = self.named.get_key_value(application(directory))
                    && named.library == library
                    && named.directory != directory
                {
                    others.insert(*name);
                }
            };
            // What was found before an error is there.
            let _ = file::open_directory(Path::new(self.libraries[library].path))
                .and_then(|open| file::list(open, visit));
            others
        })
    }
}

fn candidates<'c>(first: Option<Candidate<'c>>, others: Vec<Candidate<'c>>) -> Candidates<'c> {
    first.into_iter().chain(others)
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
