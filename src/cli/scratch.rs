//! Temporary directories that have an owner: a command that is killed cannot remove its own, and the next one does.

use super::leftover;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const KIND: &str = "erlrc-tree-";

/// A new directory, which others can read; it is removed with this value. Those of commands that have ended go first.
pub fn directory() -> io::Result<TempDir> {
    sweep();
    let dir = tempfile::Builder::new()
        .prefix(&leftover::prefix(KIND))
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

/// The directories whose owners have ended: anybody may put other things in this place.
fn left(place: &Path) -> Vec<PathBuf> {
    let left = leftover::left(place, KIND);
    let trees = left.filter(|entry| entry.file_type().is_ok_and(|found| found.is_dir()));
    trees.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendezvous::Process;

    #[test]
    fn only_what_an_ended_process_of_this_user_left_is_left() {
        let place = tempfile::tempdir().expect("a directory");
        let own = Process::own();
        let namespace = own.namespace.expect("/proc is there");
        let start = own.start_time.expect("/proc is there");
        let pid = std::process::id();
        let own = format!("{KIND}{namespace}-{pid}-{start}");
        let earlier = format!("{KIND}{namespace}-{pid}-{}", start - 1);
        let elsewhere = format!("{KIND}{}-{pid}-{}", namespace + 1, start - 1);
        for name in [&own, &earlier, &elsewhere] {
            fs::create_dir(place.path().join(format!("{name}-x"))).expect("a directory");
        }
        let target = place.path().join(format!("{earlier}-link"));
        std::os::unix::fs::symlink("/", &target).expect("a link");
        fs::write(place.path().join(format!("{earlier}-file")), "").expect("a file");
        assert_eq!(
            left(place.path()),
            [place.path().join(format!("{earlier}-x"))]
        );
    }
}
