//! Text that fits on one line of a terminal, whoever wrote it.

use std::error::Error;

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

/// An error and its causes on one line.
pub fn chain(error: &dyn Error) -> String {
    let causes: Vec<String> = std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect();
    printable(&causes.join(": "))
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
