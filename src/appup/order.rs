//! Determines the order in which changed modules are loaded, and which of them are loaded together.
//!
//! In an upgrade a function that is added is loaded before its caller, and one that is removed
//! stays until its caller is replaced. A module that is named only as an atom may be called through
//! it, so it comes first too unless another constraint contradicts. Higher priorities come before
//! lower ones; ties keep the order of the `.app` file.

use std::collections::{HashMap, HashSet};

use super::facts::{ChangedModule, Function, Interface};
use super::graph::Graph;
use super::reason::Reason;
use crate::term::Atom;

/// A module to be put in order.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Its index in the facts, by which calls refer to it.
    pub position: u32,
    /// Its name.
    pub name: &'a Atom,
    /// What is known of it.
    pub changed: &'a ChangedModule,
    /// Its priority: higher ones come first.
    pub priority: i64,
    /// The modules that its attributes ask to replace together with it.
    pub depends: &'a [Atom],
}

/// The order of modules.
#[derive(Clone, Debug)]
pub struct Order {
    /// The indices of the items, in the order in which an upgrade loads them.
    pub sequence: Vec<usize>,
    /// The constraints of each item.
    pub reasons: Vec<Vec<Reason>>,
    /// For each item, the items that must be replaced together with it.
    pub together: Vec<Vec<usize>>,
    /// The items that need each other.
    pub cycles: Vec<Vec<usize>>,
}

/// How many constraints are reported for one module.
const TOLD: usize = 8;

/// In a larger cycle each module names only the next one: that is enough for `systools` to keep
/// them together, and the script stays linear.
const NAME_ALL: usize = 32;

/// Puts the items in order.
pub fn order(items: &[Item<'_>]) -> Order {
    let mut plan = Plan::new(items);
    plan.calls();
    plan.depends();
    plan.names();
    plan.finish()
}

struct Plan<'a> {
    items: &'a [Item<'a>],
    by_position: HashMap<u32, usize>,
    // The constraints of the order.
    strict: Graph,
    // The same, and mutual dependencies: what must not be separated.
    joined: Graph,
    weak: Vec<(usize, usize)>,
    depends: Vec<(usize, usize)>,
    reasons: Vec<Vec<Reason>>,
}

impl<'a> Plan<'a> {
    fn new(items: &'a [Item<'a>]) -> Self {
        let by_position = items
            .iter()
            .enumerate()
            .map(|(number, item)| (item.position, number));
        Self {
            items,
            by_position: by_position.collect(),
            strict: Graph::new(items.len()),
            joined: Graph::new(items.len()),
            weak: Vec::new(),
            depends: Vec::new(),
            reasons: vec![Vec::new(); items.len()],
        }
    }

    fn tell(&mut self, item: usize, reason: Reason) {
        let reasons = &mut self.reasons[item];
        if reasons.len() < TOLD && !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }

    fn before(&mut self, before: usize, after: usize) {
        self.strict.add(before, after);
        self.joined.add(before, after);
    }

    fn calls(&mut self) {
        for caller in 0..self.items.len() {
            let changed = self.items[caller].changed;
            let new = changed.new.interface.calls.as_deref().unwrap_or_default();
            for call in new {
                self.call(caller, call.module, &call.function, Self::added);
            }
            // The calls of code that is only loaded are not known; those of the later version are
            // the best guess.
            for call in changed.old.calls.as_deref().unwrap_or(new) {
                self.call(caller, call.module, &call.function, Self::removed);
            }
        }
    }

    fn call(
        &mut self,
        caller: usize,
        callee: u32,
        function: &Function,
        constrain: fn(&mut Self, usize, usize, &Function),
    ) {
        if let Some(&callee) = self.by_position.get(&callee)
            && callee != caller
        {
            constrain(self, caller, callee, function);
        }
    }

    fn added(&mut self, caller: usize, callee: usize, function: &Function) {
        let ChangedModule { old, new, .. } = self.items[callee].changed;
        if has(&new.interface, function) && !has(old, function) {
            self.before(callee, caller);
            let name = self.items[caller].name.clone();
            self.tell(callee, Reason::AddsFor(name, function.clone()));
        }
    }

    fn removed(&mut self, caller: usize, callee: usize, function: &Function) {
        let ChangedModule { old, new, .. } = self.items[callee].changed;
        if has(old, function) && !has(&new.interface, function) {
            self.before(caller, callee);
            let name = self.items[caller].name.clone();
            self.tell(callee, Reason::RemovesFrom(name, function.clone()));
        }
    }

    fn depends(&mut self) {
        let by_name: HashMap<_, _> = self
            .items
            .iter()
            .enumerate()
            .map(|(number, item)| (item.name, number))
            .collect();
        for (number, item) in self.items.iter().enumerate() {
            for &depends in item.depends.iter().filter_map(|name| by_name.get(name)) {
                self.before(depends, number);
                self.joined.add(number, depends);
                self.depends.push((depends, number));
                self.tell(depends, Reason::DependedOnBy(item.name.clone()));
            }
        }
    }

    fn names(&mut self) {
        for (number, item) in self.items.iter().enumerate() {
            let interface = &item.changed.new.interface;
            let called: HashSet<_> = interface
                .calls
                .iter()
                .flat_map(|calls| calls.iter())
                .map(|call| call.module)
                .collect();
            for position in &interface.names {
                let Some(&named) = self.by_position.get(position) else {
                    continue;
                };
                if named != number && !called.contains(position) {
                    self.weak.push(self.named(named, number));
                }
            }
        }
    }

    // A module that only loses functions is safe after those that may still call them, not before.
    fn named(&self, named: usize, by: usize) -> (usize, usize) {
        let ChangedModule { old, new, .. } = self.items[named].changed;
        let gains = || new.interface.exports_beyond(old).next().is_some();
        let loses = old.exports_beyond(&new.interface).next().is_some();
        if loses && !gains() {
            (by, named)
        } else {
            (named, by)
        }
    }

    fn rank(&self) -> Vec<usize> {
        let mut sorted: Vec<_> = (0..self.items.len()).collect();
        sorted.sort_by_key(|&item| (std::cmp::Reverse(self.items[item].priority), item));
        inverse(&sorted)
    }

    fn finish(mut self) -> Order {
        let rank = self.rank();
        let group_of = self.joined.components();
        let groups = members(&group_of);
        let sequence = self.group_sequence(&group_of, &groups, &rank);
        let inner = inverse(&self.strict.order(&rank));
        let mut order = Order {
            sequence: Vec::with_capacity(self.items.len()),
            reasons: Vec::new(),
            together: vec![Vec::new(); self.items.len()],
            cycles: Vec::new(),
        };
        let by_depends = self.connected_by_depends();
        for group in sequence {
            let mut group = groups[group].clone();
            let joined = |&item: &usize| by_depends[item] == by_depends[group[0]];
            if group.iter().all(joined) {
                group.sort_by_key(|&item| inner[item]);
            } else {
                // No order satisfies all of them.
                group.sort_by_key(|&item| rank[item]);
                self.cycle(&group, &mut order);
            }
            order.sequence.extend(group);
        }
        order.reasons = self.reasons;
        order
    }

    fn cycle(&mut self, group: &[usize], order: &mut Order) {
        for (index, &item) in group.iter().enumerate() {
            let others: Vec<_> = if group.len() > NAME_ALL {
                vec![group[(index + 1) % group.len()]]
            } else {
                group
                    .iter()
                    .copied()
                    .filter(|&other| other != item)
                    .collect()
            };
            let names = others
                .iter()
                .map(|&other| self.items[other].name.clone())
                .collect();
            self.tell(item, Reason::Cycle(names));
            order.together[item] = others;
        }
        order.cycles.push(group.to_vec());
    }

    /// The groups in order. A weak constraint holds unless it contradicts a strict one, a priority,
    /// or another weak one.
    fn group_sequence(
        &mut self,
        group_of: &[usize],
        groups: &[Vec<usize>],
        rank: &[usize],
    ) -> Vec<usize> {
        let priority = |group: usize| {
            groups[group]
                .iter()
                .map(|&item| self.items[item].priority)
                .max()
        };
        let of_groups = |&(before, after): &(usize, usize)| (group_of[before], group_of[after]);
        let mut strict = Graph::new(groups.len());
        for (before, after) in self.strict.edges() {
            strict.add(group_of[before], group_of[after]);
        }
        let weak = self.weak.iter().copied().filter(|pair| {
            let (before, after) = of_groups(pair);
            before != after && priority(before) >= priority(after)
        });
        let weak: Vec<_> = weak.collect();
        let mut both = strict.clone();
        for (before, after) in weak.iter().map(of_groups) {
            both.add(before, after);
        }
        let cycles = both.components();
        for pair in weak {
            let (before, after) = of_groups(&pair);
            if cycles[before] != cycles[after] {
                strict.add(before, after);
                let name = self.items[pair.1].name.clone();
                self.tell(pair.0, Reason::NamedBy(name));
            }
        }
        let rank_of = |group: &Vec<usize>| group.iter().map(|&item| rank[item]).min();
        let ranks: Vec<_> = groups
            .iter()
            .map(|group| rank_of(group).unwrap_or(usize::MAX))
            .collect();
        strict.order(&ranks)
    }

    /// For each item a number that it shares with the items that dependencies alone join it with.
    fn connected_by_depends(&self) -> Vec<usize> {
        let mut graph = Graph::new(self.items.len());
        for &(a, b) in &self.depends {
            graph.add(a, b);
            graph.add(b, a);
        }
        graph.components()
    }
}

fn has(interface: &Interface, function: &Function) -> bool {
    interface.exports.binary_search(function).is_ok()
}

fn inverse(sequence: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; sequence.len()];
    for (place, &item) in sequence.iter().enumerate() {
        inverse[item] = place;
    }
    inverse
}

fn members(component: &[usize]) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); component.iter().max().map_or(0, |last| last + 1)];
    for (item, &number) in component.iter().enumerate() {
        members[number].push(item);
    }
    members
}
