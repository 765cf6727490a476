//! A built application on disk: what rebar3, mix and erlang.mk leave, as entries.
//!
//! Only regular files and links within the application are taken, each file once, with a limit: what
//! is packaged is read into memory.

use super::entry::Entry;
use super::error::Error;
use crate::application::{Application, is_application_name};
use crate::beam::{Chunks, Releases};
use crate::installed;
use crate::migration::Choice;
use crate::places::ApplicationDir;
use crate::term::Atom;
use rustix::fs::OFlags;
use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// The most bytes of one file, and of all of an application's.
pub const MAX_FILE: u64 = 256 << 20;
const MAX_TOTAL: u64 = 1 << 30;

/// How deep directories may be nested.
const MAX_DEPTH: usize = 32;

/// A built application.
#[derive(Clone, Debug)]
pub struct Built {
    /// Its specification.
    pub application: Application,
    /// Its files and links, relative to its directory.
    pub entries: Vec<(String, Entry)>,
    /// The oldest OTP release that its modules load on, where they say which compiler made them.
    pub otp: Option<u32>,
    /// The last OTP release that loads all of its modules, where there is a later one that does not.
    pub last_otp: Option<u32>,
    /// When the newest of its files changed, in seconds.
    pub newest: i64,
}

impl Built {
    /// The file in which this version says whether states are converted, with that choice at its end: the last one counts.
    pub fn migration(&self, choice: Choice) -> (String, Entry) {
        let path = ApplicationDir(Path::new("")).migration(self.application.name.as_str());
        let path = path.display().to_string();
        let own = self.entries.iter().find(|(name, _)| *name == path);
        let mut content = match own {
            Some((_, Entry::File { content, .. })) => content.clone(),
            _ => Vec::new(),
        };
        let line = format!("{{migrate, {}}}.\n", choice.name());
        if !content.ends_with(line.as_bytes()) {
            content.extend(if content.is_empty() { "" } else { "\n" }.bytes());
            content.extend(line.bytes());
        }
        (path, Entry::file(content))
    }
}

/// Reads the application in `dir`: `ebin`, `priv`, `include`, and `src` where it is wanted.
pub fn read(dir: &Path, sources: bool, exclude: &[String]) -> Result<Built, Error> {
    let application = application(dir)?;
    let mut walk = Walk {
        exclude,
        ..Walk::default()
    };
    let parts = ["ebin", "priv", "include", "src"];
    for part in parts.iter().take(if sources { 4 } else { 3 }) {
        // Build tools link to these from elsewhere; what is inside must stay inside.
        match fs::canonicalize(dir.join(part)) {
            Ok(base) if base.is_dir() => walk.directory(&base, &base, part, 0)?,
            _ => {}
        }
    }
    let (otp, last_otp) = (walk.otp, walk.last_otp);
    let (entries, newest) = (walk.entries, walk.newest);
    Ok(Built {
        application,
        entries,
        otp,
        last_otp,
        newest,
    })
}

/// All that is below `dir`, relative to it.
pub fn below(dir: &Path) -> Result<Vec<(String, Entry)>, Error> {
    let base = fs::canonicalize(dir).map_err(|source| unreadable(dir, source))?;
    let mut walk = Walk::default();
    walk.directory(&base, &base, "", 0)?;
    Ok(walk.entries)
}

/// The specification of the one application in `dir`.
pub fn application(dir: &Path) -> Result<Application, Error> {
    let not_built = |why| Error::NotBuilt {
        dir: dir.to_owned(),
        why,
    };
    let listed = fs::read_dir(dir.join("ebin")).map_err(|_| not_built("it has no ebin"))?;
    let mut names = Vec::new();
    for entry in listed.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|ending| ending == "app") {
            names.push(path.file_stem().unwrap_or_default().to_owned());
        }
    }
    let [name] = names.as_slice() else {
        let none = names.is_empty();
        let (none_text, many) = ("no .app file in ebin", "several .app files in ebin");
        return Err(not_built(if none { none_text } else { many }));
    };
    let name = name.to_string_lossy();
    let atom = Atom::new(&name).filter(|_| is_application_name(&name));
    let atom = atom.ok_or_else(|| unusable("name", &name))?;
    let application = installed::shipped(&atom, dir)?;
    let vsn = &application.vsn;
    let sign = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '/' | '=');
    if vsn.is_empty() || vsn.len() > 200 || !vsn.chars().all(sign) {
        return Err(unusable("vsn", vsn));
    }
    Ok(application)
}

fn unusable(key: &'static str, value: &str) -> Error {
    Error::Unusable {
        key,
        value: value.to_owned(),
    }
}

/// What a walk through an application has found.
#[derive(Default)]
struct Walk<'a> {
    exclude: &'a [String],
    entries: Vec<(String, Entry)>,
    total: u64,
    newest: i64,
    otp: Option<u32>,
    last_otp: Option<u32>,
}

impl Walk<'_> {
    /// All below `dir`, whose path in the application is `at`; nothing may lead out of `base`.
    fn directory(&mut self, base: &Path, dir: &Path, at: &str, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(refused(dir, "is too deep in directories"));
        }
        let mut listed = Vec::new();
        for entry in fs::read_dir(dir).map_err(|source| unreadable(dir, source))? {
            listed.push(entry.map_err(|source| unreadable(dir, source))?.path());
        }
        listed.sort();
        for path in listed {
            let name = path.file_name().and_then(|name| name.to_str());
            let sound = name.filter(|name| !name.chars().any(char::is_control));
            let name = sound.ok_or_else(|| refused(&path, "has a name that is no plain text"))?;
            let at = if at.is_empty() {
                name.to_owned()
            } else {
                format!("{at}/{name}")
            };
            if !is_clutter(name) && !self.exclude.iter().any(|pattern| matches(pattern, &at)) {
                self.one(base, &path, at, depth)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, base: &Path, path: &Path, at: String, depth: usize) -> Result<(), Error> {
        let metadata = fs::symlink_metadata(path).map_err(|source| unreadable(path, source))?;
        if metadata.is_dir() {
            return self.directory(base, path, &at, depth + 1);
        }
        self.newest = self.newest.max(metadata.mtime());
        let entry = if metadata.is_symlink() {
            link(base, path)?
        } else {
            self.file(path, &metadata)?
        };
        self.entries.push((at, entry));
        Ok(())
    }

    fn file(&mut self, path: &Path, metadata: &Metadata) -> Result<Entry, Error> {
        self.total += metadata.len();
        if self.total > MAX_TOTAL {
            return Err(refused(path, "is more than 1 GiB together with the others"));
        }
        let entry = file(path)?;
        if let Entry::File { content, .. } = &entry
            && path.extension().is_some_and(|ending| ending == "beam")
        {
            let releases = Chunks::parse(content).map(|chunks| Releases::of(&chunks));
            let releases = releases.unwrap_or_default();
            self.otp = self.otp.max(releases.compiled_by);
            self.last_otp = self.last_otp.into_iter().chain(releases.last).min();
        }
        Ok(entry)
    }
}

/// A regular file: 0755 where its owner may execute it, 0644 where not.
pub fn file(path: &Path) -> Result<Entry, Error> {
    let mut options = fs::OpenOptions::new();
    // Opening a pipe would wait for its writer.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let opened = options.read(true).custom_flags(flags).open(path);
    let opened = opened.map_err(|source| unreadable(path, source))?;
    let metadata = opened
        .metadata()
        .map_err(|source| unreadable(path, source))?;
    if !metadata.is_file() {
        return Err(refused(path, "is neither a regular file nor a link"));
    }
    if metadata.len() > MAX_FILE {
        return Err(refused(path, "is larger than 256 MiB"));
    }
    let mut content = Vec::new();
    let read = opened.take(MAX_FILE + 1).read_to_end(&mut content);
    read.map_err(|source| unreadable(path, source))?;
    let executable = metadata.permissions().mode() & 0o100 != 0;
    Ok(Entry::File {
        content,
        mode: if executable { 0o755 } else { 0o644 },
        conffile: false,
    })
}

/// A link that stays within `base`.
fn link(base: &Path, path: &Path) -> Result<Entry, Error> {
    let target = fs::read_link(path).map_err(|source| unreadable(path, source))?;
    let inside = target.is_relative()
        && lexical(&path.with_file_name("").join(&target)).starts_with(base)
        && fs::canonicalize(path).is_ok_and(|real| real.starts_with(base));
    let text = target
        .to_str()
        .filter(|text| !text.chars().any(char::is_control));
    match text {
        Some(text) if inside => Ok(Entry::Link {
            target: text.to_owned(),
        }),
        _ => Err(refused(path, "is a link that leads out of the application")),
    }
}

/// A path without `.` and `..`, links not considered.
pub(super) fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// What version control and editors leave.
fn is_clutter(name: &str) -> bool {
    matches!(
        name,
        ".git" | ".gitignore" | ".gitkeep" | ".keep" | ".DS_Store"
    ) || name.ends_with('~')
        || name.ends_with(".swp")
}

/// Whether `pattern`, in which `*` stands for anything, is the whole of `text`.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    let mut rest = rest;
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn refused(file: &Path, fault: &'static str) -> Error {
    Error::File {
        file: file.to_owned(),
        fault,
    }
}

fn unreadable(file: &Path, source: std::io::Error) -> Error {
    Error::Read {
        file: file.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_of_whole_paths() {
        for (pattern, text, expected) in [
            ("priv/erlrc", "priv/erlrc", true),
            ("priv/*.so", "priv/a.so", true),
            ("*/x*y", "a/xzy", true),
            ("*", "a", true),
            ("priv", "priv/a", false),
            ("a*b*c", "abxc", true),
            ("a*b", "abc", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
