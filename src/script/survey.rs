//! All modules of both versions compared, on one thread or on several.

use foldhash::{HashSet, HashSetExt as _};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::compare::{Comparer, Found, Presence, Sides, Source};
use super::error::ScriptError;
use super::names::Names;
use super::{Options, Side, Version};
use crate::application::Application;
use crate::appup::Warning;
use crate::appup::facts::{Facts, Interface, ModuleFacts, ModuleState, StartModule};
use crate::beam::BeamFileError;
use crate::file;
use crate::term::Atom;

/// Fewer modules than this are compared about as soon as a thread has started: they take a quarter of a
/// millisecond, it a twentieth.
const WORTH_A_THREAD: usize = 24;

/// More threads than this wait for the file system, not for each other.
const MAX_THREADS: usize = 4;

/// How many modules a thread takes at a time: few, for the last to be done is waited for.
const PORTION: usize = 8;

/// The facts of both versions, and what a person should know of their files.
pub fn survey(
    old: (&Application, &Version),
    new: (&Application, &Version),
    options: &Options,
) -> Result<(Facts, Vec<Warning>), ScriptError> {
    let listed = Listed::new(old.0.modules(), new.0.modules());
    let sides = Sides {
        earlier: &old.1.vsn,
        later: &new.1.vsn,
        old: source(&old.1.side)?,
        new: source(&new.1.side)?,
        names: Names::new(listed.modules.iter().map(|(name, _)| *name)),
        reload: options.reload_unchanged,
    };
    let found = compare_all(
        &sides,
        &listed.modules,
        threads(options, listed.modules.len()),
    )?;
    let mut warnings = Vec::new();
    let mut modules = Vec::with_capacity(found.len());
    for ((name, _), found) in listed.modules.iter().zip(found) {
        warnings.extend(found.warnings);
        modules.push(ModuleFacts {
            name: (*name).clone(),
            state: found.state,
        });
    }
    warnings.extend(unlisted(&new.1.side, &new.1.vsn, &listed, &sides.names)?);
    let facts = Facts {
        application: new.0.name.clone(),
        earlier: old.1.vsn.clone(),
        later: new.1.vsn.clone(),
        start: start(new.0, &sides, &modules)?,
        modules,
    };
    Ok((facts, warnings))
}

/// The modules of both versions, each once: the later version's, then those of the earlier one alone.
struct Listed<'a> {
    modules: Vec<(&'a Atom, Presence)>,
}

impl<'a> Listed<'a> {
    fn new(old: &'a [Atom], new: &'a [Atom]) -> Self {
        let in_old: HashSet<_> = old.iter().collect();
        let mut seen = HashSet::with_capacity(new.len());
        let mut modules = Vec::with_capacity(new.len());
        for name in new.iter().filter(|name| seen.insert(*name)) {
            let both = in_old.contains(name);
            modules.push((
                name,
                if both {
                    Presence::Both
                } else {
                    Presence::Later
                },
            ));
        }
        let gone = old.iter().filter(|name| seen.insert(*name));
        modules.extend(gone.map(|name| (name, Presence::Earlier)));
        Self { modules }
    }
}

fn source(side: &Side) -> Result<Source<'_>, ScriptError> {
    match side {
        Side::Directory(dir) => {
            let ebin = dir.join("ebin");
            let open = file::open_directory(&ebin).map_err(|errno| bad_directory(&ebin, errno))?;
            Ok(Source::Ebin(ebin, open))
        }
        Side::Loaded(_, modules) => {
            let by_name = modules.iter().map(|module| (&module.name, module));
            Ok(Source::Loaded(by_name.collect::<HashMap<_, _>>()))
        }
    }
}

fn bad_directory(dir: &Path, error: impl Into<std::io::Error>) -> ScriptError {
    ScriptError::BadDirectory {
        dir: dir.to_owned(),
        posix: file::posix(error),
    }
}

fn threads(options: &Options, modules: usize) -> usize {
    let wanted = match options.threads {
        0 => thread::available_parallelism()
            .map_or(1, usize::from)
            .min(MAX_THREADS),
        threads => threads,
    };
    wanted.min(modules / WORTH_A_THREAD).max(1)
}

type Portion = (usize, Vec<Found>);

fn compare_all(
    sides: &Sides<'_>,
    modules: &[(&Atom, Presence)],
    threads: usize,
) -> Result<Vec<Found>, BeamFileError> {
    let next = AtomicUsize::new(0);
    let work = || compare_portions(sides, modules, &next);
    let mut portions = thread::scope(|scope| {
        // Where a thread cannot be had, this one does its work.
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).filter_map(spawn).collect();
        let mut results = vec![work()];
        results.extend(others.into_iter().map(|other| match other.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }));
        merge(results)
    })?;
    portions.sort_unstable_by_key(|(start, _)| *start);
    Ok(portions.into_iter().flat_map(|(_, found)| found).collect())
}

/// Portions that one thread has compared, up to the first error.
type Compared = (Vec<Portion>, Option<(usize, BeamFileError)>);

// The error of the first module, whichever thread was faster.
fn merge(results: Vec<Compared>) -> Result<Vec<Portion>, BeamFileError> {
    let mut all = Vec::new();
    let mut errors = Vec::new();
    for (portions, error) in results {
        all.extend(portions);
        errors.extend(error);
    }
    match errors.into_iter().min_by_key(|(at, _)| *at) {
        Some((_, error)) => Err(error),
        None => Ok(all),
    }
}

fn compare_portions(
    sides: &Sides<'_>,
    modules: &[(&Atom, Presence)],
    next: &AtomicUsize,
) -> Compared {
    let mut comparer = Comparer::new(sides);
    let mut portions = Vec::new();
    loop {
        let start = next.fetch_add(PORTION, Ordering::Relaxed);
        let Some(portion) = modules.get(start..modules.len().min(start + PORTION)) else {
            return (portions, None);
        };
        let mut found = Vec::with_capacity(portion.len());
        for (offset, (name, presence)) in portion.iter().enumerate() {
            match comparer.compare(name, *presence) {
                Ok(module) => found.push(module),
                Err(error) => return (portions, Some((start + offset, error))),
            }
        }
        portions.push((start, found));
    }
}

// It matters whether or not it differs, and whether or not it is listed.
fn start(
    application: &Application,
    sides: &Sides<'_>,
    modules: &[ModuleFacts],
) -> Result<Option<StartModule>, BeamFileError> {
    let Some(start) = &application.start else {
        return Ok(None);
    };
    let read = || Comparer::new(sides).new_module(&start.module);
    let known = modules.iter().find(|module| module.name == start.module);
    let exports = |interface: &Interface| interface.exports("version_change", 2);
    let version_change = match known.map(|module| &module.state) {
        Some(ModuleState::Added(new)) => exports(&new.interface),
        Some(ModuleState::Changed(changed)) => exports(&changed.new.interface),
        _ => read()?.is_some_and(|new| exports(&new.interface)),
    };
    let (module, args) = (start.module.clone(), start.args.clone());
    Ok(Some(StartModule {
        module,
        args,
        version_change,
    }))
}

fn unlisted(
    side: &Side,
    vsn: &str,
    listed: &Listed<'_>,
    names: &Names,
) -> Result<Vec<Warning>, ScriptError> {
    let Side::Directory(dir) = side else {
        return Ok(Vec::new());
    };
    let in_later = |name: &str| {
        let position = names
            .position(name.as_bytes())
            .and_then(|at| usize::try_from(at).ok());
        let module = position.and_then(|at| listed.modules.get(at));
        module.is_some_and(|(_, presence)| *presence != Presence::Earlier)
    };
    let mut names = beams(&dir.join("ebin"), |name| !in_later(name))?;
    names.sort_unstable();
    let warning = |module| Warning::UnlistedBeam {
        vsn: vsn.to_owned(),
        module,
    };
    Ok(names.into_iter().map(warning).collect())
}

/// The names of those module files in a directory that are wanted. What is no UTF-8 is no module.
pub fn beams(ebin: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, ScriptError> {
    let bad = |errno| bad_directory(ebin, errno);
    let dir = file::open_directory(ebin).map_err(bad)?;
    let mut names = Vec::new();
    let visit = |name: &str| {
        let name = name.strip_suffix(".beam").filter(|name| wanted(name));
        names.extend(name.map(str::to_owned));
    };
    file::list(dir, visit).map_err(bad)?;
    Ok(names)
}
