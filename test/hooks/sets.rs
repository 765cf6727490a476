//! Several applications that are changed as one, on several nodes.

use crate::host::fixtures::bar;
use crate::host::{Host, Node, foo};
use std::fs;

/// foo and bar 1.0 run on n1 and n2; 2.0 of both is installed.
fn host() -> (Host, [Node; 2]) {
    let host = Host::new();
    let nodes = ["n1", "n2"].map(|name| host.node(name));
    for (app, directory) in [("foo", foo as fn(&str) -> String), ("bar", bar)] {
        host.erlrc(&["start", app, "1.0", &directory("1.0")]);
        let metadata = format!("{{{app}, \"2.0\", \"{}\"}}.\n", directory("2.0"));
        fs::write(host.path("apps").join(app), metadata).expect("a file");
    }
    (host, nodes)
}

/// The versions of foo and bar, and what has become of their states.
fn seen(host: &Host, node: &str) -> String {
    let text = "{[V || A <- [foo, bar], {B, _, V} <- application:which_applications(), A =:= B], \
                foo_server:history(), bar_server:history()}";
    host.erlrc(&["eval", node, text]).out.trim().to_owned()
}

const EARLIER: &str = r#"{["1.0","1.0"],["1.0"],["1.0"]}"#;
const LATER: &str = r#"{["2.0","2.0"],[up,"1.0"],[up,"1.0"]}"#;
const BACK: &str = r#"{["1.0","1.0"],[down,up,"1.0"],[down,up,"1.0"]}"#;

#[test]
fn a_set_is_upgraded_on_all_nodes_and_goes_back_as_one() {
    let (host, _nodes) = host();
    host.erlrc(&["upgrade", "foo", "bar"]).is(
        "erlrc-upgrade: Upgrading 'foo bar': (n1) changed (n2) changed\n",
        0,
    );
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [LATER, LATER]);
    host.erlrc(&["undo", "bar"])
        .is("", 1)
        .says("nobody agreed to take, as one, foo back from 2.0 to 1.0, bar back from 2.0 to 1.0");
    host.erlrc(&["undo", "bar", "--yes"]).is(
        "erlrc-downgrade: Downgrading 'foo bar': (n1) changed (n2) changed\n",
        0,
    );
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [BACK, BACK]);
}

#[test]
fn a_set_that_fails_on_the_last_node_is_reverted_on_the_others() {
    let (host, _nodes) = host();
    let poison =
        "application:set_env(erlrc, preflight, off), persistent_term:put(bar_broken, true)";
    host.erlrc(&["eval", "n2", poison]).is("ok\n", 0);
    host.erlrc(&["upgrade", "bar", "foo"])
        .is(
            "erlrc-upgrade: Upgrading 'bar foo': (n1) changed (n2) script_failed\n\
             erlrc-upgrade: Undoing 'bar foo': (n1) reverted\n",
            1,
        )
        .says("n2: rolled back: bar 1.0, foo 1.0 run on, nothing is lost\n")
        .says("erlrc history bar -l tells more\n")
        .says("n1: undone; states that nobody had touched since are what they were");
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [EARLIER, EARLIER]);
}

#[test]
fn a_set_goes_back_from_wherever_each_node_is_on_its_way() {
    let (host, _nodes) = host();
    host.erlrc(&["upgrade", "foo", "bar"]);
    host.erlrc(&["downgrade", "bar=1.0", "--node", "n1"]);
    host.erlrc(&["undo", "foo", "--yes"]).is(
        "bar on n1: 1.0 runs, nothing to do\n\
         erlrc-downgrade: Downgrading 'foo': (n1) downgraded\n\
         erlrc-downgrade: Downgrading 'foo bar': (n2) changed\n",
        0,
    );
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [BACK, BACK]);
}
