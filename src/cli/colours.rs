//! Colours for people at a terminal, and nothing of them anywhere else.

use std::io::IsTerminal;

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// For a terminal.
    On,
    /// For everything else.
    Off,
}

/// What is wrong.
pub const RED: &str = "31;1";
/// What may become wrong.
pub const YELLOW: &str = "33";
/// What is well.
pub const GREEN: &str = "32";
/// What may be passed over.
pub const FAINT: &str = "2";
/// Headings.
pub const BOLD: &str = "1";

impl Colours {
    /// On where standard output is a terminal and nobody asked for none (<https://no-color.org>).
    pub fn of_terminal() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !unwanted {
            Self::On
        } else {
            Self::Off
        }
    }

    /// `text` in the colour of `code`.
    pub fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::On => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Off => text.to_owned(),
        }
    }
}
