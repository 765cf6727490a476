//! Rendezvous entries: which nodes run here, and the cookies that open them.
//!
//! An entry is a file named as its node in one of two directories: `$ERLRC_ROOT/nodes`, written by
//! a person, and `/run/erlrc/nodes`, written by the node itself. Either may be absent.
//!
//! Must not connect to anything; who listens on a node's port is checked by the distribution client,
//! which is told whom to expect ([`Entry::listener`]).

mod content;
mod file;

use crate::identity::{Cookie, NodeName};
use content::{Content, Secret};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The largest entry and the largest cookie file that are read.
const SIZE_LIMIT: u64 = 64 * 1024;
/// The most entries of a directory that are looked at.
const ENTRY_LIMIT: usize = 4096;
const ROOT: u32 = 0;

/// A node's entry, sound and safe to use.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The node.
    pub name: NodeName,
    /// The file.
    pub file: PathBuf,
    /// What opens the node.
    pub cookie: Cookie,
    /// Its port, where the port mapper is not to be asked.
    pub port: Option<u16>,
    /// The host it runs on, where that is said.
    pub host: Option<String>,
    /// Whether the node wrote the entry itself.
    pub managed: bool,
    /// Who must own the socket that the node listens on: an entry that is neither root's nor ours is
    /// good for its owner's own node alone.
    pub listener: Option<u32>,
    /// Whether other hosts may be meant: in entries of root alone.
    pub may_leave_host: bool,
    /// What the person who runs the host should mend.
    pub warnings: Vec<String>,
}

/// An entry that must not be used, or a directory that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RendezvousError {
    /// The directory is there and cannot be read.
    #[error("cannot read the directory {}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file cannot be opened or read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A symbolic link, directory, pipe, device or socket.
    #[error("{} is not a regular file", file.display())]
    NotRegular {
        /// The file.
        file: PathBuf,
    },
    /// Others than its owner can write to it.
    #[error("{} can be written by group or others (mode {mode:04o})", file.display())]
    Writable {
        /// The file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A cookie file of somebody else than the entry's owner.
    #[error("{} belongs to uid {found}, the entry to uid {expected}", file.display())]
    OtherOwner {
        /// The cookie file.
        file: PathBuf,
        /// Its owner.
        found: u32,
        /// The owner of the entry.
        expected: u32,
    },
    /// Larger than any entry is.
    #[error("{} is larger than {SIZE_LIMIT} bytes", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// Lines that are not understood; never quotes them, for they may hold the cookie.
    #[error("{}: {reason}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong, with the line's number.
        reason: String,
    },
}

/// What a directory of entries came to: file names in order, each an entry or why not.
pub type Entries = Vec<(NodeName, Result<Entry, RendezvousError>)>;

/// The entries of `directories`, sorted by name. An entry of an earlier directory hides those of later
/// ones that are for the same node: a person's word outweighs the node's.
pub fn entries(directories: &[PathBuf]) -> Result<Entries, RendezvousError> {
    let mut entries: Entries = Vec::new();
    for directory in directories {
        for name in names(directory)? {
            if !entries.iter().any(|(known, _)| same_node(known, &name)) {
                let entry = entry(&directory.join(name.to_string()), name.clone());
                entries.push((name, entry));
            }
        }
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(entries)
}

/// Whether two names can mean one node: on a host the part before the `@` is unique.
fn same_node(a: &NodeName, b: &NodeName) -> bool {
    let hosts_agree = match (a.host(), b.host()) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    a.local() == b.local() && hosts_agree
}

/// The file names in `directory` that are names of nodes; none where there is no directory.
fn names(directory: &Path) -> Result<Vec<NodeName>, RendezvousError> {
    let failed = |source| RendezvousError::Directory {
        directory: directory.to_owned(),
        source,
    };
    let files = match std::fs::read_dir(directory) {
        Ok(files) => files,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for file in files.take(ENTRY_LIMIT) {
        let file = file.map_err(failed)?;
        names.extend(file.file_name().to_str().and_then(NodeName::parse));
    }
    names.sort();
    Ok(names)
}

/// Reads the entry `file` of the node `name`.
pub fn entry(file: &Path, name: NodeName) -> Result<Entry, RendezvousError> {
    let caller = rustix::process::geteuid().as_raw();
    let text = file::read(file)?;
    let owner = text.owner;
    let mut warnings = text.warnings;
    let malformed = |reason| RendezvousError::Malformed {
        file: file.to_owned(),
        reason,
    };
    let content = Content::parse(&text.bytes).map_err(malformed)?;
    let cookie = match content.secret {
        Some(Secret::Cookie(cookie)) => cookie,
        Some(Secret::File(path)) => cookie_of(path, owner, &mut warnings)?,
        None => return Err(malformed("holds no cookie".to_owned())),
    };
    Ok(Entry {
        name,
        file: file.to_owned(),
        cookie,
        port: content.port,
        host: content.host,
        managed: content.managed,
        listener: (owner != ROOT && owner != caller).then_some(owner),
        may_leave_host: owner == ROOT,
        warnings,
    })
}

/// The cookie in `path`, which must belong to `owner` as the entry does: otherwise an entry could have
/// the hook, which may read anything, read other people's cookies.
fn cookie_of(
    path: PathBuf,
    owner: u32,
    warnings: &mut Vec<String>,
) -> Result<Cookie, RendezvousError> {
    let text = file::read(&path)?;
    if text.owner != owner {
        let (file, found) = (path, text.owner);
        return Err(RendezvousError::OtherOwner {
            file,
            found,
            expected: owner,
        });
    }
    warnings.extend(text.warnings);
    Cookie::parse(&text.bytes).ok_or_else(|| RendezvousError::Malformed {
        file: path,
        reason: "the first line holds no cookie".to_owned(),
    })
}

#[cfg(test)]
mod tests;
