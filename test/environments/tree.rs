//! OTP trees for environments: the one of the tests, and copies of it that may be spoilt.

use crate::host::{Host, Run};
pub use crate::otp::root;
use crate::schema::Schemas;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy of the part of the tree that an environment needs, with files of its own.
pub fn copy(host: &Host, name: &str) -> PathBuf {
    copy_with(host, name, &["kernel", "stdlib", "sasl"])
}

/// The same with these applications.
pub fn copy_with(host: &Host, name: &str, applications: &[&str]) -> PathBuf {
    let copy = host.path(name);
    fs::create_dir_all(copy.join("lib")).expect("a directory");
    for part in fs::read_dir(root()).expect("a tree").flatten() {
        let part = part.file_name().into_string().expect("a name");
        if part == "bin" || part == "releases" || part.starts_with("erts-") {
            cp(&root().join(&part), &copy.join(&part));
        }
    }
    for name in applications {
        let dir = lib(root(), name);
        let target = copy.join("lib").join(dir.file_name().expect("a name"));
        cp(&dir, &target);
    }
    copy
}

fn cp(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.expect("cp runs").success());
}

/// The directory of an application in a tree.
pub fn lib(tree: &Path, application: &str) -> PathBuf {
    let prefix = format!("{application}-");
    let mut dirs = fs::read_dir(tree.join("lib")).expect("a tree").flatten();
    let found = dirs.find(|dir| dir.file_name().to_string_lossy().starts_with(&prefix));
    found.expect("the application").path()
}

/// The directory of the emulator in a tree.
pub fn emulator(tree: &Path) -> PathBuf {
    let mut dirs = fs::read_dir(tree).expect("a tree").flatten();
    let found = dirs.find(|dir| dir.file_name().to_string_lossy().starts_with("erts-"));
    found.expect("an emulator").path().join("bin")
}

/// Replaces `file` as package managers do it: by a new file that gets its name.
pub fn replace(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mode = fs::metadata(file).expect("a file").permissions();
    let mut bytes = fs::read(file).expect("a file");
    change(&mut bytes);
    let new = file.with_extension("dpkg-new");
    fs::write(&new, bytes).expect("a file");
    fs::set_permissions(&new, mode).expect("a mode");
    fs::rename(new, file).expect("a name");
}

/// Every `old` in `bytes` becomes `new`, which is as long.
pub fn substitute(bytes: &mut [u8], old: &str, new: &str) {
    assert_eq!(old.len(), new.len());
    let mut found = 0;
    for at in 0..bytes.len().saturating_sub(old.len()) {
        if &bytes[at..at + old.len()] == old.as_bytes() {
            bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "{old} is not in it");
}

/// What a command of `erlrc env` prints with `--json`; it holds what its schema says.
#[track_caller]
pub fn json(host: &Host, arguments: &[&str]) -> Value {
    read(&host.erlrc(&[&["env", "--json"], arguments].concat()))
}

/// The same of one that has run.
#[track_caller]
pub fn read(run: &Run) -> Value {
    let value: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"));
    let found = Schemas::read().errors(&value);
    assert_eq!(found, Vec::<String>::new(), "{value:#}");
    value
}

/// Makes an environment of the tree in `from`; its directory.
#[track_caller]
pub fn make(host: &Host, from: &Path, applications: &[&str]) -> PathBuf {
    let from = from.display().to_string();
    let arguments = [&["make", "--from", &from], applications].concat();
    let made = json(host, &arguments);
    assert_eq!(made["kind"], "environment_made", "{made:#}");
    PathBuf::from(made["dir"].as_str().expect("a directory"))
}

/// The name of an environment.
pub fn name(dir: &Path) -> String {
    let name = dir.file_name().expect("a name");
    name.to_str().expect("text").to_owned()
}

/// What is in the directory of environments.
pub fn names(host: &Host) -> Vec<String> {
    let entries = fs::read_dir(host.path("env"))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = entries.map(|entry| name(&entry.path())).collect();
    names.sort();
    names
}
