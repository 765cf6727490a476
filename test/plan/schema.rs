//! The plan as JSON against its schema, `schema/plan-1.json`.

use crate::pairs::{Built, pair, with};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The errors of a value against a schema of the few words of JSON Schema that ours uses. A word that is
/// not known here is an error too.
fn errors(schema: &Value, value: &Value, root: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (word, argument) in schema.as_object().unwrap() {
        let fits = match word.as_str() {
            "$schema" | "$id" | "title" | "description" | "$defs" => true,
            "$ref" => {
                let pointer = argument.as_str().unwrap().trim_start_matches('#');
                let target = root.pointer(pointer).unwrap();
                found.extend(errors(target, value, root, at));
                true
            }
            "type" => match argument {
                Value::Array(types) => types.iter().any(|kind| is(kind, value)),
                kind => is(kind, value),
            },
            "const" => argument == value,
            "enum" => argument.as_array().unwrap().contains(value),
            "minimum" => value
                .as_f64()
                .is_none_or(|v| v >= argument.as_f64().unwrap()),
            "pattern" => {
                assert_eq!(argument, "^[a-z][a-z0-9_]*$", "the one pattern");
                let text = value.as_str().unwrap_or_default();
                let rest = text
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
                rest && text.starts_with(|c: char| c.is_ascii_lowercase())
            }
            "required" => {
                let mut keys = argument.as_array().unwrap().iter();
                !value.is_object() || keys.all(|key| value.get(key.as_str().unwrap()).is_some())
            }
            "properties" => {
                for (key, schema) in argument.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        found.extend(errors(schema, value, root, &format!("{at}/{key}")));
                    }
                }
                true
            }
            "additionalProperties" => {
                assert_eq!(argument, false);
                let known = schema["properties"].as_object().unwrap();
                value
                    .as_object()
                    .is_none_or(|object| object.keys().all(|key| known.contains_key(key)))
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(errors(argument, item, root, &format!("{at}/{index}")));
                }
                true
            }
            word => panic!("the schema has a word that is not checked: {word}"),
        };
        if !fits {
            found.push(format!("{at}: {value} is not {word} {argument}"));
        }
    }
    found
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        kind => panic!("a type that is not checked: {kind}"),
    }
}

fn schema() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/plan-1.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn printed(old: &Path, new: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_erlrc"))
        .args(["plan", "demo", "--json", "--from"])
        .arg(old)
        .arg("--to")
        .arg(new)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_is_printed_is_what_the_schema_says() {
    let body = |value: &str, record: &str| {
        format!(
            "-behaviour(gen_server).\n-export([init/1, handle_call/3, handle_cast/2]).\n-record(s, {{{record}}}).\n\
                 init(_) -> {{ok, #s{{}}}}.\nhandle_call(_, _, S) -> {{reply, {value}, S}}.\nhandle_cast(_, S) -> {{noreply, S}}."
        )
    };
    let pairs = [
        pair(
            "findings",
            with(&[("demo_a", &body("1", "a"))]),
            with(&[
                ("demo_a", &body("2", "a, b")),
                ("demo_b", "-export([f/0]).\nf() -> demo_a:init(1)."),
            ]),
        ),
        pair("hot", with(&[("demo_a", "")]), with(&[("demo_a", "")])),
        pair(
            "broken",
            with(&[("demo_a", "")]),
            crate::pairs::Side {
                appup: Some("x".into()),
                ..with(&[("demo_a", "")])
            },
        ),
    ];
    let built = Built::new(&pairs);
    let schema = schema();
    for pair in &pairs {
        let value = printed(&built.dir(pair, "old"), &built.dir(pair, "new"));
        assert_eq!(
            errors(&schema, &value, &schema, ""),
            Vec::<String>::new(),
            "{value:#}"
        );
    }
    let mut value = printed(&built.dir(&pairs[0], "old"), &built.dir(&pairs[0], "new"));
    value["plans"][0]["findings"][0]["severity"] = "grave".into();
    value["plans"][0]["more"] = 1.into();
    assert_eq!(
        errors(&schema, &value, &schema, "").len(),
        2,
        "the check can fail"
    );
}

#[test]
fn the_exit_status_says_the_verdict() {
    let lib = |value: &str| {
        with(&[(
            "demo_a",
            &format!("-export([f/0]).\nf() -> {value}.") as &str,
        )])
    };
    let with_appup = |text: &str| crate::pairs::Side {
        appup: Some(format!(
            "{{\"2.0\", [{{\"1.0\", [{text}]}}], [{{\"1.0\", []}}]}}."
        )),
        ..lib("2")
    };
    let cases = [
        (pair("hot", lib("1"), lib("2")), 0),
        (
            pair(
                "restart",
                lib("1"),
                with_appup("{restart_application, demo}"),
            ),
            4,
        ),
        (
            pair("emulator", lib("1"), with_appup("restart_new_emulator")),
            5,
        ),
        (
            pair("fails", lib("1"), with_appup("{load_module, nobody}")),
            1,
        ),
    ];
    let pairs: Vec<_> = cases.iter().map(|(pair, _)| pair.clone()).collect();
    let built = Built::new(&pairs);
    for (pair, status) in &cases {
        let value = printed(&built.dir(pair, "old"), &built.dir(pair, "new"));
        assert_eq!(value["status"], *status, "{}: {value:#}", pair.name);
    }
}
