//! apt asks before it changes anything: `/etc/apt/apt.conf.d/80erlrc` of erlrc's own package.

use crate::row::{Row, given};

/// Cannot be hot: its appup asks for another emulator.
const COLD: &str = "{till 1.1 appup=restart_new_emulator}";

/// A node that runs bank and till, and what apt is to do with a pre-flight that finds something.
fn preflight(mode: &str) -> Row {
    let row = given("{bank 1.0} {till 1.0}");
    row.when(&format!(
        "echo '{{apt_preflight, {mode}}}.' >/etc/erlrc.d/erlrc.conf"
    ))
    .succeeds();
    row.when("dpkg-query -S /etc/apt/apt.conf.d/80erlrc")
        .succeeds()
        .says("erlrc: ");
    row
}

/// What dpkg has written down so far.
fn log(row: &Row) -> String {
    row.when("cat /var/log/dpkg.log").succeeds().out.clone()
}

#[test]
fn a_veto_comes_before_anything_changes() {
    let row = preflight("strict");
    let before = log(&row);
    row.when(&format!("apt-get install -y {{bank 1.1}} {COLD}"))
        .fails()
        .says("erlrc-preflight: shop@host: till 1.0 -> 1.1: ")
        .does_not_say("Unpacking");
    assert_eq!(log(&row), before);
    row.then("bank", "ii 1.0-1", "1.0");
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("bank", "1.0");
    row.lost_nothing("till", "1.0");
    row.when("ls -A /usr/lib/erlrc/stash").does_not_say("1.0");
}

#[test]
fn what_is_hot_passes() {
    let row = preflight("strict");
    row.when("apt-get install -y {bank 1.1} {till 1.1}")
        .succeeds()
        .does_not_say("erlrc-preflight");
    row.when("apt-get install -y --allow-downgrades {bank 1.0} {till 1.0}")
        .succeeds();
    row.lost_nothing("bank", "1.0 1.1 1.0");
    row.lost_nothing("till", "1.0 1.1 1.0");
    row.when("apt-get purge -y erlang-bank erlang-till")
        .succeeds();
    row.then("till", "", "none");
}

#[test]
fn a_warning_does_not_hold_apt_up() {
    let row = preflight("warn");
    row.when(&format!("apt-get install -y {COLD}"))
        .succeeds()
        .says("erlrc-preflight: shop@host: till 1.0 -> 1.1: ");
    row.then("till", "ii 1.1-1", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn apt_works_when_the_command_is_gone() {
    let row = preflight("strict");
    row.when("apt-get remove -y erlrc").succeeds();
    row.when("test -e /etc/apt/apt.conf.d/80erlrc").succeeds();
    row.when(&format!("apt-get install -y {COLD}")).succeeds();
    row.host.has("till", "ii 1.1-1");
}
