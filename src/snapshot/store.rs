//! The directory of snapshots.
//!
//! A snapshot is made under a name that none has, written out, and renamed: whoever looks, and whenever the machine
//! stops, finds all of it or nothing. Package files of the same content are one file with several names, one of them in
//! the pool. Whoever gives or takes names there holds a lock, so that nobody takes away what another one is about to use.

use super::error::{SnapshotError, unusable};
use super::manifest::Manifest;
use super::package::{Kept, Package};
use super::source::Origin;
use super::tag::{POOL, Tag};
use crate::trust::{self, PathError};
use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What the name of a directory begins with that is no snapshot yet, or no more.
pub const UNFINISHED: &str = ".unfinished-";
const LOCK: &str = ".lock";
const DEBS: &str = "debs";

/// The directory of snapshots; it need not be there.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// A snapshot that has no name yet. It is gone with this value.
#[derive(Debug)]
pub struct Draft<'a> {
    store: &'a Store,
    dir: PathBuf,
}

/// Held for as long as this is.
struct Lock(#[allow(dead_code, reason = "what is locked is unlocked when it is closed")] File);

impl Store {
    /// The snapshots in `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the snapshot is, or would be.
    pub fn place(&self, tag: &Tag) -> PathBuf {
        self.root.join(tag.as_str())
    }

    /// Where the package file is that the snapshot keeps.
    pub fn file(&self, tag: &Tag, package: &Package) -> PathBuf {
        self.place(tag).join(DEBS).join(package.file_name())
    }

    /// Where the pool has the file of this content.
    pub fn pooled(&self, sha256: &str) -> PathBuf {
        self.root.join(POOL).join(format!("{sha256}.deb"))
    }

    /// The names of all snapshots, in order. That none can be seen is an error where there may be some.
    pub fn tags(&self) -> Result<Vec<Tag>, SnapshotError> {
        let mut tags = Vec::new();
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(tags),
            entries => entries.map_err(unusable(&self.root))?,
        };
        for entry in entries {
            let entry = entry.map_err(unusable(&self.root))?;
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name().into_string().ok().filter(|_| is_dir);
            tags.extend(name.and_then(|name| Tag::parse(&name).ok()));
        }
        tags.sort_unstable();
        Ok(tags)
    }

    /// What a snapshot says about itself.
    pub fn read(&self, tag: &Tag) -> Result<Manifest, SnapshotError> {
        let dir = self.place(tag);
        match dir.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SnapshotError::Unknown(tag.clone()));
            }
            found => found.map_err(unusable(&dir))?,
        };
        trust::check(&self.root)?;
        trust::check(&dir)?;
        Manifest::read(&dir, tag)
    }

    /// Begins a snapshot in the directory `unfinished`, which no other process uses.
    pub fn begin(&self, unfinished: &str) -> Result<Draft<'_>, SnapshotError> {
        self.make_root()?;
        let dir = self.root.join(unfinished);
        make(&dir)?;
        let draft = Draft { store: self, dir };
        make(&draft.dir.join(DEBS))?;
        Ok(draft)
    }

    /// Removes a snapshot, and the package files that no other one has; `unfinished` is what it is called while it goes.
    pub fn remove(&self, tag: &Tag, unfinished: &str) -> Result<(), SnapshotError> {
        let (dir, gone) = (self.place(tag), self.root.join(unfinished));
        if let Err(SnapshotError::Unknown(tag)) = self.read(tag) {
            return Err(SnapshotError::Unknown(tag));
        }
        trust::check(&self.root)?;
        let lock = self.lock()?;
        // What is half removed must not look like a snapshot.
        match fs::rename(&dir, &gone) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SnapshotError::Unknown(tag.clone()));
            }
            renamed => renamed.map_err(unusable(&dir))?,
        }
        trust::sync(&self.root)?;
        fs::remove_dir_all(&gone).map_err(unusable(&gone))?;
        self.prune(&lock)
    }

    /// Removes package files that no snapshot has.
    fn prune(&self, _lock: &Lock) -> Result<(), SnapshotError> {
        let pool = self.root.join(POOL);
        for name in crate::file::names(&pool) {
            let file = pool.join(name);
            // Those of snapshots have a name there, too.
            let is_alone = file
                .symlink_metadata()
                .is_ok_and(|found| found.nlink() == 1);
            if is_alone {
                fs::remove_file(&file).map_err(unusable(&file))?;
            }
        }
        Ok(())
    }

    fn lock(&self) -> Result<Lock, SnapshotError> {
        let file = self.root.join(LOCK);
        let mut options = OpenOptions::new();
        let opened = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&file);
        let opened = opened.map_err(unusable(&file))?;
        let locked = flock(&opened, FlockOperation::LockExclusive);
        locked.map_err(|errno| unusable(&file)(errno.into()))?;
        Ok(Lock(opened))
    }

    fn make_root(&self) -> Result<(), SnapshotError> {
        let pool = self.root.join(POOL);
        for dir in [&self.root, &pool] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
            made.map_err(unusable(dir))?;
            trust::check(dir)?;
        }
        Ok(())
    }
}

impl Draft<'_> {
    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the file of `package` is, or would be.
    pub fn place(&self, package: &Package) -> PathBuf {
        self.dir.join(DEBS).join(package.file_name())
    }

    /// Keeps a copy of a package file: whoever writes over the file that it was taken from changes no snapshot.
    pub fn copy(
        &self,
        file: &Path,
        package: &Package,
        origin: Origin,
    ) -> Result<Kept, SnapshotError> {
        let place = self.place(package);
        let mut options = OpenOptions::new();
        let opened = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&place);
        let mut opened = opened.map_err(unusable(&place))?;
        let mut from = File::open(file).map_err(unusable(file))?;
        let (sha256, bytes) = through(&mut from, &mut opened).map_err(unusable(&place))?;
        opened.sync_all().map_err(unusable(&place))?;
        Ok(Kept {
            sha256,
            bytes,
            origin,
        })
    }

    /// Keeps what an earlier snapshot has, if that is still what it was.
    pub fn share(&self, kept: &Kept, package: &Package) -> Result<Kept, SnapshotError> {
        let (pooled, place) = (self.store.pooled(&kept.sha256), self.place(package));
        fs::hard_link(&pooled, &place).map_err(unusable(&place))?;
        match digest(&place) {
            Ok((sha256, _)) if sha256 == kept.sha256 => Ok(Kept {
                origin: Origin::Snapshot,
                ..kept.clone()
            }),
            read => {
                fs::remove_file(&place).map_err(unusable(&place))?;
                read.map_err(unusable(&pooled))?;
                Err(PathError::refused(&pooled, "is not what was kept").into())
            }
        }
    }

    /// Takes a file back that was kept.
    pub fn forget(&self, package: &Package) -> Result<(), SnapshotError> {
        let place = self.place(package);
        fs::remove_file(&place).map_err(unusable(&place))
    }

    /// Gives the snapshot its name, which none must have.
    pub fn commit(self, manifest: &Manifest) -> Result<(), SnapshotError> {
        let dir = self.store.place(&manifest.tag);
        manifest.write(&self.dir)?;
        let lock = self.store.lock()?;
        let committed = self.pool(manifest).and_then(|()| {
            trust::sync(&self.dir.join(DEBS))?;
            trust::sync(&self.dir)?;
            // What is there is never replaced, not even an empty directory.
            match renameat_with(CWD, &self.dir, CWD, &dir, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => Err(SnapshotError::Taken(manifest.tag.clone())),
                renamed => renamed.map_err(|errno| unusable(&dir)(errno.into())),
            }
        });
        match committed {
            Ok(()) => {
                // What a killed command has left in the pool; the snapshot is there whether or not that goes.
                let _ = self.store.prune(&lock);
                Ok(trust::sync(&self.store.root)?)
            }
            Err(error) => {
                let _ = fs::remove_dir_all(&self.dir);
                let _ = self.store.prune(&lock);
                Err(error)
            }
        }
    }

    /// Makes each file one with that of the pool.
    fn pool(&self, manifest: &Manifest) -> Result<(), SnapshotError> {
        for package in manifest.kept() {
            let Some(kept) = &package.file else { continue };
            let (place, pooled) = (self.place(package), self.store.pooled(&kept.sha256));
            let is_whole = digest(&pooled).is_ok_and(|(sha256, _)| sha256 == kept.sha256);
            let (from, to) = match is_whole {
                true => (&pooled, &place),
                false => (&place, &pooled),
            };
            match fs::remove_file(to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(unusable(to))?,
            }
            fs::hard_link(from, to).map_err(unusable(to))?;
        }
        Ok(trust::sync(&self.store.root.join(POOL))?)
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // Once it has its name there is nothing. What cannot be removed the next one removes.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// SHA-256 and size of a file.
pub fn digest(file: &Path) -> io::Result<(String, u64)> {
    through(&mut File::open(file)?, &mut io::sink())
}

fn through(from: &mut impl Read, to: &mut impl Write) -> io::Result<(String, u64)> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let part = &buffer[..count];
        if part.is_empty() {
            return Ok((format!("{:x}", hash.finalize()), bytes));
        }
        hash.update(part);
        to.write_all(part)?;
        bytes += count as u64;
    }
}

fn make(dir: &Path) -> Result<(), SnapshotError> {
    let made = DirBuilder::new().mode(0o700).create(dir);
    // Whatever the mask of the caller is.
    let made = made.and_then(|()| fs::set_permissions(dir, Permissions::from_mode(0o700)));
    made.map_err(unusable(dir))
}
