//! Checks instructions: the forms of appup(5), as `systools_rc` expands and checks them, and those
//! of relup(5).

use crate::term::Term;

/// Whether `term` is a high-level or low-level instruction.
pub fn is_instruction(term: &Term) -> bool {
    match term {
        Term::Atom(atom) => matches!(
            atom.as_str(),
            "point_of_no_return"
                | "restart_new_emulator"
                | "restart_emulator"
                | "restart"
                | "reboot"
        ),
        Term::Tuple(fields) => match fields.split_first() {
            Some((tag, arguments)) => tag
                .as_atom()
                .is_some_and(|tag| tuple(tag.as_str(), arguments)),
            None => false,
        },
        _ => false,
    }
}

fn tuple(tag: &str, arguments: &[Term]) -> bool {
    match (tag, arguments) {
        ("update", [module, rest @ ..]) => atom(module) && update(rest),
        ("load_module", [module, rest @ ..]) => atom(module) && load_module(rest),
        ("add_module" | "delete_module", [module]) => atom(module),
        ("add_module" | "delete_module", [module, depends]) => atom(module) && atoms(depends),
        ("add_application", [application]) => atom(application),
        ("add_application", [application, kind]) => atom(application) && start_type(kind),
        ("remove_application" | "restart_application", [application]) => atom(application),
        ("load_object_code", [library]) => object_code(library),
        ("load" | "remove", [module]) => match module.as_tuple() {
            Some([module, pre, post]) => atom(module) && purge(pre) && purge(post),
            _ => false,
        },
        ("purge" | "resume" | "stop" | "start", [modules]) => atoms(modules),
        ("suspend", [modules]) => all(modules, suspended),
        ("code_change", [modules]) => all(modules, extra),
        ("code_change", [mode, modules]) => {
            (mode.is_atom("up") || mode.is_atom("down")) && all(modules, extra)
        }
        ("sync_nodes", [_id, nodes]) => mfa(nodes) || atoms(nodes),
        ("apply" | "apply_after_commit", [call]) => mfa(call),
        _ => false,
    }
}

fn update(rest: &[Term]) -> bool {
    match rest {
        [] => true,
        [what] => what.is_atom("supervisor") || change(what) || atoms(what),
        [what, depends] => change(what) && atoms(depends),
        [what, pre, post, depends] => change(what) && purges(pre, post, depends),
        [time, what, pre, post, depends] => {
            timeout(time) && change(what) && purges(pre, post, depends)
        }
        [kind, time, what, pre, post, depends] => {
            (kind.is_atom("static") || kind.is_atom("dynamic"))
                && timeout(time)
                && change(what)
                && purges(pre, post, depends)
        }
        _ => false,
    }
}

fn load_module(rest: &[Term]) -> bool {
    match rest {
        [] => true,
        [depends] => atoms(depends),
        [pre, post, depends] => purges(pre, post, depends),
        _ => false,
    }
}

fn purges(pre: &Term, post: &Term, depends: &Term) -> bool {
    purge(pre) && purge(post) && atoms(depends)
}

fn object_code(library: &Term) -> bool {
    match library.as_tuple() {
        Some([library, vsn, modules]) => {
            atom(library) && vsn.as_string().is_some() && atoms(modules)
        }
        _ => false,
    }
}

fn suspended(module: &Term) -> bool {
    match module.as_pair() {
        Some((module, time)) => atom(module) && timeout(time),
        None => atom(module),
    }
}

fn extra(module: &Term) -> bool {
    module
        .as_pair()
        .is_some_and(|(module, _extra)| atom(module))
}

fn mfa(call: &Term) -> bool {
    match call.as_tuple() {
        Some([module, function, args]) => {
            atom(module) && atom(function) && args.elements().is_some()
        }
        _ => false,
    }
}

fn change(term: &Term) -> bool {
    term.is_atom("soft")
        || term
            .as_tagged("advanced")
            .is_some_and(|extra| extra.len() == 1)
}

fn purge(term: &Term) -> bool {
    term.is_atom("soft_purge") || term.is_atom("brutal_purge")
}

fn timeout(term: &Term) -> bool {
    term.is_atom("default")
        || term.is_atom("infinity")
        || term
            .as_integer()
            .is_some_and(|milliseconds| milliseconds > 0)
}

fn start_type(term: &Term) -> bool {
    let types = ["none", "load", "temporary", "transient", "permanent"];
    types.iter().any(|start| term.is_atom(start))
}

fn atom(term: &Term) -> bool {
    term.as_atom().is_some()
}

fn atoms(term: &Term) -> bool {
    all(term, atom)
}

fn all(term: &Term, sound: fn(&Term) -> bool) -> bool {
    term.elements()
        .is_some_and(|elements| elements.iter().all(sound))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::text;

    #[track_caller]
    fn case(instruction: &str, expected: bool) {
        assert_eq!(
            is_instruction(&text::parse(instruction).unwrap()),
            expected,
            "{instruction}"
        );
    }

    #[test]
    fn every_form_of_the_manual_is_an_instruction() {
        for form in [
            "{update,m}",
            "{update,m,supervisor}",
            "{update,m,soft}",
            "{update,m,{advanced,[]}}",
            "{update,m,[d]}",
            "{update,m,{advanced,x},[d]}",
            "{update,m,soft,soft_purge,brutal_purge,[]}",
            "{update,m,infinity,soft,soft_purge,brutal_purge,[]}",
            "{update,m,static,5000,{advanced,[]},soft_purge,brutal_purge,[d]}",
            "{load_module,m}",
            "{load_module,m,[d]}",
            "{load_module,m,soft_purge,soft_purge,[d]}",
            "{add_module,m}",
            "{delete_module,m,[d]}",
            "{add_application,a}",
            "{add_application,a,temporary}",
            "{restart_application,a}",
            "{apply,{m,f,\"ab\"}}",
            "restart_new_emulator",
            "{load_object_code,{l,\"1\",[m]}}",
            "{suspend,[m,{n,100}]}",
            "{code_change,up,[{m,x}]}",
            "{sync_nodes,id,{m,f,[]}}",
        ] {
            case(form, true);
        }
    }

    #[test]
    fn what_otp_refuses_is_none() {
        for form in [
            "{}",
            "[]",
            "{\"update\",m}",
            "{update}",
            "{update,m,hard}",
            "{update,m,0,soft,soft_purge,soft_purge,[]}",
            "{load_module,m,d}",
            "{load_module,m,kill,soft_purge,[]}",
            "{apply,{m,f,1}}",
            "{apply,m,f,[]}",
            "reload",
            "{add_application,a,always}",
        ] {
            case(form, false);
        }
    }
}
