//! Funs that may outlive the call in which they are created, because they are put into something.

use super::{Forms, call, node, variable, walk};
use crate::term::{Atom, Term};
use std::collections::BTreeSet;

/// The functions, as `name/arity`, that create a fun which may be put into a state, a table or a
/// message.
pub fn escapes(forms: &Forms) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for ((name, arity), clauses) in &forms.functions {
        let escapes = |clause: &Term| {
            let mut any = false;
            let names = fun_names(clause);
            walk(clause, &mut |term| {
                any |= keeps(term, &names);
                !any
            });
            any
        };
        if clauses.iter().any(escapes) {
            found.insert(format!("{name}/{arity}"));
        }
    }
    found
}

/// The variables that are bound to funs in a clause.
fn fun_names(clause: &Term) -> BTreeSet<&Atom> {
    let mut names = BTreeSet::new();
    walk(clause, &mut |term| {
        if let Some(("match", [pattern, value])) = node(term)
            && is_fun(value)
        {
            names.extend(variable(pattern));
        }
        true
    });
    names
}

fn is_fun(term: &Term) -> bool {
    match node(term) {
        // An external fun of an exported function survives the replacement of its code.
        Some(("fun", [what])) => {
            let parts = what.as_tuple().unwrap_or_default();
            !matches!(parts, [tag, _, _, _] if tag.is_atom("function"))
        }
        Some(("named_fun", _)) => true,
        _ => false,
    }
}

/// Whether a node puts a fun into something that may be kept: a data structure, a table, a message.
fn keeps(term: &Term, names: &BTreeSet<&Atom>) -> bool {
    let fun = |part: &Term| is_fun(part) || variable(part).is_some_and(|name| names.contains(name));
    match node(term) {
        Some(("tuple", [Term::List(parts)])) => parts.iter().any(fun),
        Some(("map_field_assoc" | "map_field_exact", [_, value])) => fun(value),
        Some(("record_field", [_, value])) => fun(value),
        Some(("op", [operator, _, right])) if operator.is_atom("!") => fun(right),
        Some(("call", _)) => match call(term) {
            Some((Some(module), name, arguments)) => {
                stores(module.as_str(), name.as_str()) && arguments.iter().any(fun)
            }
            _ => false,
        },
        _ => false,
    }
}

fn stores(module: &str, name: &str) -> bool {
    match module {
        "persistent_term" | "application" => matches!(name, "put" | "set_env"),
        "maps" => matches!(name, "put" | "update"),
        "gen_server" | "gen_statem" => matches!(name, "cast" | "call"),
        "dict" | "orddict" | "gb_trees" => matches!(name, "store" | "insert" | "enter"),
        "erlang" => matches!(name, "put" | "send"),
        _ => false,
    }
}
