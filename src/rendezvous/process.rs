//! The process of a node, and whether it runs.
//!
//! A pid is reused; together with the start time of the process it is unique. Both are valid in one
//! pid namespace only.

use std::path::Path;

/// The process that an entry names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
        let stat = std::fs::read("/proc/self/stat").ok();
        Self {
            pid: Some(std::process::id()),
            start_time: stat.and_then(|stat| started(&stat)),
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
        match std::fs::read(format!("/proc/{pid}/stat")) {
            Ok(stat) if started(&stat) == Some(start_time) => Life::Alive,
            Ok(_) => Life::Dead,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // Nothing can be determined without /proc.
                match Path::new("/proc/self/stat").exists() {
                    true => Life::Dead,
                    false => Life::Unknown,
                }
            }
            Err(_) => Life::Unknown,
        }
    }
}

/// The pid namespace of this process.
pub fn own_namespace() -> Option<u64> {
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
        // No process has the largest pid.
        let pid = Some(u32::MAX);
        assert_eq!(Process { pid, ..own }.life(here), Life::Dead);
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
