//! States that erlrc converts itself: what a plan says of them, and the source that does the same.

use crate::corpus::{TRIVIAL, record, server};
use crate::pairs::{Built, Pair, found, pair, with};
use crate::support;
use erlrc::appup::Direction;
use erlrc::migration::Loss;
use erlrc::plan::Plan;
use std::fs;
use std::process::Command;

fn versions(name: &'static str, old: &str, new: &str) -> Pair {
    let of = |fields: &str| with(&[("demo_server", &server(&record(fields), TRIVIAL))]);
    pair(name, of(old), of(new))
}

fn kinds(plan: &Plan) -> Vec<String> {
    found(plan).into_iter().map(|(kind, _)| kind).collect()
}

#[test]
fn a_gained_field_is_converted_and_the_plan_is_hot() {
    let pair = versions("gains", "a", "a, b = 0");
    let built = Built::new(std::slice::from_ref(&pair));
    let plan = built.plan_migrating(&pair, Direction::Up, Loss::Refused);
    assert_eq!(
        (kinds(&plan), plan.verdict.name()),
        (vec!["state_migrated".to_owned()], "hot")
    );
    let text = "the state of demo_server is converted: #state{} becomes a, b = 0";
    assert_eq!(plan.findings[0].text, text);
}

#[test]
fn a_lost_field_is_refused_unless_loss_is_allowed() {
    let pair = versions("gains", "a", "a, b = 0");
    let built = Built::new(std::slice::from_ref(&pair));
    let refused = built.plan_migrating(&pair, Direction::Down, Loss::Refused);
    assert_eq!(kinds(&refused), ["state_not_migrated"]);
    let text = &refused.findings[0].text;
    assert!(
        text.ends_with("erlrc cannot convert it: the value of state.b would be lost"),
        "{text}"
    );
    let allowed = built.plan_migrating(&pair, Direction::Down, Loss::Allowed);
    assert_eq!(
        (kinds(&allowed), allowed.verdict.name()),
        (vec!["state_migrated".to_owned()], "hot_with_warnings")
    );
}

#[test]
fn a_default_that_has_to_be_computed_is_said() {
    let pair = versions("computed", "a", "a, b = erlang:now()");
    let built = Built::new(std::slice::from_ref(&pair));
    let plan = built.plan_migrating(&pair, Direction::Up, Loss::Allowed);
    assert_eq!(kinds(&plan), ["state_not_migrated"]);
    let text = &plan.findings[0].text;
    assert!(
        text.ends_with("the default of state.b has to be computed"),
        "{text}"
    );
}

/// What `make-migration` prints compiles, and converts states both ways.
#[test]
fn the_printed_source_converts() {
    let pair = versions("printed", "a, gone", "b = 7, a");
    let built = Built::new(std::slice::from_ref(&pair));
    let output = Command::new(env!("CARGO_BIN_EXE_erlrc"))
        .args(["make-migration", "demo", "1.0", "2.0"])
        .args([built.dir(&pair, "old"), built.dir(&pair, "new")])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{printed}");
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("printed.erl");
    let main = "main(_) ->\n    io:format(\"~p ~p~n\", [code_change(\"1.0\", {state, 1, 2}, []),\n    \
                code_change({down, \"1.0\"}, {state, 3, 4}, [])]),\n    halt().\n";
    fs::write(
        &source,
        format!("-module(printed).\n-export([main/1]).\n{main}{printed}"),
    )
    .unwrap();
    support::compile(&source, directory.path());
    let said = support::call(directory.path(), "printed", &["now"]);
    assert_eq!(said.trim(), "{ok,{state,7,1}} {ok,{state,4,undefined}}");
}
