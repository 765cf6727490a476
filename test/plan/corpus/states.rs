//! States of processes, and what `code_change` makes of them.

use crate::pairs::{Pair, Side, pair, with};

/// A gen_server with this state and this `code_change`.
pub fn server(state: &str, code_change: &str) -> String {
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

pub fn record(fields: &str) -> String {
    format!("-record(state, {{{fields}}}).\ninit([]) -> S = #state{{}}, {{ok, S}}.")
}

pub const TRIVIAL: &str = "code_change(_, S, _) -> {ok, S}.";
pub const OWN: &str =
    "code_change(_, {state, A}, _) -> {ok, {state, A, 0}}; code_change(_, S, _) -> {ok, S}.";
pub const SAME: &str = "code_change(_, S, _) -> io:format(\"x\"), {ok, S}.";

pub fn states() -> Vec<Pair> {
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
        // The head is the new record: with what runs it never matches.
        two(
            "new_head",
            (&one, TRIVIAL),
            (&more, "code_change(_, #state{} = S, _) -> {ok, S}."),
        )
        .finds("code_change_rejects", "demo_server")
        .comes_to("would_fail"),
        two(
            "new_tuple_in_each_head",
            ("init([]) -> {ok, {state, 1}}.", ""),
            (
                "init([]) -> {ok, {state, 1, 2}}.",
                "code_change({down, _}, {state, A, B}, _) -> {ok, {state, A, B}};\n\
                 code_change(_, {state, A, B} = S, _) -> io:format(\"~p~p\", [A, B]), {ok, S}.",
            ),
        )
        .finds("code_change_rejects", "demo_server")
        .comes_to("would_fail"),
        pair(
            "new_head_of_a_machine",
            machine("a", back),
            machine(
                "a, b",
                "code_change(_, N, #data{a = A} = D, _) -> {ok, N, D#data{b = A}}.",
            ),
        )
        .finds("code_change_rejects", "demo_machine")
        .comes_to("would_fail"),
        two(
            "old_and_new_head",
            (&one, TRIVIAL),
            (
                &more,
                "code_change(_, #state{} = S, _) -> {ok, S};\ncode_change(_, {state, A}, _) -> {ok, #state{a = A}}.",
            ),
        ),
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
