//! What a snapshot says about itself, as a file.

use super::error::{SnapshotError, unusable};
use super::package::{Keep, Package};
use super::tag::Tag;
use crate::record::Time;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The name of the file.
pub const FILE: &str = "manifest.json";
/// The form of the file.
const FORM: u32 = 1;
/// More than any host has packages, times the length of a line.
const MAX_BYTES: u64 = 64 << 20;

/// What a snapshot is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the file.
    form: u32,
    /// The name of the snapshot.
    pub tag: Tag,
    /// When it was made.
    pub time: Time,
    /// The name of the host.
    pub host: String,
    /// The architecture of the host, in dpkg's word.
    pub architecture: String,
    /// The version of erlrc.
    pub erlrc: String,
    /// Whose package files were to be kept.
    pub keep: Keep,
    /// All packages, in order of their names.
    pub packages: Vec<Package>,
}

impl Manifest {
    /// A snapshot of these packages.
    pub fn new(
        tag: Tag,
        time: Time,
        architecture: String,
        keep: Keep,
        packages: Vec<Package>,
    ) -> Self {
        let host = rustix::system::uname();
        Self {
            form: FORM,
            tag,
            time,
            host: host.nodename().to_string_lossy().into_owned(),
            architecture,
            erlrc: env!("CARGO_PKG_VERSION").to_owned(),
            keep,
            packages,
        }
    }

    /// The size of all package files that it keeps.
    pub fn bytes(&self) -> u64 {
        let files = self
            .packages
            .iter()
            .filter_map(|package| package.file.as_ref());
        files.map(|file| file.bytes).sum()
    }

    /// The packages whose files are kept.
    pub fn kept(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.file.is_some())
    }

    /// The packages whose files should be kept and are not.
    pub fn missing(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.missing.is_some())
    }

    /// Writes it into the directory of the snapshot, where it must not be yet.
    pub fn write(&self, dir: &Path) -> Result<(), SnapshotError> {
        let file = dir.join(FILE);
        let written = serde_json::to_vec(self).map_err(std::io::Error::from);
        let written = written.and_then(|text| {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            let mut opened = options.open(&file)?;
            opened.write_all(&text)?;
            opened.sync_all()
        });
        written.map_err(unusable(&file))
    }

    /// That of the snapshot `tag` in `dir`.
    pub fn read(dir: &Path, tag: &Tag) -> Result<Self, SnapshotError> {
        let file = dir.join(FILE);
        let mut options = OpenOptions::new();
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let opened = options.read(true).custom_flags(flags).open(&file);
        let opened = opened.map_err(unusable(&file))?;
        let mut text = Vec::new();
        let read = opened.take(MAX_BYTES).read_to_end(&mut text);
        read.map_err(unusable(&file))?;
        let manifest: Option<Self> = serde_json::from_slice(&text).ok();
        let manifest = manifest.filter(|one| one.is_sound() && one.tag == *tag);
        manifest.ok_or_else(|| SnapshotError::NoManifest(tag.clone()))
    }

    fn is_sound(&self) -> bool {
        let is_digest =
            |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut files = self.packages.iter().filter_map(|one| one.file.as_ref());
        self.form == FORM
            && self.packages.iter().all(Package::is_sound)
            && files.all(|file| is_digest(&file.sha256))
    }
}
