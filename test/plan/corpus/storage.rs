//! Tables and persistent terms that only a start makes.

use super::states::{TRIVIAL, server};
use crate::pairs::{Pair, Side, pair, with};

const PLAIN: &str = "init([]) -> {ok, []}.";
const MAKES: &str = "init([]) -> make(), {ok, []}.";
const TABLE: &str = "make() -> ets:new(demo_users, [named_table, public]).";

/// A callback module of the application, and a server.
fn both(start: &str, init: &str, change: &str) -> Side {
    let callback = format!(
        "-behaviour(application).\n-export([start/2, stop/1]).\nstop(_) -> ok.\n\
         start(_, _) -> {start}, demo_server:start_link().\n"
    );
    let init = format!("-export([start_link/0]).\nstart_link() -> ok.\n{init}");
    with(&[
        ("demo_app", &callback),
        ("demo_server", &server(&init, change)),
    ])
}

pub fn storage() -> Vec<Pair> {
    let of = |init: &str, change: &str| both("ok", init, change);
    let none = || of(PLAIN, TRIVIAL);
    let made = format!("{MAKES}\n{TABLE}");
    let term = "init([]) -> persistent_term:put({demo, users}, #{}), {ok, []}.";
    vec![
        pair("storage_in_init", none(), of(&made, TRIVIAL))
            .finds("storage_not_made", "demo_server")
            .comes_to("hot_with_warnings"),
        pair("storage_of_a_term", none(), of(term, TRIVIAL))
            .finds("storage_not_made", "demo_server")
            .comes_to("hot_with_warnings"),
        pair(
            "storage_in_start",
            none(),
            both("ets:new(demo_users, [named_table])", PLAIN, TRIVIAL),
        )
        .finds("storage_not_made", "demo_app")
        .comes_to("hot_with_warnings"),
        // It is there.
        pair(
            "storage_kept",
            of(&made, TRIVIAL),
            of(&made.replace("public]).", "public]), ok."), TRIVIAL),
        ),
        pair(
            "storage_moved",
            of(&made, TRIVIAL),
            both("ets:new(demo_users, [named_table])", PLAIN, TRIVIAL),
        ),
        // An upgrade makes it.
        pair(
            "storage_converted",
            none(),
            of(&made, "code_change(_, S, _) -> make(), {ok, S}."),
        ),
        pair("storage_of_a_new_process", none(), {
            let mut side = both("ok", &format!("{PLAIN}\nf() -> 1."), TRIVIAL);
            side.modules.push(("demo_users", server(&made, TRIVIAL)));
            side
        }),
        pair(
            "storage_without_a_name",
            none(),
            of(
                "init([]) -> _ = ets:new(demo_users, []), {ok, []}.",
                TRIVIAL,
            ),
        ),
    ]
}
