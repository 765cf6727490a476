//! The application in a Debian package, unpacked to be looked at.
//!
//! Only what a plan reads is taken out of it: regular files that belong to an application's `ebin`. What
//! else a package may hold (links, devices, programs of another user) never comes into being, and no more
//! is read than a limit: the package may be anybody's.

use crate::cli::{Failure, Status};
use crate::term::Atom;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use tar::{Archive, EntryType};
use tempfile::TempDir;

/// So many bytes of a package's content are read, and so many files are taken out of it.
const MOST_BYTES: u64 = 4 << 30;
const MOST_FILES: usize = 100_000;
/// The largest file that is taken, and what all of them may come to.
const MOST_OF_A_FILE: u64 = 64 << 20;
const MOST_TAKEN: u64 = 1 << 30;
const MOST_OF_A_NAME: u64 = 1 << 16;

#[derive(Debug, thiserror::Error)]
enum DebError {
    #[error("cannot run dpkg-deb")]
    Run { source: io::Error },
    #[error("{} is no package that dpkg-deb can unpack", file.display())]
    Refused { file: PathBuf },
    #[error("the content of {} cannot be read", file.display())]
    Content { file: PathBuf, source: io::Error },
    #[error("no directory to unpack into")]
    Directory { source: io::Error },
    #[error("the package holds no application{}", of(name))]
    None { name: Option<Atom> },
    #[error("the package holds several applications: {}", names.join(", "))]
    Several { names: Vec<String> },
}

fn of(name: &Option<Atom>) -> String {
    name.as_ref()
        .map_or_else(String::new, |name| format!(" {name}"))
}

/// The applications of a package, for as long as this value lives. Nodes of other users read them too.
pub fn unpack(file: &Path) -> Result<TempDir, Failure> {
    unpacked(file).map_err(|error| Failure::new(Status::Failed, error))
}

fn unpacked(file: &Path) -> Result<TempDir, DebError> {
    let directory = |source| DebError::Directory { source };
    let dir = tempfile::tempdir().map_err(directory)?;
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).map_err(directory)?;
    let mut child = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| DebError::Run { source })?;
    let taken = child.stdout.take().map(|out| take_all(out, dir.path()));
    // Closed by now: what has more to say than was read ends.
    let status = child.wait().map_err(|source| DebError::Run { source })?;
    let file = file.to_owned();
    match taken {
        Some(Err(source)) if status.success() || source.kind() == io::ErrorKind::InvalidData => {
            Err(DebError::Content { file, source })
        }
        _ if !status.success() => Err(DebError::Refused { file }),
        _ => Ok(dir),
    }
}

/// Takes what belongs to applications out of a package's content, and reads all of it. Long names are read
/// here, as dpkg knows them: the archive's own reader takes as much memory as a package says.
fn take_all(content: ChildStdout, dir: &Path) -> io::Result<()> {
    let mut archive = Archive::new(content.take(MOST_BYTES));
    let (mut files, mut bytes, mut name) = (0, 0_u64, None);
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        match entry.header().entry_type() {
            EntryType::GNULongName => name = Some(long_name(&mut entry)?),
            EntryType::GNULongLink => {}
            kind => {
                let path = name
                    .take()
                    .map_or_else(|| entry.path(), |name| Ok(name.into()))?;
                let Some(path) = wanted(&path, kind)? else {
                    continue;
                };
                (files, bytes) = (files + 1, bytes.saturating_add(entry.size()));
                if files > MOST_FILES || entry.size() > MOST_OF_A_FILE || bytes > MOST_TAKEN {
                    return Err(invalid("it is larger than an application may be"));
                }
                take(&mut entry, &dir.join(path))?;
            }
        }
    }
    let mut content = archive.into_inner();
    io::copy(&mut content, &mut io::sink())?;
    match content.limit() {
        0 => Err(invalid("it is larger than a package may be")),
        _ => Ok(()),
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn long_name(entry: &mut impl Read) -> io::Result<PathBuf> {
    let mut name = Vec::new();
    entry.take(MOST_OF_A_NAME).read_to_end(&mut name)?;
    name.retain(|byte| *byte != 0);
    Ok(OsString::from_vec(name).into())
}

/// Where an entry goes, below the directory, if it is one of an application's files.
fn wanted(path: &Path, kind: EntryType) -> io::Result<Option<PathBuf>> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let in_ebin = path.parent().is_some_and(|dir| dir.ends_with("ebin"));
    let of_application = matches!(extension, Some("app" | "appup" | "beam"));
    let regular = matches!(kind, EntryType::Regular | EntryType::Continuous);
    if !(regular && in_ebin && of_application) {
        return Ok(None);
    }
    let mut inside = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            _ => return Err(invalid("a file of it would lie outside of it")),
        }
    }
    Ok(Some(inside))
}

fn take(entry: &mut impl Read, file: &Path) -> io::Result<()> {
    if let Some(parent) = file.parent() {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o755).create(parent)?;
    }
    let mut target = File::create(file)?;
    target.set_permissions(Permissions::from_mode(0o644))?;
    io::copy(entry, &mut target).map(drop)
}

/// The application in an unpacked package, and its directory there: the only one, or the one of this name.
pub fn application(
    unpacked: &TempDir,
    wanted: Option<&Atom>,
) -> Result<(Option<Atom>, PathBuf), Failure> {
    let mut found = Vec::new();
    search(unpacked.path(), 8, &mut found);
    found.retain(|(name, _)| wanted.is_none_or(|wanted| wanted == name));
    found.sort();
    match (found.pop(), found.is_empty()) {
        (Some((name, dir)), true) => Ok((Some(name), dir)),
        (Some((name, _)), false) => {
            let others = found.iter().map(|(name, _)| name.to_string());
            let names = others.chain([name.to_string()]).collect();
            let failure = Failure::new(Status::Failed, DebError::Several { names });
            Err(failure.hint("name the application"))
        }
        (None, _) => {
            let name = wanted.cloned();
            Err(Failure::new(Status::Failed, DebError::None { name }))
        }
    }
}

/// The directories that hold `ebin/NAME.app`.
fn search(dir: &Path, levels: usize, found: &mut Vec<(Atom, PathBuf)>) {
    let Some(levels) = levels.checked_sub(1) else {
        return;
    };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_dir {
            search(&entry.path(), levels, found);
        } else if dir.ends_with("ebin") {
            let name = entry.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(".app"));
            if let (Some(name), Some(parent)) = (name.and_then(Atom::new), dir.parent()) {
                found.push((name, parent.to_owned()));
            }
        }
    }
}
