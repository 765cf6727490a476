//! Rendezvous entries: which nodes run here, and the cookies that open them.
//!
//! An entry is a file named as its node in one of two directories: `$ERLRC_ROOT/nodes`, written by
//! a person, and `/run/erlrc/nodes`, written by the node itself. Either may be absent.
//!
//! Must not connect to anything; who listens on a node's port is checked by the distribution client,
//! which is told whom to expect ([`Entry::listener`]).

mod content;
mod file;
mod process;

use crate::identity::{Cookie, NodeName};
use content::{Content, Secret};
pub use process::{Life, Process};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The largest entry and the largest cookie file that are read.
const SIZE_LIMIT: u64 = 64 * 1024;
/// The most entries of nodes that live, or may live.
const ENTRY_LIMIT: usize = 4096;
const ROOT: u32 = 0;

/// A node's entry, sound and safe to use.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The node.
    pub name: NodeName,
    /// The file.
    pub file: PathBuf,
    /// The socket of the node's erlrc, the way to be tried first.
    pub socket: Option<PathBuf>,
    /// What opens the node by the distribution protocol; where there is a socket, [`Entry::cookie`] reads it
    /// when it is wanted.
    cookie: Option<Cookie>,
    cookie_file: Option<PathBuf>,
    /// The user whom the file belongs to.
    pub owner: u32,
    /// Whether the node's process runs.
    pub life: Life,
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
    /// It has a second name somewhere.
    #[error("{} has several names (hard links)", file.display())]
    Linked {
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
    /// So many entries that this one is not looked at, nor those after it.
    #[error("{} and {more} more entries are passed over: {ENTRY_LIMIT} is the limit", file.display())]
    TooMany {
        /// The first of them.
        file: PathBuf,
        /// How many there are beside it.
        more: usize,
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
/// ones that are for the same node: a person's word outweighs the node's. What a dead node left behind is
/// no entry, and is removed where that is ours to do.
pub fn entries(directories: &[PathBuf]) -> Result<Entries, RendezvousError> {
    let mut entries: Entries = Vec::new();
    let mut earlier: Vec<NodeName> = Vec::new();
    let namespace = process::own_namespace();
    for directory in directories {
        let names = names(directory)?;
        let total = names.len();
        for (place, name) in names.into_iter().enumerate() {
            if earlier.iter().any(|known| same_node(known, &name)) {
                continue;
            }
            let file = directory.join(name.to_string());
            if entries.len() >= ENTRY_LIMIT {
                let more = total - place - 1;
                entries.push((name, Err(RendezvousError::TooMany { file, more })));
                break;
            }
            match read(&file, name.clone(), namespace) {
                Ok(entry) if entry.is_left_behind() => entry.remove(),
                Err(RendezvousError::Unreadable { source, .. })
                    if source.kind() == ErrorKind::NotFound => {}
                entry => entries.push((name, entry)),
            }
        }
        earlier = entries.iter().map(|(name, _)| name.clone()).collect();
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
    for file in files {
        let file = file.map_err(failed)?;
        names.extend(file.file_name().to_str().and_then(NodeName::parse));
    }
    names.sort();
    Ok(names)
}

/// Reads the entry `file` of the node `name`.
pub fn entry(file: &Path, name: NodeName) -> Result<Entry, RendezvousError> {
    read(file, name, process::own_namespace())
}

fn read(file: &Path, name: NodeName, namespace: Option<u64>) -> Result<Entry, RendezvousError> {
    let caller = rustix::process::geteuid().as_raw();
    let text = file::read(file)?;
    let owner = text.owner;
    let mut warnings = text.warnings;
    let malformed = |reason| RendezvousError::Malformed {
        file: file.to_owned(),
        reason,
    };
    let content = Content::parse(&text.bytes).map_err(malformed)?;
    let (cookie, cookie_file) = match content.secret {
        Some(Secret::Cookie(cookie)) => (Some(cookie), None),
        Some(Secret::File(path)) if content.socket.is_some() => (None, Some(path)),
        Some(Secret::File(path)) => (Some(cookie_of(&path, owner, &mut warnings)?), None),
        None => (None, None),
    };
    Ok(Entry {
        name,
        file: file.to_owned(),
        socket: content.socket,
        cookie,
        cookie_file,
        owner,
        life: content.process.life(namespace),
        port: content.port,
        host: content.host,
        managed: content.managed,
        listener: (owner != ROOT && owner != caller).then_some(owner),
        may_leave_host: owner == ROOT,
        warnings,
    })
}

impl Entry {
    /// What opens the node by the distribution protocol; `None` where the entry knows no such thing.
    pub fn cookie(&self) -> Result<Option<Cookie>, RendezvousError> {
        match &self.cookie_file {
            Some(path) => cookie_of(path, self.owner, &mut Vec::new()).map(Some),
            None => Ok(self.cookie.clone()),
        }
    }

    /// Whether a node wrote it that has ended.
    fn is_left_behind(&self) -> bool {
        self.managed && self.life == Life::Dead
    }

    /// Removes the entry and its socket where both are ours, or we are root; a node that came in between
    /// writes its entry again. What cannot be removed is passed over the next time, too.
    fn remove(&self) {
        let caller = rustix::process::geteuid().as_raw();
        if caller != ROOT && caller != self.owner {
            return;
        }
        let _ = std::fs::remove_file(&self.file);
        if let Some(socket) = self.socket.as_ref().filter(|socket| self.owns(socket)) {
            let _ = std::fs::remove_file(socket);
        }
    }

    /// Whether `socket` is a socket of the entry's owner: an entry must not have us remove anything else.
    fn owns(&self, socket: &Path) -> bool {
        let found = std::fs::symlink_metadata(socket);
        found.is_ok_and(|found| found.file_type().is_socket() && found.uid() == self.owner)
    }
}

/// The cookie in `path`, which must belong to `owner` as the entry does: otherwise an entry could have
/// the hook, which may read anything, read other people's cookies.
fn cookie_of(
    path: &Path,
    owner: u32,
    warnings: &mut Vec<String>,
) -> Result<Cookie, RendezvousError> {
    let text = file::read(path)?;
    if text.owner != owner {
        let (file, found) = (path.to_owned(), text.owner);
        return Err(RendezvousError::OtherOwner {
            file,
            found,
            expected: owner,
        });
    }
    warnings.extend(text.warnings);
    Cookie::parse(&text.bytes).ok_or_else(|| RendezvousError::Malformed {
        file: path.to_owned(),
        reason: "the first line holds no cookie".to_owned(),
    })
}

#[cfg(test)]
mod tests;
