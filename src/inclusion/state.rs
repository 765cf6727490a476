//! Which applications run, and inside which.

use super::world::{Id, World};
use std::borrow::Cow;

/// The applications that run themselves, and what follows from that.
#[derive(Clone)]
pub struct State {
    running: Vec<bool>,
    /// Of each application that runs although running ones include it, those that include it directly: somebody has
    /// started it on purpose, and it is a unit of its own.
    apart: Vec<Vec<Id>>,
    top: Vec<Option<Id>>,
    includer: Vec<Option<Id>>,
}

impl State {
    /// The state in which `running` run themselves.
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

    /// Finds what runs although running applications include it.
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

    /// Those that include `id` directly where it was started on purpose all the same.
    pub fn includers_set_aside(&self, id: Id) -> &[Id] {
        &self.apart[id.index()]
    }

    /// Whether `included` is started and stopped by itself although `by` includes it.
    pub fn is_apart(&self, by: Id, included: Id) -> bool {
        self.apart[included.index()].contains(&by)
    }

    /// Lets `id` be what its includers make of it, once it does not run by itself.
    pub fn join(&mut self, id: Id) {
        self.apart[id.index()].clear();
    }

    /// Whether `id` runs itself.
    pub fn runs(&self, id: Id) -> bool {
        self.running[id.index()]
    }

    /// The running application that `id` is, or runs inside of.
    pub fn top(&self, id: Id) -> Option<Id> {
        self.top[id.index()]
    }

    /// Whether `id` runs, itself or inside another.
    pub fn is_active(&self, id: Id) -> bool {
        self.top(id).is_some()
    }

    /// The application that includes `id` directly, where `id` runs inside another.
    pub fn includer(&self, id: Id) -> Option<Id> {
        self.includer[id.index()]
    }

    /// Lets `stopped` run no more, and `started` run.
    pub fn change(&mut self, world: &World, stopped: &[Id], started: &[Id]) {
        stopped
            .iter()
            .for_each(|id| self.running[id.index()] = false);
        started
            .iter()
            .for_each(|id| self.running[id.index()] = true);
        self.update(world);
    }

    /// What the running applications include, through others too, counts as running.
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

    /// What the `applications` of a loaded application have to be while this state lasts:
    /// an application that runs inside another is replaced by that other, each once, and never by
    /// the one that `id` itself is or runs inside of.
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
