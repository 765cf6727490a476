//! Overrides of an application specification, applied key by key.
//!
//! | value of a key | the key becomes |
//! |---|---|
//! | `{merge, List}` | the sorted union of both lists |
//! | `{keymerge, Pairs}` | both lists of pairs merged by key and sorted, the override's pair wins |
//! | `{override, Value}` | `Value`, also where that looks like one of these |
//! | anything else | that |

use super::{Application, Error, named_keys};
use crate::term::{Atom, Term};

/// The keys that only the package may set.
const REFUSED: [&str; 2] = ["vsn", "modules"];

/// Applies `overrides`, a term `{application, Name, Keys}`, to the specification.
pub fn merge(specification: Application, overrides: Term) -> Result<Application, Error> {
    let (found, overrides) = named_keys(overrides)?;
    let name = specification.name;
    let mut keys = specification.written.into_keys();
    if found != name {
        return Err(Error::WrongName { found });
    }
    for entry in overrides {
        let (key, value) = pair(entry)?;
        if let Some(key) = REFUSED.into_iter().find(|refused| key.as_str() == *refused) {
            if is_same(&keys, key, &value) {
                continue;
            }
            return Err(Error::OverrideRefused { key });
        }
        put(&mut keys, key, value)?;
    }
    Application::from_keys(name, keys)
}

/// Whether a key has this value already, so that the override changes nothing.
fn is_same(keys: &[Term], key: &str, value: &Term) -> bool {
    let value = match value.as_tagged("override") {
        Some([value]) => value,
        _ => value,
    };
    let mut pairs = keys.iter().filter_map(Term::as_pair);
    let current = pairs.find(|(name, _)| name.is_atom(key));
    current.is_some_and(|(_, current)| current == value)
}

fn pair(entry: Term) -> Result<(Atom, Term), Error> {
    match entry {
        Term::Tuple(fields) => match <[Term; 2]>::try_from(fields) {
            Ok([Term::Atom(key), value]) => Ok((key, value)),
            Ok(fields) => Err(Error::OverrideWrongArity {
                entry: Term::Tuple(fields.into()),
            }),
            Err(fields) => Err(Error::OverrideWrongArity {
                entry: Term::Tuple(fields),
            }),
        },
        entry => Err(Error::OverrideWrongArity { entry }),
    }
}

/// Sets `key` in place, or at the end if it is new.
fn put(keys: &mut Vec<Term>, key: Atom, value: Term) -> Result<(), Error> {
    let position = keys.iter().position(|entry| is_key(entry, &key));
    let current = position.and_then(|at| match &keys[at] {
        Term::Tuple(pair) => pair.get(1),
        _ => None,
    });
    let value = overridden(&key, current, value)?;
    let entry = Term::Tuple(vec![Term::Atom(key), value]);
    match position {
        Some(at) => keys[at] = entry,
        None => keys.push(entry),
    }
    Ok(())
}

fn is_key(entry: &Term, key: &Atom) -> bool {
    matches!(entry, Term::Tuple(pair)
        if matches!(pair.as_slice(), [Term::Atom(name), _] if name == key))
}

fn overridden(key: &Atom, current: Option<&Term>, value: Term) -> Result<Term, Error> {
    let (how, operand) = match value {
        Term::Tuple(fields) => match <[Term; 2]>::try_from(fields) {
            Ok([Term::Atom(how), operand]) => (how, operand),
            Ok(fields) => return Ok(Term::Tuple(fields.into())),
            Err(fields) => return Ok(Term::Tuple(fields)),
        },
        value => return Ok(value),
    };
    let is_list = matches!(operand, Term::List(_) | Term::String(_));
    match how.as_str() {
        "override" => Ok(operand),
        "merge" if is_list => union(key, current, operand),
        "keymerge" if is_list => key_union(key, current, operand),
        _ => Ok(Term::Tuple(vec![Term::Atom(how), operand])),
    }
}

fn union(key: &Atom, current: Option<&Term>, list: Term) -> Result<Term, Error> {
    let mut all = operands(key, current, list)?;
    all.sort();
    all.dedup();
    Ok(Term::List(all))
}

fn key_union(key: &Atom, current: Option<&Term>, pairs: Term) -> Result<Term, Error> {
    let mut all = operands(key, current, pairs)?;
    let first = |term: &Term| term.as_tuple()?.first().cloned();
    if !all.iter().all(|term| first(term).is_some()) {
        return Err(Error::OverrideNotMergeable { key: key.clone() });
    }
    // The sort is stable and the entries of the override come first, so they win over equal keys.
    all.sort_by_cached_key(first);
    all.dedup_by(|later, earlier| first(later) == first(earlier));
    Ok(Term::List(all))
}

/// The override's elements, then the current ones.
fn operands(key: &Atom, current: Option<&Term>, list: Term) -> Result<Vec<Term>, Error> {
    let not_mergeable = || Error::OverrideNotMergeable { key: key.clone() };
    let mut all = list.into_elements().map_err(|_| not_mergeable())?;
    if let Some(current) = current {
        all.extend(
            current
                .clone()
                .into_elements()
                .map_err(|_| not_mergeable())?,
        );
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::text::parse;

    const SPECIFICATION: &str = "{application, foo, [{vsn, \"1\"}, {modules, [m]},
        {applications, [stdlib, kernel]}, {env, [{b, 1}, {a, 2}]}, {mod, {foo, []}}]}";

    fn overridden(overrides: &str) -> Result<Application, Error> {
        let specification = Application::from_term(parse(SPECIFICATION).unwrap()).unwrap();
        merge(
            specification,
            parse(&format!("{{application, foo, {overrides}}}")).unwrap(),
        )
    }

    #[test]
    fn what_the_package_alone_may_say_may_be_said_again() {
        case("[{vsn, \"1\"}, {modules, {override, [m]}}]", "vsn", "\"1\"");
        case("[{vsn, \"1\"}, {modules, [m]}, {x, 1}]", "x", "1");
        for refused in ["{vsn, \"1.0\"}", "{modules, []}", "{modules, [m, n]}"] {
            let error = overridden(&format!("[{refused}]")).unwrap_err();
            assert!(matches!(error, Error::OverrideRefused { .. }), "{refused}");
        }
    }

    #[track_caller]
    fn case(overrides: &str, key: &str, expected: &str) {
        let application = overridden(overrides).unwrap();
        assert_eq!(application.key(key), Some(&parse(expected).unwrap()));
        assert_eq!(application.vsn, "1");
        let others = application
            .keys()
            .iter()
            .filter(|entry| !entry.as_pair().unwrap().0.is_atom(key));
        let written = parse(SPECIFICATION).unwrap();
        let written = written.as_tuple().unwrap()[2]
            .elements()
            .unwrap()
            .into_owned();
        assert!(
            others.eq(written
                .iter()
                .filter(|e| !e.as_pair().unwrap().0.is_atom(key)))
        );
    }

    #[track_caller]
    fn refused(overrides: &str, expected: &str) {
        assert_eq!(
            overridden(overrides).unwrap_err().reason(),
            parse(expected).unwrap()
        );
    }

    #[test]
    fn merge_is_the_sorted_union() {
        case(
            "[{applications, {merge, [bar, kernel]}}]",
            "applications",
            "[bar, kernel, stdlib]",
        );
        case("[{registered, {merge, [b, a, b]}}]", "registered", "[a, b]");
        case(
            "[{applications, {merge, []}}]",
            "applications",
            "[kernel, stdlib]",
        );
        assert_eq!(
            overridden("[{applications, {merge, [bar]}}]")
                .unwrap()
                .applications
                .len(),
            3
        );
    }

    #[test]
    fn keymerge_goes_by_key_and_the_override_wins() {
        case(
            "[{env, {keymerge, [{c, 3}, {a, x}]}}]",
            "env",
            "[{a, x}, {b, 1}, {c, 3}]",
        );
        case(
            "[{env, {keymerge, [{a, x}, {a, y}]}}]",
            "env",
            "[{a, x}, {b, 1}]",
        );
        case(
            "[{blah, {keymerge, [{b, 1}, {a, 1}]}}]",
            "blah",
            "[{a, 1}, {b, 1}]",
        );
    }

    #[test]
    fn a_value_replaces() {
        case("[{env, [{c, 3}]}]", "env", "[{c, 3}]");
        case("[{mod, {bar, [x]}}]", "mod", "{bar, [x]}");
        case("[{mod, {override, {merge, []}}}]", "mod", "{merge, []}");
        case("[{env, {override, []}}]", "env", "[]");
        assert!(overridden("[{mod, []}]").unwrap().start.is_none());
    }

    #[test]
    fn a_string_merges_as_the_list_that_it_is() {
        case("[{x, {merge, \"ba\"}}]", "x", "\"ab\"");
    }

    #[test]
    fn an_entry_that_is_no_pair_is_rejected() {
        refused(
            "[{odd, size, tuple}]",
            "{appspec_override_wrong_arity, {odd, size, tuple}}",
        );
        refused("[env]", "{appspec_override_wrong_arity, env}");
    }

    #[test]
    fn what_the_package_alone_may_say_is_refused() {
        refused("[{vsn, \"2\"}]", "{appspec_override_refused, vsn}");
        refused(
            "[{modules, {merge, [n]}}]",
            "{appspec_override_refused, modules}",
        );
    }

    #[test]
    fn what_cannot_be_merged_is_rejected() {
        refused(
            "[{mod, {merge, [a]}}]",
            "{appspec_override_not_mergeable, mod}",
        );
        refused(
            "[{env, {keymerge, [a]}}]",
            "{appspec_override_not_mergeable, env}",
        );
        refused("[{applications, {merge, [1]}}]", "{bad_key, applications}");
    }

    #[test]
    fn an_override_of_another_application_is_rejected() {
        let specification = Application::from_term(parse(SPECIFICATION).unwrap()).unwrap();
        let other = parse("{application, bar, []}").unwrap();
        assert!(matches!(
            merge(specification, other),
            Err(Error::WrongName { .. })
        ));
    }
}
