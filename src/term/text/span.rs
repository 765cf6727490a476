//! How far names, blanks and texts go, byte for byte. Sixteen bytes at a time takes fewer instructions and
//! more time: what comes next then waits for each result, which a processor otherwise guesses.

/// Which bytes continue a name, of ASCII.
const CONTINUES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let character = byte as u8;
        table[byte] = character.is_ascii_alphanumeric() || matches!(character, b'_' | b'@');
        byte += 1;
    }
    table
};

/// How many bytes at the start of `text` continue a name, of ASCII.
pub(super) fn names(text: &[u8]) -> usize {
    span(text, |byte| CONTINUES[usize::from(byte)])
}

/// How many bytes at the start of `text` are white space, of ASCII.
pub(super) fn blanks(text: &[u8]) -> usize {
    match text {
        // Mostly there is one at most.
        [b'!'..=0xFF, ..] => 0,
        [_, b'!'..=0xFF, ..] => 1,
        _ => span(text, |byte| byte <= b' '),
    }
}

/// How many bytes at the start of `text` come before `close` or a backslash.
pub(super) fn until(close: u8, text: &[u8]) -> usize {
    span(text, |byte| (byte != close) & (byte != b'\\'))
}

#[inline(always)]
fn span(text: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    let ends = |byte: &u8| !belongs(*byte);
    text.iter().position(ends).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_ends_a_span_or_not_wherever_it_is() {
        for byte in 0..=u8::MAX {
            for place in 0..40 {
                let mut text = [b'a'; 40];
                text[place] = byte;
                let continues = byte.is_ascii_alphanumeric() || b"_@".contains(&byte);
                assert_eq!(names(&text), if continues { 40 } else { place });
                let mut text = [b'\n'; 40];
                text[place] = byte;
                assert_eq!(blanks(&text), if byte <= b' ' { 40 } else { place });
            }
        }
    }
}
