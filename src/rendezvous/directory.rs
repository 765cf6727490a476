//! One directory of entries. It is opened once, and its files by their names alone: a host can have many entries that
//! nodes have left behind, and each hook has to know which of them are alive.

use super::content::Content;
use super::file;
use super::process::own_namespace;
use super::{Entry, Life, ROOT, RendezvousError};
use crate::identity::NodeName;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The bytes of names that the kernel is asked for at once.
const NAMES: usize = 32 * 1024;

/// Who reads entries.
pub struct Viewer {
    /// The effective user.
    pub user: u32,
    /// The pid namespace, as far as it is known.
    pub namespace: Option<u64>,
}

impl Viewer {
    /// This process.
    pub fn own() -> Self {
        Self {
            user: rustix::process::geteuid().as_raw(),
            namespace: own_namespace(),
        }
    }
}

/// A directory that is open.
pub struct Directory<'a> {
    path: &'a Path,
    fd: OwnedFd,
}

impl<'a> Directory<'a> {
    /// The directory and the names of its files that are node names, in order; `None` if there is no such directory.
    pub fn open(path: &'a Path) -> Result<Option<(Self, Vec<NodeName>)>, RendezvousError> {
        let failed = |source: std::io::Error| RendezvousError::Directory {
            directory: path.to_owned(),
            source,
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = match rustix::fs::open(path, flags, Mode::empty()).map_err(std::io::Error::from) {
            Ok(fd) => fd,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let names = names(&fd).map_err(failed)?;
        Ok(Some((Self { path, fd }, names)))
    }

    /// The entry of the node `name`; `None` if there is none any more, or only one that its node has left behind.
    pub fn present(
        &self,
        name: &NodeName,
        viewer: &Viewer,
    ) -> Option<Result<Entry, RendezvousError>> {
        let file = name.to_string();
        let path = || self.path.join(&file);
        let text = match file::read_at(&self.fd, Path::new(&file), &path) {
            Err(RendezvousError::Unreadable { source, .. })
                if source.kind() == ErrorKind::NotFound =>
            {
                return None;
            }
            Err(error) => return Some(Err(error)),
            Ok(text) => text,
        };
        let content = match Content::of(&text.bytes, &path) {
            Ok(content) => content,
            Err(error) => return Some(Err(error)),
        };
        let life = content.process.life(viewer.namespace);
        if content.managed && life == Life::Dead {
            self.remove(Path::new(&file), text.owner, content.socket, viewer);
            return None;
        }
        let known = (name.clone(), path());
        Some(Entry::new(known, text, (content, life), viewer))
    }

    /// Removes the entry `file` and its socket if both belong to the viewer, or if the viewer is root. If a node wrote its
    /// entry in between, it writes it again. An entry that cannot be removed is ignored the next time as well.
    fn remove(&self, file: &Path, owner: u32, socket: Option<PathBuf>, viewer: &Viewer) {
        if viewer.user != ROOT && viewer.user != owner {
            return;
        }
        let _ = rustix::fs::unlinkat(&self.fd, file, AtFlags::empty());
        if let Some(socket) = socket.filter(|socket| is_socket_of(socket, owner)) {
            let _ = rustix::fs::unlink(socket);
        }
    }
}

/// Whether `path` is a socket of this user: an entry must not make the caller remove anything else.
fn is_socket_of(path: &Path, user: u32) -> bool {
    let found = rustix::fs::lstat(path);
    found.is_ok_and(|found| {
        FileType::from_raw_mode(found.st_mode) == FileType::Socket && found.st_uid == user
    })
}

/// The names of files that are node names, in order.
fn names(directory: &OwnedFd) -> std::io::Result<Vec<NodeName>> {
    let mut names = Vec::new();
    let mut buffer = Vec::with_capacity(NAMES);
    let mut files = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(file) = files.next() {
        names.extend(file?.file_name().to_str().ok().and_then(NodeName::parse));
    }
    names.sort();
    Ok(names)
}
