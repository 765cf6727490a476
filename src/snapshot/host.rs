//! dpkg and apt, asked. What is asked changes nothing.

use super::error::SnapshotError;
use super::package::{self, Package};
use super::source::{self, Identity};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

/// What apt-get is told where it is to load a file: no user of its own, who could not write here; nobody is waited for long.
const DOWNLOAD: [&str; 10] = [
    "-q",
    "-q",
    "-o",
    "APT::Sandbox::User=root",
    "-o",
    "Acquire::Retries=0",
    "-o",
    "Acquire::http::Timeout=30",
    "-o",
    "Acquire::https::Timeout=30",
];

/// What apt-get is told where nobody is there to answer: downwards too, files that somebody changed stay, and nothing more
/// after the first package that fails.
const UNATTENDED: [&str; 11] = [
    "-y",
    "-q",
    "--allow-downgrades",
    // Another one may be at work.
    "-o",
    "DPkg::Lock::Timeout=60",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--abort-after=1",
];

/// The packages of the host.
#[derive(Clone, Debug)]
pub struct State {
    /// Its architecture.
    pub architecture: String,
    /// What is there.
    pub packages: Vec<Package>,
}

/// The packages of this host; `apps` is where they say which applications they installed.
pub fn state(apps: &Path) -> Result<State, SnapshotError> {
    let architecture = text("dpkg", &["--print-architecture"])?.trim().to_owned();
    let printed = text("dpkg-query", &["-W", "-f", package::FORM])?;
    let mut packages = package::packages(&printed, &architecture);
    let automatic = text("apt-mark", &["showauto"])?;
    let automatic: BTreeSet<&str> = automatic.lines().collect();
    let owners = package::owners(&owners(apps)?);
    for package in &mut packages {
        package.auto = automatic.contains(package.name.as_str());
        let plain = package.name.split(':').next().unwrap_or_default();
        let owned = owners.get(plain).into_iter().flatten();
        package.applications = owned.cloned().collect();
    }
    Ok(State {
        architecture,
        packages,
    })
}

/// What dpkg says about the owners of the metadata files.
fn owners(apps: &Path) -> Result<String, SnapshotError> {
    let names = crate::file::names(apps);
    if names.is_empty() {
        return Ok(String::new());
    }
    let files = names.iter().map(|name| apps.join(name).into_os_string());
    let words: Vec<OsString> = [OsString::from("-S")].into_iter().chain(files).collect();
    let output = run(Command::new("dpkg-query").args(words), "dpkg-query")?;
    // Status 1: a file that no package has.
    match output.status.code() {
        Some(0 | 1) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        _ => Err(fails("dpkg-query", &output)),
    }
}

/// See [`Package::content`].
pub fn content(package: &Package) -> Option<String> {
    let words = ["--control-show", &package.name, "md5sums"];
    source::content(&text("dpkg-query", &words).ok()?)
}

/// The packages, with their content where `other` has one to compare it with.
pub fn compared(mut packages: Vec<Package>, other: &[Package]) -> Vec<Package> {
    let known = other.iter().filter(|one| one.content.is_some());
    let known: BTreeSet<(&str, &str)> = known
        .map(|one| (one.name.as_str(), one.version.as_str()))
        .collect();
    for package in &mut packages {
        if known.contains(&(package.name.as_str(), package.version.as_str())) {
            package.content = content(package);
        }
    }
    packages
}

/// What a package file says about itself; else why it does not.
pub fn identity(file: &Path) -> Result<Identity, String> {
    let said = |error: SnapshotError| match error {
        SnapshotError::Fails { said, .. } => said,
        SnapshotError::NotAsked { program, source } => format!("cannot ask {program}: {source}"),
        error => error.to_string(),
    };
    let mut command = Command::new("dpkg-deb");
    let form = "--showformat=${Package}\\t${Version}\\t${Architecture}";
    let output = run(command.arg("-W").arg(form).arg(file), "dpkg-deb");
    let printed = checked("dpkg-deb", output).map_err(said)?;
    let cells: Vec<&str> = printed.trim_end().split('\t').collect();
    let [name, version, arch] = cells[..] else {
        return Err("is no package file".to_owned());
    };
    // A package without a list of files is one, too.
    let mut command = Command::new("dpkg-deb");
    let output = run(command.arg("-I").arg(file).arg("md5sums"), "dpkg-deb");
    let list = checked("dpkg-deb", output).unwrap_or_default();
    Ok(Identity {
        name: name.to_owned(),
        version: version.to_owned(),
        arch: arch.to_owned(),
        content: source::content(&list),
    })
}

/// apt's archive cache.
pub fn archives() -> Result<PathBuf, SnapshotError> {
    let printed = text("apt-config", &["shell", "DIR", "Dir::Cache::archives/d"])?;
    let dir = printed.split('\'').nth(1).unwrap_or_default();
    Ok(PathBuf::from(dir))
}

/// Which of these packages a repository has, as [`source::offered`] names them.
pub fn offered(packages: &[&Package]) -> Result<BTreeSet<String>, SnapshotError> {
    if packages.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut command = Command::new("apt-cache");
    let output = run(command.arg("show").args(exact(packages)), "apt-cache")?;
    // Its status tells that one was not found.
    Ok(source::offered(&String::from_utf8_lossy(&output.stdout)))
}

/// Loads the files of these packages into `dir`.
pub fn download(packages: &[&Package], dir: &Path) -> Result<(), SnapshotError> {
    let mut command = Command::new("apt-get");
    let command = command
        .args(DOWNLOAD)
        .arg("download")
        .args(exact(packages))
        .current_dir(dir);
    checked("apt-get", run(command, "apt-get")).map(|_| ())
}

fn exact(packages: &[&Package]) -> Vec<String> {
    let exact = |package: &&Package| format!("{}={}", package.name, package.version);
    packages.iter().map(exact).collect()
}

fn text(program: &'static str, words: &[&str]) -> Result<String, SnapshotError> {
    checked(program, run(Command::new(program).args(words), program))
}

/// apt-get that changes packages, all of them as one for the nodes. What it and dpkg print goes to standard error.
pub(crate) fn apt_get() -> Result<Command, SnapshotError> {
    let mut command = Command::new("apt-get");
    let errors = std::io::stderr().as_fd().try_clone_to_owned();
    let errors = errors.map_err(|source| SnapshotError::NotAsked {
        program: "apt-get",
        source,
    })?;
    command
        .args(UNATTENDED)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("APT_LISTCHANGES_FRONTEND", "none")
        .env("ERLRC_BATCH", "1")
        .stdin(Stdio::null())
        .stdout(errors);
    Ok(command)
}

/// What became of a command whose output went elsewhere.
pub(crate) fn ended(
    program: &'static str,
    status: std::io::Result<ExitStatus>,
) -> Result<(), SnapshotError> {
    let status = status.map_err(|source| SnapshotError::NotAsked { program, source })?;
    match status.success() {
        true => Ok(()),
        false => Err(SnapshotError::Fails {
            program,
            said: status.to_string(),
        }),
    }
}

/// Runs a command without input, in the language that is parsed here.
pub(crate) fn run(command: &mut Command, program: &'static str) -> Result<Output, SnapshotError> {
    let output = command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output();
    output.map_err(|source| SnapshotError::NotAsked { program, source })
}

pub(crate) fn checked(
    program: &'static str,
    output: Result<Output, SnapshotError>,
) -> Result<String, SnapshotError> {
    let output = output?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(fails(program, &output)),
    }
}

fn fails(program: &'static str, output: &Output) -> SnapshotError {
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = errors
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let error = lines.iter().find_map(|line| line.strip_prefix("E: "));
    let said = match error.or(lines.last().copied()) {
        Some(line) => line.trim().to_owned(),
        None => output.status.to_string(),
    };
    SnapshotError::Fails { program, said }
}
