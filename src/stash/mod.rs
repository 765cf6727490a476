//! Old versions of applications, kept for nodes that still run them when their package is gone.
//!
//! A version is a directory `APP-VSN` below the stash, with the same content as the package's: hard
//! links where the file system allows them, else copies. dpkg and rpm replace files by renaming, which
//! leaves a link its old content. A manifest in it says what it is, where it was, and the MD5 of every
//! file; nothing is used that is not as the manifest says. No symbolic link is followed: one that is a
//! part of the application is kept as the link that it is.
//!
//! Must not decide what is kept or for how long.

mod files;
mod manifest;

#[cfg(test)]
mod tests;

use crate::trust::{self, PathError};
use manifest::{FileRecord, Manifest};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The name of the manifest in a kept version.
const MANIFEST: &str = ".erlrc-stash";
/// What a directory that is not complete yet, or no longer, is named with.
const UNFINISHED: &str = ".unfinished-";

/// Why something cannot be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum StashError {
    /// A file or directory that is not used.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The manifest is not there or says nothing.
    #[error("{} has no manifest that can be read", dir.display())]
    NoManifest {
        /// The kept version.
        dir: PathBuf,
    },
    /// The content is not what it was.
    #[error("{} is not what was kept", path.display())]
    Changed {
        /// The first file that differs, is missing or is too many.
        path: PathBuf,
    },
}

/// A version that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The application.
    pub application: String,
    /// The version.
    pub vsn: String,
    /// Where its package had it.
    pub origin: PathBuf,
    /// Where it is kept.
    pub dir: PathBuf,
}

/// The stash in a directory.
#[derive(Clone, Debug)]
pub struct Stash {
    root: PathBuf,
}

impl Stash {
    /// The stash in `root`, which need not be there.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where a version is kept, or would be.
    pub fn place(&self, application: &str, vsn: &str) -> PathBuf {
        self.root.join(format!("{application}-{vsn}"))
    }

    /// Keeps the version in `origin`, in the place of what was kept under its name before.
    pub fn keep(&self, application: &str, vsn: &str, origin: &Path) -> Result<Kept, StashError> {
        self.make_root()?;
        let kept = self.kept(application, vsn, origin);
        let unfinished = self.unfinished(&kept);
        remove(&unfinished)?;
        let files = files::copy(origin, &unfinished)?;
        let manifest = Manifest {
            application: kept.application.clone(),
            vsn: kept.vsn.clone(),
            origin: origin.to_owned(),
            files,
        };
        manifest.write(&unfinished.join(MANIFEST))?;
        self.discard(&kept.dir)?;
        fs::rename(&unfinished, &kept.dir).map_err(|source| unusable(&kept.dir, source))?;
        Ok(kept)
    }

    /// The version, if it is kept and as it was; `None` where there is nothing.
    pub fn verified(&self, application: &str, vsn: &str) -> Result<Option<Kept>, StashError> {
        let dir = self.place(application, vsn);
        if dir.symlink_metadata().is_err() {
            return Ok(None);
        }
        let kept = self.read(&dir)?;
        let expected = (application, vsn);
        if (kept.0.application.as_str(), kept.0.vsn.as_str()) != expected {
            return Err(StashError::NoManifest { dir });
        }
        files::verify(&dir, &kept.1.files)?;
        Ok(Some(kept.0))
    }

    /// Everything that is kept, by name; what cannot be read with its directory. Content is not looked
    /// at. What was left unfinished is not listed.
    pub fn list(&self) -> Vec<Result<Kept, (PathBuf, StashError)>> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let mut dirs: Vec<PathBuf> = entries
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
            .map(|entry| entry.path())
            .collect();
        dirs.sort_unstable();
        let read = |dir: PathBuf| match self.read(&dir) {
            Ok((kept, _)) => Ok(kept),
            Err(error) => Err((dir, error)),
        };
        dirs.into_iter().map(read).collect()
    }

    /// What is kept of `application`, as it was; damaged versions are left out.
    pub fn of(&self, application: &str) -> Vec<Kept> {
        let of_it = self.list().into_iter().flatten();
        of_it
            .filter(|kept| kept.application == application)
            .filter_map(|kept| self.verified(application, &kept.vsn).ok().flatten())
            .collect()
    }

    /// What an interrupted [`Stash::keep`] or [`Stash::discard`] left.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let left = entries.filter(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with(UNFINISHED)
        });
        left.map(|entry| entry.path()).collect()
    }

    /// Removes a kept version or a leftover; `dir` must be directly in the stash.
    pub fn discard(&self, dir: &Path) -> Result<(), StashError> {
        let name = dir.file_name().filter(|_| dir.parent() == Some(&self.root));
        let name = name.ok_or_else(|| PathError::refused(dir, "is not in the stash"))?;
        if name.to_string_lossy().starts_with(UNFINISHED) {
            return remove(dir);
        }
        // What is half removed must not look like what is kept.
        let gone = self
            .root
            .join(format!("{UNFINISHED}gone-{}", name.to_string_lossy()));
        remove(&gone)?;
        match fs::rename(dir, &gone) {
            Ok(()) => remove(&gone),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(unusable(dir, source)),
        }
    }

    fn kept(&self, application: &str, vsn: &str, origin: &Path) -> Kept {
        Kept {
            application: application.to_owned(),
            vsn: vsn.to_owned(),
            origin: origin.to_owned(),
            dir: self.place(application, vsn),
        }
    }

    fn unfinished(&self, kept: &Kept) -> PathBuf {
        let name = format!("{UNFINISHED}{}-{}", kept.application, kept.vsn);
        self.root.join(name)
    }

    fn read(&self, dir: &Path) -> Result<(Kept, Manifest), StashError> {
        trust::check(&self.root)?;
        trust::check(dir)?;
        let none = || StashError::NoManifest {
            dir: dir.to_owned(),
        };
        let manifest = Manifest::read(&dir.join(MANIFEST)).ok_or_else(none)?;
        let kept = self.kept(&manifest.application, &manifest.vsn, &manifest.origin);
        match kept.dir == dir {
            true => Ok((kept, manifest)),
            false => Err(none()),
        }
    }

    fn make_root(&self) -> Result<(), StashError> {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o755).create(&self.root);
        made.map_err(|source| unusable(&self.root, source))?;
        Ok(trust::check(&self.root)?)
    }
}

fn remove(dir: &Path) -> Result<(), StashError> {
    let removed = match dir.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(dir),
        Ok(_) => fs::remove_file(dir),
        Err(error) => Err(error),
    };
    match removed {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(unusable(dir, source)),
        _ => Ok(()),
    }
}

fn unusable(path: &Path, source: io::Error) -> StashError {
    PathError::unusable(path, source).into()
}
