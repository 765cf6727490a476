//! erlrc's own package: on a bare Debian, and upgraded by itself.

use crate::host::Host;
use crate::package;
use crate::row::given;

fn a_node_boots_and_upgrades(suite: &str) {
    let host = Host::with_erlrc_on(suite);
    host.sh("command -v cargo rustc rebar3").fails();
    host.sh("dpkg -i {till 1.0}").succeeds();
    let node = host.start("shop");
    host.talk(&node, "till");
    host.sh("dpkg -i {till 1.1}").succeeds();
    host.runs(&node, "till", "1.1");
    host.lost_nothing(&node, "till", "1.0 1.1");
}

#[test]
fn on_debian_12() {
    a_node_boots_and_upgrades("bookworm");
}

#[test]
fn on_debian_13() {
    a_node_boots_and_upgrades("trixie");
}

#[test]
fn it_upgrades_itself() {
    let row = given("{till 1.0}");
    let before = row.eval("erlrc_engine:vsn()");
    let run = row.when(&format!("dpkg -i {}", package::next_erlrc()));
    run.succeeds()
        .says("erlrc-upgrade: Upgrading 'erlrc': (shop@host) upgraded\n");
    assert_eq!(
        row.eval("[V || {erlrc, _, V} <- application:which_applications()]"),
        "[\"0.1.99\"]"
    );
    assert_eq!(row.eval("erlrc_engine:vsn()"), before);
    row.when("dpkg -i {till 1.1}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", "1.0 1.1");
    row.when(&format!("dpkg -i {}", package::erlrc()))
        .succeeds();
    row.when("dpkg -i {till 1.0}").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
}

#[test]
fn a_new_binary_serves_an_old_node() {
    let row = given("{till 1.0}");
    row.when(&format!("ERLRC_SKIP=1 dpkg -i {}", package::next_erlrc()))
        .succeeds();
    row.when("dpkg -i {till 1.1}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", "1.0 1.1");
}

#[test]
fn it_can_be_removed_under_a_node() {
    let row = given("{till 1.0}");
    row.when("dpkg -P erlrc").succeeds();
    row.when("dpkg -i {till 1.1}")
        .succeeds()
        .does_not_say("erlrc");
    row.host.has("till", "ii 1.1-1");
}

#[test]
fn it_finds_its_nodes_again() {
    let row = given("{till 1.0}");
    row.when("dpkg -r erlrc")
        .succeeds()
        .says("shop@host keeps erlrc ")
        .does_not_say("undef")
        .does_not_say("not unloaded");
    row.when(&format!("dpkg -i {}", package::erlrc()))
        .succeeds();
    row.when("erlrc status").succeeds().says("shop@host: up");
    row.when("dpkg -i {till 1.1}")
        .succeeds()
        .says("erlrc-upgrade: Upgrading 'till': (shop@host) upgraded\n");
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", "1.0 1.1");
}

#[test]
fn what_emulators_are_made_of_is_replaced_under_a_node() {
    let row = given("{till 1.0}");
    row.when("erlrc status")
        .succeeds()
        .does_not_say("restart needed");
    // As a new erlang-base does it.
    row.when("dpkg -i {desk 1.0 owns=/usr/lib/erlang/bin/other}")
        .succeeds()
        .says("Processing triggers for erlrc");
    row.when("erlrc status")
        .says("restart needed")
        .says("erlang-base was replaced at ");
    row.lost_nothing("till", "1.0");
    let mut row = row;
    row.eval("init:stop()");
    row.node.ends();
    row.node = row.host.start("shop");
    row.when("erlrc status")
        .succeeds()
        .does_not_say("restart needed");
}

/// An erlrc from before `maint`: everything else it knows.
const BEFORE_MAINT: &str = r#"#!/bin/sh
if [ "$1" = maint ]; then
    echo "error: unrecognized subcommand 'maint'" >&2
    exit 2
fi
exec /usr/bin/erlrc.distrib "$@"
"#;

#[test]
fn new_scripts_survive_an_old_binary() {
    let row = given("{till 1.0}");
    row.when("dpkg-divert --quiet --rename --add /usr/bin/erlrc")
        .succeeds();
    row.when(&format!(
        "cat >/usr/bin/erlrc <<'END'\n{BEFORE_MAINT}END\nchmod 755 /usr/bin/erlrc"
    ))
    .succeeds();
    row.when("dpkg -i {till 1.1} {desk 1.0}")
        .succeeds()
        .says("erlrc: this erlrc does not serve the package, its nodes are left alone\n");
    row.then("till", "ii 1.1-1", "1.0");
    row.then("desk", "ii 1.0-1", "none");
    row.when("dpkg -r erlang-desk").succeeds();
    row.when("rm /usr/bin/erlrc && dpkg-divert --quiet --rename --remove /usr/bin/erlrc")
        .succeeds();
    // Nobody has kept the old version: whether its states fit the new one cannot be found out, so a person decides.
    row.when("erlrc doctor --yes").fails().says(
        "shop@host runs till 1.0, 1.1 is installed\n  not mended: the node must be restarted",
    );
    row.when("erlrc upgrade --force till 1.0 1.1").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", "1.0 1.1");
}

#[test]
fn a_binary_that_cannot_be_run_is_none() {
    let row = given("{till 1.0}");
    row.when("dpkg-divert --quiet --rename --add /usr/bin/erlrc && echo '#!/none' >/usr/bin/erlrc && chmod 755 /usr/bin/erlrc")
        .succeeds();
    row.when("dpkg -i {till 1.1} && dpkg -P erlang-till")
        .succeeds();
    row.host.has("till", "");
}
