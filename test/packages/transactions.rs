//! What dpkg does in one run that succeeds.

use crate::host::Host;
use crate::row::given;

#[test]
fn install_starts() {
    let row = given("");
    row.when("dpkg -i {till 1.0}")
        .succeeds()
        .says("erlrc-start: Starting 'till': (shop@host) started\n");
    row.then("till", "ii 1.0-1", "1.0");
    row.talk("till");
    row.lost_nothing("till", "1.0");
}

#[test]
fn upgrade_is_hot() {
    let row = given("{till 1.0}");
    row.when("dpkg -i {till 1.1}")
        .succeeds()
        .says("erlrc-upgrade: Upgrading 'till': (shop@host) upgraded\n");
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", "1.0 1.1");
}

#[test]
fn downgrade_is_hot() {
    let row = given("{till 1.1}");
    let run = row.when("dpkg -i {till 1.0}");
    run.succeeds()
        .says("erlrc-downgrade: Downgrading 'till': (shop@host) downgraded\n");
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.1 1.0");
}

#[test]
fn remove_stops_and_keeps_the_registration() {
    let row = given("{till 1.0}");
    row.when("dpkg -r erlang-till")
        .succeeds()
        .says("erlrc-stop: Stopping 'till': (shop@host) stopped\n");
    row.then("till", "rc 1.0-1", "none");
    assert_eq!(row.eval("code:is_loaded(till_server)"), "false");
    row.when("test -e /etc/erlrc.d/applications/till")
        .succeeds();
    row.when("test -e /usr/lib/erlrc/apps/till").fails();
}

#[test]
fn purge_takes_the_registration_too() {
    let row = given("{till 1.0}");
    row.when("dpkg -P erlang-till").succeeds();
    row.then("till", "", "none");
    row.when("ls -A /etc/erlrc.d/applications /usr/lib/erlrc/apps /usr/lib/erlrc/stash")
        .does_not_say("till");
}

#[test]
fn reinstall_of_the_same_version_changes_nothing() {
    let row = given("{till 1.0}");
    row.when("dpkg -i {till 1.0}").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn a_revision_reloads_what_differs() {
    let row = given("{till 1.0}");
    row.when("dpkg -i {till 1.0 rev=2}").succeeds();
    row.then("till", "ii 1.0-2", "1.0");
    row.lost_nothing("till", "1.0 1.0-2");
}

#[test]
fn a_revision_reloads_native_code() {
    let row = given("{till 1.0 nif=1}");
    assert_eq!(row.eval("till_nif:answer()"), "1");
    row.when("dpkg -i {till 1.0 rev=2 nif=2}").succeeds();
    assert_eq!(row.eval("till_nif:answer()"), "2");
    row.lost_nothing("till", "1.0 1.0-2");
}

#[test]
fn install_after_remove_starts() {
    let row = given("{till 1.0}");
    row.when("dpkg -r erlang-till").succeeds();
    row.when("dpkg -i {till 1.1}")
        .succeeds()
        .says("erlrc-start: Starting 'till': (shop@host) started\n");
    row.then("till", "ii 1.1-1", "1.1");
}

#[test]
fn a_package_that_disappears_leaves_its_application_to_the_other() {
    let row = given("{till 1.0}");
    let documents = "owns=/usr/share/doc/erlang-till/changelog.Debian.gz owns=/usr/share/doc/erlang-till/copyright";
    row.when(&format!(
        "dpkg -i {{till 1.0 name=erlang-register replaces=erlang-till {documents}}}"
    ))
    .succeeds();
    row.then("till", "", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn a_conflicting_package_takes_the_place() {
    let row = given("{till 1.0}");
    let conflicts = "conflicts=erlang-till replaces=erlang-till";
    row.when(&format!("dpkg -i {{desk 1.0 {conflicts}}}"))
        .succeeds();
    row.then("till", "ic 1.0-1", "none");
    row.then("desk", "ii 1.0-1", "1.0");
}

#[test]
fn a_deleted_registration_stays_deleted() {
    let row = given("{till 1.0}");
    row.when("rm /etc/erlrc.d/applications/till && dpkg -i {till 1.1}")
        .succeeds();
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", "1.0 1.1");
    row.when("test -e /etc/erlrc.d/applications/till").fails();
}

#[test]
fn what_is_not_registered_is_not_started() {
    let row = given("{till 1.0}");
    row.when("rm /etc/erlrc.d/applications/till && erlrc stop till 1.0")
        .succeeds();
    row.when("dpkg -i {till 1.1}")
        .succeeds()
        .does_not_say("started");
    row.then("till", "ii 1.1-1", "none");
}

#[test]
fn a_node_that_is_down_is_no_error() {
    let mut row = given("{till 1.0}");
    row.eval("init:stop()");
    row.node.ends();
    let run = row.when("dpkg -i {till 1.1}");
    run.succeeds().does_not_say("erlrc");
    row.node = row.host.start("shop");
    row.then("till", "ii 1.1-1", "1.1");
}

#[test]
fn a_host_without_erlrc_has_packages_like_any_other() {
    let host = Host::bare();
    for line in [
        "dpkg -i {till 1.0}",
        "dpkg -i {till 1.1}",
        "dpkg -i {till 1.0}",
        "dpkg -P erlang-till",
    ] {
        host.sh(line)
            .succeeds()
            .does_not_say("erlrc:")
            .does_not_say("erlrc-");
    }
    host.has("till", "");
}

#[test]
fn a_host_with_erlrc_alone_is_silent() {
    let host = Host::with_erlrc();
    for line in [
        "dpkg -i {till 1.0}",
        "dpkg -i {till 1.1}",
        "dpkg -i {till 1.0}",
        "dpkg -P erlang-till",
    ] {
        host.sh(line)
            .succeeds()
            .does_not_say("erlrc:")
            .does_not_say("erlrc-");
    }
}

#[test]
fn erlrc_skip_leaves_the_node_alone() {
    let row = given("{till 1.0}");
    row.when("ERLRC_SKIP=1 dpkg -i {till 1.1}")
        .succeeds()
        .does_not_say("Upgrading");
    row.then("till", "ii 1.1-1", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn another_root_is_left_alone() {
    let row = given("{till 1.0}");
    row.when("mkdir /image && cp -a /bin /sbin /lib /lib64 /usr /var /etc /dev /run /srv /image && mkdir /image/proc /image/tmp")
        .succeeds();
    row.when("chroot /image dpkg -i {till 1.1}")
        .succeeds()
        .does_not_say("upgraded");
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn an_image_is_installed_in_silence() {
    let row = given("{till 1.0}");
    row.when("DPKG_ROOT=/image sh -c 'for script in /var/lib/dpkg/info/erlang-till.*rm; do sh $script upgrade 1.1-1; done'")
        .succeeds()
        .does_not_say("till");
    row.then("till", "ii 1.0-1", "1.0");
}

#[test]
fn policy_rc_d_stops_starts_alone() {
    let row = given("{till 1.0}");
    row.when(
        "printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d",
    )
    .succeeds();
    row.when("dpkg -i {till 1.1} {desk 1.0}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
    row.then("desk", "ii 1.0-1", "none");
    row.lost_nothing("till", "1.0 1.1");
}
