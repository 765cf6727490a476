//! Upgrades that cannot be hot, and upgrades that must wait.

use crate::package::{Packages, starting, stopping, upgrading};
use std::fs;

/// A host whose node runs 1.0, at the moment when 2.0 is unpacked beside it, which wants a restart.
fn restart_wanted(packages: &Packages) {
    packages.start("n1", "1.0");
    packages.begin_upgrade("1.0", "2.0");
    let appup = "{\"2.0\", [{\"1.0\", [restart_new_emulator]}], [{\"1.0\", []}]}.\n";
    fs::write(packages.dir("2.0").join("ebin/foo.appup"), appup).expect("an appup");
}

#[test]
fn an_upgrade_that_cannot_be_hot_is_put_off() {
    let packages = Packages::installed();
    let _node = packages.host.node("n1");
    restart_wanted(&packages);
    let lines = [
        upgrading("(n1) restart_new_emulator"),
        upgrading("(n1) restart_needed"),
    ];
    packages
        .deb("1.0", "postrm upgrade 2.0-1")
        .is(&lines.concat(), 0);
    packages.take_away("1.0");
    let reminder = upgrading("(n1) restart_needed");
    packages
        .deb("2.0", "postinst configure 1.0-1")
        .is(&reminder, 0)
        .says("restart the node to get to 2.0");
    assert_eq!(packages.runs("n1"), "1.0");
    assert!(packages.stash("1.0").exists());
    let states = ["prepared", "swapping", "pending", "done"];
    assert_eq!(packages.journal()[..3], states[..3]);
    // A version that can be reached from what runs settles it.
    packages.begin_upgrade("2.0", "1.0");
    packages
        .deb("2.0", "postrm upgrade 1.0-1")
        .is(&upgrading("(n1) already_running"), 0);
    packages.take_away("2.0");
    packages
        .deb("1.0", "postinst configure 2.0-1")
        .is(&upgrading("(n1) already_running"), 0);
    assert!(!packages.stash("1.0").exists());
}

#[test]
fn the_registration_says_how_strict_it_is() {
    let packages = Packages::installed();
    let _node = packages.host.node("n1");
    packages
        .host
        .file("applications/foo", "{upgrade_policy, [hot]}.\n", 0o644);
    restart_wanted(&packages);
    packages
        .deb("1.0", "postrm upgrade 2.0-1")
        .is(&upgrading("(n1) restart_new_emulator"), 5);
    assert_eq!(packages.runs("n1"), "1.0");
}

#[test]
fn the_application_may_be_restarted_alone() {
    let packages = Packages::installed();
    let _node = packages.host.node("n1");
    let set = "application:load(erlrc), application:set_env(erlrc, upgrade_policy, [hot, restart_application])";
    packages.host.erlrc(&["eval", "n1", set]).is("ok\n", 0);
    restart_wanted(&packages);
    let lines = [
        upgrading("(n1) restart_new_emulator"),
        stopping("(n1) stopped"),
        starting("(n1) started"),
    ];
    packages
        .deb("1.0", "postrm upgrade 2.0-1")
        .is(&lines.concat(), 0);
    packages.take_away("1.0");
    packages
        .deb("2.0", "postinst configure 1.0-1")
        .is(&starting("(n1) already_running"), 0);
    assert_eq!(packages.history("n1"), "[\"2.0\"]\n");
}

#[test]
fn one_node_waits_and_the_other_is_upgraded() {
    let packages = Packages::installed();
    let _nodes = ["n1", "n2"].map(|name| packages.host.node(name));
    packages.start("n1", "1.0");
    packages.start("n2", "1.0");
    packages.begin_upgrade("1.0", "2.0");
    let busy = "erlang:suspend_process(whereis(foo_server))";
    let hold = format!("spawn(fun() -> {busy}, receive stop -> ok end end), ok");
    packages.host.erlrc(&["eval", "n1", &hold]).is("ok\n", 0);
    let set = "application:load(erlrc), application:set_env(erlrc, suspend_timeout, 500)";
    packages.host.erlrc(&["eval", "n1", set]).is("ok\n", 0);
    let lines = [
        upgrading("(n1) script_failed (n2) upgraded"),
        upgrading("(n1) restart_needed"),
    ];
    packages
        .deb("1.0", "postrm upgrade 2.0-1")
        .is(&lines.concat(), 0);
    assert_eq!([packages.runs("n1"), packages.runs("n2")], ["1.0", "2.0"]);
}

#[test]
fn an_upgrade_whose_pause_would_be_too_long_is_put_off() {
    let (packages, _node) = Packages::running();
    packages.begin_upgrade("1.0", "2.0");
    let set = "application:load(erlrc), application:set_env(erlrc, max_pause, 0)";
    packages.host.erlrc(&["eval", "n1", set]).is("ok\n", 0);
    let lines = [
        upgrading("(n1) max_pause"),
        upgrading("(n1) restart_needed"),
    ];
    packages
        .deb("1.0", "postrm upgrade 2.0-1")
        .is(&lines.concat(), 0);
    assert_eq!(packages.runs("n1"), "1.0");
    assert_eq!(packages.history("n1"), "[\"1.0\"]\n");
    assert!(packages.stash("1.0").exists());
}

#[test]
fn a_swap_waits_for_what_the_new_version_needs() {
    let (packages, _node) = Packages::running();
    // The old version asks for less, and its script makes the swap.
    let call = |own: &str, call: &str| {
        let least = if own == "2.0" { "bar>=2.0" } else { "bar>=0.1" };
        let mut call = packages.call("deb", own, call, &["--min", least]);
        String::from_utf8_lossy(&call.output().expect("erlrc runs").stdout).into_owned()
    };
    assert_eq!(call("2.0", "preinst upgrade 1.0-1 2.0-1"), "");
    packages.unpack("2.0");
    let bar = "{bar, \"1.0\", \"/usr/lib/erlang/lib/bar-1.0\"}.\n";
    packages.host.file("apps/bar", bar, 0o644);
    assert_eq!(call("1.0", "postrm upgrade 2.0-1"), upgrading("(n1) waits"));
    packages.take_away("1.0");
    assert_eq!(packages.runs("n1"), "1.0");
    let bar = "{bar, \"2.0\", \"/usr/lib/erlang/lib/bar-2.0\"}.\n";
    packages.host.file("apps/bar", bar, 0o644);
    assert_eq!(
        call("2.0", "postinst configure 1.0-1"),
        upgrading("(n1) upgraded")
    );
    assert_eq!(packages.history("n1"), "[up,\"1.0\"]\n");
    assert!(!packages.stash("1.0").exists());
}

#[test]
fn a_swap_waits_for_a_dependency_that_is_not_there_yet() {
    let (packages, _node) = Packages::running();
    packages.begin_upgrade("1.0", "2.0");
    let file = packages.dir("2.0").join("ebin/foo.app");
    let specification = fs::read_to_string(&file).expect("the .app");
    let more = specification.replace("[kernel, stdlib]", "[kernel, stdlib, bar]");
    assert_ne!(more, specification);
    fs::write(&file, more).expect("the .app");
    let line = upgrading("(n1) appspec_file_not_found") + &upgrading("(n1) waits");
    packages.deb("1.0", "postrm upgrade 2.0-1").is(&line, 0);
    packages.take_away("1.0");
    fs::write(&file, specification).expect("the .app");
    let line = upgrading("(n1) upgraded");
    packages.deb("2.0", "postinst configure 1.0-1").is(&line, 0);
}

#[test]
fn a_node_that_cannot_be_spoken_to_stops_nothing_unless_that_is_wanted() {
    let (packages, _node) = Packages::running();
    packages.begin_upgrade("1.0", "2.0");
    packages.host.entry("n1", "wrong");
    let line = upgrading("(n1) cookie_refused");
    packages.deb("1.0", "postrm upgrade 2.0-1").is(&line, 0);
    packages.host.file("erlrc.conf", "{strict, true}.\n", 0o644);
    packages.deb("1.0", "postrm upgrade 2.0-1").is(&line, 3);
    packages.host.listed("n1");
    packages.take_away("1.0");
    packages
        .deb("2.0", "postinst configure 1.0-1")
        .is(&upgrading("(n1) upgraded"), 0);
    packages.host.file("erlrc.conf", "", 0o644);
    packages.host.entry("n1", "wrong");
    let line = crate::package::stopping("(n1) cookie_refused");
    packages.deb("2.0", "prerm remove").is(&line, 0);
}

#[test]
fn erlrc_stays_in_the_nodes_when_its_package_goes() {
    let packages = Packages::new();
    let host = &packages.host;
    let _node = host.node("n1");
    host.erlrc(&[
        "eval",
        "n1",
        "element(1, application:ensure_all_started(erlrc))",
    ])
    .is("ok\n", 0);
    let prerm = [
        "maint",
        "deb",
        "prerm",
        "--app",
        "erlrc=0.1.0=/nonexistent",
        "--",
        "remove",
    ];
    let run = host.erlrc(&prerm);
    run.is("", 0).says("erlrc-maint: erlrc: n1 keeps erlrc ");
    assert_eq!(run.err.lines().count(), 1, "{run:?}");
    let postrm = [
        "maint",
        "deb",
        "postrm",
        "--app",
        "erlrc=0.1.0=/nonexistent",
        "--",
        "remove",
    ];
    host.erlrc(&postrm).is("", 0);
    // The files are gone, the node is found all the same and does what it is asked for.
    host.erlrc(&[
        "eval",
        "n1",
        "code:del_path(erlrc), code:del_path(filename:dirname(code:which(erlrc_hook)))",
    ]);
    let start = host.erlrc(&["start", "foo", "1.0", &crate::host::foo("1.0")]);
    start.is(&starting("(n1) started"), 0);
}
