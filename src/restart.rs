//! Why a node must be restarted although nothing is wrong with its applications: the emulator or a
//! library under it was replaced. Code can be swapped in a running node, the emulator cannot.
//!
//! And whether it would come up again: a newer emulator may refuse modules that the present one has loaded.
//!
//! Two sources: what the kernel says of the node's process, and what package triggers have noted in the
//! log `restarts` of the state directory.

use crate::beam::{Chunks, Reader, Releases};
use crate::places;
use crate::record::{RecordError, RecordLog, Time};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::path::Path;

/// The most of `/proc/PID/maps` that is read; a line takes about a hundred bytes.
const MOST_BYTES: u64 = 8 << 20;
const DELETED: &str = " (deleted)";

/// Why a node must be restarted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reason {
    /// The file of the emulator is another by now.
    EmulatorReplaced {
        /// The file.
        file: String,
    },
    /// A library that the emulator uses is another by now.
    LibraryReplaced {
        /// The file.
        file: String,
    },
    /// A package that the emulator belongs to was replaced since the node began.
    PackageReplaced {
        /// What was replaced.
        what: String,
        /// When.
        time: Time,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmulatorReplaced { file } => write!(f, "the emulator was replaced ({file})"),
            Self::LibraryReplaced { file } => write!(f, "a library was replaced ({file})"),
            Self::PackageReplaced { what, time } => write!(f, "{what} was replaced at {time}"),
        }
    }
}

/// Modules of an application that the emulator which starts next does not load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The release of OTP that this emulator is of.
    pub otp_release: u32,
    /// The modules.
    pub modules: Vec<String>,
}

/// The release of OTP that is on the disk below `root`, OTP's root directory: the one that a node starts
/// with from there. `None` where nothing says so, as below the root of a release of one's own.
pub fn release_on_disk(root: &Path) -> Option<u32> {
    let releases = root.join("releases");
    let text = std::fs::read_to_string(releases.join("start_erl.data")).ok()?;
    // The version of erts, and the name of the release.
    let release: u32 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    let version = releases.join(release.to_string()).join("OTP_VERSION");
    version.is_file().then_some(release)
}

/// The modules in `dir`, an application's directory, that `release` of OTP does not load. What cannot be
/// read is for others to name.
pub fn refused(dir: &Path, release: u32) -> Option<Refused> {
    let ebin = dir.join("ebin");
    let mut reader = Reader::new();
    let mut is_refused = |file: &Path| {
        reader.read(file).is_ok()
            && Chunks::parse(reader.bytes())
                .is_ok_and(|chunks| !Releases::of(&chunks).contain(release))
    };
    let names = crate::file::names(&ebin);
    let modules = names.iter().filter_map(|name| name.strip_suffix(".beam"));
    let mut modules: Vec<String> = modules
        .filter(|module| is_refused(&ebin.join(format!("{module}.beam"))))
        .map(str::to_owned)
        .collect();
    modules.sort();
    (!modules.is_empty()).then_some(Refused {
        otp_release: release,
        modules,
    })
}

/// What a package trigger notes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// When.
    pub time: Time,
    /// What was replaced: a package, or the path that a trigger watches.
    pub what: String,
}

/// Notes below the directory `state` that `what`, which emulators are made of, has just been replaced:
/// nodes that have begun before need a restart. For package triggers.
pub fn note(state: &Path, what: &str) -> Result<(), RecordError> {
    let replaced = Replaced {
        time: Time::now(),
        what: what.to_owned(),
    };
    log(state).append(&replaced)
}

/// What has been noted below the directory `state` since `began`; of each thing the last time.
pub fn noted_since(state: &Path, began: Time) -> Result<Vec<Reason>, RecordError> {
    let (records, _) = log(state).read::<Replaced>()?;
    let mut reasons: Vec<Reason> = Vec::new();
    for Replaced { time, what } in records
        .into_iter()
        .rev()
        .filter(|replaced| replaced.time > began)
    {
        let known = |reason: &Reason| matches!(reason, Reason::PackageReplaced { what: known, .. } if *known == what);
        if !reasons.iter().any(known) {
            reasons.push(Reason::PackageReplaced { what, time });
        }
    }
    Ok(reasons)
}

/// What the kernel says of the process `pid`: files that it executes and that are gone, because other
/// ones have their names now. An error where we may not look.
pub fn of_process(pid: u32) -> io::Result<Vec<Reason>> {
    use std::io::Read;
    let mut text = Vec::new();
    let maps = std::fs::File::open(format!("/proc/{pid}/maps"))?;
    maps.take(MOST_BYTES).read_to_end(&mut text)?;
    let executable = std::fs::read_link(format!("/proc/{pid}/exe"))?;
    let executable = executable.to_string_lossy();
    Ok(reasons(
        executable.strip_suffix(DELETED),
        &String::from_utf8_lossy(&text),
    ))
}

/// `executable`: the emulator's file if that is gone.
fn reasons(executable: Option<&str>, maps: &str) -> Vec<Reason> {
    let emulator = executable.map(|file| Reason::EmulatorReplaced {
        file: file.to_owned(),
    });
    let libraries = maps
        .lines()
        .filter_map(deleted)
        .filter(|file| is_library(file));
    let libraries = libraries.map(|file| Reason::LibraryReplaced {
        file: file.to_owned(),
    });
    let mut reasons: Vec<Reason> = emulator.into_iter().chain(libraries).collect();
    reasons.sort();
    reasons.dedup();
    reasons
}

/// The file of a mapping that is executed and gone: `START-END r-xp OFFSET DEV INODE PATH (deleted)`, proc(5).
fn deleted(line: &str) -> Option<&str> {
    let path = line
        .find('/')
        .and_then(|at| line.get(at..))?
        .strip_suffix(DELETED)?;
    let permissions = line.split_ascii_whitespace().nth(1)?;
    permissions.contains('x').then_some(path)
}

/// Not what an application brings: erlrc itself swaps that, and what it was stays until the node ends.
fn is_library(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or_default();
    (name.ends_with(".so") || name.contains(".so.")) && !file.contains("/priv/")
}

fn log(state: &Path) -> RecordLog {
    RecordLog::open(places::State(state).restarts()).rotated_at(1 << 16, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const MAPS: &str = "\
55d0c0a00000-55d0c0e00000 r-xp 00001000 08:01 123 /usr/lib/erlang/erts-13.1.5/bin/beam.smp (deleted)
7f0000000000-7f0000010000 rwxp 00000000 00:01 77  /memfd:vmem (deleted)
7f1000000000-7f1000010000 r--p 00000000 08:01 124 /usr/lib/x86_64-linux-gnu/libcrypto.so.3 (deleted)
7f1000010000-7f1000020000 r-xp 00010000 08:01 124 /usr/lib/x86_64-linux-gnu/libcrypto.so.3 (deleted)
7f1000020000-7f1000030000 r-xp 00010000 08:01 124 /usr/lib/x86_64-linux-gnu/libcrypto.so.3 (deleted)
7f2000000000-7f2000010000 r-xp 00000000 08:01 125 /usr/lib/x86_64-linux-gnu/libc.so.6
7f3000000000-7f3000010000 r-xp 00000000 08:01 126 /usr/lib/erlang/lib/foo-1.0/priv/foo.so (deleted)
7f4000000000-7f4000010000 rw-s 00000000 00:01 78  /dev/zero (deleted)
7ffe00000000-7ffe00010000 r-xp 00000000 00:00 0   [vdso]
";

    #[test]
    fn only_replaced_libraries_and_the_emulator_are_reasons() {
        let library = Reason::LibraryReplaced {
            file: "/usr/lib/x86_64-linux-gnu/libcrypto.so.3".to_owned(),
        };
        let emulator = Reason::EmulatorReplaced {
            file: "/bin/beam.smp".to_owned(),
        };
        assert_eq!(reasons(None, MAPS), std::slice::from_ref(&library));
        assert_eq!(reasons(Some("/bin/beam.smp"), MAPS), [emulator, library]);
        assert_eq!(reasons(None, "\n- \n/ (deleted)\nx"), []);
    }

    #[test]
    fn a_process_whose_file_was_replaced_is_found() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("sleep");
        std::fs::copy("/bin/sleep", &file).expect("a copy");
        let mut child = std::process::Command::new(&file)
            .arg("60")
            .spawn()
            .expect("it runs");
        assert_eq!(of_process(child.id()).expect("we may look"), []);
        std::fs::copy("/bin/true", dir.path().join("new")).expect("a copy");
        std::fs::rename(dir.path().join("new"), &file).expect("replaced");
        let found = of_process(child.id()).expect("we may look");
        child.kill().and_then(|()| child.wait()).expect("it ends");
        assert_eq!(
            found,
            [Reason::EmulatorReplaced {
                file: file.display().to_string()
            }]
        );
    }

    #[test]
    fn what_a_trigger_noted_counts_for_nodes_that_began_before() {
        let dir = tempfile::tempdir().expect("a directory");
        let now = Time::now();
        note(dir.path(), "erlang-base").expect("noted");
        note(dir.path(), "libc6").expect("noted");
        note(dir.path(), "erlang-base").expect("noted");
        let before = noted_since(dir.path(), now.minus(Duration::from_secs(60))).expect("a log");
        let whats: Vec<_> = before
            .iter()
            .map(|reason| match reason {
                Reason::PackageReplaced { what, .. } => what.as_str(),
                _ => "",
            })
            .collect();
        assert_eq!(whats, ["erlang-base", "libc6"]);
        let after = Time::from_millis(now.millis() + 60_000);
        assert_eq!(noted_since(dir.path(), after).expect("a log"), []);
    }
}
