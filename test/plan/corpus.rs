//! A pair for every finding, and pairs for none.

use crate::pairs::{Built, Pair, Side, check, pair, with};
use erlrc::plan::Surroundings;

/// A gen_server with this state and this `code_change`.
fn server(state: &str, code_change: &str) -> String {
    let exported = if code_change.is_empty() {
        ""
    } else {
        ", code_change/3"
    };
    format!(
        "-behaviour(gen_server).\n-export([init/1, handle_call/3, handle_cast/2{exported}]).\n\
         {state}\n{code_change}\n\
         handle_call(_, _, S) -> {{reply, ok, S}}.\nhandle_cast(_, S) -> {{noreply, S}}.\n"
    )
}

fn record(fields: &str) -> String {
    format!("-record(state, {{{fields}}}).\ninit([]) -> S = #state{{}}, {{ok, S}}.")
}

const TRIVIAL: &str = "code_change(_, S, _) -> {ok, S}.";
const OWN: &str =
    "code_change(_, {state, A}, _) -> {ok, {state, A, 0}}; code_change(_, S, _) -> {ok, S}.";
const SAME: &str = "code_change(_, S, _) -> io:format(\"x\"), {ok, S}.";

fn states() -> Vec<Pair> {
    let of = |state: &str, change: &str| with(&[("demo_server", &server(state, change))]);
    let two = |name, (old, old_change): (&str, &str), (new, new_change): (&str, &str)| {
        pair(name, of(old, old_change), of(new, new_change))
    };
    let (one, more) = (record("a"), record("a, b = 0"));
    let machine = |fields: &str, change: &str| {
        let body = format!(
            "-behaviour(gen_statem).\n-export([init/1, callback_mode/0, on/3, code_change/4]).\n\
             -record(data, {{{fields}}}).\ncallback_mode() -> state_functions.\n\
             init([]) -> {{ok, on, #data{{}}}}.\non(_, _, D) -> {{keep_state, D}}.\n{change}\n"
        );
        with(&[("demo_machine", &body)])
    };
    let back = "code_change(_, N, D, _) -> {ok, N, D}.";
    let nested = |fields: &str| {
        format!(
            "-record(part, {{{fields}}}).\n-record(state, {{a :: #part{{}} | undefined}}).\n\
                 init([]) -> {{ok, #state{{a = #part{{}}}}}}."
        )
    };
    vec![
        two("trivial", (&one, TRIVIAL), (&more, TRIVIAL))
            .finds("state_not_migrated", "demo_server")
            .comes_to("restart_application"),
        two("absent", (&one, ""), (&more, ""))
            .finds("state_not_migrated", "demo_server")
            .comes_to("restart_application"),
        two("migrated", (&one, TRIVIAL), (&more, OWN)),
        two("unchanged_code_change", (&one, SAME), (&more, SAME))
            .finds("code_change_unchanged", "demo_server")
            .comes_to("hot_with_warnings"),
        two(
            "other_default",
            (&record("a = 1"), TRIVIAL),
            (&record("a = 2"), TRIVIAL),
        ),
        two(
            "other_type",
            (&record("a :: integer()"), TRIVIAL),
            (&record("a :: atom()"), OWN),
        ),
        two(
            "other_order",
            (&record("a = 1, b"), TRIVIAL),
            (&record("b, a = 1"), TRIVIAL),
        )
        .finds("state_not_migrated", "demo_server")
        .comes_to("restart_application"),
        two(
            "nested",
            (&nested("x"), TRIVIAL),
            (&nested("x, y"), TRIVIAL),
        )
        .finds("state_not_migrated", "demo_server")
        .comes_to("restart_application"),
        two(
            "map",
            ("init([]) -> {ok, #{a => 1}}.", TRIVIAL),
            ("init([]) -> {ok, #{b => 1}}.", TRIVIAL),
        )
        .finds("state_not_migrated", "demo_server")
        .comes_to("hot_with_warnings"),
        two(
            "tuple",
            ("init([]) -> {ok, {1, 2}}.", TRIVIAL),
            ("init([]) -> {ok, {1, 2, 3}}.", TRIVIAL),
        )
        .finds("state_not_migrated", "demo_server")
        .comes_to("restart_application"),
        two(
            "handler",
            (&one, TRIVIAL),
            (
                &("-export([x/0]).\n".to_owned() + &record("a") + "\nx() -> 1."),
                TRIVIAL,
            ),
        ),
        pair("machine", machine("a", back), machine("a, b", back))
            .finds("state_not_migrated", "demo_machine")
            .comes_to("restart_application"),
        pair("same_machine", machine("a", back), machine("a = 1", back)),
        pair(
            "no_debug_info",
            Side {
                options: "",
                ..of(&one, TRIVIAL)
            },
            Side {
                options: "",
                ..of(&more, TRIVIAL)
            },
        )
        .finds("state_unknown", "demo_server"),
        // A library's records are nobody's state.
        pair(
            "library",
            with(&[(
                "demo_lib",
                "-export([f/0]).\n-record(r, {a}).\nf() -> #r{}.",
            )]),
            with(&[(
                "demo_lib",
                "-export([f/0]).\n-record(r, {a, b}).\nf() -> #r{}.",
            )]),
        ),
    ]
}

fn supervisor(init: &str) -> Side {
    let text = format!("-behaviour(supervisor).\n-export([init/1]).\n{init}\n");
    with(&[("demo_sup", &text)])
}

fn children(ids: &str) -> Side {
    let ids = ids.split_whitespace();
    let list: Vec<_> = ids
        .map(|id| format!("#{{id => {id}, start => {{m, start, [{id}]}}}}"))
        .collect();
    supervisor(&format!(
        "init([]) -> Children = [{}], {{ok, {{#{{}}, Children}}}}.",
        list.join(", ")
    ))
}

fn supervisors() -> Vec<Pair> {
    let plain = || children("a b");
    let init = |first: &str| supervisor(&format!("init([]) -> {first}, {{ok, {{#{{}}, []}}}}."));
    let empty = || supervisor("init([]) -> {ok, {#{}, []}}.");
    vec![
        pair("children_added", plain(), children("a b c")).finds("children_changed", "demo_sup"),
        pair("children_removed", plain(), children("a"))
            .finds("children_changed", "demo_sup")
            .comes_to("hot_with_warnings"),
        pair(
            "children_respecified",
            plain(),
            supervisor(
                "init([]) -> {ok, {#{}, [child(a, 1), #{id => b, start => {m, start, [b]}}]}}.\n\
                 child(_, X) -> #{id => a, start => {m, start, [X]}}.",
            ),
        )
        .finds("children_changed", "demo_sup"),
        pair(
            "children_of_tuples",
            supervisor(
                "init([]) -> {ok, {{one_for_one, 1, 1}, [{a, {m, f, []}, permanent, 5, worker, [m]}]}}.",
            ),
            supervisor(
                "init([]) -> {ok, {{one_for_one, 1, 2}, [{a, {m, f, []}, permanent, 5, worker, [m]}]}}.",
            ),
        ),
        pair(
            "children_computed",
            supervisor("init(L) -> {ok, {#{}, [#{id => X, start => {m, f, []}} || X <- L]}}."),
            supervisor("init(L) -> {ok, {#{}, [#{id => X, start => {m, g, []}} || X <- L]}}."),
        ),
        pair(
            "init_repeats",
            empty(),
            init("gen_server:cast(somebody, hello)"),
        )
        .finds("init_repeats", "demo_sup")
        .comes_to("hot_with_warnings"),
        pair(
            "init_repeats_far",
            empty(),
            supervisor("init([]) -> x(), {ok, {#{}, []}}.\nx() -> ets:new(a, [])."),
        )
        .finds("init_repeats", "demo_sup")
        .comes_to("hot_with_warnings"),
        pair(
            "init_fails_again",
            empty(),
            init("ets:new(demo, [named_table])"),
        )
        .finds("init_fails_again", "demo_sup")
        .comes_to("would_fail"),
        pair(
            "init_fails_not",
            empty(),
            init(
                "case ets:whereis(demo) of undefined -> ets:new(demo, [named_table]); _ -> ok end",
            ),
        )
        .finds("init_repeats", "demo_sup")
        .comes_to("hot_with_warnings"),
        pair(
            "init_is_pure",
            empty(),
            init("_ = application:get_env(demo, x)"),
        ),
    ]
}

fn lib(body: &str) -> Side {
    with(&[("demo_lib", body)])
}

fn code() -> Vec<Pair> {
    let one = || lib("-export([f/0]).\nf() -> 1.");
    let two = || lib("-export([f/0]).\nf() -> 2.");
    let pairs = |second: &str| {
        with(&[
            ("demo_lib", "-export([f/0]).\nf() -> 1."),
            ("demo_user", second),
        ])
    };
    let user = "-export([g/0]).\ng() -> demo_lib:f().";
    let shared = |fields: &str| {
        let text = |name: &str| {
            format!(
                "-export([{name}/1]).\n-record(msg, {{{fields}}}).\n{name}(#msg{{a = A}}) -> A."
            )
        };
        with(&[("demo_a", &text("x")), ("demo_b", &text("y"))])
    };
    vec![
        pair("nothing", one(), one()),
        pair("one_module", one(), two()),
        pair("another_comment", one(), lib("%% a\n\n-export([f/0]).\nf() -> 1.")),
        pair("module_added", one(), pairs(user)),
        pair("module_removed", pairs(user), one()),
        pair("broken_inside", pairs(user), with(&[("demo_lib", "-export([h/0]).\nh() -> 1."), ("demo_user", user)]))
            .finds("broken_call", "demo_user")
            .comes_to("hot_with_warnings"),
        pair("undefined_inside", one(), pairs("-export([g/0]).\ng() -> demo_lib:nowhere()."))
            .finds("undefined_call", "demo_user")
            .comes_to("hot_with_warnings"),
        pair("undefined_before", pairs("-export([g/0]).\ng() -> demo_lib:nowhere()."),
            pairs("-export([g/0]).\ng() -> demo_lib:nowhere() + 1.")),
        pair(
            "nif",
            one(),
            lib("-export([f/0, init/0]).\n-on_load(init/0).\ninit() -> erlang:load_nif(\"x\", 0).\nf() -> 1."),
        )
        .finds("loads_nif", "demo_lib")
        .finds("on_load", "demo_lib")
        .comes_to("hot_with_warnings"),
        pair("nif_unchanged", lib("-export([f/0]).\nf() -> erlang:load_nif(\"x\", 0)."),
            lib("-export([f/0]).\nf() -> erlang:load_nif(\"x\", 0).")),
        pair("funs", lib("-export([f/1]).\nf(X) -> F = fun() -> X end, {kept, F}."), lib("-export([f/1]).\nf(X) -> X."))
            .finds("funs_kept", "demo_lib"),
        pair("funs_passed", lib("-export([f/1]).\nf(X) -> lists:map(fun(Y) -> Y end, X)."), lib("-export([f/1]).\nf(X) -> X.")),
        pair("shared_record", shared("a"), shared("a, b"))
            .finds("shared_record", "msg")
            .comes_to("hot_with_warnings"),
    ]
}

fn keys(keys: &str) -> Side {
    let body = "-export([f/0]).\nf() -> 1.";
    Side {
        keys: keys.to_owned(),
        ..lib(body)
    }
}

fn files() -> Vec<Pair> {
    let one = || lib("-export([f/0]).\nf() -> 1.");
    let two = || lib("-export([f/0]).\nf() -> 2.");
    let extra = || {
        with(&[
            ("demo_lib", "-export([f/0]).\nf() -> 1."),
            ("demo_extra", ""),
        ])
    };
    let env = |pairs: &str| keys(&format!("{{env, [{pairs}]}}, "));
    vec![
        pair(
            "environment",
            env("{a, 1}, {b, 2}, {c, 3}"),
            env("{a, 1}, {b, 3}, {d, 4}"),
        )
        .finds("environment_added", "demo")
        .finds("environment_removed", "demo")
        .finds("environment_default", "demo"),
        pair(
            "same_environment",
            env("{b, 2}, {a, 1}"),
            env("{a, 1}, {b, 2}"),
        ),
        pair(
            "dependency",
            one(),
            Side {
                applications: vec!["crypto"],
                ..one()
            },
        )
        .finds("dependency_added", "crypto"),
        pair(
            "optional",
            one(),
            Side {
                applications: vec!["crypto"],
                keys: "{optional_applications, [crypto]}, ".into(),
                ..one()
            },
        ),
        pair(
            "same_version",
            one(),
            Side {
                vsn: Some("1.0"),
                ..two()
            },
        )
        .finds("same_version", "demo")
        .comes_to("hot_with_warnings"),
        pair(
            "unlisted",
            one(),
            Side {
                unlisted: vec!["demo_extra"],
                ..extra()
            },
        )
        .finds("unlisted_beam", "demo_extra")
        .comes_to("hot_with_warnings"),
        pair(
            "unlisted_before",
            Side {
                unlisted: vec!["demo_extra"],
                ..extra()
            },
            Side {
                unlisted: vec!["demo_extra"],
                ..extra()
            },
        ),
        pair(
            "missing",
            one(),
            Side {
                missing: vec!["demo_gone"],
                ..one()
            },
        )
        .finds("missing_beam", "demo_gone")
        .comes_to("hot_with_warnings"),
    ]
}

/// An appup with this script up, and an empty one down.
fn appup(side: Side, script: &str) -> Side {
    let text = format!("{{\"2.0\", [{{\"1.0\", {script}}}], [{{\"1.0\", []}}]}}.\n");
    Side {
        appup: Some(text),
        ..side
    }
}

fn shipped() -> Vec<Pair> {
    let one = || lib("-export([f/0]).\nf() -> 1.");
    let two = || lib("-export([f/0]).\nf() -> 2.");
    let of = |name, script: &str| pair(name, one(), appup(two(), script));
    let raw = |name, text: &str| {
        pair(
            name,
            one(),
            Side {
                appup: Some(text.to_owned()),
                ..two()
            },
        )
    };
    let stateful =
        |fields: &str, change: &str| with(&[("demo_server", &server(&record(fields), change))]);
    vec![
        of("appup", "[{load_module, demo_lib}]"),
        of("appup_misses", "[]")
            .finds("appup_misses", "demo")
            .comes_to("hot_with_warnings"),
        of(
            "appup_low_level",
            "[{load_object_code, {demo, \"2.0\", [demo_lib]}}, {load, {demo_lib, soft_purge, soft_purge}}]",
        ),
        of(
            "appup_unknown_module",
            "[{load_module, demo_lib}, {load_module, demo_other}]",
        )
        .finds("appup_rejected", "demo")
        .comes_to("would_fail"),
        of(
            "appup_twice",
            "[{load_module, demo_lib}, {load_module, demo_lib}]",
        )
        .finds("appup_rejected", "demo")
        .comes_to("would_fail"),
        of("appup_depends", "[{load_module, demo_lib, [demo_other]}]")
            .finds("appup_rejected", "demo")
            .comes_to("would_fail"),
        of("appup_bad", "[{load_modul, demo_lib}]")
            .finds("appup_rejected", "demo")
            .comes_to("would_fail"),
        of("appup_wrong_update", "[{update, demo_lib, {advanced, []}}]")
            .finds("appup_wrong_instruction", "demo_lib")
            .comes_to("would_fail"),
        of("appup_restart", "[{restart_application, demo}]")
            .finds("restart_application", "demo")
            .comes_to("restart_application"),
        of("appup_emulator", "[restart_new_emulator]")
            .finds("restart_emulator", "demo")
            .comes_to("restart_emulator"),
        raw(
            "appup_of_others",
            "{\"2.0\", [{\"0.9\", []}], [{\"0.9\", []}]}.",
        )
        .finds("appup_not_covering", "demo")
        .comes_to("hot_with_warnings"),
        raw(
            "appup_one_way",
            "{\"2.0\", [{\"1.0\", [{load_module, demo_lib}]}], []}.",
        )
        .finds("not_reversible", "demo")
        .comes_to("hot_with_warnings"),
        raw("appup_broken", "{\"2.0\", [")
            .finds("appup_rejected", "demo")
            .comes_to("would_fail"),
        pair(
            "appup_no_change",
            stateful("a", TRIVIAL),
            appup(stateful("a, b = 0", OWN), "[{load_module, demo_server}]"),
        )
        .finds("appup_wrong_instruction", "demo_server")
        .comes_to("restart_application"),
        // What is started anew has no old state.
        pair(
            "appup_restarts_states",
            stateful("a", TRIVIAL),
            appup(
                stateful("a, b = 0", TRIVIAL),
                "[{restart_application, demo}]",
            ),
        )
        .finds("restart_application", "demo")
        .comes_to("restart_application"),
        pair(
            "appup_supervisor",
            children("a"),
            appup(children("a b"), "[{load_module, demo_sup}]"),
        )
        .finds("children_changed", "demo_sup")
        .finds("appup_wrong_instruction", "demo_sup")
        .comes_to("hot_with_warnings"),
    ]
}

#[test]
fn every_finding_is_where_it_should_be_and_nowhere_else() {
    let pairs = [states(), supervisors(), code(), files(), shipped()].concat();
    let built = Built::new(&pairs);
    for pair in &pairs {
        check(pair, &built.plan(pair, &Surroundings::default()));
    }
    let kinds: std::collections::BTreeSet<_> = pairs
        .iter()
        .flat_map(|pair| &pair.expected)
        .map(|(kind, _)| kind)
        .collect();
    assert!(kinds.len() > 20, "{kinds:?}");
}

#[test]
fn the_later_version_converts_its_states_on_the_way_down() {
    let of =
        |fields: &str, change: &str| with(&[("demo_server", &server(&record(fields), change))]);
    let both = "code_change({down, _}, {state, A, _}, _) -> {ok, {state, A}};\n\
                code_change(_, {state, A}, _) -> {ok, {state, A, 0}}.";
    let pairs = [
        pair("there_and_back", of("a", TRIVIAL), of("a, b = 0", both)),
        pair("up_alone", of("a", both), of("a, b = 0", TRIVIAL)),
    ];
    let built = Built::new(&pairs);
    let found = pairs.each_ref().map(|pair| {
        let plan = built.plan_down(pair, &Surroundings::default());
        plan.findings
            .iter()
            .any(|finding| finding.kind == "state_not_migrated")
    });
    assert_eq!(found, [false, true]);
}
