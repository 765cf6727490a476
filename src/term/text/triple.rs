//! Triple-quoted strings (OTP 27, EEP 64).

use super::Parser;
use super::error::{Fault, ParseErrorKind};

impl Parser<'_> {
    /// A triple-quoted string: whole lines between a line that ends in three or more quotes and one
    /// that starts with as many; the white space before those is taken off every line.
    #[inline(never)]
    pub(super) fn triple_quoted(&mut self, verbatim: bool) -> Result<String, Box<Fault>> {
        let start = self.at;
        let quotes = self.bytes[start..]
            .iter()
            .take_while(|byte| **byte == b'"')
            .count();
        let fault = |what| Fault::illegal(start, what);
        self.at += quotes;
        if !self.blank_line() {
            return Err(fault("triple-quoted string: text after the opening quotes"));
        }
        let mut lines = Vec::new();
        let indentation = loop {
            if let Some(indentation) = self.closing(quotes) {
                break indentation;
            }
            lines.push(self.line(start, verbatim)?);
        };
        let mut text = String::new();
        for line in &lines {
            text.push_str(
                without_indentation(line, &indentation)
                    .ok_or_else(|| fault("triple-quoted string: bad indentation"))?,
            );
        }
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(text)
    }

    /// Skips white space up to and with the end of the line; false where there is something else.
    fn blank_line(&mut self) -> bool {
        loop {
            let newline = self.peek() == Some(b'\n');
            match self.blank() {
                0 => return false,
                length => self.at += length,
            }
            if newline {
                return true;
            }
        }
    }

    /// The white space before the closing quotes, which are read too, where this line has them.
    fn closing(&mut self, quotes: usize) -> Option<String> {
        let start = self.at;
        while self.peek() != Some(b'\n') && self.blank() > 0 {
            self.at += self.blank();
        }
        let end = self.at;
        let rest = &self.bytes[end..];
        if rest.len() >= quotes && rest[..quotes].iter().all(|byte| *byte == b'"') {
            self.at += quotes;
            return self.text.get(start..end).map(String::from);
        }
        self.at = start;
        None
    }

    /// One line with its end. An escaped newline ends a line too.
    fn line(&mut self, start: usize, verbatim: bool) -> Result<String, Box<Fault>> {
        let mut line = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let stop = if verbatim {
                rest.find('\n')
            } else {
                rest.find(['\n', '\\'])
            };
            let Some(plain) = stop else {
                let what = "triple-quoted string";
                return Err(Fault::new(start, ParseErrorKind::Unterminated { what }));
            };
            line.push_str(&rest[..plain]);
            self.at += plain;
            if rest[plain..].starts_with('\n') {
                self.at += 1;
                line.push('\n');
                return Ok(line);
            }
            let literal_newline = rest[plain..].starts_with("\\\n");
            line.push(self.escape()?);
            if literal_newline {
                return Ok(line);
            }
        }
    }
}

/// `line` without the indentation, which an empty line need not have.
fn without_indentation<'a>(line: &'a str, indentation: &str) -> Option<&'a str> {
    if matches!(line, "\n" | "\r\n") {
        Some(line)
    } else {
        line.strip_prefix(indentation)
    }
}
