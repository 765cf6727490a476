//! The segments of a binary: their types, and how a value is written in them, as `erl_bits` and
//! `eval_bits` have it.

use crate::term::{BitWriter, Term};
use num_bigint::BigInt;

/// What stands after `:` in a segment.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Size {
    Default,
    All,
    Undefined,
    Units(usize),
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Integer,
    Float,
    Binary,
    Utf8,
    Utf16,
    Utf32,
}

/// What stands after `/` in a segment; `None` is not given.
#[derive(Default)]
pub(super) struct Specifiers {
    kind: Option<Kind>,
    little: Option<bool>,
    signed: Option<bool>,
    unit: Option<usize>,
}

/// How a value is written.
pub(super) struct Format {
    kind: Kind,
    little: bool,
    /// How many bits; `None` where the value says so.
    bits: Option<usize>,
    unit: usize,
}

impl Specifiers {
    /// Adds one; `None` where there is none of that name or it contradicts an earlier one.
    pub(super) fn add(&mut self, name: &str, unit: Option<&Term>) -> Option<()> {
        if let Some(unit) = unit {
            let unit = usize::try_from(unit.as_integer()?).ok()?;
            let sound = name == "unit" && (1..=256).contains(&unit);
            return sound.then(|| set(&mut self.unit, unit)).flatten();
        }
        match name {
            "integer" => set(&mut self.kind, Kind::Integer),
            "float" => set(&mut self.kind, Kind::Float),
            "utf8" => set(&mut self.kind, Kind::Utf8),
            "utf16" => set(&mut self.kind, Kind::Utf16),
            "utf32" => set(&mut self.kind, Kind::Utf32),
            "binary" => set(&mut self.kind, Kind::Binary),
            "bytes" => set(&mut self.kind, Kind::Binary).and(set(&mut self.unit, 8)),
            "bitstring" | "bits" => set(&mut self.kind, Kind::Binary).and(set(&mut self.unit, 1)),
            "big" => set(&mut self.little, false),
            "little" => set(&mut self.little, true),
            "native" => set(&mut self.little, cfg!(target_endian = "little")),
            "signed" => set(&mut self.signed, true),
            "unsigned" => set(&mut self.signed, false),
            _ => None,
        }
    }

    /// The format with the defaults of `erl_bits`; `None` for combinations that it refuses.
    pub(super) fn format(&self, size: Size) -> Option<Format> {
        let kind = self.kind.unwrap_or(Kind::Integer);
        let little = self.little.unwrap_or(false);
        let (default_units, default_unit) = match kind {
            Kind::Integer => (Some(8), 1),
            Kind::Float => (Some(64), 1),
            Kind::Binary => (None, 8),
            Kind::Utf8 | Kind::Utf16 | Kind::Utf32 => {
                let plain = matches!(size, Size::Default | Size::Undefined) && self.unit.is_none();
                return plain.then_some(Format {
                    kind,
                    little,
                    bits: None,
                    unit: 1,
                });
            }
        };
        let unit = self.unit.unwrap_or(default_unit);
        let units = match size {
            Size::Default if self.unit.is_some() && kind != Kind::Binary => return None,
            Size::Default => default_units,
            Size::All if kind == Kind::Binary => None,
            Size::Units(units) => Some(units),
            Size::All | Size::Undefined => return None,
        };
        let bits = match units {
            Some(units) => Some(units.checked_mul(unit)?),
            None => None,
        };
        Some(Format {
            kind,
            little,
            bits,
            unit,
        })
    }
}

/// Sets what is not set, or is set to the same.
fn set<T: PartialEq + Copy>(field: &mut Option<T>, value: T) -> Option<()> {
    (*field.get_or_insert(value) == value).then_some(())
}

impl Format {
    /// `value` in this format; `None` where that cannot be, or has more than `budget` bits.
    pub(super) fn write(&self, value: &Term, budget: usize) -> Option<BitWriter> {
        let mut writer = BitWriter::default();
        if self.bits.is_some_and(|bits| bits > budget) {
            return None;
        }
        match (self.kind, self.bits) {
            (Kind::Integer, Some(bits)) => self.integer(&integer(value)?, bits, &mut writer),
            (Kind::Float, Some(bits)) => {
                let bytes = float_bytes(value, bits)?;
                self.bytes(&bytes, &mut writer);
            }
            (Kind::Binary, bits) => {
                let (bytes, length) = bit_parts(value)?;
                let bits = bits.unwrap_or(length);
                let sound = bits <= length && (self.bits.is_some() || length % self.unit == 0);
                writer.push(sound.then(|| &bytes[..bits.div_ceil(8)])?, bits);
            }
            (Kind::Utf8, _) => {
                let character = value.as_char()?;
                writer.push(
                    character.encode_utf8(&mut [0; 4]).as_bytes(),
                    character.len_utf8() * 8,
                );
            }
            (Kind::Utf16, _) => {
                for unit in value.as_char()?.encode_utf16(&mut [0; 2]) {
                    self.bytes(&unit.to_be_bytes(), &mut writer);
                }
            }
            (Kind::Utf32, _) => {
                self.bytes(&u32::from(value.as_char()?).to_be_bytes(), &mut writer);
            }
            _ => return None,
        }
        Some(writer)
    }

    fn integer(&self, integer: &BigInt, bits: usize, writer: &mut BitWriter) {
        if self.little {
            writer.push_integer_little(integer, bits);
        } else {
            writer.push_integer(integer, bits);
        }
    }

    /// Whole bytes, high byte first, in this format's order.
    fn bytes(&self, big: &[u8], writer: &mut BitWriter) {
        let mut bytes = big.to_vec();
        if self.little {
            bytes.reverse();
        }
        writer.push(&bytes, bytes.len() * 8);
    }
}

fn integer(value: &Term) -> Option<BigInt> {
    match value {
        Term::Integer(integer) => Some(BigInt::from(*integer)),
        Term::BigInteger(integer) => Some((**integer).clone()),
        _ => None,
    }
}

fn bit_parts(value: &Term) -> Option<(&[u8], usize)> {
    match value {
        Term::Binary(bytes) => Some((bytes, bytes.len() * 8)),
        Term::BitString(bytes, bits) => Some((bytes, bytes.len() * 8 - 8 + usize::from(*bits))),
        _ => None,
    }
}

/// A float of 16, 32 or 64 bits, high byte first. One too large for 16 bits becomes infinite, as in
/// OTP; one too large for 32 is refused.
fn float_bytes(value: &Term, bits: usize) -> Option<Vec<u8>> {
    let float = match value {
        Term::Float(float) => *float,
        Term::Integer(integer) => *integer as f64,
        Term::BigInteger(integer) => integer.to_string().parse().ok()?,
        _ => return None,
    };
    match bits {
        _ if !float.is_finite() => None,
        64 => Some(float.to_be_bytes().to_vec()),
        32 => Some((float as f32).to_be_bytes().to_vec()).filter(|_| (float as f32).is_finite()),
        16 => Some(half(float).to_be_bytes().to_vec()),
        _ => None,
    }
}

/// The nearest 16-bit float, by way of the nearest 32-bit one as in OTP; ties go to even.
fn half(float: f64) -> u16 {
    let single = (float as f32).to_bits();
    let sign = ((single >> 16) & 0x8000) as u16;
    let exponent = ((single >> 23) & 0xFF) as i32 - 127 + 15;
    let mantissa = single & 0x7F_FFFF;
    let round = |value: u32, shift: u32| {
        let (kept, rest, middle) = (value >> shift, value & ((1 << shift) - 1), 1 << (shift - 1));
        kept + u32::from(rest > middle || (rest == middle && kept & 1 == 1))
    };
    let magnitude = match exponent {
        31.. => 0x7C00,
        // A carry out of the mantissa goes to the exponent, which is what is wanted.
        1..31 => ((exponent as u32) << 10) + round(mantissa, 13),
        -10..1 => round(mantissa | 0x80_0000, (14 - exponent) as u32),
        _ => 0,
    };
    sign | magnitude as u16
}
