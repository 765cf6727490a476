//! Tables and persistent terms that a module makes by name. What `init/1` and `start/2` make, a hot upgrade does not:
//! neither is called for what runs.

use super::effects::has_named_table;
use super::{Forms, call, literal_atom, node, walk};
use crate::term::{Atom, Term};
use std::collections::{BTreeMap, BTreeSet};

/// What a module makes by name, in words such as `the table users`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// When a process or the application starts, each with the function that does.
    pub at_start: BTreeMap<String, &'static str>,
    /// When a state is changed or the module is loaded.
    pub in_upgrade: BTreeSet<String>,
    /// By any function.
    pub anywhere: BTreeSet<String>,
}

/// What a module makes.
pub fn storage(forms: &Forms) -> Storage {
    let mut at_start = BTreeMap::new();
    for (root, name, arity) in [("init/1", "init", 1), ("start/2", "start", 2)] {
        for made in reached(forms, &[(name, arity)]) {
            at_start.entry(made).or_insert(root);
        }
    }
    let changes = [
        ("code_change", 3),
        ("code_change", 4),
        ("system_code_change", 4),
    ];
    let functions = forms.functions.values().flatten();
    Storage {
        at_start,
        in_upgrade: reached(forms, &changes),
        anywhere: functions
            .flat_map(|whole| calls(whole).filter_map(made))
            .collect(),
    }
}

type Call<'t> = (Option<&'t Atom>, &'t Atom, &'t [Term]);

/// What these functions make, directly or through functions of the module.
fn reached(forms: &Forms, roots: &[(&str, usize)]) -> BTreeSet<String> {
    let mut open: Vec<(String, usize)> = roots
        .iter()
        .map(|(name, n)| ((*name).to_owned(), *n))
        .collect();
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    while let Some((name, arity)) = open.pop() {
        if !seen.insert((name.clone(), arity)) {
            continue;
        }
        for call in forms.clauses(&name, arity).iter().flat_map(calls) {
            if let (None, name, arguments) = call {
                open.push((name.to_string(), arguments.len()));
            }
            found.extend(made(call));
        }
    }
    found
}

fn calls(clause: &Term) -> impl Iterator<Item = Call<'_>> {
    let mut found = Vec::new();
    walk(clause, &mut |term| {
        found.extend(call(term));
        true
    });
    found.into_iter()
}

/// What a call makes, where its name is written there.
fn made((module, name, arguments): Call<'_>) -> Option<String> {
    let what = match (module?.as_str(), name.as_str()) {
        ("ets", "new") if arguments.get(1).is_some_and(has_named_table) => "the table",
        ("persistent_term", "put") => "the persistent term",
        ("mnesia", "create_table") => "the table of mnesia",
        ("dets", "open_file") => "the file of dets",
        _ => return None,
    };
    Some(format!("{what} {}", written(arguments.first()?)?))
}

/// An atom, or a tuple of such.
fn written(term: &Term) -> Option<String> {
    if let Some(atom) = literal_atom(term) {
        return Some(atom.to_string());
    }
    let ("tuple", [Term::List(parts)]) = node(term)? else {
        return None;
    };
    let parts: Option<Vec<String>> = parts.iter().map(written).collect();
    Some(format!("{{{}}}", parts?.join(", ")))
}
