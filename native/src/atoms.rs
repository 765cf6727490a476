//! Atoms on the way into the VM. The VM never forgets an atom and dies when its table is full, so
//! the new ones that an answer would bring are counted before the first of them is made.

#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};

use erlrc::term::{Atom, Term};
use rustler::Env;

use crate::encode::Unencodable;
use crate::{entry, etf};

/// How many atoms that the VM does not have yet an answer may bring unless the VM says how many: a
/// sixteenth of its table, and what one file may hold.
pub const NEW_ATOMS: usize = 65_536;

/// The atoms of one answer.
pub struct Atoms<'t, 'a> {
    known: HashMap<&'t Atom, rustler::Term<'a>>,
}

impl<'t, 'a> Atoms<'t, 'a> {
    /// Makes every atom of `term`, or none of them where more than `most` are new.
    pub fn of(env: Env<'a>, term: &'t Term, most: usize) -> Result<Self, Unencodable> {
        let mut found = Found {
            env,
            known: HashMap::new(),
            new: HashSet::new(),
            most,
        };
        found.visit(term)?;
        let Found { mut known, new, .. } = found;
        for atom in new {
            known.insert(atom, create(env, atom).ok_or(Unencodable::Term)?);
        }
        Ok(Self { known })
    }

    /// The VM's atom for `atom`, one of those that the answer consists of.
    pub fn get(&self, atom: &Atom) -> Result<rustler::Term<'a>, Unencodable> {
        self.known.get(atom).copied().ok_or(Unencodable::Term)
    }
}

struct Found<'t, 'a> {
    env: Env<'a>,
    known: HashMap<&'t Atom, rustler::Term<'a>>,
    new: HashSet<&'t Atom>,
    most: usize,
}

impl<'t> Found<'t, '_> {
    fn visit(&mut self, term: &'t Term) -> Result<(), Unencodable> {
        let mut left = vec![term];
        while let Some(term) = left.pop() {
            match term {
                Term::Atom(atom) => self.add(atom)?,
                Term::ExternalFun(fun) => {
                    self.add(&fun.0)?;
                    self.add(&fun.1)?;
                }
                Term::List(items) | Term::Tuple(items) => left.extend(items),
                Term::ImproperList(list) => {
                    left.extend(&list.0);
                    left.push(&list.1);
                }
                Term::Map(pairs) => left.extend(pairs.iter().flat_map(|(key, value)| [key, value])),
                Term::Integer(_)
                | Term::BigInteger(_)
                | Term::Float(_)
                | Term::Binary(_)
                | Term::Opaque(_)
                | Term::BitString(..)
                | Term::String(_) => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, atom: &'t Atom) -> Result<(), Unencodable> {
        if self.known.contains_key(atom) || self.new.contains(atom) {
            return Ok(());
        }
        if let Some(known) = existing(self.env, atom) {
            self.known.insert(atom, known);
            return Ok(());
        }
        if self.new.len() >= self.most {
            return Err(Unencodable::TooManyAtoms(self.most));
        }
        self.new.insert(atom);
        Ok(())
    }
}

// The functions for atoms that NIF 2.15 has know Latin-1 alone, the external format knows all.
fn is_latin1(atom: &Atom) -> bool {
    atom.as_str().chars().all(|c| u32::from(c) < 256)
}

fn existing<'a>(env: Env<'a>, atom: &Atom) -> Option<rustler::Term<'a>> {
    if is_latin1(atom) {
        rustler::Atom::existing_from_str(env, atom.as_str())
            .ok()
            .map(|a| a.to_term(env))
    } else {
        env.binary_to_term(&etf::atom(atom)).map(|(term, _)| term)
    }
}

fn create<'a>(env: Env<'a>, atom: &Atom) -> Option<rustler::Term<'a>> {
    if is_latin1(atom) {
        rustler::Atom::from_str(env, atom.as_str())
            .ok()
            .map(|a| a.to_term(env))
    } else {
        entry::create(env, &etf::atom(atom))
    }
}
