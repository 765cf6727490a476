//! The children that a supervisor's `init/1` specifies.

use super::flow::{Outcome, outcomes, returned};
use super::{Forms, literal_atom, node, without_places};
use crate::term::Term;
use std::collections::BTreeMap;

/// The children of a supervisor: what each is, by its id as text.
pub type Children = BTreeMap<String, Term>;

/// The children, where `init/1` says them all.
pub fn children(forms: &Forms) -> Option<Children> {
    let mut found = None;
    for (answer, scope) in returned(forms, "init", 1) {
        let Some(("tuple", [Term::List(parts)])) = node(answer) else {
            return None;
        };
        let [tag, value] = parts.as_slice() else {
            return None;
        };
        if literal_atom(tag).is_none_or(|tag| *tag != *"ok") {
            return None;
        }
        let children = specified(forms, (value, scope))?;
        // More than one set of children: which it is, is known when it runs.
        if found.replace(children).is_some() {
            return None;
        }
    }
    found
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

/// The id of a child, a map or a tuple, and the whole of it.
fn child_of(child: &Term) -> Option<(String, Term)> {
    let id = match node(child)? {
        ("map", [Term::List(pairs)]) => pairs.iter().find_map(|pair| match node(pair)? {
            ("map_field_assoc", [key, value]) => (*literal_atom(key)? == *"id").then_some(value),
            _ => None,
        })?,
        ("tuple", [Term::List(parts)]) if parts.len() == 6 => parts.first()?,
        _ => return None,
    };
    Some((text(id), without_places(child)))
}

/// An id as a person would write it; of one that is not a plain atom, its abstract form.
fn text(id: &Term) -> String {
    literal_atom(id).map_or_else(|| without_places(id).to_string(), ToString::to_string)
}
