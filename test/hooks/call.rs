//! Calls that take long, and connections that end in their midst.

use crate::host::{Host, foo};
use std::time::Duration;

#[test]
fn a_late_answer_arrives_however_impatient_the_node_is() {
    let host = Host::new();
    host.listed("n1");
    // The node gives up on whoever is silent for four seconds.
    let _node = host.start(&["-sname", "n1", "-kernel", "net_ticktime", "4"]);
    host.erlrc(&["eval", "n1", "timer:sleep(7000), late"])
        .is("late\n", 0);
}

#[test]
fn a_call_that_takes_too_long_is_given_up() {
    let host = Host::new();
    let _node = host.node("n1");
    host.erlrc(&["eval", "n1", "timer:sleep(30000)", "--node-timeout", "0.5"])
        .is("", 3)
        .says("no reply within 0.5 s while waiting for the answer");
}

#[test]
fn a_node_that_ends_in_the_midst_of_a_call_is_lost() {
    let host = Host::new();
    let _node = host.node("n1");
    host.erlrc(&["eval", "n1", "erlang:halt()"])
        .is("", 3)
        .says("the connection was lost");
}

#[test]
fn what_waits_for_too_long_is_never_carried_out() {
    let host = Host::new();
    let _node = host.node("n1");
    let mut blocker = block(&host, "4000");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0"), "--node-timeout", "0.5"])
        .is("erlrc-start: Starting 'foo': (n1) busy\n", 1)
        .says("the node is busy since 20")
        .says("nothing was done");
    assert!(blocker.wait().expect("an end").success());
    host.erlrc(&[
        "eval",
        "n1",
        "erlrc_operations:run(erlang, whereis, [foo_sup])",
    ])
    .is("undefined\n", 0);
}

#[test]
fn an_operation_that_does_not_end_is_called_off_and_the_next_one_is_done() {
    let host = Host::new();
    let _node = host.node("n1");
    let (old, new) = (foo("1.0"), foo("2.0"));
    let upgrade = ["upgrade", "foo", "1.0", "2.0", &old, &new];
    host.erlrc(&["start", "foo", "1.0", &old]);
    let busy = "spawn(gen_server, call, [foo_server, wait, infinity]), ok";
    host.erlrc(&["eval", "n1", busy]).is("ok\n", 0);
    host.erlrc(&[upgrade.as_slice(), &["--node-timeout", "3"]].concat())
        .is("erlrc-upgrade: Upgrading 'foo': (n1) script_failed\n", 1)
        .says("the upgrade of foo was called off: the time that was given for it is over");
    host.erlrc(&["eval", "n1", "foo_server ! go"]).is("go\n", 0);
    host.erlrc(&upgrade)
        .is("erlrc-upgrade: Upgrading 'foo': (n1) upgraded\n", 0);
}

#[test]
fn after_a_timeout_the_node_is_asked_how_it_ended() {
    let host = Host::new();
    let _node = host.node("n1");
    host.erlrc(&["stop", "foo", "1.0"])
        .is("erlrc-stop: Stopping 'foo': (n1) not_running\n", 0);
    host.erlrc(&["eval", "n1", "sys:suspend(erlrc_operations)"])
        .is("ok\n", 0);
    let (dir, limits) = (foo("1.0"), ["--node-timeout", "0.5", "--hook-timeout", "6"]);
    host.erlrc(&[["start", "foo", "1.0", &dir].as_slice(), &limits].concat())
        .is("erlrc-start: Starting 'foo': (n1) timed_out\n", 3)
        .says("the node is still at work on it, `erlrc status` tells");
    // It is too late for it when its turn comes, and its answer is for nobody else, whose name may be that
    // of the hook.
    let resume = "sys:resume(erlrc_operations), receive after 500 -> resumed end";
    host.erlrc(&["eval", "n1", resume]).is("resumed\n", 0);
    let then = "erlrc_operations:run(erlang, whereis, [foo_sup])";
    host.erlrc(&["eval", "n1", then]).is("undefined\n", 0);
}

/// An operation that others wait behind, for so many milliseconds.
fn block(host: &Host, milliseconds: &str) -> std::process::Child {
    let text = format!("erlrc_operations:run(timer, sleep, [{milliseconds}])");
    let mut blocker = host.command(&["eval", "n1", &text]);
    let blocker = blocker.stderr(std::process::Stdio::null()).spawn();
    crate::host::eventually("the operation runs", || {
        let run = host.erlrc(&["eval", "n1", "erlrc_operations:status() =/= idle"]);
        run.out == "true\n"
    });
    blocker.expect("erlrc runs")
}

#[test]
fn a_node_that_dies_of_the_operation_is_said_to_have_died() {
    let host = Host::new();
    let mut node = host.node("n1");
    let mut blocker = block(&host, "30000");
    let hook = host
        .command(&["start", "foo", "1.0", &foo("1.0")])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("erlrc runs");
    crate::host::eventually("the hook waits", || {
        let run = host.erlrc(&["eval", "n1", "maps:get(waiting, erlrc_operations:status())"]);
        run.out == "1\n"
    });
    node.kill();
    let output = hook.wait_with_output().expect("an end");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        (&*text, output.status.code()),
        ("erlrc-start: Starting 'foo': (n1) node_died\n", Some(6))
    );
    let _ = blocker.wait();
}

#[test]
fn the_whole_hook_has_an_end() {
    let host = Host::new();
    let nodes = ["n1", "n2"].map(|name| host.node(name));
    nodes.iter().for_each(|node| node.signal("STOP"));
    let started = std::time::Instant::now();
    let run = host.erlrc(&[
        "start",
        "foo",
        "1.0",
        &foo("1.0"),
        "--connect-timeout",
        "1",
        "--hook-timeout",
        "0.5",
    ]);
    run.is("erlrc-start: Starting 'foo': (n1) hung (n2) not_tried\n", 1);
    assert!(started.elapsed() < Duration::from_secs(5));
}
