//! Supervisors: their children, and what their `init/1` does to others.

use crate::pairs::{Pair, Side, pair, with};

pub fn supervisor(init: &str) -> Side {
    let text = format!("-behaviour(supervisor).\n-export([init/1]).\n{init}\n");
    with(&[("demo_sup", &text)])
}

fn tabled(attribute: &str) -> Side {
    supervisor(&format!(
        "{attribute}\ninit([]) -> ets:new(demo, [named_table]), {{ok, {{#{{}}, []}}}}."
    ))
}

fn british(attribute: &str) -> Side {
    let text = "-behavior(supervisor).\n-export([init/1]).\n\
                init([]) -> register(demo, self()), {ok, {#{}, []}}.";
    with(&[("demo_sup", &format!("{attribute}\n{text}"))])
}

pub fn children(ids: &str) -> Side {
    let ids = ids.split_whitespace();
    let list: Vec<_> = ids
        .map(|id| format!("#{{id => {id}, start => {{m, start, [{id}]}}}}"))
        .collect();
    supervisor(&format!(
        "init([]) -> Children = [{}], {{ok, {{#{{}}, Children}}}}.",
        list.join(", ")
    ))
}

pub fn supervisors() -> Vec<Pair> {
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
        // What is compared as text of the module is the code; an attribute alone asks for init/1 as well.
        pair(
            "attribute_alone",
            tabled("-team(red)."),
            tabled("-team(blue)."),
        )
        .finds("init_fails_again", "demo_sup")
        .comes_to("would_fail"),
        pair(
            "attribute_of_the_build",
            tabled("-app_vsn(\"1\")."),
            tabled("-app_vsn(\"2\")."),
        ),
        pair(
            "attribute_of_the_checks",
            tabled("-dialyzer([])."),
            tabled("-dialyzer([no_match])."),
        ),
        pair(
            "british_attribute_alone",
            british("-team(red)."),
            british("-team(blue)."),
        )
        .finds("init_fails_again", "demo_sup")
        .comes_to("would_fail"),
        pair(
            "init_is_pure",
            empty(),
            init("_ = application:get_env(demo, x)"),
        ),
    ]
}
