//! A migration as a term: what the evaluator in the node carries out.

use super::{Conversion, Field, Migration, Records, Source};
use crate::forms::Keeper;
use crate::term::{Atom, Term};
use std::collections::BTreeMap;

impl Migration {
    /// `{Keeper, How, #{Record => {Size, [Source]}}}`: `Keeper` is `server`, `machine` or `supervisor`, `How` what `how` below says, `Size`
    /// the size of the tuple that a record of the earlier shape is.
    pub fn term(&self) -> Term {
        let keeper = match self.keeper {
            Keeper::Server | Keeper::Special => "server",
            Keeper::Machine => "machine",
            Keeper::Supervisor => "supervisor",
        };
        let records = records(&self.records, &self.sizes);
        Term::tuple([Term::atom(keeper), how(&self.state), records])
    }
}

impl Records {
    /// `#{Record => {Size, [Source]}}`.
    pub fn term(&self) -> Term {
        records(&self.fields, &self.sizes)
    }
}

fn records(records: &BTreeMap<Atom, Vec<Field>>, sizes: &BTreeMap<Atom, usize>) -> Term {
    let records = records.iter().map(|(name, fields)| {
        let size = sizes.get(name).map_or(0, |size| size + 1);
        let size = Term::Integer(i64::try_from(size).unwrap_or(i64::MAX));
        let sources = Term::list(fields.iter().map(source));
        (Term::Atom(name.clone()), Term::tuple([size, sources]))
    });
    Term::Map(records.collect())
}

/// `{kept, Element, How} | {default, Value}`; elements of a tuple are counted from 1, its tag being the first.
fn source(field: &Field) -> Term {
    match &field.source {
        Source::Kept { at, inside } => {
            let element = Term::Integer(i64::try_from(at + 2).unwrap_or(i64::MAX));
            Term::tuple([Term::atom("kept"), element, how(inside)])
        }
        Source::Default(value) => Term::tuple([Term::atom("default"), value.clone()]),
    }
}

/// `same | {record, Name} | {elements | values, How} | {map, [{Key, Value}], [Key]}`.
fn how(conversion: &Conversion) -> Term {
    match conversion {
        Conversion::Same => Term::atom("same"),
        Conversion::Record(name) => Term::tuple([Term::atom("record"), Term::Atom(name.clone())]),
        Conversion::Elements(inside) => Term::tuple([Term::atom("elements"), how(inside)]),
        Conversion::Values(inside) => Term::tuple([Term::atom("values"), how(inside)]),
        Conversion::Map { gains, loses } => {
            let gain =
                |(key, value): &(Atom, Term)| Term::tuple([Term::Atom(key.clone()), value.clone()]);
            let gains = Term::list(gains.iter().map(gain));
            let loses = Term::list(loses.iter().cloned().map(Term::Atom));
            Term::tuple([Term::atom("map"), gains, loses])
        }
    }
}
