//! Floats as `float_to_list(F, [short])` writes them.

/// The shortest digits that read back to the same float: `0.1`, `1.0e22`.
pub(super) fn shortest(float: f64) -> String {
    // Rust's exponent form has the shortest digits: `-1.25e-7`.
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(positive) => ("-", positive),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let whole = if float.abs() < EXACT {
        plain(&digits, exponent)
    } else {
        None
    };
    format!(
        "{sign}{}",
        whole.unwrap_or_else(|| with_exponent(&digits, exponent))
    )
}

/// 2^53: from here on a float without an exponent would show digits that it does not have.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// `1.5e-7` from its digits and exponent.
fn with_exponent(digits: &str, exponent: i32) -> String {
    let (first, rest) = digits.split_at(1);
    format!(
        "{first}.{}e{exponent}",
        if rest.is_empty() { "0" } else { rest }
    )
}

/// The form without an exponent, where it is not longer.
fn plain(digits: &str, exponent: i32) -> Option<String> {
    let count = digits.len() as i32;
    let text = if exponent < 0 {
        format!("0.{}{digits}", "0".repeat((-exponent - 1) as usize))
    } else if exponent + 1 >= count {
        format!("{digits}{}.0", "0".repeat((exponent + 1 - count) as usize))
    } else {
        let (whole, fraction) = digits.split_at((exponent + 1) as usize);
        return Some(format!("{whole}.{fraction}"));
    };
    (digits == "0" || text.len() <= with_exponent(digits, exponent).len()).then_some(text)
}
