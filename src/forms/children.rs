//! The children that a supervisor's `init/1` specifies.

use super::flow::{Outcome, outcomes, returned};
use super::{Forms, call, literal_atom, node, without_places};
use crate::term::Term;
use std::collections::BTreeMap;

/// The children of a supervisor, by id as text.
pub type Children = BTreeMap<String, Term>;

/// The children, if `init/1` shows all of them.
pub fn children(forms: &Forms) -> Option<Children> {
    let mut found = None;
    for (answer, scope) in returned(forms, "init", 1) {
        let children = children_in(forms, (answer, scope))?;
        // There are several sets of children; which one is used is determined at run time.
        if found.replace(children).is_some() {
            return None;
        }
    }
    found
}

/// The children in `{ok, {Flags, Children}}`, or in `Supervisor.init(Children, Options)` of Elixir.
fn children_in(forms: &Forms, (answer, scope): Outcome<'_>) -> Option<Children> {
    if let Some((Some(module), name, [list, _options])) = call(answer)
        && (module.as_str(), name.as_str()) == ("Elixir.Supervisor", "init")
    {
        let mut children = Children::new();
        list_into(forms, (list, scope), &mut children)?;
        return Some(children);
    }
    let ("tuple", [Term::List(parts)]) = node(answer)? else {
        return None;
    };
    match parts.as_slice() {
        [tag, value] if *literal_atom(tag)? == *"ok" => specified(forms, (value, scope)),
        _ => None,
    }
}

/// The children in `{Flags, Children}`.
fn specified(forms: &Forms, value: Outcome<'_>) -> Option<Children> {
    let (pair, scope) = only(forms, value)?;
    let ("tuple", [Term::List(parts)]) = node(pair)? else {
        return None;
    };
    let [_flags, list] = parts.as_slice() else {
        return None;
    };
    let mut children = Children::new();
    list_into(forms, (list, scope), &mut children)?;
    Some(children)
}

fn only<'f>(forms: &'f Forms, expression: Outcome<'f>) -> Option<Outcome<'f>> {
    match outcomes(forms, expression).as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}

fn list_into(forms: &Forms, list: Outcome<'_>, children: &mut Children) -> Option<()> {
    let (mut list, mut scope) = only(forms, list)?;
    loop {
        match node(list)? {
            ("nil", []) => return Some(()),
            ("cons", [head, tail]) => {
                let child = only(forms, (head, scope))?;
                let (id, specification) = child_of(child.0)?;
                children.insert(id, specification);
                (list, scope) = only(forms, (tail, scope))?;
            }
            ("op", [operator, left, right]) if operator.is_atom("++") => {
                list_into(forms, (left, scope), children)?;
                return list_into(forms, (right, scope), children);
            }
            _ => return None,
        }
    }
}

/// The id of a child with its whole specification: a map, a tuple, or Elixir's form, which asks the
/// module for its specification and uses the module's name as the id unless another one is given.
fn child_of(child: &Term) -> Option<(String, Term)> {
    Some((text(id_of(child)?), without_places(child)))
}

fn id_of(child: &Term) -> Option<&Term> {
    match node(child)? {
        ("map", [Term::List(pairs)]) => pairs.iter().find_map(|pair| match node(pair)? {
            ("map_field_assoc", [key, value]) => (*literal_atom(key)? == *"id").then_some(value),
            _ => None,
        }),
        ("tuple", [Term::List(parts)]) => match parts.as_slice() {
            [id, _, _, _, _, _] => Some(id),
            [module, _argument] => literal_atom(module).map(|_| module),
            _ => None,
        },
        ("atom", [_]) => Some(child),
        ("call", _) => match call(child)? {
            (Some(module), name, [child, overrides])
                if (module.as_str(), name.as_str()) == ("Elixir.Supervisor", "child_spec") =>
            {
                value_of("id", overrides).or_else(|| id_of(child))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The value of a key in a list of pairs.
fn value_of<'t>(key: &str, list: &'t Term) -> Option<&'t Term> {
    let mut list = list;
    while let Some(("cons", [head, tail])) = node(list) {
        if let Some(("tuple", [Term::List(pair)])) = node(head)
            && let [name, value] = pair.as_slice()
            && literal_atom(name).is_some_and(|name| *name == *key)
        {
            return Some(value);
        }
        list = tail;
    }
    None
}

/// The id as a person would write it; if it is not a plain atom, its abstract form.
fn text(id: &Term) -> String {
    literal_atom(id).map_or_else(|| without_places(id).to_string(), ToString::to_string)
}
