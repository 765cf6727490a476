//! What the host on which a package is built knows: which package owns an application or a library,
//! against which version of an application it was built, and which OTP release is installed.
//!
//! Asks dpkg and rpm. If they are missing or know nothing, no package owns anything.

use super::dependency::{Sibling, is_otp};
use super::search;
use super::spec::Format;
use crate::application::vsn;
use crate::installed;
use crate::places::ApplicationDir;
use crate::term::Atom;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is known about the applications `names`; those beside `dir` are the ones that it was built
/// with.
pub fn siblings(
    names: &[Atom],
    dir: &Path,
    lib_dir: &str,
    format: Format,
) -> BTreeMap<Atom, Sibling> {
    let mut found = BTreeMap::new();
    let owners = owners(names, lib_dir, format);
    for name in names {
        let vsn = if is_otp(name.as_str()) {
            None
        } else {
            built_with(name, dir).or_else(|| installed_here(name, lib_dir))
        };
        let owner = owners.get(name.as_str()).cloned();
        found.insert(name.clone(), Sibling { owner, vsn });
    }
    found
}

/// The version beside the application: `_build/default/lib/*`, `deps/*`. In a release the version is
/// part of the directory's name, and a directory may have any name.
fn built_with(name: &Atom, dir: &Path) -> Option<String> {
    let real = dir.canonicalize().ok()?;
    let places = [real.parent()?.to_owned(), real.join("deps")];
    let plain = places
        .iter()
        .find_map(|place| vsn_in(name, &place.join(name.as_str())));
    plain
        .or_else(|| places.iter().find_map(|place| latest(name, place)))
        .or_else(|| places.iter().find_map(|place| latest_in_any(name, place)))
}

/// The latest version in a directory of any name.
fn latest_in_any(name: &Atom, place: &Path) -> Option<String> {
    let listed = std::fs::read_dir(place).into_iter().flatten().flatten();
    let vsns = listed.filter_map(|entry| vsn_in(name, &entry.path()));
    vsns.max_by(|a, b| vsn::compare(a, b))
}

/// The latest installed version.
fn installed_here(name: &Atom, lib_dir: &str) -> Option<String> {
    latest(name, Path::new(lib_dir))
}

fn latest(name: &Atom, lib_dir: &Path) -> Option<String> {
    let dirs = directories(name, lib_dir);
    let vsns = dirs.iter().filter_map(|dir| vsn_in(name, dir));
    vsns.max_by(|a, b| vsn::compare(a, b))
}

fn vsn_in(name: &Atom, dir: &Path) -> Option<String> {
    let vsn = installed::shipped(name, dir).ok()?.vsn;
    (!vsn.is_empty()).then_some(vsn)
}

fn directories(name: &Atom, lib_dir: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(lib_dir).into_iter().flatten().flatten();
    let mut dirs: Vec<_> = listed
        .filter(|entry| {
            let file = entry.file_name();
            let rest = file
                .to_str()
                .and_then(|file| file.strip_prefix(name.as_str()));
            rest.is_some_and(|rest| rest.starts_with('-'))
        })
        .map(|entry| entry.path())
        .collect();
    dirs.sort();
    dirs
}

/// The packages that own the applications on this host, with their epochs.
fn owners(names: &[Atom], lib_dir: &str, format: Format) -> BTreeMap<String, (String, u32)> {
    match format {
        Format::Deb => {
            let patterns = names
                .iter()
                .map(|name| format!("*/lib/{name}-*/ebin/{name}.app"));
            let owned = dpkg_search(patterns)
                .into_iter()
                .filter_map(|(package, path)| {
                    let file = Path::new(&path).file_stem()?.to_str()?.to_owned();
                    Some((file, (package.clone(), dpkg_epoch(&package))))
                });
            owned.collect()
        }
        Format::Rpm => {
            let owned = names.iter().filter_map(|name| {
                let dir = directories(name, Path::new(lib_dir)).pop()?;
                let file = ApplicationDir(&dir).app(name.as_str());
                Some((name.as_str().to_owned(), rpm_owner(&file)?))
            });
            owned.collect()
        }
    }
}

/// The packages that own shared libraries on this host.
pub fn library_owners<'a>(libraries: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let patterns = libraries.map(|library| format!("*/lib/*/{library}"));
    let owned = dpkg_search(patterns)
        .into_iter()
        .filter_map(|(package, path)| {
            let file = Path::new(&path).file_name()?.to_str()?.to_owned();
            Some((file, package))
        });
    owned.collect()
}

/// The OTP release whose `erl` is on the search path `path`. Nothing is started.
pub fn otp(path: &OsStr) -> Option<u32> {
    let mut programs = std::env::split_paths(path).map(|dir| dir.join("erl"));
    let program = programs.find_map(|program| program.canonicalize().ok())?;
    // The program is in `bin` below the root, or in `erts-*/bin`.
    let mut roots = program.ancestors().skip(2).take(2);
    roots.find_map(|root| {
        let listed = std::fs::read_dir(root.join("releases")).ok()?;
        let names = listed.flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.to_str()?.parse().ok()).max()
    })
}

/// Package and path for each path that matches; of several packages the first.
fn dpkg_search(patterns: impl Iterator<Item = String>) -> Vec<(String, String)> {
    let patterns: Vec<_> = patterns.collect();
    if patterns.is_empty() {
        return Vec::new();
    }
    // If one pattern matches nothing, the program fails, but still prints what the others match.
    let text = output(
        Command::new("dpkg-query").arg("--search").args(patterns),
        true,
    );
    let found = search::owners(&text).filter_map(|(mut packages, path)| {
        let first = packages.next()?;
        Some((first.to_owned(), path.to_owned()))
    });
    found.collect()
}

fn dpkg_epoch(package: &str) -> u32 {
    let mut query = Command::new("dpkg-query");
    let text = output(
        query.args(["--show", "--showformat=${Version}\n", package]),
        false,
    );
    let (epoch, _) = vsn::split_epoch(text.lines().next().unwrap_or_default());
    epoch.parse().unwrap_or(0)
}

fn rpm_owner(file: &Path) -> Option<(String, u32)> {
    let mut query = Command::new("rpm");
    let query = query.args(["-q", "--queryformat", "%{NAME} %{EPOCHNUM}\n", "-f"]);
    let text = output(query.arg(file), false);
    let (package, epoch) = text.lines().next()?.split_once(' ')?;
    Some((package.to_owned(), epoch.parse().ok()?))
}

/// The output of a program; empty if the program does not exist or, unless failing is normal, if it
/// fails.
fn output(command: &mut Command, fails: bool) -> String {
    let command = command.env("LC_ALL", "C").stdin(Stdio::null());
    match command.stderr(Stdio::null()).output() {
        Ok(output) if fails || output.status.success() => {
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        _ => String::new(),
    }
}
