//! Which version is meant and where it is: hooks and plan find the same, and what cannot be found out is said so.

use crate::host::fixtures::erlc_into;
use crate::host::{Host, Node, erlrc_ebin};
use std::fs;
use std::path::PathBuf;

/// A library of the host with `shop` in a version whose state is `#state{}` with these fields.
fn shop(host: &Host, library: &str, vsn: &str, fields: &str) -> PathBuf {
    let dir = host.path(&format!("{library}/shop-{vsn}"));
    let ebin = dir.join("ebin");
    fs::create_dir_all(&ebin).unwrap();
    let sup = "-module(shop_sup).\n-behaviour(supervisor).\n-export([start/2, stop/1, init/1]).\n\
        start(_, _) -> supervisor:start_link(shop_sup, []).\nstop(_) -> ok.\n\
        init([]) -> {ok, {#{}, [#{id => a, start => {shop_server, start, []}}]}}.\n";
    let server = format!(
        "-module(shop_server).\n-behaviour(gen_server).\n\
         -export([start/0, init/1, handle_call/3, handle_cast/2, code_change/3]).\n\
         -record(state, {{{fields}}}).\n\
         start() -> gen_server:start_link({{local, shop}}, shop_server, [], []).\n\
         init([]) -> {{ok, #state{{}}}}.\nhandle_call(_, _, S) -> {{reply, {{\"{vsn}\", S}}, S}}.\n\
         handle_cast(_, S) -> {{noreply, S}}.\ncode_change(_, S, _) -> {{ok, S}}.\n"
    );
    for (name, text) in [("shop_sup", sup), ("shop_server", &server)] {
        let source = dir.join(format!("{name}.erl"));
        fs::write(&source, text).unwrap();
        erlc_into(&ebin, &["+debug_info", &source.display().to_string()]);
    }
    let app = format!(
        "{{application, shop, [{{vsn, \"{vsn}\"}}, {{modules, [shop_sup, shop_server]}}, \
         {{registered, []}}, {{applications, [kernel, stdlib]}}, {{mod, {{shop_sup, []}}}}]}}.\n"
    );
    fs::write(ebin.join("shop.app"), app).unwrap();
    dir
}

/// A node that finds applications in the host's directory `lib` as a developer's does.
fn node(host: &Host, name: &str) -> Node {
    host.listed(name);
    let libs = host.path("lib").display().to_string();
    host.start_in(
        &[("ERL_LIBS", &libs)],
        &["-sname", name, "-pa", &erlrc_ebin()],
    )
}

/// A host whose node runs shop 1.0 from a directory that `ERL_LIBS` names; 1.1 lies beside it.
fn host(fields: &str) -> (Host, Node) {
    let host = Host::new();
    shop(&host, "lib", "1.0", "a");
    let node = node(&host, "n1");
    host.erlrc(&["start", "shop", "1.0"])
        .is("erlrc-start: Starting 'shop': (n1) started\n", 0);
    shop(&host, "lib", "1.1", fields);
    (host, node)
}

fn state(host: &Host) -> String {
    host.erlrc(&["eval", "n1", "gen_server:call(shop, x)"]).out
}

#[test]
fn hooks_find_what_a_plan_finds() {
    let (host, _node) = host("a");
    let plan = host.erlrc(&["plan", "shop", "1.1"]);
    assert!(
        plan.out.starts_with("shop 1.0 -> 1.1 on n1: hot"),
        "{plan:?}"
    );
    host.erlrc(&["upgrade", "shop", "1.0", "1.1"])
        .is("erlrc-upgrade: Upgrading 'shop': (n1) upgraded\n", 0);
    assert_eq!(state(&host), "{\"1.1\",{state,undefined}}\n");
    host.erlrc(&["downgrade", "shop", "1.0", "1.1"])
        .is("erlrc-downgrade: Downgrading 'shop': (n1) downgraded\n", 0);
    host.erlrc(&["plan", "shop", "9"]).is(
        "shop on n1: no_plan: version 9 of shop is nowhere to be found\n",
        1,
    );
}

/// The directory of what runs is gone, as after an upgrade of its package that was put off.
#[test]
fn a_plan_and_a_preflight_take_what_is_kept_where_the_old_directory_is_gone() {
    let (host, _node) = host("a, b");
    let kept = host.path("stash/shop-1.0");
    fs::create_dir_all(host.path("stash")).unwrap();
    fs::rename(host.path("lib/shop-1.0"), &kept).unwrap();
    let lost = "the state of shop_server changes and code_change gives it back as it was";
    let plan = host.erlrc(&["plan", "shop", "1.1"]);
    assert!(plan.out.contains(lost), "{plan:?}");
    assert_eq!(plan.status, 4);
    host.erlrc(&["upgrade", "shop", "1.0", "1.1"])
        .is(
            "erlrc-upgrade: Upgrading 'shop': (n1) restart_application\n",
            4,
        )
        .says(lost);
    // Without that, nobody can tell whether states are lost: not hot, and not "not running".
    fs::remove_dir_all(&kept).unwrap();
    let gone = "cannot be found out";
    let plan = host.erlrc(&["plan", "shop", "1.1"]);
    assert!(
        plan.out.contains(gone) && !plan.out.contains("not_running"),
        "{plan:?}"
    );
    assert_eq!(plan.status, 4);
    let line = |outcome: &str| format!("erlrc-upgrade: Upgrading 'shop': (n1) {outcome}\n");
    host.erlrc(&["upgrade", "shop", "1.0", "1.1"])
        .is(&line("old_directory_gone"), 4)
        .says(gone);
    assert_eq!(state(&host), "{\"1.0\",{state,undefined}}\n");
    // Also where the directories are named.
    let dirs = ["lib/shop-1.0", "lib/shop-1.1"].map(|dir| host.path(dir).display().to_string());
    let named = ["upgrade", "shop", "1.0", "1.1", &dirs[0], &dirs[1]];
    host.erlrc(&named).is(&line("old_directory_gone"), 4);
    host.erlrc(&[&named, ["--force"].as_slice()].concat())
        .is(&line("upgraded"), 0)
        .says(gone);
}

#[test]
fn a_name_that_nobody_knows_is_no_application_that_does_not_run() {
    let (host, mut node) = host("a");
    let nowhere = "shopp is nowhere to be found: it is neither registered nor installed";
    host.erlrc(&["plan", "shopp"]).is("", 1).says(nowhere);
    // It may be what a node that is down would run.
    fs::write(host.path("applications/shopp"), "").unwrap();
    assert_eq!(host.erlrc(&["plan", "shopp"]).status, 0);
    fs::remove_file(host.path("applications/shopp")).unwrap();
    node.kill();
    host.erlrc(&["plan", "shopp"]).is("", 1).says(nowhere);
}
