//! Which releases of OTP load a module: instructions come into use and go out of it. The one place that
//! decides it, for plans, packages and what a new emulator would meet.

use super::chunks::{Chunk, Chunks};
use super::instructions::{body, walk};
use crate::term::{Atom, Limits, Term, external};

/// The releases that load a module, as far as its file tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Releases {
    /// The first one; 0 for any.
    pub first: u32,
    /// The last one, where there is a later one that does not load it.
    pub last: Option<u32>,
    /// The one whose compiler made it, where it says so.
    pub compiled_by: Option<u32>,
}

impl Releases {
    /// Those of the module in `chunks`.
    pub fn of(chunks: &Chunks<'_>) -> Self {
        Self {
            first: first(chunks),
            last: last(chunks),
            compiled_by: compiled_by(chunks),
        }
    }

    /// Whether `release` is one of them.
    pub fn contain(&self, release: u32) -> bool {
        self.first <= release && self.last.is_none_or(|last| release <= last)
    }
}

/// `beam_opcodes:opname(131)`, `bs_test_unit`: OTP 25 and earlier make it of the end of a pattern such as
/// `<<Size:32, Rest/binary>>`, OTP 29 does not load it.
const BS_TEST_UNIT: u8 = 131;
/// The last release that loads it.
const LAST_WITH_BS_TEST_UNIT: u32 = 28;

/// The last release, where there is a later one that does not load it.
fn last(chunks: &Chunks<'_>) -> Option<u32> {
    let code = body(chunks.get(Chunk::Code)?)?;
    let mut found = false;
    walk(code, |instruction| {
        found |= instruction.opcode == BS_TEST_UNIT;
    });
    found.then_some(LAST_WITH_BS_TEST_UNIT)
}

/// The highest instruction that OTP 25 knows.
const BADRECORD: u32 = 180;

/// The first release, as far as that can be told; 0 for any.
///
/// By the highest instruction that the code uses, which is in its header; by the form of the atom table,
/// which OTP 28 changed; and by the features that it was compiled with: what a later compiler takes for
/// granted, an earlier emulator loads only where it was started with it.
fn first(chunks: &Chunks<'_>) -> u32 {
    let highest = chunks.get(Chunk::Code).and_then(|code| number(code, 8));
    let by_code = match highest.unwrap_or(0) {
        0..=BADRECORD => 0,
        181 | 182 => 26,
        183 => 27,
        184 => 28,
        _ => 29,
    };
    let atoms = chunks.get(Chunk::AtU8).and_then(|atoms| number(atoms, 0));
    let by_atoms = match atoms {
        Some(count) if count > i32::MAX as u32 => 28,
        _ => 0,
    };
    let by_features = match compiled_by(chunks) {
        Some(27..) if has_features(chunks) => 27,
        _ => 0,
    };
    by_code.max(by_atoms).max(by_features)
}

fn compiled_by(chunks: &Chunks<'_>) -> Option<u32> {
    let version = value(chunks, Chunk::CInf, "version")?;
    of_compiler(&version.as_text()?)
}

/// 25 has 8.2, 26 has 8.3 and 8.4, 27 has 8.5 and 8.6, 28 has 9.
fn of_compiler(version: &str) -> Option<u32> {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    match (parts.next()??, parts.next().flatten().unwrap_or(0)) {
        (8, 0..=2) => Some(25),
        (8, 3 | 4) => Some(26),
        (8, _) => Some(27),
        (major @ 9.., _) => Some(major.saturating_add(19)),
        _ => None,
    }
}

fn has_features(chunks: &Chunks<'_>) -> bool {
    let features = value(chunks, Chunk::Meta, "enabled_features");
    features.is_some_and(|features| !features.is_nil())
}

/// A value of the list of pairs that a chunk is.
fn value(chunks: &Chunks<'_>, chunk: Chunk, key: &str) -> Option<Term> {
    let term = external::decode(chunks.get(chunk)?, &Limits::default()).ok()?;
    let pairs = term.into_elements().ok()?;
    let mut values = pairs.into_iter().filter_map(|pair| match pair {
        Term::Tuple(pair) => <[Term; 2]>::try_from(pair).ok(),
        _ => None,
    });
    let found = values.find(|[name, _]| name.as_atom().map(Atom::as_str) == Some(key));
    found.map(|[_, value]| value)
}

/// A number of four bytes.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_belongs_to_a_release() {
        for (version, release) in [
            ("8.2.3", Some(25)),
            ("8.4.1", Some(26)),
            ("8.6.1", Some(27)),
            ("9.0", Some(28)),
            ("10.0.7", Some(29)),
            ("7.0", None),
            ("x", None),
        ] {
            assert_eq!(of_compiler(version), release, "{version}");
        }
    }

    #[test]
    fn a_range_of_releases_has_two_ends() {
        let releases = Releases {
            first: 26,
            last: Some(28),
            compiled_by: None,
        };
        let contained: Vec<u32> = (24..31).filter(|one| releases.contain(*one)).collect();
        assert_eq!(contained, [26, 27, 28]);
        assert!(Releases::default().contain(25));
    }
}
