//! The last release of OTP that loads a module: instructions go out of use.

use super::chunks::{Chunk, Chunks};
use super::instructions::{body, walk};

/// `beam_opcodes:opname(131)`, `bs_test_unit`: OTP 25 and earlier make it of the end of a pattern such as
/// `<<Size:32, Rest/binary>>`, OTP 29 does not load it.
const BS_TEST_UNIT: u8 = 131;
/// The last release that loads it.
const LAST_WITH_BS_TEST_UNIT: u32 = 28;

/// The last release that loads the module, where there is a later one that does not.
pub fn last_release(chunks: &Chunks<'_>) -> Option<u32> {
    let code = body(chunks.get(Chunk::Code)?)?;
    let mut found = false;
    walk(code, |instruction| {
        found |= instruction.opcode == BS_TEST_UNIT;
    });
    found.then_some(LAST_WITH_BS_TEST_UNIT)
}
