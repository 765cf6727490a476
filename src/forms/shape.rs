//! The shapes of the states that processes keep; those of special processes are in [`special`].

use super::flow::{Outcome, outcomes, returned};
use super::{Forms, arguments, clause, literal_atom, node, special, variable, walk};
use crate::term::{Atom, Term};
use std::collections::{BTreeMap, BTreeSet};

/// The names of a record's fields, in their order.
pub type Record = Vec<String>;

/// The shape of a state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// A record of this name.
    Record(Atom),
    /// A map with these keys.
    Map(BTreeSet<String>),
    /// A tuple with this many elements.
    Tuple(usize),
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record(name) => write!(f, "#{name}{{}}"),
            Self::Map(_) => f.write_str("a map"),
            Self::Tuple(size) => write!(f, "a tuple of {size}"),
        }
    }
}

/// The position of the state in the `{ok, …}` that `init/1` of a behaviour returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// `gen_server`, `gen_event` and similar behaviours: the second element.
    Server,
    /// `gen_statem`, `gen_fsm`: the third element, after the name of the state.
    Machine,
    /// A special process: nowhere in `init/1`, but in what it hands to `sys:handle_system_msg`.
    Special,
    /// A supervisor: what its `init/1` is given, again with each change.
    Supervisor,
}

impl Keeper {
    /// The function that converts the state.
    pub fn code_change(self) -> &'static str {
        match self {
            Self::Server | Self::Machine => "code_change",
            Self::Special => "system_code_change",
            Self::Supervisor => "init/1",
        }
    }
}

/// Where the state stands among other things, in what is converted.
pub fn place(forms: &Forms, keeper: Keeper) -> Option<special::Place> {
    match keeper {
        Keeper::Special => special::place(forms),
        Keeper::Supervisor => arguments::place(forms),
        Keeper::Server | Keeper::Machine => None,
    }
}

/// The fields of every record.
pub fn records(forms: &Forms) -> BTreeMap<Atom, Record> {
    let fields = |fields: &Vec<Term>| fields.iter().filter_map(field).collect();
    let record = |(name, terms): (&Atom, &Vec<Term>)| (name.clone(), fields(terms));
    forms.records.iter().map(record).collect()
}

/// The name of a field: `{record_field, L, Name}`, with a default, or typed.
fn field(term: &Term) -> Option<String> {
    match node(term) {
        Some(("record_field", [name, ..])) => literal_atom(name).map(ToString::to_string),
        // `{typed_record_field, Field, Type}` has no source location of its own.
        _ => match term.as_tagged("typed_record_field")? {
            [untyped, _type] => field(untyped),
            _ => None,
        },
    }
}

/// The records in the fields of another record, according to defaults and types.
pub fn parts(forms: &Forms, record: &Atom) -> BTreeSet<Atom> {
    let mut found = BTreeSet::new();
    let mut open = vec![record.clone()];
    while let Some(name) = open.pop() {
        for field in forms.records.get(&name).into_iter().flatten() {
            walk(field, &mut |term| {
                if let Some(part) = named_record(term)
                    && part != record
                    && found.insert(part.clone())
                {
                    open.push(part.clone());
                }
                true
            });
        }
    }
    found
}

fn named_record(term: &Term) -> Option<&Atom> {
    match node(term)? {
        ("record", [Term::Atom(name), Term::List(_)]) => Some(name),
        ("type", [kind, Term::List(arguments)]) if kind.is_atom("record") => {
            literal_atom(arguments.first()?)
        }
        _ => None,
    }
}

/// The shapes of the states of processes with this callback module.
pub fn states(forms: &Forms, keeper: Keeper) -> BTreeSet<Shape> {
    match keeper {
        Keeper::Special => return special::states(forms),
        Keeper::Supervisor => return arguments::states(forms),
        Keeper::Server | Keeper::Machine => {}
    }
    let mut found = BTreeSet::new();
    for (answer, scope) in returned(forms, "init", 1) {
        if let Some(state) = state_of(answer, keeper) {
            found.extend(shapes(forms, (state, scope)));
        }
    }
    if found.is_empty() {
        found.extend(received(forms, keeper));
    }
    found
}

/// The expressions with which `init/1` creates the state.
pub fn state_expressions(forms: &Forms, keeper: Keeper) -> Vec<&Term> {
    if keeper == Keeper::Special {
        return special::made(forms);
    }
    let mut found = Vec::new();
    for (answer, scope) in returned(forms, "init", 1) {
        if let Some(state) = state_of(answer, keeper) {
            let made = outcomes(forms, (state, scope));
            found.extend(made.into_iter().map(|(expression, _)| expression));
        }
    }
    found
}

/// The state in `{ok, State}`, `{ok, State, _}` or, for a state machine, `{ok, Name, State, …}`.
fn state_of(answer: &Term, keeper: Keeper) -> Option<&Term> {
    let ("tuple", [Term::List(parts)]) = node(answer)? else {
        return None;
    };
    let ok = literal_atom(parts.first()?).is_some_and(|atom| *atom == *"ok");
    let at = match keeper {
        Keeper::Machine => 2,
        _ => 1,
    };
    ok.then(|| parts.get(at)).flatten()
}

fn shapes(forms: &Forms, expression: Outcome<'_>) -> Vec<Shape> {
    let outcomes = outcomes(forms, expression);
    outcomes
        .iter()
        .filter_map(|(term, _)| shape(term))
        .collect()
}

/// The shape of what an expression makes.
pub fn shape(expression: &Term) -> Option<Shape> {
    match node(expression)? {
        ("record", [Term::Atom(name), Term::List(_)] | [_, Term::Atom(name), Term::List(_)]) => {
            Some(Shape::Record(name.clone()))
        }
        ("tuple", [Term::List(parts)]) => Some(Shape::Tuple(parts.len())),
        ("map", [Term::List(pairs)]) => {
            pairs.iter().map(key).collect::<Option<_>>().map(Shape::Map)
        }
        _ => None,
    }
}

fn key(pair: &Term) -> Option<String> {
    match node(pair)? {
        ("map_field_assoc" | "map_field_exact", [key, _]) => {
            literal_atom(key).map(ToString::to_string)
        }
        _ => None,
    }
}

/// The records that the callbacks expect as their state.
fn received(forms: &Forms, keeper: Keeper) -> BTreeSet<Shape> {
    const SERVER: [(&str, usize, usize); 4] = [
        ("handle_call", 3, 2),
        ("handle_cast", 2, 1),
        ("handle_info", 2, 1),
        ("handle_event", 2, 1),
    ];
    const MACHINE: [(&str, usize, usize); 1] = [("handle_event", 4, 3)];
    let callbacks = match keeper {
        Keeper::Machine => MACHINE.as_slice(),
        _ => SERVER.as_slice(),
    };
    let mut found = BTreeSet::new();
    for &(name, arity, at) in callbacks {
        for whole in forms.clauses(name, arity) {
            let pattern = clause(whole).and_then(|(patterns, _)| patterns.get(at));
            let record = pattern.and_then(|pattern| pattern_record(pattern, whole));
            found.extend(record.map(|name| Shape::Record(name.clone())));
        }
    }
    found
}

/// The record that a pattern matches, alone or bound to a variable, or that a variable is used as.
pub fn pattern_record<'f>(pattern: &Term, scope: &'f Term) -> Option<&'f Atom> {
    let mut found = None;
    let name = variable(pattern).or_else(|| match node(pattern) {
        Some(("match", [one, other])) => variable(one).or_else(|| variable(other)),
        _ => None,
    });
    let direct = record_name(pattern);
    walk(scope, &mut |term| {
        let used = match node(term) {
            Some(("record_field", [value, Term::Atom(record), _])) if variable(value).is_some() => {
                (variable(value) == name).then_some(record)
            }
            Some(("record", [value, Term::Atom(record), _])) if variable(value).is_some() => {
                (variable(value) == name).then_some(record)
            }
            Some(("record", [Term::Atom(record), _])) => (direct == Some(record)).then_some(record),
            _ => None,
        };
        if let Some(used) = used {
            found.get_or_insert(used);
        }
        found.is_none()
    });
    found
}

fn record_name(pattern: &Term) -> Option<&Atom> {
    match node(pattern)? {
        ("record", [Term::Atom(name), _]) => Some(name),
        ("match", [one, other]) => record_name(one).or_else(|| record_name(other)),
        _ => None,
    }
}
