//! All upgrades of one run at its end.

use crate::host::{Node, Run};
use crate::package::{Packages, starting, stopping, upgrading};
use std::fs;

/// `foo` and `bar`, which needs it, run in 1.0; 2.0 of both is installed and waits for the end.
fn run_up_to_its_end(packages: &Packages) -> Node {
    packages.host.file("erlrc.conf", "{batch, true}.\n", 0o644);
    packages.host.file("applications/bar", "", 0o644);
    fs::create_dir_all(packages.host.path("bin")).expect("a directory");
    let called = packages.host.path("triggered");
    let script = format!("#!/bin/sh\necho \"$@\" >>{}\n", called.display());
    packages.host.file("bin/dpkg-trigger", &script, 0o755);
    let node = packages.host.node("n1");
    packages.start("n1", "1.0");
    packages.unpack_bar("1.0");
    packages.deb_bar("1.0", "postinst configure");
    trigger(packages).is(&bar("start", "Starting", "(n1) started"), 0);
    packages
        .host
        .erlrc(&["start", "bar", "1.0"])
        .is(&bar("start", "Starting", "(n1) already_running"), 0);
    // The dependent first, as apt unpacks it where its dependency is exact.
    packages
        .deb_bar("2.0", "preinst upgrade 1.0-1 2.0-1")
        .is("", 0);
    packages.unpack_bar("2.0");
    packages.deb_bar("1.0", "postrm upgrade 2.0-1").is("", 0);
    fs::remove_dir_all(packages.host.path("lib/bar-1.0")).expect("it was there");
    packages.begin_upgrade("1.0", "2.0");
    packages.deb("1.0", "postrm upgrade 2.0-1").is("", 0);
    packages.take_away("1.0");
    packages.deb("2.0", "postinst configure 1.0-1").is("", 0);
    packages
        .deb_bar("2.0", "postinst configure 1.0-1")
        .is("", 0);
    assert_eq!(
        [packages.runs("n1"), packages.runs_of("bar", "n1")],
        ["1.0", "1.0"]
    );
    let triggered = fs::read_to_string(called).expect("a trigger");
    assert_eq!(triggered.lines().next(), Some("--no-await erlrc-batch"));
    node
}

/// A line about `bar`.
pub fn bar(command: &str, gerund: &str, outcome: &str) -> String {
    format!("erlrc-{command}: {gerund} 'bar': {outcome}\n")
}

/// The end of a run.
pub fn trigger(packages: &Packages) -> Run {
    let mut command = packages.host.command(&["maint", "deb", "trigger"]);
    // The machine that runs the tests may have a policy of its own.
    command.env("ERLRC_POLICY_RC", packages.host.path("policy-rc.d"));
    Run::of(command.output().expect("erlrc runs"))
}

/// The line of an upgrade of both.
fn both(outcome: &str) -> String {
    both_of("foo bar", outcome)
}

fn both_of(names: &str, outcome: &str) -> String {
    format!("erlrc-upgrade: Upgrading '{names}': {outcome}\n")
}

#[test]
fn they_are_made_as_one_in_the_order_of_dependency() {
    let packages = Packages::installed();
    let _node = run_up_to_its_end(&packages);
    trigger(&packages).is(&both("(n1) changed"), 0);
    assert_eq!(
        [packages.runs("n1"), packages.runs_of("bar", "n1")],
        ["2.0", "2.0"]
    );
    assert_eq!(packages.history("n1"), "[up,\"1.0\"]\n");
    assert!(!packages.stash("1.0").exists() && !packages.host.path("stash/bar-1.0").exists());
    // Nothing waits any more.
    trigger(&packages).is("", 0);
}

#[test]
fn where_one_fails_none_is_made_and_all_of_it_comes_again() {
    let packages = Packages::installed();
    let _node = run_up_to_its_end(&packages);
    let appup = packages.host.path("lib/bar-2.0/ebin/bar.appup");
    fs::write(&appup, "{\"2.0\", broken}.\n").expect("an appup");
    trigger(&packages)
        .is(&both("(n1) would_fail"), 1)
        .says("erlrc-maint: bar: n1 refuses it alone as well; alone would go: foo\n");
    assert_eq!(packages.history("n1"), "[\"1.0\"]\n");
    assert_eq!(
        [packages.runs("n1"), packages.runs_of("bar", "n1")],
        ["1.0", "1.0"]
    );
    assert!(packages.stash("1.0").exists());
    fs::remove_file(&appup).expect("it was there");
    assert_eq!(trigger(&packages).status, 0);
    assert_eq!(
        [packages.runs("n1"), packages.runs_of("bar", "n1")],
        ["2.0", "2.0"]
    );
}

#[test]
fn where_one_waits_for_a_restart_all_of_them_do() {
    let packages = Packages::installed();
    let _node = run_up_to_its_end(&packages);
    let appup = "{\"2.0\", [{\"1.0\", [restart_new_emulator]}], []}.\n";
    fs::write(packages.host.path("lib/bar-2.0/ebin/bar.appup"), appup).expect("an appup");
    let lines = [
        both("(n1) restart_new_emulator"),
        upgrading("(n1) restart_needed"),
        bar("upgrade", "Upgrading", "(n1) restart_needed"),
    ];
    trigger(&packages).is(&lines.concat(), 0);
    assert_eq!(packages.history("n1"), "[\"1.0\"]\n");
    assert_eq!(
        [packages.runs("n1"), packages.runs_of("bar", "n1")],
        ["1.0", "1.0"]
    );
    assert!(packages.stash("1.0").exists());
}

#[test]
fn what_is_new_is_started_at_the_end() {
    let packages = Packages::installed();
    batch_mode(&packages);
    let _node = packages.host.node("n1");
    packages.deb("1.0", "postinst configure").is("", 0);
    assert_eq!(packages.runs("n1"), "none");
    trigger(&packages).is(&starting("(n1) started"), 0);
    trigger(&packages).is("", 0);
}

/// Batch mode, and a dpkg that hears of triggers.
pub fn batch_mode(packages: &Packages) {
    packages.host.file("erlrc.conf", "{batch, true}.\n", 0o644);
    packages.host.file("applications/bar", "", 0o644);
    fs::create_dir_all(packages.host.path("bin")).expect("a directory");
    packages.host.file("bin/dpkg-trigger", "#!/bin/sh\n", 0o755);
}

/// `foo` runs, and `bar` 1.0 with these keys; 2.0 of `bar` waits, which has nothing to do with `foo`.
fn bar_waits(packages: &Packages, keys: &str) -> Node {
    batch_mode(packages);
    let node = packages.host.node("n1");
    packages.start("n1", "1.0");
    packages.unpack_bar_with("1.0", keys);
    packages.deb_bar("1.0", "postinst configure");
    trigger(packages);
    assert_eq!(packages.runs_of("bar", "n1"), "1.0");
    packages
        .deb_bar("2.0", "preinst upgrade 1.0-1 2.0-1")
        .is("", 0);
    packages.unpack_bar_with("2.0", "{applications, [kernel, stdlib]}");
    packages.deb_bar("1.0", "postrm upgrade 2.0-1").is("", 0);
    fs::remove_dir_all(packages.host.path("lib/bar-1.0")).expect("it was there");
    assert_eq!(packages.runs_of("bar", "n1"), "1.0");
    node
}

/// The package of `foo` goes; `foo` runs until the end.
fn remove_foo(packages: &Packages, state: &str) {
    packages.deb("1.0", "prerm remove").is("", 0);
    packages.remove("1.0");
    packages.deb("1.0", "postrm remove").is("", 0);
    assert_eq!(
        [packages.runs("n1"), packages.runs_of("bar", "n1")],
        [state, "1.0"]
    );
    assert!(packages.stash("1.0").exists());
}

/// `foo` is stopped, and nothing is left of it.
fn foo_is_gone(packages: &Packages) {
    assert_eq!(packages.runs("n1"), "none");
    let known = "[code:lib_dir(foo), code:is_loaded(foo_server), lists:keymember(foo, 1, application:loaded_applications())]";
    let run = packages.host.erlrc(&["eval", "n1", known]);
    run.is("[{error,bad_name},false,false]\n", 0);
    assert!(!packages.stash("1.0").exists() && !packages.host.path("stash/bar-1.0").exists());
    trigger(packages).is("", 0);
}

/// What no longer needs `foo` in its new version is changed as one with the stop of `foo`.
#[track_caller]
fn removed_under_what_waits(keys: &str, state: &str) {
    let packages = Packages::installed();
    let _node = bar_waits(&packages, keys);
    remove_foo(&packages, state);
    packages
        .deb_bar("2.0", "postinst configure 1.0-1")
        .is("", 0);
    trigger(&packages).is("erlrc-change: Changing 'bar foo': (n1) changed\n", 0);
    assert_eq!(packages.runs_of("bar", "n1"), "2.0");
    foo_is_gone(&packages);
}

#[test]
fn what_is_removed_stops_with_those_who_need_it_no_more() {
    removed_under_what_waits("{applications, [kernel, stdlib, foo]}", "1.0");
}

#[test]
fn what_is_removed_stops_with_those_who_include_it_no_more() {
    let keys = "{applications, [kernel, stdlib]}, {included_applications, [foo]}";
    removed_under_what_waits(keys, "none");
}

#[test]
fn what_is_removed_stops_with_others_that_do_not_need_it() {
    removed_under_what_waits("{applications, [kernel, stdlib]}", "1.0");
}

/// `foo` is removed in batch mode while `bar`, which needs it, runs on the node.
fn foo_removed_under_bar(packages: &Packages) -> Node {
    batch_mode(packages);
    let node = packages.host.node("n1");
    packages.start("n1", "1.0");
    packages.unpack_bar("1.0");
    packages.deb_bar("1.0", "postinst configure");
    trigger(packages);
    remove_foo(packages, "1.0");
    node
}

#[test]
fn what_is_removed_first_waits_for_what_comes_later_in_the_run() {
    let packages = Packages::installed();
    let _node = foo_removed_under_bar(&packages);
    packages
        .deb_bar("2.0", "preinst upgrade 1.0-1 2.0-1")
        .is("", 0);
    packages.unpack_bar_with("2.0", "{applications, [kernel, stdlib]}");
    packages.deb_bar("1.0", "postrm upgrade 2.0-1").is("", 0);
    fs::remove_dir_all(packages.host.path("lib/bar-1.0")).expect("it was there");
    packages
        .deb_bar("2.0", "postinst configure 1.0-1")
        .is("", 0);
    trigger(&packages).is("erlrc-change: Changing 'bar foo': (n1) changed\n", 0);
    foo_is_gone(&packages);
}

#[test]
fn what_is_removed_and_still_needed_runs_on_and_is_named() {
    let packages = Packages::installed();
    let _node = foo_removed_under_bar(&packages);
    trigger(&packages)
        .is(&stopping("(n1) needed_by"), 1)
        .says("bar");
    assert_eq!(packages.runs("n1"), "1.0");
    assert_eq!(packages.history("n1"), "[\"1.0\"]\n");
    let waits = "the stop of foo waits since";
    assert!(packages.host.erlrc(&["doctor"]).out.contains(waits));
    // Both go.
    packages.deb_bar("1.0", "prerm remove").is("", 0);
    trigger(&packages).is("erlrc-stop: Stopping 'foo bar': (n1) changed\n", 0);
    foo_is_gone(&packages);
}

#[test]
fn a_removal_that_is_called_off_stops_nothing() {
    let packages = Packages::installed();
    let _node = bar_waits(&packages, "{applications, [kernel, stdlib, foo]}");
    packages.deb("1.0", "prerm remove").is("", 0);
    packages.deb("1.0", "postinst abort-remove").is("", 0);
    let run = trigger(&packages);
    // What was kept of `foo` is compared with what is installed, and nothing differs.
    run.is(&both_of("bar foo", "(n1) changed"), 0);
    assert_eq!(packages.history("n1"), "[\"1.0\"]\n");
    assert!(!packages.stash("1.0").exists());
}

#[test]
fn a_new_version_in_the_run_that_removes_the_old_one_is_an_upgrade() {
    let packages = Packages::installed();
    batch_mode(&packages);
    let _node = packages.host.node("n1");
    packages.start("n1", "1.0");
    packages.deb("1.0", "prerm remove").is("", 0);
    packages.remove("1.0");
    packages.deb("1.0", "postrm remove").is("", 0);
    packages.unpack("2.0");
    packages.deb("2.0", "postinst configure 1.0-1").is("", 0);
    trigger(&packages).is(&upgrading("(n1) upgraded"), 0);
    assert_eq!(packages.history("n1"), "[up,\"1.0\"]\n");
    assert!(!packages.stash("1.0").exists());
}

#[test]
fn what_waits_and_is_removed_waits_no_more() {
    let packages = Packages::installed();
    let _node = bar_waits(&packages, "{applications, [kernel, stdlib, foo]}");
    packages.deb_bar("2.0", "prerm remove").is("", 0);
    fs::remove_dir_all(packages.host.path("lib/bar-2.0")).expect("it was there");
    fs::remove_file(packages.host.path("apps/bar")).expect("it was there");
    packages.deb_bar("2.0", "postrm remove").is("", 0);
    trigger(&packages).is(&bar("stop", "Stopping", "(n1) stopped"), 0);
    assert_eq!(packages.runs_of("bar", "n1"), "none");
    assert!(!packages.host.path("stash/bar-1.0").exists());
    packages.deb("1.0", "prerm remove").is("", 0);
    trigger(&packages).is(&stopping("(n1) stopped"), 0);
}

#[test]
fn what_is_new_waits_for_what_it_needs_and_waits_itself() {
    let packages = Packages::installed();
    packages.host.file("erlrc.conf", "{batch, true}.\n", 0o644);
    packages.host.file("applications/bar", "", 0o644);
    let node = packages.host.node("n1");
    packages.start("n1", "1.0");
    packages.begin_upgrade("1.0", "2.0");
    packages.deb("1.0", "postrm upgrade 2.0-1");
    packages.take_away("1.0");
    packages.deb("2.0", "postinst configure 1.0-1");
    packages.unpack_bar("1.0");
    let configure = packages.deb_bar_with("1.0", "postinst configure", &["--min", "foo>=2.0"]);
    assert_eq!((configure.out.as_str(), configure.status), ("", 0));
    assert_eq!(
        [packages.runs("n1"), packages.runs_of("bar", "n1")],
        ["1.0", "none"]
    );
    trigger(&packages).is("erlrc-change: Changing 'foo bar': (n1) changed\n", 0);
    assert_eq!(
        [packages.runs("n1"), packages.runs_of("bar", "n1")],
        ["2.0", "1.0"]
    );
    drop(node);
}
