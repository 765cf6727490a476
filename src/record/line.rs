//! One line of a record log: `LEN CRC JSON`, and what can be wrong with one. Pure.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;

/// The largest length of a line, in bytes. A longer one is skipped without being kept in memory.
pub const LONGEST_LINE: usize = 1 << 20;

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// There are fewer bytes of JSON than the length says: a writer was interrupted.
    Torn {
        /// The number of bytes in the file.
        found: usize,
        /// The number of bytes that the line announces.
        expected: usize,
    },
    /// There are more bytes than the length says.
    TooMuch,
    /// The checksum does not match.
    Checksum,
    /// The line does not begin with a length and a checksum.
    NoRecord,
    /// The line is longer than any record.
    TooLong,
    /// The line is intact but is not JSON of the expected form: another version wrote it.
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

/// The limits that are tried, in this order, when a record is too long for a reader: lengths of
/// texts and lists.
const CUTS: [(usize, usize); 4] = [(65_536, 1000), (8192, 200), (1024, 50), (256, 20)];

/// The line of `record` with its line end. If it would be longer than a reader accepts, its texts
/// and lists are cut: a shortened record is worth more than none. `None` if even that is too long.
pub fn encode(record: &impl Serialize) -> Result<Option<Vec<u8>>, serde_json::Error> {
    let whole = line(record)?;
    if whole.len() <= LONGEST_LINE {
        return Ok(Some(whole));
    }
    let value = serde_json::to_value(record)?;
    for (text, list) in CUTS {
        let mut value = value.clone();
        cut(&mut value, text, list);
        let line = line(&value)?;
        if line.len() <= LONGEST_LINE {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

fn line(record: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let json = serde_json::to_string(record)?;
    let line = format!("{} {:08x} {json}\n", json.len(), checksum(json.as_bytes()));
    Ok(line.into_bytes())
}

/// Cuts texts to this many bytes and lists to this many elements. Values that stand under a key of
/// their own are kept.
fn cut(value: &mut Value, text: usize, list: usize) {
    match value {
        Value::String(whole) if whole.len() > text => {
            whole.truncate(whole.floor_char_boundary(text));
            whole.push('…');
        }
        Value::Array(elements) => {
            elements.truncate(list);
            elements.iter_mut().for_each(|each| cut(each, text, list));
        }
        Value::Object(fields) => {
            fields.values_mut().for_each(|each| cut(each, text, list));
        }
        _ => {}
    }
}

/// Parses a line, given without its line end.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, Damage> {
    let json = checked(line)?;
    serde_json::from_slice(json).map_err(|error| Damage::NotUnderstood(error.to_string()))
}

/// The JSON of a line, if the line is intact.
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

/// Accepts digits only, without a sign or a leading zero, so that a length can be written in one
/// way only.
fn decimal(digits: &[u8]) -> Option<usize> {
    let canonical = digits.iter().all(u8::is_ascii_digit) && !digits.starts_with(b"0");
    let text = std::str::from_utf8(digits).ok().filter(|_| canonical)?;
    text.parse().ok()
}

/// Eight hexadecimal digits in lower case.
fn hexadecimal(digits: &[u8]) -> Option<u32> {
    let canonical = digits.len() == 8
        && digits
            .iter()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let text = std::str::from_utf8(digits).ok().filter(|_| canonical)?;
    u32::from_str_radix(text, 16).ok()
}

/// The CRC-32 of gzip and Ethernet.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
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

    #[track_caller]
    fn written(record: &Value) -> Value {
        let line = encode(record).expect("JSON").expect("a line");
        assert!(line.len() <= LONGEST_LINE);
        decode(line.trim_ascii_end()).expect("a record")
    }

    #[test]
    fn texts_and_lists_are_cut_and_nothing_else() {
        let small = serde_json::json!({"reason": "x".repeat(100_000), "status": 6});
        assert_eq!(written(&small), small);
        let long = written(&serde_json::json!({"reason": "ä".repeat(2_000_000), "status": 6}));
        assert_eq!(long["reason"], "ä".repeat(32_768) + "…");
        assert_eq!(long["status"], 6);
        let many = written(&serde_json::json!({"warnings": vec!["warning"; 300_000], "to": "1"}));
        assert_eq!(many["warnings"].as_array().map(Vec::len), Some(1000));
        assert_eq!(many["to"], "1");
        let node = serde_json::json!({"node": "n", "warnings": vec!["w".repeat(2000); 100]});
        let both = written(&serde_json::json!({"nodes": vec![node; 100], "status": 1}));
        assert_eq!(both["status"], 1);
        assert_eq!(both["nodes"][0]["node"], "n");
    }

    #[test]
    fn what_no_reader_takes_is_not_written() {
        let names = (0..100_000).map(|number| (number.to_string(), "1.0"));
        let named: std::collections::BTreeMap<String, &str> = names.collect();
        assert_eq!(encode(&named).expect("JSON"), None);
    }
}
