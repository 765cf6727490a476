//! Calls that follow when every node has committed: what fails then is not taken back.

use super::Case;
use crate::appup::after_commit::call;
use crate::plan::code::Code;
use crate::plan::finding::Finding;
use crate::term::{Atom, Term};

/// Calls of functions that the new version does not export.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let instructions = case.script.iter().flat_map(|script| &script.instructions);
    let calls = instructions.filter_map(call);
    calls.filter_map(|call| undefined(case, call)).collect()
}

fn undefined(case: &Case<'_>, call: &[Term]) -> Option<Finding> {
    let [Term::Atom(module), Term::Atom(name), arguments] = call else {
        return None;
    };
    let arity = u32::try_from(arguments.elements()?.len()).ok()?;
    let exports = |code: &Code| code.has(name.as_str(), arity);
    let mut fresh = case.compared.fresh().map(|(_, new)| new);
    let known = fresh.find(|code| code.module == *module);
    let gone = case.compared.removed.contains_key(module);
    let missing = match known {
        Some(code) => !exports(code) && !code.has("$handle_undefined_function", 2),
        None => gone,
    };
    missing.then(|| finding(case, module, &format!("{module}:{name}/{arity}")))
}

fn finding(case: &Case<'_>, module: &Atom, function: &str) -> Finding {
    let text = format!(
        "{function} is to be called when every node has committed, and version {} does not export it",
        case.to.vsn
    );
    Finding::error("after_commit_undefined", module)
        .text(text)
        .advice(
            "correct the name in the appup or in the attribute erlrc_apply, or export the function",
        )
        .detail("function", function)
}
