//! One line of a record log: `LEN CRC JSON`, and what can be wrong with one. Pure.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// The most bytes that a line may have; a longer one is passed over without keeping it.
pub const LONGEST_LINE: usize = 1 << 20;

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Fewer bytes of JSON than the line says: writing it was cut short.
    Torn {
        /// The bytes that are there.
        found: usize,
        /// The bytes that the line says.
        expected: usize,
    },
    /// More bytes than the line says.
    TooMuch,
    /// The checksum is another.
    Checksum,
    /// It does not begin with a length and a checksum.
    NoRecord,
    /// Longer than any record.
    TooLong,
    /// Sound, but no JSON of the form that was asked for: written by another version.
    NotUnderstood(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn { found, expected } => {
                write!(f, "torn, {found} of {expected} bytes are there")
            }
            Self::TooMuch => f.write_str("has more bytes than it says"),
            Self::Checksum => f.write_str("the checksum is wrong"),
            Self::NoRecord => f.write_str("is no record"),
            Self::TooLong => write!(f, "is longer than {LONGEST_LINE} bytes"),
            Self::NotUnderstood(why) => write!(f, "is not understood: {why}"),
        }
    }
}

/// The line of `record`, with its line end; `None` where it would be longer than a reader takes.
pub fn encode(record: &impl Serialize) -> Result<Option<Vec<u8>>, serde_json::Error> {
    let json = serde_json::to_string(record)?;
    let line = format!("{} {:08x} {json}\n", json.len(), checksum(json.as_bytes()));
    Ok((line.len() <= LONGEST_LINE).then(|| line.into_bytes()))
}

/// Reads a line without its line end.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, Damage> {
    let json = checked(line)?;
    serde_json::from_slice(json).map_err(|error| Damage::NotUnderstood(error.to_string()))
}

/// The JSON of a line that is as it was written.
fn checked(line: &[u8]) -> Result<&[u8], Damage> {
    let (length, rest) = split(line).ok_or(Damage::NoRecord)?;
    let (sum, json) = split(rest).ok_or(Damage::NoRecord)?;
    let expected = decimal(length).ok_or(Damage::NoRecord)?;
    let sum = hexadecimal(sum).ok_or(Damage::NoRecord)?;
    match json.len() {
        found if found < expected => Err(Damage::Torn { found, expected }),
        found if found > expected => Err(Damage::TooMuch),
        _ if sum != checksum(json) => Err(Damage::Checksum),
        _ => Ok(json),
    }
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b' ')?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

/// Digits alone, no sign and no leading zero: there is one way to write a length.
fn decimal(digits: &[u8]) -> Option<usize> {
    let canonical = digits.iter().all(u8::is_ascii_digit) && !digits.starts_with(b"0");
    let text = std::str::from_utf8(digits).ok().filter(|_| canonical)?;
    text.parse().ok()
}

/// Eight digits, small letters.
fn hexadecimal(digits: &[u8]) -> Option<u32> {
    let canonical = digits.len() == 8
        && digits
            .iter()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let text = std::str::from_utf8(digits).ok().filter(|_| canonical)?;
    u32::from_str_radix(text, 16).ok()
}

/// The CRC-32 of gzip and Ethernet.
fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(line: &str, expected: Result<Vec<u8>, Damage>) {
        assert_eq!(decode::<Vec<u8>>(line.as_bytes()), expected);
    }

    #[test]
    fn a_line_is_a_length_a_checksum_and_json() {
        let line = encode(&[1, 2, 3]).expect("JSON").expect("short");
        assert_eq!(line, b"7 fd6db3e9 [1,2,3]\n");
        case("7 fd6db3e9 [1,2,3]", Ok(vec![1, 2, 3]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        case(
            "7 fd6db3e9 [1,2",
            Err(Damage::Torn {
                found: 4,
                expected: 7,
            }),
        );
        case("7 fd6db3e9 [1,2,3] ", Err(Damage::TooMuch));
        case("7 fd6db3e9 [1,2,4]", Err(Damage::Checksum));
        for line in [
            "",
            "7",
            "7 ",
            "+7 fd6db3e9 [1,2,3]",
            "07 fd6db3e9 [1,2,3]",
            "7 FD6DB3E9 [1,2,3]",
            "7 fd6db3e [1,2,3]",
        ] {
            case(line, Err(Damage::NoRecord));
        }
        let other = String::from_utf8(encode(&"x").expect("JSON").expect("short")).expect("text");
        assert!(matches!(
            decode::<Vec<u8>>(other.trim_end().as_bytes()),
            Err(Damage::NotUnderstood(_))
        ));
    }

    #[test]
    fn nesting_has_a_limit() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let line = format!("{} {:08x} {deep}", deep.len(), checksum(deep.as_bytes()));
        assert!(matches!(
            decode::<serde_json::Value>(line.as_bytes()),
            Err(Damage::NotUnderstood(_))
        ));
    }

    #[test]
    fn what_no_reader_takes_is_not_written() {
        assert_eq!(encode(&"x".repeat(LONGEST_LINE)).expect("JSON"), None);
    }
}
