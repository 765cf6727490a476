//! Numbers and signs.

use super::Parser;
use super::error::{Fault, Step};
use crate::term::Term;
use num_bigint::BigInt;
use num_bigint::ToBigInt as _;

impl Parser<'_> {
    /// A number or character with its sign, or in parentheses after its sign.
    #[inline(never)]
    pub(super) fn signed(&mut self) -> Step {
        let negative = self.peek() == Some(b'-');
        self.at += 1;
        self.skip_blanks();
        let mut parentheses = 0;
        while self.peek() == Some(b'(') {
            parentheses += 1;
            self.at += 1;
            self.skip_blanks();
        }
        match self.peek() {
            Some(b'0'..=b'9') => self.number()?,
            Some(b'$') => self.character()?,
            _ => return Err(self.unexpected()),
        }
        for _ in 0..parentheses {
            self.expect(b')')?;
        }
        if self.skipping {
            return Ok(());
        }
        if let (true, Some(number)) = (negative, self.stack.last_mut()) {
            let positive = std::mem::replace(number, Term::NIL);
            *number = match positive {
                Term::Integer(integer) => Term::Integer(-integer),
                Term::BigInteger(integer) => Term::from(-*integer),
                Term::Float(float) => Term::Float(-float),
                other => other,
            };
        }
        Ok(())
    }

    /// An integer or float, without a sign.
    pub(super) fn number(&mut self) -> Step {
        let start = self.at;
        let digits = self.digits(10);
        match (self.peek(), self.bytes.get(self.at + 1)) {
            (Some(b'.'), Some(b'0'..=b'9')) => return self.float(start),
            (Some(b'#'), _) => return self.based(start),
            _ => {}
        }
        let integer = self.integer(start, digits, 10)?;
        self.push(integer)
    }

    /// Skips digits, with single underscores between them; the text they have.
    fn digits(&mut self, base: u32) -> std::ops::Range<usize> {
        let start = self.at;
        let is_digit = |byte: Option<&u8>| byte.is_some_and(|b| char::from(*b).is_digit(base));
        while is_digit(self.bytes.get(self.at))
            || (self.at > start
                && self.peek() == Some(b'_')
                && is_digit(self.bytes.get(self.at + 1)))
        {
            self.at += 1;
        }
        start..self.at
    }

    /// The integer that `digits` are in `base`; the token started at `start`.
    fn integer(
        &self,
        start: usize,
        digits: std::ops::Range<usize>,
        base: u32,
    ) -> Result<Term, Box<Fault>> {
        let text = self.text.get(digits).unwrap_or_default();
        // Enough to know that it fits: 18 decimal digits do, and 12 of base 36.
        let small = |base: i64| {
            let value = |digit: u8| i64::from(char::from(digit).to_digit(base as u32).unwrap_or(0));
            let digits = text.bytes().filter(|digit| *digit != b'_');
            digits.fold(0, |sum, digit| sum * base + value(digit))
        };
        match (base, text.len()) {
            (_, 0) => Err(Fault::illegal(start, "integer")),
            (10, 1..=18) => Ok(Term::Integer(small(10))),
            (base, 1..=12) => Ok(Term::Integer(small(i64::from(base)))),
            _ => self.big_integer(start, text, base).map(Term::from),
        }
    }

    #[inline(never)]
    fn big_integer(&self, start: usize, text: &str, base: u32) -> Result<BigInt, Box<Fault>> {
        let digits: String = text.chars().filter(|digit| *digit != '_').collect();
        let significant = digits.trim_start_matches('0');
        let what = match significant.len() {
            0 => return Ok(BigInt::ZERO),
            length if !self.fits(length, base) => "integer: too many digits",
            _ => "integer",
        };
        let fits = self.fits(significant.len(), base);
        let integer = fits
            .then(|| BigInt::parse_bytes(significant.as_bytes(), base))
            .flatten();
        integer.ok_or_else(|| Fault::illegal(start, what))
    }

    /// Whether an integer has so few digits that it can be read: here, and where it is printed in base 10.
    fn fits(&self, digits: usize, base: u32) -> bool {
        let decimal = digits as f64 * f64::from(base).log10();
        digits <= self.limits.digits && decimal <= self.limits.digits as f64
    }

    /// A float, read up to its point.
    #[inline(never)]
    fn float(&mut self, start: usize) -> Step {
        self.at += 1;
        self.digits(10);
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits(10);
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let float = decimal_float(text);
        self.push_float(start, float)
    }

    fn push_float(&mut self, start: usize, float: Option<f64>) -> Step {
        match float {
            Some(float) if float.is_finite() => self.push(Term::Float(float)),
            _ => Err(Fault::illegal(start, "float")),
        }
    }

    /// A based integer or float, read up to its `#`.
    #[inline(never)]
    fn based(&mut self, start: usize) -> Step {
        let base = self.integer(start, start..self.at, 10)?.as_integer();
        let Some(base) = base
            .and_then(|base| u32::try_from(base).ok())
            .filter(|base| {
                // 2 to the number of digits there are, as erl_scan has it.
                (2..=36).contains(base)
            })
        else {
            return Err(Fault::illegal(start, "base"));
        };
        self.at += 1;
        let digits = self.digits(base);
        let next = self.bytes.get(self.at + 1).map(|byte| char::from(*byte));
        if self.peek() == Some(b'.') && next.is_some_and(|next| next.is_digit(base)) {
            return self.based_float(start, digits, base);
        }
        let integer = self.integer(start, digits, base)?;
        self.push(integer)
    }

    /// A based float (OTP 28), read up to its point: `16#f.8#e2`.
    fn based_float(&mut self, start: usize, whole: std::ops::Range<usize>, base: u32) -> Step {
        self.at += 1;
        let fraction = self.digits(base);
        let mut exponent = 0..0;
        if let Some([b'#', b'e' | b'E', ..]) = self.bytes.get(self.at..) {
            self.at += 2;
            let from = self.at;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits(10);
            exponent = from..self.at;
            if exponent.is_empty() {
                return self.push_float(start, None);
            }
        }
        let plain = |range: std::ops::Range<usize>| {
            self.text.get(range).unwrap_or_default().replace('_', "")
        };
        let (whole, fraction, exponent) = (plain(whole), plain(fraction), plain(exponent));
        // erl_scan takes a based float without digits before its point, but for base 10.
        let float = if base == 10 && whole.is_empty() {
            None
        } else if base == 10 {
            let exponent = if exponent.is_empty() {
                "0"
            } else {
                exponent.as_str()
            };
            decimal_float(&format!("{whole}.{fraction}e{exponent}"))
        } else {
            // As erl_scan computes it, rounding and all: zeros at the end do not count.
            let trimmed = fraction.trim_end_matches('0');
            let fraction = if trimmed.is_empty() { "0" } else { trimmed };
            let digits = self.big_integer(start, &format!("{whole}{fraction}"), base)?;
            let exponent = if exponent.is_empty() {
                Some(0.0)
            } else {
                exponent.parse().ok()
            };
            exponent.and_then(|exponent: f64| {
                let power = f64::from(base).powf(exponent - fraction.len() as f64);
                let float = to_f64(&digits)? * power;
                power.is_finite().then_some(float)
            })
        };
        self.push_float(start, float)
    }
}

/// A float of decimal digits, underscores and all; the digits of its exponent may be missing, then
/// it is none.
fn decimal_float(text: &str) -> Option<f64> {
    let plain: std::borrow::Cow<'_, str> = if text.contains('_') {
        text.replace('_', "").into()
    } else {
        text.into()
    };
    plain
        .ends_with(|last: char| last.is_ascii_digit())
        .then(|| plain.parse().ok())
        .flatten()
}

/// The nearest float, where there is a finite one.
fn to_f64(integer: &BigInt) -> Option<f64> {
    let float: f64 = match i64::try_from(integer) {
        Ok(small) => small as f64,
        Err(_) => integer.to_string().parse().ok()?,
    };
    float.to_bigint().map(|_| float)
}
