//! `erlrc apply`: a change of packages as one step under a node that runs, with one way back.

use crate::host::Host;
use crate::row::{Row, given};
use crate::service::booted;

/// Cannot be hot: its appup asks for another emulator.
const COLD: &str = "{till 1.1 appup=restart_new_emulator}";

/// A node that runs bank and till, whose package files are at hand for the way back.
fn running() -> Row {
    let row = given("{bank 1.0} {till 1.0}");
    row.host
        .cache("/srv/packages/erlrc_*.deb {bank 1.0} {till 1.0}");
    row
}

fn log(row: &Row) -> String {
    row.when("cat /var/log/dpkg.log; ls -d /var/lib/erlrc/snapshots/before* /var/lib/erlrc/runs/*.json 2>/dev/null")
        .out
        .clone()
}

/// Waits until the list of runs says it.
fn until(host: &Host, words: &str) {
    host.sh(&format!(
        "until erlrc runs | grep -q '{words}'; do sleep 0.1; done"
    ))
    .succeeds();
}

#[test]
fn packages_are_changed_as_one_step_and_taken_back() {
    let row = running();
    row.observe();
    let before = log(&row);
    row.when("erlrc apply -n {bank 1.1} {till 1.1}")
        .succeeds()
        .says("it would be hot, nothing was changed\n")
        .does_not_say("Unpacking");
    assert_eq!(log(&row), before);
    row.when("erlrc apply {bank 1.1} {till 1.1}")
        .succeeds()
        .says("erlang-bank  upgraded  1.0-1   1.1-1\n")
        .says(": applied, 2 packages changed\n  to take it back: erlrc revert 20");
    row.then("bank", "ii 1.1-1", "1.1");
    row.then("till", "ii 1.1-1", "1.1");
    row.when("erlrc history --json | grep -c '\"run\":\"20[0-9]*T[0-9]*Z\"'")
        .succeeds();
    row.when("erlrc apply {bank 1.1}")
        .succeeds()
        .says("all is so already, nothing to do\n");
    row.when("erlrc revert")
        .succeeds()
        .says(": was taken back\n");
    row.then("bank", "ii 1.0-1", "1.0");
    row.then("till", "ii 1.0-1", "1.0");
    row.nobody_saw_a_mixture();
    row.when("erlrc runs")
        .succeeds()
        .says("was taken back")
        .says("found nothing to do");
    row.when("erlrc revert")
        .fails()
        .says("no run of erlrc apply stands");
    row.lost_nothing("bank", "1.0 1.1 1.0");
    row.lost_nothing("till", "1.0 1.1 1.0");
    row.when("erlrc doctor").succeeds().says("all well: ");
}

#[test]
fn what_would_not_be_hot_does_not_begin() {
    let row = running();
    let before = log(&row);
    for line in [
        format!("erlrc apply -n {{bank 1.1}} {COLD}"),
        format!("erlrc apply {{bank 1.1}} {COLD}"),
    ] {
        let run = row.when(&line);
        run.ends_with(5);
        run.says("erlrc-preflight: shop@host: till 1.0 -> 1.1: ")
            .says("refused, nothing was changed: the plan says that it would not be hot\n")
            .does_not_say("Unpacking");
    }
    row.when("erlrc apply erlang-nope")
        .fails()
        .says("Unable to locate package erlang-nope");
    row.when("erlrc apply -- --reinstall").ends_with(2);
    row.when("rm /var/lib/erlrc/runs/*.json").succeeds();
    assert_eq!(log(&row), before);
    row.lost_nothing("bank", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn what_fails_in_the_midst_goes_back_as_a_whole() {
    let row = running();
    let run = row.when("erlrc apply {bank 1.1} {till 1.1 break=preinst:upgrade}");
    run.ends_with(1);
    run.says(" goes back: apt-get fails: ")
        .says(": failed, the packages are as before: ");
    row.then("bank", "ii 1.0-1", "1.0");
    row.then("till", "ii 1.0-1", "1.0");
    // All went well for apt, and not for the node: it went on with the old version.
    let run = row.when(&format!("erlrc apply --force --wait 1 {{bank 1.1}} {COLD}"));
    run.ends_with(1);
    run.says(" goes back: not well afterwards: ")
        .says(": failed, the packages are as before: ");
    row.then("bank", "ii 1.0-1", "1.0");
    row.then("till", "ii 1.0-1", "1.0");
    row.when("dpkg --audit").succeeds().does_not_say("erl");
    row.when("erlrc runs").says("failed, and went back");
    row.lost_nothing("till", "1.0");
}

#[test]
fn nobody_confirms_and_it_goes_back() {
    let row = running();
    row.when("erlrc apply --confirm-within 3600 {bank 1.1}")
        .succeeds()
        .says(": applied, 1 package changed; goes back at 20")
        .says("  to keep it: erlrc confirm\n  to take it back at once: erlrc revert\n");
    row.when("erlrc apply {till 1.1}")
        .fails()
        .says("erlrc: nothing was changed: run 20")
        .says(" waits to be confirmed\n  hint: erlrc confirm keeps what it did, erlrc revert 20");
    row.when("erlrc doctor")
        .says("run 20")
        .says(" waits to be confirmed until 20")
        .says("erlrc confirm keeps it, erlrc revert 20");
    row.when("erlrc confirm --for 7200")
        .succeeds()
        .says("goes back at 20");
    row.when("erlrc confirm")
        .succeeds()
        .says(": was confirmed\n");
    row.when("erlrc confirm --for 1")
        .fails()
        .says("was confirmed");
    row.host.cache("{bank 1.1}");
    row.when("erlrc apply --confirm-within 2 {till 1.1}")
        .succeeds();
    until(&row.host, "was not confirmed in time, and went back");
    row.when("erlrc confirm")
        .fails()
        .says("no provisional upgrade waits");
    row.then("bank", "ii 1.1-1", "1.1");
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("bank", "1.0 1.1");
    row.lost_nothing("till", "1.0 1.1 1.0");
    row.when("erlrc apply {till 1.1} && dpkg -i {till 1.2}")
        .succeeds();
    row.when("erlrc revert")
        .fails()
        .says("nothing was changed: erlang-till is 1.2-1 now, and run 20")
        .says(" left it 1.1-1\n  hint: erlrc snapshot diff before-20");
}

#[test]
fn a_run_whose_command_is_killed_goes_back() {
    let row = running();
    let apply = "erlrc apply --confirm-within 600 {bank 1.1} {till 1.1 code_change=blocks}";
    row.when(&format!(
        "{apply} >/tmp/said 2>&1 & until test -e /tmp/blocked; do sleep 0.1; done; kill -9 $!; erlrc runs"
    ))
    .succeeds()
    .says("ended in the midst");
    row.when("erlrc revert")
        .fails()
        .says("another erlrc apply, confirm or revert works on this host");
    row.when("erlrc doctor")
        .fails()
        .says("run 20")
        .says(" ended in the midst");
    row.when("touch /tmp/go").succeeds();
    until(&row.host, "failed, and went back");
    row.then("bank", "ii 1.0-1", "1.0");
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0 1.1 1.0");
}

#[test]
fn the_way_back_survives_a_start_of_the_machine() {
    let host = booted();
    host.cache("/srv/packages/erlrc_*.deb {till 1.0}");
    host.sh("systemctl is-enabled erlrc-runs.service")
        .succeeds();
    host.sh("systemctl start erlrc@shop").succeeds();
    // A unit takes its processes with it when it ends: not the one that takes the run back.
    host.sh("systemd-run --collect --unit=operator erlrc apply --confirm-within 10 {till 1.1} && while systemctl is-active --quiet operator; do sleep 0.1; done")
        .succeeds();
    host.sh("systemctl is-active 'erlrc-run-*.service' && systemctl stop 'erlrc-run-*.service' && erlrc runs")
        .succeeds()
        .says("waits to be confirmed until ");
    host.sh("systemctl start erlrc-runs.service").succeeds();
    until(&host, "was not confirmed in time, and went back");
    host.has("till", "ii 1.0-1");
    host.sh("erlrc eval shop 'application:which_applications()'")
        .says("\"1.0\"}");
    host.sh("erlrc apply --confirm-within 1 {till 1.1} && while erlrc runs | grep -q 'waits to be'; do sleep 0.1; done")
        .succeeds();
    host.has("till", "ii 1.0-1");
}
