//! The transition for an upgrade or a downgrade.

use super::plan::{Plan, Unit, dependents_first};
use super::state::State;
use super::transition::{Node, started};
use super::world::{Id, World};
use super::{Action, Change, Error, Outcome, Transition};
use crate::application::Application;
use crate::term::Atom;
use std::collections::HashSet;

impl Node<'_> {
    /// Upgrades or downgrades the application to the version that `application` specifies.
    pub(super) fn upgrade(self, application: &Application) -> Result<Transition, Error> {
        let Some(id) = self.world.id(&application.name) else {
            return Ok(self.answer(Outcome::NotRunning));
        };
        match self.state.top(id) {
            None => self.upgrade_stopped(id, application),
            Some(_) => {
                let set = Set {
                    upgraded: vec![(id, application)],
                    started: Vec::new(),
                    stopped: Vec::new(),
                    inside: Vec::new(),
                };
                self.change_running(&set, Outcome::Upgraded)
            }
        }
    }

    /// Loads the new version, then starts it.
    fn upgrade_stopped(mut self, id: Id, new: &Application) -> Result<Transition, Error> {
        let old = self.world.node(id).clone();
        self.world.specify(new);
        let plan = Plan::new(self.world, &self.state, &[id], &[])?;
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

    /// Several applications at once: other versions, some more, some less.
    pub(super) fn change(self, change: &Change) -> Result<Transition, Error> {
        let ids = |names: &[Atom]| {
            names
                .iter()
                .filter_map(|name| self.world.id(name))
                .collect()
        };
        let stops: Vec<Id> = ids(&change.stop);
        let (stopped, mut inside): (Vec<Id>, Vec<Id>) =
            stops.iter().partition(|id| self.state.runs(**id));
        inside.retain(|id| self.state.is_active(*id));
        let set = Set {
            upgraded: change
                .upgrade
                .iter()
                .filter_map(|new| Some((self.world.id(&new.name)?, new)))
                .filter(|(id, _)| self.state.is_active(*id))
                .collect(),
            started: ids(&change.start),
            stopped: dependents_first(self.world, stopped),
            inside,
        };
        self.change_running(&set, Outcome::Changed)
    }

    /// Refuses one that depends on itself, also where it is not to run any more and no plan meets it.
    fn independent(&self, upgraded: &[(Id, &Application)]) -> Result<(), Error> {
        let needs_itself = |id: &Id| self.world.node(*id).applications.contains(id);
        match upgraded.iter().find(|(id, _)| needs_itself(id)) {
            Some((_, new)) => Err(Error::CircularDependency {
                cycle: vec![new.name.clone()],
            }),
            None => Ok(()),
        }
    }

    /// Refuses to stop what still runs inside of others in `state`, or is needed there.
    fn released(&self, inside: &[Id], state: &State) -> Result<(), Error> {
        let holding: Vec<Id> = inside.iter().filter_map(|id| state.top(*id)).collect();
        match holding.is_empty() {
            true => self.unneeded(inside, state),
            false => Err(self.needed_by(holding)),
        }
    }

    /// The change as a start: where the units that change did not run and had to, these would be the units to start
    /// before it. What an old version included is still inside it then and can only be started after the script, and
    /// so can what includes or needs one of those, and what nobody needs but needs what changes. What is stopped is
    /// stopped after the script: until then everything can be taken back.
    fn change_running(mut self, set: &Set, outcome: Outcome) -> Result<Transition, Error> {
        let old_state = self.state.clone();
        let old_nodes: Vec<_> = set
            .upgraded
            .iter()
            .map(|(id, _)| self.world.node(*id).clone())
            .collect();
        set.upgraded
            .iter()
            .for_each(|(_, new)| self.world.specify(new));
        self.independent(&set.upgraded)?;
        let mut renewed = self.state.clone();
        set.stopped.iter().for_each(|id| renewed.join(*id));
        renewed.change(self.world, &set.stopped, &[]);
        self.unneeded(&set.stopped, &renewed)?;
        self.released(&set.inside, &renewed)?;
        let tops = set.tops(&old_state, &renewed);
        let mut without = renewed.clone();
        without.change(self.world, &tops, &[]);
        let mut roots = tops.clone();
        let asked: Vec<Id> = set.upgraded.iter().map(|(id, _)| *id).collect();
        for top in tops.iter().chain(&set.stopped) {
            let freed = self.freed(&old_state, &renewed, *top, &asked);
            let freed = freed.needed.iter().chain(&freed.wanted);
            roots.extend(freed.filter(|id| !set.inside.contains(id)));
        }
        roots.extend(set.started.iter().filter(|id| !renewed.is_active(**id)));
        // One that had been started by hand inside another goes back inside.
        let away: Vec<Id> = set
            .stopped
            .iter()
            .copied()
            .filter(|id| !renewed.is_active(*id))
            .collect();
        let plan = Plan::new(self.world, &without, &roots, &away)?;
        let new_nodes: Vec<_> = std::iter::zip(&set.upgraded, old_nodes)
            .map(|((id, _), old)| (*id, std::mem::replace(self.world.node_mut(*id), old)))
            .collect();
        let (own, gone): (Vec<Id>, Vec<Id>) =
            tops.iter().partition(|top| plan.top(**top) == Some(**top));
        let leaves = Leaves {
            own: &own,
            gone: &gone,
            stopped: &set.stopped,
            old: &old_state,
        };
        let units = Split::new(plan.units, self.world, &leaves);
        self.load(
            units.before.iter().chain(&units.own).chain(&units.after),
            None,
        );
        self.start_units(&units.before);
        units.own.iter().for_each(|own| self.stop_all(&own.stops));
        self.stop_all(&gone);
        self.script.actions.push(Action::Script);
        for (id, node) in new_nodes {
            *self.world.node_mut(id) = node;
        }
        set.stopped.iter().for_each(|id| self.state.join(*id));
        self.state.update(self.world);
        // What is to stop holds what runs inside of it; else it makes room last, when nothing can fail any more.
        let held = |id: &Id| {
            let top = self.state.top(*id);
            top.is_some_and(|top| set.stopped.contains(&top))
        };
        if units.after.iter().flat_map(|unit| &unit.members).any(held) {
            self.stop_all(&set.stopped);
            self.start_units(&units.after);
        } else {
            self.start_units(&units.after);
            self.stop_all(&set.stopped);
            self.start_units(&[]);
        }
        Ok(self.answer(outcome))
    }
}

/// Several applications that change at once.
struct Set<'a> {
    /// Those that run and go to another version, with its specification.
    upgraded: Vec<(Id, &'a Application)>,
    /// Those that are to run.
    started: Vec<Id>,
    /// Those that run themselves and are to stop; dependents first.
    stopped: Vec<Id>,
    /// Those that run inside of others and are to run no more: they stop when these include them no more.
    inside: Vec<Id>,
}

impl Set<'_> {
    /// The running applications that those which change are or run inside of, and that are not stopped: where the one
    /// is, the one around it, in the state that is `renewed`.
    fn tops(&self, old: &State, renewed: &State) -> Vec<Id> {
        let top = |id: Id| match old.top(id)? {
            top if self.stopped.contains(&top) => renewed.top(id),
            top => Some(top),
        };
        let mut tops: Vec<Id> = self
            .upgraded
            .iter()
            .filter_map(|(id, _)| top(*id))
            .collect();
        tops.sort_unstable();
        tops.dedup();
        tops
    }
}

/// What changes hands: the units that change.
struct Leaves<'a> {
    /// Those that run on.
    own: &'a [Id],
    /// Those that do not run by themselves any more.
    gone: &'a [Id],
    stopped: &'a [Id],
    /// The state before all of this.
    old: &'a State,
}

impl Leaves<'_> {
    /// Whether `id` ran inside of one that changes or stops.
    fn was_inside(&self, id: Id) -> bool {
        let is = |top: Id| self.own.contains(&top) || self.stopped.contains(&top);
        self.old.top(id).is_some_and(is)
    }

    /// Whether `id`, a member of a unit that changes, did not run at all: it starts with the script.
    fn is_new(&self, id: Id) -> bool {
        !self.old.is_active(id)
    }
}

/// The units around the script of a change.
#[derive(Default)]
struct Split {
    /// The units that start before the script.
    before: Vec<Unit>,
    /// Those that change, and run on.
    own: Vec<Unit>,
    /// Those that start after it.
    after: Vec<Unit>,
}

impl Split {
    /// Splits `units`, which are in start order. Where an application comes to run inside another, everything starts after
    /// the script. So does a unit between two that change: it needs an application that only comes to run inside one of
    /// them, and what comes to run inside the other needs it.
    fn new(units: Vec<Unit>, world: &World, leaves: &Leaves) -> Self {
        let is_own = |unit: &Unit| leaves.own.contains(&unit.top);
        let own: HashSet<Id> = units
            .iter()
            .filter(|unit| is_own(unit))
            .flat_map(|unit| unit.members.clone())
            .collect();
        let mut required: HashSet<Id> = HashSet::new();
        for unit in units.iter().rev() {
            if is_own(unit) || unit.members.iter().any(|id| required.contains(id)) {
                required.extend(needed(world, unit));
            }
        }
        let mut split = Self::default();
        let mut late = HashSet::new();
        for unit in units {
            let is_required = unit.members.iter().any(|id| required.contains(id));
            if is_own(&unit) {
                split.own.push(unit);
            } else if !leaves.gone.is_empty()
                || unit.members.iter().any(|id| leaves.was_inside(*id))
                || needed(world, &unit).any(|id| !leaves.was_inside(*id) && late.contains(id))
                || needed(world, &unit)
                    .any(|id| own.contains(id) && (!is_required || leaves.is_new(*id)))
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

/// The dependencies of the members of a unit.
fn needed<'w>(world: &'w World, unit: &'w Unit) -> impl Iterator<Item = &'w Id> {
    let members = unit.members.iter();
    members.flat_map(|id| &world.node(*id).applications)
}
