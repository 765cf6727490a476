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
    /// The file cannot be opened or read; a symbolic link is refused by the system as a loop.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A directory, pipe, device or socket.
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
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a temporary directory"))
        }

        fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
            std::fs::write(&path, text).expect("a file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
            path
        }

        fn read(&self, name: &str) -> Result<Entry, RendezvousError> {
            entry(
                &self.0.path().join(name),
                NodeName::parse("n1").expect("a name"),
            )
        }
    }

    #[test]
    fn directories_that_are_not_there_hold_no_entries() {
        let nowhere = PathBuf::from("/nonexistent/nodes");
        assert!(entries(&[nowhere]).is_ok_and(|entries| entries.is_empty()));
    }

    #[test]
    fn files_that_are_not_named_like_nodes_are_ignored() {
        let place = Place::new();
        for name in ["n2", "n1@host", "n1.dpkg-new", "n1~", ".n1", "n3.rpmsave"] {
            place.file(name, "secret", 0o600);
        }
        let found = entries(&[place.0.path().to_owned()]).expect("entries");
        let names: Vec<String> = found.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, ["n1@host", "n2"]);
    }

    #[test]
    fn a_persons_entry_hides_the_nodes_own() {
        let place = Place::new();
        place.file("person/n1", "secret", 0o600);
        place.file("node/n1@host", "cookie_file=/x\nmanaged=1\n", 0o600);
        let directories = ["person", "node"].map(|name| place.0.path().join(name));
        let found = entries(&directories).expect("entries");
        let names: Vec<String> = found.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, ["n1"]);
    }

    #[test]
    fn what_others_can_write_is_refused_and_what_they_can_read_is_named() {
        let place = Place::new();
        for mode in [0o620, 0o602, 0o666] {
            place.file("n1", "secret", mode);
            assert!(
                matches!(place.read("n1"), Err(RendezvousError::Writable { .. })),
                "{mode:o}"
            );
        }
        place.file("n1", "secret", 0o644);
        assert_eq!(place.read("n1").expect("an entry").warnings.len(), 1);
        place.file("n1", "secret", 0o600);
        assert!(place.read("n1").expect("an entry").warnings.is_empty());
    }

    #[test]
    fn only_regular_files_are_opened() {
        let place = Place::new();
        place.file("real", "secret", 0o600);
        symlink(place.0.path().join("real"), place.0.path().join("link")).expect("a link");
        std::fs::create_dir(place.0.path().join("directory")).expect("a directory");
        assert!(matches!(
            place.read("link"),
            Err(RendezvousError::Unreadable { .. })
        ));
        assert!(matches!(
            place.read("directory"),
            Err(RendezvousError::NotRegular { .. })
        ));
        let pipe = place.0.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)
            .expect("a pipe");
        assert!(matches!(
            place.read("pipe"),
            Err(RendezvousError::NotRegular { .. })
        ));
    }

    #[test]
    fn a_cookie_file_is_read_under_the_same_rules() {
        let place = Place::new();
        let cookie = place.file("cookie", "secret\n", 0o400);
        place.file("n1", &format!("cookie_file={}\n", cookie.display()), 0o600);
        let entry = place.read("n1").expect("an entry");
        assert_eq!(Some(entry.cookie), Cookie::parse(b"secret"));
        place.file("cookie", "secret\n", 0o666);
        assert!(matches!(
            place.read("n1"),
            Err(RendezvousError::Writable { .. })
        ));
        place.file("cookie", "", 0o600);
        assert!(matches!(
            place.read("n1"),
            Err(RendezvousError::Malformed { .. })
        ));
    }

    #[test]
    fn another_owners_entry_is_good_for_its_owners_node_alone() {
        let place = Place::new();
        let file = place.file("n1", "secret", 0o600);
        if rustix::process::geteuid().as_raw() != ROOT {
            assert!(!place.read("n1").expect("an entry").may_leave_host);
            return;
        }
        assert_eq!(place.read("n1").expect("an entry").listener, None);
        std::os::unix::fs::chown(&file, Some(4711), None).expect("a chown");
        let entry = place.read("n1").expect("an entry");
        assert_eq!((entry.listener, entry.may_leave_host), (Some(4711), false));
        let cookie = place.file("cookie", "secret\n", 0o400);
        std::fs::write(&file, format!("cookie_file={}\n", cookie.display())).expect("a file");
        assert!(matches!(
            place.read("n1"),
            Err(RendezvousError::OtherOwner {
                found: 0,
                expected: 4711,
                ..
            })
        ));
    }

    #[test]
    fn no_error_quotes_the_cookie() {
        let place = Place::new();
        place.file("n1", "hunter2\nhunter2\n", 0o600);
        let error = place.read("n1").expect_err("a malformed entry");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
