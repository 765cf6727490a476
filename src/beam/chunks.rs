//! The chunk table of a module: an IFF form of chunks, each padded to four bytes.

use super::BeamError;

/// The chunks that the engine looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Chunk {
    /// `Atom`: atoms in Latin-1, of very old compilers.
    Atom,
    /// `AtU8`: atoms in UTF-8.
    AtU8,
    /// `Code`: the instructions.
    Code,
    /// `StrT`: what binaries are matched against.
    StrT,
    /// `ImpT`: imported functions.
    ImpT,
    /// `ExpT`: exported functions.
    ExpT,
    /// `FunT`: anonymous functions.
    FunT,
    /// `LitT`: literals.
    LitT,
    /// `Meta`: features the module was compiled with.
    Meta,
    /// `Attr`: module attributes, dropped by stripping.
    Attr,
    /// `CInf`: the compiler and its options, dropped by stripping.
    CInf,
    /// `Dbgi`: debug information, there on request and dropped by stripping.
    Dbgi,
}

impl Chunk {
    /// How many there are.
    const COUNT: usize = 12;

    /// The chunks that make up a module's MD5, in the order in which they enter it.
    pub const CODE: [Self; 9] = [
        Self::Atom,
        Self::AtU8,
        Self::Code,
        Self::StrT,
        Self::ImpT,
        Self::ExpT,
        Self::FunT,
        Self::LitT,
        Self::Meta,
    ];

    /// The four letters of the chunk.
    pub fn name(self) -> &'static str {
        match self {
            Self::Atom => "Atom",
            Self::AtU8 => "AtU8",
            Self::Code => "Code",
            Self::StrT => "StrT",
            Self::ImpT => "ImpT",
            Self::ExpT => "ExpT",
            Self::FunT => "FunT",
            Self::LitT => "LitT",
            Self::Meta => "Meta",
            Self::Attr => "Attr",
            Self::CInf => "CInf",
            Self::Dbgi => "Dbgi",
        }
    }

    fn of(id: &[u8]) -> Option<Self> {
        Some(match id {
            b"Atom" => Self::Atom,
            b"AtU8" => Self::AtU8,
            b"Code" => Self::Code,
            b"StrT" => Self::StrT,
            b"ImpT" => Self::ImpT,
            b"ExpT" => Self::ExpT,
            b"FunT" => Self::FunT,
            b"LitT" => Self::LitT,
            b"Meta" => Self::Meta,
            b"Attr" => Self::Attr,
            b"CInf" => Self::CInf,
            b"Dbgi" => Self::Dbgi,
            _ => return None,
        })
    }
}

/// How many chunks are looked at; OTP's compiler writes about twenty.
const MAX_CHUNKS: usize = 4096;

/// Where the chunks of a module are, in the bytes of an uncompressed file.
#[derive(Clone, Copy, Debug)]
pub struct Chunks<'a> {
    found: [Option<&'a [u8]>; Chunk::COUNT],
}

impl<'a> Chunks<'a> {
    /// The chunk table of `bytes`. The first of several chunks of one name counts.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BeamError> {
        let mut chunks = Self {
            found: [None; Chunk::COUNT],
        };
        for section in sections(bytes)? {
            let (id, content) = section?;
            if let Some(chunk) = Chunk::of(id) {
                chunks.found[chunk as usize].get_or_insert(content);
            }
        }
        Ok(chunks)
    }

    /// A chunk's content, where the module has it.
    pub fn get(&self, chunk: Chunk) -> Option<&'a [u8]> {
        self.found[chunk as usize]
    }

    /// A chunk's content that every module has.
    pub fn require(&self, chunk: Chunk) -> Result<&'a [u8], BeamError> {
        let chunk_name = chunk.name();
        self.get(chunk)
            .ok_or(BeamError::MissingChunk { chunk: chunk_name })
    }
}

/// A chunk's four letters and its content.
type Section<'a> = (&'a [u8], &'a [u8]);

/// Every chunk of `bytes` in the order of the file.
pub(super) fn sections(
    bytes: &[u8],
) -> Result<impl Iterator<Item = Result<Section<'_>, BeamError>>, BeamError> {
    let header = bytes.first_chunk::<12>().ok_or(BeamError::NotBeam)?;
    if &header[..4] != b"FOR1" || &header[8..] != b"BEAM" {
        return Err(BeamError::NotBeam);
    }
    let length = number(&header[4..8]).ok_or(BeamError::NotBeam)?;
    // The length counts what follows it.
    let mut rest = bytes
        .get(12..length.saturating_add(8))
        .ok_or(BeamError::Truncated)?;
    let mut left = MAX_CHUNKS;
    Ok(std::iter::from_fn(move || {
        // Less than a header at the end is padding.
        let (header, body) = rest.split_at_checked(8)?;
        rest = &[];
        let Some(fewer) = left.checked_sub(1) else {
            return Some(Err(BeamError::NotBeam));
        };
        left = fewer;
        let (id, size) = header.split_at(4);
        let content = number(size).and_then(|size| Some((size, body.get(..size)?)));
        let Some((size, content)) = content else {
            return Some(Err(BeamError::Truncated));
        };
        // The padding of the last chunk may be missing.
        rest = body.get(size.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok((id, content)))
    }))
}

/// A big-endian 32-bit number at the start of `bytes`.
pub(super) fn number(bytes: &[u8]) -> Option<usize> {
    let bytes = bytes.first_chunk::<4>()?;
    usize::try_from(u32::from_be_bytes(*bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beam(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut body = b"BEAM".to_vec();
        for (id, content) in chunks {
            body.extend_from_slice(*id);
            body.extend_from_slice(&u32::try_from(content.len()).unwrap().to_be_bytes());
            body.extend_from_slice(content);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut bytes = b"FOR1".to_vec();
        bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    #[test]
    fn chunks_are_found_by_name() {
        let bytes = beam(&[(b"Code", b"abcde"), (b"Xyzw", b"?"), (b"Attr", b"q")]);
        let chunks = Chunks::parse(&bytes).unwrap();
        assert_eq!(chunks.get(Chunk::Code), Some(&b"abcde"[..]));
        assert_eq!(chunks.get(Chunk::Attr), Some(&b"q"[..]));
        assert_eq!(chunks.get(Chunk::LitT), None);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = beam(&[(b"Code", b"abcde"), (b"Attr", b"qrst")]);
        for length in 0..bytes.len() {
            assert!(Chunks::parse(&bytes[..length]).is_err(), "{length}");
        }
        assert!(Chunks::parse(&bytes).is_ok());
    }

    #[test]
    fn a_length_beyond_the_file_is_an_error() {
        let mut bytes = beam(&[(b"Code", b"abcd")]);
        bytes[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(Chunks::parse(&bytes).unwrap_err(), BeamError::Truncated);
    }

    #[test]
    fn something_else_is_not_a_beam() {
        assert_eq!(
            Chunks::parse(b"#!/bin/sh\nexit 0\n").unwrap_err(),
            BeamError::NotBeam
        );
    }
}
