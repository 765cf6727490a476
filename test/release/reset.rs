//! Nodes go to the empty set and come again.

use crate::host::Host;
use crate::nodes::{FIRST, SECOND, node, seen};
use crate::shop::{json, release, with_releases};

/// Whether a node has loaded nothing of the releases.
#[track_caller]
fn has_nothing(host: &Host, node: &str) {
    let text =
        "[A || A <- [high, low, tally], {B, _, _} <- application:loaded_applications(), A =:= B]";
    host.erlrc(&["eval", node, text]).is("[]\n", 0);
}

#[test]
fn the_empty_set_stops_what_the_current_release_names() {
    let host = with_releases(Host::new());
    let _nodes = [node(&host, "n1"), node(&host, "n2")];
    release(&host, &["reset", "--yes", "shop"]).is("no release of shop is current already\n", 0);
    assert_eq!(seen(&host, "n1"), FIRST);
    release(&host, &["default", "shop", "1"]);
    release(&host, &["reset", "shop"])
        .is("", 1)
        .says("nothing was stopped: nobody agreed");
    assert_eq!(release(&host, &["reset", "shop", "--dry-run"]).status, 0);
    assert_eq!(seen(&host, "n1"), FIRST);
    let run = release(&host, &["reset", "--yes", "shop"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.out.ends_with("no release of shop is current, 1 was\n"),
        "{run:?}"
    );
    has_nothing(&host, "n1");
    has_nothing(&host, "n2");
    release(&host, &["current", "shop"])
        .is("", 1)
        .says("no release of shop is current");
    assert_eq!(json(&host, &["list"])["services"][0]["previous"], "1");
    assert!(json(&host, &["reset", "--yes", "shop"])["current"].is_null());
    // A node that is named is meant, whatever it runs.
    let run = release(&host, &["revert", "shop", "--node", "n1"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(seen(&host, "n1"), FIRST);
    has_nothing(&host, "n2");
    release(&host, &["current", "shop"]).is("1\n", 0);
}

#[test]
fn what_others_need_stays_and_so_does_the_current_release() {
    let host = with_releases(Host::new());
    let _node = node(&host, "n1");
    release(&host, &["default", "shop", "1"]);
    let keys = "{applications, [kernel, stdlib, low]}";
    let dir = crate::shop::library(&host, "user", "1", keys);
    let run = host.erlrc(&["start", "user", "1", &dir.display().to_string()]);
    assert_eq!(run.status, 0, "{run:?}");
    let run = release(&host, &["reset", "--yes", "shop"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert_eq!(seen(&host, "n1"), FIRST);
    release(&host, &["current", "shop"]).is("1\n", 0);
}

#[test]
fn what_is_loaded_in_another_version_is_replaced_and_started() {
    let host = with_releases(Host::new());
    let _node = node(&host, "n1");
    release(&host, &["default", "shop", "1"]);
    for (application, vsn) in [("tally", "1.0"), ("low", "1")] {
        let run = host.erlrc(&["stop", "--no-unload", application, vsn]);
        assert_eq!(run.status, 0, "{run:?}");
    }
    let run = release(&host, &["upgrade", "shop", "2", "--node", "n1"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(seen(&host, "n1"), SECOND);
}
