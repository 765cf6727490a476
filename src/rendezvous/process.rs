//! The process of a node, and whether it runs.
//!
//! A pid is reused; together with the start time of the process it is unique. Both are valid in one
//! pid namespace only.

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;

/// The start of `/proc/PID/stat` that is read: it holds the start time, whatever the numbers before it are.
const STAT_BYTES: usize = 1024;

/// The process that an entry names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its pid.
    pub pid: Option<u32>,
    /// Its start time: field 22 of `/proc/PID/stat`.
    pub start_time: Option<u64>,
    /// The pid namespace of the process.
    pub namespace: Option<u64>,
}

/// Whether a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// The process runs.
    Alive,
    /// It has ended.
    Dead,
    /// It cannot be determined from here.
    Unknown,
}

impl Process {
    /// The current process.
    pub fn own() -> Self {
        Self::of(std::process::id())
    }

    /// The process with this pid.
    pub fn of(pid: u32) -> Self {
        Self {
            pid: Some(pid),
            start_time: stat(pid).ok().and_then(|stat| started(&stat)),
            namespace: own_namespace(),
        }
    }

    /// Whether the process runs, as far as it can be seen from the pid namespace `own`.
    pub fn life(&self, own: Option<u64>) -> Life {
        let (Some(pid), Some(start_time)) = (self.pid, self.start_time) else {
            return Life::Unknown;
        };
        if self.namespace.is_none() || self.namespace != own {
            return Life::Unknown;
        }
        // The answer of the kernel needs no /proc, and none in which this user may see all processes.
        if !is_there(pid) {
            return Life::Dead;
        }
        match stat(pid) {
            Ok(stat) if started(&stat) == Some(start_time) => Life::Alive,
            Ok(_) => Life::Dead,
            Err(_) => Life::Unknown,
        }
    }
}

/// Whether a process with this pid exists, as far as the kernel says that there is none.
fn is_there(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// The start of `/proc/PID/stat`, which the kernel makes in one piece.
fn stat(pid: u32) -> std::io::Result<Vec<u8>> {
    let mut stat = vec![0; STAT_BYTES];
    let count = File::open(format!("/proc/{pid}/stat"))?.read(&mut stat)?;
    stat.truncate(count);
    Ok(stat)
}

/// The pid namespace of this process; `None` where `/proc` shows another one, in which pids mean other processes.
pub fn own_namespace() -> Option<u64> {
    let own = std::fs::read_link("/proc/self").ok()?;
    if own.to_str()?.parse() != Ok(std::process::id()) {
        return None;
    }
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let text = link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?;
    text.parse().ok()
}

/// The start time in this `stat`, unless the process is a zombie. The name of the program, in
/// parentheses, may contain anything, even parentheses.
fn started(stat: &[u8]) -> Option<u64> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_the_next_one_of_its_pid() {
        let own = Process::own();
        let here = own_namespace();
        assert_eq!(own.life(here), Life::Alive);
        let start_time = own.start_time.map(|time| time + 1);
        assert_eq!(Process { start_time, ..own }.life(here), Life::Dead);
        // No process has one of these pids; for the kernel 0 means a group, and what is larger than the largest, too.
        for pid in [0, i32::MAX.cast_unsigned(), u32::MAX].map(Some) {
            assert_eq!(Process { pid, ..own }.life(here), Life::Dead);
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_said() {
        let own = Process::own();
        let here = own_namespace();
        assert_eq!(Process::default().life(here), Life::Unknown);
        let elsewhere = Process {
            namespace: Some(1),
            start_time: Some(1),
            ..own
        };
        assert_eq!(elsewhere.life(here), Life::Unknown);
        assert_eq!(own.life(None), Life::Unknown);
    }

    #[test]
    fn a_program_may_be_called_anything() {
        let tail = "1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 1";
        let stat = |state| format!("7 (a ) S (b) {state} {tail}");
        assert_eq!(started(stat("S").as_bytes()), Some(4711));
        assert_eq!(started(stat("Z").as_bytes()), None);
        assert_eq!(started(b"7 (x"), None);
        assert_eq!(started(b"7 (x) S 1 2"), None);
    }
}
