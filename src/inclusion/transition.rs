//! The transition for an event.

use super::plan::{Plan, Unit};
use super::state::State;
use super::world::{Id, Source, World};
use super::{Action, Error, Event, Facts, Outcome, Transition, Warning};
use crate::application::Application;
use crate::term::Atom;

/// Decides what to do when `event` happens to a node with these `facts`.
pub fn transition(mut facts: Facts, event: &Event) -> Result<Transition, Error> {
    let others: Vec<&Application> = match event {
        Event::Upgrade(application) => vec![application],
        Event::Change(change) => change.upgrade.iter().collect(),
        _ => Vec::new(),
    };
    let mut world = World::new(&mut facts, &others);
    let state = State::new(
        &world,
        facts.running.iter().filter_map(|name| world.id(name)),
    );
    let script = Script::default();
    let node = Node {
        facts: &facts,
        world: &mut world,
        state,
        script,
    };
    match event {
        Event::Boot => node.boot(),
        Event::Start(name) => node.start(name),
        Event::Stop(name) => node.stop(name),
        Event::Upgrade(application) => node.upgrade(application),
        Event::Change(change) => node.change(change),
    }
}

#[derive(Default)]
pub(super) struct Script {
    pub(super) actions: Vec<Action>,
    skipped: Vec<Atom>,
    warnings: Vec<Warning>,
}

/// The node after the actions so far.
pub(super) struct Node<'a> {
    facts: &'a Facts,
    pub(super) world: &'a mut World,
    pub(super) state: State,
    pub(super) script: Script,
}

impl Node<'_> {
    fn boot(mut self) -> Result<Transition, Error> {
        let mut roots = Vec::new();
        for id in self.wanted(&[]) {
            if self.world.node(id).source == Source::Gone {
                let name = self.world.name(id).clone();
                self.script
                    .warnings
                    .push(Warning::PackageGone(name.clone()));
                self.script.skipped.push(name);
            } else {
                roots.push(id);
            }
        }
        let plan = Plan::new(self.world, &self.state, &roots, &[])?;
        self.carry_out(&plan.units);
        Ok(self.answer(Outcome::Booted))
    }

    fn start(mut self, name: &Atom) -> Result<Transition, Error> {
        let Some(id) = self.world.id(name) else {
            let file = format!("{name}.app");
            return Err(Error::Specification(
                crate::application::FileError::NotFound { file },
            ));
        };
        if let Some(outcome) = self.running(id) {
            return Ok(self.answer(outcome));
        }
        let plan = Plan::new(self.world, &self.state, &[id], &[])?;
        self.carry_out(&plan.units);
        let outcome = started(&plan, id);
        Ok(self.answer(outcome))
    }

    fn stop(mut self, name: &Atom) -> Result<Transition, Error> {
        let id = self.world.id(name);
        let Some((id, top)) = id.and_then(|id| Some((id, self.state.top(id)?))) else {
            return Ok(self.answer(Outcome::NotRunning));
        };
        if top != id {
            return Ok(self.answer(Outcome::Included));
        }
        let before = self.state.clone();
        self.state.join(id);
        self.state.change(self.world, &[id], &[]);
        let plan = self.after_stop(&before, id)?;
        self.script.actions.push(Action::Stop(name.clone()));
        self.carry_out(&plan.units);
        let outcome = match plan.units.is_empty() {
            true => Outcome::Stopped,
            false => Outcome::StoppedIncludedStarted,
        };
        Ok(self.answer(outcome))
    }

    /// The registered applications that should run, in alphabetical order. That one of `asked` was
    /// stopped before counts no more: this event asks for it.
    fn wanted(&self, asked: &[Id]) -> Vec<Id> {
        let ids = |names: &[Atom]| names.iter().filter_map(|n| self.world.id(n)).collect();
        let mut wanted: Vec<Id> = ids(&self.facts.registered);
        let mut stopped: Vec<Id> = ids(&self.facts.stopped);
        stopped.retain(|id| !asked.contains(id));
        stopped.sort_unstable();
        wanted.retain(|id| stopped.binary_search(id).is_err());
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    fn running(&self, id: Id) -> Option<Outcome> {
        let top = self.state.top(id)?;
        Some(if top == id {
            Outcome::AlreadyRunning
        } else {
            Outcome::Included
        })
    }

    /// The applications that ran in the unit `top` and no longer do, as far as they are wanted or
    /// needed. This event asks for `asked`.
    pub(super) fn freed(&self, before: &State, after: &State, top: Id, asked: &[Id]) -> Freed {
        let was_inside = |id: &Id| *id != top && before.top(*id) == Some(top);
        let is_freed = |id: &Id| was_inside(id) && !after.is_active(*id);
        let wanted = self.wanted(asked).into_iter().filter(is_freed).collect();
        let mut freed = Freed {
            wanted,
            needed: Vec::new(),
            needing: Vec::new(),
        };
        for id in self.world.ids() {
            let Some(own) = after.top(id) else { continue };
            let node = self.world.node(id);
            let needed = |dependency: &&Id| is_freed(dependency) && !node.is_optional(**dependency);
            let before = freed.needed.len();
            freed.needed.extend(node.applications.iter().filter(needed));
            if freed.needed.len() > before {
                freed.needing.push(own);
            }
        }
        freed.needed.sort_unstable();
        freed.needed.dedup();
        freed
    }

    /// Whether anything that runs, or would run in `state`, needs one of `stopped`.
    pub(super) fn unneeded(&self, stopped: &[Id], state: &State) -> Result<(), Error> {
        let needs = |other: &Id| {
            let node = self.world.node(*other);
            let needs = |id: &Id| node.applications.contains(id) && !node.is_optional(*id);
            stopped.iter().any(needs)
        };
        let needing = self.world.ids().filter(needs);
        let needing: Vec<Id> = needing.filter_map(|id| state.top(id)).collect();
        match needing.is_empty() {
            true => Ok(()),
            false => Err(self.needed_by(needing)),
        }
    }

    /// What is to start after `id` has stopped, unless something needs `id` itself.
    fn after_stop(&mut self, before: &State, id: Id) -> Result<Plan, Error> {
        self.unneeded(&[id], &self.state)?;
        let freed = self.freed(before, &self.state, id, &[]);
        let mut roots = freed.needed.clone();
        roots.extend(&freed.wanted);
        if let Ok(plan) = Plan::new(self.world, &self.state, &roots, &[id]) {
            return Ok(plan);
        }
        let mut roots = freed.needed;
        let Ok(mut plan) = Plan::new(self.world, &self.state, &roots, &[id]) else {
            return Err(self.needed_by(freed.needing));
        };
        // A package must be removable even if what its application included cannot run without it.
        for wanted in freed.wanted {
            roots.push(wanted);
            match Plan::new(self.world, &self.state, &roots, &[id]) {
                Ok(larger) => plan = larger,
                Err(error) => {
                    roots.pop();
                    let name = self.world.name(wanted).clone();
                    self.script.skipped.push(name.clone());
                    self.script
                        .warnings
                        .push(Warning::NotStarted(name, Box::new(error)));
                }
            }
        }
        Ok(plan)
    }

    pub(super) fn needed_by(&self, mut needing: Vec<Id>) -> Error {
        needing.sort_unstable();
        needing.dedup();
        Error::NeededBy {
            applications: self.world.names(&needing),
        }
    }

    /// Loads and starts `units`, which must be in start order.
    fn carry_out(&mut self, units: &[Unit]) {
        self.load(units, None);
        self.start_units(units);
    }

    /// Loads what is not loaded yet, except `except`.
    pub(super) fn load<'u>(
        &mut self,
        units: impl IntoIterator<Item = &'u Unit>,
        except: Option<Id>,
    ) {
        let members = units.into_iter().flat_map(|unit| &unit.members);
        for &id in members.filter(|id| Some(**id) != except) {
            if self.world.node(id).source == Source::Disk
                && let Some((application, ebin)) = self.world.load(id)
            {
                self.script.actions.push(Action::Load { application, ebin });
            }
        }
    }

    /// Starts `units`, after the loaded specifications have been rewritten for the state in which
    /// they run.
    pub(super) fn start_units<'u>(&mut self, units: impl IntoIterator<Item = &'u Unit> + Clone) {
        let stops: Vec<Id> = units
            .clone()
            .into_iter()
            .flat_map(|u| u.stops.clone())
            .collect();
        let starts: Vec<Id> = units.clone().into_iter().map(|unit| unit.top).collect();
        self.state.change(self.world, &stops, &starts);
        self.respecify();
        for unit in units {
            let stop = |id: &Id| Action::Stop(self.world.name(*id).clone());
            self.script.actions.extend(unit.stops.iter().map(stop));
            self.script
                .actions
                .push(Action::Start(self.world.name(unit.top).clone()));
        }
    }

    pub(super) fn stop_all(&mut self, ids: &[Id]) {
        let stop = |id: &Id| Action::Stop(self.world.name(*id).clone());
        self.script.actions.extend(ids.iter().map(stop));
        self.state.change(self.world, ids, &[]);
    }

    fn respecify(&mut self) {
        for id in self.world.ids() {
            if self.world.node(id).source != Source::Loaded {
                continue;
            }
            let applications = self.state.applications(self.world, id);
            if *applications != *self.world.node(id).current() {
                let name = self.world.name(id).clone();
                let names = self.world.names(&applications);
                self.script.actions.push(Action::Respecify(name, names));
                self.world.node_mut(id).current = Some(applications.into_owned());
            }
        }
    }

    pub(super) fn answer(self, outcome: Outcome) -> Transition {
        let Script {
            actions,
            skipped,
            warnings,
        } = self.script;
        Transition {
            actions,
            outcome,
            skipped,
            warnings,
        }
    }
}

/// The applications that are no longer part of another one.
pub(super) struct Freed {
    /// Those that should run.
    pub(super) wanted: Vec<Id>,
    /// Those that a running application depends on.
    pub(super) needed: Vec<Id>,
    /// The running applications that depend on them.
    needing: Vec<Id>,
}

pub(super) fn started(plan: &Plan, id: Id) -> Outcome {
    if plan.top(id) != Some(id) {
        Outcome::Included
    } else if plan
        .units
        .iter()
        .any(|unit| unit.top == id && !unit.stops.is_empty())
    {
        Outcome::StartedIncludedStopped
    } else {
        Outcome::Started
    }
}
