//! The directories of releases, and which release of a service is current.
//!
//! A release is written under a name that no release has, its manifest last, made read-only, written out, and renamed;
//! `current` is a link that is replaced by renaming another one. Whenever the machine stops, there is the old or the
//! new one, whole.

use super::error::{ReleaseError, refused, unusable};
use super::record::Release;
use super::{is_name, set};
use crate::application::vsn;
use crate::environment::{content, record::hexadecimal};
use crate::file;
use crate::installed;
use crate::term::Atom;
use crate::trust;
use rustix::fs::FlockOperation;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// What the name of a release ends with that is being written.
pub const UNFINISHED: &str = ".tmp";
/// What the name of a release ends with that is being removed.
const GOING: &str = ".gone.tmp";
const RELEASE: &str = "release";
const APPS: &str = "apps";
const MANIFEST: &str = "MANIFEST";
const ENVIRONMENT: &str = "env";
/// More than the boot script of any release.
const LARGEST: u64 = 256 << 20;

/// The releases of the services of a host. The directories need not be there.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    pub(super) state: PathBuf,
}

/// The releases of one service that nobody else changes for as long as this is there.
#[derive(Debug)]
pub struct Locked<'a> {
    pub(super) store: &'a Store,
    pub(super) service: String,
    _lock: File,
}

/// A release that has all its files and not its name. It is gone with this value.
#[derive(Debug)]
pub struct Prepared {
    dir: PathBuf,
}

impl Prepared {
    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // Once it is in its place there is nothing. What cannot be removed the next one removes.
        let _ = content::remove(&self.dir);
    }
}

/// A link to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// The release that the service is to run.
    Current,
    /// The one before.
    Previous,
}

impl Pointer {
    fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }
}

impl Store {
    /// The releases in `root`, with the links in `state`, each in a directory for each service.
    pub fn new(root: impl Into<PathBuf>, state: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            state: state.into(),
        }
    }

    /// The directory of services.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The services that have releases, in order.
    pub fn services(&self) -> Vec<String> {
        let mut names = file::names(&self.root);
        names.retain(|name| is_name(name) && self.releases(name).is_dir());
        names.sort_unstable();
        names
    }

    /// The versions of the releases of a service, the earliest first.
    pub fn versions(&self, service: &str) -> Vec<String> {
        let mut names = file::names(&self.releases(service));
        names.retain(|name| is_name(name));
        names.sort_by(|a, b| vsn::compare(a, b).then_with(|| a.cmp(b)));
        names
    }

    /// Where a release is, or would be.
    pub fn place(&self, service: &str, version: &str) -> PathBuf {
        self.releases(service).join(version)
    }

    fn releases(&self, service: &str) -> PathBuf {
        self.root.join(service).join("releases")
    }

    /// The release, whose files are what was written.
    pub fn read(&self, service: &str, version: &str) -> Result<Release, ReleaseError> {
        let dir = self.place(service, version);
        if !dir.exists() {
            let (service, version) = (service.to_owned(), version.to_owned());
            return Err(ReleaseError::NoRelease { service, version });
        }
        self.check(service)?;
        trust::check(&dir)?;
        verify(&dir)?;
        let file = dir.join(RELEASE);
        let damaged = || ReleaseError::Damaged { path: file.clone() };
        let terms = installed::consult(&file).map_err(|_| damaged())?;
        let term = terms.first().ok_or_else(damaged)?;
        let release = Release::from_term(term, &directories(&dir)).ok_or_else(damaged)?;
        match release.service == service && release.version == version {
            true => Ok(release),
            false => Err(damaged()),
        }
    }

    /// The boot script of the release, if it has one.
    pub fn boot(&self, service: &str, version: &str) -> Option<PathBuf> {
        let boot = self.place(service, version).join(format!("{service}.boot"));
        boot.is_file().then_some(boot)
    }

    /// The directories above the releases of `service` are root's or the caller's, and nobody else can change them.
    fn check(&self, service: &str) -> Result<(), ReleaseError> {
        let service = self.root.join(service);
        let releases = service.join("releases");
        for dir in [&self.root, &service, &releases] {
            trust::check(dir)?;
        }
        Ok(())
    }

    /// Keeps everybody else from changing the releases of `service`, whose directories are made where they are not.
    pub fn lock(&self, service: &str) -> Result<Locked<'_>, ReleaseError> {
        let releases = self.releases(service);
        make_below(&self.root, &[service, "releases"])?;
        let lock = File::open(&releases).map_err(|error| unusable(&releases, error))?;
        let service = service.to_owned();
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Locked {
                store: self,
                service,
                _lock: lock,
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(ReleaseError::Busy { service }),
            Err(error) => Err(unusable(&releases, error.into())),
        }
    }

    /// The version that a link of a service names.
    pub fn pointer(&self, service: &str, pointer: Pointer) -> Result<Option<String>, ReleaseError> {
        let link = self.state.join(service).join(pointer.name());
        let target = match fs::read_link(&link) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            target => target.map_err(|error| unusable(&link, error))?,
        };
        let name = target.file_name().and_then(|name| name.to_str());
        let name = name.filter(|name| is_name(name) && target == self.place(service, name));
        match name {
            Some(name) => Ok(Some(name.to_owned())),
            None => Err(refused(&link, "does not lead to a release of the service")),
        }
    }
}

impl Locked<'_> {
    /// The service.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Writes the files of a release, but for its manifest.
    pub fn prepare(
        &self,
        release: &Release,
        environment: Option<&Path>,
    ) -> Result<Prepared, ReleaseError> {
        let place = self.store.place(&self.service, &release.version);
        let dir = suffixed(&place, UNFINISHED);
        content::remove(&dir)?;
        make(&dir)?;
        let prepared = Prepared { dir };
        let apps = prepared.dir.join(APPS);
        make(&apps)?;
        write(&prepared.dir.join(RELEASE), &release.text())?;
        for member in &release.applications {
            write(&apps.join(member.application.as_str()), &member.metadata())?;
        }
        if let Some(environment) = environment {
            let link = prepared.dir.join(ENVIRONMENT);
            symlink(environment, &link).map_err(|error| unusable(&link, error))?;
        }
        Ok(prepared)
    }

    /// Gives a prepared release its name, which no release has.
    pub fn commit(&self, prepared: &Prepared, version: &str) -> Result<PathBuf, ReleaseError> {
        let place = self.store.place(&self.service, version);
        let mut manifest = String::new();
        for (path, file) in files(&prepared.dir)? {
            let sealed = fs::set_permissions(&file, Permissions::from_mode(0o444));
            let synced = sealed.and_then(|()| File::open(&file)?.sync_all());
            synced.map_err(|error| unusable(&file, error))?;
            manifest.push_str(&format!("{}  {path}\n", digest(&file)?));
        }
        write(&prepared.dir.join(MANIFEST), &manifest)?;
        content::seal(&prepared.dir)?;
        let renamed = fs::rename(&prepared.dir, &place);
        renamed.map_err(|error| unusable(&place, error))?;
        trust::sync(&self.store.releases(&self.service))?;
        Ok(place)
    }

    /// Removes a release.
    pub fn remove(&self, version: &str) -> Result<(), ReleaseError> {
        let place = self.store.place(&self.service, version);
        let going = suffixed(&place, GOING);
        content::remove(&going)?;
        // What is half removed must not look like a release.
        fs::rename(&place, &going).map_err(|error| unusable(&place, error))?;
        trust::sync(&self.store.releases(&self.service))?;
        Ok(content::remove(&going)?)
    }

    /// Makes a release the current one, and the one that was that the previous one: which one that was.
    pub fn set_current(&self, version: &str) -> Result<Option<String>, ReleaseError> {
        let before = self.store.pointer(&self.service, Pointer::Current)?;
        if before.as_deref() == Some(version) {
            return Ok(before);
        }
        make_below(&self.store.state, &[&self.service])?;
        self.point(Pointer::Current, version)?;
        if let Some(before) = &before {
            self.point(Pointer::Previous, before)?;
        }
        Ok(before)
    }

    /// Makes no release the current one, and the one that was that the previous one.
    pub fn unset_current(&self) -> Result<(), ReleaseError> {
        let Some(before) = self.store.pointer(&self.service, Pointer::Current)? else {
            return Ok(());
        };
        self.point(Pointer::Previous, &before)?;
        let dir = self.store.state.join(&self.service);
        let link = dir.join(Pointer::Current.name());
        fs::remove_file(&link).map_err(|error| unusable(&link, error))?;
        Ok(trust::sync(&dir)?)
    }

    /// Makes a release the previous one.
    pub fn set_previous(&self, version: &str) -> Result<(), ReleaseError> {
        self.point(Pointer::Previous, version)
    }

    fn point(&self, pointer: Pointer, version: &str) -> Result<(), ReleaseError> {
        let dir = self.store.state.join(&self.service);
        let link = dir.join(pointer.name());
        let new = suffixed(&link, ".new");
        content::remove(&new)?;
        let target = self.store.place(&self.service, version);
        let linked = symlink(target, &new).and_then(|()| fs::rename(&new, &link));
        linked.map_err(|error| unusable(&link, error))?;
        Ok(trust::sync(&dir)?)
    }
}

/// Why `version` does not become what is asked for: it is there, and another set.
pub fn other_set(known: &Release, asked: &Release) -> ReleaseError {
    let changes = set::compare(&known.applications, &asked.applications);
    let difference = match changes.as_slice() {
        [] if known.otp != asked.otp || known.erts != asked.erts => {
            format!("OTP {} -> {}", known.otp, asked.otp)
        }
        [] => "its applications are elsewhere or started in another way".to_owned(),
        [one] => set::text(one),
        [one, more @ ..] => format!("{} and {} more", set::text(one), more.len()),
    };
    ReleaseError::Exists {
        service: known.service.clone(),
        version: known.version.clone(),
        difference,
    }
}

pub(super) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes `root` and, one in the other, the directories `below` where they are not; none of them is another user's.
pub(super) fn make_below(root: &Path, below: &[&str]) -> Result<(), ReleaseError> {
    if let Some(parent) = root.parent() {
        fs::create_dir_all(parent).map_err(|error| unusable(parent, error))?;
    }
    let mut dir = root.to_owned();
    let mut names = below.iter();
    loop {
        if !dir.exists() {
            make(&dir)?;
        }
        trust::check(&dir)?;
        match names.next() {
            Some(name) => dir.push(name),
            None => return Ok(()),
        }
    }
}

fn make(dir: &Path) -> Result<(), ReleaseError> {
    let made = DirBuilder::new().mode(0o755).create(dir);
    // Whatever the mask of the caller is.
    let mode = || fs::set_permissions(dir, Permissions::from_mode(0o755));
    made.and_then(|()| mode())
        .map_err(|error| unusable(dir, error))
}

pub(super) fn write(file: &Path, text: &str) -> Result<(), ReleaseError> {
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o444).open(file);
    let written = opened.and_then(|mut opened| {
        opened.write_all(text.as_bytes())?;
        opened.set_permissions(Permissions::from_mode(0o444))?;
        opened.sync_all()
    });
    written.map_err(|error| unusable(file, error))
}

/// The files of the release in `dir` by their paths in it, but for the manifest and the link to the environment.
fn files(dir: &Path) -> Result<BTreeMap<String, PathBuf>, ReleaseError> {
    let mut files = BTreeMap::new();
    for path in content::tree(dir)? {
        let name = path.strip_prefix(dir).ok().and_then(Path::to_str);
        let name = name.ok_or_else(|| refused(&path, "has a name that is no text"))?;
        let metadata = path.symlink_metadata();
        let metadata = metadata.map_err(|error| unusable(&path, error))?;
        let is_link = metadata.is_symlink() && name == ENVIRONMENT;
        if metadata.is_dir() || is_link || name == MANIFEST {
            continue;
        }
        if !metadata.is_file() {
            return Err(refused(&path, "is not a regular file"));
        }
        files.insert(name.to_owned(), path);
    }
    Ok(files)
}

fn digest(file: &Path) -> Result<String, ReleaseError> {
    Ok(hexadecimal(&Sha256::digest(read(file)?)))
}

fn read(path: &Path) -> Result<Vec<u8>, ReleaseError> {
    let mut buffer = file::Buffer::default();
    match buffer.read(path.into(), LARGEST) {
        Ok(()) => Ok(buffer.take()),
        Err(_) => Err(refused(path, "cannot be read")),
    }
}

/// Compares the release in `dir` with its manifest.
fn verify(dir: &Path) -> Result<(), ReleaseError> {
    let manifest = dir.join(MANIFEST);
    let text = String::from_utf8(read(&manifest)?).unwrap_or_default();
    let mut expected: BTreeMap<&str, &str> = BTreeMap::new();
    for line in text.lines() {
        let pair = line.split_once("  ");
        let damaged = || ReleaseError::Damaged {
            path: manifest.clone(),
        };
        let (digest, path) = pair.ok_or_else(damaged)?;
        expected.insert(path, digest);
    }
    for (path, file) in files(dir)? {
        let recorded = expected.remove(path.as_str());
        if recorded != Some(digest(&file)?.as_str()) {
            return Err(ReleaseError::Damaged { path: file });
        }
    }
    match expected.keys().next() {
        None => Ok(()),
        Some(path) => Err(ReleaseError::Damaged {
            path: dir.join(path),
        }),
    }
}

/// Where the applications of the release in `dir` are.
fn directories(dir: &Path) -> BTreeMap<String, PathBuf> {
    let apps = dir.join(APPS);
    let names = file::names(&apps).into_iter();
    let place = |name: String| {
        let metadata = installed::metadata(&apps, &Atom::new(&name)?)?;
        Some((name, metadata.dir.into()))
    };
    names.filter_map(place).collect()
}
