//! dpkg and all that it runs, or the node, is killed in the middle. `block=SCRIPT:ARGUMENT` stops that script after erlrc's
//! part.

use crate::row::{Row, given};

/// Kills dpkg and its children as soon as they have come to where they block.
fn kill_at_the_block(row: &Row, line: &str) {
    let wait = "until test -e /tmp/blocked; do kill -0 $pid || exit 1; sleep 0.02; done";
    row.when(&format!(
        "setsid {line} & pid=$!; {wait}; kill -KILL -$pid; wait; touch /tmp/go"
    ))
    .succeeds();
}

/// An upgrade from `{till 1.0 OLD}` to `{till 1.1 NEW}` that is killed, and what `erlrc doctor` leaves.
fn killed_upgrade(old: &str, new: &str) -> Row {
    let row = given(&format!("{{till 1.0 {old}}}"));
    kill_at_the_block(&row, &format!("dpkg -i {{till 1.1 {new}}}"));
    row.when("erlrc doctor");
    row
}

#[track_caller]
fn goes_forward(row: &Row, versions: &str) {
    row.when("dpkg -i {till 1.1}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", versions);
}

#[track_caller]
fn goes_back(row: &Row, versions: &str) {
    row.when("dpkg -i {till 1.0}").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", versions);
    row.when("erlrc doctor");
    row.when("test -e /usr/lib/erlang/lib/till-1.1/ebin/till.app")
        .fails();
}

#[test]
fn in_old_prerm() {
    goes_forward(&killed_upgrade("block=prerm:upgrade", "rev=1"), "1.0 1.1");
    goes_back(&killed_upgrade("block=prerm:upgrade", "rev=1"), "1.0");
}

#[test]
fn in_new_preinst() {
    goes_forward(
        &killed_upgrade("rev=1", "block=preinst:upgrade"),
        "1.0-1 1.1",
    );
    goes_back(
        &killed_upgrade("rev=1", "block=preinst:upgrade"),
        "1.0-1 1.0",
    );
}

#[test]
fn in_old_postrm() {
    goes_forward(
        &killed_upgrade("block=postrm:upgrade", "rev=1"),
        "1.0 1.1-1 1.1",
    );
    goes_back(
        &killed_upgrade("block=postrm:upgrade", "rev=1"),
        "1.0 1.1-1 1.0",
    );
}

#[test]
fn in_new_postinst() {
    let row = killed_upgrade("rev=1", "block=postinst:configure");
    row.then("till", "iF 1.1-1", "1.1");
    row.when("dpkg -i {till 1.1}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
}

#[test]
fn in_prerm_of_a_removal() {
    let row = given("{till 1.0 block=prerm:remove}");
    kill_at_the_block(&row, "dpkg -r erlang-till");
    row.when("erlrc doctor");
    row.when("dpkg -i {till 1.0}").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
}

#[test]
fn in_postrm_of_a_removal() {
    let row = given("{till 1.0 block=postrm:remove}");
    kill_at_the_block(&row, "dpkg -r erlang-till");
    row.when("erlrc doctor");
    row.then("till", "rH 1.0-1", "none");
    row.when("dpkg -i {till 1.0}").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
}

#[test]
fn in_postinst_of_an_install() {
    let row = given("");
    kill_at_the_block(&row, "dpkg -i {till 1.0 block=postinst:configure}");
    row.when("erlrc doctor");
    row.when("dpkg -i {till 1.0}").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
}

#[test]
fn the_hook_in_the_middle_of_a_code_change() {
    let row = given("{till 1.0}");
    kill_at_the_block(&row, "dpkg -i {till 1.1 code_change=blocks}");
    row.when("erlrc doctor");
    row.when("dpkg -i {till 1.1}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
}

#[test]
fn the_node_in_the_middle_of_a_code_change() {
    let mut row = given("{till 1.0}");
    let kill = "until test -e /tmp/blocked; do sleep 0.02; done; kill -9 $(pidof beam.smp)";
    row.when(&format!(
        "({kill}) & dpkg -i {{till 1.1 code_change=blocks}}"
    ));
    row.node.ends();
    row.node = row.host.start("shop");
    row.when("dpkg -i {till 1.1}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
}
