//! Colours for people at a terminal, and nothing of them anywhere else.

use std::io::IsTerminal;
use std::sync::OnceLock;

/// When text is coloured.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// What the command line says, once for the whole process.
static CHOICE: OnceLock<When> = OnceLock::new();

/// Notes what the command line says.
pub fn choose(when: When) {
    // Said once: the command line has one option.
    let _ = CHOICE.set(when);
}

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
    /// For standard output.
    pub fn of_terminal() -> Self {
        Self::of(&std::io::stdout())
    }

    /// For standard error.
    pub fn of_errors() -> Self {
        Self::of(&std::io::stderr())
    }

    /// What `--color` says; else on where it is a terminal and nobody asked for none (<https://no-color.org>).
    fn of(stream: &impl IsTerminal) -> Self {
        let unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let wanted = match CHOICE.get().copied().unwrap_or_default() {
            When::Always => true,
            When::Never => false,
            When::Auto => stream.is_terminal() && !unwanted(),
        };
        if wanted { Self::On } else { Self::Off }
    }

    /// `text` in the colour of `code`.
    pub fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::On => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Off => text.to_owned(),
        }
    }
}
