//! One module: its name, imports, exports and attributes.

use std::borrow::Cow;

use super::atoms::AtomTable;
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
        let entries = triples(self.chunks.require(Chunk::ExpT)?, Chunk::ExpT)?;
        entries
            .map(|[name, arity, _label]| Ok((self.atoms.get(name)?, arity)))
            .collect()
    }

    /// The functions of other modules that it calls, in the order of the file.
    pub fn imports(&self) -> Result<Vec<Import<'a>>, BeamError> {
        let text = |number| self.atoms.get(number);
        let entries = self.import_numbers()?;
        entries
            .map(|[module, name, arity]| Ok((text(module)?, text(name)?, arity)))
            .collect()
    }

    /// The imports as numbers of atoms, of module and name, and arity.
    pub fn import_numbers(&self) -> Result<impl Iterator<Item = [usize; 3]> + 'a, BeamError> {
        triples(self.chunks.require(Chunk::ImpT)?, Chunk::ImpT)
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

/// The entries of a table behind their count, each of three 32-bit numbers.
fn triples(bytes: &[u8], chunk: Chunk) -> Result<impl Iterator<Item = [usize; 3]> + '_, BeamError> {
    let table = || {
        let size = number(bytes)?.checked_mul(12)?;
        bytes.get(4..)?.get(..size)
    };
    let table = table().ok_or(BeamError::BadChunk {
        chunk: chunk.name(),
    })?;
    let field = |entry: &[u8], index| number(&entry[index..]).expect("an entry has twelve bytes");
    Ok(table
        .chunks_exact(12)
        .map(move |e| [field(e, 0), field(e, 4), field(e, 8)]))
}
