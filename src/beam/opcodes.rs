//! Just enough of the instruction set to find one instruction: `on_load`, which marks the function
//! that runs when the module is loaded. No other chunk tells.

use super::chunks::number;

/// `beam_opcodes:opname(149)`.
const ON_LOAD: u8 = 149;

/// How many bytes are looked at together.
const BLOCK: usize = 64;

/// `beam_opcodes:opname(1)`.
pub(super) const LABEL: u8 = 1;

/// How many arguments the instructions 1, 2, ... have: `beam_opcodes:opname/1` of OTP 29. Numbers are
/// never reused, later releases add to the end.
pub(super) const ARITIES: &[u8] = &[
    1, 3, 0, 2, 3, 2, 2, 3, 2, 4, 5, 2, 3, 2, 3, 2, 1, 1, 0, 0, 0, 0, 2, 1, 1, 2, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 1, 2, 1, 2,
    3, 3, 3, 3, 3, 2, 1, 1, 0, 1, 1, 3, 2, 2, 2, 5, 5, 5, 4, 2, 1, 1, 2, 2, 5, 5, 5, 2, 1, 0, 1, 2,
    2, 4, 4, 4, 4, 3, 1, 2, 1, 1, 1, 2, 6, 3, 5, 1, 2, 2, 3, 5, 7, 7, 7, 5, 3, 2, 2, 5, 6, 2, 2, 2,
    2, 1, 3, 4, 0, 8, 6, 2, 6, 5, 4, 5, 4, 5, 4, 3, 3, 3, 3, 3, 0, 1, 1, 7, 1, 5, 5, 2, 3, 3, 4, 0,
    0, 2, 2, 2, 3, 4, 3, 2, 2, 4, 3, 1, 2, 1, 1, 1, 6, 3, 0, 1, 5, 3, 2, 4, 6, 2, 4, 3, 6, 3,
];

/// How deep lists nest in arguments; the compiler nests one level.
pub(super) const MAX_NESTING: usize = 4;

/// Whether the instructions of a `Code` chunk contain `on_load`. Stops at the first instruction that
/// it does not know and answers `false`.
pub(super) fn has_on_load(code: &[u8]) -> bool {
    let instructions = number(code).and_then(|header| code.get(header.checked_add(4)?..));
    instructions.is_some_and(|code| may_have_on_load(code) && find_on_load(code))
}

/// A quick look that spares most modules the slow one: `on_load` follows the label of its function.
fn may_have_on_load(code: &[u8]) -> bool {
    let follows_label = |at: usize| match code[..at] {
        [.., LABEL, number] => number & 0b1111 == 0,
        _ => false,
    } || match code[..at] {
        [.., LABEL, high, _low] => high & 0b1_1111 == 0b0_1000,
        _ => false,
    } || match code[..at] {
        [.., LABEL, length, _, _] => length == 0b0001_1000,
        _ => false,
    };
    // Blocks without the byte, most of them, are passed over many bytes at a time.
    let blocks = (0..).step_by(BLOCK).zip(code.chunks(BLOCK));
    let here = blocks.filter(|(_, block)| {
        block
            .iter()
            .fold(false, |any, &byte| any | (byte == ON_LOAD))
    });
    here.into_iter().any(|(start, block)| {
        let at = block
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == ON_LOAD);
        at.into_iter()
            .any(|(offset, _)| follows_label(start + offset))
    })
}

fn find_on_load(mut code: &[u8]) -> bool {
    while let Some((&opcode, rest)) = code.split_first() {
        if opcode == ON_LOAD {
            return true;
        }
        let arity = usize::from(opcode)
            .checked_sub(1)
            .and_then(|index| ARITIES.get(index));
        let Some(rest) = arity.and_then(|&arity| skip(rest, usize::from(arity), MAX_NESTING))
        else {
            return false;
        };
        code = rest;
    }
    false
}

fn skip(mut bytes: &[u8], arguments: usize, nesting: usize) -> Option<&[u8]> {
    for _ in 0..arguments {
        bytes = skip_argument(bytes, nesting)?;
    }
    Some(bytes)
}

// Compact terms: chapter "BEAM file format", and beam_asm:encode/2.
fn skip_argument(bytes: &[u8], nesting: usize) -> Option<&[u8]> {
    let (&first, rest) = bytes.split_first()?;
    if first & 0b111 != 0b111 {
        return skip_number(first, rest);
    }
    let nesting = nesting.checked_sub(1)?;
    match first >> 4 {
        // A list, its length in front.
        1 => {
            let (length, rest) = small(rest)?;
            skip(rest, length, nesting)
        }
        // A floating point register; a literal.
        2 | 4 => skip(rest, 1, nesting),
        // What an allocation needs: pairs of kind and number.
        3 => {
            let (length, rest) = small(rest)?;
            skip(rest, length.checked_mul(2)?, nesting)
        }
        // A register with the type that it holds.
        5 => skip(rest, 2, nesting),
        _ => None,
    }
}

pub(super) fn skip_number(first: u8, rest: &[u8]) -> Option<&[u8]> {
    if first & 0b1000 == 0 {
        return Some(rest);
    }
    if first & 0b1_0000 == 0 {
        return rest.get(1..);
    }
    let length = usize::from(first >> 5);
    if length < 7 {
        return rest.get(length + 2..);
    }
    let (more, rest) = small(rest)?;
    rest.get(more.checked_add(9)?..)
}

pub(super) fn small(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first & 0b1000 == 0 {
        return Some((usize::from(first >> 4), rest));
    }
    if first & 0b1_0000 == 0 {
        let (&low, rest) = rest.split_first()?;
        return Some((
            usize::from(first & 0b1110_0000) << 3 | usize::from(low),
            rest,
        ));
    }
    let length = usize::from(first >> 5) + 2;
    let (bytes, rest) = rest.split_at_checked(length)?;
    let value = bytes.iter().try_fold(0_usize, |value, &byte| {
        value
            .checked_mul(256)
            .map(|value| value | usize::from(byte))
    })?;
    Some((value, rest))
}
