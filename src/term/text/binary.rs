//! Binaries and bit strings: what `erl_parse:normalise/1` evaluates by `eval_bits`.

use super::Parser;
use super::error::{Fault, Step};
use super::segment::{Size, Specifiers};
use crate::term::{BitWriter, Term};

impl Parser<'_> {
    #[inline(never)]
    pub(super) fn bit_string(&mut self, nesting: usize) -> Step {
        self.nest(nesting)?;
        if !self.bytes[self.at..].starts_with(b"<<") {
            return Err(self.unexpected());
        }
        self.at += 2;
        let mut writer = BitWriter::default();
        self.skip_blanks();
        if !self.take_closing() {
            loop {
                self.segment(&mut writer, nesting)?;
                self.skip_blanks();
                if self.take_closing() {
                    break;
                }
                self.expect(b',')?;
            }
        }
        self.push(writer.finish())
    }

    fn take_closing(&mut self) -> bool {
        let found = self.bytes[self.at..].starts_with(b">>");
        self.at += if found { 2 } else { 0 };
        found
    }

    fn segment(&mut self, writer: &mut BitWriter, nesting: usize) -> Step {
        self.skip_blanks();
        let start = self.at;
        if self.peek() == Some(b'#') {
            return Err(self.unexpected());
        }
        self.term(nesting + 1)?;
        let literal = self.literal_end == self.at;
        let value = self.stack.pop().unwrap_or(Term::NIL);
        let size = self.size(nesting)?;
        let specifiers = self.specifiers()?;
        let bad = || Fault::illegal(start, "binary segment");
        let Some(format) = specifiers.format(size) else {
            return Err(bad());
        };
        let characters = if literal { value.as_string() } else { None };
        let budget = self.limits.size.saturating_mul(8);
        let written = match characters {
            // Errors are found even where no character would have one.
            Some(text) if text.is_empty() => format
                .write(&Term::Integer(0), budget)
                .map(|_| BitWriter::default()),
            Some(text) => text
                .chars()
                .try_fold(BitWriter::default(), |mut all, character| {
                    let one =
                        format.write(&Term::from(character), budget - all.len().min(budget))?;
                    all.append(one);
                    Some(all)
                }),
            None => format.write(&value, budget - writer.len().min(budget)),
        };
        let Some(written) = written.filter(|written| written.len() + writer.len() <= budget) else {
            return Err(bad());
        };
        writer.append(written);
        Ok(())
    }

    fn size(&mut self, nesting: usize) -> Result<Size, Box<Fault>> {
        if !self.take_after_blanks(b':') {
            return Ok(Size::Default);
        }
        self.skip_blanks();
        let start = self.at;
        if let Some(b'-' | b'+' | b'#') = self.peek() {
            return Err(self.unexpected());
        }
        self.term(nesting + 1)?;
        match self.stack.pop() {
            Some(Term::Atom(atom)) if atom == "all" => Ok(Size::All),
            Some(Term::Atom(atom)) if atom == "undefined" => Ok(Size::Undefined),
            Some(Term::Integer(units)) if units >= 0 => Ok(Size::Units(units as usize)),
            _ => {
                let what = "size of a binary segment";
                Err(Fault::illegal(start, what))
            }
        }
    }

    fn specifiers(&mut self) -> Result<Specifiers, Box<Fault>> {
        let mut specifiers = Specifiers::default();
        if !self.take_after_blanks(b'/') {
            return Ok(specifiers);
        }
        loop {
            self.skip_blanks();
            let start = self.at;
            match self.peek() {
                Some(b'\'') => self.quoted_atom()?,
                Some(b'a'..=b'z') => self.name()?,
                _ => return Err(self.unexpected()),
            }
            let name = self.stack.pop().unwrap_or(Term::NIL);
            let mut unit = None;
            if self.take_after_blanks(b':') {
                self.skip_blanks();
                if !matches!(self.peek(), Some(b'0'..=b'9')) {
                    return Err(self.unexpected());
                }
                self.number()?;
                unit = self.stack.pop();
            }
            let name = name.as_atom().map_or("", |name| name.as_str());
            if specifiers.add(name, unit.as_ref()).is_none() {
                let what = "type of a binary segment";
                return Err(Fault::illegal(start, what));
            }
            if !self.take_after_blanks(b'-') {
                return Ok(specifiers);
            }
        }
    }
}
