//! One module: its name, imports, exports and attributes.

use std::borrow::Cow;

use super::atoms::{AtomTable, entry};
use super::chunks::{Chunk, Chunks, number};
use super::{BeamError, digest, opcodes};

/// A function of a module: name and arity.
pub type Function<'a> = (Cow<'a, str>, usize);

/// An imported function: module, name and arity.
pub type Import<'a> = (Cow<'a, str>, Cow<'a, str>, usize);

/// A module in the bytes of its file.
#[derive(Clone, Debug)]
pub struct Module<'a> {
    chunks: Chunks<'a>,
    atoms: AtomTable<'a>,
}

impl<'a> Module<'a> {
    /// The module in `bytes`, the uncompressed content of a file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BeamError> {
        Self::new(Chunks::parse(bytes)?)
    }

    /// The module of a chunk table.
    pub fn new(chunks: Chunks<'a>) -> Result<Self, BeamError> {
        let atoms = AtomTable::parse(&chunks)?;
        Ok(Self { chunks, atoms })
    }

    /// Its name.
    pub fn name(&self) -> Result<Cow<'a, str>, BeamError> {
        self.atoms.module()
    }

    /// Its chunks.
    pub fn chunks(&self) -> &Chunks<'a> {
        &self.chunks
    }

    /// Its atoms.
    pub fn atoms(&self) -> &AtomTable<'a> {
        &self.atoms
    }

    /// Its module MD5, as `beam_lib:md5/1` has it.
    pub fn md5(&self) -> Result<[u8; 16], BeamError> {
        digest::module_md5(&self.chunks)
    }

    /// The functions that it exports, in the order of the file.
    pub fn exports(&self) -> Result<Vec<Function<'a>>, BeamError> {
        let entries = triples(self.chunks.require(Chunk::ExpT)?, "ExpT")?;
        entries
            .map(|[name, arity, _label]| Ok((self.atoms.get(name)?, arity)))
            .collect()
    }

    /// The functions of other modules that it calls, in the order of the file.
    pub fn imports(&self) -> Result<Vec<Import<'a>>, BeamError> {
        let entries = triples(self.chunks.require(Chunk::ImpT)?, "ImpT")?;
        entries
            .map(|[module, name, arity]| {
                Ok((self.atoms.get(module)?, self.atoms.get(name)?, arity))
            })
            .collect()
    }

    /// Its attributes in the external term format, which is not yet checked; `None` where they have
    /// been stripped.
    pub fn attributes(&self) -> Option<&'a [u8]> {
        self.chunks.get(Chunk::Attr)
    }

    /// Whether it runs a function when it is loaded (`-on_load`).
    pub fn has_on_load(&self) -> bool {
        self.chunks
            .get(Chunk::Code)
            .is_some_and(opcodes::has_on_load)
    }
}

fn triples<'a>(
    bytes: &'a [u8],
    chunk: &'static str,
) -> Result<impl Iterator<Item = [usize; 3]> + 'a, BeamError> {
    let bad = BeamError::BadChunk { chunk };
    let count = number(bytes).ok_or_else(|| bad.clone())?;
    let size = count.checked_mul(12).ok_or_else(|| bad.clone())?;
    let table = bytes
        .get(4..)
        .and_then(|rest| rest.get(..size))
        .ok_or(bad)?;
    let field =
        |bytes: &[u8], index| entry(bytes, index).expect("three of four bytes each in twelve");
    Ok(table
        .chunks_exact(12)
        .map(move |e| [field(e, 0), field(e, 1), field(e, 2)]))
}
