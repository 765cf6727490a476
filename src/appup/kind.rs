//! What a module is, as far as the instruction for it goes.

use super::facts::{Function, NewModule};
use super::reason::Reason;
use crate::term::{Atom, Term};

/// What kind of instruction a module needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A supervisor, and why it is taken for one.
    Supervisor(Reason),
    /// Its processes change state in the function that it exports.
    Update(Function),
    /// Its processes, if it has any, need no help.
    Plain,
}

/// The behaviours of supervisors.
const SUPERVISORS: [&str; 3] = [
    "supervisor",
    "Elixir.Supervisor",
    "Elixir.DynamicSupervisor",
];

/// In the order in which they are told of.
const CODE_CHANGES: [(&str, u32); 3] = [
    ("code_change", 3),
    ("code_change", 4),
    ("system_code_change", 4),
];

/// What no supervisor exports: a server that starts supervisors does.
const SERVER_CALLBACKS: [(&str, u32); 3] =
    [("handle_call", 3), ("handle_event", 2), ("handle_event", 4)];

/// The kind of a module of the later version. `listed` are modules and behaviours that count as
/// supervisors too.
pub fn kind(module: &Atom, new: &NewModule, listed: &[Atom]) -> Kind {
    if let Some(reason) = supervisor(module, new, listed) {
        return Kind::Supervisor(reason);
    }
    let exported = CODE_CHANGES
        .iter()
        .find(|(name, arity)| new.interface.exports(name, *arity));
    exported.map_or(Kind::Plain, |&(function, arity)| {
        Kind::Update(Function {
            name: Atom::of(function),
            arity,
        })
    })
}

fn supervisor(module: &Atom, new: &NewModule, listed: &[Atom]) -> Option<Reason> {
    if listed.contains(module) {
        return Some(Reason::Listed);
    }
    let is_supervisor = |name: &Atom| SUPERVISORS.contains(&name.as_str()) || listed.contains(name);
    if let Some(attributes) = &new.attributes {
        let behaviours = attributes
            .iter()
            .filter(|(name, _)| matches!(name.as_str(), "behaviour" | "behavior"));
        let names = behaviours.flat_map(|(_, value)| atoms(value));
        return names.filter(is_supervisor).map(Reason::Behaviour).next();
    }
    let exports = |(name, arity): &(&str, u32)| new.interface.exports(name, *arity);
    if !new.interface.exports("init", 1) || SERVER_CALLBACKS.iter().any(exports) {
        return None;
    }
    let started = new
        .start_links
        .iter()
        .find(|(module, _)| is_supervisor(module));
    started.map(|(module, arity)| {
        let function = Function {
            name: Atom::of("start_link"),
            arity: *arity,
        };
        Reason::Calls(module.clone(), function)
    })
}

fn atoms(list: &Term) -> Vec<Atom> {
    let elements = list.elements().unwrap_or_default();
    elements
        .iter()
        .filter_map(|element| element.as_atom().cloned())
        .collect()
}
