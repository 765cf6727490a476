//! `erlrc plan`: what a node says of itself, and what it comes to.

use crate::host::fixtures::erlc_into;
use crate::host::{Host, foo};

#[test]
fn a_plan_asks_the_node_and_changes_nothing() {
    let host = Host::new();
    let _node = host.node("n1");
    host.listed("n2");
    host.file("applications/foo", "", 0o644);
    host.file(
        "apps/foo",
        &format!("{{foo, \"2.0\", \"{}\"}}.", foo("2.0")),
        0o644,
    );
    let (old, new) = (foo("1.0"), foo("2.0"));
    let plan = || host.erlrc(&["plan", "foo"]);
    let down = "foo on n2: node_down\n";
    let not_running = "the application does not run there: an upgrade would start it";
    plan().is(&format!("foo on n1: not_running: {not_running}\n{down}"), 0);
    host.erlrc(&["start", "foo", "1.0", &old]);
    let found = plan();
    assert!(
        found.out.starts_with("foo 1.0 -> 2.0 on n1: hot\n"),
        "{}",
        found.out
    );
    assert!(found.out.ends_with(down), "{}", found.out);
    let update = "{update,foo_server,infinity,{advanced,[]},brutal_purge,brutal_purge,[]}";
    assert!(found.out.contains(update), "{}", found.out);
    assert_eq!(found.status, 0);
    host.erlrc(&["eval", "n1", "foo_server:history()"])
        .is("[\"1.0\"]\n", 0);
    host.erlrc(&["upgrade", "foo", "1.0", "2.0", &old, &new]);
    let back = host.erlrc(&["plan", "foo", "1.0", "--node", "n1"]);
    assert!(
        back.out.starts_with("foo 2.0 -> 1.0 on n1: hot\n"),
        "{}",
        back.out
    );
}

#[test]
fn json_has_the_node_s_own_steps_and_what_is_around() {
    let host = Host::new();
    let _node = host.node("n1");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")]);
    let run = host.erlrc(&["plan", "foo", "--to", &foo("2.0"), "--json"]);
    let whole: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let plan = &whole["plans"][0];
    assert_eq!(plan["node"], "n1");
    assert_eq!(
        plan["node_steps"][0],
        "run the script, generated, 1 instruction"
    );
    assert!(plan["looked_at"].as_u64().unwrap() > 50, "{plan}");
    // Some are the engine's, some the node's own.
    let findings = plan["findings"].as_array().unwrap();
    let unknown = |finding: &serde_json::Value| finding["kind"] == "state_unknown";
    assert!(findings.iter().any(unknown), "{plan}");
    assert_eq!(
        (&whole["verdict"], &whole["status"]),
        (&"hot".into(), &0.into())
    );
}

#[test]
fn what_is_nowhere_is_said() {
    let host = Host::new();
    let _node = host.node("n1");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")]);
    let run = host.erlrc(&["plan", "foo", "9"]);
    run.is(
        "foo on n1: no_plan: version 9 of foo is nowhere to be found\n",
        1,
    );
    host.erlrc(&["plan", "foo", "--node", "n9"])
        .is("", 1)
        .says("there is no entry for the node n9");
}

/// A version of `shop` below the host's directory: a server whose state is `#state{}` with these fields.
fn shop(host: &Host, vsn: &str, fields: &str) -> String {
    let dir = host.path(&format!("shop-{vsn}"));
    let ebin = dir.join("ebin");
    std::fs::create_dir_all(&ebin).unwrap();
    let sup = "-module(shop_sup).\n-behaviour(supervisor).\n-export([start/2, stop/1, init/1]).\n\
        start(_, _) -> supervisor:start_link(shop_sup, []).\nstop(_) -> ok.\n\
        init([]) -> {ok, {#{}, [#{id => a, start => {shop_server, start, []}}]}}.\n";
    let server = format!(
        "-module(shop_server).\n-behaviour(gen_server).\n\
         -export([start/0, init/1, handle_call/3, handle_cast/2, code_change/3]).\n\
         -record(state, {{{fields}}}).\n\
         start() -> gen_server:start_link({{local, shop}}, shop_server, [], []).\n\
         init([]) -> {{ok, #state{{}}}}.\nhandle_call(_, _, S) -> {{reply, S, S}}.\n\
         handle_cast(_, S) -> {{noreply, S}}.\ncode_change(_, S, _) -> {{ok, S}}.\n"
    );
    for (name, text) in [("shop_sup", sup), ("shop_server", &server)] {
        let source = dir.join(format!("{name}.erl"));
        std::fs::write(&source, text).unwrap();
        erlc_into(&ebin, &["+debug_info", &source.display().to_string()]);
    }
    let app = format!(
        "{{application, shop, [{{vsn, \"{vsn}\"}}, {{modules, [shop_sup, shop_server]}}, \
         {{registered, []}}, {{applications, [kernel, stdlib]}}, {{mod, {{shop_sup, []}}}}]}}.\n"
    );
    std::fs::write(ebin.join("shop.app"), app).unwrap();
    dir.display().to_string()
}

#[test]
fn what_would_lose_states_is_refused_before_anything_is_touched() {
    let host = Host::new();
    let _node = host.node("n1");
    let (old, new) = (shop(&host, "1.0", "a"), shop(&host, "1.1", "a, b"));
    host.erlrc(&["start", "shop", "1.0", &old]);
    let upgrade = |more: &[&str]| {
        let versions = ["upgrade", "shop", "1.0", "1.1", &old, &new];
        host.erlrc(&[&versions, more].concat())
    };
    let line = |outcome: &str| format!("erlrc-upgrade: Upgrading 'shop': (n1) {outcome}\n");
    let text = "the state of shop_server changes and code_change gives it back as it was";
    upgrade(&[]).is(&line("restart_application"), 4).says(text);
    let state = || host.erlrc(&["eval", "n1", "gen_server:call(shop, x)"]);
    state().is("{state,undefined}\n", 0);
    let set = |mode: &str| {
        let text = format!("application:set_env(erlrc, preflight, {mode})");
        host.erlrc(&["eval", "n1", &text]).is("ok\n", 0);
    };
    set("warn");
    upgrade(&["--preflight", "strict"]).is(&line("restart_application"), 4);
    upgrade(&[]).is(&line("upgraded"), 0).says(text);
    host.erlrc(&["downgrade", "shop", "1.0", "1.1", &old, &new, "--force"]);
    set("strict");
    upgrade(&["--force"]).is(&line("upgraded"), 0).says(text);
    host.erlrc(&[
        "downgrade",
        "shop",
        "1.0",
        "1.1",
        &old,
        &new,
        "--preflight",
        "off",
    ]);
    set("off");
    let quiet = upgrade(&[]);
    quiet.is(&line("upgraded"), 0);
    assert_eq!(quiet.err, "");
}

#[test]
fn a_version_without_a_module_that_it_lists_is_refused() {
    let host = Host::new();
    let _node = host.node("n1");
    let (old, new) = (shop(&host, "1.0", "a"), shop(&host, "1.1", "a"));
    std::fs::remove_file(format!("{new}/ebin/shop_sup.beam")).unwrap();
    host.erlrc(&["start", "shop", "1.0", &old]);
    let upgrade = ["upgrade", "shop", "1.0", "1.1", &old, &new];
    let refused = "erlrc-upgrade: Upgrading 'shop': (n1) would_fail\n";
    host.erlrc(&upgrade).is(refused, 1).says("shop_sup");
    let plan = host.erlrc(&["plan", "shop", "--to", &new]);
    assert_eq!(plan.status, 1, "{plan:?}");
    assert!(plan.out.contains("missing_beam"), "{plan:?}");
}

#[test]
fn a_node_that_is_busy_says_so_at_once() {
    let host = Host::new();
    let _node = host.node("n1");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")]);
    let eval = |text: &str| {
        host.erlrc(&["eval", "n1", text]).is("ok\n", 0);
    };
    let wait = |state: &str| {
        format!(
            "W = fun W() -> case erlrc_operations:status() of {state} -> ok; \
             _ -> erlang:yield(), W() end end, W()"
        )
    };
    let hung =
        "spawn(fun() -> erlrc_operations:run(gen_server, call, [foo_server, wait, infinity]) end)";
    eval(&format!("{hung}, {}", wait("#{}")));
    let run = host.erlrc(&["plan", "foo", "--to", &foo("2.0")]);
    assert_eq!(run.status, 3, "{run:?}");
    let said = "foo on n1: busy: the node is busy since 20";
    assert!(run.out.starts_with(said), "{run:?}");
    eval(&format!("foo_server ! go, {}", wait("idle")));
    let run = host.erlrc(&["plan", "foo", "--to", &foo("2.0")]);
    assert_eq!(run.status, 0, "{run:?}");
}

#[test]
fn the_evaluator_of_a_plan_is_the_one_that_the_node_has() {
    let host = Host::new();
    host.listed("n1");
    let _node = host.start(&["-sname", "n1", "-erlrc", "evaluator", "release_handler"]);
    let (old, new) = (foo("1.0"), foo("2.0"));
    host.erlrc(&["start", "foo", "1.0", &old]);
    let run = host.erlrc(&["plan", "foo", "--to", &new, "--json"]);
    let whole: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let script = &whole["plans"][0]["script"];
    assert_eq!(script["evaluator"], "release_handler", "{script}");
    let text = host.erlrc(&["plan", "foo", "--to", &new]).out;
    assert!(
        text.contains("release_handler evaluator (the node says so)"),
        "{text}"
    );
    host.erlrc(&["upgrade", "foo", "1.0", "2.0", &old, &new]);
    let history = host.erlrc(&["history", "--json"]).out;
    assert!(
        history.contains("\"evaluator\":\"release_handler\""),
        "{history}"
    );
}

/// An appup for `shop`, as it is.
fn appup(dir: &str, text: &str) {
    std::fs::write(format!("{dir}/ebin/shop.appup"), text).unwrap();
}

#[test]
fn an_appup_is_read_as_otp_reads_it() {
    let host = Host::new();
    let _node = host.node("n1");
    let (old, new) = (shop(&host, "1.0", "a"), shop(&host, "1.1", "a"));
    host.erlrc(&["start", "shop", "1.0", &old]);
    let script = "[{\"1.0\",[{apply,{persistent_term,put,[shop,appup]}}]}],[{\"1.0\",[]}]";
    appup(
        &new,
        &format!("{{\"1.2\",{script}}}.\n{{\"1.1\",[],[]}}.\n"),
    );
    let plan = host.erlrc(&["plan", "shop", "--to", &new]);
    assert_eq!(plan.status, 0, "{plan:?}");
    assert!(plan.out.contains("it is for version 1.2"), "{plan:?}");
    assert!(plan.out.contains("holds 2 terms"), "{plan:?}");
    let versions = ["shop", "1.0", "1.1", &old, &new];
    let upgraded = host.erlrc(&[&["upgrade"], &versions[..]].concat());
    assert_eq!(upgraded.status, 0, "{upgraded:?}");
    let ran = |found: &str| {
        let text = "persistent_term:get(shop, generated)";
        host.erlrc(&["eval", "n1", text]).is(found, 0);
    };
    ran("appup\n");
    host.erlrc(&[&["downgrade"], &versions[..]].concat());
    host.erlrc(&["eval", "n1", "persistent_term:erase(shop)"]);
    host.erlrc(&[&["upgrade", "--generate"], &versions[..]].concat())
        .is("erlrc-upgrade: Upgrading 'shop': (n1) upgraded\n", 0);
    ran("generated\n");
}

#[test]
fn what_force_cannot_do_is_not_promised() {
    let host = Host::new();
    let _node = host.node("n1");
    let (old, new) = (shop(&host, "1.0", "a"), shop(&host, "1.1", "a"));
    host.erlrc(&["start", "shop", "1.0", &old]);
    appup(&new, "{\"1.1\",[{\"1.0\",[{reload,shop_server}]}],[]}.\n");
    let upgrade = |more: &[&str]| {
        let versions = ["upgrade", "shop", "1.0", "1.1", &old, &new];
        host.erlrc(&[&versions, more].concat())
    };
    let refused = upgrade(&[]);
    refused.says("--generate puts a generated script in its place");
    assert!(!refused.err.contains("--force"), "{refused:?}");
    assert_ne!(refused.status, 0);
    upgrade(&["--generate"]).is("erlrc-upgrade: Upgrading 'shop': (n1) upgraded\n", 0);
}
