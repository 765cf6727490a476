//! The specifications of everything that some applications depend on and include, through others
//! too: level by level, a level's files read by several threads where there are many.

use super::Warning;
use super::locate::{Locator, Work};
use crate::inclusion::Specification;
use crate::term::Atom;
use foldhash::HashSet;
use std::thread::{Builder, scope};

/// How many files are worth a thread, which takes as long to start as some six of them.
const FILES_PER_THREAD: usize = 24;

/// What is known so far.
pub struct Reach<'l, 'd> {
    locator: &'l Locator<'d>,
    threads: usize,
    /// What needs no reading: it is loaded, or was read before.
    known: HashSet<Atom>,
    /// What has been read.
    pub specifications: Vec<(Atom, Specification)>,
    /// What somebody should know.
    pub warnings: Vec<Warning>,
}

impl<'l, 'd> Reach<'l, 'd> {
    /// Nothing read yet; `known` need not be.
    pub fn new(locator: &'l Locator<'d>, threads: usize, known: HashSet<Atom>) -> Self {
        Self {
            locator,
            threads,
            known,
            specifications: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// What finds the applications.
    pub fn locator(&self) -> &'l Locator<'d> {
        self.locator
    }

    /// Takes a specification that was read from elsewhere, and reads what it reaches.
    pub fn take(&mut self, name: Atom, specification: Specification) {
        self.known.insert(name.clone());
        let level = self.unknown(&specification);
        self.specifications.push((name, specification));
        self.levels(level);
    }

    /// Reads `names` and what they reach.
    pub fn read(&mut self, names: impl IntoIterator<Item = Atom>) {
        let mut level: Vec<Atom> = names.into_iter().collect();
        level.retain(|name| self.known.insert(name.clone()));
        self.levels(level);
    }

    /// Reads `level`, whose names are marked as known, and what they reach.
    fn levels(&mut self, mut level: Vec<Atom>) {
        while !level.is_empty() {
            let found = self.level(level);
            level = Vec::new();
            for (name, specification) in found {
                level.extend(self.unknown(&specification));
                self.specifications.push((name, specification));
            }
        }
    }

    /// What a specification names that is not known, marked as known.
    fn unknown(&mut self, specification: &Specification) -> Vec<Atom> {
        let Specification::Found { application, .. } = specification else {
            return Vec::new();
        };
        let named = application
            .applications
            .iter()
            .chain(&application.included_applications);
        let mut unknown = Vec::new();
        for name in named {
            if !self.known.contains(name) {
                self.known.insert(name.clone());
                unknown.push(name.clone());
            }
        }
        unknown
    }

    fn level(&mut self, names: Vec<Atom>) -> Vec<(Atom, Specification)> {
        let threads = self.threads.min(names.len() / FILES_PER_THREAD).max(1);
        let locator = self.locator;
        let parts = split(names, threads);
        let done: Vec<Done> = scope(|scope| {
            let mut parts = parts.into_iter();
            let own = parts.next().unwrap_or_default();
            let running: Vec<_> = parts
                .map(|part| {
                    let copy = part.clone();
                    let thread = Builder::new().spawn_scoped(scope, move || locate(locator, copy));
                    (part, thread)
                })
                .collect();
            let own = locate(locator, own);
            let others = running.into_iter().map(|(part, thread)| {
                // Where no thread can be had, or one panicked, this one does the work.
                thread
                    .ok()
                    .and_then(|thread| thread.join().ok())
                    .unwrap_or_else(|| locate(locator, part))
            });
            std::iter::once(own).chain(others).collect()
        });
        let mut all = Vec::new();
        for Done { found, warnings } in done {
            all.extend(found);
            self.warnings.extend(warnings);
        }
        all
    }
}

struct Done {
    found: Vec<(Atom, Specification)>,
    warnings: Vec<Warning>,
}

fn locate(locator: &Locator<'_>, names: Vec<Atom>) -> Done {
    let mut work = Work::default();
    let found = names.into_iter().map(|name| {
        let specification = locator.locate(&name, &mut work);
        (name, specification)
    });
    Done {
        found: found.collect(),
        warnings: work.warnings,
    }
}

fn split(mut names: Vec<Atom>, parts: usize) -> Vec<Vec<Atom>> {
    let size = names.len().div_ceil(parts).max(1);
    let mut split = Vec::with_capacity(parts);
    while names.len() > size {
        split.push(names.split_off(names.len() - size));
    }
    split.push(names);
    split
}
