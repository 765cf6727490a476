//! What native code asks of a host, and what of that the host does not have.

use crate::application::vsn;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A library as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Its file.
    pub path: PathBuf,
    /// The symbol versions that it defines; none where it has no versions at all.
    pub provides: Vec<String>,
}

/// Something that one file needs of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The file that needs it.
    pub by: PathBuf,
    /// The library's name.
    pub library: String,
    /// The symbol versions that are asked for.
    pub versions: Vec<String>,
    /// What the dynamic linker would take; none where it finds none.
    pub found: Option<Library>,
}

/// A need that is not met.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unmet {
    /// The library is not there.
    Library {
        /// Its name.
        library: String,
        /// A file that needs it.
        by: PathBuf,
    },
    /// The library has not the version of its symbols that is asked for: it is too old.
    Version {
        /// Its name.
        library: String,
        /// The file that was found.
        path: PathBuf,
        /// The newest version that it lacks.
        version: String,
        /// A file that needs it.
        by: PathBuf,
    },
}

impl Unmet {
    /// One line.
    pub fn text(&self) -> String {
        match self {
            Self::Library { library, by } => {
                format!("{library} is not there, {} needs it", by.display())
            }
            Self::Version {
                library,
                path,
                version,
                by,
            } => format!(
                "{library} here ({}) has no {version}, {} needs it",
                path.display(),
                by.display()
            ),
        }
    }
}

/// The needs that are not met: one for each library, with the newest version that it lacks.
pub fn unmet(requirements: &[Requirement]) -> Vec<Unmet> {
    let mut found: BTreeMap<(&str, Option<&PathBuf>), Unmet> = BTreeMap::new();
    for requirement in requirements {
        let Some(one) = of(requirement) else { continue };
        let path = requirement.found.as_ref().map(|library| &library.path);
        let key = (requirement.library.as_str(), path);
        let is_newer = match (found.get(&key), &one) {
            (None, _) => true,
            (Some(Unmet::Version { version: old, .. }), Unmet::Version { version, .. }) => {
                vsn::compare(version, old).is_gt()
            }
            _ => false,
        };
        if is_newer {
            found.insert(key, one);
        }
    }
    found.into_values().collect()
}

fn of(requirement: &Requirement) -> Option<Unmet> {
    let (library, by) = (requirement.library.clone(), requirement.by.clone());
    let Some(found) = &requirement.found else {
        return Some(Unmet::Library { library, by });
    };
    // The dynamic linker takes a library that has no versions at all.
    let lacks = |version: &&String| !found.provides.is_empty() && !found.provides.contains(version);
    let lacking = requirement.versions.iter().filter(lacks);
    let version = lacking.max_by(|a, b| vsn::compare(a, b))?.clone();
    Some(Unmet::Version {
        library,
        path: found.path.clone(),
        version,
        by,
    })
}

/// The newest version of each kind that is asked for: `GLIBC_2.34`, `OPENSSL_3.0.0`.
pub fn newest<'v>(versions: impl Iterator<Item = &'v str>) -> Vec<String> {
    let mut newest: BTreeMap<&str, &str> = BTreeMap::new();
    for version in versions {
        let Some((kind, number)) = version.rsplit_once('_') else {
            continue;
        };
        if !number.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let known = newest.entry(kind).or_insert(number);
        if vsn::compare(number, known).is_gt() {
            *known = number;
        }
    }
    let text = newest.into_iter();
    text.map(|(kind, number)| format!("{kind}_{number}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(by: &str, versions: &[&str], provides: Option<&[&str]>) -> Requirement {
        let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
        Requirement {
            by: by.into(),
            library: "libc.so.6".to_owned(),
            versions: owned(versions),
            found: provides.map(|provides| Library {
                path: "/lib/libc.so.6".into(),
                provides: owned(provides),
            }),
        }
    }

    #[track_caller]
    fn case(requirements: &[Requirement], expected: &[&str]) {
        let found: Vec<_> = unmet(requirements).iter().map(Unmet::text).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_there_is_met() {
        let has: &[&str] = &["GLIBC_2.2.5", "GLIBC_2.34"];
        case(&[requirement("beam", &["GLIBC_2.34"], Some(has))], &[]);
        case(&[requirement("beam", &[], Some(has))], &[]);
        case(&[requirement("beam", &["GLIBC_2.34"], Some(&[]))], &[]);
    }

    #[test]
    fn a_library_is_named_once_with_the_newest_version_that_it_lacks() {
        let has: &[&str] = &["GLIBC_2.2.5"];
        let needs = [
            requirement("a", &["GLIBC_2.9", "GLIBC_2.2.5"], Some(has)),
            requirement("b", &["GLIBC_2.43", "GLIBC_2.9"], Some(has)),
            requirement("c", &["GLIBC_2.38"], Some(has)),
        ];
        let line = "libc.so.6 here (/lib/libc.so.6) has no GLIBC_2.43, b needs it";
        case(&needs, &[line]);
    }

    #[test]
    fn a_library_that_is_missing_is_named_with_what_needs_it() {
        let line = "libc.so.6 is not there, beam needs it";
        case(&[requirement("beam", &["GLIBC_2.34"], None)], &[line]);
    }

    #[test]
    fn the_newest_of_each_kind_is_told() {
        let all = ["GLIBC_2.4", "GLIBC_2.34", "GLIBC_PRIVATE", "OPENSSL_3.0.0"];
        assert_eq!(newest(all.into_iter()), ["GLIBC_2.34", "OPENSSL_3.0.0"]);
    }
}
