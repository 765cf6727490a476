//! What a kept version consists of, as a file.

use super::{StashError, unusable};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// More than any application has files, times the length of a line.
const MAX_BYTES: u64 = 64 << 20;

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileRecord {
    /// A regular file with this MD5.
    Md5(String),
    /// A symbolic link to there.
    Link(PathBuf),
}

/// A kept version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The application.
    pub application: String,
    /// Its version.
    pub vsn: String,
    /// Where its package had it.
    pub origin: PathBuf,
    /// Its files, by their paths below it.
    pub files: BTreeMap<PathBuf, FileRecord>,
}

impl Manifest {
    /// Writes it to a new file.
    pub fn write(&self, file: &Path) -> Result<(), StashError> {
        let text = serde_json::to_vec(self).map_err(|error| unusable(file, error.into()))?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o644);
        let opened = options.open(file);
        opened
            .and_then(|mut opened| opened.write_all(&text).and_then(|()| opened.sync_data()))
            .map_err(|source| unusable(file, source))
    }

    /// Reads it; `None` where it cannot be.
    pub fn read(file: &Path) -> Option<Self> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
        let opened = options.open(file).ok()?;
        if !opened.metadata().ok()?.is_file() {
            return None;
        }
        let mut text = Vec::new();
        opened.take(MAX_BYTES).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }
}
