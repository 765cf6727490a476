//! The scriptlets of rpm, which never takes back.

use crate::package::{Packages, starting, stopping, upgrading};

#[test]
fn an_upgrade() {
    let (packages, _node) = Packages::running();
    packages.rpm("2.0", "pre 2").is("", 0);
    packages.unpack("2.0");
    packages
        .rpm("2.0", "post 2")
        .is(&upgrading("(n1) upgraded"), 0);
    packages.rpm("1.0", "preun 1").is("", 0);
    packages.take_away("1.0");
    packages.rpm("1.0", "postun 1").is("", 0);
    packages
        .rpm("2.0", "posttrans 2")
        .is(&starting("(n1) already_running"), 0);
    assert_eq!(packages.history("n1"), "[up,\"1.0\"]\n");
    assert!(!packages.stash("1.0").exists());
}

#[test]
fn an_upgrade_that_fails_is_tried_again_from_the_stash() {
    let (packages, _node) = Packages::running();
    packages.rpm("2.0", "pre 2").is("", 0);
    packages.unpack("2.0");
    packages.break_code_change("n1");
    let failed = upgrading("(n1) script_failed");
    packages
        .rpm("2.0", "post 2")
        .is(&failed, 1)
        .says("rpm goes on all the same");
    packages.take_away("1.0");
    packages.mend_code_change("n1");
    packages
        .rpm("2.0", "posttrans 2")
        .is(&upgrading("(n1) upgraded"), 0);
    assert_eq!(packages.history("n1"), "[up,\"1.0\"]\n");
}

#[test]
fn an_installation_and_its_end() {
    let packages = Packages::new();
    let _node = packages.host.node("n1");
    packages.host.file("applications/foo", "", 0o644);
    packages.rpm("1.0", "pre 1").is("", 0);
    packages.unpack("1.0");
    packages.rpm("1.0", "post 1").is("", 0);
    packages
        .rpm("1.0", "posttrans 1")
        .is(&starting("(n1) started"), 0);
    packages
        .rpm("1.0", "preun 0")
        .is(&stopping("(n1) stopped"), 0);
    packages.remove("1.0");
    packages.rpm("1.0", "postun 0").is("", 0);
    assert_eq!(packages.runs("n1"), "none");
}
