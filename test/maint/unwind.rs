//! The ways back that dpkg goes when something fails.

use crate::package::{Packages, downgrading, starting, upgrading};

#[test]
fn a_swap_that_fails_leaves_the_old_version_and_the_retry_too() {
    let packages = Packages::installed();
    let _nodes = ["n1", "n2"].map(|name| packages.host.node(name));
    packages.start("n1", "1.0");
    packages.start("n2", "1.0");
    packages.begin_upgrade("1.0", "2.0");
    packages.break_code_change("n2");
    let line = format!(
        "{}erlrc-upgrade: Undoing 'foo': (n1) reverted\n",
        upgrading("(n1) upgraded (n2) script_failed")
    );
    packages.deb("1.0", "postrm upgrade 2.0-1").is(&line, 1);
    packages
        .deb("2.0", "postrm failed-upgrade 1.0-1 2.0-1")
        .is(&line, 1);
    packages.deb("1.0", "preinst abort-upgrade 2.0-1").is("", 0);
    packages.put_back();
    packages
        .deb("2.0", "postrm abort-upgrade 1.0-1 2.0-1")
        .is("", 0);
    let same = upgrading("(n1) already_running (n2) already_running");
    packages
        .deb("1.0", "postinst abort-upgrade 2.0-1")
        .is(&same, 0);
    assert_eq!([packages.runs("n1"), packages.runs("n2")], ["1.0", "1.0"]);
    assert_eq!(packages.journal().last().map(String::as_str), Some("done"));
    assert!(!packages.stash("1.0").exists());
}

#[test]
fn the_retry_finds_the_old_version_by_itself() {
    let (packages, _node) = Packages::running();
    packages.begin_upgrade("1.0", "2.0");
    packages
        .deb("2.0", "postrm failed-upgrade 1.0-1 2.0-1")
        .is(&upgrading("(n1) upgraded"), 0);
    assert_eq!(packages.history("n1"), "[up,\"1.0\"]\n");
}

#[test]
fn what_was_swapped_goes_back_while_both_are_there() {
    let (packages, _node) = Packages::running();
    packages.swap();
    packages
        .deb("1.0", "preinst abort-upgrade 2.0-1")
        .is(&downgrading("(n1) downgraded"), 0);
    packages.put_back();
    packages
        .deb("1.0", "postinst abort-upgrade 2.0-1")
        .is(&upgrading("(n1) already_running"), 0);
    assert_eq!(packages.history("n1"), "[down,up,\"1.0\"]\n");
}

#[test]
fn what_could_not_go_back_then_goes_back_with_what_is_loaded() {
    let (packages, _node) = Packages::running();
    packages.swap();
    packages.put_back();
    packages
        .deb("1.0", "postinst abort-upgrade 2.0-1")
        .is(&downgrading("(n1) downgraded"), 0);
    assert_eq!(packages.runs("n1"), "1.0");
}

#[test]
fn a_way_back_that_fails_fails_no_script() {
    let (packages, _node) = Packages::running();
    packages.swap();
    packages.break_code_change("n1");
    let lines = [
        downgrading("(n1) script_failed"),
        upgrading("(n1) restart_needed"),
    ]
    .concat();
    packages
        .deb("1.0", "preinst abort-upgrade 2.0-1")
        .is(&lines, 0);
    packages.put_back();
    packages
        .deb("1.0", "postinst abort-upgrade 2.0-1")
        .is(&upgrading("(n1) restart_needed"), 0);
    assert_eq!(packages.runs("n1"), "2.0");
    assert!(packages.stash("2.0").exists());
    assert_eq!(
        packages.journal().last().map(String::as_str),
        Some("pending")
    );
}

#[test]
fn the_same_version_goes_back_to_its_old_bytes() {
    let (packages, _node) = Packages::running();
    packages.deb("1.0", "preinst upgrade 1.0-1 1.0-2").is("", 0);
    packages.unpack_from(&crate::host::fixtures::rebuilt_foo(), "1.0");
    packages
        .deb("1.0", "postrm upgrade 1.0-2")
        .is(&upgrading("(n1) upgraded"), 0);
    packages.deb("1.0", "preinst abort-upgrade 1.0-2").is("", 0);
    packages.unpack("1.0");
    packages
        .deb("1.0", "postinst abort-upgrade 1.0-2")
        .is(&upgrading("(n1) upgraded"), 0);
    let text = "erlang:function_exported(foo_server, rebuilt, 0)";
    packages.host.erlrc(&["eval", "n1", text]).is("false\n", 0);
}

#[test]
fn a_removal_that_another_prevents_starts_again() {
    let (packages, _node) = Packages::running();
    packages.deb("1.0", "prerm remove in-favour bar 1.0-1");
    assert_eq!(packages.runs("n1"), "none");
    packages
        .deb("1.0", "postinst abort-remove in-favour bar 1.0-1")
        .is(&starting("(n1) started"), 0);
}
