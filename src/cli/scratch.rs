//! Temporary directories that have an owner: a command that is killed cannot remove its own, and the next one does.

use rustix::process::geteuid;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PREFIX: &str = "erlrc-tree";
/// So many names of the directory of temporary files are looked at.
const MOST_NAMES: usize = 100_000;

/// A new directory, which others can read; it is removed with this value. Those of commands that have ended go first.
pub fn directory() -> io::Result<TempDir> {
    sweep();
    let prefix = Owner::own().map_or_else(|| PREFIX.to_owned(), |owner| owner.prefix());
    let dir = tempfile::Builder::new()
        .prefix(&format!("{prefix}-"))
        .tempdir()?;
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755))?;
    Ok(dir)
}

/// Removes what commands of this user have left that have ended. What cannot be removed stays for the next.
pub fn sweep() {
    for dir in left(&std::env::temp_dir()) {
        let _ = fs::remove_dir_all(dir);
    }
}

/// The directories whose owners have ended.
fn left(place: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(place).into_iter().flatten().take(MOST_NAMES);
    let paths = names.flatten().map(|entry| entry.path());
    paths.filter(|path| is_left(path)).collect()
}

fn is_left(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let owner = name.and_then(Owner::of_name);
    let is_own = || {
        fs::symlink_metadata(path)
            .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == geteuid().as_raw())
    };
    owner.is_some_and(|owner| owner.has_ended()) && is_own()
}

/// A process: numbers are given again, and mean something in their namespace alone.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    namespace: u64,
    pid: u32,
    start: u64,
}

impl Owner {
    fn own() -> Option<Self> {
        let pid = std::process::id();
        Some(Self {
            namespace: namespace()?,
            pid,
            start: start(pid)?,
        })
    }

    fn prefix(&self) -> String {
        format!("{PREFIX}-{}-{}-{}", self.namespace, self.pid, self.start)
    }

    fn of_name(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(PREFIX)?.strip_prefix('-')?.split('-');
        Some(Self {
            namespace: parts.next()?.parse().ok()?,
            pid: parts.next()?.parse().ok()?,
            start: parts.next()?.parse().ok()?,
        })
    }

    /// Nothing is known of the processes of another namespace.
    fn has_ended(&self) -> bool {
        namespace() == Some(self.namespace) && start(self.pid) != Some(self.start)
    }
}

fn namespace() -> Option<u64> {
    fs::metadata("/proc/self/ns/pid")
        .ok()
        .map(|metadata| metadata.ino())
}

/// When a process was started, in ticks since the host was: the 22nd field of its line, the second of which is a name
/// in parentheses with anything in it.
fn start(pid: u32) -> Option<u64> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = line.rsplit_once(')')?.1;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_owner() {
        let own = Owner::own().expect("/proc is there");
        let name = format!("{}-aB3x", own.prefix());
        assert_eq!(Owner::of_name(&name).as_ref(), Some(&own));
        assert!(!own.has_ended());
        for name in [
            "erlrc-tree-x",
            "erlrc-tree-1-2",
            "other-1-2-3-x",
            "erlrc-tree",
        ] {
            assert_eq!(Owner::of_name(name), None, "{name}");
        }
    }

    #[test]
    fn only_what_an_ended_process_of_this_user_left_is_left() {
        let place = tempfile::tempdir().expect("a directory");
        let own = Owner::own().expect("/proc is there");
        let earlier = Owner {
            start: own.start - 1,
            ..Owner::own().expect("the same")
        };
        let elsewhere = Owner {
            namespace: own.namespace + 1,
            start: own.start - 1,
            ..own
        };
        let own = Owner::own().expect("the same");
        for name in [own.prefix(), earlier.prefix(), elsewhere.prefix()] {
            fs::create_dir(place.path().join(name + "-x")).expect("a directory");
        }
        let target = place.path().join(earlier.prefix() + "-link");
        std::os::unix::fs::symlink("/", &target).expect("a link");
        fs::write(place.path().join(earlier.prefix() + "-file"), "").expect("a file");
        assert_eq!(
            left(place.path()),
            [place.path().join(earlier.prefix() + "-x")]
        );
    }
}
