//! Compressed terms, which state their uncompressed length.

use super::{ExternalError, tag};
use crate::term::Limits;
use std::io::Read as _;

/// The uncompressed form of a compressed term, and the number of compressed bytes.
pub(super) fn plain(bytes: &[u8], limits: &Limits) -> Result<(Vec<u8>, usize), ExternalError> {
    let header = bytes.get(2..6).and_then(|size| size.try_into().ok());
    let size = u32::from_be_bytes(header.ok_or(ExternalError::Truncated)?) as usize;
    if size > limits.size {
        return Err(ExternalError::TooLong { limit: limits.size });
    }
    let mut plain = vec![tag::VERSION];
    let mut decoder = flate2::bufread::ZlibDecoder::new(bytes.get(6..).unwrap_or_default());
    // One byte more than announced shows that there is more, and makes the decoder check the
    // checksum.
    match decoder
        .by_ref()
        .take(size as u64 + 1)
        .read_to_end(&mut plain)
    {
        Ok(length) if length == size => Ok((plain, 6 + decoder.total_in() as usize)),
        _ => Err(ExternalError::Compression),
    }
}
