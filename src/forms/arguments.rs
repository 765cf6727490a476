//! The argument of a supervisor's `init/1`, which a changed supervisor is given again: the record that it takes, as it is or
//! in a list or a tuple.

use super::shape::{Shape, pattern_record};
use super::special::Place;
use super::{Forms, clause, node};
use crate::term::{Atom, Term};
use std::collections::BTreeSet;

/// What a clause of `init/1` takes.
enum Takes<'f> {
    /// This record.
    Record(&'f Atom, Option<Place>),
    /// A term of which it does not say what it is.
    Anything,
    /// Terms that hold no record.
    Other,
}

/// The records that the clauses take.
pub fn states(forms: &Forms) -> BTreeSet<Shape> {
    let record = |(name, _): (&Atom, _)| Shape::Record(name.clone());
    records(forms).map(record).collect()
}

/// The place of the record in the argument; `None` where it is the argument, or has several places.
pub fn place(forms: &Forms) -> Option<Place> {
    let places: BTreeSet<_> = records(forms).map(|(_, place)| place).collect();
    let mut places = places.into_iter();
    places.next().flatten().filter(|_| places.next().is_none())
}

/// Whether a clause may take the argument of another version, and convert it.
pub fn takes_anything(forms: &Forms) -> bool {
    takes(forms).any(|takes| matches!(takes, Takes::Anything))
}

fn records(forms: &Forms) -> impl Iterator<Item = (&Atom, Option<Place>)> {
    takes(forms).filter_map(|takes| match takes {
        Takes::Record(name, place) => Some((name, place)),
        _ => None,
    })
}

fn takes(forms: &Forms) -> impl Iterator<Item = Takes<'_>> {
    let clauses = forms.clauses("init", 1).iter();
    clauses.filter_map(|whole| Some(of_clause(clause(whole)?.0.first()?, whole)))
}

fn of_clause<'f>(pattern: &'f Term, whole: &'f Term) -> Takes<'f> {
    if let Some(name) = pattern_record(pattern, whole) {
        return Takes::Record(name, None);
    }
    let parts = parts(pattern);
    let records = parts.iter().filter_map(|(part, place)| {
        let name = pattern_record(part, whole)?;
        Some(Takes::Record(name, Some(*place)))
    });
    let is_open = |term: &Term| matches!(node(term), Some(("var", _)));
    let open = is_open(pattern) || parts.iter().any(|(part, _)| is_open(part));
    let otherwise = if open { Takes::Anything } else { Takes::Other };
    records.into_iter().next().unwrap_or(otherwise)
}

/// A place among so many.
type PlaceAt = fn(usize, usize) -> Place;

/// The elements of a list or of a tuple.
fn parts(pattern: &Term) -> Vec<(&Term, Place)> {
    let (elements, place): (Vec<&Term>, PlaceAt) = match node(pattern) {
        Some(("tuple", [Term::List(elements)])) => (elements.iter().collect(), Place::Tuple),
        Some(("cons", _)) => (listed(pattern), Place::List),
        _ => return Vec::new(),
    };
    let size = elements.len();
    let placed = elements.into_iter().enumerate();
    placed.map(|(at, part)| (part, place(at, size))).collect()
}

fn listed(mut pattern: &Term) -> Vec<&Term> {
    let mut found = Vec::new();
    while let Some(("cons", [head, tail])) = node(pattern) {
        found.push(head);
        pattern = tail;
    }
    found
}
