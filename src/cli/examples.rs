//! The examples on the pages under `docs`: commands that are taken, settings that are understood.

use super::Cli;
use crate::application::{Registration, UpgradePolicy};
use crate::maint::{Configuration, FILE_KEYS};
use crate::term::{Limits, Term, text};
use clap::{CommandFactory, Parser};
use std::path::Path;

/// A page that people read from its beginning, by name.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md")];
    for dir in ["docs", "docs/howto"] {
        let names = crate::file::names(&root.join(dir)).into_iter();
        let names = names.filter(|name| name.ends_with(".md"));
        files.extend(names.map(|name| root.join(dir).join(name)));
    }
    let read = |file: &std::path::PathBuf| {
        let text = std::fs::read_to_string(file).expect("a page");
        (file.display().to_string(), text)
    };
    files.iter().map(read).collect()
}

/// The lines of a page that stand by themselves: those that are indented, and those between fences.
fn shown(page: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            lines.push(line.trim());
        }
    }
    lines
}

/// What stands between backquotes within sentences.
fn spans(page: &str) -> Vec<&str> {
    let prose = page.lines().filter(|line| !line.starts_with("```"));
    prose
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect()
}

/// The words of a command, as a shell has them where nothing but single quotes is special.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, part) in command.split('\'').enumerate() {
        match place % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[test]
fn every_command_that_stands_by_itself_is_taken() {
    let mut count = 0;
    for (name, page) in pages() {
        for line in shown(&page) {
            let line = line.trim_start_matches("$ ").trim_start_matches("# ");
            if !line.starts_with("erlrc ") {
                continue;
            }
            let taken = Cli::try_parse_from(words(line));
            assert!(taken.is_ok(), "{name}: {line}\n{}", taken.unwrap_err());
            count += 1;
        }
    }
    assert!(count > 12, "the pages have lost their commands: {count}");
}

#[test]
fn every_command_that_a_sentence_names_is_there_with_its_options() {
    let mut cli = Cli::command();
    cli.build();
    let mut count = 0;
    for (name, page) in pages() {
        for span in spans(&page) {
            let words = words(span);
            let [program, command, rest @ ..] = words.as_slice() else {
                continue;
            };
            if program != "erlrc" || command.starts_with('-') {
                continue;
            }
            let mut found = cli.find_subcommand(command);
            assert!(found.is_some(), "{name}: {span}");
            for word in rest {
                let within = found.and_then(|found| found.find_subcommand(word));
                found = within.or(found);
                let Some(long) = word.strip_prefix("--") else {
                    continue;
                };
                let mut options = found.into_iter().chain([&cli]);
                let is_option = |command: &clap::Command| {
                    let mut all = command.get_arguments();
                    all.any(|option| option.get_long() == Some(long))
                };
                assert!(options.any(is_option), "{name}: {span}: {word}");
            }
            count += 1;
        }
    }
    assert!(count > 12, "the pages have lost their commands: {count}");
}

/// Whether a setting is understood; `None` where it is one of somebody else's.
fn understood(term: &Term) -> Option<bool> {
    let (key, value) = term.as_pair()?;
    let key = key.as_atom()?.as_str();
    if FILE_KEYS.iter().any(|known| known.name == key) {
        return Some(Configuration::fault(term).is_none());
    }
    match key {
        "upgrade_policy" => {
            let read = Registration::from_terms(vec![term.clone()]);
            Some(read.is_ok_and(|(_, unknown)| unknown.is_empty()))
        }
        "erlrc" => {
            let settings = value.elements()?;
            let mut pairs = settings.iter().filter_map(Term::as_pair);
            let (_, policy) = pairs.find(|(key, _)| key.is_atom("upgrade_policy"))?;
            Some(UpgradePolicy::from_term(policy).is_some())
        }
        _ => None,
    }
}

#[test]
fn every_setting_that_a_page_shows_is_understood() {
    let mut count = 0;
    for (name, page) in pages() {
        let settings = shown(&page).into_iter().chain(spans(&page));
        for line in settings.filter(|line| line.starts_with('{')) {
            let source = format!("{}.", line.trim_end_matches('.'));
            let Ok(terms) = text::parse_all(source.as_bytes(), &Limits::default()) else {
                continue;
            };
            if let Some(understood) = terms.first().and_then(understood) {
                assert!(understood, "{name}: {line}");
                count += 1;
            }
        }
    }
    assert!(count > 3, "the pages have lost their settings: {count}");
}
