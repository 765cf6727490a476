//! Which processes run from an environment.

use std::fs;
use std::path::Path;

/// A process that runs from an environment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Use {
    /// Its pid.
    pub pid: u32,
    /// The program.
    pub program: String,
}

/// The processes that run a program in `dir`, as far as the caller may see them. Of those of others the command line
/// tells: an emulator is started with its tree in it.
pub fn of(dir: &Path) -> Vec<Use> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut found: Vec<Use> = pids.filter_map(|pid| runs(pid, dir)).collect();
    found.sort_by_key(|one| one.pid);
    found
}

fn runs(pid: u32, dir: &Path) -> Option<Use> {
    let process = Path::new("/proc").join(pid.to_string());
    let program = match fs::read_link(process.join("exe")) {
        Ok(program) => program.starts_with(dir).then_some(program),
        Err(_) => {
            let line = fs::read(process.join("cmdline")).ok()?;
            let mut words = line.split(|byte| *byte == 0);
            words.find_map(|word| {
                let path = Path::new(std::str::from_utf8(word).ok()?);
                path.starts_with(dir).then(|| path.to_owned())
            })
        }
    };
    let name = program?.file_name()?.to_string_lossy().into_owned();
    Some(Use { pid, program: name })
}
