//! Generates the scripts from one version to the other and back.

use super::facts::{Facts, Function, ModuleFacts, ModuleState, NewModule};
use super::instruction::{Direction, Instruction, Mfa};
use super::kind::{Kind, kind};
use super::order::order;
use super::reason::Reason;
use super::replacement::{Changed, Loaded, Names, Replacement, sorted};
use super::steering::{BadAttribute, Phase, Steering};
use super::warning::Warning;
use crate::term::{Atom, Term};

/// An instruction and the reasons for it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The instruction.
    pub instruction: Instruction,
    /// The reasons.
    pub reasons: Vec<Reason>,
}

/// A generated appup.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The later version.
    pub later: String,
    /// The earlier version.
    pub earlier: String,
    /// The upgrade script.
    pub up: Vec<Step>,
    /// The downgrade script.
    pub down: Vec<Step>,
    /// Warnings for a person.
    pub warnings: Vec<Warning>,
}

impl Generated {
    /// The script of a direction.
    pub fn script(&self, direction: Direction) -> &[Step] {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }

    /// The content of an appup file: `{Later, [{Earlier, Up}], [{Earlier, Down}]}`.
    pub fn appup(&self) -> Term {
        let script = |steps: &[Step]| {
            let instructions = steps.iter().map(|step| step.instruction.term()).collect();
            Term::List(vec![Term::tuple([
                Term::string(&self.earlier),
                Term::List(instructions),
            ])])
        };
        Term::tuple([
            Term::string(&self.later),
            script(&self.up),
            script(&self.down),
        ])
    }

    /// `#{appup, reasons, warnings}`, the form in which the engine returns it.
    pub fn term(&self) -> Term {
        let warnings = self.warnings.iter().map(Warning::term).collect();
        Term::Map(vec![
            (Term::atom("appup"), self.appup()),
            (Term::atom("reasons"), self.reasons()),
            (Term::atom("warnings"), Term::List(warnings)),
        ])
    }

    /// `[{up | down, Instruction, [Reason]}]`.
    pub fn reasons(&self) -> Term {
        let directions = [Direction::Up, Direction::Down];
        let of_direction = |direction: Direction| {
            self.script(direction).iter().map(move |step| {
                let reasons = step.reasons.iter().map(Reason::term).collect();
                Term::tuple([
                    Term::atom(direction.name()),
                    step.instruction.term(),
                    Term::List(reasons),
                ])
            })
        };
        Term::List(directions.into_iter().flat_map(of_direction).collect())
    }
}

/// Generates both scripts from `facts`. `supervisors` lists modules and behaviours that count as
/// supervisors in addition to those of OTP and Elixir.
pub fn generate(facts: &Facts, supervisors: &[Atom]) -> Result<Generated, BadAttribute> {
    let modules = Modules::new(facts, supervisors)?;
    let mut warnings = Vec::new();
    let changed = modules.changed(&mut warnings);
    let up = modules.up(&changed);
    let down = modules.down(&changed);
    modules.warn(&mut warnings);
    let (later, earlier) = (facts.later.clone(), facts.earlier.clone());
    Ok(Generated {
        later,
        earlier,
        up,
        down,
        warnings,
    })
}

struct Modules<'a> {
    facts: &'a Facts,
    added: Vec<Loaded<'a>>,
    changed: Vec<Changed<'a>>,
    removed: Vec<&'a Atom>,
}

impl<'a> Modules<'a> {
    fn new(facts: &'a Facts, supervisors: &[Atom]) -> Result<Self, BadAttribute> {
        let mut modules = Self {
            facts,
            added: Vec::new(),
            changed: Vec::new(),
            removed: Vec::new(),
        };
        for (position, module) in (0..).zip(&facts.modules) {
            modules.add(position, module, supervisors)?;
        }
        modules
            .added
            .sort_by_key(|module| std::cmp::Reverse(module.steering.priority));
        Ok(modules)
    }

    fn add(
        &mut self,
        position: u32,
        module: &'a ModuleFacts,
        supervisors: &[Atom],
    ) -> Result<(), BadAttribute> {
        let name = &module.name;
        let loaded = |new: &'a NewModule| {
            let steering = Steering::of(name, new.attributes.as_deref().unwrap_or_default())?;
            Ok(Loaded {
                name,
                new,
                steering,
            })
        };
        match &module.state {
            ModuleState::Added(new) => self.added.push(loaded(new)?),
            ModuleState::Changed(changed) => {
                let kind = kind(name, &changed.new, supervisors);
                let loaded = loaded(&changed.new)?;
                self.changed.push(Changed {
                    loaded,
                    position,
                    changed,
                    kind,
                });
            }
            ModuleState::Removed => self.removed.push(name),
            ModuleState::Unchanged | ModuleState::Missing => {}
        }
        Ok(())
    }

    /// The changed modules in the order in which an upgrade loads them.
    fn changed(&self, warnings: &mut Vec<Warning>) -> Vec<Replacement<'_, 'a>> {
        let items: Vec<_> = self.changed.iter().map(Changed::item).collect();
        let order = order(&items);
        let name = |&number: &usize| items[number].name.clone();
        let names = Names {
            replaced: items.iter().map(|item| item.name).collect(),
            all: self
                .facts
                .modules
                .iter()
                .map(|module| &module.name)
                .collect(),
        };
        for cycle in &order.cycles {
            warnings.push(Warning::Cycle {
                modules: cycle.iter().map(name).collect(),
            });
        }
        let replacement = |number: usize| {
            let module = &self.changed[number];
            let mut depends: Vec<_> = order.together[number].iter().map(name).collect();
            let mut reasons = module.reasons();
            names.depends(module, &mut depends, &mut reasons, warnings);
            reasons.extend(order.reasons[number].iter().cloned());
            Replacement {
                module,
                depends,
                reasons,
            }
        };
        order.sequence.iter().copied().map(replacement).collect()
    }

    fn up(&self, changed: &[Replacement<'_, '_>]) -> Vec<Step> {
        let mut steps = self.applies(changed, Direction::Up, Phase::First);
        for module in &self.added {
            steps.push(Step {
                instruction: Instruction::AddModule(module.name.clone()),
                reasons: vec![Reason::Added],
            });
            steps.extend(module.immediate(Direction::Up));
        }
        for replacement in changed {
            steps.push(replacement.step());
            steps.extend(replacement.module.loaded.immediate(Direction::Up));
        }
        steps.extend(self.removed.iter().map(|module| Step {
            instruction: Instruction::DeleteModule((*module).clone()),
            reasons: vec![Reason::Removed],
        }));
        steps.extend(
            changed
                .iter()
                .filter_map(|replacement| self.notify(replacement, Direction::Up)),
        );
        steps.extend(self.version_change(Direction::Up));
        steps.extend(self.applies(changed, Direction::Up, Phase::Last));
        steps.extend(self.applies(changed, Direction::Up, Phase::Committed));
        steps
    }

    fn down(&self, changed: &[Replacement<'_, '_>]) -> Vec<Step> {
        let mut steps = self.applies(changed, Direction::Down, Phase::First);
        steps.extend(self.version_change(Direction::Down));
        let backwards = || changed.iter().rev();
        steps.extend(
            backwards().filter_map(|replacement| self.notify(replacement, Direction::Down)),
        );
        steps.extend(self.removed.iter().rev().map(|module| Step {
            instruction: Instruction::AddModule((*module).clone()),
            reasons: vec![Reason::Added],
        }));
        for replacement in backwards() {
            let Step {
                instruction,
                reasons,
            } = replacement.step();
            steps.push(Step {
                instruction,
                reasons: reasons.into_iter().map(Reason::of_down).collect(),
            });
            steps.extend(replacement.module.loaded.immediate(Direction::Down));
        }
        for module in self.added.iter().rev() {
            steps.push(Step {
                instruction: Instruction::DeleteModule(module.name.clone()),
                reasons: vec![Reason::Removed],
            });
            steps.extend(module.immediate(Direction::Down));
        }
        steps.extend(self.applies(changed, Direction::Down, Phase::Last));
        steps.extend(self.applies(changed, Direction::Down, Phase::Committed));
        steps
    }

    fn notify(&self, replacement: &Replacement<'_, '_>, direction: Direction) -> Option<Step> {
        let function = match direction {
            Direction::Up => "sup_upgrade_notify",
            Direction::Down => "sup_downgrade_notify",
        };
        let Loaded {
            name: module, new, ..
        } = &replacement.module.loaded;
        let is_supervisor = matches!(replacement.module.kind, Kind::Supervisor(_));
        if !is_supervisor || !new.interface.exports(function, 2) {
            return None;
        }
        let args = vec![
            Term::string(&self.facts.earlier),
            Term::string(&self.facts.later),
        ];
        Some(apply((*module).clone(), function, args))
    }

    fn version_change(&self, direction: Direction) -> Option<Step> {
        let start = self
            .facts
            .start
            .as_ref()
            .filter(|start| start.version_change)?;
        let earlier = Term::string(&self.facts.earlier);
        let from = match direction {
            Direction::Up => earlier,
            Direction::Down => Term::tuple([Term::atom("down"), earlier]),
        };
        Some(apply(
            start.module.clone(),
            "version_change",
            vec![from, start.args.clone()],
        ))
    }

    fn applies(
        &self,
        changed: &[Replacement<'_, '_>],
        direction: Direction,
        phase: Phase,
    ) -> Vec<Step> {
        let changed = changed.iter().map(|replacement| &replacement.module.loaded);
        let all = self.added.iter().chain(changed);
        let asked = all.flat_map(|module| &module.steering.applies);
        sorted(asked.filter(|apply| apply.direction == direction && apply.phase == phase))
    }

    fn warn(&self, warnings: &mut Vec<Warning>) {
        let changed = self.changed.iter().map(|module| &module.loaded);
        for module in self.added.iter().chain(changed) {
            module.warn(warnings);
        }
        let Facts { earlier, later, .. } = self.facts;
        let touched = self.added.iter().map(|module| module.name);
        let touched = touched.chain(self.changed.iter().filter_map(Changed::differs));
        let modules: Vec<_> = touched
            .chain(self.removed.iter().copied())
            .cloned()
            .collect();
        if earlier == later && !modules.is_empty() {
            warnings.push(Warning::SameVersion {
                vsn: later.clone(),
                modules,
            });
        }
    }
}

fn apply(module: Atom, function: &'static str, args: Vec<Term>) -> Step {
    let exported = Function {
        name: Atom::of(function),
        arity: 2,
    };
    Step {
        instruction: Instruction::Apply(Mfa {
            module,
            function: Atom::of(function),
            args,
        }),
        reasons: vec![Reason::Exports(exported)],
    }
}
