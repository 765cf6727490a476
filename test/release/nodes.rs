//! Nodes go from what they run to a release, as one change, and back.

use crate::host::{Host, Node};
use crate::shop::{json, library, release, with_releases};
use std::fs;

/// A node that runs release 1.
pub fn node(host: &Host, name: &str) -> Node {
    let node = host.node(name);
    for (application, vsn) in [("low", "1"), ("tally", "1.0")] {
        let dir = host.path(&format!("lib/{application}-{vsn}"));
        let dir = dir.display().to_string();
        let run = host.erlrc(&["start", application, vsn, &dir, "--node", name]);
        assert_eq!(run.status, 0, "{run:?}");
    }
    node
}

/// What a node runs of the releases, and the version of tally's code.
pub fn seen(host: &Host, node: &str) -> String {
    let text = "{[{A, V} || A <- [high, low, tally], {B, _, V} <- application:which_applications(), A =:= B], tally:vsn()}";
    host.erlrc(&["eval", node, text]).out.trim().to_owned()
}

pub const FIRST: &str = r#"{[{low,"1"},{tally,"1.0"}],"1.0"}"#;
pub const SECOND: &str = r#"{[{high,"1"},{tally,"1.1"}],"1.1"}"#;

#[test]
fn nodes_go_to_a_release_and_back_as_one() {
    let host = with_releases(Host::new());
    let _nodes = [node(&host, "n1"), node(&host, "n2"), host.node("other")];
    release(&host, &["default", "shop", "1"]);
    let before = seen(&host, "n1");
    assert_eq!(before, FIRST);
    let run = release(&host, &["plan", "shop"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(seen(&host, "n1"), FIRST);
    release(&host, &["current", "shop"]).is("1\n", 0);
    let run = release(&host, &["downgrade", "shop", "2"]);
    run.is("", 1).says("2 is later than 1, which is current");
    let run = release(&host, &["upgrade", "shop", "2"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.out
            .ends_with("(n1) changed (n2) changed\nshop 2 is current, 1 was\n"),
        "{run:?}"
    );
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [SECOND, SECOND]);
    release(&host, &["current", "shop"]).is("2\n", 0);
    let run = release(&host, &["upgrade", "shop", "2"]);
    run.is("no node has anything to do\nshop 2 is current already\n", 0);
    let run = release(&host, &["upgrade", "shop", "1"]);
    run.is("", 1).says("1 is earlier than 2, which is current");
    let run = release(&host, &["downgrade", "shop", "1"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [FIRST, FIRST]);
    release(&host, &["current", "shop"]).is("1\n", 0);
    let other = host.erlrc(&[
        "eval",
        "other",
        "lists:keymember(high, 1, application:loaded_applications())",
    ]);
    other.is("false\n", 0);
}

#[test]
fn what_fails_leaves_nodes_and_link_as_they_were() {
    let host = with_releases(Host::new());
    let _node = node(&host, "n1");
    release(&host, &["default", "shop", "1"]);
    let keys = "{applications, [kernel, stdlib]}, {mod, {nobody, []}}";
    library(&host, "broken", "1", keys);
    json(&host, &["make", "shop", "3", "--apps", "tally=1.1,broken"]);
    let run = release(&host, &["upgrade", "shop", "3"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert_eq!(seen(&host, "n1"), FIRST);
    release(&host, &["current", "shop"]).is("1\n", 0);
    // What is not there any more is not begun with.
    fs::remove_dir_all(host.path("lib/high-1")).expect("a directory");
    let run = release(&host, &["upgrade", "shop", "2"]);
    run.is("", 1).says("high 1 is no longer in");
    assert_eq!(seen(&host, "n1"), FIRST);
}

#[test]
fn nodes_that_have_to_change_differently_are_not_changed_together() {
    let host = with_releases(Host::new());
    let _nodes = [node(&host, "n1"), node(&host, "n2")];
    let low = host.path("lib/low-1").display().to_string();
    let run = host.erlrc(&["stop", "low", "1", &low, "--node", "n2"]);
    assert_eq!(run.status, 0, "{run:?}");
    release(&host, &["default", "shop", "1"]);
    let run = release(&host, &["upgrade", "shop", "2"]);
    run.is("", 1)
        .says("have to change in different ways; nothing was done");
    assert_eq!(seen(&host, "n1"), FIRST);
    for name in ["n1", "n2"] {
        let run = release(&host, &["upgrade", "shop", "2", "--node", name]);
        assert_eq!(run.status, 0, "{run:?}");
    }
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [SECOND, SECOND]);
}
