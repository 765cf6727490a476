//! A migration as source text: the clauses of `code_change` that a person pastes into the module.

use super::{Conversion, Field, Migration, Source};
use crate::forms::Keeper;
use crate::term::Atom;
use std::fmt::Write;

/// The functions that convert the states of `up`, and back by `down` where both ways are known. `earlier` is the earlier
/// version.
pub fn code_change(up: &Migration, down: Option<&Migration>, earlier: &str) -> String {
    let mut text = format!(
        "%% Converts the states of {} between version {earlier} and the next one, field by field.\n",
        up.module
    );
    let (arguments, answer): (&str, fn(&str) -> String) = match up.keeper {
        Keeper::Server => ("State, _Extra", |state| format!("{{ok, {state}}}")),
        Keeper::Machine => ("Name, State, _Extra", |state| {
            format!("{{ok, Name, {state}}}")
        }),
    };
    if let Some(down) = down {
        let state = answer(&value(&down.state, "State", "down"));
        let _ = writeln!(
            text,
            "code_change({{down, _Vsn}}, {arguments}) ->\n    {state};"
        );
    }
    let state = answer(&value(&up.state, "State", "up"));
    let _ = writeln!(text, "code_change(_Vsn, {arguments}) ->\n    {state}.");
    for (migration, way) in [(Some(up), "up"), (down, "down")] {
        for (record, fields) in migration.into_iter().flat_map(|each| &each.records) {
            let size = migration.and_then(|each| each.sizes.get(record));
            function(&mut text, record, fields, size.copied().unwrap_or(0), way);
        }
    }
    text
}

/// The expression that converts the value of `variable`.
fn value(conversion: &Conversion, variable: &str, way: &str) -> String {
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
    let plain = record
        .as_str()
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_');
    match plain {
        true => format!("{way}_{record}"),
        false => format!("'{way}_{}'", record.as_str().replace('\'', "\\'")),
    }
}

/// `up_state({state, Field1, ...}) -> {state, Field1, undefined}; up_state(Other) -> Other.`
fn function(text: &mut String, record: &Atom, fields: &[Field], size: usize, way: &str) {
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
