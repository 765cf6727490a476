//! What a command makes for as long as it runs, and what one that was killed has left of it.

use crate::rendezvous::{Life, Process};
use std::fs::DirEntry;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// So many names of a directory are looked at.
const MOST_NAMES: usize = 100_000;

/// What a name begins with that says which process made the file: of the kind `kind`.
pub fn prefix(kind: &str) -> String {
    let own = Process::own();
    let number = |number: Option<u64>| number.unwrap_or_default();
    let (namespace, started) = (number(own.namespace), number(own.start_time));
    format!("{kind}{namespace}-{}-{started}-", std::process::id())
}

/// Removes from `directory` what is ours of the kind `kind` and was made by processes that have ended.
pub fn sweep(directory: &Path, kind: &str) {
    for entry in left(directory, kind) {
        // Whoever was quicker has done the same.
        let _ = match entry.file_type() {
            Ok(found) if found.is_dir() => std::fs::remove_dir_all(entry.path()),
            _ => std::fs::remove_file(entry.path()),
        };
    }
}

/// What is ours in `directory` of the kind `kind` and was made by processes that have ended.
pub fn left(directory: &Path, kind: &str) -> impl Iterator<Item = DirEntry> {
    let namespace = Process::own().namespace;
    let caller = rustix::process::geteuid().as_raw();
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.take(MOST_NAMES).flatten().filter(move |entry| {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| maker(name, kind));
        let is_ours = || entry.metadata().is_ok_and(|found| found.uid() == caller);
        maker.is_some_and(|maker| maker.life(namespace) == Life::Dead) && is_ours()
    })
}

/// The process that made the file `name`.
fn maker(name: &str, kind: &str) -> Option<Process> {
    let mut numbers = name.strip_prefix(kind)?.splitn(4, '-');
    let mut number = || numbers.next()?.parse().ok();
    let (namespace, pid, start_time) = (number()?, number()?, number()?);
    Some(Process {
        pid: u32::try_from(pid).ok(),
        start_time: Some(start_time),
        namespace: Some(namespace),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_maker() {
        let own = Process::own();
        let name = format!("{}aB3x", prefix("erlrc-tree-"));
        assert_eq!(maker(&name, "erlrc-tree-"), Some(own));
        assert_eq!(own.life(own.namespace), Life::Alive);
        for name in [
            "erlrc-tree-x",
            "erlrc-tree-1-2",
            "other-1-2-3-x",
            "erlrc-tree",
        ] {
            assert_eq!(maker(name, "erlrc-tree-"), None, "{name}");
        }
    }

    #[test]
    fn what_the_dead_left_goes_and_what_the_living_made_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        let own = format!("{}x", prefix(".kind-"));
        let namespace = Process::own().namespace.expect("a namespace");
        let dead = format!(".kind-{namespace}-4294967295-1-x");
        let elsewhere = ".kind-1-4294967295-1-x";
        let names = [own.as_str(), &dead, elsewhere, ".kind-odd", "entry"];
        for name in names {
            std::fs::write(path(name), "").expect("a file");
        }
        let tree = format!(".kind-{namespace}-4294967295-1-tree");
        std::fs::create_dir_all(path(&tree).join("below")).expect("a directory");
        sweep(directory.path(), ".kind-");
        assert!(!path(&dead).exists() && !path(&tree).exists());
        for name in [own.as_str(), elsewhere, ".kind-odd", "entry"] {
            assert!(path(name).exists(), "{name}");
        }
    }
}
