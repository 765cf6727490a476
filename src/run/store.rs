//! The directory of runs: a file for each, and a lock that the command holds which works on one.

use super::error::{RunError, unusable};
use super::record::{Clocks, Run};
use crate::record::Time;
use crate::snapshot::Tag;
use crate::trust;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

const LOCK: &str = "lock";
const SUFFIX: &str = ".json";
/// More than a record of the largest host has.
const MAX_BYTES: u64 = 16 << 20;
/// So many settled runs are kept.
const KEEP: usize = 100;

/// The runs of a host.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
}

/// The right to work on a run, for as long as it is there.
#[derive(Debug)]
pub struct Claim<'a> {
    store: &'a Store,
    _lock: File,
}

impl Store {
    /// The directory `root`, which need not be there.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// All runs whose records can be read, the oldest first.
    pub fn runs(&self) -> Result<Vec<Run>, RunError> {
        let ids = self.ids()?;
        let read: Result<Vec<Run>, RunError> = ids.iter().map(|id| self.read(id)).collect();
        let mut runs = read?;
        runs.sort_by(|a, b| (a.begun, &a.id).cmp(&(b.begun, &b.id)));
        Ok(runs)
    }

    /// The names of all runs.
    pub fn ids(&self) -> Result<Vec<Tag>, RunError> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(unusable(&self.root))?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(unusable(&self.root))?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            ids.extend(name.and_then(|name| Tag::parse(name).ok()));
        }
        Ok(ids)
    }

    /// What a run says about itself.
    pub fn read(&self, id: &Tag) -> Result<Run, RunError> {
        let file = self.file(id);
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut options = OpenOptions::new();
        let opened = match options.read(true).custom_flags(flags).open(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RunError::Unknown(id.clone()));
            }
            opened => opened.map_err(unusable(&file))?,
        };
        trust::check(&self.root)?;
        let mut text = Vec::new();
        let read = opened.take(MAX_BYTES).read_to_end(&mut text);
        read.map_err(unusable(&file))?;
        let run: Option<Run> = serde_json::from_slice(&text).ok();
        run.filter(|run| run.is_known() && run.id == *id)
            .ok_or_else(|| RunError::Unreadable(id.clone()))
    }

    /// The run that keeps others out.
    pub fn open(&self) -> Result<Option<Run>, RunError> {
        let mut runs = self.runs()?;
        runs.retain(|run| run.outcome.is_open());
        Ok(runs.pop())
    }

    /// The right to work on runs; `None` where another command has it.
    pub fn claim(&self) -> Result<Option<Claim<'_>>, RunError> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.root);
        made.map_err(unusable(&self.root))?;
        trust::check(&self.root)?;
        let file = self.root.join(LOCK);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&file).map_err(unusable(&file))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Claim {
                store: self,
                _lock: lock,
            })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(unusable(&file)(errno.into())),
        }
    }

    fn file(&self, id: &Tag) -> PathBuf {
        self.root.join(format!("{id}{SUFFIX}"))
    }
}

impl Claim<'_> {
    /// A name for a run that begins now.
    pub fn id(&self) -> Result<Tag, RunError> {
        let taken = self.store.ids()?;
        Ok(Tag::of_time("", Time::now(), |id| taken.contains(id)))
    }

    /// Writes down how far a run has come: the record is the old one or the new one, whatever happens.
    pub fn write(&self, run: &Run) -> Result<(), RunError> {
        let (file, new) = (self.store.file(&run.id), self.store.root.join("new"));
        let written = serde_json::to_vec(run).map_err(io::Error::from);
        let written = written.and_then(|text| {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut opened = options.open(&new)?;
            opened.write_all(&text)?;
            opened.sync_all()?;
            fs::rename(&new, &file)
        });
        written.map_err(unusable(&file))?;
        Ok(trust::sync(&self.store.root)?)
    }

    /// Removes the records of the oldest runs that are settled.
    pub fn prune(&self) -> Result<(), RunError> {
        let runs = self.store.runs()?;
        let settled: Vec<&Run> = runs.iter().filter(|run| !run.outcome.is_open()).collect();
        for run in settled.iter().rev().skip(KEEP) {
            let file = self.store.file(&run.id);
            fs::remove_file(&file).map_err(unusable(&file))?;
        }
        Ok(())
    }
}

/// What the clocks of this host say.
pub fn clocks() -> io::Result<Clocks> {
    let uptime = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(uptime.tv_sec).unwrap_or_default();
    let millis = u64::try_from(uptime.tv_nsec / 1_000_000).unwrap_or_default();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(Clocks {
        now: Time::now(),
        uptime: seconds.saturating_mul(1000).saturating_add(millis),
        boot: boot.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Who;
    use crate::run::Outcome;
    use std::os::unix::fs::PermissionsExt;

    fn run(claim: &Claim<'_>, outcome: Outcome) -> Run {
        let id = claim.id().expect("a name");
        let mut run = Run::new(id, Who::default(), Time::now(), vec!["a=1".to_owned()]);
        run.outcome = outcome;
        claim.write(&run).expect("a record");
        run
    }

    #[test]
    fn a_run_that_is_open_is_found_until_it_is_settled() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::new(dir.path().join("runs"));
        assert_eq!(store.open().expect("none"), None);
        let claim = store.claim().expect("a lock").expect("free");
        run(&claim, Outcome::Applied);
        let mut open = run(&claim, Outcome::PendingConfirm);
        run(&claim, Outcome::Refused);
        assert_eq!(store.open().expect("runs"), Some(open.clone()));
        open.outcome = Outcome::Confirmed;
        claim.write(&open).expect("a record");
        assert_eq!(store.open().expect("runs"), None);
        assert_eq!(store.runs().expect("runs").len(), 3);
    }

    #[test]
    fn one_command_works_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::new(dir.path().to_owned());
        let claim = store.claim().expect("a lock");
        assert!(store.claim().expect("a lock").is_none());
        drop(claim);
        assert!(store.claim().expect("a lock").is_some());
    }

    #[test]
    fn damaged_records_and_directories_of_others_are_not_used() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::new(dir.path().to_owned());
        let claim = store.claim().expect("a lock").expect("free");
        let run = run(&claim, Outcome::Applied);
        fs::write(store.file(&run.id), "{").expect("a file");
        assert!(matches!(store.read(&run.id), Err(RunError::Unreadable(_))));
        assert!(store.open().is_err());
        let mode = fs::Permissions::from_mode(0o777);
        fs::set_permissions(dir.path(), mode).expect("a mode");
        assert!(matches!(store.read(&run.id), Err(RunError::Path(_))));
        assert!(store.claim().is_err());
    }

    #[test]
    fn old_records_go_and_open_ones_stay() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::new(dir.path().to_owned());
        let claim = store.claim().expect("a lock").expect("free");
        let open = run(&claim, Outcome::Running);
        for _ in 0..KEEP + 3 {
            run(&claim, Outcome::Unchanged);
        }
        claim.prune().expect("pruned");
        let runs = store.runs().expect("runs");
        assert_eq!(runs.len(), KEEP + 1);
        assert!(runs.contains(&open));
    }
}
