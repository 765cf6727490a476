//! How far names, blanks and comments go: sixteen bytes at a time, for most of a `.app` file is a list of
//! modules, each on a line of its own.

/// How many bytes at the start of `text` continue a name, of ASCII.
pub(super) fn names(text: &[u8]) -> usize {
    span(text, |byte| {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        letter | (byte.wrapping_sub(b'0') < 10) | (byte == b'_') | (byte == b'@')
    })
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

/// How many bytes at the start of `text` belong.
#[inline(always)]
fn span(text: &[u8], belongs: impl Fn(u8) -> bool + Copy) -> usize {
    let mut at = 0;
    let (chunks, rest) = text.as_chunks();
    for chunk in chunks {
        let others = others(chunk, belongs);
        if others != 0 {
            return at + others.trailing_zeros() as usize / 8;
        }
        at += chunk.len();
    }
    at + rest.iter().take_while(|byte| belongs(**byte)).count()
}

/// All bits of each byte that does not belong. Without branches and by itself, which is what the compiler
/// makes into a few instructions for all of them at once.
#[inline(never)]
fn others(chunk: &[u8; 16], belongs: impl Fn(u8) -> bool) -> u128 {
    let mut others = [0; 16];
    for place in 0..16 {
        others[place] = if belongs(chunk[place]) { 0 } else { 0xFF };
    }
    u128::from_le_bytes(others)
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
