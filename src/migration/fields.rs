//! Definitions of records and maps in two versions, matched by the names of their fields.

use super::{Conversion, Field, Loss, Obstacle, Source, constant, declared};
use crate::forms::{Forms, Keeper, clause, literal_atom, node, state_expressions, without_places};
use crate::term::{Atom, Term};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// So many types and expressions are looked at: each may name others, and those the same again.
const MOST_NODES: usize = 1 << 20;

/// How much may still be looked at.
#[derive(Debug)]
pub struct Budget(Cell<usize>);

impl Budget {
    fn new() -> Self {
        Self(Cell::new(MOST_NODES))
    }

    /// Takes one look; `None` where none is left.
    pub fn spend(&self) -> Option<()> {
        let left = self.0.get().checked_sub(1)?;
        self.0.set(left);
        Some(())
    }
}

/// A field of a record's definition.
#[derive(Debug)]
pub struct Defined<'f> {
    /// Its name.
    pub name: Atom,
    /// The expression of its default, where there is one.
    pub default: Option<&'f Term>,
    /// Its declared type, where there is one.
    pub declared: Option<&'f Term>,
}

/// The fields of a record, in their order; `None` where there is no such record or one of its fields is not understood.
pub fn record_fields<'f>(forms: &'f Forms, name: &Atom) -> Option<Vec<Defined<'f>>> {
    forms.records.get(name)?.iter().map(defined).collect()
}

fn defined(term: &Term) -> Option<Defined<'_>> {
    if let Some([field, declared]) = term.as_tagged("typed_record_field") {
        let mut field = defined(field)?;
        field.declared = Some(declared);
        return Some(field);
    }
    let ("record_field", [name, rest @ ..]) = node(term)? else {
        return None;
    };
    Some(Defined {
        name: literal_atom(name)?.clone(),
        default: rest.first(),
        declared: None,
    })
}

/// What was found for all records of a state.
#[derive(Debug, Default)]
pub struct Found {
    pub records: BTreeMap<Atom, Vec<Field>>,
    pub sizes: BTreeMap<Atom, usize>,
    pub lost: Vec<String>,
}

/// The definitions of two versions, and what was found so far.
pub struct Definitions<'f> {
    before: &'f Forms,
    after: &'f Forms,
    loss: Loss,
    found: Found,
    /// Records with other fields, and those whose fields lead to one.
    changing: BTreeSet<Atom>,
    /// Records that have been met: a record may contain itself.
    seen: BTreeSet<Atom>,
    /// Those of them that are still to be looked at.
    open: Vec<Atom>,
    budget: Budget,
    obstacles: Vec<Obstacle>,
}

impl<'f> Definitions<'f> {
    pub fn new(before: &'f Forms, after: &'f Forms, loss: Loss) -> Self {
        let budget = Budget::new();
        Self {
            before,
            after,
            loss,
            found: Found::default(),
            changing: changing(before, after, &budget),
            seen: BTreeSet::new(),
            open: Vec::new(),
            budget,
            obstacles: Vec::new(),
        }
    }

    /// What becomes of a state that is this record; the records inside are looked at, too.
    pub fn state(&mut self, name: &Atom) -> Conversion {
        let conversion = self.record(name);
        while let Some(name) = self.open.pop() {
            self.fields(&name);
        }
        conversion
    }

    /// What becomes of a value that is this record.
    fn record(&mut self, name: &Atom) -> Conversion {
        if !self.changing.contains(name) {
            return Conversion::Same;
        }
        if self.seen.insert(name.clone()) {
            self.open.push(name.clone());
        }
        Conversion::Record(name.clone())
    }

    fn fields(&mut self, name: &Atom) {
        let (Some(old), Some(new)) = (
            record_fields(self.before, name),
            record_fields(self.after, name),
        ) else {
            return;
        };
        let mut fields = Vec::new();
        for field in &new {
            let at = old.iter().position(|other| other.name == field.name);
            let source = match at.and_then(|at| Some((at, old.get(at)?))) {
                Some((at, other)) => self.kept(name, at, other, field),
                None => self.default(&format!("{name}.{}", field.name), field.default),
            };
            if let Some(source) = source {
                let name = field.name.clone();
                fields.push(Field { name, source });
            }
        }
        for field in &old {
            if new.iter().all(|other| other.name != field.name) {
                self.loses(format!("{name}.{}", field.name));
            }
        }
        self.found.sizes.insert(name.clone(), old.len());
        self.found.records.insert(name.clone(), fields);
    }

    fn kept(
        &mut self,
        record: &Atom,
        at: usize,
        old: &Defined<'_>,
        new: &Defined<'_>,
    ) -> Option<Source> {
        if let (Some(before), Some(after)) = (old.declared, new.declared)
            && without_places(before) != without_places(after)
        {
            let field = format!("{record}.{}", new.name);
            self.obstacles.push(Obstacle::TypeChanges { field });
            return None;
        }
        let inside = self.inside(new);
        Some(Source::Kept { at, inside })
    }

    /// What becomes of the value of a field that both versions have.
    fn inside(&mut self, field: &Defined<'_>) -> Conversion {
        let conversion = match (field.declared, field.default) {
            (Some(declared), _) => {
                let changes = |name: &Atom| self.changing.contains(name);
                declared::conversion(self.after, declared, &changes, &self.budget)
            }
            (None, Some(default)) => match node(default) {
                Some(("record", [Term::Atom(name), Term::List(_)])) => {
                    Conversion::Record(name.clone())
                }
                _ => Conversion::Same,
            },
            (None, None) => Conversion::Same,
        };
        self.follow(conversion)
    }

    /// The same, with the records that it names looked at.
    fn follow(&mut self, conversion: Conversion) -> Conversion {
        match conversion {
            Conversion::Record(name) => self.record(&name),
            Conversion::Elements(inside) => match self.follow(*inside) {
                Conversion::Same => Conversion::Same,
                inside => Conversion::Elements(Box::new(inside)),
            },
            Conversion::Values(inside) => match self.follow(*inside) {
                Conversion::Same => Conversion::Same,
                inside => Conversion::Values(Box::new(inside)),
            },
            other => other,
        }
    }

    fn default(&mut self, field: &str, default: Option<&Term>) -> Option<Source> {
        let Some(expression) = default else {
            return Some(Source::Default(Term::atom("undefined")));
        };
        let value = constant::value(self.after, expression, &self.budget);
        if value.is_none() {
            let field = field.to_owned();
            self.obstacles.push(Obstacle::ComputedDefault { field });
        }
        value.map(Source::Default)
    }

    fn loses(&mut self, field: String) {
        match self.loss {
            Loss::Allowed => self.found.lost.push(field),
            Loss::Refused => self.obstacles.push(Obstacle::Loses { field }),
        }
    }

    /// What becomes of a state that is a map of fixed keys, or a struct, in both versions.
    pub fn map(&mut self, before: Keeper, after: Keeper) -> Conversion {
        let (old, new) = (pairs(self.before, before), pairs(self.after, after));
        let mut gains = Vec::new();
        for (key, value) in &new {
            if !old.contains_key(key)
                && let Some(Source::Default(value)) =
                    self.default(&format!("map.{key}"), Some(value))
            {
                gains.push((key.clone(), value));
            }
        }
        let loses: Vec<Atom> = old
            .keys()
            .filter(|key| !new.contains_key(*key))
            .cloned()
            .collect();
        for key in &loses {
            self.loses(format!("map.{key}"));
        }
        if gains.is_empty() && loses.is_empty() {
            return Conversion::Same;
        }
        Conversion::Map { gains, loses }
    }

    /// Whether the records that the state contains are among those that were looked at.
    pub fn reached<'a>(&mut self, parts: impl Iterator<Item = &'a Atom>) {
        for part in parts {
            if !self.seen.contains(part) && self.changing.contains(part) {
                self.obstacles.push(Obstacle::Unreachable {
                    record: part.clone(),
                });
            }
        }
    }

    pub fn finish(self) -> Result<Found, Vec<Obstacle>> {
        if self.budget.spend().is_none() {
            return Err(vec![Obstacle::TooComplex]);
        }
        if self.obstacles.is_empty() {
            Ok(self.found)
        } else {
            Err(self.obstacles)
        }
    }
}

/// The records whose fields are others, and those that contain one of them as declared types and defaults say.
fn changing(before: &Forms, after: &Forms, budget: &Budget) -> BTreeSet<Atom> {
    let mut containers: BTreeMap<Atom, Vec<&Atom>> = BTreeMap::new();
    let mut open: Vec<&Atom> = Vec::new();
    for name in after.records.keys() {
        let (Some(old), Some(new)) = (record_fields(before, name), record_fields(after, name))
        else {
            continue;
        };
        let names = |fields: &[Defined<'_>]| -> Vec<Atom> {
            fields.iter().map(|field| field.name.clone()).collect()
        };
        if names(&old) != names(&new) {
            open.push(name);
        }
        for part in new.iter().flat_map(|field| parts(after, field, budget)) {
            containers.entry(part).or_default().push(name);
        }
    }
    let mut changing = BTreeSet::new();
    while let Some(name) = open.pop() {
        if changing.insert(name.clone()) {
            open.extend(containers.get(name).into_iter().flatten());
        }
    }
    changing
}

/// The records that a field's declared type leads to, or that its default is.
fn parts(forms: &Forms, field: &Defined<'_>, budget: &Budget) -> Vec<Atom> {
    let named = std::cell::RefCell::new(Vec::new());
    if let Some(declared) = field.declared {
        let note = |name: &Atom| {
            named.borrow_mut().push(name.clone());
            true
        };
        declared::conversion(forms, declared, &note, budget);
    } else if let Some(("record", [Term::Atom(name), Term::List(_)])) = field.default.and_then(node)
    {
        named.borrow_mut().push(name.clone());
    }
    named.into_inner()
}

/// The keys of a state that `init/1` makes as a map, with the expressions of their values. Those of a module's own struct
/// are in its definition, `__struct__/0`.
fn pairs(forms: &Forms, keeper: Keeper) -> BTreeMap<Atom, &Term> {
    let made = keys_of(&state_expressions(forms, keeper));
    if made.contains_key(&Atom::of("__struct__")) {
        let definition = forms.clauses("__struct__", 0).iter().filter_map(clause);
        let last: Vec<&Term> = definition.filter_map(|(_, body)| body.last()).collect();
        return keys_of(&last);
    }
    made
}

fn keys_of<'f>(expressions: &[&'f Term]) -> BTreeMap<Atom, &'f Term> {
    let mut found = BTreeMap::new();
    for &expression in expressions {
        if let Some(("map", [Term::List(pairs)])) = node(expression) {
            for pair in pairs {
                if let Some(("map_field_assoc" | "map_field_exact", [key, value])) = node(pair)
                    && let Some(key) = literal_atom(key)
                {
                    found.insert(key.clone(), value);
                }
            }
        }
    }
    found
}
