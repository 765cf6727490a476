//! Failure on one node of several.

use crate::host::{Host, Node, foo};

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

#[test]
fn an_upgrade_that_fails_on_the_second_node_is_undone_on_the_first() {
    let (host, _nodes) = three();
    start_on(&host, "n1", "1.0");
    start_on(&host, "n3", "1.0");
    host.erlrc(&[
        "eval",
        "n2",
        "application:load({application, foo, [{vsn, \"0.9\"}]}), application:start(foo)",
    ]);
    host.erlrc(&["upgrade", "foo", "1.0", "2.0", &foo("1.0"), &foo("2.0")])
        .is(
            "erlrc-upgrade: Upgrading 'foo': (n1) upgraded (n2) version_mismatch (n3) not_tried\n\
             erlrc-upgrade: Undoing 'foo': (n1) downgraded\n",
            1,
        )
        .says("n1: undone; states were converted back");
    host.erlrc(&["eval", "n1", "foo_server:history()"])
        .is("[down,up,\"1.0\"]\n", 0);
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

#[test]
fn an_undoing_that_fails_is_the_worst_of_all() {
    let (host, mut nodes) = three();
    start_on(&host, "n2", "2.0");
    // The first node is gone by the time that the second one has refused.
    let block =
        "erlrc_operations:run(erlang, apply, [fun() -> receive after 3000 -> ok end end, []])";
    let mut blocker = host
        .command(&["eval", "n2", block])
        .spawn()
        .expect("erlrc runs");
    crate::host::eventually("the operation runs", || {
        host.erlrc(&["eval", "n2", "erlrc_operations:status() =/= idle"])
            .out
            == "true\n"
    });
    let hook = host
        .command(&["start", "foo", "1.0", &foo("1.0")])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("erlrc runs");
    crate::host::eventually("the first node is done", || {
        runs(&host, "n1") == "\"1.0\"\n"
    });
    nodes.remove(0).kill();
    let output = hook.wait_with_output().expect("an end");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "erlrc-start: Starting 'foo': (n1) started (n2) version_mismatch (n3) not_tried\n\
         erlrc-start: Undoing 'foo': (n1) node_down\n"
    );
    assert_eq!(output.status.code(), Some(6));
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
