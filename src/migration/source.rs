//! A migration as source text: the clauses of `code_change` that a person pastes into the module.

use super::{Conversion, Field, Migration, Source};
use crate::forms::{Keeper, Place};
use crate::term::Atom;
use std::fmt::Write;

/// The functions that convert the states of `up`, and back by `down` where both ways are known. `earlier` is the earlier
/// version. `None` where it is the argument of a supervisor, and its size does not tell the versions apart.
pub fn code_change(up: &Migration, down: Option<&Migration>, earlier: &str) -> Option<String> {
    if up.keeper == Keeper::Supervisor {
        return init(up, earlier);
    }
    let mut text = format!(
        "%% Converts the states of {} between version {earlier} and the next one, field by field.\n",
        up.module
    );
    if let Some(down) = down {
        let converted = value(&down.state, "State", "down");
        clause(&mut text, down, "{down, _Vsn}", &converted, ';');
    }
    let converted = value(&up.state, "State", "up");
    clause(&mut text, up, "_Vsn", &converted, '.');
    for (migration, way) in [(Some(up), "up"), (down, "down")] {
        for (record, fields) in migration.into_iter().flat_map(|each| &each.records) {
            let size = migration.and_then(|each| each.sizes.get(record));
            function(&mut text, record, fields, size.copied().unwrap_or(0), way);
        }
    }
    Some(text)
}

/// A clause of `init/1` that takes the argument of the earlier version, after the functions that it calls.
fn init(up: &Migration, earlier: &str) -> Option<String> {
    let Conversion::Record(name) = &up.state else {
        return None;
    };
    let (before, after) = (up.sizes.get(name)?, up.records.get(name)?.len());
    if *before == after {
        return None;
    }
    let mut text = format!(
        "%% Converts the argument of {} of version {earlier}, field by field.",
        up.module
    );
    for (record, fields) in &up.records {
        let size = up.sizes.get(record).copied().unwrap_or(0);
        function(&mut text, record, fields, size, "up");
    }
    let fields = (1..=*before).map(|at| format!("F{at}"));
    let tag = crate::term::Term::Atom(name.clone()).to_string();
    let parts: Vec<String> = std::iter::once(tag).chain(fields).collect();
    let record = format!("{{{}}}", parts.join(", "));
    let (given, converted) = (
        handed(up.place, &record),
        handed(up.place, &value(&up.state, &record, "up")),
    );
    let _ = writeln!(
        text,
        "\n%% The first clause of init/1:\ninit({given}) ->\n    init({converted});"
    );
    Some(text)
}

/// A clause of the function that converts a state, for this version.
fn clause(text: &mut String, migration: &Migration, vsn: &str, converted: &str, end: char) {
    let _ = match migration.keeper {
        Keeper::Server | Keeper::Supervisor => writeln!(
            text,
            "code_change({vsn}, State, _Extra) ->\n    {{ok, {converted}}}{end}"
        ),
        Keeper::Machine => writeln!(
            text,
            "code_change({vsn}, Name, State, _Extra) ->\n    {{ok, Name, {converted}}}{end}"
        ),
        Keeper::Special => {
            let handed = |state: &str| handed(migration.place, state);
            let (given, answered) = (handed("State"), handed(converted));
            writeln!(
                text,
                "system_code_change({given}, _Module, {vsn}, _Extra) ->\n    {{ok, {answered}}}{end}"
            )
        }
    };
}

/// The state as it stands in what a special process hands out, or in the argument of a supervisor.
pub(super) fn handed(place: Option<Place>, state: &str) -> String {
    let with = |at, size| {
        let parts = (0..size).map(|each| match each == at {
            true => state.to_owned(),
            false => format!("M{}", each + 1),
        });
        parts.collect::<Vec<_>>().join(", ")
    };
    match place {
        None => state.to_owned(),
        Some(Place::Tuple(at, size)) => format!("{{{}}}", with(at, size)),
        Some(Place::List(at, size)) => format!("[{}]", with(at, size)),
    }
}

/// The expression that converts the value of `variable`.
pub(super) fn value(conversion: &Conversion, variable: &str, way: &str) -> String {
    match conversion {
        Conversion::Same => variable.to_owned(),
        Conversion::Record(name) => format!("{}({variable})", name_of(name, way)),
        Conversion::Elements(inside) => {
            format!("[{} || Each <- {variable}]", value(inside, "Each", way))
        }
        Conversion::Values(inside) => format!(
            "maps:map(fun(_Key, Each) -> {} end, {variable})",
            value(inside, "Each", way)
        ),
        Conversion::Map { gains, loses } => {
            let with = match gains.as_slice() {
                [] => variable.to_owned(),
                gains => {
                    let pairs = gains.iter().map(|(key, value)| {
                        let key = crate::term::Term::Atom(key.clone());
                        format!("{key} => {value}")
                    });
                    let pairs = pairs.collect::<Vec<_>>().join(", ");
                    format!("maps:merge(#{{{pairs}}}, {variable})")
                }
            };
            match loses.as_slice() {
                [] => with,
                loses => {
                    let keys = loses.iter().cloned().map(crate::term::Term::Atom);
                    format!("maps:without({}, {with})", crate::term::Term::list(keys))
                }
            }
        }
    }
}

fn name_of(record: &Atom, way: &str) -> String {
    let name = format!("{way}_{record}");
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match plain {
        true => name,
        false => format!("'{}'", name.replace('\'', "\\'")),
    }
}

/// `up_state({state, Field1, ...}) -> {state, Field1, undefined}; up_state(Other) -> Other.`
pub(super) fn function(text: &mut String, record: &Atom, fields: &[Field], size: usize, way: &str) {
    let name = name_of(record, way);
    let tag = crate::term::Term::Atom(record.clone());
    let used = |at: usize| {
        fields
            .iter()
            .any(|field| matches!(field.source, Source::Kept { at: kept, .. } if kept == at))
    };
    let before = (0..size).map(|at| match used(at) {
        true => format!("F{}", at + 1),
        false => format!("_F{}", at + 1),
    });
    let after = fields.iter().map(|field| match &field.source {
        Source::Kept { at, inside } => value(inside, &format!("F{}", at + 1), way),
        Source::Default(default) => default.to_string(),
    });
    let tuple = |parts: Vec<String>| {
        let mut all = vec![tag.to_string()];
        all.extend(parts);
        format!("{{{}}}", all.join(", "))
    };
    let _ = writeln!(
        text,
        "\n{name}({}) ->\n    {};\n{name}(Other) ->\n    Other.",
        tuple(before.collect()),
        tuple(after.collect())
    );
}
