//! Which applications run, by themselves or as part of which others.

use super::world::{Id, World};
use std::borrow::Cow;

/// The applications that run by themselves, and what follows from that.
#[derive(Clone)]
pub struct State {
    running: Vec<bool>,
    /// The direct includers of each application that runs by itself although running ones include
    /// it: it was started on purpose and is a unit of its own.
    apart: Vec<Vec<Id>>,
    top: Vec<Option<Id>>,
    includer: Vec<Option<Id>>,
}

impl State {
    /// The state in which exactly `running` run by themselves.
    pub fn new(world: &World, running: impl IntoIterator<Item = Id>) -> Self {
        let mut flags = vec![false; world.len()];
        running.into_iter().for_each(|id| flags[id.index()] = true);
        let mut state = Self {
            running: flags,
            apart: vec![Vec::new(); world.len()],
            top: Vec::new(),
            includer: Vec::new(),
        };
        state.update(world);
        state.set_apart(world);
        state.update(world);
        state
    }

    /// Finds the applications that run by themselves although running ones include them.
    fn set_apart(&mut self, world: &World) {
        for by in world.ids() {
            if !self.is_active(by) {
                continue;
            }
            for &included in &world.node(by).included {
                if self.runs(included) && included != by {
                    self.apart[included.index()].push(by);
                }
            }
        }
    }

    /// The direct includers of `id`, if it was started on purpose all the same.
    pub fn includers_set_aside(&self, id: Id) -> &[Id] {
        &self.apart[id.index()]
    }

    /// Whether `included` is started and stopped by itself although `by` includes it.
    pub fn is_apart(&self, by: Id, included: Id) -> bool {
        self.apart[included.index()].contains(&by)
    }

    /// Forgets that `id` was started on purpose, once it no longer runs by itself.
    pub fn join(&mut self, id: Id) {
        self.apart[id.index()].clear();
    }

    /// Whether `id` runs by itself.
    pub fn runs(&self, id: Id) -> bool {
        self.running[id.index()]
    }

    /// The top of the unit that `id` runs in.
    pub fn top(&self, id: Id) -> Option<Id> {
        self.top[id.index()]
    }

    /// Whether `id` runs, by itself or as part of another.
    pub fn is_active(&self, id: Id) -> bool {
        self.top(id).is_some()
    }

    /// The direct includer of `id`, if `id` runs as part of another.
    pub fn includer(&self, id: Id) -> Option<Id> {
        self.includer[id.index()]
    }

    /// Marks `stopped` as not running and `started` as running.
    pub fn change(&mut self, world: &World, stopped: &[Id], started: &[Id]) {
        stopped
            .iter()
            .for_each(|id| self.running[id.index()] = false);
        started
            .iter()
            .for_each(|id| self.running[id.index()] = true);
        self.update(world);
    }

    /// Everything that running applications include, directly or indirectly, counts as running.
    pub fn update(&mut self, world: &World) {
        self.top = vec![None; world.len()];
        self.includer = vec![None; world.len()];
        let tops: Vec<Id> = world.ids().filter(|id| self.runs(*id)).collect();
        for top in &tops {
            self.top[top.index()] = Some(*top);
        }
        for top in tops {
            let mut open = vec![top];
            while let Some(id) = open.pop() {
                for &included in &world.node(id).included {
                    if self.top[included.index()].is_none() && !self.is_apart(id, included) {
                        self.top[included.index()] = Some(top);
                        self.includer[included.index()] = Some(id);
                        open.push(included);
                    }
                }
            }
        }
    }

    /// The value that the key `applications` of a loaded application must have in this state: an
    /// application that runs as part of another is replaced by that other, each once, and never by
    /// the top of `id` itself.
    pub fn applications<'w>(&self, world: &'w World, id: Id) -> Cow<'w, [Id]> {
        let own = self.top(id).unwrap_or(id);
        let written = &world.node(id).applications;
        let named = |id: Id| self.top(id).unwrap_or(id);
        if written
            .iter()
            .all(|dependency| named(*dependency) == *dependency)
        {
            return Cow::Borrowed(written);
        }
        let mut seen = std::collections::HashSet::with_capacity(written.len());
        let replaced = written.iter().filter_map(|&dependency| {
            let top = named(dependency);
            (top == dependency || top != own).then_some(top)
        });
        Cow::Owned(replaced.filter(|top| seen.insert(*top)).collect())
    }
}
