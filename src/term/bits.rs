//! Bit strings that are assembled from pieces of any number of bits.

use super::Term;
use num_bigint::{BigInt, Sign};

/// Collects bits; whole bytes at a byte's boundary cost no shifting.
#[derive(Debug, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    /// How many bits of the last byte are used; 0 if all are.
    used: u8,
}

impl BitWriter {
    /// The number of bits.
    pub fn len(&self) -> usize {
        self.bytes.len() * 8 - usize::from(if self.used == 0 { 0 } else { 8 - self.used })
    }

    /// Whether there are no bits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends the first `bits` bits of `bytes`; what is missing is zero.
    pub fn push(&mut self, bytes: &[u8], bits: usize) {
        if self.used == 0 && bits.is_multiple_of(8) && bytes.len() == bits / 8 {
            self.bytes.extend_from_slice(bytes);
            return;
        }
        let mut left = bits;
        let mut pieces = bytes.iter().copied().chain(std::iter::repeat(0));
        while left > 0 {
            let piece = pieces.next().unwrap_or(0);
            let taken = left.min(8) as u8;
            self.push_bits(piece & mask(taken), taken);
            left -= usize::from(taken);
        }
    }

    /// Appends the low `bits` bits of `integer` in two's complement, high byte first.
    pub fn push_integer(&mut self, integer: &BigInt, bits: usize) {
        let mut bytes = two_complement(integer, bits);
        bytes.reverse();
        let spare = (8 - bits % 8) % 8;
        if spare > 0 {
            shift_left(&mut bytes, spare as u8);
        }
        self.push(&bytes, bits);
    }

    /// Appends the low `bits` bits of `integer` in two's complement, low byte first. If `bits` is
    /// not a multiple of 8, the last piece holds the highest bits.
    pub fn push_integer_little(&mut self, integer: &BigInt, bits: usize) {
        let mut bytes = two_complement(integer, bits);
        let spare = (8 - bits % 8) % 8;
        if let Some(last) = bytes.last_mut() {
            *last <<= spare;
        }
        self.push(&bytes, bits);
    }

    /// Appends the bits of `other`.
    pub fn append(&mut self, other: BitWriter) {
        let bits = other.len();
        self.push(&other.bytes, bits);
    }

    /// The binary or bit string of everything that was appended.
    pub fn finish(self) -> Term {
        if self.used == 0 {
            Term::Binary(self.bytes)
        } else {
            Term::BitString(self.bytes, self.used)
        }
    }

    /// Appends the high `bits` (1 to 8) bits of `piece`, whose other bits are zero.
    fn push_bits(&mut self, piece: u8, bits: u8) {
        match self.bytes.last_mut() {
            Some(last) if self.used > 0 => {
                *last |= piece >> self.used;
                let free = 8 - self.used;
                if bits > free {
                    self.bytes.push(piece << free);
                }
            }
            _ => self.bytes.push(piece),
        }
        self.used = (self.used + bits) % 8;
    }
}

impl Term {
    /// The first `bits` bits of `bytes`: a binary where they are whole bytes.
    pub fn bit_string(bytes: &[u8], bits: usize) -> Self {
        let mut writer = BitWriter::default();
        writer.push(bytes, bits);
        writer.finish()
    }
}

/// The high `bits` (1 to 8) bits of a byte.
fn mask(bits: u8) -> u8 {
    0xFF << (8 - bits.clamp(1, 8))
}

/// The low `bits` bits of `integer` in two's complement, low byte first, other bits zero.
fn two_complement(integer: &BigInt, bits: usize) -> Vec<u8> {
    let mut bytes = integer.to_signed_bytes_le();
    let sign = if integer.sign() == Sign::Minus {
        0xFF
    } else {
        0
    };
    bytes.resize(bits.div_ceil(8), sign);
    if let (Some(last), part @ 1..) = (bytes.last_mut(), bits % 8) {
        *last &= 0xFF >> (8 - part);
    }
    bytes
}

/// Shifts high-byte-first `bytes` left by 1 to 7 bits.
fn shift_left(bytes: &mut [u8], bits: u8) {
    let mut carry = 0;
    for byte in bytes.iter_mut().rev() {
        let next = *byte >> (8 - bits);
        *byte = (*byte << bits) | carry;
        carry = next;
    }
}
