//! What dpkg does when nothing fails.

use crate::package::{Packages, downgrading, starting, stopping, upgrading};
use std::os::unix::fs::PermissionsExt;

#[test]
fn an_installation_starts_what_is_registered() {
    let packages = Packages::new();
    let _node = packages.host.node("n1");
    packages.deb("1.0", "preinst install").is("", 0);
    packages.unpack("1.0");
    packages.deb("1.0", "postinst configure").is("", 0);
    assert_eq!(packages.runs("n1"), "none");
    packages.host.file("applications/foo", "", 0o644);
    packages
        .deb("1.0", "postinst configure")
        .is(&starting("(n1) started"), 0);
    assert_eq!(packages.runs("n1"), "1.0");
    assert_eq!(packages.journal(), [""; 0]);
}

#[test]
fn an_upgrade_and_the_older_version_again() {
    let (packages, _node) = Packages::running();
    packages.swap();
    packages.take_away("1.0");
    packages
        .deb("2.0", "postinst configure 1.0-1")
        .is(&starting("(n1) already_running"), 0);
    assert_eq!(packages.history("n1"), "[up,\"1.0\"]\n");
    assert!(!packages.stash("1.0").exists());
    packages.begin_upgrade("2.0", "1.0");
    packages
        .deb("2.0", "postrm upgrade 1.0-1")
        .is(&downgrading("(n1) downgraded"), 0);
    packages.take_away("2.0");
    packages
        .deb("1.0", "postinst configure 2.0-1")
        .is(&starting("(n1) already_running"), 0);
    assert_eq!(packages.history("n1"), "[down,up,\"1.0\"]\n");
    let once = ["prepared", "swapping", "swapped", "done"];
    assert_eq!(packages.journal(), [once, once].concat());
}

#[test]
fn what_does_not_run_is_upgraded_when_it_starts() {
    let (packages, _node) = Packages::running();
    packages
        .host
        .erlrc(&["eval", "n1", "application:stop(foo)"])
        .is("ok\n", 0);
    packages.begin_upgrade("1.0", "2.0");
    packages.deb("1.0", "postrm upgrade 2.0-1").is("", 0);
    packages.take_away("1.0");
    let lines = [
        starting("(n1) version_load_mismatch"),
        upgrading("(n1) started"),
    ]
    .concat();
    packages
        .deb("2.0", "postinst configure 1.0-1")
        .is(&lines, 0);
    assert_eq!(packages.runs("n1"), "2.0");
}

#[test]
fn a_removal_stops_and_forgets() {
    let (packages, _node) = Packages::running();
    packages
        .deb("1.0", "prerm remove")
        .is(&stopping("(n1) stopped"), 0);
    packages.remove("1.0");
    packages.deb("1.0", "postrm remove").is("", 0);
    packages.deb("1.0", "postrm purge").is("", 0);
    assert_eq!(packages.runs("n1"), "none");
}

#[test]
fn the_same_version_with_other_bytes_is_loaded_again() {
    let (packages, _node) = Packages::running();
    packages.deb("1.0", "preinst upgrade 1.0-1 1.0-2").is("", 0);
    packages.unpack_from(&crate::host::fixtures::rebuilt_foo(), "1.0");
    packages
        .deb("1.0", "postrm upgrade 1.0-2")
        .is(&upgrading("(n1) upgraded"), 0);
    let lines = [upgrading("(n1) already_running")].concat();
    packages
        .deb("1.0", "postinst configure 1.0-1")
        .is(&lines, 0);
    packages
        .host
        .erlrc(&["eval", "n1", "foo_server:rebuilt()"])
        .is("true\n", 0);
    assert!(!packages.stash("1.0").exists());
}

#[test]
fn without_a_node_nothing_is_done_and_nothing_said() {
    let packages = Packages::installed();
    let calls = || {
        packages.begin_upgrade("1.0", "2.0");
        packages
            .deb("1.0", "postrm upgrade 2.0-1")
            .is("", 0)
            .says("");
        packages.deb("2.0", "postinst configure 1.0-1").is("", 0);
        packages.deb("2.0", "prerm remove").is("", 0);
    };
    calls();
    packages.host.listed("down");
    calls();
    std::fs::remove_dir_all(packages.host.path("nodes")).expect("it was there");
    calls();
    assert!(!packages.host.path("stash").exists());
    assert_eq!(packages.journal(), [""; 0]);
}

#[test]
fn in_another_root_nothing_is_done() {
    let (packages, _node) = Packages::running();
    for (name, value) in [("DPKG_ROOT", "/target"), ("ERLRC_SKIP", "1")] {
        let mut call = packages.call("deb", "1.0", "prerm remove", &[]);
        let output = call.env(name, value).output().expect("erlrc runs");
        assert_eq!((output.stdout, output.stderr), (vec![], vec![]));
    }
    assert_eq!(packages.runs("n1"), "1.0");
    let mut call = packages.call("deb", "1.0", "prerm remove", &[]);
    call.env("DPKG_ROOT", "").output().expect("erlrc runs");
    assert_eq!(packages.runs("n1"), "none");
}

#[test]
fn a_policy_forbids_starts_and_no_upgrades() {
    let (packages, _node) = Packages::running();
    let policy = packages
        .host
        .file("policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755);
    assert!(policy.metadata().expect("a file").permissions().mode() & 0o100 != 0);
    let call = |own: &str, call: &str| {
        let mut call = packages.call("deb", own, call, &[]);
        let output = call
            .env("ERLRC_POLICY_RC", &policy)
            .output()
            .expect("erlrc runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    packages.begin_upgrade("1.0", "2.0");
    assert_eq!(
        call("1.0", "postrm upgrade 2.0-1"),
        upgrading("(n1) upgraded")
    );
    packages.take_away("1.0");
    assert_eq!(call("2.0", "postinst configure 1.0-1"), "");
    packages
        .host
        .erlrc(&["eval", "n1", "application:stop(foo)"])
        .is("ok\n", 0);
    assert_eq!(call("2.0", "postinst configure 1.0-1"), "");
    assert_eq!(packages.runs("n1"), "none");
}

#[test]
fn what_it_is_called_with_is_checked() {
    let packages = Packages::installed();
    let app = "foo=1.0=/lib/foo-1.0";
    let maint = |arguments: &[&str]| packages.host.erlrc(&[&["maint"], arguments].concat());
    maint(&["deb", "config", "--app", app])
        .is("", 2)
        .says("config is no script of deb");
    maint(&["apk", "post", "--app", app])
        .is("", 2)
        .says("apk is no package format");
    maint(&[
        "deb",
        "postrm",
        "--app",
        "foo=1.0=lib",
        "--",
        "upgrade",
        "2",
    ])
    .is("", 2);
    // A script that must not fail does not.
    maint(&[
        "deb",
        "preinst",
        "--app",
        "foo=1.0=lib",
        "--",
        "abort-upgrade",
        "2",
    ])
    .is("", 0);
    maint(&["deb", "postinst", "--app", app, "--", "of-a-later-dpkg"]).is("", 0);
}
