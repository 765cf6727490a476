//! Renames a module, so that functions of a new version can run beside the old one.
//!
//! The atom with the number 1 is the name of a module. It is replaced by the new name, and the old
//! name gets a number of its own, which replaces the number 1 wherever the module itself is not
//! meant: in tags of records, registered names and functions of that name. So the renamed module
//! behaves like the original, and its calls of itself stay within it.

use super::chunks::sections;
use super::instructions::{Operand, body, walk};
use super::opcodes::has_on_load;
use super::{AtomTable, BeamError, Chunk, Chunks};

/// Chunks that the loader needs and that name no module, or are rewritten.
const KEPT: [&[u8; 4]; 6] = [b"StrT", b"LitT", b"Meta", b"Line", b"Type", b"Attr"];
/// Chunks that only tools read.
const DROPPED: [&[u8; 4]; 7] = [
    b"Dbgi", b"Docs", b"LocT", b"CInf", b"ExCk", b"Abst", b"DbgB",
];

/// The module in `bytes` under the name `name`, without debug information.
pub fn shadow(bytes: &[u8], name: &str) -> Result<Vec<u8>, BeamError> {
    let chunks = Chunks::parse(bytes)?;
    if chunks.get(Chunk::Code).is_some_and(has_on_load) {
        return Err(BeamError::OnLoad);
    }
    let atoms = AtomTable::parse(&chunks)?;
    let own = atoms.len() + 1;
    let mut form = b"BEAM".to_vec();
    for section in sections(bytes)? {
        let (id, content) = section?;
        let bad = |chunk: Chunk| BeamError::BadChunk {
            chunk: chunk.name(),
        };
        let content = match id {
            b"AtU8" => renamed_atoms(content, &atoms, name).ok_or_else(|| bad(Chunk::AtU8))?,
            b"Code" => renamed_code(content, own).ok_or_else(|| bad(Chunk::Code))?,
            b"ImpT" => renamed_table(content, 12, 4, own).ok_or_else(|| bad(Chunk::ImpT))?,
            b"ExpT" => renamed_table(content, 12, 0, own).ok_or_else(|| bad(Chunk::ExpT))?,
            b"FunT" => renamed_table(content, 24, 0, own).ok_or_else(|| bad(Chunk::FunT))?,
            _ if KEPT.iter().any(|kept| *kept == id) => content.to_vec(),
            _ if DROPPED.iter().any(|dropped| *dropped == id) => continue,
            // What this chunk names is not known.
            _ => return Err(BeamError::BadChunk { chunk: "unknown" }),
        };
        push_chunk(&mut form, id, &content);
    }
    let mut file = b"FOR1".to_vec();
    file.extend(length(form.len()).to_be_bytes());
    file.extend(form);
    Ok(file)
}

fn push_chunk(form: &mut Vec<u8>, id: &[u8], content: &[u8]) {
    form.extend(id);
    form.extend(length(content.len()).to_be_bytes());
    form.extend(content);
    form.resize(form.len().next_multiple_of(4), 0);
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("a module has MAX_BYTES at most")
}

/// In the encoding of the original table: OTP 28 and later negate the count and write compact
/// lengths.
fn renamed_atoms(chunk: &[u8], atoms: &AtomTable<'_>, name: &str) -> Option<Vec<u8>> {
    let count = i32::try_from(atoms.len() + 1).ok()?;
    let compact = i32::from_be_bytes(*chunk.first_chunk::<4>()?) < 0;
    let mut table = if compact { -count } else { count }.to_be_bytes().to_vec();
    let texts = atoms.bytes();
    let (own, others) = texts.split_first()?;
    for text in [name.as_bytes()].iter().chain(others).chain([own]) {
        if compact {
            push_compact(&mut table, 0, text.len())?;
        } else {
            table.push(u8::try_from(text.len()).ok()?);
        }
        table.extend_from_slice(text);
    }
    Some(table)
}

/// A table after its count; in each entry, `field` is the number of an atom that is not the name of
/// a module.
fn renamed_table(chunk: &[u8], entry: usize, field: usize, own: usize) -> Option<Vec<u8>> {
    let own = u32::try_from(own).ok()?.to_be_bytes();
    let mut table = chunk.to_vec();
    for entry in table.get_mut(4..)?.chunks_exact_mut(entry) {
        let name = entry.get_mut(field..field + 4)?;
        if *name == 1_u32.to_be_bytes() {
            name.copy_from_slice(&own);
        }
    }
    Some(table)
}

fn renamed_code(chunk: &[u8], own: usize) -> Option<Vec<u8>> {
    const FUNC_INFO: u8 = 2;
    let code = body(chunk)?;
    let mut renamed = chunk.get(..chunk.len() - code.len())?.to_vec();
    let mut copied = 0;
    let mut short = false;
    walk(code, |instruction| {
        for (place, placed) in instruction.operands.iter().enumerate() {
            // The module in `func_info` is the module itself.
            let itself = instruction.opcode == FUNC_INFO && place == 0;
            if placed.operand == Operand::Atom(1) && !itself {
                renamed.extend_from_slice(&code[copied..placed.range.start]);
                short |= push_compact(&mut renamed, 2, own).is_none();
                copied = placed.range.end;
            }
        }
    })?;
    renamed.extend_from_slice(&code[copied..]);
    (!short).then_some(renamed)
}

/// `beam_asm:encode/2` of a tag and a number.
fn push_compact(bytes: &mut Vec<u8>, tag: u8, number: usize) -> Option<()> {
    let number = u32::try_from(number).ok()?;
    let [highest, high, middle, low] = number.to_be_bytes();
    match number {
        0..16 => bytes.push(low << 4 | tag),
        16..0x800 => bytes.extend([middle << 5 | 0b1000 | tag, low]),
        0x800..0x8000 => bytes.extend([0b0001_1000 | tag, middle, low]),
        // A number of three or four bytes; the first must not look negative.
        0x8000..0x80_0000 => bytes.extend([0b0011_1000 | tag, high, middle, low]),
        0x80_0000..0x8000_0000 => bytes.extend([0b0101_1000 | tag, highest, high, middle, low]),
        _ => return None,
    }
    Some(())
}
