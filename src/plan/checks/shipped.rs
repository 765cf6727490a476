//! The appup that the application ships, held against what has changed.

use super::{Case, json, listed, states};
use crate::appup::{CODE_CHANGES, Direction};
use crate::plan::compared::Changed;
use crate::plan::finding::{Finding, Severity};
use crate::plan::steps::{is_barrier, restarts_emulator, subject, tag};
use crate::plan::verdict::Verdict;
use crate::script::Script;
use crate::term::{Atom, Term};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with a shipped script.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(script) = case.script.filter(|script| !script.generated) else {
        return Vec::new();
    };
    if script.instructions.iter().any(restarts_emulator) {
        return Vec::new();
    }
    let modules = Modules::of(script);
    let mut findings: Vec<Finding> = rejected(case, script, &modules).into_iter().collect();
    findings.extend(missed(case, &modules));
    let changed = case.compared.changed.iter();
    findings.extend(changed.filter_map(|(name, pair)| wrong(script, modules.of.get(name)?, pair)));
    findings
}

/// The high-level instructions by the module that they are about.
struct Modules<'a> {
    of: BTreeMap<&'a Atom, Vec<&'a Term>>,
    /// Whether something reloads the whole application, or low-level instructions load modules.
    all: bool,
}

impl<'a> Modules<'a> {
    fn of(script: &'a Script) -> Self {
        let mut found = Self {
            of: BTreeMap::new(),
            all: false,
        };
        for instruction in &script.instructions {
            let name = tag(instruction).map_or("", Atom::as_str);
            match (name, subject(instruction)) {
                ("update" | "load_module" | "add_module" | "delete_module", Some(module)) => {
                    found.of.entry(module).or_default().push(instruction);
                }
                ("load" | "remove" | "load_object_code", _) => found.all = true,
                _ => found.all |= is_barrier(instruction) && name.ends_with("_application"),
            }
        }
        found
    }
}

/// What `systools_rc` refuses: modules that no version has, and modules that are there twice.
fn rejected(case: &Case<'_>, script: &Script, modules: &Modules<'_>) -> Option<Finding> {
    let (from, to) = (&case.from.modules(), &case.to.modules());
    let unknown = |(name, instructions): &(&&Atom, &Vec<&Term>)| {
        instructions.iter().any(|instruction| {
            let deletes = tag(instruction).is_some_and(|tag| *tag == *"delete_module");
            !(if deletes { from } else { to }).contains(name)
        })
    };
    let unknown: BTreeSet<_> = modules
        .of
        .iter()
        .filter(unknown)
        .map(|(name, _)| *name)
        .collect();
    let twice = modules
        .of
        .iter()
        .filter(|(_, instructions)| instructions.len() > 1);
    let twice: BTreeSet<_> = twice.map(|(name, _)| *name).collect();
    let depends = script.instructions.iter().flat_map(depends);
    let loose: BTreeSet<_> = depends
        .filter(|name| !modules.of.contains_key(name))
        .collect();
    let said: Vec<String> = [
        (
            "it is about modules that are not in the .app file",
            &unknown,
        ),
        ("it is about the same modules more than once", &twice),
        ("it depends on modules that it does not load", &loose),
    ]
    .iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(text, names)| format!("{text} ({})", listed(names.iter())))
    .collect();
    if said.is_empty() || modules.all {
        return None;
    }
    let text = format!(
        "OTP refuses the appup of {}: {}",
        case.to.name,
        said.join("; ")
    );
    Some(
        Finding::error("appup_rejected", &case.to.name)
            .text(text)
            .advice("mend the appup, or delete it: one is generated then"),
    )
}

/// The modules that an instruction depends on: its last argument, where that is a list of atoms.
fn depends(instruction: &Term) -> Vec<&Atom> {
    match (tag(instruction).map(Atom::as_str), instruction.as_tuple()) {
        (
            Some("update" | "load_module" | "add_module" | "delete_module"),
            Some([_, _, .., Term::List(last)]),
        ) => last.iter().filter_map(Term::as_atom).collect(),
        _ => Vec::new(),
    }
}

/// Changed modules that no instruction is about.
fn missed(case: &Case<'_>, modules: &Modules<'_>) -> Option<Finding> {
    if modules.all {
        return None;
    }
    let changed = case.compared.changed.iter();
    let changed = changed.filter(|(_, changed)| !changed.change.is_empty());
    let missed: Vec<_> = changed
        .map(|(name, _)| name)
        .filter(|name| !modules.of.contains_key(name))
        .collect();
    (!missed.is_empty()).then(|| {
        let text = format!(
            "the appup of {} does not mention {}, which differ and stay as they are in memory",
            case.to.name,
            listed(&missed)
        );
        Finding::warning("appup_misses", &case.to.name)
            .text(text)
            .advice("add them to the appup, or delete it: one is generated then")
            .detail("modules", json(&missed))
    })
}

/// An instruction that is not right for its module.
fn wrong(script: &Script, instructions: &[&Term], changed: &Changed) -> Option<Finding> {
    let Changed { kind, old, new, .. } = changed;
    let is_update = |instruction: &&&Term| tag(instruction).is_some_and(|tag| *tag == *"update");
    let update = instructions.iter().find(is_update);
    let can = CODE_CHANGES
        .iter()
        .any(|(name, arity)| new.has(name, *arity));
    let (module, supervises) = (&new.module, kind.supervises());
    let wrong = |severity| Finding::new("appup_wrong_instruction", severity, module);
    if update.is_some_and(|update| asks_for_change(update)) {
        return (!can && !supervises).then(|| {
            let text =
                format!("the appup has code_change of {module} called, which it does not export");
            let advice = format!("use {{load_module, {module}}}, or export code_change");
            wrong(Severity::Error).text(text).advice(advice)
        });
    }
    if supervises && update.is_none() && script.direction == Direction::Up {
        let text =
            format!("the appup only loads {module}, a supervisor, which keeps its old children");
        let advice = format!("use {{update, {module}, supervisor}}");
        return Some(wrong(Severity::Warning).text(text).advice(advice));
    }
    (can && !supervises && states::differ(old, new)).then(|| {
        let text = format!(
            "the state of {module} changes, and the appup does not have code_change called"
        );
        let advice = format!("use {{update, {module}, {{advanced, []}}}}");
        let finding = wrong(Severity::Error).means(Verdict::RestartApplication);
        finding.text(text).advice(advice)
    })
}

/// Whether an `update` is one with `{advanced, Extra}`.
fn asks_for_change(update: &Term) -> bool {
    let arguments = update.as_tuple().unwrap_or_default();
    arguments
        .iter()
        .any(|argument| argument.as_tagged("advanced").is_some())
}
