//! Random bytes that nobody can guess.

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Fills `bytes` by the system call, which needs no file: a command that is linked statically finds no `getrandom` of a
/// shared libc, and what falls back to files makes six system calls of one.
pub fn random(bytes: &mut [u8]) -> std::io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_are_filled_and_never_the_same() {
        // More than one call gives at once.
        let [mut one, mut other] = [[0; 1000]; 2];
        random(&mut one).expect("random bytes");
        random(&mut other).expect("random bytes");
        assert_ne!(one, other);
        assert!(
            one.chunks(100)
                .all(|part| part.iter().any(|byte| *byte != 0))
        );
    }
}
