//! Every version of an application that is installed.

use super::locate::{Locator, Work};
use super::{Directories, Warning, shipped};
use crate::application::{Application, FileError};
use crate::file::names;
use crate::inclusion::Specification;
use crate::term::Atom;
use std::path::{Path, PathBuf};

/// The versions of an application, each with its directory.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    /// All of them, the one that is meant where none is named first. Overrides are put over that one alone.
    pub found: Vec<(Application, PathBuf)>,
    /// What somebody should know of how the first one was found.
    pub warnings: Vec<Warning>,
}

/// What is installed of `name`: what a node would start, and what lies beside it and in the other directories of
/// applications.
pub fn versions(directories: &Directories, name: &Atom) -> Result<Versions, FileError> {
    let mut work = Work::default();
    let mut found = Vec::new();
    let mut places: Vec<PathBuf> = Vec::new();
    match Locator::new(directories).locate(name, &mut work) {
        Specification::Found { application, ebin } => {
            let ebin = Path::new(&ebin);
            let dir = ebin.parent().unwrap_or(ebin).to_owned();
            places.extend(dir.parent().map(Path::to_owned));
            found.push((*application, dir));
        }
        Specification::Gone => {}
        Specification::Unusable(error) => return Err(error),
    }
    places.extend(directories.libs.iter().cloned());
    for dir in places.iter().flat_map(|place| named(place, name)) {
        let real = |dir: &Path| dir.canonicalize().ok();
        let is_known = found.iter().any(|(_, known)| real(known) == real(&dir));
        if !is_known && let Ok(application) = shipped(name, &dir) {
            found.push((application, dir));
        }
    }
    Ok(Versions {
        found,
        warnings: work.warnings,
    })
}

/// The directories in `place` that are named after an application, with or without a version, in order.
fn named(place: &Path, name: &Atom) -> Vec<PathBuf> {
    let is_named = |dir: &String| {
        let rest = dir.strip_prefix(name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let mut dirs: Vec<String> = names(place).into_iter().filter(is_named).collect();
    dirs.sort_unstable();
    dirs.into_iter().map(|dir| place.join(dir)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Installs `foo` in the directory `dir`.
    fn install(dir: &Path, vsn: &str) {
        fs::create_dir_all(dir.join("ebin")).unwrap();
        let text = format!("{{application, foo, [{{vsn, \"{vsn}\"}}]}}.");
        fs::write(dir.join("ebin/foo.app"), text).unwrap();
    }

    #[test]
    fn what_is_meant_comes_first_and_everything_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        install(&path("one/foo-1.0"), "1.0");
        install(&path("one/foo-1.1"), "1.1");
        install(&path("two/foo"), "3");
        install(&path("two/foobar-9"), "9");
        std::os::unix::fs::symlink(path("two/foo"), path("two/foo-3")).unwrap();
        fs::create_dir(path("apps")).unwrap();
        let metadata = format!("{{foo, \"1.0\", \"{}\"}}.", path("one/foo-1.0").display());
        fs::write(path("apps/foo"), metadata).unwrap();
        let directories = Directories {
            root: path("root"),
            apps: path("apps"),
            path: Vec::new(),
            libs: vec![path("two")],
            threads: 1,
        };
        let found = versions(&directories, &Atom::of("foo")).unwrap().found;
        let found: Vec<&str> = found.iter().map(|(one, _)| one.vsn.as_str()).collect();
        assert_eq!(found, ["1.0", "1.1", "3"]);
        let none = versions(&directories, &Atom::of("bar")).unwrap();
        assert!(none.found.is_empty());
    }
}
