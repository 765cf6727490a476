//! The transition for an upgrade or a downgrade.

use super::plan::{Plan, Unit};
use super::state::State;
use super::transition::{Node, started};
use super::world::{Id, World};
use super::{Action, Error, Outcome, Transition};
use crate::application::Application;
use std::collections::HashSet;

impl Node<'_> {
    /// Upgrades or downgrades the application to the version that `application` specifies.
    pub(super) fn upgrade(self, application: &Application) -> Result<Transition, Error> {
        let Some(id) = self.world.id(&application.name) else {
            return Ok(self.answer(Outcome::NotRunning));
        };
        match self.state.top(id) {
            None => self.upgrade_stopped(id, application),
            Some(top) => self.upgrade_running(id, top, application),
        }
    }

    /// Loads the new version, then starts it.
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

    /// Plans the upgrade as if the unit of the new version were started from scratch; the units
    /// that this would start first are started before the script. What the old version includes is
    /// part of it until the script has run, so such an application, and whatever includes or needs
    /// it, is started after the script.
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
        let units = Split::new(plan.units, self.world, &old_state, runs_on.then_some(top));
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
}

/// The units that start around the script of an upgrade.
#[derive(Default)]
struct Split {
    /// The units that start before the script.
    before: Vec<Unit>,
    /// The unit that is upgraded and keeps running.
    own: Option<Unit>,
    /// The units that start after the script.
    after: Vec<Unit>,
}

impl Split {
    /// Splits `units`. `top` is the application that keeps running; if there is none, everything
    /// starts after the script.
    fn new(units: Vec<Unit>, world: &World, old: &State, top: Option<Id>) -> Self {
        let was_inside = |id: &Id| top.is_some() && old.top(*id) == top;
        let mut split = Self::default();
        let mut late = HashSet::new();
        for unit in units {
            if Some(unit.top) == top {
                split.own = Some(unit);
            } else if top.is_none()
                || unit.members.iter().any(was_inside)
                || needed(world, &unit).any(|id| !was_inside(id) && late.contains(id))
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
