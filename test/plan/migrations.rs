//! States that erlrc converts itself: what a plan says of them, and the source that does the same.

use crate::corpus::{TRIVIAL, record, server};
use crate::pairs::{Built, Pair, Side, found, pair, with};
use crate::support;
use erlrc::appup::Direction;
use erlrc::migration::Loss;
use erlrc::plan::{Plan, Surroundings};
use erlrc::script::opt_in::{Converts, Said};
use std::fs;
use std::path::PathBuf;
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
    let text =
        "the state of demo_server is converted, as --migrate asks: #state{} becomes a, b = 0";
    assert_eq!(plan.findings[0].text, text);
}

#[test]
fn a_lost_field_is_refused_unless_loss_is_allowed() {
    let pair = versions("gains", "a", "a, b = 0");
    let built = Built::new(std::slice::from_ref(&pair));
    let refused = built.plan_migrating(&pair, Direction::Down, Loss::Refused);
    assert_eq!(kinds(&refused), ["state_not_migrated"]);
    let sentence = refused.findings[0].sentence();
    let end = "the value of state.b would be lost: let erlrc convert it and drop that (--migrate --allow-loss), or \
               let code_change of demo_server do it";
    assert!(sentence.ends_with(end), "{sentence}");
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

/// A special process whose `system_code_change` gives back what it is given.
fn special(fields: &str, handed: &str, further: &str) -> String {
    format!(
        "-export([init/1, system_continue/3, system_code_change/4, system_terminate/4, system_replace_state/2]).\n\
         -record(state, {{{fields}}}).\ninit(Parent) -> loop(Parent, #state{{}}).\n\
         loop(Parent, State) ->\n receive {{system, From, Request}} ->\n\
         sys:handle_system_msg(Request, From, Parent, ?MODULE, [], {handed}) end.\n\
         system_continue(Parent, _, {handed}) -> loop(Parent, State).\n\
         system_code_change(Handed, _, _, _) -> {{ok, Handed}}.\n\
         system_terminate(Reason, _, _, _) -> exit(Reason).\n{further}\n"
    )
}

const WHOLE: &str = "system_replace_state(Fun, Handed) -> New = Fun(Handed), {ok, New, New}.";

fn specials(name: &'static str, handed: &str, (old, new): (&str, &str)) -> Pair {
    let of =
        |fields: &str, further: &str| with(&[("demo_daemon", &special(fields, handed, further))]);
    pair(name, of("a", old), of("a, b = 0", new))
}

#[test]
fn the_state_of_a_special_process_is_converted() {
    for handed in ["State", "{Parent, State}"] {
        let pair = specials("special", handed, (WHOLE, WHOLE));
        let built = Built::new(std::slice::from_ref(&pair));
        let plan = built.plan_migrating(&pair, Direction::Up, Loss::Refused);
        let text =
            "the state of demo_daemon is converted, as --migrate asks: #state{} becomes a, b = 0";
        assert_eq!(kinds(&plan), ["state_migrated"], "{handed}");
        assert_eq!(plan.findings[0].text, text);
        let refused = built.plan_migrating(&pair, Direction::Down, Loss::Refused);
        let end = "(--migrate --allow-loss), or let system_code_change of demo_daemon do it";
        assert!(
            refused.findings[0].advice.ends_with(end),
            "{handed}: {refused:?}"
        );
    }
}

#[test]
fn a_special_process_that_replaces_a_part_of_its_state_is_not_converted() {
    const FIELD: &str =
        "system_replace_state(Fun, #state{a = A} = S) -> N = Fun(A), {ok, N, S#state{a = N}}.";
    const NEVER: &str = "system_replace_state(_, Handed) -> {ok, none, Handed}.";
    for other in [FIELD, NEVER] {
        for versions in [(WHOLE, other), (other, WHOLE)] {
            let pair = specials("part", "State", versions);
            let built = Built::new(std::slice::from_ref(&pair));
            let plan = built.plan_migrating(&pair, Direction::Up, Loss::Refused);
            assert_eq!(kinds(&plan), ["state_not_migrated"]);
            let text = &plan.findings[0].text;
            let begins = "the state of demo_daemon changes and system_code_change gives it back";
            let ends = "erlrc cannot convert it: system_replace_state replaces only a part of it";
            assert!(text.starts_with(begins) && text.ends_with(ends), "{text}");
        }
    }
}

#[test]
fn the_printed_source_of_a_special_process_converts() {
    let pair = specials("printed_special", "{Parent, State}", (WHOLE, WHOLE));
    let said = printed(
        &pair,
        "system_code_change({p, {state, 1}}, m, \"1.0\", []), \
         system_code_change({p, {state, 3, 4}}, m, {down, \"1.0\"}, [])",
    );
    assert_eq!(said, "[{ok,{p,{state,1,0}}},{ok,{p,{state,3}}}]");
}

/// A supervisor whose `init/1` has these clauses.
fn supervisors(name: &'static str, clauses: (&str, &str)) -> Pair {
    let of = |fields: &str, clauses: &str| {
        let body = format!(
            "-behaviour(supervisor).\n-export([init/1]).\n-record(args, {{{fields}}}).\n{clauses}\n"
        );
        with(&[("demo_part_sup", &body)])
    };
    pair(name, of("a", clauses.0), of("a, b = 7", clauses.1))
}

const FIELD: &str = "init(#args{a = A}) -> {ok, {#{}, A}}.";
const USED: &str = "init(A) -> {ok, {#{}, A#args.a}}.";
const LISTED: &str = "init([Name, #args{a = A}]) -> {ok, {#{}, [Name, A]}}.";

#[test]
fn the_argument_of_a_supervisor_is_converted() {
    for init in [FIELD, USED, LISTED] {
        let pair = supervisors("argument", (init, init));
        let built = Built::new(std::slice::from_ref(&pair));
        let plain = built.plan(&pair, &Surroundings::default());
        assert_eq!(kinds(&plain), ["state_not_migrated"], "{init}");
        let plan = built.plan_migrating(&pair, Direction::Up, Loss::Refused);
        assert_eq!(
            (kinds(&plan), plan.verdict.name()),
            (vec!["state_migrated".to_owned()], "hot"),
            "{init}"
        );
        let text = "the argument of demo_part_sup is converted, as --migrate asks: #args{} becomes a, b = 7";
        assert_eq!(plan.findings[0].text, text);
        let down = built.plan_migrating(&pair, Direction::Down, Loss::Refused);
        assert_eq!(kinds(&down), ["state_not_migrated"], "{init}");
        let down = built.plan_migrating(&pair, Direction::Down, Loss::Allowed);
        assert_eq!(kinds(&down), ["state_migrated"], "{init}");
    }
}

/// The example of the page about migrations is what happens.
#[test]
fn the_example_of_the_page_is_true() {
    let page = include_str!("../../docs/howto/migrations.md");
    let example = |begins: &str| -> Vec<&str> {
        let lines = page.lines().filter_map(|line| line.strip_prefix("    "));
        lines.filter(|line| line.starts_with(begins)).collect()
    };
    let (records, init) = (example("-record(args,"), example("init("));
    let of = |record: &str| {
        let head = "-behaviour(supervisor).\n-export([init/1]).\n";
        with(&[("egerl_part_sup", &format!("{head}{record}\n{}\n", init[0]))])
    };
    let pair = pair("page", of(records[0]), of(records[1]));
    let built = Built::new(std::slice::from_ref(&pair));
    let plan = built.plan_migrating(&pair, Direction::Up, Loss::Refused);
    assert_eq!(example("the argument of"), [plan.findings[0].text.as_str()]);
}

/// The `init/1` that will run converts its argument itself.
#[test]
fn an_argument_that_init_takes_in_any_shape_is_left_to_it() {
    const ANY: &str =
        "init(#args{a = A}) -> {ok, {#{}, A}}; init(Old) -> init(list_to_tuple(Old)).";
    const WITHIN: &str = "init(#args{a = A}) -> {ok, {#{}, A}}; init([Old]) -> init(Old).";
    for init in [ANY, WITHIN] {
        let pair = supervisors("any", (FIELD, init));
        let built = Built::new(std::slice::from_ref(&pair));
        let plan = built.plan_migrating(&pair, Direction::Up, Loss::Refused);
        assert_eq!(kinds(&plan), Vec::<String>::new());
    }
}

#[test]
fn an_argument_that_init_does_not_take_any_more_is_refused() {
    let pair = supervisors("none", (FIELD, "init([]) -> {ok, {#{}, []}}."));
    let built = Built::new(std::slice::from_ref(&pair));
    let plan = built.plan_migrating(&pair, Direction::Up, Loss::Allowed);
    assert_eq!(kinds(&plan), ["state_not_migrated"]);
    let begins = "the argument of demo_part_sup changes and init/1 does not take the old one";
    let text = &plan.findings[0].text;
    assert!(text.starts_with(begins), "{text}");
}

#[test]
fn the_printed_clause_of_init_takes_the_earlier_argument() {
    let pair = supervisors("printed_init", (LISTED, LISTED));
    let calls = "init([n, {args, 1}]), init([n, {args, 1, 2}])";
    let said = printed_before(&pair, calls, "init(Other) -> {ok, Other}.\n");
    assert_eq!(said, "[{ok,[n,{args,1,7}]},{ok,[n,{args,1,2}]}]");
}

/// What `make-migration` prints compiles, and converts states both ways.
#[test]
fn the_printed_source_converts() {
    let pair = versions("printed", "a, gone", "b = 7, a");
    let said = printed(
        &pair,
        "code_change(\"1.0\", {state, 1, 2}, []), code_change({down, \"1.0\"}, {state, 3, 4}, [])",
    );
    assert_eq!(said, "[{ok,{state,7,1}},{ok,{state,4,undefined}}]");
}

const KEEPS: &str =
    "-export([init/1, handle_call/3]).\ninit(_) -> {ok, 0}. handle_call(_, _, S) -> {reply, S, S}.";
const CHANGED: &str = "-export([init/1, handle_call/3]).\ninit(_) -> {ok, {0}}. handle_call(_, _, S) -> {reply, S, S}.";
const MIGRATES: &str = "-export([migrate/5]).\nmigrate(_, _, _, _, N) -> {ok, {N}}.";

/// A version whose server changes, with this migration module and this file that names migration modules.
fn with_migrator(body: &str, named: &'static str) -> Side {
    let mut side = with(&[("demo_server", CHANGED), ("demo_migration", body)]);
    side.files = vec![("demo.migration", named)];
    side
}

/// A node that reads the files.
fn reading() -> Said {
    Said {
        root: Some(PathBuf::from("/nonexistent")),
        ..Said::default()
    }
}

#[test]
fn a_migration_module_is_named_by_a_term_or_by_its_attribute() {
    let attribute = format!("-erlrc_migration(demo_server).\n{MIGRATES}");
    let sides = [
        with_migrator(MIGRATES, "{module, demo_server, demo_migration}."),
        with_migrator(&attribute, "{migrate, none}."),
    ];
    for side in sides {
        let pair = pair("named", with(&[("demo_server", KEEPS)]), side);
        let built = Built::new(std::slice::from_ref(&pair));
        for direction in [Direction::Up, Direction::Down] {
            let plan = built.plan_as_said(&pair, direction, reading());
            assert_eq!(
                (kinds(&plan), plan.verdict.name()),
                (vec!["state_migrated".to_owned()], "hot"),
                "{plan:?}"
            );
            let text = "the state of demo_server is converted by demo_migration, which the later version names";
            assert_eq!(plan.findings[0].text, text);
        }
        let other = Said {
            evaluator: Converts::Nothing,
            ..reading()
        };
        let plan = built.plan_as_said(&pair, Direction::Up, other);
        assert!(!kinds(&plan).contains(&"state_migrated".to_owned()));
    }
}

#[test]
fn a_migration_module_that_cannot_be_used_is_an_error() {
    let on_load = format!("-on_load(go/0).\n{MIGRATES}\ngo() -> ok.");
    let attribute = format!("-erlrc_migration(\"text\").\n{MIGRATES}");
    let term = "{module, demo_server, demo_migration}.";
    let cases = [
        (
            MIGRATES,
            "{module, demo_server, gone}.",
            "gone, which is to migrate demo_server, is not in the later version",
        ),
        (
            MIGRATES,
            "{module, [demo_server], x}.",
            "is not {module, MODULE, MIGRATION_MODULE}",
        ),
        (
            &on_load,
            term,
            "cannot be used: it has an -on_load function",
        ),
        (
            "-export([a/0]).\na() -> ok.",
            term,
            "cannot be used: it does not export migrate/5",
        ),
        (
            &attribute,
            "",
            "the attribute -erlrc_migration of demo_migration is",
        ),
    ];
    for (body, named, text) in cases {
        let pair = pair(
            "unusable",
            with(&[("demo_server", KEEPS)]),
            with_migrator(body, named),
        );
        let built = Built::new(std::slice::from_ref(&pair));
        let plan = built.plan_as_said(&pair, Direction::Up, reading());
        let found = plan
            .findings
            .iter()
            .find(|finding| finding.kind == "migration_unusable");
        let found = found.unwrap_or_else(|| panic!("{text}: {plan:?}"));
        assert!(found.text.contains(text), "{}", found.text);
        assert_eq!(plan.verdict.name(), "would_fail");
    }
}

/// The printed module compiles, names what comes and goes, and converts both ways what the fields show.
#[test]
fn the_printed_migration_module_converts() {
    let of = |fields: &str, other: &str| {
        with(&[
            ("demo_server", &server(&record(fields), TRIVIAL)),
            ("demo_other", &server(&record(other), TRIVIAL)),
        ])
    };
    let pair = pair(
        "module",
        of("a, gone", "x"),
        of("b = 7, a", "x, y = erlang:now()"),
    );
    let built = Built::new(std::slice::from_ref(&pair));
    let output = Command::new(env!("CARGO_BIN_EXE_erlrc"))
        .args(["make-migration", "--module", "demo", "1.0", "2.0"])
        .args([built.dir(&pair, "old"), built.dir(&pair, "new")])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for line in [
        "%% demo_server, up: #state{} gains b = 7 and loses gone.",
        "%% demo_server, down: #state{} gains gone = undefined and loses b.",
        "%% demo_other, up, is to be written: the default of state.y has to be computed.",
        "-erlrc_migration([demo_other,demo_server]).",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("demo_migration.erl");
    let calls = "io:format(\"~w~n\", [[migrate(up, demo_server, \"1.0\", \"2.0\", {state, 1, 2}), \
                 migrate(down, demo_server, \"1.0\", \"2.0\", {state, 3, 4}), \
                 catch migrate(up, demo_server, \"1.0\", \"2.0\", {other, 1, 2})]])";
    let main = format!("-export([main/1]).\nmain(_) ->\n    {calls},\n    halt().\n");
    let text = text.replace(
        "-export([migrate/5]).\n",
        "-export([migrate/5]).\n-export([main/1]).\n",
    );
    fs::write(
        &source,
        format!("{text}\n{}", main.replacen("-export([main/1]).\n", "", 1)),
    )
    .unwrap();
    support::compile(&source, directory.path());
    let said = support::call(directory.path(), "demo_migration", &["now"]);
    assert!(
        said.starts_with("[{ok,{state,7,1}},{ok,{state,4,undefined}},{'EXIT',{function_clause"),
        "{said}"
    );
}

/// What the printed source answers to these calls.
fn printed(pair: &Pair, calls: &str) -> String {
    printed_before(pair, calls, "")
}

/// The same, with further clauses behind it.
fn printed_before(pair: &Pair, calls: &str, further: &str) -> String {
    let built = Built::new(std::slice::from_ref(pair));
    let output = Command::new(env!("CARGO_BIN_EXE_erlrc"))
        .args(["make-migration", "demo", "1.0", "2.0"])
        .args([built.dir(pair, "old"), built.dir(pair, "new")])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{printed}");
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("printed.erl");
    let main = format!("main(_) ->\n    io:format(\"~w~n\", [[{calls}]]),\n    halt().\n");
    let text = format!("-module(printed).\n-export([main/1]).\n{main}{printed}{further}");
    fs::write(&source, text).unwrap();
    support::compile(&source, directory.path());
    let said = support::call(directory.path(), "printed", &["now"]);
    said.trim().to_owned()
}
