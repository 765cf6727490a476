//! `erlrc plan`: what a node says of itself, and what it comes to.

use crate::host::fixtures::erlc_into;
use crate::host::{Host, Run, foo};

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
    // What it says next does it.
    let followed = |run: &Run| {
        let next = run
            .out
            .lines()
            .find_map(|line| line.strip_prefix("  next: erlrc "));
        let words: Vec<&str> = next.expect("a command").split(' ').collect();
        host.erlrc(&words)
    };
    let in_directory = host.erlrc(&["plan", "foo", "--to", &new]);
    let long = format!("  next: erlrc upgrade foo 1.0 2.0 {old} {new} --node n1\n");
    assert!(in_directory.out.contains(&long), "{in_directory:?}");
    assert!(
        found
            .out
            .contains("  next: erlrc upgrade foo=2.0 --node n1\n")
    );
    followed(&found).is("erlrc-upgrade: Upgrading 'foo': (n1) upgraded\n", 0);
    let down = host.erlrc(&["plan", "foo", "--to", &old, "--node", "n1"]);
    followed(&down).is("erlrc-downgrade: Downgrading 'foo': (n1) downgraded\n", 0);
    followed(&in_directory).is("erlrc-upgrade: Upgrading 'foo': (n1) upgraded\n", 0);
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
    let said = "lists the module shop_sup and has no file of it";
    assert!(plan.out.contains(said), "{plan:?}");
}

/// The script fails where the old code cannot be had any more.
#[test]
fn an_application_between_two_versions_is_named_and_made_whole() {
    let host = Host::new();
    let _node = host.node("n1");
    let (old, new) = (shop(&host, "1.0", "a"), shop(&host, "1.1", "a, b"));
    appup(
        &new,
        "{\"1.1\",[{\"1.0\",[{load_module,shop_server},{apply,{erlang,error,[oops]}}]}],[]}.\n",
    );
    host.erlrc(&["start", "shop", "1.0", &old]);
    shop(&host, "1.0", "a, b, c");
    let upgrade = ["upgrade", "shop", "1.0", "1.1", &old, &new];
    let run = host.erlrc(&[&upgrade[..], &["--preflight", "off"]].concat());
    assert!(run.out.contains("not_rolled_back"), "{run:?}");
    let text = "upgrade of shop from 1.0 to 1.1 on n1 was not put right: the code of shop_server";
    let status = host.erlrc(&["status"]);
    let line = "not put right: upgrade of shop from 1.0 to 1.1: the code of shop_server";
    assert!(status.out.contains(line), "{status:?} {run:?}");
    let doctor = host.erlrc(&["doctor"]);
    let named = format!("warning: {text}\n  erlrc doctor --yes mends it\n");
    assert!(doctor.out.contains(&named), "{doctor:?}");
    assert_eq!(doctor.status, 1);
    let mended = host.erlrc(&["doctor", "--yes"]);
    assert!(
        mended.out.contains(&format!("warning: {text}\n  mended\n")),
        "{mended:?}"
    );
    let after = host.erlrc(&["doctor"]);
    assert!(!after.out.contains("not put right"), "{after:?}");
    let digest = "{ok, {_, Md5}} = beam_lib:md5(code:which(shop_server)), Md5 =:= shop_server:module_info(md5)";
    host.erlrc(&["eval", "n1", digest]).is("true\n", 0);
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

/// A server whose `code_change` gives back what it holds of the module `user_lib`, records that get a field.
fn with_records(host: &Host, vsn: &str, fields: &str, change: &str) -> String {
    let dir = shop(host, vsn, "a");
    let ebin = std::path::PathBuf::from(&dir).join("ebin");
    let library = format!(
        "-module(user_lib).\n-export([new/0]).\n-record(user, {{{fields}}}).\nnew() -> #user{{}}.\n"
    );
    let server = format!(
        "-module(shop_server).\n-behaviour(gen_server).\n\
         -export([start/0, init/1, handle_call/3, handle_cast/2, code_change/3]).\n\
         start() -> gen_server:start_link({{local, shop}}, shop_server, [], []).\n\
         init([]) -> {{ok, [user_lib:new()]}}.\nhandle_call({{set, S}}, _, _) -> {{reply, ok, S}};\n\
         handle_call(_, _, S) -> {{reply, S, S}}.\n\
         handle_cast(_, S) -> {{noreply, S}}.\ncode_change(_, S, _) -> {change}.\n"
    );
    for (name, text) in [("user_lib", library), ("shop_server", server)] {
        let source = format!("{dir}/{name}.erl");
        std::fs::write(&source, text).unwrap();
        erlc_into(&ebin, &["+debug_info", &source]);
    }
    let app = ebin.join("shop.app");
    let text = std::fs::read_to_string(&app).unwrap();
    std::fs::write(app, text.replace("shop_server]", "shop_server, user_lib]")).unwrap();
    dir
}

/// The word of the hook, its status, and the status of a plan for the same: always the same verdict.
#[track_caller]
fn verdicts(host: &Host, (old, new): (&str, &str), status: i32, outcome: &str, text: &str) {
    let plan = host.erlrc(&["plan", "shop", "--to", new]);
    assert_eq!(plan.status, status, "{plan:?}");
    assert!(plan.out.contains(text), "{plan:?}");
    let long = ["upgrade", "shop", "1.0", "1.1", old, new];
    let line = format!("erlrc-upgrade: Upgrading 'shop': (n1) {outcome}\n");
    host.erlrc(&long).is(&line, status).says(text);
    let new = format!("{{shop, \"1.1\", \"{new}\"}}.");
    host.file("apps/shop", &new, 0o644);
    host.erlrc(&["upgrade", "shop"])
        .is(&line, status)
        .says(text);
}

#[test]
fn what_live_states_hold_is_refused_by_plan_and_hook_alike() {
    let host = Host::new();
    let _node = host.node("n1");
    let old = with_records(&host, "1.0", "id", "{ok, S}");
    let new = with_records(&host, "1.1", "id, name", "true = is_list([S]), {ok, S}");
    host.erlrc(&["start", "shop", "1.0", &old]);
    let text = "#user{} of user_lib in its earlier size (2, now 3)";
    verdicts(&host, (&old, &new), 4, "restart_application", text);
    // It is the state that speaks against it, not the file.
    host.erlrc(&["eval", "n1", "gen_server:call(shop, {set, none})"]);
    let upgraded = "erlrc-upgrade: Upgrading 'shop': (n1) upgraded\n";
    host.erlrc(&["upgrade", "shop"]).is(upgraded, 0);
}

#[test]
fn what_would_fail_on_a_live_state_is_not_tried_unless_forced() {
    let host = Host::new();
    let _node = host.node("n1");
    let old = with_records(&host, "1.0", "id", "{ok, S}");
    let new = with_records(&host, "1.1", "id", "[_] = S, {ok, S}");
    host.erlrc(&["start", "shop", "1.0", &old]);
    host.erlrc(&["eval", "n1", "gen_server:call(shop, {set, []})"]);
    let text = "code_change fails for the state of 1 process: ";
    verdicts(&host, (&old, &new), 1, "would_fail", text);
    let history = host.erlrc(&["history", "shop", "-l"]);
    assert!(!history.out.contains("script_failed"), "{history:?}");
    // It is tried, and fails as was said.
    let forced = host.erlrc(&["upgrade", "shop", "--force"]);
    forced
        .is("erlrc-upgrade: Upgrading 'shop': (n1) script_failed\n", 1)
        .says(text);
    host.erlrc(&["eval", "n1", "gen_server:call(shop, {set, [1]})"]);
    let upgraded = "erlrc-upgrade: Upgrading 'shop': (n1) upgraded\n";
    host.erlrc(&["upgrade", "shop"]).is(upgraded, 0);
    // The way back has the same gate.
    host.erlrc(&["eval", "n1", "gen_server:call(shop, {set, []})"]);
    let back = ["downgrade", "shop", "1.0", "1.1", &old, &new];
    let refused = "erlrc-downgrade: Downgrading 'shop': (n1) would_fail\n";
    host.erlrc(&back).is(refused, 1).says(text);
}

#[test]
fn a_node_that_cannot_look_lets_nothing_pass() {
    let host = Host::new();
    let _node = host.node("n1");
    let (old, new) = (shop(&host, "1.0", "a"), shop(&host, "1.1", "a"));
    std::fs::write(format!("{new}/shop_server.erl"), "").unwrap();
    host.erlrc(&["start", "shop", "1.0", &old]);
    let appup = "{\"1.1\",[{\"1.0\",[{load_module,shop_server}]}],[{\"1.0\",[]}]}.\n";
    std::fs::write(format!("{new}/ebin/shop.appup"), appup).unwrap();
    // The module that looks is broken on this node.
    let broken = "{ok, M, B} = compile:forms([{attribute, 1, module, erlrc_live_plan}, {attribute, 1, export, \
        [{plan, 2}]}, {function, 1, plan, 2, [{clause, 1, [{var, 1, '_'}, {var, 1, '_'}], [], \
        [{call, 1, {atom, 1, error}, [{atom, 1, blind}]}]}]}]), {module, _} = code:load_binary(M, \"none\", B), ok";
    host.erlrc(&["eval", "n1", broken]).is("ok\n", 0);
    let versions = ["shop", "1.0", "1.1", &old, &new];
    let run = |command: &[&str]| host.erlrc(&[command, &versions].concat());
    let said = "what its processes would meet cannot be found out";
    let crashed = "erlrc-upgrade: Upgrading 'shop': (n1) crashed\n";
    run(&["upgrade"]).is(crashed, 70).says(said);
    assert_eq!(host.erlrc(&["plan", "shop", "--to", &new]).status, 70);
    let upgraded = "erlrc-upgrade: Upgrading 'shop': (n1) upgraded\n";
    run(&["upgrade", "--preflight", "warn"])
        .is(upgraded, 0)
        .says(said);
}

/// Every finding of this kind of `erlrc plan` for `shop`.
fn found(host: &Host, new: &str, kind: &str) -> Vec<serde_json::Value> {
    let run = host.erlrc(&["plan", "shop", "--to", new, "--json"]);
    let whole: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let findings = whole["plans"][0]["findings"].as_array().unwrap();
    let findings = findings.iter().filter(|finding| finding["kind"] == kind);
    findings.cloned().collect()
}

/// That the plan says once that the node would refuse, for this reason, and the hook is refused for the same one.
#[track_caller]
fn node_refuses(
    host: &Host,
    (old, new): (&str, &str),
    (outcome, verdict): (&str, &str),
    text: &str,
) {
    let refused = found(host, new, "node_refuses");
    let [finding] = refused.as_slice() else {
        panic!("{refused:?}")
    };
    let of = |key: &str| finding[key].as_str().unwrap();
    assert_eq!(
        [of("severity"), of("subject"), of("verdict")],
        ["error", "shop", verdict]
    );
    assert_eq!(finding["details"]["outcome"], outcome, "{finding}");
    assert!(
        of("text").starts_with("the node would refuse: ") && of("text").contains(text),
        "{finding}"
    );
    let asked = ["upgrade", "shop", "1.0", "1.1", old, new, "--preflight"];
    let run = host.erlrc(&[&asked[..], &["off"]].concat());
    assert_ne!(run.status, 0, "{run:?}");
    let line = format!("erlrc-upgrade: Upgrading 'shop': (n1) {outcome}\n");
    assert_eq!(run.out, line, "{run:?}");
}

#[test]
fn what_the_node_would_refuse_is_a_finding() {
    let host = Host::new();
    let _node = host.node("n1");
    let old = with_records(&host, "1.0", "id", "{ok, S}");
    let new = with_records(&host, "1.1", "id", "{ok, S}");
    host.erlrc(&["start", "shop", "1.0", &old]);
    assert_eq!(
        found(&host, &new, "node_refuses"),
        [] as [serde_json::Value; 0]
    );
    // A restart that the files ask for is named once.
    let script = |text: &str| appup(&new, &format!("{{\"1.1\",[{{\"1.0\",{text}}}],[]}}.\n"));
    script("[restart_new_emulator]");
    assert_eq!(found(&host, &new, "restart_emulator").len(), 1);
    assert_eq!(
        found(&host, &new, "node_refuses"),
        [] as [serde_json::Value; 0]
    );
    // The application controller is that of a release that is not known.
    script("[]");
    let unknown = "_ = sys:replace_state(application_controller, \
        fun(State) -> setelement(tuple_size(State), State, #{}) end), ok";
    host.erlrc(&["eval", "n1", unknown]).is("ok\n", 0);
    let controller = ("unknown_application_controller", "would_fail");
    let text = "the application controller of OTP ";
    node_refuses(&host, (&old, &new), controller, text);
    let [environment] = &found(&host, &new, "environment_unknown")[..] else {
        panic!("the environment cannot be merged")
    };
    assert_eq!(
        (&environment["severity"], &environment["subject"]),
        (&"error".into(), &"shop".into())
    );
}
