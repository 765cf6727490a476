//! Calls that a script asks for when every node has committed. They are an `apply` of a function of erlrc,
//! which is an instruction to OTP's own tools as well.

use crate::term::Term;

const MODULE: &str = "erlrcdynamic";
const FUNCTION: &str = "apply_after_commit";

/// The instruction for a call `[Module, Function, Arguments]`.
pub fn instruction(call: Vec<Term>) -> Term {
    let function = [Term::atom(MODULE), Term::atom(FUNCTION), Term::List(call)];
    Term::tuple([Term::atom("apply"), Term::tuple(function)])
}

/// The call `[Module, Function, Arguments]` that an instruction asks for, if it is one of these.
pub fn call(instruction: &Term) -> Option<&[Term]> {
    let [function] = instruction.as_tagged("apply")? else {
        return None;
    };
    let [module, name, Term::List(call)] = function.as_tuple()? else {
        return None;
    };
    let sound = matches!(
        call.as_slice(),
        [Term::Atom(_), Term::Atom(_), arguments] if arguments.elements().is_some()
    );
    (module.is_atom(MODULE) && name.is_atom(FUNCTION) && sound).then_some(call)
}

/// The instruction in its long form, where it has the short one, `{apply_after_commit, {Module, Function, Arguments}}`.
pub fn long_form(term: Term) -> Term {
    let call = term.as_tagged(FUNCTION);
    let call = call.and_then(|call| call.first()?.as_tuple());
    match call {
        Some(call) if call.len() == 3 => instruction(call.to_vec()),
        _ => term,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::text;

    #[test]
    fn both_forms_are_the_same_call() {
        let long = "{apply,{erlrcdynamic,apply_after_commit,[m,f,[1]]}}";
        for form in [long, "{apply_after_commit,{m,f,[1]}}"] {
            let found = long_form(text::parse(form).unwrap());
            assert_eq!(found.to_string(), long);
            assert_eq!(call(&found).unwrap().len(), 3);
        }
    }

    #[test]
    fn what_is_no_call_is_none() {
        for form in [
            "{apply,{m,f,[]}}",
            "{apply,{erlrcdynamic,apply_after_commit,[m,f]}}",
            "{apply,{erlrcdynamic,apply_after_commit,[m,f,x]}}",
            "{apply_after_commit,{m,f}}",
            "point_of_no_return",
        ] {
            assert_eq!(call(&long_form(text::parse(form).unwrap())), None, "{form}");
        }
    }
}
