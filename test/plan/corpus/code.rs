//! Modules that call one another, native code, funs, records.

use crate::pairs::{Pair, Side, pair, with};

pub fn lib(body: &str) -> Side {
    with(&[("demo_lib", body)])
}

/// A module that keeps this value, and one that exports this function.
fn holding(function: &str, value: &str) -> Side {
    let name = if value == "none" { "none" } else { "some" };
    let user = format!("-export([{name}/0]).\n{name}() -> {value}.");
    let lib = format!("-export([{function}/0]).\n{function}() -> 1.");
    with(&[("demo_lib", &lib), ("demo_user", &user)])
}

/// A module that loads `priv/n.so`, and this content of that.
fn native(body: &str, content: &'static str) -> Side {
    let text = format!("-export([f/0, init/0]).\ninit() -> erlang:load_nif(\"n\", 0).\n{body}");
    Side {
        files: vec![("n.so", content)],
        ..lib(&text)
    }
}

pub fn code() -> Vec<Pair> {
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
        // Nothing calls it: what is kept somewhere names it.
        pair("fun_kept", holding("f", "fun demo_lib:f/0"), holding("g", "none"))
            .finds("broken_fun", "demo_user")
            .comes_to("hot_with_warnings"),
        pair("fun_made", holding("f", "none"), holding("g", "fun demo_lib:f/0"))
            .finds("broken_fun", "demo_user")
            .comes_to("hot_with_warnings"),
        pair("name_made", holding("f", "none"), holding("g", "#{a => [{demo_lib, f, []}]}"))
            .finds("broken_name", "demo_user")
            .comes_to("hot_with_warnings"),
        pair("other_arity_named", holding("f", "none"), holding("g", "[{demo_lib, f, 1}, {demo_lib, f, [a]}, {demo_lib, f, a}]")),
        pair("other_function_named", holding("f", "none"), holding("g", "[{demo_lib, g}, fun demo_lib:g/0]")),
        pair("name_in_the_environment", holding("f", "none"),
            Side { keys: "{env, [{hook, {demo_lib, f}}]}, ".to_owned(), ..holding("g", "none") })
            .finds("broken_name", "demo")
            .finds("environment_added", "demo")
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
        pair("library_alone", native("f() -> 1.", "one"), native("f() -> 1.", "two"))
            .finds("native_library", "demo")
            .comes_to("hot_with_warnings"),
        // Nothing of the application loads it: a driver, or a library of another library.
        pair("library_of_nobody", Side { files: vec![("x86/d.so.1", "a")], ..one() },
            Side { files: vec![("x86/d.so.1", "b")], ..two() })
            .finds("native_library", "demo")
            .comes_to("hot_with_warnings"),
        pair("library_and_module", native("f() -> 1.", "one"), native("f() -> 2.", "two"))
            .finds("loads_nif", "demo_lib")
            .comes_to("hot_with_warnings"),
        pair("library_added", Side { files: Vec::new(), ..native("f() -> 1.", "") }, native("f() -> 1.", "one")),
        pair("library_unchanged", native("f() -> 1.", "one"), native("f() -> 1.", "one")),
        pair("nif_unchanged", lib("-export([f/0]).\nf() -> erlang:load_nif(\"x\", 0)."),
            lib("-export([f/0]).\nf() -> erlang:load_nif(\"x\", 0).")),
        pair("funs", lib("-export([f/1]).\nf(X) -> F = fun() -> X end, {kept, F}."), lib("-export([f/1]).\nf(X) -> X."))
            .finds("funs_kept", "demo"),
        pair(
            "funs_of_many",
            with(&[
                ("demo_a", "-export([f/1, g/1]).\nf(X) -> {fun() -> X end}.\ng(X) -> {fun() -> {X} end}."),
                ("demo_b", "-export([f/1]).\nf(X) -> {fun() -> X end}."),
            ]),
            with(&[("demo_a", "-export([f/1, g/1]).\nf(X) -> X.\ng(X) -> X."), ("demo_b", "-export([f/1]).\nf(X) -> X.")]),
        )
        .finds("funs_kept", "demo"),
        pair("funs_passed", lib("-export([f/1]).\nf(X) -> lists:map(fun(Y) -> Y end, X)."), lib("-export([f/1]).\nf(X) -> X.")),
        pair(
            "cycle",
            with(&[("demo_a", "-export([f/0]).\nf() -> 1."), ("demo_b", "-export([f/0]).\nf() -> 1.")]),
            with(&[
                ("demo_a", "-export([f/0, g/0]).\nf() -> demo_b:g().\ng() -> 1."),
                ("demo_b", "-export([f/0, g/0]).\nf() -> demo_a:g().\ng() -> 1."),
            ]),
        )
        .finds("cycle", "demo_a"),
        pair(
            "depends_on_another",
            one(),
            lib("-erlrc_depends([demo_gone]).\n-export([f/0]).\nf() -> 2."),
        )
        .finds("dropped_depends", "demo_lib"),
        pair(
            "bad_attribute",
            one(),
            lib("-erlrc_timeout(0).\n-export([f/0]).\nf() -> 2."),
        )
        .finds("no_script", "demo")
        .comes_to("would_fail"),
        pair("shared_record", shared("a"), shared("a, b"))
            .finds("shared_record", "msg")
            .comes_to("hot_with_warnings"),
    ]
}
