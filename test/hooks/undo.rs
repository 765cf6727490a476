//! Failure on one node of several.

use crate::host::{Host, Node, Run, eventually, foo};

fn three() -> (Host, Vec<Node>) {
    let host = Host::new();
    let nodes = ["n1", "n2", "n3"].map(|name| host.node(name));
    (host, nodes.into())
}

/// Starts `foo` in a version on one node alone.
fn start_on(host: &Host, node: &str, vsn: &str) {
    let text = format!("erlrcdynamic:start(foo, \"{vsn}\", \"{}\")", foo(vsn));
    host.erlrc(&["eval", node, &text]).is("started\n", 0);
}

fn runs(host: &Host, node: &str) -> String {
    let text = "case lists:keyfind(foo, 1, application:which_applications()) of {_, _, V} -> V; _ -> none end";
    host.erlrc(&["eval", node, text]).out
}

#[test]
fn a_start_that_fails_on_the_second_node_is_undone_on_the_first() {
    let (host, _nodes) = three();
    start_on(&host, "n2", "2.0");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")])
        .is(
            "erlrc-start: Starting 'foo': (n1) started (n2) version_mismatch (n3) not_tried\n\
             erlrc-start: Undoing 'foo': (n1) stopped\n",
            1,
        )
        .says("n1: undone; what the application did since it was started is lost");
    assert_eq!(
        ["n1", "n2", "n3"].map(|node| runs(&host, node)),
        ["none\n", "\"2.0\"\n", "none\n"]
    );
}

#[test]
fn what_was_so_before_is_not_undone() {
    let (host, _nodes) = three();
    start_on(&host, "n1", "1.0");
    start_on(&host, "n2", "2.0");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")]).is(
        "erlrc-start: Starting 'foo': (n1) already_running (n2) version_mismatch (n3) not_tried\n",
        1,
    );
    assert_eq!(runs(&host, "n1"), "\"1.0\"\n");
}

#[test]
fn a_stop_that_fails_on_the_second_node_is_undone_on_the_first() {
    let (host, _nodes) = three();
    start_on(&host, "n1", "1.0");
    start_on(&host, "n2", "2.0");
    host.erlrc(&["stop", "foo", "1.0", &foo("1.0")])
        .is(
            "erlrc-stop: Stopping 'foo': (n1) stopped (n2) version_mismatch (n3) not_tried\n\
             erlrc-stop: Undoing 'foo': (n1) started\n",
            1,
        )
        .says("the state that its processes had is lost");
    assert_eq!(runs(&host, "n1"), "\"1.0\"\n");
}

/// Upgrades `foo` on all nodes.
fn upgrade(host: &Host) -> Run {
    host.erlrc(&["upgrade", "foo", "1.0", "2.0", &foo("1.0"), &foo("2.0")])
}

fn history(host: &Host, node: &str) -> String {
    host.erlrc(&["eval", node, "foo_server:history()"]).out
}

/// Has `foo` fail to change its state on one node, and nobody foresee it.
fn poison(host: &Host, node: &str) {
    let text =
        "application:set_env(erlrc, preflight, off), gen_server:call(foo_server, {note, poisoned})";
    host.erlrc(&["eval", node, text]).is("ok\n", 0);
}

/// Nothing is left of an operation.
fn settled(host: &Host, nodes: &[&str]) {
    for node in nodes {
        let text = "{erlrc_hold:status(), whereis(erlrc_guardian)}";
        host.erlrc(&["eval", node, text])
            .is("{none,undefined}\n", 0);
    }
}

#[test]
fn an_upgrade_of_several_nodes_is_confirmed_on_all() {
    let (host, _nodes) = three();
    for node in ["n1", "n2", "n3"] {
        start_on(&host, node, "1.0");
    }
    upgrade(&host).is(
        "erlrc-upgrade: Upgrading 'foo': (n1) upgraded (n2) upgraded (n3) upgraded\n",
        0,
    );
    settled(&host, &["n1", "n2", "n3"]);
    assert_eq!(history(&host, "n1"), "[up,\"1.0\"]\n");
}

#[test]
fn an_upgrade_that_one_node_would_refuse_begins_nowhere() {
    let (host, _nodes) = three();
    start_on(&host, "n1", "1.0");
    start_on(&host, "n3", "1.0");
    host.erlrc(&[
        "eval",
        "n2",
        "application:load({application, foo, [{vsn, \"0.9\"}]}), application:start(foo)",
    ]);
    upgrade(&host).is(
        "erlrc-upgrade: Upgrading 'foo': (n1) not_tried (n2) version_mismatch (n3) not_tried\n",
        1,
    );
    assert_eq!(history(&host, "n1"), "[\"1.0\"]\n");
}

#[test]
fn an_upgrade_that_fails_on_the_last_node_is_reverted_on_the_others() {
    let (host, _nodes) = three();
    for node in ["n1", "n2", "n3"] {
        start_on(&host, node, "1.0");
    }
    poison(&host, "n3");
    upgrade(&host)
        .is(
            "erlrc-upgrade: Upgrading 'foo': (n1) upgraded (n2) upgraded (n3) script_failed\n\
             erlrc-upgrade: Undoing 'foo': (n2) reverted (n1) reverted\n",
            1,
        )
        .says("n1: undone; states that nobody had touched since are what they were");
    // Not down again: back.
    let histories = ["n1", "n2", "n3"].map(|node| history(&host, node));
    let poisoned = "[poisoned,\"1.0\"]\n";
    assert_eq!(histories, ["[\"1.0\"]\n", "[\"1.0\"]\n", poisoned]);
    assert_eq!(
        ["n1", "n2", "n3"].map(|node| runs(&host, node)),
        ["\"1.0\"\n"; 3]
    );
    settled(&host, &["n1", "n2", "n3"]);
}

/// The upgrade, while the last node waits for its server and the others are done.
fn upgrade_that_waits(host: &Host, arguments: &[&str]) -> std::process::Child {
    for node in ["n1", "n2", "n3"] {
        start_on(host, node, "1.0");
    }
    let wait = "spawn(fun() -> gen_server:call(foo_server, wait, infinity) end)";
    host.erlrc(&["eval", "n3", wait]);
    let (old, new) = (foo("1.0"), foo("2.0"));
    let versions = ["upgrade", "foo", "1.0", "2.0", &old, &new];
    let hook = host
        .command(&[versions.as_slice(), arguments].concat())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("erlrc runs");
    eventually("the second node is done", || {
        runs(host, "n2") == "\"2.0\"\n"
    });
    eventually("the last one has begun", || {
        let begun = "whereis(erlrc_guardian) =/= undefined";
        host.erlrc(&["eval", "n3", begun]).out == "true\n"
    });
    hook
}

#[test]
fn what_has_gone_on_since_is_converted_and_that_is_said() {
    let (host, _nodes) = three();
    let hook = upgrade_that_waits(&host, &[]);
    host.erlrc(&["eval", "n1", "gen_server:call(foo_server, {note, since})"]);
    // It finds this first when it goes on.
    let poison = "foo_server ! go, gen_server:call(foo_server, {note, poisoned})";
    let poison = format!(
        "application:set_env(erlrc, preflight, off), sys:replace_state(foo_server, fun(S) -> [poisoned | S] end, infinity), {poison}"
    );
    let _ = host.command(&["eval", "n3", &poison]).spawn();
    let free = "foo_server ! go";
    eventually("the hook ends", || {
        host.erlrc(&["eval", "n3", free]);
        runs(&host, "n2") == "\"1.0\"\n" && runs(&host, "n1") == "\"1.0\"\n"
    });
    let output = hook.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("n1: a process of foo had gone on since"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(history(&host, "n1"), "[down,since,up,\"1.0\"]\n");
    assert_eq!(history(&host, "n2"), "[\"1.0\"]\n");
}

#[test]
fn a_node_that_ends_after_its_turn_is_told_of() {
    let (host, mut nodes) = three();
    let hook = upgrade_that_waits(&host, &[]);
    nodes[1].kill();
    host.erlrc(&["eval", "n3", "foo_server ! go"]).is("go\n", 0);
    let output = hook.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("n2: the node was changed and is down now"),
        "{said}"
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "erlrc-upgrade: Upgrading 'foo': (n1) upgraded (n2) upgraded (n3) upgraded\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn nodes_whose_hook_was_killed_keep_the_new_version_when_the_time_is_over() {
    let (host, _nodes) = three();
    let mut hook = upgrade_that_waits(&host, &["--hook-timeout", "20", "--node-timeout", "5"]);
    let _ = hook.kill();
    let _ = hook.wait();
    host.erlrc(&["eval", "n3", "foo_server ! go"]);
    eventually("the last one ends what it began", || {
        runs(&host, "n3") == "\"2.0\"\n"
    });
    for node in ["n1", "n2"] {
        eventually("the node holds no more", || {
            host.erlrc(&["eval", node, "erlrc_hold:status()"]).out == "none\n"
        });
        assert_eq!(history(&host, node), "[up,\"1.0\"]\n");
    }
}

#[test]
fn a_node_with_an_older_erlrc_can_fail_and_the_others_go_back() {
    let host = Host::new();
    let _node = host.node("n1");
    host.listed("n2");
    let source = "
        -module(erlrcdynamic).
        -export([upgrade/5]).
        upgrade(foo, _, _, _, _) -> {error, oops}.
    ";
    let source = host.file("erlrcdynamic.erl", source, 0o600);
    let compile = format!(
        "{{ok, _}} = compile:file({:?}).",
        source.display().to_string()
    );
    let _older = host.start_bare(&["-sname", "n2", "-eval", &compile]);
    start_on(&host, "n1", "1.0");
    upgrade(&host).is(
        "erlrc-upgrade: Upgrading 'foo': (n1) upgraded (n2) oops\n\
         erlrc-upgrade: Undoing 'foo': (n1) reverted\n",
        1,
    );
    assert_eq!(history(&host, "n1"), "[\"1.0\"]\n");
}

#[test]
fn a_node_that_cannot_be_spoken_to_undoes_nothing() {
    let (host, _nodes) = three();
    host.entry("n2", "wrong");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")]).is(
        "erlrc-start: Starting 'foo': (n1) started (n2) cookie_refused (n3) started\n",
        3,
    );
}

/// A node that is busy for a moment.
fn busy(host: &Host, node: &str) -> std::process::Child {
    let block =
        "erlrc_operations:run(erlang, apply, [fun() -> receive after 3000 -> ok end end, []])";
    let blocker = host
        .command(&["eval", node, block])
        .spawn()
        .expect("erlrc runs");
    eventually("the operation runs", || {
        host.erlrc(&["eval", node, "erlrc_operations:status() =/= idle"])
            .out
            == "true\n"
    });
    blocker
}

#[test]
fn an_undoing_that_fails_is_the_worst_of_all() {
    let (host, mut nodes) = three();
    start_on(&host, "n2", "2.0");
    // The first node is gone by the time that the second one has refused.
    let mut blocker = busy(&host, "n2");
    let hook = host
        .command(&["start", "foo", "1.0", &foo("1.0")])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("erlrc runs");
    eventually("the first node is done", || {
        runs(&host, "n1") == "\"1.0\"\n"
    });
    nodes.remove(0).kill();
    let output = hook.wait_with_output().expect("an end");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "erlrc-start: Starting 'foo': (n1) started (n2) version_mismatch (n3) not_tried\n\
         erlrc-start: Undoing 'foo': (n1) node_down\n"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("erlrc-start: n1: not undone, the node is down"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(6));
    let _ = blocker.wait();
}

#[test]
fn a_node_that_does_not_answer_when_it_is_to_go_back_is_told_of() {
    let (host, nodes) = three();
    start_on(&host, "n2", "2.0");
    let mut blocker = busy(&host, "n2");
    let hook = host
        .command(&["start", "--connect-timeout", "1", "foo", "1.0", &foo("1.0")])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("erlrc runs");
    eventually("the first node is done", || {
        runs(&host, "n1") == "\"1.0\"\n"
    });
    nodes[0].signal("STOP");
    let output = hook.wait_with_output().expect("an end");
    nodes[0].signal("CONT");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("erlrc-start: n1: not undone, as far as is known foo 1.0 runs there"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(6));
    let status = host.erlrc(&["--json", "status"]);
    let report: serde_json::Value = serde_json::from_str(&status.out).expect("JSON");
    let last = &report["nodes"][0]["applications"]
        .as_array()
        .expect("applications")
        .iter()
        .find(|app| app["application"] == "foo")
        .expect("foo")["last"];
    assert_eq!(last["outcome"], "not_undone", "{report}");
    let _ = blocker.wait();
}

#[test]
fn machines_get_all_of_it() {
    let (host, _nodes) = three();
    start_on(&host, "n2", "2.0");
    let run = host.erlrc(&["--json", "start", "foo", "1.0", &foo("1.0")]);
    let report: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(run.status, 1);
    assert_eq!(report["status"], 1);
    assert_eq!(report["nodes"][1]["outcome"], "version_mismatch");
    assert_eq!(report["nodes"][1]["running"], "2.0");
    assert_eq!(report["undone"][0]["node"], "n1");
    assert_eq!(report["undone"][0]["outcome"], "stopped");
}

#[test]
fn directories_that_are_none_are_refused_on_every_node() {
    let (host, _nodes) = three();
    let refused = |words: &[&str]| {
        let dirs = ["/nonexistent/foo-1.0", "/nonexistent/foo-2.0"];
        let run = host.erlrc(&[words, &["foo", "1.0", "2.0"], &dirs].concat());
        assert_eq!(run.status, 1, "{run:?}");
        let known = [
            "crashed",
            "upgraded",
            "downgraded",
            "started",
            "script_failed",
        ];
        assert!(run.out.contains("(n1) bad_directory"), "{run:?}");
        assert!(!known.iter().any(|word| run.out.contains(word)), "{run:?}");
    };
    for command in ["upgrade", "downgrade"] {
        refused(&[command]);
        refused(&[command, "--dry-run"]);
    }
    // Where the application runs, the old directory is known and the new one is not.
    start_on(&host, "n2", "1.0");
    let dirs = [foo("1.0"), "/nonexistent/foo-2.0".to_owned()];
    let run = host.erlrc(&["upgrade", "foo", "1.0", "2.0", &dirs[0], &dirs[1]]);
    assert!(run.status == 1 && !run.out.contains("crashed"), "{run:?}");
    assert_eq!(history(&host, "n2"), "[\"1.0\"]\n");
}
