//! A Debian package, unpacked to be looked at.
//!
//! Only what a plan reads is taken out of it: regular files that belong to an application's `ebin`, and the
//! metadata. What else a package may hold (links, devices, programs of another user) never comes into being,
//! and no more is read than a limit: the package may be anybody's.

use super::scratch;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use tar::{Archive, EntryType};
use tempfile::TempDir;

/// So many bytes of a package's content are read, and so many files are taken out of it.
const MOST_BYTES: u64 = 4 << 30;
const MOST_FILES: usize = 100_000;
/// So many members may a package have, so many of their directories are made, and so deep.
const MOST_MEMBERS: usize = 1_000_000;
const MOST_DIRECTORIES: usize = 10_000;
const MOST_COMPONENTS: usize = 16;
/// The largest file that is taken, and what all of them may come to.
const MOST_OF_A_FILE: u64 = 64 << 20;
const MOST_TAKEN: u64 = 1 << 30;
const MOST_OF_A_NAME: u64 = 1 << 16;

/// Why a package cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// There is no dpkg.
    #[error("cannot run dpkg-deb")]
    Run {
        /// Why.
        source: io::Error,
    },
    /// dpkg does not read it.
    #[error("{} cannot be unpacked: it is no package that dpkg-deb can unpack", file.display())]
    Refused {
        /// The package.
        file: PathBuf,
    },
    /// It holds what no package of applications would.
    #[error("the content of {} cannot be read", file.display())]
    Content {
        /// The package.
        file: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// No temporary directory can be had.
    #[error("no directory to unpack into")]
    Directory {
        /// Why.
        source: io::Error,
    },
}

/// The applications of a package, and what it has in the directory `metadata`, for as long as this value lives.
/// Nodes of other users read them too.
pub fn unpack(file: &Path, metadata: Option<&Path>) -> Result<TempDir, DebError> {
    let directory = |source| DebError::Directory { source };
    let dir = scratch::directory().map_err(directory)?;
    let mut child = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| DebError::Run { source })?;
    let taken = child
        .stdout
        .take()
        .map(|out| take_all(out, dir.path(), metadata));
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
pub(super) fn take_all(content: impl Read, dir: &Path, metadata: Option<&Path>) -> io::Result<()> {
    let mut archive = Archive::new(content.take(MOST_BYTES));
    let (mut files, mut bytes, mut name) = (0, 0_u64, None);
    let mut directories = HashSet::new();
    for (number, entry) in archive.entries()?.raw(true).enumerate() {
        let mut entry = entry?;
        if number > MOST_MEMBERS {
            return Err(invalid("it has more members than a package may have"));
        }
        match entry.header().entry_type() {
            EntryType::GNULongName => name = Some(long_name(&mut entry)?),
            EntryType::GNULongLink => {}
            kind => {
                let path = name
                    .take()
                    .map_or_else(|| entry.path(), |name| Ok(name.into()))?;
                let Some(path) = wanted(&path, kind, metadata)? else {
                    continue;
                };
                (files, bytes) = (files + 1, bytes.saturating_add(entry.size()));
                if files > MOST_FILES || entry.size() > MOST_OF_A_FILE || bytes > MOST_TAKEN {
                    return Err(invalid("it is larger than an application may be"));
                }
                if let Some(parent) = path.parent() {
                    make(dir, parent, &mut directories)?;
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

/// Where an entry goes, below the directory, if it is a file of an application or of metadata.
fn wanted(path: &Path, kind: EntryType, metadata: Option<&Path>) -> io::Result<Option<PathBuf>> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let parent = path.parent().unwrap_or(path);
    let of_application =
        parent.ends_with("ebin") && matches!(extension, Some("app" | "appup" | "beam"));
    // Names in an archive begin with `./`, or do not.
    let of_metadata = metadata.is_some_and(|dir| {
        let parent = parent.strip_prefix(".").unwrap_or(parent);
        parent == dir.strip_prefix("/").unwrap_or(dir)
    });
    let regular = matches!(kind, EntryType::Regular | EntryType::Continuous);
    if !(regular && (of_application || of_metadata)) {
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
    if inside.components().nth(MOST_COMPONENTS).is_some() {
        return Err(invalid(
            "a file of it lies deeper than one of an application would",
        ));
    }
    Ok(Some(inside))
}

/// Makes the directory of a file, unless that was made before.
fn make(dir: &Path, parent: &Path, made: &mut HashSet<PathBuf>) -> io::Result<()> {
    if made.contains(parent) {
        return Ok(());
    }
    made.insert(parent.to_owned());
    if made.len() > MOST_DIRECTORIES {
        return Err(invalid(
            "it has more directories than applications may have",
        ));
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o755).create(dir.join(parent))
}

fn take(entry: &mut impl Read, file: &Path) -> io::Result<()> {
    let mut target = File::create(file)?;
    target.set_permissions(Permissions::from_mode(0o644))?;
    io::copy(entry, &mut target).map(drop)
}
