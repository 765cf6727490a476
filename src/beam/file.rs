//! Reading module files: whole, into a buffer that is used again, and unpacked where they are packed.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use super::BeamError;
use crate::file::{Buffer, Place, ReadError};

/// The most bytes that a module may have, packed or unpacked. The largest of OTP has three million.
pub const MAX_BYTES: u64 = 64 << 20;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A buffer for one file after the other.
#[derive(Debug, Default)]
pub struct Reader {
    raw: Buffer,
    unpacked: Vec<u8>,
    packed: bool,
}

impl Reader {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file. Its bytes are [`Reader::bytes`] until the next one is read.
    pub fn read<'a>(&mut self, file: impl Into<Place<'a>>) -> Result<(), BeamError> {
        self.packed = false;
        self.raw.read(file.into(), MAX_BYTES)?;
        if self.raw().starts_with(&GZIP) {
            self.unpack()?;
        }
        Ok(())
    }

    /// The bytes of the file as they are in it, packed or not.
    pub fn raw(&self) -> &[u8] {
        self.raw.content()
    }

    /// The bytes of the module.
    pub fn bytes(&self) -> &[u8] {
        if self.packed {
            &self.unpacked
        } else {
            self.raw()
        }
    }

    fn unpack(&mut self) -> Result<(), BeamError> {
        self.unpacked.clear();
        let mut unpacked = GzDecoder::new(self.raw.content()).take(MAX_BYTES + 1);
        unpacked
            .read_to_end(&mut self.unpacked)
            .map_err(|_| BeamError::BadCompression)?;
        if self.unpacked.len() as u64 > MAX_BYTES {
            self.unpacked = Vec::new();
            return Err(BeamError::TooLarge);
        }
        self.packed = true;
        Ok(())
    }
}

/// The bytes of one module file.
pub fn read(path: &Path) -> Result<Vec<u8>, BeamError> {
    let mut reader = Reader::new();
    reader.read(path)?;
    Ok(match reader.packed {
        true => reader.unpacked,
        false => reader.raw.take(),
    })
}

impl From<ReadError> for BeamError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::System(posix) => Self::Unreadable { posix },
            ReadError::NotRegular => Self::NotRegular,
            ReadError::TooLarge => Self::TooLarge,
        }
    }
}
