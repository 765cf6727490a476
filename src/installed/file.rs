//! Reading small files of terms.

use crate::application::Fault;
use crate::file::{Buffer, Place, ReadError};
use crate::term::{Limits, Term, text};

/// The most bytes that a file about an application may have. The largest `.app` files of OTP have
/// thousands; ten thousand modules take a few hundred thousand.
const MAX_BYTES: u64 = 4 << 20;

/// Reads `file` into `buffer`.
pub fn read<'a>(file: impl Into<Place<'a>>, buffer: &mut Buffer) -> Result<(), Fault> {
    match buffer.read(file.into(), MAX_BYTES) {
        Ok(()) => Ok(()),
        Err(ReadError::System(posix)) => Err(Fault::Unreadable { posix }),
        Err(ReadError::NotRegular) => Err(Fault::NotRegular),
        Err(ReadError::TooLarge) => Err(Fault::TooLarge { limit: MAX_BYTES }),
    }
}

/// The terms in `file`; `buffer` is what it is read into, to be used again.
pub fn terms<'a>(file: impl Into<Place<'a>>, buffer: &mut Buffer) -> Result<Vec<Term>, Fault> {
    read(file, buffer)?;
    Ok(text::parse_all(buffer.content(), &Limits::default())?)
}
