//! Erlang terms as values: the one representation that text, external format and NIF share.
//!
//! Must not do I/O. Reading text is [`text`], printing it is [`print`].

use num_bigint::BigInt;
use smol_str::SmolStr;

/// An atom's text, at most 255 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atom(SmolStr);

impl Atom {
    /// The longest atom that the VM accepts, in characters.
    pub const MAX_CHARACTERS: usize = 255;

    /// An atom of `text`; `None` where it is longer than the VM accepts.
    pub fn new(text: &str) -> Option<Self> {
        let fits =
            text.len() <= Self::MAX_CHARACTERS || text.chars().count() <= Self::MAX_CHARACTERS;
        fits.then(|| Self(SmolStr::new(text)))
    }

    /// The atom's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Atom {
    /// The bare text, without quotes: for messages. Terms are printed by [`print`].
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An Erlang term. Pids, ports, references and closures have no text that reads back and are not
/// represented.
#[derive(Clone, Debug)]
pub enum Term {
    /// An atom.
    Atom(Atom),
    /// An integer of the machine's range.
    Integer(i64),
    /// An integer outside of `i64`, never one inside.
    BigInteger(Box<BigInt>),
    /// A finite float.
    Float(f64),
    /// A binary.
    Binary(Vec<u8>),
    /// A bit string: whole bytes, and how many bits (1 to 7) of the last one count.
    BitString(Vec<u8>, u8),
    /// A non-empty list of Unicode scalar values, kept as the text it was written as. Equal to the
    /// [`Term::List`] of the same code points.
    String(SmolStr),
    /// A proper list.
    List(Vec<Term>),
    /// A list of at least one element whose tail, the second field, is no list.
    ImproperList(Vec<Term>, Box<Term>),
    /// A tuple.
    Tuple(Vec<Term>),
    /// A map, its pairs in the order they were written, keys unique.
    Map(Vec<(Term, Term)>),
    /// `fun Module:Function/Arity`.
    ExternalFun(Atom, Atom, u8),
}
