//! Rendezvous entries: the nodes of this host and their cookies.
//!
//! An entry is a file with the name of its node, in one of two directories: a person writes
//! `$ERLRC_ROOT/nodes`, and nodes write `/run/erlrc/nodes` themselves. Either directory may be
//! missing.
//!
//! Must not connect to anything. The distribution client checks which user listens on the port of a
//! node; [`Entry::listener`] tells it which user to expect.

mod content;
mod directory;
mod file;
mod process;

use crate::identity::{Cookie, NodeName};
use content::{Content, Secret};
use directory::{Directory, Viewer};
pub use process::{Life, Process, own_namespace};
use std::path::{Path, PathBuf};

/// The largest entry and the largest cookie file that are read.
const SIZE_LIMIT: u64 = 64 * 1024;
/// The largest number of entries that are read, not counting those of nodes that have ended.
const ENTRY_LIMIT: usize = 4096;
const ROOT: u32 = 0;

/// The entry of a node that may be used.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The node.
    pub name: NodeName,
    /// The file.
    pub file: PathBuf,
    /// The socket of erlrc in the node, which is tried first.
    pub socket: Option<PathBuf>,
    /// The cookie, for the distribution protocol. With a socket it is read by [`Entry::cookie`]
    /// only when it is needed.
    cookie: Option<Cookie>,
    /// The file of its own that holds it.
    cookie_file: Option<PathBuf>,
    /// The owner of the file.
    pub owner: u32,
    /// Whether the node's process runs.
    pub life: Life,
    /// The port of the node, if the port mapper need not be asked.
    pub port: Option<u16>,
    /// The host of the node, if the entry names it.
    pub host: Option<String>,
    /// Whether the node wrote the entry itself.
    pub managed: bool,
    /// The user who must own the socket on which the node listens: an entry that belongs to neither
    /// root nor the caller is valid for a node of its owner only.
    pub listener: Option<u32>,
    /// Whether the entry may name another host: entries of root only.
    pub may_leave_host: bool,
    /// What the administrator should correct.
    pub warnings: Vec<String>,
}

/// An entry that must not be used, or a directory that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RendezvousError {
    /// The directory exists and cannot be read.
    #[error("cannot read the directory {}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file cannot be opened or read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The entry is a symbolic link, directory, pipe, device or socket.
    #[error("{} is not a regular file", file.display())]
    NotRegular {
        /// The file.
        file: PathBuf,
    },
    /// The file has a second name.
    #[error("{} has several names (hard links)", file.display())]
    Linked {
        /// The file.
        file: PathBuf,
    },
    /// Others than the owner can write the file.
    #[error("{} can be written by group or others (mode {mode:04o})", file.display())]
    Writable {
        /// The file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The cookie file belongs to another user than the entry.
    #[error("{} belongs to uid {found}, the entry to uid {expected}", file.display())]
    OtherOwner {
        /// The cookie file.
        file: PathBuf,
        /// Its owner.
        found: u32,
        /// The owner of the entry.
        expected: u32,
    },
    /// The file is larger than any entry.
    #[error("{} is larger than {SIZE_LIMIT} bytes", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// There are too many entries: this one and those after it are not read.
    #[error("{} and {more} more entries are passed over: {ENTRY_LIMIT} is the limit", file.display())]
    TooMany {
        /// The first that is not read.
        file: PathBuf,
        /// The number of further ones.
        more: usize,
    },
    /// A line cannot be parsed. It is never quoted, because it may hold the cookie.
    #[error("{}: {reason}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong, with the line number.
        reason: String,
    },
}

/// The files of a directory in order, each as an entry or an error.
pub type Entries = Vec<(NodeName, Result<Entry, RendezvousError>)>;

/// The entries of `directories`, sorted by name. An entry hides those of later directories for the
/// same node: what a person wrote takes precedence over what the node wrote. The entry of a node
/// that has ended is not returned, and is removed if this process may do so: at once, however many
/// there are, because each hook would have to read again all that this one leaves.
pub fn entries(directories: &[PathBuf]) -> Result<Entries, RendezvousError> {
    let mut entries: Entries = Vec::new();
    let mut earlier: Vec<NodeName> = Vec::new();
    let viewer = Viewer::own();
    for path in directories {
        let Some((directory, names)) = Directory::open(path)? else {
            continue;
        };
        let total = names.len();
        for (place, name) in names.into_iter().enumerate() {
            if earlier.iter().any(|known| same_node(known, &name)) {
                continue;
            }
            if entries.len() >= ENTRY_LIMIT {
                let (file, more) = (path.join(name.to_string()), total - place - 1);
                entries.push((name, Err(RendezvousError::TooMany { file, more })));
                break;
            }
            if let Some(entry) = directory.present(&name, &viewer) {
                entries.push((name, entry));
            }
        }
        earlier = entries.iter().map(|(name, _)| name.clone()).collect();
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(entries)
}

/// Whether two names can mean the same node: on one host the part before the `@` is unique.
fn same_node(a: &NodeName, b: &NodeName) -> bool {
    let hosts_agree = match (a.host(), b.host()) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    a.local() == b.local() && hosts_agree
}

/// Reads the entry `file` of the node `name`.
pub fn entry(file: &Path, name: NodeName) -> Result<Entry, RendezvousError> {
    let viewer = Viewer::own();
    let text = file::read(file)?;
    let content = Content::of(&text.bytes, &|| file.to_owned())?;
    let life = content.process.life(viewer.namespace);
    Entry::new((name, file.to_owned()), text, (content, life), &viewer)
}

impl Entry {
    fn new(
        (name, file): (NodeName, PathBuf),
        text: file::Text,
        (content, life): (Content, Life),
        viewer: &Viewer,
    ) -> Result<Self, RendezvousError> {
        let (owner, mut warnings) = (text.owner, text.warnings);
        let (cookie, cookie_file) = match content.secret {
            Some(Secret::Cookie(cookie)) => (Some(cookie), None),
            Some(Secret::File(path)) if content.socket.is_some() => (None, Some(path)),
            Some(Secret::File(path)) => {
                let cookie = cookie_of(&path, owner, &mut warnings)?;
                (Some(cookie), Some(path))
            }
            None => (None, None),
        };
        Ok(Self {
            name,
            file,
            socket: content.socket,
            cookie,
            cookie_file,
            owner,
            life,
            port: content.port,
            host: content.host,
            managed: content.managed,
            listener: (owner != ROOT && owner != viewer.user).then_some(owner),
            may_leave_host: owner == ROOT,
            warnings,
        })
    }

    /// The cookie, for the distribution protocol; `None` if the entry names none.
    pub fn cookie(&self) -> Result<Option<Cookie>, RendezvousError> {
        match (&self.cookie, &self.cookie_file) {
            (None, Some(path)) => cookie_of(path, self.owner, &mut Vec::new()).map(Some),
            (cookie, _) => Ok(cookie.clone()),
        }
    }

    /// The file that holds the cookie.
    pub fn cookie_origin(&self) -> &Path {
        self.cookie_file.as_deref().unwrap_or(&self.file)
    }
}

/// The cookie in the file `path`, which must belong to `owner`, the owner of the entry. Otherwise
/// an entry could make the hook, which may read every file, read the cookie of another user.
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
