//! The reasons for the instructions of a script.

use std::fmt;

use super::facts::Function;
use crate::term::{Atom, Term};

/// Why an instruction is in the script, or at its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The module is only in the version after.
    Added,
    /// The module is only in the version before.
    Removed,
    /// The code of the module differs.
    Code,
    /// This attribute differs.
    Attribute(Atom),
    /// There is no earlier file to compare with.
    NoEarlierFile,
    /// The module does not differ, but reloading every module was requested.
    AllModules,
    /// It exports a function that the version before does not.
    ExportAdded(Function),
    /// It no longer exports a function.
    ExportRemoved(Function),
    /// It has this behaviour, which makes it a supervisor.
    Behaviour(Atom),
    /// It is listed as a supervisor.
    Listed,
    /// Its attributes are stripped, but it calls this function and exports `init/1`: it counts as a
    /// supervisor.
    Calls(Atom, Function),
    /// It exports this function.
    Exports(Function),
    /// This attribute requests it.
    Steered(&'static str),
    /// It comes before another module, which calls a function that it adds.
    AddsFor(Atom, Function),
    /// It comes after another module, which calls a function that it removes.
    RemovesFrom(Atom, Function),
    /// It comes before another module, which names it.
    NamedBy(Atom),
    /// It comes before another module, which names it in `knit_depends`.
    DependedOnBy(Atom),
    /// It comes after another module, which names it.
    NamedByBefore(Atom),
    /// It comes after another module, which names it in `knit_depends`.
    DependedOnByBefore(Atom),
    /// It and these modules need each other.
    Cycle(Vec<Atom>),
    /// Its `knit_depends` names a module that is not replaced; the name is left out.
    DroppedDepends(Atom),
}

fn function(function: &Function) -> Term {
    Term::tuple([
        Term::Atom(function.name.clone()),
        Term::Integer(function.arity.into()),
    ])
}

fn atoms(atoms: &[Atom]) -> Term {
    Term::List(atoms.iter().cloned().map(Term::Atom).collect())
}

impl Reason {
    /// The reason for the same module in a downgrade, where before and after are exchanged.
    pub fn of_down(self) -> Self {
        match self {
            Self::Added => Self::Removed,
            Self::Removed => Self::Added,
            Self::ExportAdded(function) => Self::ExportRemoved(function),
            Self::ExportRemoved(function) => Self::ExportAdded(function),
            Self::AddsFor(module, function) => Self::RemovesFrom(module, function),
            Self::RemovesFrom(module, function) => Self::AddsFor(module, function),
            Self::NamedBy(module) => Self::NamedByBefore(module),
            Self::DependedOnBy(module) => Self::DependedOnByBefore(module),
            other => other,
        }
    }

    /// The reason as a term: an atom, or a tuple with the name of the reason first.
    pub fn term(&self) -> Term {
        let with_atom =
            |tag, value: &Atom| Term::tuple([Term::atom(tag), Term::Atom(value.clone())]);
        let mfa = |tag, module: &Atom, f: &Function| {
            let name = Term::Atom(f.name.clone());
            let arity = Term::Integer(f.arity.into());
            Term::tuple([
                Term::atom(tag),
                Term::tuple([Term::Atom(module.clone()), name, arity]),
            ])
        };
        let for_module = |tag, module: &Atom, f: &Function| {
            Term::tuple([Term::atom(tag), Term::Atom(module.clone()), function(f)])
        };
        match self {
            Self::Added => Term::atom("added"),
            Self::Removed => Term::atom("removed"),
            Self::Code => Term::tuple([Term::atom("changed"), Term::atom("code")]),
            Self::Attribute(name) => Term::tuple([
                Term::atom("changed"),
                Term::tuple([Term::atom("attribute"), Term::Atom(name.clone())]),
            ]),
            Self::NoEarlierFile => Term::atom("no_earlier_file"),
            Self::AllModules => Term::atom("all_modules"),
            Self::ExportAdded(f) => Term::tuple([Term::atom("export_added"), function(f)]),
            Self::ExportRemoved(f) => Term::tuple([Term::atom("export_removed"), function(f)]),
            Self::Behaviour(name) => with_atom("behaviour", name),
            Self::Listed => Term::atom("listed_supervisor"),
            Self::Calls(module, f) => mfa("calls", module, f),
            Self::Exports(f) => Term::tuple([Term::atom("exports"), function(f)]),
            Self::Steered(attribute) => {
                Term::tuple([Term::atom("attribute"), Term::atom(attribute)])
            }
            Self::AddsFor(module, f) => for_module("adds_for", module, f),
            Self::RemovesFrom(module, f) => for_module("removes_from", module, f),
            Self::NamedBy(module) => with_atom("named_by", module),
            Self::DependedOnBy(module) => with_atom("depended_on_by", module),
            Self::NamedByBefore(module) => with_atom("named_by_before", module),
            Self::DependedOnByBefore(module) => with_atom("depended_on_by_before", module),
            Self::Cycle(modules) => Term::tuple([Term::atom("cycle"), atoms(modules)]),
            Self::DroppedDepends(module) => with_atom("dropped_depends", module),
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.arity)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added => f.write_str("added"),
            Self::Removed => f.write_str("removed"),
            Self::Code => f.write_str("changed: code"),
            Self::Attribute(name) => write!(f, "changed: attribute {name}"),
            Self::NoEarlierFile => f.write_str("no earlier file to compare with"),
            Self::AllModules => f.write_str("unchanged, all modules are asked for"),
            Self::ExportAdded(function) => write!(f, "exports +{function}"),
            Self::ExportRemoved(function) => write!(f, "exports -{function}"),
            Self::Behaviour(name) => write!(f, "behaviour {name}"),
            Self::Listed => f.write_str("listed as a supervisor"),
            Self::Calls(module, function) => write!(f, "calls {module}:{function}"),
            Self::Exports(function) => write!(f, "exports {function}"),
            Self::Steered(attribute) => write!(f, "attribute {attribute}"),
            Self::AddsFor(module, function) => {
                write!(f, "before {module}, which calls {function}, added here")
            }
            Self::RemovesFrom(module, function) => {
                write!(f, "after {module}, which called {function}, removed here")
            }
            Self::NamedBy(module) => write!(f, "before {module}, which names it"),
            Self::DependedOnBy(module) => write!(f, "before {module}, which depends on it"),
            Self::NamedByBefore(module) => write!(f, "after {module}, which names it"),
            Self::DependedOnByBefore(module) => {
                write!(f, "after {module}, which depends on it")
            }
            Self::Cycle(modules) => {
                f.write_str("needs and is needed by")?;
                modules.iter().enumerate().try_for_each(|(index, module)| {
                    write!(f, "{}{module}", if index == 0 { " " } else { ", " })
                })
            }
            Self::DroppedDepends(module) => {
                write!(f, "does not depend on {module}, which is not replaced")
            }
        }
    }
}
