//! The order of version strings: that of dpkg, with OTP's release candidates put before their
//! release.
//!
//! dpkg's own rules are in deb-version(7). They read `1.0-rc1` as revision `rc1` of `1.0`, hence
//! later than `1.0`; OTP applications mean an earlier version by it. So a hyphen before one of
//! `PRE_RELEASES` counts as dpkg's `~`, which sorts before everything, even before the end of the
//! version.

use std::borrow::Cow;
use std::cmp::Ordering;

/// The words that mark a pre-release when they follow a hyphen.
const PRE_RELEASES: [&str; 6] = ["rc", "alpha", "beta", "pre", "dev", "snapshot"];

/// Compares two versions. Different strings may be equal: `1.0` and `1.00`.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (tilde_pre_releases(a), tilde_pre_releases(b));
    let ((a_epoch, a), (b_epoch, b)) = (split_epoch(&a), split_epoch(&b));
    let ((a, a_revision), (b, b_revision)) = (split_revision(a), split_revision(b));
    compare_part(a_epoch, b_epoch)
        .then_with(|| compare_part(a, b))
        .then_with(|| compare_part(a_revision, b_revision))
}

/// Replaces the hyphen: `1.0-rc1` becomes `1.0~rc1`.
pub(crate) fn tilde_pre_releases(vsn: &str) -> Cow<'_, str> {
    if !vsn.contains('-') {
        return Cow::Borrowed(vsn);
    }
    let mut parts = vsn.split('-');
    let mut mapped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        mapped.push(if is_pre_release(part) { '~' } else { '-' });
        mapped.push_str(part);
    }
    Cow::Owned(mapped)
}

/// Whether `part` begins with a word that marks a pre-release.
pub(crate) fn is_pre_release(part: &str) -> bool {
    let end = part
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(part.len());
    PRE_RELEASES
        .iter()
        .any(|word| part[..end].eq_ignore_ascii_case(word))
}

/// The epoch, `0` if there is none, and the rest.
pub(crate) fn split_epoch(vsn: &str) -> (&str, &str) {
    match vsn.split_once(':') {
        Some((epoch, rest)) if !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit()) => {
            (epoch, rest)
        }
        _ => ("0", vsn),
    }
}

fn split_revision(vsn: &str) -> (&str, &str) {
    vsn.rsplit_once('-').unwrap_or((vsn, ""))
}

/// dpkg's `verrevcmp`: compares parts without digits by rank and digits by value, in turn.
fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        let words = compare_words(&mut a, &mut b);
        if words.is_ne() {
            return words;
        }
        let (x, y) = (take_number(&mut a), take_number(&mut b));
        let numbers = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
        if numbers.is_ne() {
            return numbers;
        }
    }
    Ordering::Equal
}

fn compare_words(a: &mut &[u8], b: &mut &[u8]) -> Ordering {
    let is_word = |part: &[u8]| part.first().is_some_and(|byte| !byte.is_ascii_digit());
    while is_word(a) || is_word(b) {
        let order = rank(a.first()).cmp(&rank(b.first()));
        if order.is_ne() {
            return order;
        }
        *a = a.get(1..).unwrap_or_default();
        *b = b.get(1..).unwrap_or_default();
    }
    Ordering::Equal
}

/// The rank of a character: `~` before the end, the end and digits before letters, letters before
/// everything else.
fn rank(byte: Option<&u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) if !byte.is_ascii_digit() => i32::from(*byte) + 256,
        _ => 0,
    }
}

/// The digits at the start, without leading zeros.
fn take_number<'a>(part: &mut &'a [u8]) -> &'a [u8] {
    let end = part
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(part.len());
    let (digits, rest) = part.split_at(end);
    *part = rest;
    let zeros = digits
        .iter()
        .position(|&byte| byte != b'0')
        .unwrap_or(digits.len());
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn ascending(vsns: &[&str]) {
        for (i, a) in vsns.iter().enumerate() {
            for (j, b) in vsns.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} against {b}");
            }
        }
    }

    #[test]
    fn a_release_candidate_comes_before_its_release() {
        ascending(&[
            "0.9",
            "1.0-alpha",
            "1.0-rc1",
            "1.0-rc2",
            "1.0-rc10",
            "1.0",
            "1.0.1",
        ]);
        ascending(&[
            "1.0.0-beta.2",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.0-1",
            "1.0.1-rc.1",
        ]);
    }

    #[test]
    fn the_words_of_pre_releases_are_read_in_either_case() {
        ascending(&["1.0-Beta1", "1.0-RC1", "1.0"]);
        ascending(&["1.0-ALPHA", "1.0-SNAPSHOT", "1.0", "1.0-P1"]);
    }

    #[test]
    fn numbers_count_by_value() {
        ascending(&[
            "1.2",
            "1.10",
            "1.10.1",
            "2",
            "99999999999999999999",
            "100000000000000000000",
        ]);
        assert_eq!(compare("1.0", "1.00"), Ordering::Equal);
    }

    #[test]
    fn letters_come_before_other_signs_and_epochs_before_all() {
        ascending(&[
            "1.0~~", "1.0~", "1.0", "1.0-1", "1.0a", "1.0b", "1.0+git1", "1.0.1", "1:0.1",
        ]);
    }

    #[test]
    fn a_patch_suffix_is_no_release_candidate() {
        ascending(&["1.0-rc1", "1.0", "1.0-p1", "1.0-release1"]);
    }

    #[test]
    fn odd_strings_have_an_order() {
        ascending(&["", "a", "é"]);
        assert_eq!(compare(":", ":"), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in "[0-9a-z.~+:-]{0,8}", b in "[0-9a-z.~+:-]{0,8}", c in "[0-9a-z.~+:-]{0,8}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }
    }
}
