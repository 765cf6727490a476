//! Questions to a person. Where none sits at a terminal nothing is asked, and nothing is agreed to.

use super::output;
use std::io::IsTerminal;

/// Whether the person at the terminal says yes.
pub fn is_yes(question: &str) -> bool {
    let (input, errors) = (std::io::stdin(), std::io::stderr());
    if !input.is_terminal() || !errors.is_terminal() {
        return false;
    }
    output::error_text(&format!("{question} [y/N] "));
    let mut answer = String::new();
    // An input that ends is no yes.
    let read = input.read_line(&mut answer).is_ok();
    read && matches!(answer.trim(), "y" | "Y" | "yes")
}
