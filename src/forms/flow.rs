//! The values of expressions, as far as the source text shows them.

use super::{Forms, call, clause, node, variable, walk};
use crate::term::{Atom, Term};

/// An expression that is the value of another one, and the clause that contains it.
pub type Outcome<'f> = (&'f Term, &'f Term);

/// How many steps through variables and calls are followed.
const STEPS: usize = 8;

/// With more results than this, no shape is concluded.
const MOST: usize = 64;

/// The expressions that the function may return.
pub fn returned<'f>(forms: &'f Forms, name: &str, arity: usize) -> Vec<Outcome<'f>> {
    let mut found = Vec::new();
    Flow {
        forms,
        found: &mut found,
    }
    .function(forms.clauses(name, arity), STEPS);
    found
}

/// The expressions that an expression in a clause may evaluate to.
pub fn outcomes<'f>(forms: &'f Forms, (expression, clause): Outcome<'f>) -> Vec<Outcome<'f>> {
    let mut found = Vec::new();
    Flow {
        forms,
        found: &mut found,
    }
    .expression(expression, clause, STEPS);
    found
}

struct Flow<'f, 'o> {
    forms: &'f Forms,
    found: &'o mut Vec<Outcome<'f>>,
}

impl<'f> Flow<'f, '_> {
    fn function(&mut self, clauses: &'f [Term], steps: usize) {
        for whole in clauses {
            if let Some((_, [.., last])) = clause(whole) {
                self.expression(last, whole, steps);
            }
        }
    }

    fn last(&mut self, body: &'f Term, scope: &'f Term, steps: usize) {
        if let Term::List(body) = body
            && let Some(last) = body.last()
        {
            self.expression(last, scope, steps);
        }
    }

    fn clauses(&mut self, clauses: &'f Term, scope: &'f Term, steps: usize) {
        let Term::List(clauses) = clauses else { return };
        for whole in clauses {
            if let Some((_, [.., last])) = clause(whole) {
                self.expression(last, scope, steps);
            }
        }
    }

    fn expression(&mut self, expression: &'f Term, scope: &'f Term, steps: usize) {
        if self.found.len() >= MOST {
            return;
        }
        let Some(left) = steps.checked_sub(1) else {
            self.found.push((expression, scope));
            return;
        };
        match node(expression) {
            Some(("case", [_, clauses]) | ("if", [clauses])) => self.clauses(clauses, scope, left),
            Some(("receive", [clauses, after @ ..])) => {
                self.clauses(clauses, scope, left);
                if let [_, body] = after {
                    self.last(body, scope, left);
                }
            }
            Some(("try", [body, of, catches, _])) => {
                if of.is_nil() {
                    self.last(body, scope, left);
                }
                self.clauses(of, scope, left);
                self.clauses(catches, scope, left);
            }
            Some(("block", [body]) | ("maybe", [body])) => self.last(body, scope, left),
            Some(("match", [_, value]) | ("catch", [value])) => self.expression(value, scope, left),
            Some(("var", _)) => match bound(expression, scope) {
                Some(value) => self.expression(value, scope, left),
                None => self.found.push((expression, scope)),
            },
            Some(("call", _)) => self.call(expression, scope, left),
            _ => self.found.push((expression, scope)),
        }
    }

    fn call(&mut self, expression: &'f Term, scope: &'f Term, steps: usize) {
        let local = match call(expression) {
            Some((None, name, arguments)) => self.forms.clauses(name.as_str(), arguments.len()),
            _ => &[],
        };
        if local.is_empty() {
            self.found.push((expression, scope));
        } else {
            self.function(local, steps);
        }
    }
}

/// The expression that a match in the clause binds a variable to.
fn bound<'f>(expression: &Term, scope: &'f Term) -> Option<&'f Term> {
    let name: &Atom = variable(expression)?;
    let mut found = None;
    walk(scope, &mut |term| {
        if let Some(("match", [pattern, value])) = node(term)
            && variable(pattern) == Some(name)
        {
            found.get_or_insert(value);
        }
        found.is_none()
    });
    found
}
