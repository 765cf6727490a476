//! Constructors and accessors of terms.

use super::{Atom, Term};
use num_bigint::BigInt;
use std::borrow::Cow;

impl Term {
    /// The empty list.
    pub const NIL: Term = Term::List(Vec::new());

    /// The atom of a text known when this is compiled. Atoms from outside: [`Atom::new`].
    ///
    /// # Panics
    /// If `text` is longer than the VM accepts.
    pub fn atom(text: &'static str) -> Self {
        Term::Atom(Atom::of(text))
    }

    /// The tuple of `elements`.
    pub fn tuple<const N: usize>(elements: [Term; N]) -> Self {
        Term::Tuple(Vec::from(elements))
    }

    /// The list of `elements`.
    pub fn list(elements: impl IntoIterator<Item = Term>) -> Self {
        Term::List(elements.into_iter().collect())
    }

    /// `text` as a list of characters.
    pub fn string(text: &str) -> Self {
        if text.is_empty() {
            Term::NIL
        } else {
            Term::String(text.into())
        }
    }

    /// `bytes` as a binary; a `&str` gives UTF-8.
    pub fn binary(bytes: impl AsRef<[u8]>) -> Self {
        Term::Binary(bytes.as_ref().to_vec())
    }

    /// `fun module:function/arity`.
    pub fn external_fun(module: Atom, function: Atom, arity: u8) -> Self {
        Term::ExternalFun(Box::new((module, function, arity)))
    }

    /// The list of `elements` that ends in `tail`: improper unless `tail` is a list or there are
    /// no elements.
    pub fn list_with_tail(mut elements: Vec<Term>, tail: Term) -> Self {
        if elements.is_empty() {
            return tail;
        }
        match tail {
            Term::List(rest) => elements.extend(rest),
            Term::String(text) => elements.extend(text.chars().map(Term::from)),
            Term::ImproperList(rest) => {
                elements.extend(rest.0);
                return Term::ImproperList(Box::new((elements, rest.1)));
            }
            tail => return Term::ImproperList(Box::new((elements, tail))),
        }
        Term::List(elements)
    }

    /// The atom, if this is one.
    pub fn as_atom(&self) -> Option<&Atom> {
        match self {
            Term::Atom(atom) => Some(atom),
            _ => None,
        }
    }

    /// Whether this is the atom `text`.
    pub fn is_atom(&self, text: &str) -> bool {
        self.as_atom().is_some_and(|atom| atom.as_str() == text)
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.as_atom()?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The integer, if this is one that fits into an `i64`.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Term::Integer(integer) => Some(*integer),
            _ => None,
        }
    }

    /// The text of a list of characters, the empty list included: what Erlang calls a string.
    pub fn as_string(&self) -> Option<Cow<'_, str>> {
        match self {
            Term::String(text) => Some(Cow::Borrowed(text)),
            Term::List(elements) => elements
                .iter()
                .map(Term::as_char)
                .collect::<Option<String>>()
                .map(Cow::Owned),
            _ => None,
        }
    }

    /// The bytes of a binary.
    pub fn as_binary(&self) -> Option<&[u8]> {
        match self {
            Term::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text of a list of characters or of a binary of UTF-8: where either will do, as in paths.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Term::Binary(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            _ => self.as_string(),
        }
    }

    /// The elements of a tuple.
    pub fn as_tuple(&self) -> Option<&[Term]> {
        match self {
            Term::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// The two elements of a pair.
    pub fn as_pair(&self) -> Option<(&Term, &Term)> {
        match self.as_tuple()? {
            [first, second] => Some((first, second)),
            _ => None,
        }
    }

    /// The elements of a tuple whose first element is the atom `tag`, without that.
    pub fn as_tagged(&self, tag: &str) -> Option<&[Term]> {
        let (first, rest) = self.as_tuple()?.split_first()?;
        first.is_atom(tag).then_some(rest)
    }

    /// The elements of a proper list, whether it was written as a string or not.
    pub fn elements(&self) -> Option<Cow<'_, [Term]>> {
        match self {
            Term::List(elements) => Some(Cow::Borrowed(elements)),
            Term::String(text) => Some(text.chars().map(Term::from).collect()),
            _ => None,
        }
    }

    /// Takes a proper list apart, whether it was written as a string or not.
    ///
    /// # Errors
    /// The term itself, where it is no proper list.
    pub fn into_elements(self) -> Result<Vec<Term>, Term> {
        match self {
            Term::List(elements) => Ok(elements),
            Term::String(text) => Ok(text.chars().map(Term::from).collect()),
            other => Err(other),
        }
    }

    /// Whether this is the empty list.
    pub fn is_nil(&self) -> bool {
        matches!(self, Term::List(elements) if elements.is_empty())
    }

    /// The value of `key` in a list of pairs, the first one if there are several; as
    /// `proplists:get_value/2`, but that a bare atom is no pair.
    pub fn keyfind(&self, key: &str) -> Option<&Term> {
        let Term::List(elements) = self else {
            return None;
        };
        let mut pairs = elements.iter().filter_map(Term::as_pair);
        pairs
            .find(|(found, _)| found.is_atom(key))
            .map(|(_, value)| value)
    }

    /// The value of the atom `key` in a map.
    pub fn get(&self, key: &str) -> Option<&Term> {
        let Term::Map(pairs) = self else { return None };
        pairs
            .iter()
            .find(|(found, _)| found.is_atom(key))
            .map(|(_, value)| value)
    }

    /// The character that this integer is the code point of.
    pub(super) fn as_char(&self) -> Option<char> {
        char::from_u32(u32::try_from(self.as_integer()?).ok()?)
    }
}

impl From<Atom> for Term {
    fn from(atom: Atom) -> Self {
        Term::Atom(atom)
    }
}

impl From<i64> for Term {
    fn from(integer: i64) -> Self {
        Term::Integer(integer)
    }
}

impl From<u32> for Term {
    fn from(integer: u32) -> Self {
        Term::Integer(i64::from(integer))
    }
}

impl From<usize> for Term {
    fn from(integer: usize) -> Self {
        i64::try_from(integer).map_or_else(|_| Term::from(BigInt::from(integer)), Term::Integer)
    }
}

impl From<char> for Term {
    fn from(character: char) -> Self {
        Term::Integer(i64::from(u32::from(character)))
    }
}

impl From<bool> for Term {
    fn from(truth: bool) -> Self {
        Term::atom(if truth { "true" } else { "false" })
    }
}

impl From<BigInt> for Term {
    fn from(integer: BigInt) -> Self {
        i64::try_from(&integer).map_or_else(|_| Term::BigInteger(Box::new(integer)), Term::Integer)
    }
}

impl From<Vec<Term>> for Term {
    /// The list of these elements.
    fn from(elements: Vec<Term>) -> Self {
        Term::List(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_and_the_list_of_its_characters_read_alike() {
        let text = Term::string("ab");
        let list = Term::list([Term::from('a'), Term::from('b')]);
        assert_eq!(text.as_string(), list.as_string());
        assert_eq!(text.elements(), list.elements());
        assert_eq!(Term::NIL.as_string().as_deref(), Some(""));
        assert_eq!(Term::binary("ab").as_string(), None);
        assert_eq!(Term::binary("ab").as_text().as_deref(), Some("ab"));
    }

    #[test]
    fn a_tail_that_is_a_list_makes_a_proper_list() {
        let whole = Term::list([1, 97, 98].map(Term::Integer));
        assert_eq!(
            Term::list_with_tail(vec![Term::Integer(1)], Term::string("ab")),
            whole
        );
        assert_eq!(
            Term::list_with_tail(vec![], Term::atom("a")),
            Term::atom("a")
        );
        let improper = Term::list_with_tail(vec![Term::Integer(1)], Term::Integer(2));
        let longer = Term::list_with_tail(vec![Term::Integer(0)], improper);
        assert_eq!(longer.to_string(), "[0,1|2]");
    }

    #[test]
    fn a_big_integer_that_fits_is_an_integer() {
        assert!(matches!(Term::from(BigInt::from(7)), Term::Integer(7)));
        assert!(matches!(
            Term::from(BigInt::from(i64::MIN) - 1),
            Term::BigInteger(_)
        ));
    }
}
