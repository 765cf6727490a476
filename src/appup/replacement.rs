//! A module that a script loads: its instruction and the reasons for it.

use std::collections::HashSet;

use super::facts::{ChangedModule, NewModule};
use super::generate::Step;
use super::instruction::{Direction, Instruction, Timeout};
use super::kind::Kind;
use super::order::Item;
use super::reason::Reason;
use super::steering::{Apply, Phase, Steering};
use super::warning::Warning;
use crate::term::{Atom, Term};

/// A module of the later version that the script loads.
pub struct Loaded<'a> {
    /// Its name.
    pub name: &'a Atom,
    /// Its facts.
    pub new: &'a NewModule,
    /// What its attributes request.
    pub steering: Steering,
}

/// A module that both versions have and that the script loads again.
pub struct Changed<'a> {
    /// The later version.
    pub loaded: Loaded<'a>,
    /// Its index in the facts.
    pub position: u32,
    /// The facts of both versions.
    pub changed: &'a ChangedModule,
    /// The kind of the later version.
    pub kind: Kind,
}

/// A changed module at its position in the scripts.
pub struct Replacement<'m, 'a> {
    /// The module.
    pub module: &'m Changed<'a>,
    /// The modules that are replaced together with it.
    pub depends: Vec<Atom>,
    /// Why it is replaced, and why at this position.
    pub reasons: Vec<Reason>,
}

/// The modules that a dependency may name.
pub struct Names<'m> {
    /// The modules that are replaced.
    pub replaced: HashSet<&'m Atom>,
    /// The modules of either version.
    pub all: HashSet<&'m Atom>,
}

impl Names<'_> {
    /// Adds the dependencies that the attributes of `module` name, as far as the script replaces
    /// them: OTP refuses a dependency on a module that is not loaded. An added module is loaded
    /// before all others anyway, and a downgrade deletes it.
    pub fn depends(
        &self,
        module: &Changed<'_>,
        depends: &mut Vec<Atom>,
        reasons: &mut Vec<Reason>,
        warnings: &mut Vec<Warning>,
    ) {
        let mut seen: HashSet<_> = depends.iter().cloned().collect();
        seen.insert(module.loaded.name.clone());
        for name in &module.loaded.steering.depends {
            if !seen.insert(name.clone()) {
                continue;
            }
            if self.replaced.contains(name) {
                depends.push(name.clone());
                continue;
            }
            reasons.push(Reason::DroppedDepends(name.clone()));
            if !self.all.contains(name) {
                let (module, depends) = (module.loaded.name.clone(), name.clone());
                warnings.push(Warning::DroppedDepends { module, depends });
            }
        }
    }
}

impl Changed<'_> {
    /// The item to be ordered.
    pub fn item(&self) -> Item<'_> {
        Item {
            position: self.position,
            name: self.loaded.name,
            changed: self.changed,
            priority: self.loaded.steering.priority,
            depends: &self.loaded.steering.depends,
        }
    }

    /// The name of the attribute, if it differs.
    pub fn differs(&self) -> Option<&Atom> {
        (!self.changed.change.is_empty()).then_some(self.loaded.name)
    }

    /// Why it is loaded again, and why with this instruction.
    pub fn reasons(&self) -> Vec<Reason> {
        let ChangedModule { change, old, new } = self.changed;
        let mut reasons = Vec::new();
        reasons.extend(change.old_missing.then_some(Reason::NoEarlierFile));
        reasons.extend(change.code.then_some(Reason::Code));
        reasons.extend(change.attributes.iter().cloned().map(Reason::Attribute));
        reasons.extend(change.is_empty().then_some(Reason::AllModules));
        if !change.old_missing {
            let added = new.interface.exports_beyond(old).take(TOLD);
            let removed = old.exports_beyond(&new.interface).take(TOLD);
            reasons.extend(added.cloned().map(Reason::ExportAdded));
            reasons.extend(removed.cloned().map(Reason::ExportRemoved));
        }
        match &self.kind {
            Kind::Supervisor(reason) => reasons.push(reason.clone()),
            Kind::Update(function) => reasons.push(Reason::Exports(function.clone())),
            Kind::Plain => {}
        }
        reasons.extend(
            self.loaded
                .steering
                .told
                .iter()
                .map(|attribute| Reason::Steered(attribute)),
        );
        reasons
    }
}

/// How many added or removed functions are reported for one module.
const TOLD: usize = 16;

impl Replacement<'_, '_> {
    /// Its instruction.
    pub fn step(&self) -> Step {
        Step {
            instruction: self.instruction(),
            reasons: self.reasons.clone(),
        }
    }

    fn instruction(&self) -> Instruction {
        let Loaded {
            name: module,
            steering,
            ..
        } = &self.module.loaded;
        let (module, depends) = ((*module).clone(), self.depends.clone());
        let purge = steering.purge.unwrap_or_default();
        let extra = || steering.extra.clone().unwrap_or(Term::List(Vec::new()));
        match self.module.kind {
            Kind::Plain => Instruction::LoadModule {
                module,
                purge,
                depends,
            },
            Kind::Supervisor(_) => Instruction::Update {
                module,
                supervisor: true,
                timeout: steering.timeout.clone().unwrap_or(Timeout::Default),
                extra: Term::List(Vec::new()),
                purge,
                depends,
            },
            Kind::Update(_) => Instruction::Update {
                module,
                supervisor: false,
                timeout: steering.timeout.clone().unwrap_or(Timeout::Infinity),
                extra: extra(),
                purge,
                depends,
            },
        }
    }
}

impl Loaded<'_> {
    /// The calls that it requests right after itself.
    pub fn immediate(&self, direction: Direction) -> Vec<Step> {
        let asked = self.steering.applies.iter();
        sorted(
            asked.filter(|apply| apply.direction == direction && apply.phase == Phase::Immediate),
        )
    }

    /// Warnings about it.
    pub fn warn(&self, warnings: &mut Vec<Warning>) {
        let exports = |name, arity| self.new.interface.exports(name, arity);
        let module = || self.name.clone();
        if self.new.loads_nif {
            warnings.push(Warning::LoadsNif { module: module() });
        }
        if self.new.on_load {
            warnings.push(Warning::OnLoad { module: module() });
        }
        if exports("__protocol__", 1) && exports("impl_for", 1) {
            warnings.push(Warning::Protocol { module: module() });
        }
        if exports("__impl__", 1) {
            warnings.push(Warning::ProtocolImplementation { module: module() });
        }
    }
}

/// The calls in the order of their numbers.
pub fn sorted<'s>(applies: impl Iterator<Item = &'s Apply>) -> Vec<Step> {
    let mut applies: Vec<_> = applies.collect();
    applies.sort_by_key(|apply| apply.number);
    let step = |apply: &Apply| Step {
        instruction: match apply.phase {
            Phase::Committed => Instruction::AfterCommit(apply.mfa.clone()),
            _ => Instruction::Apply(apply.mfa.clone()),
        },
        reasons: vec![Reason::Steered(apply.attribute)],
    };
    applies.into_iter().map(step).collect()
}
