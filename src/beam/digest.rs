//! What of a module is its code: the chunks that `beam_lib:md5/1` covers.

use super::BeamError;
use super::chunks::{Chunk, Chunks};

/// How many bytes an entry of `FunT` has; the last four differ with every compilation.
const FUN_ENTRY: usize = 24;
const FUN_RELEVANT: usize = 20;

/// The module MD5, equal to `beam_lib:md5/1`'s.
pub fn module_md5(chunks: &Chunks<'_>) -> Result<[u8; 16], BeamError> {
    for mandatory in [Chunk::Code, Chunk::ExpT, Chunk::ImpT, Chunk::StrT] {
        chunks.require(mandatory)?;
    }
    let mut context = md5::Context::new();
    for chunk in Chunk::CODE {
        let Some(bytes) = chunks.get(chunk) else {
            continue;
        };
        if chunk == Chunk::FunT {
            fun_parts(bytes, |part, unique| {
                context.consume(part);
                context.consume(&[0; 4][..unique.len()]);
            });
        } else {
            context.consume(bytes);
        }
    }
    Ok(context.finalize().0)
}

/// The chunks in which two modules differ, as far as they matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    chunks: u16,
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.chunks == 0
    }

    /// Whether the chunk differs.
    pub fn contains(self, chunk: Chunk) -> bool {
        self.chunks & 1 << chunk as u16 != 0
    }

    fn insert(&mut self, chunk: Chunk) {
        self.chunks |= 1 << chunk as u16;
    }
}

/// Which chunks of the code differ: none exactly when the module MD5s are equal.
pub fn compare_code(old: &Chunks<'_>, new: &Chunks<'_>) -> Difference {
    let mut difference = Difference::default();
    for chunk in Chunk::CODE {
        let same = match (old.get(chunk), new.get(chunk)) {
            (Some(a), Some(b)) if chunk == Chunk::FunT => a == b || same_funs(a, b),
            (a, b) => a == b,
        };
        if !same {
            difference.insert(chunk);
        }
    }
    difference
}

fn same_funs(a: &[u8], b: &[u8]) -> bool {
    let (Some((count_a, a)), Some((count_b, b))) = (a.split_at_checked(4), b.split_at_checked(4))
    else {
        return false;
    };
    let (entries_a, entries_b) = (a.chunks(FUN_ENTRY), b.chunks(FUN_ENTRY));
    // A rest that is no whole entry counts whole.
    let relevant = |entry: &'_ [u8]| {
        if entry.len() == FUN_ENTRY {
            FUN_RELEVANT
        } else {
            entry.len()
        }
    };
    let mut pairs = entries_a.zip(entries_b);
    a.len() == b.len()
        && count_a == count_b
        && pairs.all(|(a, b)| a[..relevant(a)] == b[..relevant(b)])
}

/// Calls `part` with each stretch of bytes that counts, and the stretch after it that does not.
fn fun_parts(bytes: &[u8], mut part: impl FnMut(&[u8], &[u8])) {
    let (count, entries) = bytes.split_at_checked(4).unwrap_or((bytes, &[]));
    part(count, &[]);
    let mut entries = entries.chunks_exact(FUN_ENTRY);
    for entry in &mut entries {
        let (relevant, unique) = entry.split_at(FUN_RELEVANT);
        part(relevant, unique);
    }
    part(entries.remainder(), &[]);
}
