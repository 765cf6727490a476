//! Releases on trial: nodes run them, and go back unless somebody commits.

use crate::host::{Host, Node, Run, eventually};
use crate::nodes::{FIRST, SECOND, node, seen};
use crate::shop::{json, library, release, with_releases};
use serde_json::Value;

/// Both: what only the earlier release names runs on.
pub const TRIED: &str = r#"{[{high,"1"},{low,"1"},{tally,"1.1"}],"1.1"}"#;

/// Nodes that run release 1, which is current.
pub fn host(names: &[&str]) -> (Host, Vec<Node>) {
    let host = with_releases(Host::new());
    let nodes = names.iter().map(|name| node(&host, name)).collect();
    release(&host, &["default", "shop", "1"]);
    (host, nodes)
}

/// Nodes that try release 2, for an hour: no time that is over in a test.
pub fn trying(names: &[&str]) -> (Host, Vec<Node>) {
    let (host, nodes) = host(names);
    let run = upgrade(&host, "2");
    assert_eq!(run.status, 0, "{run:?}");
    for name in names {
        assert_eq!(seen(&host, name), TRIED);
    }
    (host, nodes)
}

fn upgrade(host: &Host, version: &str) -> Run {
    release(host, &["upgrade", "shop", version, "--provisional", "3600"])
}

/// Lets the time be over for which a node keeps its way back open.
pub fn let_time_pass(host: &Host, node: &str) {
    let text = "#{held := #{held := Id}} = erlrc_status:report(), \
        #{outcome := held} = erlrc_hook:request(#{protocol => 1, operation => prolong, held => Id, \
        changes => [#{operation => upgrade, application => tally, from => <<\"1.0\">>, to => <<\"1.1\">>}], \
        options => #{hold => {0, <<\"revert\">>}}}), ok";
    host.erlrc(&["eval", node, text]).is("ok\n", 0);
    eventually("the node has gone back", || {
        let text = "whereis(erlrc_guardian)";
        host.erlrc(&["eval", node, text]).out == "undefined\n"
    });
}

/// Whether a node is as it was before it tried release 2.
fn is_as_before(host: &Host, node: &str) {
    assert_eq!(seen(host, node), FIRST);
    let text = "{[Dir || Dir <- code:get_path(), string:find(Dir, \"high\") =/= nomatch], application:get_key(high, vsn)}";
    host.erlrc(&["eval", node, text]).is("{[],undefined}\n", 0);
}

fn trial(host: &Host) -> Value {
    json(host, &["current", "shop"])["trial"].clone()
}

#[test]
fn a_release_on_trial_becomes_current_when_it_is_committed() {
    let (host, _nodes) = trying(&["n1", "n2"]);
    let current = release(&host, &["current", "shop"]);
    assert_eq!((current.out.as_str(), current.status), ("1\n", 0));
    current.says("shop 2 is on trial until ");
    assert_eq!(trial(&host)["nodes"], serde_json::json!(["n1", "n2"]));
    assert_eq!(trial(&host)["stage"], "on_trial");
    let listed = release(&host, &["list"]).out;
    assert!(listed.contains("~ on trial"), "{listed}");
    assert!(listed.contains("to keep it: erlrc release commit shop;"));
    assert_eq!(
        json(&host, &["list"])["services"][0]["trial"]["release"],
        "2"
    );
    assert_eq!(json(&host, &["show", "shop", "2"])["trial"]["from"], "1");
    assert!(json(&host, &["show", "shop", "1"])["trial"].is_null());
    let shown = release(&host, &["show", "shop", "2"]).out;
    assert!(shown.contains("shop 2 is on trial until "), "{shown}");
    let status = host.erlrc(&["status"]).out;
    assert!(
        status.contains("on trial: shop 2 goes back in "),
        "{status}"
    );
    let run = release(&host, &["commit", "shop", "--dry-run"]);
    run.is("would make shop 2 current, which runs on n1, n2\n", 0);
    release(&host, &["commit", "shop", "--node", "n1"])
        .is("", 1)
        .says("shop 2 is on trial on n1, n2, which stay together");
    let run = release(&host, &["commit", "shop"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.out.ends_with("shop 2 is current, 1 was\n"), "{run:?}");
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [SECOND, SECOND]);
    let current = json(&host, &["current", "shop"]);
    assert_eq!(
        (&current["current"], &current["previous"]),
        (&"2".into(), &"1".into())
    );
    assert!(current["trial"].is_null());
    release(&host, &["commit", "shop"])
        .is("", 1)
        .says("no release of shop is on trial; nothing was committed");
}

#[test]
fn while_a_release_is_on_trial_nothing_else_begins() {
    let (host, _nodes) = trying(&["n1"]);
    let dir = host.path("lib/tally-1.0").display().to_string();
    for command in [
        vec!["stop", "tally", "1.1"],
        vec!["start", "low", "1"],
        vec!["downgrade", "tally", "1.0", "1.1", &dir, &dir],
    ] {
        let run = host.erlrc(&command);
        assert_eq!(run.status, 1, "{run:?}");
        run.says("shop 2 is on trial and goes back in ");
        run.says(
            "first erlrc release commit shop keeps it, or erlrc release revert shop takes it back",
        );
    }
    for command in [
        &["upgrade", "shop", "2"][..],
        &["downgrade", "shop", "1"],
        &["plan", "shop"],
        &["default", "shop", "2"],
    ] {
        let run = release(&host, command);
        run.is("", 1).says("shop 2 is on trial until ");
        run.says("to keep it: erlrc release commit shop;");
    }
    let run = release(&host, &["remove", "--yes", "shop", "2"]);
    run.is("", 1)
        .says("shop 2 is on trial; nothing was removed");
    for command in [&["confirm"][..], &["confirm", "tally"], &["undo", "--yes"]] {
        let run = host.erlrc(command);
        run.is("", 1)
            .says("tally belongs to shop 2, which is on trial");
    }
    assert_eq!(seen(&host, "n1"), TRIED);
    assert_eq!(trial(&host)["stage"], "on_trial");
}

#[test]
fn a_commit_that_comes_too_late_is_refused_and_all_nodes_are_back() {
    let (host, _nodes) = trying(&["n1", "n2"]);
    let_time_pass(&host, "n2");
    is_as_before(&host, "n2");
    let run = release(&host, &["commit", "shop"]);
    assert_eq!(run.status, 1, "{run:?}");
    run.says("shop 2 is no longer on trial: n2 went back at ");
    run.says("; shop 1 stays current");
    assert!(run.out.contains("(n1) reverted"), "{run:?}");
    is_as_before(&host, "n1");
    assert!(trial(&host).is_null());
    release(&host, &["current", "shop"]).is("1\n", 0);
}

#[test]
fn the_next_upgrade_notices_that_a_trial_is_over() {
    let (host, _nodes) = trying(&["n1"]);
    let_time_pass(&host, "n1");
    let run = upgrade(&host, "2");
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.out
            .starts_with("shop 2 is no longer on trial: n1 went back at "),
        "{run:?}"
    );
    assert_eq!(seen(&host, "n1"), TRIED);
    let run = release(&host, &["revert", "shop"]);
    assert_eq!(run.status, 0, "{run:?}");
    let_pass_is_told(&host);
}

/// A trial whose time is over is reverted without a word to a node.
fn let_pass_is_told(host: &Host) {
    assert_eq!(upgrade(host, "2").status, 0);
    let_time_pass(host, "n1");
    let run = release(host, &["revert", "shop"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.out
            .starts_with("shop 2 is no longer on trial: n1 went back at "),
        "{run:?}"
    );
    assert!(
        run.out.ends_with("shop 1 is current, 2 was on trial\n"),
        "{run:?}"
    );
    assert!(trial(host).is_null());
}

#[test]
fn revert_ends_a_trial_and_without_one_leads_to_the_previous_release() {
    let (host, _nodes) = trying(&["n1", "n2"]);
    let run = release(&host, &["revert", "shop", "--dry-run"]);
    assert_eq!(
        (run.status, seen(&host, "n1").as_str()),
        (0, TRIED),
        "{run:?}"
    );
    let run = release(&host, &["revert", "shop"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.out.ends_with("shop 1 is current, 2 was on trial\n"),
        "{run:?}"
    );
    is_as_before(&host, "n1");
    is_as_before(&host, "n2");
    release(&host, &["revert", "shop"])
        .is("", 1)
        .says("shop has no previous release to go back to");
    assert_eq!(upgrade(&host, "2").status, 0);
    assert_eq!(release(&host, &["commit", "shop"]).status, 0);
    let run = release(&host, &["revert", "shop"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.out.ends_with("shop 1 is current, 2 was\n"), "{run:?}");
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [FIRST, FIRST]);
    // Twice is where one was.
    assert_eq!(release(&host, &["revert", "shop"]).status, 0);
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [SECOND, SECOND]);
}

#[test]
fn a_downgrade_is_on_trial_in_the_same_way() {
    let (host, _nodes) = host(&["n1"]);
    assert_eq!(release(&host, &["upgrade", "shop", "2"]).status, 0);
    let run = release(&host, &["downgrade", "shop", "1", "--provisional", "3600"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(trial(&host)["release"], "1");
    let run = release(&host, &["commit", "shop"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(seen(&host, "n1"), FIRST);
    release(&host, &["current", "shop"]).is("1\n", 0);
}

#[test]
fn a_node_that_starts_anew_has_gone_back_and_one_that_is_down_hinders_nothing() {
    let (host, mut nodes) = trying(&["n1", "n2"]);
    nodes[0].kill();
    nodes[0] = node(&host, "n1");
    let run = release(&host, &["commit", "shop"]);
    assert_eq!(run.status, 1, "{run:?}");
    run.says("shop 2 is no longer on trial: n1 does not run it; shop 1 stays current");
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [FIRST, FIRST]);
    assert_eq!(upgrade(&host, "2").status, 0);
    nodes[0].kill();
    let run = release(&host, &["commit", "shop"]);
    assert_eq!(run.status, 0, "{run:?}");
    run.says("n1 is down");
    assert_eq!(seen(&host, "n2"), SECOND);
    release(&host, &["current", "shop"]).is("2\n", 0);
}

#[test]
fn a_node_that_does_not_answer_keeps_all_of_them_on_trial() {
    let (host, nodes) = trying(&["n1", "n2"]);
    nodes[1].signal("STOP");
    let run = release(&host, &["commit", "shop", "--node-timeout", "10"]);
    nodes[1].signal("CONT");
    assert_eq!(run.status, 3, "{run:?}");
    run.says("n2 does not answer");
    release(&host, &["current", "shop"]);
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [TRIED, TRIED]);
    assert_eq!(release(&host, &["commit", "shop"]).status, 0);
}

#[test]
fn what_cannot_be_on_trial_is_not_begun() {
    let host = with_releases(Host::new());
    let mut nodes = vec![node(&host, "n1")];
    let run = upgrade(&host, "2");
    run.is("", 1)
        .says("shop 2 cannot be on trial: no release is current to go back to");
    release(&host, &["default", "shop", "1"]);
    upgrade(&host, "1")
        .is("", 1)
        .says("shop 1 cannot be on trial: it is current already");
    json(
        &host,
        &["make", "shop", "3", "--apps", "tally=1.0,low,high"],
    );
    upgrade(&host, "3")
        .is("", 1)
        .says("shop 3 cannot be on trial: it replaces no version that runs");
    let keys = "{applications, [kernel, stdlib]}, {mod, {nobody, []}}";
    library(&host, "broken", "1", keys);
    json(&host, &["make", "shop", "4", "--apps", "tally=1.1,broken"]);
    let run = upgrade(&host, "4");
    assert_eq!(run.status, 1, "{run:?}");
    assert_eq!(seen(&host, "n1"), FIRST);
    assert!(trial(&host).is_null());
    nodes.clear();
    upgrade(&host, "2")
        .is("n1: node_down\n", 1)
        .says("shop 2 cannot be on trial: no node has anything to do");
    release(&host, &["current", "shop"]).is("1\n", 0);
}

#[test]
fn nobody_misses_what_a_trial_started_and_its_way_back_stopped() {
    let (host, _nodes) = host(&["n1"]);
    // Now it is loaded.
    assert_eq!(release(&host, &["upgrade", "shop", "2"]).status, 0);
    assert_eq!(release(&host, &["revert", "shop"]).status, 0);
    assert_eq!(upgrade(&host, "2").status, 0);
    let_time_pass(&host, "n1");
    assert_eq!(seen(&host, "n1"), FIRST);
    let run = host.erlrc(&["status"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(!run.out.contains("does not run"), "{run:?}");
}
