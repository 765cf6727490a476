//! The template unit of erlrc's own package, under a systemd that really runs.

use crate::host::Host;
use crate::package;

/// A host whose systemd is up, with erlrc and till 1.0.
pub fn booted() -> Host {
    let host = Host::with_systemd();
    host.sh("until systemctl is-system-running --wait >/dev/null; do systemctl is-system-running | grep -q degraded && break; sleep 0.05; done")
        .succeeds();
    host.sh(&format!("dpkg -i {} {{till 1.0}}", package::erlrc()))
        .succeeds();
    host
}

#[test]
fn a_node_is_started_and_no_upgrade_restarts_it() {
    let host = booted();
    // Type=notify: it returns when the node has said READY=1, which it does when all is booted.
    host.sh("systemctl start erlrc@shop").succeeds();
    host.sh("erlrc eval shop 'application:which_applications()'")
        .succeeds()
        .says("{till,");
    let process = || {
        host.sh("systemctl show --property=MainPID,NRestarts,ActiveState erlrc@shop")
            .out
    };
    let before = process();
    assert!(
        before.contains("NRestarts=0\nActiveState=active"),
        "{before}"
    );
    host.sh("dpkg -i {till 1.1}")
        .succeeds()
        .says("Upgrading 'till': (shop@host) upgraded\n");
    host.sh(&format!("dpkg -i {}", package::next_erlrc()))
        .succeeds()
        .says("Upgrading 'erlrc': (shop@host) upgraded\n");
    assert_eq!(process(), before);
    host.sh("systemctl stop erlrc@shop").succeeds();
    host.sh("erlrc status").does_not_say("till");
}

#[test]
fn a_node_that_cannot_boot_has_failed() {
    let host = booted();
    host.sh("rm /usr/lib/erlang/lib/till-1.0/ebin/till.app")
        .succeeds();
    host.sh("systemctl start erlrc@shop").fails();
    host.sh("journalctl --unit erlrc@shop --no-pager")
        .says("till.app");
}

/// What a command says to which the disk does not confirm that it has taken anything.
fn on_a_disk_that_fails(host: &Host, command: &str) -> String {
    let unit = "systemd-run --collect --unit=disk -p 'SystemCallFilter=~fdatasync' -p SystemCallErrorNumber=EIO \
                -p StandardOutput=file:/tmp/said -p StandardError=file:/tmp/said";
    let ended =
        "while systemctl is-active --quiet disk; do sleep 0.05; done; cat /tmp/said; rm /tmp/said";
    host.sh(&format!("{unit} {command} && {ended}"))
        .succeeds()
        .out
        .clone()
}

#[test]
fn hooks_wait_for_the_disk_where_something_was_done_and_only_there() {
    let host = booted();
    host.sh("systemctl start erlrc@shop").succeeds();
    let records = || host.sh("erlrc history | wc -l").out.trim().to_owned();
    let start = "erlrc start till 1.0 /usr/lib/erlang/lib/till-1.0";
    let before = records();
    let idle = on_a_disk_that_fails(&host, start);
    assert!(!idle.contains("written down"), "{idle}");
    assert_ne!(records(), before);
    let stopped = on_a_disk_that_fails(&host, "erlrc stop till 1.0");
    assert!(
        stopped.contains("not written down") && stopped.contains("Input/output error"),
        "{stopped}"
    );
}
