//! The pages below `docs/reference`, made from the code: each test holds one page against what the code says. Where
//! `ERLRC_WRITE_REFERENCE` is set, the tests write the pages instead.

use super::keys::{NODE_KEYS, REGISTRATION_KEYS};
use super::settings::VARIABLES;
use super::{Cli, Status};
use crate::catalogue::Entry;
use crate::maint::{Configuration, DOCTOR, FILE_KEYS};
use crate::outcome::{Class, Outcome};
use crate::places;
use crate::plan::{FILES, NODE, Severity, Verdict};
use crate::term::{Limits, text::parse_all};
use clap::CommandFactory;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn page(name: &str, expected: &str) {
    let file = root().join("docs/reference").join(name);
    if std::env::var_os("ERLRC_WRITE_REFERENCE").is_some() {
        std::fs::write(&file, expected).expect("a page to be written");
    }
    let found = std::fs::read_to_string(&file).expect("a page");
    let hint = "run ERLRC_WRITE_REFERENCE=1 cargo test --lib reference and commit the page";
    assert!(
        found == expected,
        "{} is out of date: {hint}",
        file.display()
    );
}

/// Rows of a table in Markdown below its head.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let mut text = line(&head) + &"|---".repeat(head.len()) + "|\n";
    for row in rows {
        let row: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        text.push_str(&line(&row));
    }
    text
}

fn code(text: &str) -> String {
    match text {
        "" => "none".to_owned(),
        _ => format!("`{text}`"),
    }
}

#[test]
fn findings() {
    let rows = |entries: &[Entry]| {
        let row = |entry: &Entry| vec![code(entry.name), entry.meaning.into(), entry.remedy.into()];
        table(&["kind", "meaning", "what to do"], entries.iter().map(row))
    };
    let severities = [Severity::Info, Severity::Warning, Severity::Error];
    let severities = severities
        .map(|severity| code(&severity.to_string()))
        .join(", ");
    let verdicts = Verdict::ALL.map(|verdict| code(verdict.name())).join(", ");
    let text = format!(
        "# Findings\n\n\
         `erlrc plan` and `erlrc doctor` print findings. The kind of a finding is a stable name: scripts may rely on it. \
         `man erlrc-findings` has the same list.\n\n\
         A finding of a plan has a severity ({severities}) and says what the upgrade comes to because of it. The worst \
         finding decides about the whole plan: {verdicts}.\n\n\
         ## Findings of a plan, in files\n\n{}\n\
         ## Findings of a plan, on a node\n\nThese are looked for where the plan is made for a node that runs.\n\n{}\n\
         ## Findings of the doctor\n\n{}",
        rows(&FILES),
        rows(&NODE),
        rows(&DOCTOR),
    );
    page("findings.md", &text);
}

fn kind_of(outcome: &Outcome) -> &'static str {
    if *outcome == Outcome::Nothing {
        "nothing to do"
    } else if matches!(outcome, Outcome::Waits | Outcome::RestartNeeded) {
        "put off"
    } else if outcome.is_change() {
        "change"
    } else if outcome.is_absent() {
        "not asked"
    } else if outcome.is_quiet() {
        "nothing to do"
    } else if outcome.is_success() {
        "answer"
    } else {
        "failure"
    }
}

#[test]
fn outcomes() {
    let row = |(outcome, meaning): &(Outcome, &str)| {
        vec![
            code(outcome.as_str()),
            kind_of(outcome).into(),
            meaning.trim().into(),
        ]
    };
    let rows = Outcome::catalogue();
    let text = format!(
        "# Outcomes\n\n\
         The outcome is the word that a hook prints behind the name of a node, and that `erlrc history` and the JSON of \
         every operation have. Words are never renamed; later versions may add some.\n\n\
         The kinds: a *change* was made; there was *nothing to do*; the node was *not asked*, which is no failure; an \
         *answer* to a question that changes nothing; a *failure*, whose exit status depends on what the node says about \
         it: see [exit statuses](exit-statuses.md).\n\n{}",
        table(&["outcome", "kind", "meaning"], rows.iter().map(row)),
    );
    page("outcomes.md", &text);
}

#[test]
fn exit_statuses() {
    let classes = [
        (Class::Done, "What was asked for is the case."),
        (
            Class::Absent,
            "The node does not run, belongs to another root, or was passed over.",
        ),
        (Class::Refused, "The node refused to begin."),
        (
            Class::NotCommitted,
            "It failed before any code was replaced.",
        ),
        (
            Class::RolledBack,
            "It failed and was rolled back: the node is as it was.",
        ),
        (
            Class::NotRolledBack,
            "It failed and could not be rolled back.",
        ),
        (
            Class::NoPath,
            "No upgrade path leads from the one version to the other.",
        ),
        (Class::RestartEmulator, "The emulator must be restarted."),
        (Class::Unreachable, "The node runs and cannot be spoken to."),
        (
            Class::Unresolved,
            "The operation began, and how it ended is not known: the node may still be at work.",
        ),
        (Class::Bug, "A fault in erlrc."),
    ];
    let statuses = Status::ALL
        .iter()
        .map(|status| vec![status.code().to_string(), status.meaning().to_owned()]);
    let classes = classes.iter().map(|(class, meaning)| {
        vec![
            (*meaning).to_owned(),
            Status::from(*class).code().to_string(),
        ]
    });
    let mut order = Status::ALL.to_vec();
    order.sort_by(|a, b| {
        if a.worse(*b) == *a {
            std::cmp::Ordering::Less
        } else {
            std::cmp::Ordering::Greater
        }
    });
    let order: Vec<String> = order
        .iter()
        .map(|status| status.code().to_string())
        .collect();
    let text = format!(
        "# Exit statuses\n\n\
         Every command uses the same numbers, and they are never renumbered.\n\n{}\n\
         With several nodes or applications the worst one decides. From the worst to the best: {}.\n\n\
         ## What became of an operation on a node\n\n{}",
        table(&["status", "meaning"], statuses),
        order.join(", "),
        table(&["a node where this is so", "counts as"], classes),
    );
    page("exit-statuses.md", &text);
}

#[test]
fn configuration() {
    let variables = VARIABLES
        .iter()
        .map(|(name, default, meaning)| vec![code(name), code(default), (*meaning).to_owned()]);
    let file = FILE_KEYS.iter().map(|key| {
        vec![
            code(key.name),
            key.values.to_owned(),
            code(key.default),
            key.meaning.to_owned(),
        ]
    });
    let registration = REGISTRATION_KEYS
        .iter()
        .map(|(name, values, default, meaning)| {
            vec![
                code(name),
                code(values),
                code(default),
                (*meaning).to_owned(),
            ]
        });
    let node = NODE_KEYS.iter().map(|(name, values, default, meaning)| {
        vec![
            code(name),
            (*values).to_owned(),
            code(default),
            (*meaning).to_owned(),
        ]
    });
    let text = format!(
        "# Configuration\n\n\
         `erlrc config` prints every setting of a host and its nodes, where it comes from, and what is wrong with it; \
         `erlrc config check` prints only what is wrong.\n\n\
         ## Variables of the environment\n\n\
         For commands and hooks. Directories and time limits are also options of the commands.\n\n{}\n\
         ## The file `/etc/erlrc.d/erlrc.conf`\n\n\
         Erlang terms, one for each key: `{{batch, true}}.`\n\n{}\n\
         ## A registration, `/etc/erlrc.d/applications/APP`\n\n\
         An empty file registers an application. It may hold terms:\n\n{}\n\
         ## The application environment of erlrc on a node\n\n\
         For example in `sys.config`: `{{erlrc, [{{suspend_timeout, 10000}}]}}`. Times are in milliseconds.\n\n{}\n\
         ## The application environment of an upgraded application\n\n\
         `{{erlrc_health_check, {{Module, Function, Arguments}}}}` and `{{erlrc_service_check, {{Module, Function, Arguments}}}}` \
         in the `.app` file of the new version take the place of `health_check` and `service_check` for that application.\n",
        table(&["variable", "default", "meaning"], variables),
        table(&["key", "values", "default", "meaning"], file),
        table(&["key", "values", "default", "meaning"], registration),
        table(&["key", "values", "default", "meaning"], node),
    );
    page("configuration.md", &text);
}

/// What the package ships as an example says nothing until a person takes a sign of comment away, and then what it should.
#[test]
fn the_example_of_the_file_has_every_key() {
    let text = std::fs::read_to_string(root().join("packaging/erlrc.conf")).expect("an example");
    assert!(
        text.lines()
            .all(|line| line.starts_with('%') || line.is_empty())
    );
    let words = text.replace("\n% ", " ");
    let uncommented = text.lines().filter_map(|line| line.strip_prefix("% "));
    let uncommented: Vec<&str> = uncommented.filter(|line| line.starts_with('{')).collect();
    let uncommented = uncommented.join("\n");
    let terms = parse_all(uncommented.as_bytes(), &Limits::default()).expect("terms");
    assert_eq!(terms.len(), FILE_KEYS.len());
    for (key, term) in FILE_KEYS.iter().zip(&terms) {
        assert!(words.contains(key.meaning), "{}", key.name);
        assert!(
            term.as_pair().is_some_and(|(tag, _)| tag.is_atom(key.name)),
            "{term}"
        );
        assert_eq!(Configuration::fault(term), None);
    }
}

/// The atoms of the list that a function of `erlrc_options` returns.
fn options(function: &str) -> BTreeSet<String> {
    let file = root().join("erlang/src/operations/erlrc_options.erl");
    let text = std::fs::read_to_string(file).expect("a module");
    let (_, after) = text
        .split_once(&format!("\n{function}() ->"))
        .expect("a function");
    let (_, list) = after.split_once('[').expect("a list");
    let (list, _) = list.split_once(']').expect("its end");
    list.split(',').map(|name| name.trim().to_owned()).collect()
}

#[test]
fn nodes_and_commands_mean_the_same_directories() {
    let file = root().join("erlang/src/node/erlrc_node.erl");
    let text = std::fs::read_to_string(file).expect("a module");
    let named = [
        ("root_dir", places::ROOT),
        ("apps_dir", places::APPS),
        ("run_dir", places::RUN),
        ("stash_dir", places::STASH),
    ];
    for (key, place) in named {
        let (variable, default) = (place.variable, place.default);
        let call = format!("directory(\"{variable}\", {key}, \"{default}\")");
        assert!(text.contains(&call), "{call}");
    }
    assert_eq!(text.matches("directory(\"").count(), named.len());
}

#[test]
fn every_key_of_the_node_is_in_the_reference() {
    let mut known = options("keys");
    known.extend(options("boot_keys"));
    known.extend(["evaluator", "upgrade_policy"].map(str::to_owned));
    let named: BTreeSet<String> = NODE_KEYS
        .iter()
        .map(|(name, ..)| (*name).to_owned())
        .collect();
    assert_eq!(named, known);
}

/// The paragraph of a help text that tells of its JSON, without the word in front.
fn json_of(help: &str) -> Option<String> {
    let (_, after) = help.split_once("JSON: ")?;
    let paragraph = after.split("\n\n").next().unwrap_or(after);
    Some(paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn json() {
    let mut command = Cli::command();
    command.build();
    let mut sections = String::new();
    for command in command.get_subcommands() {
        let nested = command.get_subcommands();
        for one in std::iter::once(command).chain(nested) {
            let help = one.get_after_help().map(ToString::to_string);
            let called = one.get_bin_name().unwrap_or_default();
            if let Some(form) = help.as_deref().and_then(json_of) {
                let _ = write!(sections, "## `{called} --json`\n\n{form}\n\n");
            }
        }
    }
    let text = format!(
        "# JSON\n\n\
         With `--json` a command prints one object on one line (`erlrc logs` and `erlrc status --watch`: one for each record). \
         It has `kind` and `version`. What is described here stays as long as `version` stays; later versions of erlrc may \
         add keys, so a program must ignore keys that it does not know. Warnings go to standard error as text.\n\n\
         A command that cannot do its work prints an object of the kind `error` instead. Every kind has a schema: \
         `schema/KIND-VERSION.json`, as [that of errors](../../schema/error-1.json). \
         Exit statuses are those of [this list](exit-statuses.md), words in `outcome` those of [this one](outcomes.md).\n\n{sections}"
    );
    page("json.md", &(text.trim_end().to_owned() + "\n"));
    for kind in behind("src/cli", "envelope(\"", "rs") {
        let named = format!("\"kind\": \"{kind}\"");
        assert!(text.contains(&named), "no help text tells of {named}");
    }
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let each = paths.flat_map(|path| match path.is_dir() {
        true => files(&path, extension),
        false => vec![path],
    });
    each.filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

/// The names that stand behind `mark` in the sources of a directory.
fn behind(dir: &str, mark: &str, extension: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files(&root().join(dir), extension) {
        let text = std::fs::read_to_string(file).expect("a source");
        // Long calls have their arguments on lines of their own.
        let text = text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .replace("( ", "(");
        for (at, _) in text.match_indices(mark) {
            let after = &text[at + mark.len()..];
            let end = after.find(|c: char| !(c.is_ascii_lowercase() || c == '_'));
            found.insert(after[..end.unwrap_or(after.len())].to_owned());
        }
    }
    found.remove("");
    found
}

#[test]
fn every_word_of_the_glossary_is_used_and_in_order() {
    let page = std::fs::read_to_string(root().join("docs/reference/glossary.md")).expect("a page");
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1);
    let words: Vec<&str> = rows
        .filter_map(|row| row.split('|').nth(1))
        .map(str::trim)
        .collect();
    assert!(words.len() > 30 && words.is_sorted(), "{words:?}");
    let mut sources = files(&root().join("src"), "rs");
    sources.extend(files(&root().join("erlang/src"), "erl"));
    let texts: Vec<String> = sources
        .iter()
        .map(|file| {
            std::fs::read_to_string(file)
                .expect("a source")
                .to_lowercase()
        })
        .collect();
    for word in words.iter().flat_map(|words| words.split(", ")) {
        assert!(
            texts.iter().any(|text| text.contains(word)),
            "nothing calls anything {word}"
        );
    }
}

#[test]
fn every_event_is_in_the_reference_and_no_other() {
    let file = root().join("docs/reference/events.md");
    let text = std::fs::read_to_string(file).expect("a page");
    let (events, reports) = text.split_once("## Other reports").expect("two parts");
    let named = |part: &str| -> BTreeSet<String> {
        let rows = part.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
            .collect()
    };
    let mut logged = behind("erlang/src", "event => ", "erl");
    logged.extend(behind("erlang/src", "erlrc_journal:timed(", "erl"));
    // Measured where they are made, under these names.
    logged.extend(["commit", "migrate"].map(str::to_owned));
    assert_eq!(named(events), logged);
    assert_eq!(named(reports), behind("erlang/src", "what => ", "erl"));
}
