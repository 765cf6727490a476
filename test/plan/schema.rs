//! The plan as JSON against its schema, `schema/plan-1.json`.

use crate::pairs::{Built, pair, with};
use crate::support::schema::Schemas;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

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
    let schemas = Schemas::read();
    for pair in &pairs {
        let value = printed(&built.dir(pair, "old"), &built.dir(pair, "new"));
        assert_eq!(schemas.errors(&value), Vec::<String>::new(), "{value:#}");
    }
    let mut value = printed(&built.dir(&pairs[0], "old"), &built.dir(&pairs[0], "new"));
    value["plans"][0]["findings"][0]["severity"] = "grave".into();
    value["plans"][0]["more"] = 1.into();
    assert_eq!(schemas.errors(&value).len(), 2, "the check can fail");
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
