//! Standard output and standard error: the only place of the crate that writes to them.
//!
//! A reader that goes away (`erlrc eval … | head`) ends the output, not the work: a hook must finish
//! what it began whether or not somebody still listens.

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

/// `text` without the stack that an error of Erlang brings along: what failed stands before it.
pub fn without_stack(text: &str) -> String {
    let begin = |at: &usize| text.get(*at..).is_some_and(|rest| rest.contains("{file,"));
    match text.find(",[{").filter(begin) {
        Some(at) => format!("{},...", text.get(..at).unwrap_or(text)),
        None => text.to_owned(),
    }
}

/// `text` with the files of stacks by their names alone: where a module was built is nobody's business.
pub fn without_directories(text: &str) -> String {
    const BEGIN: &str = "{file,\"";
    let mut parts = text.split(BEGIN);
    let mut found = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (path, rest) = part.split_once('"').unwrap_or((part, ""));
        let name = path.rsplit('/').next().unwrap_or(path);
        let quote = if part.contains('"') { "\"" } else { "" };
        found.push_str(&format!("{BEGIN}{name}{quote}{rest}"));
    }
    found
}

/// `text` without control characters, line ends as spaces: fit for one line on any terminal.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c })
        .filter(|c| !is_control(*c))
        .collect()
}

/// `text` without control characters other than line ends and tabulators.
pub fn printable_lines(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !is_control(*c))
        .collect()
}

/// How much of one text of a node is shown and written down.
const TEXT_LIMIT: usize = 16 * 1024;

/// Text of a node, fit for one line: without control characters, and no longer than a person would read.
pub fn of_node(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_LIMIT);
    let (shown, more) = text.split_at(end);
    let cut = if more.is_empty() { "" } else { "…" };
    printable(shown) + cut
}

/// C0, C1, and the bidirectional controls that make a line read as what it is not.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_node_is_cut_between_characters() {
        assert_eq!(of_node("a\u{1b}b"), "ab");
        let long = of_node(&("x".to_owned() + &"ä".repeat(100_000)));
        assert!(long.ends_with("ä…") && long.len() <= TEXT_LIMIT + 3);
    }

    #[test]
    fn stacks_and_places_of_builds_are_left_out() {
        let text = "foo: failed: {{badmatch,true},[{m,f,3,[{file,\"/home/x/m.erl\"},{line,1}]}]}";
        assert_eq!(without_stack(text), "foo: failed: {{badmatch,true},...");
        let short = "foo: failed: {{badmatch,true},[{m,f,3,[{file,\"m.erl\"},{line,1}]}]}";
        assert_eq!(without_directories(text), short);
        for plain in ["{update,[{a,b}]}", "no stack", "{file,\"cut"] {
            assert_eq!(without_stack(plain), plain);
            assert_eq!(without_directories(plain), plain);
        }
    }

    #[test]
    fn escapes_and_bidirectional_controls_are_taken_out() {
        assert_eq!(
            printable("a\u{1b}[31mb\u{9b}c\u{202e}d\r\u{7}e"),
            "a[31mbcde"
        );
        assert_eq!(printable("one\ntwo\tthree"), "one two three");
        assert_eq!(printable_lines("one\ntwo\tthree\u{7f}"), "one\ntwo\tthree");
        assert_eq!(printable("Grüße 人"), "Grüße 人");
    }
}
