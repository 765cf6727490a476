//! Erlang terms as values: the one representation that text, external format and NIF share.
//!
//! Must not do I/O. Reading text is [`text`], printing it is [`mod@print`], the external term format
//! is [`external`].

mod access;
mod atom;
mod bits;
pub mod external;
mod order;
pub mod print;
pub mod text;

use num_bigint::BigInt;
use smol_str::SmolStr;

pub use atom::Atom;
pub use bits::BitWriter;

/// An Erlang term.
///
/// `==` is Erlang's `=:=`, whatever the representation: a [`Term::String`] equals the
/// [`Term::List`] of its code points, and maps are equal whatever the order of their pairs. The
/// order of [`Ord`] is Erlang's term order, made total: where `1 == 1.0`, the integer is less.
#[derive(Clone)]
pub enum Term {
    /// An atom.
    Atom(Atom),
    /// An integer of the machine's range.
    Integer(i64),
    /// An integer outside of `i64`, never one inside: [`Term::from`] a `BigInt` sees to that.
    BigInteger(Box<BigInt>),
    /// A finite float.
    Float(f64),
    /// A binary.
    Binary(Vec<u8>),
    /// A bit string: whole bytes, and how many bits (1 to 7) of the last one count. They are the
    /// high bits; the low bits are zero. [`Term::bit_string`] makes any number of bits into this
    /// or a [`Term::Binary`].
    BitString(Vec<u8>, u8),
    /// A non-empty list of Unicode scalar values, kept as the text it was written as. Equal to the
    /// [`Term::List`] of the same code points.
    String(SmolStr),
    /// A proper list.
    List(Vec<Term>),
    /// A list of at least one element, and a tail that is no list.
    ImproperList(Box<(Vec<Term>, Term)>),
    /// A tuple.
    Tuple(Vec<Term>),
    /// A map, its pairs in the order they were written, keys unique: [`Term::map`] sees to that.
    Map(Vec<(Term, Term)>),
    /// `fun Module:Function/Arity`.
    ExternalFun(Box<(Atom, Atom, u8)>),
    /// A pid, port, reference or closure: a value of a running node, which has no text that reads
    /// back.
    Opaque(external::Opaque),
}

impl std::fmt::Debug for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for Term {
    /// The compact text of [`print::compact`].
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&print::compact(self))
    }
}

/// How much of an input is taken. What exceeds a limit is refused before memory is spent on it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The length of the input, in bytes; of compressed input, the length after decompression.
    pub size: usize,
    /// How deep terms nest: 1 is a flat tuple. Recursion on terms is everywhere as deep as this.
    pub nesting: usize,
    /// How many distinct atoms: each would stay in a node's atom table for ever.
    pub atoms: usize,
    /// How many values in all, those inside of others included; a string or binary counts as one.
    pub values: usize,
    /// How many digits (text) or bytes (external format) an integer has.
    pub digits: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size: 16 << 20,
            nesting: 256,
            atoms: 65_536,
            values: 1 << 21,
            digits: 16_384,
        }
    }
}
