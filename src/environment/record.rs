//! What an environment says about itself, as a file in it.

use super::error::{EnvironmentError, unusable};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// The name of the file.
pub const FILE: &str = "environment";
/// The form of the file.
const FORM: u32 = 1;
/// More than any tree has files, times the length of a line.
const MAX_BYTES: u64 = 64 << 20;
/// So many digits of the digest are in the name.
const DIGITS: usize = 12;

/// What an environment is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The form of the file.
    pub form: u32,
    /// The digest of all content.
    pub digest: String,
    /// The version of OTP.
    pub otp: String,
    /// The version of the emulator.
    pub erts: String,
    /// The tree that it was made from.
    pub from: PathBuf,
    /// What was asked for.
    pub asked: Vec<String>,
    /// Its applications with their versions.
    pub applications: BTreeMap<String, String>,
    /// The libraries that it needs, each with the symbol versions that it asks for.
    pub needs: BTreeMap<String, Vec<String>>,
    /// The sum of the sizes of its files.
    pub bytes: u64,
    /// Its files, by their paths below it, with their SHA-256.
    pub files: BTreeMap<String, String>,
}

impl Record {
    /// The record of `files`, with its digest.
    pub fn of(files: BTreeMap<String, String>) -> Self {
        Self {
            form: FORM,
            digest: digest(&files),
            files,
            ..Self::default()
        }
    }

    /// The name of the environment.
    pub fn name(&self) -> String {
        let digits = self.digest.get(..DIGITS).unwrap_or_default();
        format!("otp-{}-{digits}", self.otp)
    }

    /// Writes it into the directory of the environment, where it must not be yet.
    pub fn write(&self, dir: &Path) -> Result<(), EnvironmentError> {
        let file = dir.join(FILE);
        let written = serde_json::to_vec(self).map_err(std::io::Error::from);
        let written = written.and_then(|text| {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o444);
            let mut opened = options.open(&file)?;
            opened.write_all(&text)?;
            // Whatever the mask of the caller is.
            opened.set_permissions(Permissions::from_mode(0o444))?;
            opened.sync_all()
        });
        written.map_err(|source| unusable(&file, source))
    }

    /// The record of the environment in `dir`; `None` where there is none that can be meant.
    pub fn read(dir: &Path) -> Option<Self> {
        let mut options = OpenOptions::new();
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let opened = options.read(true).custom_flags(flags).open(dir.join(FILE));
        let opened = opened.ok()?;
        if !opened.metadata().ok()?.is_file() {
            return None;
        }
        let mut text = Vec::new();
        opened.take(MAX_BYTES).read_to_end(&mut text).ok()?;
        let record: Self = serde_json::from_slice(&text).ok()?;
        record.is_sound().then_some(record)
    }

    /// Whether it agrees with itself.
    fn is_sound(&self) -> bool {
        let names = self.applications.iter().flat_map(|(name, vsn)| [name, vsn]);
        self.form == FORM
            && self.files.keys().all(|file| is_inside(file))
            && names
                .chain([&self.otp, &self.erts])
                .all(|name| is_plain(name))
            && digest(&self.files) == self.digest
    }
}

/// Whether `path` stays below the directory that it is joined to.
fn is_inside(path: &str) -> bool {
    let parts = Path::new(path).components();
    let is_normal = |part: Component<'_>| matches!(part, Component::Normal(_));
    !path.is_empty() && parts.into_iter().all(is_normal)
}

/// Whether `name` can be a part of a file's name, and of one line of a terminal.
pub fn is_plain(name: &str) -> bool {
    let sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '~');
    !name.is_empty() && name.len() < 128 && name.chars().all(sign)
}

fn digest(files: &BTreeMap<String, String>) -> String {
    let mut context = Sha256::new();
    for (path, digest) in files {
        context.update(path.as_bytes());
        context.update([0]);
        context.update(digest.as_bytes());
        context.update([b'\n']);
    }
    hexadecimal(&context.finalize())
}

/// `bytes` as text.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(path: &str) -> Record {
        Record {
            otp: "25.2.3".to_owned(),
            erts: "13.1.5".to_owned(),
            ..Record::of([(path.to_owned(), "00".to_owned())].into())
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let record = record("bin/erl");
        record.write(dir.path()).unwrap();
        assert_eq!(Record::read(dir.path()), Some(record.clone()));
        assert!(record.write(dir.path()).is_err());
        assert!(record.name().starts_with("otp-25.2.3-"));
    }

    #[test]
    fn a_record_that_contradicts_itself_is_none() {
        for path in ["/etc/passwd", "../x", "bin/../../x", ""] {
            assert!(!record(path).is_sound(), "{path}");
        }
        let mut other = record("bin/erl");
        other.files.insert("bin/erl".to_owned(), "01".to_owned());
        assert!(!other.is_sound());
        let odd = Record {
            otp: "25\u{1b}".to_owned(),
            ..record("bin/erl")
        };
        assert!(!odd.is_sound());
    }

    #[test]
    fn a_torn_file_is_none_wherever_it_is_torn() {
        let dir = tempfile::tempdir().unwrap();
        record("bin/erl").write(dir.path()).unwrap();
        let file = dir.path().join(FILE);
        let whole = std::fs::read(&file).unwrap();
        for length in 0..whole.len() {
            std::fs::remove_file(&file).unwrap();
            std::fs::write(&file, &whole[..length]).unwrap();
            assert_eq!(Record::read(dir.path()), None, "{length}");
        }
    }
}
