//! Tuples, lists, maps and parentheses.

use super::Parser;
use super::error::Step;
use crate::term::Term;

impl Parser<'_> {
    pub(super) fn tuple(&mut self, nesting: usize) -> Step {
        self.nest(nesting)?;
        let start = self.stack.len();
        self.at += 1;
        if !self.take_after_blanks(b'}') {
            loop {
                self.term(nesting + 1)?;
                match self.next_after_blanks() {
                    Some(b',') => {}
                    Some(b'}') => break,
                    _ => return Err(self.unexpected_before()),
                }
            }
        }
        self.finish(start, Term::Tuple)
    }

    pub(super) fn list(&mut self, nesting: usize) -> Step {
        self.nest(nesting)?;
        let start = self.stack.len();
        self.at += 1;
        if !self.take_after_blanks(b']') {
            loop {
                self.term(nesting + 1)?;
                match self.next_after_blanks() {
                    Some(b',') => {}
                    Some(b']') => break,
                    Some(b'|') => return self.tail(start, nesting),
                    _ => return Err(self.unexpected_before()),
                }
            }
        }
        self.finish(start, Term::List)
    }

    /// Makes a term of what was read from `start` on.
    fn finish(&mut self, start: usize, term: fn(Vec<Term>) -> Term) -> Step {
        if self.skipping {
            // What had to be whole to be read on.
            self.stack.truncate(start);
            return self.count();
        }
        let elements = self.stack.split_off(start);
        self.push(term(elements))
    }

    #[inline(never)]
    fn tail(&mut self, start: usize, nesting: usize) -> Step {
        self.term(nesting + 1)?;
        self.expect(b']')?;
        if self.skipping {
            self.stack.truncate(start);
            return self.count();
        }
        let tail = self.stack.pop().unwrap_or(Term::NIL);
        let elements = self.stack.split_off(start);
        self.push(Term::list_with_tail(elements, tail))
    }

    #[inline(never)]
    pub(super) fn map(&mut self, nesting: usize) -> Step {
        self.nest(nesting)?;
        let start = self.stack.len();
        self.at += 1;
        self.expect(b'{')?;
        if !self.take_after_blanks(b'}') {
            loop {
                self.pair(nesting)?;
                match self.next_after_blanks() {
                    Some(b',') => {}
                    Some(b'}') => break,
                    _ => return Err(self.unexpected_before()),
                }
            }
        }
        let mut terms = self.stack.drain(start..);
        let mut pairs = Vec::with_capacity(terms.len() / 2);
        while let (Some(key), Some(value)) = (terms.next(), terms.next()) {
            pairs.push((key, value));
        }
        drop(terms);
        self.push(Term::map(pairs))
    }

    fn pair(&mut self, nesting: usize) -> Step {
        self.term(nesting + 1)?;
        self.skip_blanks();
        if !self.bytes[self.at..].starts_with(b"=>") {
            return Err(self.unexpected());
        }
        self.at += 2;
        self.term(nesting + 1)
    }

    #[inline(never)]
    pub(super) fn parenthesised(&mut self, nesting: usize) -> Step {
        self.nest(nesting)?;
        self.at += 1;
        self.term(nesting + 1)?;
        let literal = self.literal_end == self.at;
        self.expect(b')')?;
        if literal {
            self.literal_end = self.at;
        }
        Ok(())
    }
}
