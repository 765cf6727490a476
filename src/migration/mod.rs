//! State migrations: how the state of a process becomes that of another version, field by field.
//!
//! Both versions' debug information say what the state is. Where it is a record, a struct or a map of fixed keys, its
//! fields are found by name, new ones get the constant default of their definition, and the order is that of the target.
//! What cannot be converted so is an [`Obstacle`], never a guess. Pure: a [`Migration`] is data that a node carries out,
//! that a plan prints and that [`source`] writes as `code_change`.

mod constant;
mod declared;
mod fields;
mod opt_in;
pub mod skeleton;
pub mod source;
mod term;
#[cfg(test)]
mod tests;

use crate::forms::{Anatomy, CodeChange, Forms, Keeper, Place, Shape, hands_out_whole, place};
use crate::term::{Atom, Term};
use fields::Definitions;
pub use opt_in::{BadChoice, Choice, OptIn, Origin};
use std::collections::BTreeMap;
use std::fmt;

/// Whether values of fields that the target does not have may be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// A removed field is an obstacle.
    #[default]
    Refused,
    /// The value of a removed field is dropped.
    Allowed,
}

/// One version of a module, as its debug information has it.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// Its functions and records.
    pub forms: &'a Forms,
    /// What they say of its processes.
    pub anatomy: &'a Anatomy,
}

/// How the states of one module's processes are converted.
#[derive(Clone, Debug, PartialEq)]
pub struct Migration {
    /// The callback module.
    pub module: Atom,
    /// Where its processes keep the state.
    pub keeper: Keeper,
    /// Where the state stands in what a special process hands out, or the argument of a supervisor, if not alone.
    pub place: Option<Place>,
    /// What becomes of the state.
    pub state: Conversion,
    /// What becomes of each record that changes, by its name.
    pub records: BTreeMap<Atom, Vec<Field>>,
    /// How many fields each of these records had, by its name.
    pub sizes: BTreeMap<Atom, usize>,
    /// The fields whose values are lost, as `record.field`.
    pub lost: Vec<String>,
}

impl Migration {
    /// What is done, a line for each record or map that changes.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .records
            .iter()
            .map(|(name, fields)| format!("#{name}{{}} becomes {}", listed(fields)))
            .collect();
        if let Conversion::Map { gains, loses } = &self.state {
            lines.extend(
                gains
                    .iter()
                    .map(|(key, value)| format!("the map gains {key} => {value}")),
            );
            lines.extend(loses.iter().map(|key| format!("the map loses {key}")));
        }
        lines.extend(
            self.lost
                .iter()
                .map(|field| format!("the value of {field} is lost")),
        );
        lines
    }
}

fn listed(fields: &[Field]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|field| match &field.source {
            Source::Kept {
                inside: Conversion::Same,
                ..
            } => field.name.to_string(),
            Source::Kept { .. } => format!("{} (converted)", field.name),
            Source::Default(value) => format!("{} = {value}", field.name),
        })
        .collect();
    fields.join(", ")
}

/// What becomes of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Conversion {
    /// It stays.
    Same,
    /// It is converted where it is this record in the shape that it had.
    Record(Atom),
    /// So are the elements of a list.
    Elements(Box<Conversion>),
    /// So are the values of a map.
    Values(Box<Conversion>),
    /// A map of fixed keys, a struct among them, gains some with their defaults and loses others.
    Map {
        /// The keys that it gains.
        gains: Vec<(Atom, Term)>,
        /// The keys that it loses.
        loses: Vec<Atom>,
    },
}

/// A field of the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Atom,
    /// Where its value comes from.
    pub source: Source,
}

/// Where the value of a field comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// From the field of the same name, the first one being 0.
    Kept {
        /// Its place.
        at: usize,
        /// What becomes of its value.
        inside: Conversion,
    },
    /// It is the default of the definition, `undefined` where there is none.
    Default(Term),
}

/// Why a state is not converted by its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The default of a new field is an expression that has to be evaluated.
    ComputedDefault {
        /// `record.field` or `map.key`.
        field: String,
    },
    /// The declared type of a field is another one.
    TypeChanges {
        /// `record.field`.
        field: String,
    },
    /// A record inside changes, and the declared types do not lead to it.
    Unreachable {
        /// The record inside.
        record: Atom,
    },
    /// A field is removed, and its value would be lost.
    Loses {
        /// `record.field` or `map.key`.
        field: String,
    },
    /// The module says itself what of its state is replaced, and that is not all of it.
    TakenApart,
    /// The definitions name one another so often that not all of them were looked at.
    TooComplex,
    /// The two versions keep states of different kinds.
    OtherShape {
        /// What the state is.
        before: String,
        /// What it becomes.
        after: String,
    },
}

impl Obstacle {
    /// Whether it is none where losses are allowed.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Loses { .. })
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ComputedDefault { field } => {
                write!(f, "the default of {field} has to be computed")
            }
            Self::TypeChanges { field } => write!(f, "the declared type of {field} changes"),
            Self::Unreachable { record } => write!(
                f,
                "#{record}{{}} changes inside the state, and no declared type leads to it"
            ),
            Self::Loses { field } => write!(f, "the value of {field} would be lost"),
            Self::TakenApart => f.write_str("system_replace_state replaces only a part of it"),
            Self::TooComplex => f.write_str("its types and defaults name one another too often"),
            Self::OtherShape { before, after } => {
                write!(f, "the state is {before} and becomes {after}")
            }
        }
    }
}

/// How the states of `module` become those of another version: `None` where they stay as they are, or where the module's
/// own `code_change` converts them. `own` is the version whose `code_change` would be called, the later one; of a supervisor
/// the `init/1` that will run is called.
pub fn between(
    module: &Atom,
    before: Version<'_>,
    after: Version<'_>,
    own: &Anatomy,
    loss: Loss,
) -> Result<Option<Migration>, Vec<Obstacle>> {
    let called = match after.anatomy.keeper {
        Keeper::Supervisor => after.anatomy,
        _ => own,
    };
    if matches!(called.code_change, CodeChange::Own(_)) {
        return Ok(None);
    }
    let mut definitions = Definitions::new(before.forms, after.forms, loss);
    let state = match (only(before.anatomy), only(after.anatomy)) {
        (Some(Shape::Record(name)), Some(Shape::Record(other))) if name == other => {
            definitions.state(name)
        }
        (Some(Shape::Map(_)), Some(Shape::Map(_))) => {
            definitions.map(before.anatomy.keeper, after.anatomy.keeper)
        }
        (Some(old), Some(new)) if old != new => {
            return Err(vec![Obstacle::OtherShape {
                before: old.to_string(),
                after: new.to_string(),
            }]);
        }
        _ => return Ok(None),
    };
    if let Some(Shape::Record(name)) = only(before.anatomy) {
        let parts = before.anatomy.parts.get(name);
        definitions.reached(parts.into_iter().flatten());
    }
    let found = definitions.finish()?;
    let versions = [before.forms, after.forms];
    if state != Conversion::Same && !versions.into_iter().all(hands_out_whole) {
        return Err(vec![Obstacle::TakenApart]);
    }
    Ok((state != Conversion::Same).then(|| Migration {
        module: module.clone(),
        keeper: after.anatomy.keeper,
        place: place(before.forms, after.anatomy.keeper),
        state,
        records: found.records,
        sizes: found.sizes,
        lost: found.lost,
    }))
}

/// Records of other sizes in the two versions of a module, with all that is in them, as far as they can be converted both
/// ways: what the arguments of its processes may hold. The way back drops what came.
pub fn records(before: &Forms, after: &Forms, loss: Loss) -> Option<(Records, Records)> {
    let (mut there, mut back) = (Records::default(), Records::default());
    for name in before.records.keys() {
        let (Some(old), Some(new)) = (before.records.get(name), after.records.get(name)) else {
            continue;
        };
        if old.len() == new.len() {
            continue;
        }
        let one = |before, after, loss| {
            let mut definitions = Definitions::new(before, after, loss);
            definitions.state(name);
            definitions.finish().ok()
        };
        if let (Some(up), Some(down)) =
            (one(before, after, loss), one(after, before, Loss::Allowed))
        {
            there.add(up);
            back.add(down);
        }
    }
    (!there.fields.is_empty()).then_some((there, back))
}

/// What becomes of records, by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    fields: BTreeMap<Atom, Vec<Field>>,
    sizes: BTreeMap<Atom, usize>,
}

impl Records {
    fn add(&mut self, found: fields::Found) {
        self.fields.extend(found.records);
        self.sizes.extend(found.sizes);
    }
}

fn only(anatomy: &Anatomy) -> Option<&Shape> {
    let mut states = anatomy.states.iter();
    states.next().filter(|_| states.next().is_none())
}
