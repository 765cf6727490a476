//! Upgrades that go back by themselves unless somebody confirms them.

use crate::host::fixtures::bar;
use crate::host::{Host, Node, eventually, foo};
use std::fs;

/// foo 1.0 runs on `names`; 2.0 is installed.
fn host(names: &[&str]) -> (Host, Vec<Node>) {
    let host = Host::new();
    let nodes = names.iter().map(|name| host.node(name)).collect();
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")]);
    let metadata = format!("{{foo, \"2.0\", \"{}\"}}.\n", foo("2.0"));
    fs::write(host.path("apps/foo"), metadata).expect("a file");
    (host, nodes)
}

fn seen(host: &Host, node: &str) -> String {
    let text = "{element(3, lists:keyfind(foo, 1, application:which_applications())), foo_server:history()}";
    host.erlrc(&["eval", node, text]).out.trim().to_owned()
}

const EARLIER: &str = r#"{"1.0",["1.0"]}"#;
const LATER: &str = r#"{"2.0",[up,"1.0"]}"#;

/// Lets the time of what a node holds be over.
fn let_time_pass(host: &Host, node: &str) {
    let text = "#{held := #{held := Id}} = erlrc_status:report(), \
        #{outcome := held} = erlrc_hook:request(#{protocol => 1, operation => prolong, application => foo, \
        from => <<\"1.0\">>, to => <<\"2.0\">>, held => Id, options => #{hold => {0, <<\"revert\">>}}}), ok";
    host.erlrc(&["eval", node, text]).is("ok\n", 0);
    eventually("the node has gone back", || {
        let text = "whereis(erlrc_guardian)";
        host.erlrc(&["eval", node, text]).out == "undefined\n"
    });
}

/// An hour: no time that is over in a test.
fn upgrade(host: &Host, line: &str) {
    let run = host.erlrc(&[
        "upgrade",
        "foo",
        "--provisional",
        "3600",
        "--connect-timeout",
        "60",
    ]);
    assert_eq!(run.status, 0, "{run:?}");
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(lines[0], line);
    assert!(
        lines[1].starts_with("provisional: foo goes back by itself in 3600 s, at ")
            && lines[1].ends_with(" UTC, unless it is confirmed: erlrc confirm foo"),
        "{run:?}"
    );
    assert_eq!((lines.len(), run.err.as_str()), (2, ""));
}

#[test]
fn nobody_confirms_and_history_and_status_say_so() {
    let (host, _nodes) = host(&["n1"]);
    upgrade(&host, "erlrc-upgrade: Upgrading 'foo': (n1) upgraded");
    assert_eq!(seen(&host, "n1"), LATER);
    let status = host.erlrc(&["status"]).out;
    assert!(
        status.contains("provisional: foo goes back from 2.0 to 1.0 in 59 min;")
            || status.contains("provisional: foo goes back from 2.0 to 1.0 in 1 h;"),
        "{status}"
    );
    assert!(status.contains("erlrc confirm foo keeps it"), "{status}");
    host.erlrc(&["downgrade", "foo=1.0", "--connect-timeout", "60"])
        .is("erlrc-downgrade: Downgrading 'foo': (n1) provisional\n", 1)
        .says("an upgrade of foo is provisional and goes back in");
    let_time_pass(&host, "n1");
    assert_eq!(seen(&host, "n1"), EARLIER);
    host.erlrc(&["confirm", "foo", "--connect-timeout", "60"])
        .is("", 1)
        .says("nothing to confirm: no provisional upgrade of foo waits");
    let status = host.erlrc(&["status"]).out;
    assert!(
        status.contains("foo went back from 2.0 to 1.0 (")
            && status.contains("): nobody confirmed it in time"),
        "{status}"
    );
    // It is the last change from the first look on.
    assert!(status.contains(" reverted\n"), "{status}");
    let history = host.erlrc(&["history", "foo", "-l"]).out;
    assert_eq!(
        history.matches(" revert foo 2.0 -> 1.0\n").count(),
        1,
        "{history}"
    );
    assert!(
        history.contains("  n1: reverted, runs 1.0\n    nobody confirmed it in time\n"),
        "{history}"
    );
}

#[test]
fn confirm_reaches_all_nodes_and_undo_takes_all_back_at_once() {
    let (host, _nodes) = host(&["n1", "n2"]);
    let line = "erlrc-upgrade: Upgrading 'foo': (n1) upgraded (n2) upgraded";
    upgrade(&host, line);
    let text = "maps:get(over, erlrc_hold:status())";
    for node in ["n1", "n2"] {
        host.erlrc(&["eval", node, text]).is("revert\n", 0);
        // From when the last one was through, not from when this one was.
        let text = "maps:get(left, erlrc_hold:status()) =< 3600000";
        host.erlrc(&["eval", node, text]).is("true\n", 0);
    }
    host.erlrc(&["undo", "foo", "--connect-timeout", "60"])
        .is("", 1)
        .says("nobody agreed to take foo back from 2.0 to 1.0");
    host.erlrc(&["undo", "foo", "--dry-run", "--connect-timeout", "60"])
        .is(
            "would take back the provisional upgrade foo 1.0 -> 2.0 on n1, n2\n",
            0,
        );
    host.erlrc(&["undo", "--yes", "--connect-timeout", "60"])
        .is(
            "erlrc-undo: Taking back 'foo': (n1) reverted (n2) reverted\n",
            0,
        );
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [EARLIER, EARLIER]);
    upgrade(&host, line);
    host.erlrc(&["confirm", "--connect-timeout", "60"]).is(
        "erlrc-confirm: Confirming 'foo': (n1) confirmed (n2) confirmed\n",
        0,
    );
    host.erlrc(&["confirm", "--connect-timeout", "60"])
        .is("", 1)
        .says("nothing to confirm");
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [LATER, LATER]);
    let history = host.erlrc(&["history", "foo"]).out;
    assert!(
        history.contains("confirmed (n1, n2)") && history.contains("reverted (n1, n2)"),
        "{history}"
    );
}

#[test]
fn several_applications_wait_as_one() {
    let (host, _nodes) = host(&["n1", "n2"]);
    host.erlrc(&["start", "bar", "1.0", &bar("1.0")]);
    let metadata = format!("{{bar, \"2.0\", \"{}\"}}.\n", bar("2.0"));
    fs::write(host.path("apps/bar"), metadata).expect("a file");
    let all = [
        "upgrade",
        "--all",
        "--provisional",
        "3600",
        "--connect-timeout",
        "60",
    ];
    let run = host.erlrc(&all);
    assert!(
        run.out
            .contains("(n1) changed (n2) changed\nprovisional: bar foo goes back by itself"),
        "{run:?}"
    );
    let status = host.erlrc(&["status"]).out;
    let way = "provisional: bar foo goes back (bar from 2.0 to 1.0, foo from 2.0 to 1.0) in ";
    assert!(status.contains(way), "{status}");
    let advice = "; erlrc confirm bar foo keeps it, erlrc undo bar takes it back at once\n";
    assert!(status.contains(advice), "{status}");
    host.erlrc(&["undo", "bar", "--yes", "--connect-timeout", "60"])
        .is(
            "erlrc-undo: Taking back 'bar foo': (n1) reverted (n2) reverted\n",
            0,
        );
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [EARLIER, EARLIER]);
    let run = host.erlrc(&all);
    assert_eq!(run.status, 0, "{run:?}");
    host.erlrc(&["confirm", "bar", "foo", "--connect-timeout", "60"])
        .is(
            "erlrc-confirm: Confirming 'bar foo': (n1) confirmed (n2) confirmed\n",
            0,
        );
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [LATER, LATER]);
}

#[test]
fn one_that_cannot_keep_its_way_back_keeps_all_from_beginning() {
    let (host, _nodes) = host(&["n1", "n2"]);
    let other = "application:set_env(erlrc, evaluator, release_handler)";
    host.erlrc(&["eval", "n2", other]).is("ok\n", 0);
    host.erlrc(&["upgrade", "foo", "--provisional", "3600", "--connect-timeout", "60"])
        .is(
            "erlrc-upgrade: Upgrading 'foo': (n1) not_tried (n2) not_provisional\n",
            1,
        )
        .says("n2: foo cannot be upgraded provisionally: the evaluator release_handler keeps no way back open");
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [EARLIER, EARLIER]);
    host.erlrc(&["upgrade", "foo", "--provisional", "0"])
        .is("", 2)
        .says("whole seconds, from 1 to 2592000");
}
