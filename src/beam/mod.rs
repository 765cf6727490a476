//! BEAM files: chunk table, atoms, imports, exports, attributes, module MD5.
//!
//! Reads files and nothing else: no code is loaded, no atom made. Every length in a file is checked
//! before it is used, every size is capped before it is allocated.
//!
//! The format is described in OTP's "BEAM file format" chapter of the internal documentation of ERTS;
//! what counts as the code of a module is `beam_lib:md5/1`'s own list.

mod atoms;
mod chunks;
mod digest;
mod effects;
mod file;
mod harmless;
mod instructions;
mod literals;
mod module;
mod opcodes;
mod releases;
mod shadow;

pub use atoms::AtomTable;
pub use chunks::{Chunk, Chunks};
pub use digest::{Difference, compare_code, module_md5};
pub use effects::{Effect, Effects, effects};
pub use file::{MAX_BYTES, Reader, read};
pub use literals::{literals, terms as literal_terms};
pub use module::{Function, Import, Module};
pub use releases::Releases;
pub use shadow::shadow;

use std::path::PathBuf;

use thiserror::Error;

use crate::term::{Atom, Term};

/// Why a file cannot be used as a module.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BeamError {
    /// The operating system refuses the file.
    #[error("cannot be read: {posix}")]
    Unreadable {
        /// The POSIX name of the error, `enoent` for instance.
        posix: &'static str,
    },
    /// A directory, device, socket or pipe.
    #[error("is not a regular file")]
    NotRegular,
    /// Larger than [`MAX_BYTES`], packed or unpacked.
    #[error("is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// Neither a BEAM file nor a compressed one.
    #[error("is not a BEAM file")]
    NotBeam,
    /// Ends before the length that it gives.
    #[error("ends too early")]
    Truncated,
    /// Compressed data that cannot be unpacked.
    #[error("cannot be decompressed")]
    BadCompression,
    /// A chunk that every module has is not there.
    #[error("has no chunk {chunk}")]
    MissingChunk {
        /// The four letters of the chunk.
        chunk: &'static str,
    },
    /// A chunk whose content contradicts its format.
    #[error("has a corrupt chunk {chunk}")]
    BadChunk {
        /// The four letters of the chunk.
        chunk: &'static str,
    },
    /// A module that cannot have another name: what it does when it is loaded would be done again.
    #[error("runs a function when it is loaded")]
    OnLoad,
    /// The module in the file has another name than the file.
    #[error("holds the module {module}")]
    WrongName {
        /// The module's own name.
        module: Atom,
    },
}

impl BeamError {
    /// The Erlang term that says the same: an atom, or a tuple with the detail.
    pub fn reason(&self) -> Term {
        match self {
            Self::Unreadable { posix } => atom(posix),
            Self::NotRegular => atom("not_a_regular_file"),
            Self::TooLarge => atom("too_large"),
            Self::NotBeam => atom("not_a_beam_file"),
            Self::Truncated => atom("truncated"),
            Self::BadCompression => atom("bad_compression"),
            Self::MissingChunk { chunk } => tagged("missing_chunk", chunk),
            Self::BadChunk { chunk } => tagged("bad_chunk", chunk),
            Self::OnLoad => atom("on_load"),
            Self::WrongName { module } => {
                Term::Tuple(vec![atom("wrong_module_name"), Term::Atom(module.clone())])
            }
        }
    }
}

/// A [`BeamError`] and the file it is about.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", file.display())]
pub struct BeamFileError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub source: BeamError,
}

impl BeamFileError {
    /// `{bad_beam, File, Why}`.
    pub fn reason(&self) -> Term {
        let file = Term::String(self.file.to_string_lossy().as_ref().into());
        Term::Tuple(vec![atom("bad_beam"), file, self.source.reason()])
    }
}

fn atom(text: &str) -> Term {
    Term::Atom(Atom::new(text).expect("a short literal"))
}

fn tagged(tag: &str, chunk: &str) -> Term {
    Term::Tuple(vec![atom(tag), Term::String(chunk.into())])
}
