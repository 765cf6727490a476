//! Killed in the midst of it: the next call finds out and says so.

use crate::host::{Node, eventually};
use crate::package::{Packages, starting, upgrading};
use std::process::{Child, Stdio};

/// The node, which will not begin the next operation before it is told to.
struct Blocked {
    _blocker: Child,
}

fn block(packages: &Packages) -> Blocked {
    let block = "erlrc_operations:run(erlang, apply, [fun() -> register(blocker, self()), \
                 receive go -> ok end end, []])";
    let mut command = packages.host.command(&["eval", "n1", block]);
    let _blocker = command.stdout(Stdio::null()).spawn().expect("erlrc runs");
    eventually("the operation runs", || {
        packages
            .host
            .erlrc(&["eval", "n1", "is_pid(whereis(blocker))"])
            .out
            == "true\n"
    });
    Blocked { _blocker }
}

impl Blocked {
    fn go(mut self, packages: &Packages) {
        packages
            .host
            .erlrc(&["eval", "n1", "blocker ! go"])
            .is("go\n", 0);
        let _ = self._blocker.wait();
    }
}

/// `foo` 1.0 runs, 2.0 is unpacked beside it, and the swap is under way.
fn swapping(packages: &Packages) -> (Node, Blocked, Child) {
    let node = packages.host.node("n1");
    packages.start("n1", "1.0");
    packages.begin_upgrade("1.0", "2.0");
    let blocked = block(packages);
    let mut call = packages.call("deb", "1.0", "postrm upgrade 2.0-1", &[]);
    let hook = call.stdout(Stdio::piped()).spawn().expect("erlrc runs");
    eventually("the swap is noted", || {
        packages
            .journal()
            .last()
            .is_some_and(|state| state == "swapping")
    });
    (node, blocked, hook)
}

#[test]
fn the_hook_is_killed_and_the_package_installed_again() {
    let packages = Packages::installed();
    let (_node, blocked, mut hook) = swapping(&packages);
    hook.kill().expect("it runs");
    let _ = hook.wait();
    blocked.go(&packages);
    packages
        .deb("2.0", "preinst upgrade 1.0-1 2.0-1")
        .is("", 0)
        .says("'deb postrm upgrade 2.0-1' of");
    let outcome = packages.runs("n1");
    assert!(["1.0", "2.0"].contains(&outcome.as_str()), "{outcome}");
    packages.unpack("2.0");
    assert_eq!(packages.deb("1.0", "postrm upgrade 2.0-1").status, 0);
    packages.take_away("1.0");
    assert_eq!(packages.deb("2.0", "postinst configure 1.0-1").status, 0);
    assert_eq!(packages.runs("n1"), "2.0");
    assert_eq!(packages.history("n1"), "[up,\"1.0\"]\n");
    assert_eq!(packages.journal().last().map(String::as_str), Some("done"));
}

#[test]
fn the_node_is_killed_and_the_package_goes_back() {
    let packages = Packages::installed();
    let (mut node, _blocked, hook) = swapping(&packages);
    node.kill();
    let output = hook.wait_with_output().expect("an end");
    // Killed before the request came in, the node is one that cannot be spoken to.
    let code = output.status.code().expect("an exit");
    assert!([0, 6].contains(&code), "{code}");
    packages
        .deb("2.0", "postrm failed-upgrade 1.0-1 2.0-1")
        .is("", 0);
}

#[test]
fn dpkg_is_killed_between_swap_and_configuration() {
    let (packages, _node) = Packages::running();
    packages.swap();
    // Both directories are left. The same package again:
    packages.deb("2.0", "preinst upgrade 1.0-1 2.0-1").is("", 0);
    packages.unpack("2.0");
    packages
        .deb("1.0", "postrm upgrade 2.0-1")
        .is(&upgrading("(n1) already_running"), 0);
    packages.take_away("1.0");
    packages.deb("2.0", "postinst configure 1.0-1");
    assert_eq!(packages.history("n1"), "[up,\"1.0\"]\n");
    assert!(!packages.stash("1.0").exists() && !packages.stash("2.0").exists());
}

#[test]
fn a_torn_or_forged_journal_stops_nothing() {
    let packages = Packages::installed();
    let _node = packages.host.node("n1");
    let torn = "99 00000000 {\"time\":\"2026";
    std::fs::create_dir_all(packages.host.path("state")).expect("a directory");
    packages.host.file("state/journal", torn, 0o640);
    packages
        .deb("1.0", "postinst configure")
        .is(&starting("(n1) started"), 0);
    packages.host.file("state/journal", "nonsense\n", 0o666);
    packages
        .deb("1.0", "postinst configure")
        .is(&starting("(n1) already_running"), 0)
        .says("can be written by group or others");
}
