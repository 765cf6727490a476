//! The transition that answers an event.

use super::plan::{Plan, Unit};
use super::state::State;
use super::world::{Id, Source, World};
use super::{Action, Error, Event, Facts, Outcome, Transition, Warning};
use crate::application::Application;
use crate::term::Atom;
use std::collections::HashSet;

/// What is to be done when `event` meets `facts`.
pub fn transition(mut facts: Facts, event: &Event) -> Result<Transition, Error> {
    let other = match event {
        Event::Upgrade(application) => Some(application.as_ref()),
        _ => None,
    };
    let mut world = World::new(&mut facts, other.as_slice());
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
    }
}

#[derive(Default)]
struct Script {
    actions: Vec<Action>,
    skipped: Vec<Atom>,
    warnings: Vec<Warning>,
}

/// The node as it is after the actions so far.
struct Node<'a> {
    facts: &'a Facts,
    world: &'a mut World,
    state: State,
    script: Script,
}

impl Node<'_> {
    fn boot(mut self) -> Result<Transition, Error> {
        let mut roots = Vec::new();
        for id in self.wanted() {
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
        let plan = Plan::new(self.world, &self.state, &roots, None)?;
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
        let plan = Plan::new(self.world, &self.state, &[id], None)?;
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

    fn upgrade(self, application: &Application) -> Result<Transition, Error> {
        let Some(id) = self.world.id(&application.name) else {
            return Ok(self.answer(Outcome::NotRunning));
        };
        match self.state.top(id) {
            None => self.upgrade_stopped(id, application),
            Some(top) => self.upgrade_running(id, top, application),
        }
    }

    /// The new version becomes what is loaded, then it is started.
    fn upgrade_stopped(mut self, id: Id, new: &Application) -> Result<Transition, Error> {
        let old = self.world.node(id).clone();
        self.world.specify(new);
        let plan = Plan::new(self.world, &self.state, &[id], None)?;
        let new_node = std::mem::replace(self.world.node_mut(id), old);
        let with_it = plan
            .units
            .iter()
            .position(|unit| unit.members.contains(&id));
        let (before, after) = plan.units.split_at(with_it.unwrap_or(plan.units.len()));
        self.load(&plan.units, Some(id));
        self.start_units(before);
        self.script.actions.push(Action::Script);
        *self.world.node_mut(id) = new_node;
        self.state.update(self.world);
        self.start_units(after);
        let outcome = started(&plan, id);
        Ok(self.answer(outcome))
    }

    /// The upgrade as a start: where the new version's unit did not run and had to, these would be
    /// the units to start before it. What the old version included is still inside it then and can
    /// only be started after the script, and so can what includes or needs one of those.
    fn upgrade_running(mut self, id: Id, top: Id, new: &Application) -> Result<Transition, Error> {
        let old_state = self.state.clone();
        let old_node = self.world.node(id).clone();
        self.world.specify(new);
        let mut without = self.state.clone();
        without.change(self.world, &[top], &[]);
        let mut renewed = self.state.clone();
        renewed.update(self.world);
        let freed = self.freed(&old_state, &renewed, top);
        let mut roots = vec![top];
        roots.extend(freed.needed.iter().chain(&freed.wanted));
        let plan = Plan::new(self.world, &without, &roots, None)?;
        let new_node = std::mem::replace(self.world.node_mut(id), old_node);
        let runs_on = plan.top(top) == Some(top);
        let units = Split::new(plan.units, &old_state, runs_on.then_some(top));
        self.load(&units.before, None);
        self.load(&units.own, None);
        self.load(&units.after, None);
        self.start_units(&units.before);
        match &units.own {
            Some(own) => self.stop_all(&own.stops),
            None => self.stop_all(&[top]),
        }
        self.script.actions.push(Action::Script);
        *self.world.node_mut(id) = new_node;
        self.state.update(self.world);
        self.start_units(&units.after);
        Ok(self.answer(Outcome::Upgraded))
    }

    /// The registered applications that are to run, in order of name.
    fn wanted(&self) -> Vec<Id> {
        let ids = |names: &[Atom]| names.iter().filter_map(|n| self.world.id(n)).collect();
        let mut wanted: Vec<Id> = ids(&self.facts.registered);
        let mut stopped: Vec<Id> = ids(&self.facts.stopped);
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

    /// What ran inside of `top` and does no more, as far as it is to run or something needs it.
    fn freed(&self, before: &State, after: &State, top: Id) -> Freed {
        let was_inside = |id: &Id| *id != top && before.top(*id) == Some(top);
        let is_freed = |id: &Id| was_inside(id) && !after.is_active(*id);
        let wanted = self.wanted().into_iter().filter(is_freed).collect();
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

    /// What is to start after `id` has stopped, unless something needs `id` itself.
    fn after_stop(&mut self, before: &State, id: Id) -> Result<Plan, Error> {
        let needs = |other: &Id| {
            let node = self.world.node(*other);
            node.applications.contains(&id) && !node.is_optional(id)
        };
        let needing = self.world.ids().filter(needs);
        let needing: Vec<Id> = needing.filter_map(|id| self.state.top(id)).collect();
        if !needing.is_empty() {
            return Err(self.needed_by(needing));
        }
        let freed = self.freed(before, &self.state, id);
        let mut roots = freed.needed.clone();
        roots.extend(&freed.wanted);
        if let Ok(plan) = Plan::new(self.world, &self.state, &roots, Some(id)) {
            return Ok(plan);
        }
        let mut roots = freed.needed;
        let Ok(mut plan) = Plan::new(self.world, &self.state, &roots, Some(id)) else {
            return Err(self.needed_by(freed.needing));
        };
        // A package must come off even where what it included cannot run without it.
        for wanted in freed.wanted {
            roots.push(wanted);
            match Plan::new(self.world, &self.state, &roots, Some(id)) {
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

    fn needed_by(&self, mut needing: Vec<Id>) -> Error {
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

    /// Loads what is not loaded yet, but for `except`.
    fn load<'u>(&mut self, units: impl IntoIterator<Item = &'u Unit>, except: Option<Id>) {
        let members = units.into_iter().flat_map(|unit| &unit.members);
        for &id in members.filter(|id| Some(**id) != except) {
            if self.world.node(id).source == Source::Disk
                && let Some((application, ebin)) = self.world.load(id)
            {
                self.script.actions.push(Action::Load { application, ebin });
            }
        }
    }

    /// Starts `units`, after every loaded specification says what it has to while they run.
    fn start_units<'u>(&mut self, units: impl IntoIterator<Item = &'u Unit> + Clone) {
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

    fn stop_all(&mut self, ids: &[Id]) {
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
            if applications != self.world.node(id).current {
                let name = self.world.name(id).clone();
                let names = self.world.names(&applications);
                self.script.actions.push(Action::Respecify(name, names));
                self.world.node_mut(id).current = applications;
            }
        }
    }

    fn answer(self, outcome: Outcome) -> Transition {
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

/// What is no longer inside another application.
struct Freed {
    /// Those that are to run.
    wanted: Vec<Id>,
    /// Those that a running application depends on.
    needed: Vec<Id>,
    /// The running applications that depend on them.
    needing: Vec<Id>,
}

fn started(plan: &Plan, id: Id) -> Outcome {
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

/// The units around the script of an upgrade.
#[derive(Default)]
struct Split {
    /// Those that start before it.
    before: Vec<Unit>,
    /// The one that is upgraded, and runs on.
    own: Option<Unit>,
    /// Those that start after it.
    after: Vec<Unit>,
}

impl Split {
    /// Splits `units`. `top` is the application that runs on; where there is none, everything
    /// starts after the script.
    fn new(units: Vec<Unit>, old: &State, top: Option<Id>) -> Self {
        let was_inside = |id: &Id| top.is_some() && old.top(*id) == top;
        let mut split = Self::default();
        let mut late = HashSet::new();
        for unit in units {
            if Some(unit.top) == top {
                split.own = Some(unit);
            } else if top.is_none()
                || unit.members.iter().any(was_inside)
                || unit
                    .dependencies
                    .iter()
                    .any(|id| !was_inside(id) && late.contains(id))
            {
                late.extend(unit.members.iter().copied());
                split.after.push(unit);
            } else {
                split.before.push(unit);
            }
        }
        split
    }
}
