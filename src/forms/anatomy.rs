//! What a plan needs from the debug information of a module.

use super::arguments;
use super::children::{Children, children};
use super::effects::{Effect, effects};
use super::escapes::escapes;
use super::shape::{self, Keeper, Record, Shape};
use super::special::is_plain;
use super::storage::{Storage, storage};
use super::{Debug, Forms, clause, node, walk, without_places};
use crate::appup::ModuleKind;
use crate::term::{Atom, Term};
use std::collections::{BTreeMap, BTreeSet};

/// What `code_change` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeChange {
    /// The module has none.
    Absent,
    /// It returns the state unchanged.
    Trivial,
    /// It does something: its clauses without source locations.
    Own(Term),
}

/// The content of a module's debug information.
#[derive(Debug)]
pub struct Anatomy {
    /// The records that the module defines.
    pub records: BTreeMap<Atom, Record>,
    /// The records that it uses.
    pub used: BTreeSet<Atom>,
    /// The behaviour, which determines where the state is.
    pub keeper: Keeper,
    /// The shapes of the states of its processes, if it has processes; of a supervisor, those of its argument.
    pub states: BTreeSet<Shape>,
    /// For each record that is a state, the records in its fields.
    pub parts: BTreeMap<Atom, BTreeSet<Atom>>,
    /// What `code_change` does; of a supervisor, whether its `init/1` may take any argument.
    pub code_change: CodeChange,
    /// The sizes of the states that `code_change` accepts, if each of its clauses accepts only a
    /// record or a tuple.
    pub takes: Option<BTreeSet<usize>>,
    /// The children, if it is a supervisor that specifies them in `init/1`.
    pub children: Option<Children>,
    /// The effects of `init/1` that others notice, if it is a supervisor.
    pub effects: BTreeSet<Effect>,
    /// The tables and persistent terms that it makes by name.
    pub storage: Storage,
    /// The functions that create funs which may be kept.
    pub escapes: BTreeSet<String>,
}

impl Anatomy {
    /// Reads the chunk `Dbgi` of a module of this kind.
    pub fn read(chunk: Option<&[u8]>, kind: &ModuleKind) -> Debug<Self> {
        match Forms::read(chunk) {
            Debug::Known(forms) => Debug::Known(Self::of(&forms, kind)),
            Debug::Absent => Debug::Absent,
            Debug::Foreign => Debug::Foreign,
            Debug::Unreadable => Debug::Unreadable,
        }
    }

    /// Analyses the forms of a module of this kind.
    pub fn of(forms: &Forms, kind: &ModuleKind) -> Self {
        let supervises = kind.supervises();
        let changes = |arity| !forms.clauses("code_change", arity).is_empty();
        // A behaviour that is based on one of these has the same callbacks.
        let keeper = match kind {
            ModuleKind::Special => Keeper::Special,
            ModuleKind::Supervisor(_) => Keeper::Supervisor,
            ModuleKind::StateMachine => Keeper::Machine,
            _ if changes(4) && !changes(3) => Keeper::Machine,
            _ => Keeper::Server,
        };
        let keeps = matches!(keeper, Keeper::Special | Keeper::Supervisor)
            || kind.keeps_state() && !forms.clauses("init", 1).is_empty();
        let states = if keeps {
            shape::states(forms, keeper)
        } else {
            BTreeSet::new()
        };
        let parts = states.iter().filter_map(|state| match state {
            Shape::Record(name) => Some((name.clone(), shape::parts(forms, name))),
            _ => None,
        });
        Self {
            records: shape::records(forms),
            used: used(forms),
            keeper,
            parts: parts.collect(),
            states,
            code_change: code_change(forms, keeper),
            takes: takes(forms, keeper),
            children: supervises.then(|| children(forms)).flatten(),
            effects: if supervises {
                effects(forms)
            } else {
                BTreeSet::new()
            },
            storage: storage(forms),
            escapes: escapes(forms),
        }
    }
}

fn used(forms: &Forms) -> BTreeSet<Atom> {
    let mut found = BTreeSet::new();
    for clause in forms.functions.values().flatten() {
        walk(clause, &mut |term| {
            let name = match node(term) {
                Some(("record", [Term::Atom(name), Term::List(_)])) => Some(name),
                Some(("record" | "record_field", [_, Term::Atom(name), _])) => Some(name),
                Some(("record_index", [Term::Atom(name), _])) => Some(name),
                _ => None,
            };
            found.extend(
                name.filter(|name| forms.records.contains_key(*name))
                    .cloned(),
            );
            true
        });
    }
    found
}

/// The clauses of `code_change`.
fn changes(forms: &Forms, keeper: Keeper) -> &[Term] {
    match keeper {
        Keeper::Server => forms.clauses("code_change", 3),
        Keeper::Machine => forms.clauses("code_change", 4),
        Keeper::Special => forms.clauses("system_code_change", 4),
        Keeper::Supervisor => forms.clauses("init", 1),
    }
}

fn takes(forms: &Forms, keeper: Keeper) -> Option<BTreeSet<usize>> {
    let at = match keeper {
        Keeper::Server => 1,
        Keeper::Machine => 2,
        // They are given more than the state.
        Keeper::Special | Keeper::Supervisor => return None,
    };
    let taken = |whole: &Term| size_of(forms, clause(whole)?.0.get(at)?);
    let clauses = changes(forms, keeper);
    let sizes: Option<BTreeSet<usize>> = clauses.iter().map(taken).collect();
    sizes.filter(|sizes| !sizes.is_empty())
}

/// The number of elements of the terms that match a pattern, if these must be records or tuples.
fn size_of(forms: &Forms, pattern: &Term) -> Option<usize> {
    match node(pattern)? {
        ("record", [Term::Atom(name), Term::List(_)]) => Some(forms.records.get(name)?.len() + 1),
        ("tuple", [Term::List(parts)]) => Some(parts.len()),
        ("match", [one, other]) => size_of(forms, one).or_else(|| size_of(forms, other)),
        _ => None,
    }
}

fn code_change(forms: &Forms, keeper: Keeper) -> CodeChange {
    let clauses = changes(forms, keeper);
    if clauses.is_empty() {
        return CodeChange::Absent;
    }
    let trivial = match keeper {
        Keeper::Supervisor => !arguments::takes_anything(forms),
        _ => clauses.iter().all(|whole| gives_back(whole, keeper)),
    };
    if trivial {
        return CodeChange::Trivial;
    }
    CodeChange::Own(Term::list(clauses.iter().map(without_places)))
}

/// Whether a clause of `code_change` returns the state that it was given: `{ok, State}`, or `{ok,
/// Name, State}` for a state machine.
fn gives_back(whole: &Term, keeper: Keeper) -> bool {
    let Some((patterns, [answer])) = clause(whole) else {
        return false;
    };
    let Some(("tuple", [Term::List(parts)])) = node(answer) else {
        return false;
    };
    // The places of what it is given, and of the same in the answer.
    let kept: &[(usize, usize)] = match keeper {
        Keeper::Server | Keeper::Supervisor => &[(1, 1)],
        Keeper::Machine => &[(1, 1), (2, 2)],
        Keeper::Special => &[(0, 1)],
    };
    let same = |&(given, answered): &(usize, usize)| {
        let (given, answered) = (patterns.get(given), parts.get(answered));
        given.zip(answered).is_some_and(|(given, answered)| {
            is_plain(given) && without_places(given) == without_places(answered)
        })
    };
    parts.len() == kept.len() + 1 && kept.iter().all(same)
}
