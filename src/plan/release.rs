//! Which release of OTP loads a module's file, and which one compiled it.

use crate::beam::{Chunk, Chunks};
use crate::term::{Atom, Limits, Term, external};

/// The highest instruction that OTP 25 knows.
const BADRECORD: u32 = 180;

/// The first release that loads it, as far as that can be told; 0 for any.
///
/// By the highest instruction that the code uses, which is in its header; by the form of the atom table,
/// which OTP 28 changed; and by the features that it was compiled with: what a later compiler takes for
/// granted, an earlier emulator loads only where it was started with it.
pub fn needed(chunks: &Chunks<'_>) -> u32 {
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

/// The release whose compiler made it, where it says so.
pub fn compiled_by(chunks: &Chunks<'_>) -> Option<u32> {
    let version = value(chunks, Chunk::CInf, "version")?;
    let version = version.as_text()?;
    let mut parts = version.split('.').map(str::parse::<u32>);
    match (parts.next()?.ok()?, parts.next()?.ok()?) {
        (8, 5..) => Some(27),
        (8, 3..) => Some(26),
        (8, 2) => Some(25),
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
pub fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}
