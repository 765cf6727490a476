//! What is registered and what packages say is installed, of all applications, without a code path.

use super::file::terms;
use super::text;
use crate::application::{Error, Fault, Metadata, Registration, is_application_name};
use crate::file::{Buffer, Place, list, open_directory};
use crate::places::Root;
use rustix::fs::{AtFlags, statat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// The registrations and metadata of a host, by application.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Registered applications.
    pub registered: BTreeMap<String, Registration>,
    /// What packages installed.
    pub installed: BTreeMap<String, Metadata>,
    /// Files that cannot be used, a line each.
    pub warnings: Vec<String>,
}

/// What `root` (ERLRC_ROOT) and `apps` (ERLRC_APPS) hold. What cannot be read is none, with a warning:
/// who asks how things stand gets an answer all the same.
pub fn inventory(root: &Path, apps: &Path) -> Inventory {
    let mut inventory = Inventory::default();
    let (registered, installed) = (&mut inventory.registered, &mut inventory.installed);
    let warnings = [
        each(&Root(root).registrations(), |name, dir, buffer| {
            let registration = registration(&name, dir, buffer)?;
            registered.insert(name, registration);
            Ok(())
        }),
        each(apps, |name, dir, buffer| {
            let metadata = metadata(&name, dir, buffer)?;
            installed.insert(name, metadata);
            Ok(())
        }),
    ];
    inventory.warnings = warnings.concat();
    inventory
}

fn registration(
    name: &str,
    dir: BorrowedFd<'_>,
    buffer: &mut Buffer,
) -> Result<Registration, Fault> {
    // Most registrations are empty, and need not be opened.
    let status = statat(dir, name, AtFlags::empty());
    if status.is_ok_and(|status| status.st_size == 0) {
        return Ok(Registration::default());
    }
    let terms = terms(Place::inside(dir, Path::new(name)), buffer)?;
    let (registration, _) = Registration::from_terms(terms)?;
    Ok(registration)
}

fn metadata(name: &str, dir: BorrowedFd<'_>, buffer: &mut Buffer) -> Result<Metadata, Fault> {
    let terms = terms(Place::inside(dir, Path::new(name)), buffer)?;
    let metadata = match terms.as_slice() {
        [term] => Metadata::from_term(term)?,
        _ => return Err(Error::TermCount { count: terms.len() }.into()),
    };
    match metadata.application.as_str() == name {
        true => Ok(metadata),
        false => {
            let found = metadata.application;
            Err(Error::WrongName { found }.into())
        }
    }
}

/// Calls `read` for each file in `dir` that is named like an application; the warnings.
fn each(
    dir: &Path,
    mut read: impl FnMut(String, BorrowedFd<'_>, &mut Buffer) -> Result<(), Fault>,
) -> Vec<String> {
    let warning = |errno: Errno| format!("{}: {}", text(dir), std::io::Error::from(errno));
    let open = match open_directory(dir) {
        Ok(open) => open,
        Err(Errno::NOENT) => return Vec::new(),
        Err(errno) => return vec![warning(errno)],
    };
    let (names, error) = names(&open);
    let mut warnings: Vec<String> = error.map(warning).into_iter().collect();
    let mut buffer = Buffer::default();
    for name in names {
        if let Err(fault) = read(name.clone(), open.as_fd(), &mut buffer) {
            warnings.push(format!("{}: {fault}", text(&dir.join(name))));
        }
    }
    warnings
}

/// The names of applications in an open directory, in order, and why there are no more of them.
fn names(open: &OwnedFd) -> (Vec<String>, Option<Errno>) {
    let mut names = Vec::new();
    let listed = list(open, |name| {
        if is_application_name(name) {
            names.push(name.to_owned());
        }
    });
    names.sort_unstable();
    (names, listed.err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_registered_and_installed_is_found_and_what_is_broken_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let (root, apps) = (dir.path().join("root"), dir.path().join("apps"));
        let registered = root.join("applications");
        fs::create_dir_all(&registered).expect("a directory");
        fs::create_dir_all(&apps).expect("a directory");
        for (file, content) in [
            ("foo", ""),
            ("bar", "{enabled, false}."),
            ("foo.app", "x"),
            ("bar~", ""),
            ("bad", "{enabled"),
        ] {
            fs::write(registered.join(file), content).expect("a file");
        }
        for (file, content) in [
            ("foo", "{foo, \"1.0\", \"/lib/foo-1.0\"}."),
            ("odd", "{foo, \"1\", \"/x\"}."),
            ("foo.dpkg-new", ""),
        ] {
            fs::write(apps.join(file), content).expect("a file");
        }
        let inventory = inventory(&root, &apps);
        let enabled: Vec<_> = inventory
            .registered
            .iter()
            .map(|(name, r)| (name.as_str(), r.enabled))
            .collect();
        assert_eq!(enabled, [("bar", false), ("foo", true)]);
        let installed: Vec<_> = inventory
            .installed
            .values()
            .map(|m| m.vsn.as_str())
            .collect();
        assert_eq!(installed, ["1.0"]);
        let [bad, odd] = &inventory.warnings[..] else {
            panic!("{:?}", inventory.warnings)
        };
        assert!(bad.contains("applications/bad: ") && odd.contains("apps/odd: "));
    }
}
