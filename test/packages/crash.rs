//! dpkg and all that it runs, or the node, is killed in the middle. `block=SCRIPT:ARGUMENT` stops that script after erlrc's
//! part.

use crate::row::{Row, given};

/// Kills dpkg and its children as soon as they have come to where they block.
pub fn kill_at_the_block(row: &Row, line: &str) {
    let wait = "until test -e /tmp/blocked; do kill -0 $pid || exit 1; sleep 0.02; done";
    row.when(&format!(
        "setsid {line} & pid=$!; {wait}; kill -KILL -$pid; wait; touch /tmp/go"
    ))
    .succeeds();
}

const LEFT_OPEN: &str =
    "info: 'deb preinst upgrade 1.0-1 1.1-1' left the journal of till open\n  mended\n";
const KEPT: &str =
    "info: till 1.0 is kept in /usr/lib/erlrc/stash/till-1.0, and no node runs it\n  mended\n";
const INTERRUPTED: &str = "warning: 'deb postrm upgrade 1.1-1' was interrupted when it took shop@host to till 1.1\n  mended\n";
/// dpkg has both versions on disk, and names the later one.
const OLD_IS_LEFT: &str = "info: /usr/lib/erlang/lib/till-1.0 holds another version of till than the metadata names\n  \
    nothing needs to be done; to run it: erlrc downgrade till=1.0\n";
/// This one an upgrade of ours has left.
const NEW_IS_LEFT: &str = "error: /usr/lib/erlang/lib/till-1.1 holds till, and no package says so; \
    a node that boots without erlrc may take it for what is installed\n  mended\n";

/// Asserts what `erlrc doctor` says, from the first word to the last.
#[track_caller]
fn doctor_says(row: &Row, findings: &[&str]) {
    let said = row.when("erlrc doctor --yes").text;
    match findings {
        [] => assert!(said.starts_with("all well: "), "{said}"),
        findings => assert_eq!(said, findings.concat()),
    }
}

/// An upgrade from `{till 1.0 OLD}` to `{till 1.1 NEW}` that is killed, and what `erlrc doctor` says of it.
#[track_caller]
fn killed_upgrade(old: &str, new: &str, findings: &[&str]) -> Row {
    let row = given(&format!("{{till 1.0 {old}}}"));
    kill_at_the_block(&row, &format!("dpkg -i {{till 1.1 {new}}}"));
    doctor_says(&row, findings);
    row
}

#[track_caller]
fn goes_forward(row: &Row, versions: &str) {
    row.when("dpkg -i {till 1.1}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", versions);
}

#[track_caller]
fn goes_back(row: &Row, versions: &str, findings: &[&str]) {
    row.when("dpkg -i {till 1.0}").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", versions);
    doctor_says(row, findings);
    row.when("test -e /usr/lib/erlang/lib/till-1.1/ebin/till.app")
        .fails();
}

#[test]
fn in_old_prerm() {
    let killed = || killed_upgrade("block=prerm:upgrade", "rev=1", &[]);
    goes_forward(&killed(), "1.0 1.1");
    goes_back(&killed(), "1.0", &[]);
}

#[test]
fn in_new_preinst() {
    let findings = [LEFT_OPEN, KEPT];
    let killed = || killed_upgrade("rev=1", "block=preinst:upgrade", &findings);
    goes_forward(&killed(), "1.0-1 1.1");
    goes_back(&killed(), "1.0-1 1.0", &[]);
}

#[test]
fn in_old_postrm() {
    let findings = [OLD_IS_LEFT, LEFT_OPEN, KEPT];
    let killed = || killed_upgrade("block=postrm:upgrade", "rev=1", &findings);
    goes_forward(&killed(), "1.0 1.1-1 1.1");
    goes_back(&killed(), "1.0 1.1-1 1.0", &[NEW_IS_LEFT]);
}

#[test]
fn in_new_postinst() {
    let row = killed_upgrade("rev=1", "block=postinst:configure", &[]);
    row.then("till", "iF 1.1-1", "1.1");
    row.when("dpkg -i {till 1.1}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
}

#[test]
fn in_prerm_of_a_removal() {
    let row = given("{till 1.0 block=prerm:remove}");
    kill_at_the_block(&row, "dpkg -r erlang-till");
    doctor_says(&row, &[]);
    row.when("dpkg -i {till 1.0}").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
}

#[test]
fn in_postrm_of_a_removal() {
    let row = given("{till 1.0 block=postrm:remove}");
    kill_at_the_block(&row, "dpkg -r erlang-till");
    doctor_says(
        &row,
        &[
            "info: till is registered, and neither a package nor a node has it: it is skipped at boot\n  install it, or remove the registration: rm /etc/erlrc.d/applications/till\n",
        ],
    );
    row.then("till", "rH 1.0-1", "none");
    row.when("dpkg -i {till 1.0}").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
}

#[test]
fn in_postinst_of_an_install() {
    let row = given("");
    kill_at_the_block(&row, "dpkg -i {till 1.0 block=postinst:configure}");
    doctor_says(&row, &[]);
    row.when("dpkg -i {till 1.0}").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
}

#[test]
fn the_hook_in_the_middle_of_a_code_change() {
    let row = given("{till 1.0}");
    kill_at_the_block(&row, "dpkg -i {till 1.1 code_change=blocks}");
    doctor_says(&row, &[INTERRUPTED, OLD_IS_LEFT, LEFT_OPEN, KEPT]);
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
