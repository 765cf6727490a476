//! Translates Elixir's debug information (`{elixir_v1, Module, Specifications}` of the backend
//! `elixir_erl`) to Erlang's abstract format, as far as a plan reads it: matches, choices, calls,
//! tuples, maps.
//!
//! What has no counterpart becomes a node `opaque`, from which nothing is concluded.

use super::Forms;
use crate::term::{Atom, Term};

/// The functions of a module; `None` if its debug information has an unknown form.
pub fn forms(data: &Term) -> Option<Forms> {
    let [module, _specifications] = data.as_tagged("elixir_v1")? else {
        return None;
    };
    let mut forms = Forms::default();
    for definition in module.get("definitions")?.elements()?.iter() {
        let [function, kind, _meta, clauses] = definition.as_tuple()? else {
            return None;
        };
        let (name, arity) = function.as_pair()?;
        if kind.is_atom("def") || kind.is_atom("defp") {
            let clauses = clauses.elements()?;
            let clauses = clauses.iter().map(clause).collect::<Option<_>>()?;
            let (name, arity) = (name.as_atom()?.clone(), arity.as_integer()?);
            forms.functions.insert((name, arity), clauses);
        }
    }
    Some(forms)
}

fn clause(term: &Term) -> Option<Term> {
    let [_meta, patterns, _guards, body] = term.as_tuple()? else {
        return None;
    };
    Some(clause_of(&patterns.elements()?, body))
}

fn clause_of(patterns: &[Term], body: &Term) -> Term {
    let patterns = Term::list(patterns.iter().map(expression));
    form("clause", [patterns, Term::NIL, Term::List(block(body))])
}

/// A node of the abstract format, without a source location.
fn form<const N: usize>(kind: &'static str, parts: [Term; N]) -> Term {
    let mut node = vec![Term::atom(kind), Term::Integer(0)];
    node.extend(parts);
    Term::Tuple(node)
}

fn opaque() -> Term {
    form("opaque", [])
}

fn block(body: &Term) -> Vec<Term> {
    match quoted(body) {
        Some((name, arguments)) if name.is_atom("__block__") => {
            arguments.iter().map(expression).collect()
        }
        _ => vec![expression(body)],
    }
}

/// The name and the arguments of `{Name, Meta, Arguments}`.
fn quoted(term: &Term) -> Option<(&Term, &[Term])> {
    match term.as_tuple()? {
        [name, _meta, Term::List(arguments)] => Some((name, arguments)),
        _ => None,
    }
}

fn expression(term: &Term) -> Term {
    match term {
        Term::Atom(atom) => form("atom", [Term::Atom(atom.clone())]),
        Term::Integer(number) => form("integer", [Term::Integer(*number)]),
        Term::Float(number) => form("float", [Term::Float(*number)]),
        Term::Binary(bytes) => form("text", [Term::Binary(bytes.clone())]),
        Term::List(elements) => elements.iter().rev().fold(form("nil", []), |tail, head| {
            form("cons", [expression(head), tail])
        }),
        Term::Tuple(parts) => match parts.as_slice() {
            [_, _] => tuple(parts),
            [Term::Atom(name), meta, Term::Atom(_context)] => variable(name, meta),
            [name, _meta, Term::List(arguments)] => application(name, arguments),
            _ => opaque(),
        },
        _ => opaque(),
    }
}

fn tuple(parts: &[Term]) -> Term {
    form("tuple", [Term::list(parts.iter().map(expression))])
}

/// Elixir distinguishes variables of the same name by a version.
fn variable(name: &Atom, meta: &Term) -> Term {
    let meta = meta.elements().unwrap_or_default();
    let mut versions = meta.iter().filter_map(|pair| pair.as_tagged("version"));
    let version = versions.next().and_then(|rest| rest.first()?.as_integer());
    let whole = version.and_then(|version| Atom::new(&format!("{name}@{version}")));
    form("var", [Term::Atom(whole.unwrap_or(Atom::of("_")))])
}

fn application(name: &Term, arguments: &[Term]) -> Term {
    let word = name.as_atom().map(Atom::as_str);
    match (word, arguments) {
        (Some("{}"), parts) => tuple(parts),
        (Some("%{}"), pairs) => map(pairs, None),
        (Some("%"), [Term::Atom(structure), fields]) => match quoted(fields) {
            Some((_, pairs)) => map(pairs, Some(structure)),
            None => opaque(),
        },
        (Some("="), [pattern, value]) => form("match", [expression(pattern), expression(value)]),
        (Some("__block__"), body) => form("block", [Term::list(body.iter().map(expression))]),
        (Some("case"), [value, choices]) => form("case", [expression(value), clauses(choices)]),
        (Some("cond"), [choices]) => form("if", [clauses(choices)]),
        (Some("fn"), arrows) => {
            let clauses = Term::list(arrows.iter().filter_map(arrow));
            form("fun", [Term::tuple([Term::atom("clauses"), clauses])])
        }
        (Some(_), _) => call(form("atom", [name.clone()]), arguments),
        (None, _) => remote(name, arguments),
    }
}

fn map(pairs: &[Term], structure: Option<&Atom>) -> Term {
    let pair = |(key, value): (&Term, &Term)| {
        form("map_field_assoc", [expression(key), expression(value)])
    };
    // An update of a map does not show all of its pairs.
    let Some(mut fields) = pairs
        .iter()
        .map(|each| each.as_pair().map(pair))
        .collect::<Option<Vec<_>>>()
    else {
        return opaque();
    };
    if let Some(name) = structure {
        let (key, name) = (Term::atom("__struct__"), Term::Atom(name.clone()));
        fields.push(pair((&key, &name)));
    }
    form("map", [Term::List(fields)])
}

/// The clauses of `[{do, Arrows}]`.
fn clauses(choices: &Term) -> Term {
    let choices = choices.elements().unwrap_or_default();
    let arrows = choices
        .first()
        .and_then(|choice| choice.as_tagged("do")?.first());
    let arrows = arrows.and_then(Term::elements).unwrap_or_default();
    Term::list(arrows.iter().filter_map(arrow))
}

fn arrow(term: &Term) -> Option<Term> {
    match quoted(term)? {
        (name, [patterns, body]) if name.is_atom("->") => {
            Some(clause_of(&patterns.elements()?, body))
        }
        _ => None,
    }
}

/// `{{'.', Meta, [Module, Function]}, Meta, Arguments}`.
fn remote(name: &Term, arguments: &[Term]) -> Term {
    match quoted(name) {
        Some((dot, [module, function @ Term::Atom(_)])) if dot.is_atom(".") => {
            let function = form("atom", [function.clone()]);
            call(form("remote", [expression(module), function]), arguments)
        }
        _ => opaque(),
    }
}

fn call(function: Term, arguments: &[Term]) -> Term {
    let arguments = Term::list(arguments.iter().map(expression));
    form("call", [function, arguments])
}
