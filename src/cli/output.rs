//! Standard output and standard error: the only place of the crate that writes to them.
//!
//! A reader that goes away (`erlrc eval … | head`) ends the output, not the work: a hook must finish
//! what it began whether or not somebody still listens.

pub use crate::line::{printable, printable_lines, without_directories, without_stack};
use serde::Serialize;
use std::io::Write;

/// Where a command writes, and in which form.
#[derive(Clone, Copy, Debug, Default)]
pub struct Output {
    json: bool,
    quiet: bool,
    verbose: bool,
}

impl Output {
    /// Text for people, or JSON for machines.
    pub fn new(form: Form) -> Self {
        Self {
            json: form == Form::Json,
            quiet: form == Form::Quiet,
            verbose: form == Form::Verbose,
        }
    }

    /// Whether machines read.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Whether somebody wants to know all.
    pub fn is_verbose(self) -> bool {
        self.verbose
    }

    /// Writes `text` to standard output at once, as it is, unless machines read.
    pub fn text(self, text: &str) {
        if !self.json && !self.quiet {
            raw(text.as_bytes());
        }
    }

    /// Writes `value` to standard output as one line of JSON, if machines read.
    pub fn json(self, value: &impl Serialize) {
        if self.json {
            let mut line = serde_json::to_string(value).expect("maps have text keys");
            line.push('\n');
            raw(line.as_bytes());
        }
    }

    /// The same with what it is and in which form in front: the envelope that every command's JSON has.
    pub fn envelope(self, kind: &str, version: u32, value: &impl Serialize) {
        if self.json {
            self.json(&enveloped(kind, version, value));
        }
    }

    /// One line to standard error, control characters taken out.
    pub fn warning(self, line: &str) {
        error_text(&format!("erlrc: {}\n", printable(line)));
    }
}

/// `value`, an object, with the keys `kind` and `version`.
pub fn enveloped(kind: &str, version: u32, value: &impl Serialize) -> serde_json::Value {
    let mut value = serde_json::to_value(value).expect("maps have text keys");
    if let Some(object) = value.as_object_mut() {
        object.insert("kind".to_owned(), kind.into());
        object.insert("version".to_owned(), version.into());
    }
    value
}

/// How many columns the terminal has; `None` where standard output is none.
pub fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// The forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For machines.
    Json,
    /// For people who want to know all.
    Verbose,
    /// For nobody: what is wrong goes to standard error.
    Quiet,
}

/// Writes bytes to standard output.
pub fn raw(bytes: &[u8]) {
    // A closed pipe is the reader's choice; a full disk behind it cannot be told to anybody.
    is_read(bytes);
}

/// Writes bytes to standard output; whether somebody takes them.
pub fn is_read(bytes: &[u8]) -> bool {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .is_ok()
}

/// Writes text to standard error.
pub fn error_text(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
