//! Equality (`=:=`) and Erlang's term order.

use super::Term;
use num_bigint::BigInt;
use std::borrow::Cow;
use std::cmp::Ordering;

impl Term {
    /// The map of `pairs`; of several with the same key the last one counts, in the place of the
    /// first, as `maps:from_list/1` has it.
    pub fn map(pairs: Vec<(Term, Term)>) -> Self {
        /// Up to here comparing each with each is cheaper than sorting.
        const FEW: usize = 8;
        let duplicate = if pairs.len() <= FEW {
            (1..pairs.len()).any(|i| pairs[..i].iter().any(|(key, _)| *key == pairs[i].0))
        } else {
            let mut keys: Vec<&Term> = pairs.iter().map(|(key, _)| key).collect();
            keys.sort_unstable();
            keys.windows(2).any(|pair| pair[0] == pair[1])
        };
        Term::Map(if duplicate {
            without_duplicates(pairs)
        } else {
            pairs
        })
    }

    /// Where values of this kind stand in the order of all terms.
    fn rank(&self) -> u8 {
        match self {
            Term::Integer(_) | Term::BigInteger(_) | Term::Float(_) => 0,
            Term::Atom(_) => 1,
            Term::ExternalFun(_) => 2,
            Term::Opaque(_) => 3,
            Term::Tuple(_) => 4,
            Term::Map(_) => 5,
            Term::List(elements) if elements.is_empty() => 6,
            Term::String(_) | Term::List(_) | Term::ImproperList(_) => 7,
            Term::Binary(_) | Term::BitString(..) => 8,
        }
    }
}

/// The last value of each key, in the place of its first. Sorted by key and place, equal keys are
/// neighbours.
fn without_duplicates(pairs: Vec<(Term, Term)>) -> Vec<(Term, Term)> {
    let mut placed: Vec<(usize, (Term, Term))> = pairs.into_iter().enumerate().collect();
    placed.sort_by(|(_, (a, _)), (_, (b, _))| a.cmp(b));
    placed.dedup_by(|(_, (key, value)), (_, (kept, kept_value))| {
        let same = key == kept;
        if same {
            std::mem::swap(value, kept_value);
        }
        same
    });
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, pair)| pair).collect()
}

impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Term::Atom(a), Term::Atom(b)) => a == b,
            (Term::Integer(a), Term::Integer(b)) => a == b,
            (Term::String(a), Term::String(b)) => a == b,
            (Term::Binary(a), Term::Binary(b)) => a == b,
            (Term::List(a), Term::List(b)) | (Term::Tuple(a), Term::Tuple(b)) => a == b,
            (Term::Map(a), Term::Map(b)) => a == b || maps(a, b) == Ordering::Equal,
            _ => self.cmp(other) == Ordering::Equal,
        }
    }
}

impl Eq for Term {}

impl PartialOrd for Term {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Term {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank()
            .cmp(&other.rank())
            .then_with(|| match (self, other) {
                (Term::Atom(a), Term::Atom(b)) => a.cmp(b),
                (Term::ExternalFun(a), Term::ExternalFun(b)) => a.cmp(b),
                (Term::Opaque(a), Term::Opaque(b)) => a.cmp(b),
                (Term::Tuple(a), Term::Tuple(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
                (Term::Map(a), Term::Map(b)) => maps(a, b),
                (Term::String(a), Term::String(b)) => a.cmp(b),
                (Term::List(a), Term::List(b)) => a.cmp(b),
                (Term::Binary(_) | Term::BitString(..), _) => bit_strings(self, other),
                (Term::Integer(_) | Term::BigInteger(_) | Term::Float(_), _) => {
                    numbers(self, other)
                }
                _ => lists(self, other),
            })
    }
}

/// Maps: by size, then by their keys in order, then by the values in the order of the keys.
fn maps(a: &[(Term, Term)], b: &[(Term, Term)]) -> Ordering {
    fn sorted(pairs: &[(Term, Term)]) -> Vec<&(Term, Term)> {
        let mut pairs: Vec<_> = pairs.iter().collect();
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        pairs
    }
    a.len().cmp(&b.len()).then_with(|| {
        let (a, b) = (sorted(a), sorted(b));
        let keys = a
            .iter()
            .map(|(key, _)| key)
            .cmp(b.iter().map(|(key, _)| key));
        keys.then_with(|| {
            a.iter()
                .map(|(_, value)| value)
                .cmp(b.iter().map(|(_, value)| value))
        })
    })
}

/// Lists of any kind, element by element; a shorter one goes on with its tail.
fn lists(a: &Term, b: &Term) -> Ordering {
    let ((mut a, a_tail), (mut b, b_tail)) = (spread(a), spread(b));
    loop {
        match (a.next(), b.next()) {
            (Some(x), Some(y)) => match x.cmp(&y) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
            (None, None) => return a_tail.cmp(b_tail),
            // A rest of elements is a non-empty list: only bit strings are greater.
            (Some(_), None) => return LIST_RANK.cmp(&b_tail.rank()),
            (None, Some(_)) => return a_tail.rank().cmp(&LIST_RANK),
        }
    }
}

const LIST_RANK: u8 = 7;

/// A list's elements and its tail.
fn spread(list: &Term) -> (Box<dyn Iterator<Item = Cow<'_, Term>> + '_>, &Term) {
    const NIL: &Term = &Term::NIL;
    match list {
        Term::String(text) => (
            Box::new(text.chars().map(|c| Cow::Owned(Term::from(c)))),
            NIL,
        ),
        Term::List(elements) => (Box::new(elements.iter().map(Cow::Borrowed)), NIL),
        Term::ImproperList(list) => (Box::new(list.0.iter().map(Cow::Borrowed)), &list.1),
        _ => (Box::new(std::iter::empty()), list),
    }
}

/// Bit strings: byte by byte, then the bits of the last byte, then the shorter one.
fn bit_strings(a: &Term, b: &Term) -> Ordering {
    fn parts(term: &Term) -> (&[u8], u8) {
        match term {
            Term::Binary(bytes) => (bytes, 8),
            Term::BitString(bytes, bits) => (bytes, *bits),
            _ => (&[], 8),
        }
    }
    let ((a, a_bits), (b, b_bits)) = (parts(a), parts(b));
    a.cmp(b).then(a_bits.cmp(&b_bits))
}

/// Numbers by value, exactly; an integer before the float of the same value.
fn numbers(a: &Term, b: &Term) -> Ordering {
    fn integer(term: &Term) -> BigInt {
        match term {
            Term::Integer(integer) => BigInt::from(*integer),
            Term::BigInteger(integer) => (**integer).clone(),
            _ => BigInt::ZERO,
        }
    }
    match (a, b) {
        (Term::Integer(a), Term::Integer(b)) => a.cmp(b),
        (Term::Float(a), Term::Float(b)) => a.total_cmp(b),
        (Term::Float(a), b) => with_float(&integer(b), *a).reverse(),
        (a, Term::Float(b)) => with_float(&integer(a), *b),
        (a, b) => integer(a).cmp(&integer(b)),
    }
}

/// `integer` against the finite `float`, less where they are equal.
fn with_float(integer: &BigInt, float: f64) -> Ordering {
    use num_bigint::ToBigInt;
    let whole = float.floor().to_bigint().unwrap_or_default();
    // floor(float) >= integer: the float is greater or equal.
    if *integer <= whole {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Term {
        crate::term::text::parse(text).expect("a term")
    }

    #[track_caller]
    fn ascending(texts: &[&str]) {
        let terms: Vec<Term> = texts.iter().map(|text| read(text)).collect();
        for (i, a) in terms.iter().enumerate() {
            for (j, b) in terms.iter().enumerate() {
                assert_eq!(a.cmp(b), i.cmp(&j), "{a} against {b}");
                assert_eq!(a == b, i == j, "{a} equal to {b}");
            }
        }
    }

    #[track_caller]
    fn equal(a: &str, b: &str) {
        assert_eq!(read(a), read(b));
        assert_eq!(read(a).cmp(&read(b)), Ordering::Equal);
    }

    #[test]
    fn kinds_are_ordered_as_in_erlang() {
        ascending(&["1", "a", "fun a:b/1", "{}", "#{}", "[]", "[a]", "<<>>"]);
    }

    #[test]
    fn numbers_are_ordered_by_value_and_integers_come_first() {
        ascending(&[
            "-1.5",
            "-1",
            "-0.0",
            "0.0",
            "1",
            "1.0",
            "9007199254740992",
            "9007199254740992.0",
            "9007199254740993",
            "18446744073709551616",
            "18446744073709551616.0",
            "1.0e300",
        ]);
    }

    #[test]
    fn lists_are_ordered_element_by_element() {
        ascending(&["[]", "[1|a]", "[1]", "\"a\"", "\"ab\"", "[97|<<>>]", "[98]"]);
    }

    #[test]
    fn sizes_come_before_elements_in_tuples_and_maps() {
        ascending(&["{2}", "{1,1}", "{1,2}"]);
        ascending(&["#{2 => a}", "#{1 => b,2 => a}", "#{1 => b,3 => a}"]);
    }

    #[test]
    fn bit_strings_are_ordered_bit_by_bit() {
        ascending(&[
            "<<>>",
            "<<0:1>>",
            "<<0:2>>",
            "<<0>>",
            "<<0,0:1>>",
            "<<1:2>>",
            "<<1:1>>",
        ]);
    }

    #[test]
    fn text_and_order_of_writing_do_not_matter() {
        equal("\"ab\"", "[97,98]");
        equal("\"\"", "[]");
        equal("[a|\"b\"]", "[a,98]");
        equal("#{a => 1,b => 2}", "#{b => 2,a => 1}");
        equal("#{a => 1,b => 2,a => 3}", "#{a => 3,b => 2}");
        equal("[#{\"k\" => 1}|\"x\"]", "[#{[107] => 1},120]");
    }

    #[test]
    fn many_duplicate_keys_leave_the_last_value() {
        let pairs = (0..100)
            .map(|n| (Term::Integer(n % 10), Term::Integer(n)))
            .collect();
        let expected = (0..10)
            .map(|n| (Term::Integer(n), Term::Integer(90 + n)))
            .collect();
        assert_eq!(Term::map(pairs), Term::Map(expected));
    }
}
