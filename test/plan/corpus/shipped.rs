//! Appups that come with the later version.

use super::code::lib;
use super::states::{OWN, TRIVIAL, record, server};
use super::supervisors::children;
use crate::pairs::{Pair, Side, pair, with};

/// An appup with this script up, and an empty one down.
pub fn appup(side: Side, script: &str) -> Side {
    let text = format!("{{\"2.0\", [{{\"1.0\", {script}}}], [{{\"1.0\", []}}]}}.\n");
    Side {
        appup: Some(text),
        ..side
    }
}

pub fn shipped() -> Vec<Pair> {
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
        of(
            "appup_after_commit",
            "[{load_module, demo_lib}, {apply_after_commit, {demo_lib, f, []}}]",
        ),
        of(
            "appup_after_commit_undefined",
            "[{load_module, demo_lib}, {apply, {erlrcdynamic, apply_after_commit, [demo_lib, f, [x]]}}]",
        )
        .finds("after_commit_undefined", "demo_lib")
        .comes_to("would_fail"),
        of(
            "appup_after_commit_of_others",
            "[{load_module, demo_lib}, {apply_after_commit, {mnesia, info, []}}]",
        ),
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
        raw(
            "appup_terms",
            "{\"2.0\", [{\"1.0\", [{load_module, demo_lib}]}], [{\"1.0\", []}]}.\n{\"1.9\", [], []}.\nx.",
        )
        .finds("appup_terms", "demo")
        .comes_to("hot_with_warnings"),
        raw(
            "appup_twice_written",
            "{\"2.0\", [{\"1.0\", []}], [{\"1.0\", []}]}.\n{\"2.0\", [{\"1.0\", [{load_module, demo_lib}]}], []}.",
        )
        .finds("appup_terms", "demo")
        .finds("appup_misses", "demo")
        .comes_to("hot_with_warnings"),
        raw(
            "appup_vsn",
            "{\"2.1\", [{\"1.0\", [{load_module, demo_lib}]}], [{\"1.0\", []}]}.",
        )
        .finds("appup_vsn", "demo")
        .comes_to("hot_with_warnings"),
        raw(
            "appup_vsn_before",
            "{\"1.0\", [{\"1.0\", [{load_module, demo_lib}]}], [{\"1.0\", []}]}.\n{\"2.0\", [], []}.",
        )
        .finds("appup_terms", "demo")
        .finds("appup_vsn", "demo")
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
