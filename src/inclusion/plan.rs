//! Determines what has to start so that given applications run: they themselves, what they include,
//! and all that these depend on; also the order, and what has to stop before.

use super::Error;
use super::graph::Graph;
use super::state::State;
use super::world::{Id, Source, World};

/// The units to start, dependencies first.
pub struct Plan {
    /// The units, in start order.
    pub units: Vec<Unit>,
    top: Vec<Option<Id>>,
}

/// A unit to start.
pub struct Unit {
    /// The application that is started.
    pub top: Id,
    /// The application and everything that it includes, directly or indirectly; includers come
    /// before what they include.
    pub members: Vec<Id>,
    /// The applications that run by themselves and have to stop before, dependents first.
    pub stops: Vec<Id>,
}

impl Plan {
    /// The top of the unit of `id` after the plan has been carried out.
    pub fn top(&self, id: Id) -> Option<Id> {
        self.top[id.index()]
    }

    /// The plan that makes `roots`, none of which runs, run, while `stopped` stays stopped.
    pub fn new(world: &World, state: &State, roots: &[Id], stopped: &[Id]) -> Result<Self, Error> {
        let search = Search {
            world,
            state,
            stopped,
        };
        let visited = search.reach(roots)?;
        let includer = search.includers(&visited)?;
        let top = search.tops(&visited, &includer)?;
        let graph = search.graph(&visited, &top)?;
        let starts = |id: Id| visited[id.index()] && top[id.index()] == Some(id);
        if let Some(cycle) = graph.cycle(starts) {
            return Err(Error::CircularDependency {
                cycle: world.names(&cycle),
            });
        }
        let tops: Vec<Id> = world.ids().filter(|id| starts(*id)).collect();
        let included = search.included(&visited, &includer);
        let unit = |id| search.unit(id, &included);
        Ok(Self {
            units: graph.order(&tops).into_iter().map(unit).collect(),
            top,
        })
    }
}

struct Search<'a> {
    world: &'a World,
    state: &'a State,
    stopped: &'a [Id],
}

impl Search<'_> {
    /// Every application that is not active and has to be so that `roots` run.
    fn reach(&self, roots: &[Id]) -> Result<Vec<bool>, Error> {
        let mut visited = vec![false; self.world.len()];
        let mut open: Vec<Id> = roots.to_vec();
        let mut unusable: Option<Id> = None;
        while let Some(id) = open.pop() {
            if self.state.is_active(id) || std::mem::replace(&mut visited[id.index()], true) {
                continue;
            }
            if self.stopped.contains(&id) {
                return Err(Error::NeedsStopped {
                    needed: self.world.name(id).clone(),
                });
            }
            if !self.world.is_usable(id) {
                unusable = Some(unusable.map_or(id, |first| first.min(id)));
                continue;
            }
            let node = self.world.node(id);
            let inside = node.included.iter();
            open.extend(inside.filter(|included| !self.state.is_apart(id, **included)));
            let missing = |dependency: &Id| {
                node.is_optional(*dependency)
                    && (self.world.node(*dependency).source == Source::Gone
                        || self.stopped.contains(dependency))
            };
            open.extend(
                node.applications
                    .iter()
                    .filter(|dependency| !missing(dependency)),
            );
        }
        match unusable {
            Some(first) => Err(Error::Specification(self.world.fault(first))),
            None => Ok(visited),
        }
    }

    /// The direct includers of each application, among those visited and those active.
    fn includers(&self, visited: &[bool]) -> Result<Vec<Option<Id>>, Error> {
        let mut includers = vec![Vec::new(); self.world.len()];
        for by in self.world.ids().filter(|id| visited[id.index()]) {
            for &included in &self.world.node(by).included {
                if !self.state.is_apart(by, included) {
                    includers[included.index()].push(by);
                }
            }
        }
        let mut includer = vec![None; self.world.len()];
        for id in self.world.ids() {
            let mut all = std::mem::take(&mut includers[id.index()]);
            if !all.is_empty() {
                let aside = self.state.includers_set_aside(id).iter();
                all.extend(aside.filter(|by| self.world.node(**by).included.contains(&id)));
            }
            all.extend(self.state.includer(id));
            all.sort_unstable();
            if let [by1, by2, ..] = all[..] {
                return Err(Error::DuplicateIncluded {
                    included: self.world.name(id).clone(),
                    by1: self.world.name(by1).clone(),
                    by2: self.world.name(by2).clone(),
                });
            }
            includer[id.index()] = all.first().copied();
        }
        Ok(includer)
    }

    /// The top of every visited or active application after the plan has been carried out.
    fn tops(&self, visited: &[bool], includer: &[Option<Id>]) -> Result<Vec<Option<Id>>, Error> {
        let mut top: Vec<Option<Id>> = vec![None; self.world.len()];
        let mut on_path = vec![false; self.world.len()];
        let mut cycle: Vec<Id> = Vec::new();
        let concerned = |id: &Id| visited[id.index()] || self.state.is_active(*id);
        for id in self.world.ids().filter(concerned) {
            let mut path = Vec::new();
            let mut here = id;
            let found = loop {
                if let Some(top) = top[here.index()] {
                    break top;
                }
                if std::mem::replace(&mut on_path[here.index()], true) {
                    cycle = greater(cycle, closed(&path, here));
                    break here;
                }
                path.push(here);
                match includer[here.index()] {
                    Some(by) => here = by,
                    None => break here,
                }
            };
            for id in path {
                on_path[id.index()] = false;
                top[id.index()] = Some(found);
            }
        }
        match cycle.is_empty() {
            true => Ok(top),
            false => Err(Error::CircularDependency {
                cycle: self.world.names(&cycle),
            }),
        }
    }

    /// The dependencies between units.
    fn graph(&self, visited: &[bool], top: &[Option<Id>]) -> Result<Graph, Error> {
        let mut graph = Graph::new(self.world.len());
        for id in self.world.ids().rev() {
            let Some(own) = top[id.index()] else { continue };
            // An application that was started on purpose keeps running and waits for nothing.
            if !visited[id.index()] && !self.state.includers_set_aside(id).is_empty() {
                continue;
            }
            let node = self.world.node(id);
            for &dependency in &node.applications {
                if dependency == id && visited[id.index()] {
                    let cycle = self.world.names(&[id]);
                    return Err(Error::CircularDependency { cycle });
                }
                // An application that runs without an optional dependency does not wait for it to
                // start.
                let counts = visited[id.index()]
                    || self.state.is_active(dependency)
                    || !node.is_optional(dependency);
                match top[dependency.index()] {
                    Some(other) if counts && other != own => graph.add(own, other),
                    _ => {}
                }
            }
        }
        graph.normalize();
        Ok(graph)
    }

    /// The direct inclusions of every application, active ones included.
    fn included(&self, visited: &[bool], includer: &[Option<Id>]) -> Vec<Vec<Id>> {
        let mut included = vec![Vec::new(); self.world.len()];
        let concerned = |id: &Id| visited[id.index()] || self.state.is_active(*id);
        for id in self.world.ids().filter(concerned) {
            if let Some(by) = includer[id.index()] {
                included[by.index()].push(id);
            }
        }
        included
    }

    fn unit(&self, top: Id, included: &[Vec<Id>]) -> Unit {
        let mut members = vec![top];
        let mut next = 0;
        while let Some(id) = members.get(next).copied() {
            members.extend(&included[id.index()]);
            next += 1;
        }
        let running = members
            .iter()
            .copied()
            .filter(|id| self.state.runs(*id))
            .collect();
        Unit {
            top,
            stops: dependents_first(self.world, running),
            members,
        }
    }
}

/// The end of `path` from `start` on, sorted.
fn closed(path: &[Id], start: Id) -> Vec<Id> {
    let place = path.iter().position(|id| *id == start).unwrap_or(0);
    let mut cycle = path[place..].to_vec();
    cycle.sort_unstable();
    cycle
}

/// Of two sorted cycles, the one with the greater last element.
fn greater(a: Vec<Id>, b: Vec<Id>) -> Vec<Id> {
    if a.last() > b.last() { a } else { b }
}

/// `ids` so that what depends on another one directly stands before it.
pub(super) fn dependents_first(world: &World, mut ids: Vec<Id>) -> Vec<Id> {
    if ids.len() < 2 {
        return ids;
    }
    ids.sort_unstable();
    // The nodes of the small graph are indices into `ids`.
    let mut graph = Graph::new(ids.len());
    for (place, id) in ids.iter().enumerate() {
        for dependency in &world.node(*id).applications {
            if let Ok(other) = ids.binary_search(dependency) {
                graph.add(Id::new(place), Id::new(other));
            }
        }
    }
    let places: Vec<Id> = (0..ids.len()).map(Id::new).collect();
    let mut order: Vec<Id> = graph
        .order(&places)
        .iter()
        .map(|place| ids[place.index()])
        .collect();
    order.reverse();
    if order.len() < ids.len() {
        let sorted: std::collections::HashSet<Id> = order.iter().copied().collect();
        order.extend(ids.iter().copied().filter(|id| !sorted.contains(id)));
    }
    order
}
