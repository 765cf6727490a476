//! The source of a migration module: what is known of each module's states, as clauses of `migrate/5`.

use super::source::{function, handed, value};
use super::{Conversion, Migration, Source};
use crate::forms::Keeper;
use crate::term::{Atom, Term};

/// What is to be written of one module: its conversions up and down, or why it has to be written by hand.
#[derive(Clone, Debug)]
pub struct Part {
    /// The module whose states change.
    pub changed: Atom,
    /// Up and down.
    pub ways: Result<(Migration, Option<Migration>), String>,
}

/// The source of the migration module `name`.
pub fn module(name: &Atom, parts: &[Part], (earlier, later): (&str, &str)) -> String {
    let changed = parts.iter().map(|part| Term::Atom(part.changed.clone()));
    let mut text = format!(
        "%% Migrates states between versions {earlier} and {later}. It is part of the later version, for both directions.\n\
         %% migrate/5 returns {{ok, State}} or unchanged. A state that no clause takes keeps the upgrade from beginning.\n\
         -module({}).\n-erlrc_migration({}).\n-export([migrate/5]).\n",
        Term::Atom(name.clone()),
        Term::list(changed)
    );
    let (mut clauses, mut functions) = (Vec::new(), String::new());
    for part in parts {
        let (up, down) = match &part.ways {
            Ok((up, down)) => (
                Ok(up),
                down.as_ref().ok_or("the fields do not show the way down"),
            ),
            Err(why) => (Err(why.as_str()), Err(why.as_str())),
        };
        for (way, migration) in [("up", up), ("down", down)] {
            let own = format!("{way}_{}", part.changed);
            clauses.push(clause(
                &part.changed,
                (way, &own),
                migration,
                (earlier, later),
            ));
            for (record, fields) in migration.iter().flat_map(|each| &each.records) {
                let size = migration.ok().and_then(|each| each.sizes.get(record));
                function(
                    &mut functions,
                    record,
                    fields,
                    size.copied().unwrap_or(0),
                    &own,
                );
            }
        }
    }
    text.push_str(&format!("\n{}.\n{functions}", clauses.join(";\n")));
    text
}

/// `migrate(up, Module, Earlier, Later, State) -> {ok, Converted}`, after what comes and goes.
fn clause(
    changed: &Atom,
    (way, own): (&str, &str),
    migration: Result<&Migration, &str>,
    (earlier, later): (&str, &str),
) -> String {
    let [name, earlier, later] = [
        Term::Atom(changed.clone()),
        Term::string(earlier),
        Term::string(later),
    ];
    let head = |state: &str| format!("migrate({way}, {name}, {earlier}, {later}, {state}) ->");
    match migration {
        Ok(migration) => {
            let comment = comes_and_goes(migration);
            let converted = value(&migration.state, "State", own);
            let taken = taken(migration);
            let (given, made) = match migration.keeper {
                Keeper::Machine => (
                    format!("{{Name, {taken}}}"),
                    format!("{{Name, {converted}}}"),
                ),
                _ => (
                    handed(migration.place, &taken),
                    handed(migration.place, &converted),
                ),
            };
            format!(
                "%% {changed}, {way}: {comment}\n{}\n    {{ok, {made}}}",
                head(&given)
            )
        }
        Err(why) => format!(
            "%% {changed}, {way}, is to be written: {why}.\n{}\n    error(not_written)",
            head("_State")
        ),
    }
}

/// The states that can be converted, and no others: `{state, _, _} = State`.
fn taken(migration: &Migration) -> String {
    match &migration.state {
        Conversion::Record(name) => {
            let size = migration.sizes.get(name).copied().unwrap_or(0);
            let name = Term::Atom(name.clone());
            format!("{{{name}{}}} = State", ", _".repeat(size))
        }
        Conversion::Map { .. } => "#{} = State".to_owned(),
        _ => "State".to_owned(),
    }
}

/// `#state{} gains b and loses c.`
fn comes_and_goes(migration: &Migration) -> String {
    let mut said = Vec::new();
    for (record, fields) in &migration.records {
        let new = fields.iter().filter_map(|field| match &field.source {
            Source::Default(value) => Some(format!("{} = {value}", field.name)),
            Source::Kept { .. } => None,
        });
        let prefix = format!("{record}.");
        let lost = migration
            .lost
            .iter()
            .filter_map(|field| field.strip_prefix(&prefix));
        let lost = lost.map(str::to_owned).collect();
        said.push(change(&format!("#{record}{{}}"), new.collect(), lost));
    }
    if let Conversion::Map { gains, loses } = &migration.state {
        let gains = gains.iter().map(|(key, value)| format!("{key} => {value}"));
        let loses = loses.iter().map(ToString::to_string);
        said.push(change("the map", gains.collect(), loses.collect()));
    }
    format!("{}.", said.join("; "))
}

fn change(what: &str, gains: Vec<String>, loses: Vec<String>) -> String {
    let part = |verb: &str, fields: Vec<String>| {
        (!fields.is_empty()).then(|| format!("{verb} {}", fields.join(", ")))
    };
    let parts: Vec<String> = [part("gains", gains), part("loses", loses)]
        .into_iter()
        .flatten()
        .collect();
    match parts.is_empty() {
        true => format!("{what} has its fields in another order"),
        false => format!("{what} {}", parts.join(" and ")),
    }
}
