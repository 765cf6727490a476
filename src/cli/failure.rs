//! What a command reports when it cannot do its work: an error, an exit status, at most one hint.

use super::Status;
use std::error::Error;

/// An error on its way to the person who asked.
#[derive(Debug)]
pub struct Failure {
    status: Status,
    error: Box<dyn Error>,
    hint: Option<String>,
}

impl Failure {
    /// `error` ends the command with `status`.
    pub fn new(status: Status, error: impl Into<Box<dyn Error>>) -> Self {
        Self {
            status,
            error: error.into(),
            hint: None,
        }
    }

    /// The one thing that helps most, as a sentence without a period.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The exit status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The message and, after it, the message of every cause.
    pub fn messages(&self) -> Vec<String> {
        let first: &dyn Error = &*self.error;
        std::iter::successors(Some(first), |&error| error.source())
            .map(|error| super::output::printable(&error.to_string()))
            .collect()
    }

    /// `erlrc: message`, a line `caused by:` for each source, at most one hint.
    pub fn text(&self) -> String {
        let mut messages = self.messages().into_iter();
        let mut text = format!("erlrc: {}\n", messages.next().unwrap_or_default());
        for cause in messages {
            text.push_str(&format!("  caused by: {cause}\n"));
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("  hint: {hint}\n"));
        }
        text
    }

    /// Message and causes in one line, for a text that names something else first.
    pub fn in_one_line(&self) -> String {
        self.messages().join(": ")
    }

    /// The same for machines.
    pub fn json(&self) -> serde_json::Value {
        let mut messages = self.messages().into_iter();
        serde_json::json!({
            "kind": "error",
            "version": 1,
            "error": messages.next(),
            "causes": messages.collect::<Vec<_>>(),
            "hint": self.hint,
            "status": self.status.code(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the file")]
    struct Outer {
        source: std::io::Error,
    }

    #[test]
    fn causes_follow_the_message_and_the_hint_comes_last() {
        let source = std::io::Error::other("disk on fire\u{1b}[2J");
        let failure = Failure::new(Status::Failed, Outer { source }).hint("use another disk");
        assert_eq!(
            failure.text(),
            "erlrc: cannot read the file\n  caused by: disk on fire[2J\n  hint: use another disk\n"
        );
        assert_eq!(
            failure.in_one_line(),
            "cannot read the file: disk on fire[2J"
        );
        assert_eq!(failure.json()["causes"][0], "disk on fire[2J");
    }
}
