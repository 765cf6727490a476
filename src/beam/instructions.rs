//! The instructions of a `Code` chunk, one after the other, with those operands that name something:
//! atoms, labels, entries of tables.
//!
//! Compact terms are described in the chapter "BEAM file format"; `beam_asm:encode/2` writes them.

use std::ops::Range;

use super::chunks::number;
use super::opcodes::{ARITIES, MAX_NESTING, skip_number, small};

/// How many operands an instruction may have; a `case` over a hundred thousand values has twice as many.
const MAX_OPERANDS: usize = 1 << 20;

/// What an operand names. Registers and integers are [`Operand::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// A number: an arity, or the place in a table.
    Number(usize),
    /// The number of an atom; 0 is the empty list.
    Atom(usize),
    /// A label.
    Label(usize),
    /// Anything else.
    Other,
}

/// An operand and where it is in the code. Of what is in a list, every element has an entry.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub operand: Operand,
    pub range: Range<usize>,
}

/// An instruction.
#[derive(Clone, Debug)]
pub(super) struct Instruction {
    pub opcode: u8,
    pub operands: Vec<Placed>,
}

impl Instruction {
    /// What the operand of a place, from 0, is.
    pub fn operand(&self, place: usize) -> Option<Operand> {
        self.operands.get(place).map(|placed| placed.operand)
    }
}

/// The code behind the header of the chunk.
pub(super) fn body(chunk: &[u8]) -> Option<&[u8]> {
    let header = number(chunk)?.checked_add(4)?;
    chunk.get(header..)
}

/// Calls `each` with every instruction of `code`, in order. `None` where one is not known, or not whole.
pub(super) fn walk(code: &[u8], mut each: impl FnMut(&Instruction)) -> Option<()> {
    const END: u8 = 3;
    let mut instruction = Instruction {
        opcode: 0,
        operands: Vec::new(),
    };
    let mut at = 0;
    while let Some(&opcode) = code.get(at) {
        let arity = *ARITIES.get(usize::from(opcode).checked_sub(1)?)?;
        instruction.opcode = opcode;
        instruction.operands.clear();
        at += 1;
        for _ in 0..arity {
            at = operand(code, at, MAX_NESTING, &mut instruction.operands)?;
        }
        each(&instruction);
        if opcode == END {
            break;
        }
    }
    Some(())
}

fn operand(code: &[u8], at: usize, nesting: usize, found: &mut Vec<Placed>) -> Option<usize> {
    if found.len() >= MAX_OPERANDS {
        return None;
    }
    let bytes = code.get(at..)?;
    let (&first, rest) = bytes.split_first()?;
    let (operand, rest) = match first & 0b111 {
        0 => numbered(bytes, Operand::Number)?,
        2 => numbered(bytes, Operand::Atom)?,
        5 => numbered(bytes, Operand::Label)?,
        7 => return extended(code, at, nesting, found),
        _ => (Operand::Other, skip_number(first, rest)?),
    };
    let end = code.len() - rest.len();
    let range = at..end;
    found.push(Placed { operand, range });
    Some(end)
}

fn numbered(bytes: &[u8], kind: fn(usize) -> Operand) -> Option<(Operand, &[u8])> {
    let (value, rest) = small(bytes)?;
    Some((kind(value), rest))
}

fn extended(code: &[u8], at: usize, nesting: usize, found: &mut Vec<Placed>) -> Option<usize> {
    let nesting = nesting.checked_sub(1)?;
    let rest = code.get(at + 1..)?;
    let list = |factor: usize| {
        let (length, rest) = small(rest)?;
        Some((length.checked_mul(factor)?, code.len() - rest.len()))
    };
    let (count, mut inner) = match code.get(at)? >> 4 {
        // A list, its length in front.
        1 => list(1)?,
        // A floating point register; a literal.
        2 | 4 => (1, at + 1),
        // What an allocation needs: pairs of kind and number.
        3 => list(2)?,
        // A register with the type that it holds.
        5 => (2, at + 1),
        _ => return None,
    };
    let whole = matches!(code.get(at)? >> 4, 2 | 4 | 5);
    let before = found.len();
    for _ in 0..count {
        inner = operand(code, inner, nesting, found)?;
    }
    if whole {
        // One operand to the instruction, and nothing that it names is an atom or a label.
        found.truncate(before);
        found.push(Placed {
            operand: Operand::Other,
            range: at..inner,
        });
    }
    Some(inner)
}
