//! Both versions of an application, module by module.

use super::Depth;
use super::code::Code;
use crate::application::Application;
use crate::beam::{BeamError, BeamFileError, Chunks, Reader, compare_code};
use crate::installed::threads;
use crate::term::Atom;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Terms of debug information nest as deep as source text does, and what walks them recurses.
pub const STACK: usize = 256 << 20;

/// Both versions of an application.
#[derive(Debug, Default)]
pub struct Compared {
    /// The modules that differ, before and after.
    pub changed: BTreeMap<Atom, (Code, Code)>,
    /// Modules of the version that is to run alone.
    pub added: BTreeMap<Atom, Code>,
    /// Modules of the version that runs alone.
    pub removed: BTreeMap<Atom, Code>,
    /// What is the same in both.
    pub unchanged: BTreeSet<Atom>,
}

enum Pair {
    Changed(Box<(Code, Code)>),
    Added(Box<Code>),
    Removed(Box<Code>),
    Unchanged,
    /// Neither has a file.
    Missing,
}

impl Compared {
    /// Compares what both specifications list: `from` is what runs, `to` what is to run.
    pub fn read(
        (from, from_dir): (&Application, &Path),
        (to, to_dir): (&Application, &Path),
        depth: Depth,
    ) -> Result<Self, BeamFileError> {
        let names: BTreeSet<&Atom> = from.modules().iter().chain(to.modules()).collect();
        let names: Vec<&Atom> = names.into_iter().collect();
        let (from, to): (BTreeSet<_>, BTreeSet<_>) = (
            from.modules().iter().collect(),
            to.modules().iter().collect(),
        );
        let pair = |name: &&Atom, readers: &mut (Reader, Reader)| {
            let before = from.contains(name).then(|| from_dir.join("ebin"));
            let after = to.contains(name).then(|| to_dir.join("ebin"));
            compare(name, (before.as_deref(), after.as_deref()), readers, depth)
        };
        let mut compared = Self::default();
        for (name, pair) in names.iter().zip(in_parallel(&names, threads(), pair)) {
            compared.insert((*name).clone(), pair?);
        }
        Ok(compared)
    }

    fn insert(&mut self, name: Atom, pair: Pair) {
        match pair {
            Pair::Changed(pair) => drop(self.changed.insert(name, *pair)),
            Pair::Added(code) => drop(self.added.insert(name, *code)),
            Pair::Removed(code) => drop(self.removed.insert(name, *code)),
            Pair::Unchanged => drop(self.unchanged.insert(name)),
            Pair::Missing => {}
        }
    }

    /// The code of the version that is to run, as far as it is new.
    pub fn fresh(&self) -> impl Iterator<Item = (Option<&Code>, &Code)> {
        let changed = self.changed.values().map(|(old, new)| (Some(old), new));
        changed.chain(self.added.values().map(|new| (None, new)))
    }
}

fn compare(
    name: &Atom,
    (before, after): (Option<&Path>, Option<&Path>),
    (old, new): &mut (Reader, Reader),
    depth: Depth,
) -> Result<Pair, BeamFileError> {
    let there = |dir: Option<&Path>, reader: &mut Reader| match dir {
        Some(dir) => read(&dir.join(format!("{name}.beam")), reader),
        None => Ok(false),
    };
    let parse = |dir: Option<&Path>, reader: &Reader| {
        let file = || dir.unwrap_or(Path::new("")).join(format!("{name}.beam"));
        let code = Code::parse(reader.bytes(), depth);
        code.map_err(|source| BeamFileError {
            file: file(),
            source,
        })
    };
    match (there(before, old)?, there(after, new)?) {
        (true, true) if same(old, new) => Ok(Pair::Unchanged),
        (true, true) => {
            let pair = (parse(before, old)?, parse(after, new)?);
            Ok(Pair::Changed(Box::new(pair)))
        }
        (false, true) => parse(after, new).map(|code| Pair::Added(Box::new(code))),
        (true, false) => parse(before, old).map(|code| Pair::Removed(Box::new(code))),
        (false, false) => Ok(Pair::Missing),
    }
}

fn read(file: &Path, reader: &mut Reader) -> Result<bool, BeamFileError> {
    match reader.read(file) {
        Ok(()) => Ok(true),
        Err(BeamError::Unreadable { posix: "enoent" }) => Ok(false),
        Err(source) => Err(BeamFileError {
            file: file.to_owned(),
            source,
        }),
    }
}

/// Whether two files hold the same code: what `beam_lib:md5/1` covers.
fn same(old: &Reader, new: &Reader) -> bool {
    if old.raw() == new.raw() {
        return true;
    }
    match (Chunks::parse(old.bytes()), Chunks::parse(new.bytes())) {
        (Ok(old), Ok(new)) => compare_code(&old, &new).is_empty(),
        _ => false,
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
