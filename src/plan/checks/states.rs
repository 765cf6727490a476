//! States of processes: whether what they keep fits the new code.

use super::{Case, listed};
use crate::appup::{Direction, ModuleKind};
use crate::forms::{Anatomy, CodeChange, Debug, Keeper, Record, Shape};
use crate::migration::{Migration, Obstacle, Origin};
use crate::plan::code::Code;
use crate::plan::compared::Changed;
use crate::plan::finding::Finding;
use crate::plan::verdict::Verdict;
use crate::script::named::Fault;
use crate::script::{Script, migrations};
use crate::term::Atom;
use serde_json::json;
use std::collections::BTreeSet;

/// The finding about a state that nothing converts.
const NOT_MIGRATED: &str = "state_not_migrated";

/// States that do not fit the new code.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let direction = case.script.map_or(Direction::Up, |script| script.direction);
    let changed = case.compared.changed.values();
    let of_modules = changed
        .filter(|changed| case.named.of(&changed.new.module).is_none())
        .filter_map(|changed| {
            let finding = module(changed, direction)?;
            Some(with_migration(case, direction, (finding, called(changed))))
        });
    let mut findings: Vec<Finding> = of_modules.collect();
    findings.extend(by_modules(case));
    // Where nothing would be converted it does not matter.
    if findings.iter().any(|finding| finding.kind == NOT_MIGRATED) {
        let faults = case.opt_in.faults.iter();
        findings.extend(faults.map(|fault| not_read(case, fault)));
    }
    findings
}

/// What migration modules do, and what keeps them from it.
fn by_modules(case: &Case<'_>) -> Vec<Finding> {
    let replaced = case.script.map(Script::replaced).unwrap_or_default();
    let faults: Vec<Finding> = case.named.faults(&replaced).map(unusable).collect();
    if !faults.is_empty() {
        return faults;
    }
    let called =
        |module: &Atom| {
            let migration = case.named.of(module)?;
            let finding = Finding::info("state_migrated", module)
            .text(format!(
                "the state of {module} is converted by {migration}, which the later version names"
            ))
            .advice(format!("see that {migration} converts it in both directions"))
            .detail("migration", migration.as_str());
            Some(finding)
        };
    replaced.iter().filter_map(called).collect()
}

fn unusable(fault: &Fault) -> Finding {
    let subject = fault.changed().map_or("migration", Atom::as_str);
    Finding::error("migration_unusable", subject)
        .text(fault.to_string())
        .advice("correct what names it, or the module: it exports migrate/5 and is in the later version")
}

/// A file that was to say whether states are converted.
fn not_read(case: &Case<'_>, fault: &str) -> Finding {
    Finding::warning("migrate_not_read", &case.to.name)
        .text(format!(
            "what is said of migrations is not understood, and taken for {{migrate, none}}: {fault}"
        ))
        .advice("mend the file; erlrc config check names everything that is wrong")
        .detail("fault", fault)
}

/// What erlrc itself would do about a state that nothing converts.
fn with_migration(
    case: &Case<'_>,
    direction: Direction,
    (finding, called): (Finding, &str),
) -> Finding {
    let Some(module) = Atom::new(&finding.subject).filter(|_| finding.kind == NOT_MIGRATED) else {
        return finding;
    };
    let dirs = match direction {
        Direction::Up => (case.from_dir, case.to_dir),
        Direction::Down => (case.to_dir, case.from_dir),
    };
    let chosen = case.opt_in.loss();
    let loss = chosen.unwrap_or_default();
    match migrations::find(dirs, [module.clone()], direction, loss).remove(&module) {
        Some(Ok(found)) if chosen.is_some() => {
            converted(&module, &found.migration, case.opt_in.origin)
        }
        Some(Ok(_)) => finding.advice(format!(
            "let erlrc convert it field by field (--migrate), or let {called} of {module} do it: erlrc \
             make-migration prints that"
        )),
        Some(Err(obstacles)) if obstacles.iter().all(Obstacle::is_loss) => {
            let text = format!("{}; {}", finding.text, listed(obstacles.iter()));
            finding.text(text).advice(format!(
                "let erlrc convert it and drop that (--migrate --allow-loss), or let {called} of {module} do it"
            ))
        }
        Some(Err(obstacles)) => {
            let why = listed(obstacles.iter());
            let text = format!("{}; erlrc cannot convert it: {why}", finding.text);
            finding.text(text)
        }
        None => finding,
    }
}

/// The function of a module that would convert what its processes keep.
fn called(Changed { new, .. }: &Changed) -> &'static str {
    match &new.debug {
        Debug::Known(anatomy) => anatomy.keeper.code_change(),
        _ => "code_change",
    }
}

fn converted(module: &Atom, migration: &Migration, origin: Origin) -> Finding {
    let text = format!(
        "the {} of {module} is converted, {origin}: {}",
        kept_by(migration.keeper),
        listed(migration.lines().iter())
    );
    let finding = match migration.lost.is_empty() {
        true => Finding::info("state_migrated", module),
        false => Finding::warning("state_migrated", module),
    };
    finding
        .text(text)
        .advice("see that the values of new fields are what the new code expects")
        .detail("lost", migration.lost.clone())
        .detail("opt_in", origin.name())
}

fn module(Changed { kind, old, new, .. }: &Changed, direction: Direction) -> Option<Finding> {
    use ModuleKind::{EventHandler, Server, Special, StateMachine};
    let keeps = matches!(kind, Server | StateMachine | EventHandler | Special)
        || new.has("code_change", 3)
        || new.has("code_change", 4);
    if !keeps && !kind.supervises() {
        return None;
    }
    let (before, after) = match (&old.debug, &new.debug) {
        (Debug::Known(before), Debug::Known(after)) => (before, after),
        _ if kind.supervises() => return None,
        (before, after) => return Some(unknown(new, before, after)),
    };
    let differences = differences(before, after);
    if differences.is_empty() {
        return None;
    }
    if let (Direction::Up, Some(finding)) = (direction, rejected(new, before, after)) {
        return Some(finding);
    }
    // Going down, it is the later version that converts its own states, before the earlier one is loaded. A supervisor is
    // changed by the `init/1` that will run.
    let (own, other) = match direction {
        Direction::Down if !kind.supervises() => (before, after),
        _ => (after, before),
    };
    if kind.supervises() && own.code_change != CodeChange::Trivial {
        return None;
    }
    migrated(new, own, &other.code_change, &differences)
}

/// `code_change` of the new version takes its own states alone: with what runs no clause of it matches.
fn rejected(new: &Code, before: &Anatomy, after: &Anatomy) -> Option<Finding> {
    let takes = after.takes.as_ref()?;
    let size = |state: &Shape| match state {
        Shape::Record(name) => before.records.get(name).map(|fields| fields.len() + 1),
        Shape::Tuple(size) => Some(*size),
        Shape::Map(_) => None,
    };
    let sizes: Option<BTreeSet<usize>> = before.states.iter().map(size).collect();
    let sizes = sizes.filter(|sizes| !sizes.is_empty() && sizes.is_disjoint(takes))?;
    let (module, sizes) = (&new.module, listed(&sizes));
    let text = format!(
        "code_change of {module} takes a tuple of {}, and what it is called with is one of {sizes}: no \
         clause matches",
        listed(takes)
    );
    Some(
        Finding::error("code_change_rejects", module)
            .text(text)
            .advice(format!(
                "let a clause of code_change of {module} take the state of the earlier version"
            ))
            .detail("takes", takes.iter().copied().collect::<Vec<_>>()),
    )
}

/// Whether the state of a module's processes is certain to have another shape.
pub fn differ(old: &Code, new: &Code) -> bool {
    match (&old.debug, &new.debug) {
        (Debug::Known(before), Debug::Known(after)) => differences(before, after)
            .iter()
            .any(|difference| difference.certain),
        _ => false,
    }
}

fn unknown(new: &Code, before: &Debug<Anatomy>, after: &Debug<Anatomy>) -> Finding {
    let why = match (before, after) {
        (Debug::Unreadable, _) | (_, Debug::Unreadable) => "debug information that cannot be read",
        (Debug::Foreign, _) | (_, Debug::Foreign) => {
            "debug information of a language other than Erlang and Elixir"
        }
        _ => "no debug information",
    };
    let text = format!(
        "whether the state of {} fits its new code is not known: it has {why}",
        new.module
    );
    Finding::info("state_unknown", &new.module)
        .text(text)
        .advice("build both versions with debug_info, or try the upgrade on a node that may fail")
}

/// One way in which a state differs.
struct Difference {
    text: String,
    details: serde_json::Value,
    /// Whether code for the new shape cannot work on the old one.
    certain: bool,
}

fn differences(before: &Anatomy, after: &Anatomy) -> Vec<Difference> {
    let mut found = Vec::new();
    for state in &before.states {
        if let Shape::Record(name) = state {
            found.extend(record(name, before, after));
            let parts = before.parts.get(name).into_iter().flatten();
            found.extend(parts.filter_map(|part| record(part, before, after)));
        }
    }
    if let (true, Some(old), Some(new)) = (found.is_empty(), only(before), only(after)) {
        found.extend(shape(old, new));
    }
    found
}

fn only(anatomy: &Anatomy) -> Option<&Shape> {
    let mut states = anatomy.states.iter();
    states.next().filter(|_| states.next().is_none())
}

fn record(name: &Atom, before: &Anatomy, after: &Anatomy) -> Option<Difference> {
    let (old, new) = (before.records.get(name)?, after.records.get(name)?);
    (old != new).then(|| Difference {
        text: format!("#{name}{{}} {}", fields(old, new)),
        details: json!({"record": name.as_str(), "before": old, "after": new}),
        certain: true,
    })
}

/// What becomes of a record's fields, in words.
pub fn fields(old: &Record, new: &Record) -> String {
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
    let gained: Vec<_> = new.iter().filter(|field| !before.contains(field)).collect();
    let lost: Vec<_> = old.iter().filter(|field| !after.contains(field)).collect();
    let gains = (!gained.is_empty()).then(|| format!("gains {}", listed(gained)));
    let loses = (!lost.is_empty()).then(|| format!("loses {}", listed(lost)));
    match (gains, loses) {
        (Some(gains), Some(loses)) => format!("{gains} and {loses}"),
        (Some(change), None) | (None, Some(change)) => change,
        (None, None) => "has its fields in another order".to_owned(),
    }
}

fn shape(old: &Shape, new: &Shape) -> Option<Difference> {
    let (text, certain) = match (old, new) {
        (old, new) if old == new => return None,
        (Shape::Map(old), Shape::Map(new)) => {
            let (old, new): (Vec<_>, Vec<_>) =
                (old.iter().cloned().collect(), new.iter().cloned().collect());
            (format!("the map {}", fields(&old, &new)), false)
        }
        (old, new) => (format!("it is {old} and becomes {new}"), true),
    };
    let details = json!({"before": old.to_string(), "after": new.to_string()});
    Some(Difference {
        text,
        details,
        certain,
    })
}

/// What a process keeps, in a word.
fn kept(anatomy: &Anatomy) -> &'static str {
    kept_by(anatomy.keeper)
}

fn kept_by(keeper: Keeper) -> &'static str {
    match keeper {
        Keeper::Supervisor => "argument",
        _ => "state",
    }
}

fn migrated(
    new: &Code,
    own: &Anatomy,
    other: &CodeChange,
    differences: &[Difference],
) -> Option<Finding> {
    let (module, called) = (&new.module, own.keeper.code_change());
    let what = listed(differences.iter().map(|difference| &difference.text));
    let details: Vec<_> = differences.iter().map(|d| d.details.clone()).collect();
    let supervises = own.keeper == Keeper::Supervisor;
    let not = |how: &str| {
        let text = format!("the {} of {module} changes and {how}: {what}", kept(own));
        let advice = match supervises {
            true => format!("let init/1 of {module} take the old argument, too"),
            false => format!("let {called} of {module} convert the old state to the new one"),
        };
        let finding = if differences.iter().any(|difference| difference.certain) {
            Finding::error(NOT_MIGRATED, module).means(Verdict::RestartApplication)
        } else {
            Finding::warning(NOT_MIGRATED, module)
        };
        finding.text(text).advice(advice)
    };
    let finding = match &own.code_change {
        CodeChange::Absent => not(&format!("there is no {called}")),
        CodeChange::Trivial if supervises => not("init/1 does not take the old one"),
        CodeChange::Trivial => not(&format!("{called} gives it back as it was")),
        own if own == other => {
            let text = format!("the state of {module} changes and {called} does not: {what}");
            Finding::warning("code_change_unchanged", module)
                .text(text)
                .advice(format!(
                    "see that {called} of {module} makes the new state of the old one"
                ))
        }
        CodeChange::Own(_) => return None,
    };
    Some(finding.detail("differences", details))
}
