//! Both versions of an application, module by module.

use super::Depth;
use super::code::Code;
use crate::appup::facts::{Change, ModuleState};
use crate::appup::{Direction, ModuleKind};
use crate::beam::{BeamError, BeamFileError, Reader};
use crate::installed::threads;
use crate::script::Comparison;
use crate::term::Atom;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Terms of debug information nest as deep as source text does, and what walks them recurses.
pub const STACK: usize = 256 << 20;

/// Both versions of an application, as the generator compared them.
#[derive(Debug, Default)]
pub struct Compared {
    /// The modules that differ, or are to be loaded again all the same.
    pub changed: BTreeMap<Atom, Changed>,
    /// Modules of the version that is to run alone.
    pub added: BTreeMap<Atom, Code>,
    /// Modules of the version that runs alone.
    pub removed: BTreeMap<Atom, Code>,
    /// What is the same in both.
    pub unchanged: BTreeSet<Atom>,
}

/// A module that both versions have and that differs.
#[derive(Debug)]
pub struct Changed {
    /// What differs.
    pub change: Change,
    /// What the later version of it is: the instruction for it follows from that.
    pub kind: ModuleKind,
    /// What runs.
    pub old: Code,
    /// What is to run.
    pub new: Code,
}

/// What a module is read for.
enum Task<'a> {
    Change(&'a Change, ModuleKind),
    Add,
    Remove,
}

enum Read {
    Changed(Box<Changed>),
    Added(Box<Code>),
    Removed(Box<Code>),
    /// There is no file any more.
    Missing,
}

impl Compared {
    /// Reads what differs: `from` is the directory of what runs, `to` of what is to run.
    pub fn read(
        comparison: &Comparison,
        direction: Direction,
        (from, to): (&Path, &Path),
        depth: Depth,
    ) -> Result<Self, BeamFileError> {
        let mut compared = Self::default();
        let mut tasks = Vec::new();
        for module in &comparison.facts.modules {
            let task = match (&module.state, direction) {
                (ModuleState::Unchanged, _) => {
                    compared.unchanged.insert(module.name.clone());
                    continue;
                }
                (ModuleState::Missing, _) => continue,
                (ModuleState::Changed(changed), _) => {
                    let listed = &comparison.supervisors;
                    let kind = ModuleKind::of_new(&module.name, &changed.new, listed);
                    Task::Change(&changed.change, kind)
                }
                (ModuleState::Added(_), Direction::Up)
                | (ModuleState::Removed, Direction::Down) => Task::Add,
                (ModuleState::Removed, Direction::Up)
                | (ModuleState::Added(_), Direction::Down) => Task::Remove,
            };
            tasks.push((&module.name, task));
        }
        let reading = Reading {
            from: from.join("ebin"),
            to: to.join("ebin"),
            supervisors: &comparison.supervisors,
            depth,
        };
        let read = |(name, task): &(&Atom, Task<'_>), reader: &mut Reader| {
            reading.read(name, task, reader)
        };
        let results = in_parallel(&tasks, threads(), read);
        for ((name, _), read) in tasks.iter().zip(results) {
            compared.insert((*name).clone(), read?);
        }
        Ok(compared)
    }

    fn insert(&mut self, name: Atom, read: Read) {
        match read {
            Read::Changed(changed) => drop(self.changed.insert(name, *changed)),
            Read::Added(code) => drop(self.added.insert(name, *code)),
            Read::Removed(code) => drop(self.removed.insert(name, *code)),
            Read::Missing => {}
        }
    }

    /// The code of the version that is to run, as far as it is new.
    pub fn fresh(&self) -> impl Iterator<Item = (Option<&Code>, &Code)> {
        let changed = self.changed.values();
        let changed = changed.map(|changed| (Some(&changed.old), &changed.new));
        changed.chain(self.added.values().map(|new| (None, new)))
    }
}

struct Reading<'a> {
    from: PathBuf,
    to: PathBuf,
    supervisors: &'a [Atom],
    depth: Depth,
}

impl Reading<'_> {
    fn read(
        &self,
        name: &Atom,
        task: &Task<'_>,
        reader: &mut Reader,
    ) -> Result<Read, BeamFileError> {
        let (from, to) = (&self.from, &self.to);
        Ok(match task {
            Task::Add => self
                .code(name, to, reader)?
                .map_or(Read::Missing, |code| Read::Added(Box::new(code))),
            Task::Remove => self
                .code(name, from, reader)?
                .map_or(Read::Missing, |code| Read::Removed(Box::new(code))),
            Task::Change(change, kind) => {
                let old = self.code(name, from, reader)?;
                match (old, self.code(name, to, reader)?) {
                    (Some(old), Some(new)) => Read::Changed(Box::new(Changed {
                        change: (*change).clone(),
                        kind: kind.clone(),
                        old,
                        new,
                    })),
                    (None, Some(new)) => Read::Added(Box::new(new)),
                    (Some(old), None) => Read::Removed(Box::new(old)),
                    (None, None) => Read::Missing,
                }
            }
        })
    }

    fn code(
        &self,
        name: &Atom,
        ebin: &Path,
        reader: &mut Reader,
    ) -> Result<Option<Code>, BeamFileError> {
        let file = ebin.join(format!("{name}.beam"));
        let read = reader
            .read(file.as_path())
            .and_then(|()| Code::parse(reader.bytes(), self.depth, self.supervisors));
        match read {
            Ok(code) => Ok(Some(code)),
            Err(BeamError::Unreadable { posix: "enoent" }) => Ok(None),
            Err(source) => Err(BeamFileError { file, source }),
        }
    }
}

/// The results of `work` on every item, in their order, from several threads with large stacks.
pub fn in_parallel<T: Sync, S: Default, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T, &mut S) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        let (mut state, mut own) = (S::default(), Vec::new());
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            own.push((at, work(item, &mut state)));
        }
        let mut results = results.lock().unwrap_or_else(|poison| poison.into_inner());
        results.append(&mut own);
    };
    thread::scope(|scope| {
        let spawn = |_| {
            let builder = thread::Builder::new().stack_size(STACK);
            builder.spawn_scoped(scope, run).ok()
        };
        let wanted = threads.min(items.len()).max(1);
        let others: Vec<_> = (1..wanted).filter_map(spawn).collect();
        run();
        for other in others {
            if let Err(panic) = other.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    let mut results = results
        .into_inner()
        .unwrap_or_else(|poison| poison.into_inner());
    results.sort_unstable_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}
