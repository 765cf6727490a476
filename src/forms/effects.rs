//! The effects of a function that others notice: calls that are repeated when `init/1` runs a
//! second time.

use super::{Forms, call, node, walk};
use crate::term::{Atom, Term};
use std::collections::BTreeSet;

/// A call whose effects are visible outside the process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Effect {
    /// The function, as `module:name/arity`.
    pub function: String,
    /// Whether it fails if it has been called before, because a name is taken.
    pub once: bool,
}

/// The calls of `init/1`, made directly or through functions of its module.
pub fn effects(forms: &Forms) -> BTreeSet<Effect> {
    let mut found = BTreeSet::new();
    let (mut open, mut seen) = (vec![("init".to_owned(), 1)], BTreeSet::new());
    while let Some((name, arity)) = open.pop() {
        if !seen.insert((name.clone(), arity)) {
            continue;
        }
        for whole in forms.clauses(&name, arity) {
            walk(whole, &mut |term| {
                // A call inside a fun is not made here.
                if matches!(node(term), Some(("fun" | "named_fun", _))) {
                    return false;
                }
                if let Some(("op", [operator, _, _])) = node(term)
                    && operator.is_atom("!")
                {
                    found.insert(effect("erlang", "send", 2, false));
                }
                match call(term) {
                    Some((None, name, arguments)) if is_local(forms, name, arguments) => {
                        open.push((name.to_string(), arguments.len()));
                    }
                    Some((module, name, arguments)) => {
                        let module = module.map_or("erlang", Atom::as_str);
                        found.extend(visible(
                            module,
                            name.as_str(),
                            arguments,
                            is_plain(whole, term),
                        ));
                    }
                    None => {}
                }
                true
            });
        }
    }
    found
}

fn is_local(forms: &Forms, name: &Atom, arguments: &[Term]) -> bool {
    !forms.clauses(name.as_str(), arguments.len()).is_empty()
}

fn effect(module: &str, name: &str, arity: usize, once: bool) -> Effect {
    Effect {
        function: format!("{module}:{name}/{arity}"),
        once,
    }
}

/// Whether an expression in the body of a clause is always reached, and nothing catches its
/// exceptions.
fn is_plain(clause: &Term, wanted: &Term) -> bool {
    let mut plain = false;
    let body = super::clause(clause).map_or(&[][..], |(_, body)| body);
    for expression in body {
        walk(expression, &mut |term| {
            plain |= std::ptr::eq(term, wanted);
            !matches!(
                node(term),
                Some((
                    "case" | "if" | "receive" | "try" | "catch" | "maybe" | "lc" | "bc" | "mc",
                    _
                ))
            )
        });
    }
    plain
}

fn visible(module: &str, name: &str, arguments: &[Term], plain: bool) -> Option<Effect> {
    let once = match (module, name) {
        ("ets", "new") => plain && arguments.get(1).is_some_and(has_named_table),
        ("erlang", "register") => plain,
        ("gen_tcp" | "ssl" | "gen_udp", "listen" | "open") => {
            // A port that the system chooses is free each time.
            let port = arguments.first().and_then(node);
            plain && matches!(port, Some(("integer", [Term::Integer(1..)])))
        }
        (
            "erlang",
            "spawn" | "spawn_link" | "spawn_monitor" | "spawn_opt" | "send" | "open_port"
            | "send_after" | "start_timer",
        )
        | ("ets", "insert" | "insert_new" | "delete" | "delete_all_objects")
        | ("dets", _)
        | ("file", "write_file" | "delete" | "rename" | "make_dir" | "open")
        | ("persistent_term", "put" | "erase")
        | ("application", "set_env" | "unset_env" | "start" | "stop" | "ensure_all_started")
        | ("gen_server" | "gen_statem", "call" | "cast" | "start" | "start_link")
        | ("gen_event", "add_handler" | "notify" | "sync_notify" | "start_link")
        | ("supervisor", "start_child" | "terminate_child" | "delete_child")
        | ("timer", "send_after" | "send_interval" | "apply_after" | "apply_interval")
        | ("mnesia", "create_table" | "add_table_copy" | "start" | "dirty_write" | "transaction")
        | ("pg" | "global", "join" | "leave" | "register_name")
        | ("logger", "add_handler" | "set_primary_config") => false,
        _ => return None,
    };
    Some(effect(module, name, arguments.len(), once))
}

/// Whether the options of a table give it a name.
pub(super) fn has_named_table(options: &Term) -> bool {
    let mut found = false;
    walk(options, &mut |term| {
        found |= term.is_atom("named_table");
        true
    });
    found
}
