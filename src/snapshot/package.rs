//! The package state of a host, from what dpkg and apt print.

use super::source::Origin;
use crate::package::search;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The form in which dpkg-query is asked: see [`packages`].
pub const FORM: &str =
    "${Package}\\t${Architecture}\\t${Version}\\t${db:Status-Want}\\t${db:Status-Status}\\n";
/// The state of a package that is whole.
pub const INSTALLED: &str = "installed";
/// erlrc's own package.
const OWN: &str = "erlrc";

/// A package that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name, with an architecture behind it where that is not the host's: as apt takes it.
    pub name: String,
    /// Its architecture.
    pub arch: String,
    /// Its version.
    pub version: String,
    /// How far dpkg has come with it, in dpkg's word: `installed`, `unpacked`, `half-configured` and so on.
    pub state: String,
    /// Whether it came for another one's sake.
    #[serde(default)]
    pub auto: bool,
    /// Whether it is held.
    #[serde(default)]
    pub hold: bool,
    /// The applications that it installed.
    #[serde(default)]
    pub applications: Vec<String>,
    /// SHA-256 of the list of its files with their MD5, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The package file that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Kept>,
    /// Why none is kept that should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// A package file that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its content.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Where it was taken from.
    pub origin: Origin,
}

/// Whose package files are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Those of packages that installed applications, and erlrc's own.
    #[default]
    Ours,
    /// Those of all packages.
    All,
    /// None.
    None,
}

impl Keep {
    /// Whether the file of `package` is kept.
    pub fn wants(self, package: &Package) -> bool {
        match self {
            Self::Ours => package.name == OWN || !package.applications.is_empty(),
            Self::All => true,
            Self::None => false,
        }
    }
}

impl Package {
    /// The name of its package file, as apt calls it.
    pub fn file_name(&self) -> String {
        let plain = self.name.split(':').next().unwrap_or_default();
        let version = self.version.replace(':', "%3a");
        format!("{plain}_{version}_{}.deb", self.arch)
    }

    /// Whether nothing in it could be taken for something else in names of files and on command lines.
    pub(super) fn is_sound(&self) -> bool {
        let is_plain = |text: &str, more: &str| {
            let first = text.chars().next();
            first.is_some_and(|c| c.is_ascii_alphanumeric())
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        is_plain(&self.name, "+-.:")
            && is_plain(&self.arch, "-")
            && is_plain(&self.version, "+-.:~")
    }
}

/// The packages that dpkg-query prints in [`FORM`], in order of their names, for a host of this architecture. Those that
/// are gone but for their configuration are not among them.
pub fn packages(printed: &str, native: &str) -> Vec<Package> {
    let mut found: Vec<Package> = printed
        .lines()
        .filter_map(|line| package(line, native))
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

fn package(line: &str, native: &str) -> Option<Package> {
    let cells: Vec<&str> = line.split('\t').collect();
    let [name, arch, version, want, state] = cells[..] else {
        return None;
    };
    let package = Package {
        name: qualified(name, arch, native),
        arch: arch.to_owned(),
        version: version.to_owned(),
        state: state.to_owned(),
        hold: want == "hold",
        ..Package::default()
    };
    let is_there = !matches!(state, "not-installed" | "config-files");
    (is_there && package.is_sound()).then_some(package)
}

/// A name as apt takes and prints it.
fn qualified(name: &str, arch: &str, native: &str) -> String {
    match arch == native || arch == "all" {
        true => name.to_owned(),
        false => format!("{name}:{arch}"),
    }
}

/// The owners of files, from what `dpkg-query -S` prints: for each package, without an architecture, the last parts of the
/// names of the files.
pub fn owners(printed: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (packages, file) in search::owners(printed) {
        let Some(name) = file.rsplit('/').next() else {
            continue;
        };
        for package in packages {
            found
                .entry(package.to_owned())
                .or_default()
                .insert(name.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, arch: &str, version: &str) -> Package {
        Package {
            name: name.to_owned(),
            arch: arch.to_owned(),
            version: version.to_owned(),
            ..Package::default()
        }
    }

    #[test]
    fn what_dpkg_prints_is_the_state_of_the_host() {
        let printed = "zlib\tamd64\t1:1.2-3\tinstall\tinstalled\n\
            libc6\ti386\t2.36\thold\tinstalled\n\
            libc6\tamd64\t2.36\tinstall\tinstalled\n\
            gone\tall\t1\tdeinstall\tconfig-files\n\
            never\t\t\tunknown\tnot-installed\n\
            broken\tall\t2~rc1\tinstall\tunpacked\n\
            no line\n\
            -o\tall\t1\tinstall\tinstalled\n\
            ../x\tall\t1\tinstall\tinstalled\n\
            x\tall\t../1\tinstall\tinstalled\n";
        let found = packages(printed, "amd64");
        let told: Vec<String> = found
            .iter()
            .map(|one| format!("{} {} {} {}", one.name, one.version, one.state, one.hold))
            .collect();
        assert_eq!(
            told,
            [
                "broken 2~rc1 unpacked false",
                "libc6 2.36 installed false",
                "libc6:i386 2.36 installed true",
                "zlib 1:1.2-3 installed false",
            ]
        );
    }

    #[test]
    fn files_are_called_as_apt_calls_them() {
        let case = |name: &str, arch: &str, version: &str| named(name, arch, version).file_name();
        assert_eq!(case("zlib", "amd64", "1:1.2-3"), "zlib_1%3a1.2-3_amd64.deb");
        assert_eq!(case("libc6:i386", "i386", "2.36"), "libc6_2.36_i386.deb");
        assert_eq!(
            case("erlang-till", "all", "1.0~rc1-1"),
            "erlang-till_1.0~rc1-1_all.deb"
        );
    }

    #[test]
    fn owners_are_found_without_their_architectures() {
        let printed = "erlang-till: /usr/lib/erlrc/apps/till\n\
            erlang-bank:amd64, erlang-till: /usr/lib/erlrc/apps/bank\n\
            diversion by other from: /usr/lib/erlrc/apps/desk\n\
            nonsense\n";
        let found = owners(printed);
        let told: Vec<String> = found.iter().map(|one| format!("{one:?}")).collect();
        assert_eq!(
            told,
            [
                "(\"erlang-bank\", {\"bank\"})",
                "(\"erlang-till\", {\"bank\", \"till\"})"
            ]
        );
    }

    #[test]
    fn ours_are_those_with_applications_and_erlrc() {
        let plain = named("bash", "amd64", "5");
        let own = named("erlrc", "amd64", "0.1");
        let with = Package {
            applications: vec!["till".to_owned()],
            ..named("erlang-till", "all", "1")
        };
        for (keep, expected) in [
            (Keep::Ours, [false, true, true]),
            (Keep::All, [true, true, true]),
            (Keep::None, [false, false, false]),
        ] {
            assert_eq!(
                [&plain, &own, &with].map(|one| keep.wants(one)),
                expected,
                "{keep:?}"
            );
        }
    }
}
