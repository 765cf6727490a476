//! Special processes: what they keep is what they hand to `sys:handle_system_msg/6,7`, as it is or in a tuple with their
//! parent and other things (chapter "sys and proc_lib" of OTP's design principles).

use super::flow::{Outcome, outcomes};
use super::shape::{Shape, pattern_record, shape};
use super::{Forms, call, clause, node, variable, walk};
use crate::term::Term;
use std::collections::BTreeSet;

/// Where a state stands among other things: its place, the first one being 0, and the number of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a tuple.
    Tuple(usize, usize),
    /// In a list.
    List(usize, usize),
}

/// The shapes of the states: the records and maps that are handed out; the tuple itself where it holds none.
pub fn states(forms: &Forms) -> BTreeSet<Shape> {
    let mut found = BTreeSet::new();
    for handed in handed(forms) {
        let inside: BTreeSet<Shape> = parts(forms, handed)
            .into_iter()
            .flat_map(|(part, _)| shapes(forms, part))
            .collect();
        match inside.is_empty() {
            true => found.extend(shape(handed.0)),
            false => found.extend(inside),
        }
    }
    if found.is_empty() {
        found.extend(taken(forms));
    }
    found
}

/// The expressions that make the states.
pub fn made(forms: &Forms) -> Vec<&Term> {
    let parts = handed(forms)
        .into_iter()
        .flat_map(|handed| parts(forms, handed));
    parts.flat_map(|(part, _)| sources(forms, part)).collect()
}

/// The place of the state where it is handed out in a tuple; `None` where it is handed out as it is, or in several places.
pub fn place(forms: &Forms) -> Option<Place> {
    let handed = handed(forms).into_iter();
    let parts = handed.flat_map(|handed| parts(forms, handed));
    let places: BTreeSet<Option<Place>> = parts
        .filter(|(part, _)| !shapes(forms, *part).is_empty())
        .map(|(_, place)| place)
        .collect();
    let mut places = places.into_iter();
    places.next().flatten().filter(|_| places.next().is_none())
}

/// Whether `system_replace_state/2` gives its function all of the state, whatever shape that has. A module without that
/// function does.
pub fn hands_out_whole(forms: &Forms) -> bool {
    let clauses = forms.clauses("system_replace_state", 2);
    clauses.iter().all(gives_whole)
}

/// A clause that calls its function, matches variables alone, and neither looks into a record nor makes one.
fn gives_whole(whole: &Term) -> bool {
    let Some(([function, state], _)) = clause(whole) else {
        return false;
    };
    let (mut calls, mut records) = (false, false);
    walk(whole, &mut |term| {
        match node(term) {
            Some(("call", [called, _])) => {
                calls |= variable(called).is_some_and(|name| variable(function) == Some(name));
            }
            Some(("record" | "record_field", _)) => records = true,
            _ => {}
        }
        true
    });
    is_plain(state) && calls && !records
}

/// Whether a pattern is a variable, or a tuple of variables.
pub fn is_plain(pattern: &Term) -> bool {
    match node(pattern) {
        Some(("var", _)) => true,
        Some(("tuple", [Term::List(parts)])) => parts.iter().all(is_plain),
        _ => false,
    }
}

/// What is handed to `sys:handle_system_msg`.
fn handed(forms: &Forms) -> Vec<Outcome<'_>> {
    let mut found = Vec::new();
    for whole in forms.functions.values().flatten() {
        walk(whole, &mut |term| {
            if let Some((Some(module), function, arguments)) = call(term)
                && *module == *"sys"
                && *function == *"handle_system_msg"
                && let Some(handed) = arguments.get(5)
            {
                found.push((handed, whole));
            }
            true
        });
    }
    found
}

/// The elements of a tuple that is handed out with their places, else all of it.
fn parts<'f>(forms: &'f Forms, handed: Outcome<'f>) -> Vec<(Outcome<'f>, Option<Place>)> {
    let mut found = Vec::new();
    for (value, scope) in outcomes(forms, handed) {
        match node(value) {
            Some(("tuple", [Term::List(parts)])) => {
                let placed = parts.iter().enumerate();
                found.extend(
                    placed.map(|(at, part)| ((part, scope), Some(Place::Tuple(at, parts.len())))),
                );
            }
            _ => found.push(((value, scope), None)),
        }
    }
    found
}

/// Records and maps that an expression may be.
fn shapes(forms: &Forms, part: Outcome<'_>) -> BTreeSet<Shape> {
    let mut found: BTreeSet<Shape> = sources(forms, part)
        .into_iter()
        .filter_map(shape)
        .filter(|shape| !matches!(shape, Shape::Tuple(_)))
        .collect();
    let (expression, scope) = part;
    if found.is_empty() && variable(expression).is_some() {
        let head = argument(expression, scope);
        let pattern = head.and_then(|at| clause(scope)?.0.get(at));
        let record = pattern_record(pattern.unwrap_or(expression), scope);
        found.extend(record.map(|name| Shape::Record(name.clone())));
    }
    found
}

/// The expressions that a part comes from: what its clause says, and what callers give for an argument.
fn sources<'f>(forms: &'f Forms, part: Outcome<'f>) -> Vec<&'f Term> {
    let mut found = Vec::new();
    for (value, scope) in outcomes(forms, part) {
        match argument(value, scope) {
            Some(at) => found.extend(given(forms, scope, at)),
            None => found.push(value),
        }
    }
    found
}

/// The place of the argument that a variable is in the head of a clause.
fn argument(expression: &Term, scope: &Term) -> Option<usize> {
    let name = variable(expression)?;
    let is_it = |pattern: &Term| match node(pattern) {
        Some(("match", [one, other])) => {
            [one, other].iter().any(|side| variable(side) == Some(name))
        }
        _ => variable(pattern) == Some(name),
    };
    clause(scope)?.0.iter().position(is_it)
}

/// What the module itself gives the function of this clause for one of its arguments.
fn given<'f>(forms: &'f Forms, scope: &Term, at: usize) -> Vec<&'f Term> {
    let own = |clauses: &Vec<Term>| clauses.iter().any(|each| std::ptr::eq(each, scope));
    let mut functions = forms.functions.iter();
    let Some(((name, arity), _)) = functions.find(|(_, clauses)| own(clauses)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for whole in forms.functions.values().flatten() {
        walk(whole, &mut |term| {
            if let Some((None, function, arguments)) = call(term)
                && function == name
                && i64::try_from(arguments.len()).ok() == Some(*arity)
                && let Some(argument) = arguments.get(at)
            {
                found.push((argument, whole));
            }
            true
        });
    }
    let values = found.into_iter().flat_map(|given| outcomes(forms, given));
    let made = values.map(|(value, _)| value);
    made.filter(|value| variable(value).is_none()).collect()
}

/// The records that the callbacks of sys take.
fn taken(forms: &Forms) -> BTreeSet<Shape> {
    const CALLBACKS: [(&str, usize, usize); 3] = [
        ("system_continue", 3, 2),
        ("system_code_change", 4, 0),
        ("system_terminate", 4, 3),
    ];
    let mut found = BTreeSet::new();
    for (name, arity, at) in CALLBACKS {
        for whole in forms.clauses(name, arity) {
            let pattern = clause(whole).and_then(|(patterns, _)| patterns.get(at));
            let parts = match pattern.and_then(node) {
                Some(("tuple", [Term::List(parts)])) => parts.iter().collect(),
                _ => pattern.into_iter().collect::<Vec<_>>(),
            };
            let records = parts
                .into_iter()
                .filter_map(|part| pattern_record(part, whole));
            found.extend(records.map(|name| Shape::Record(name.clone())));
        }
    }
    found
}
