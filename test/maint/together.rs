//! What one run changes is changed as one: with states, observers, several nodes, and in any order.

use crate::batch::{bar, batch_mode, trigger};
use crate::host::Node;
use crate::package::Packages;
use std::fs;

/// `foo` and `bar`, both with a server, run in 1.0; 2.0 of both is installed and waits for the end.
fn servers_wait(packages: &Packages) -> Node {
    batch_mode(packages);
    let node = packages.host.node("n1");
    packages.start("n1", "1.0");
    packages.unpack_bar_server("1.0");
    packages.deb_bar("1.0", "postinst configure");
    let started = bar("start", "Starting", "(n1) started");
    trigger(packages).is(&started, 0);
    both_are_installed(packages);
    node
}

fn both_are_installed(packages: &Packages) {
    packages.begin_upgrade("1.0", "2.0");
    packages.deb("1.0", "postrm upgrade 2.0-1").is("", 0);
    packages.take_away("1.0");
    bar_is_installed(packages);
    packages.deb("2.0", "postinst configure 1.0-1").is("", 0);
}

fn bar_is_installed(packages: &Packages) {
    packages
        .deb_bar("2.0", "preinst upgrade 1.0-1 2.0-1")
        .is("", 0);
    packages.unpack_bar_server("2.0");
    packages.deb_bar("1.0", "postrm upgrade 2.0-1").is("", 0);
    fs::remove_dir_all(packages.host.path("lib/bar-1.0")).expect("it was there");
    packages
        .deb_bar("2.0", "postinst configure 1.0-1")
        .is("", 0);
}

fn states(packages: &Packages, node: &str) -> String {
    let text = "[foo_server:history(), bar_server:history()]";
    packages
        .host
        .erlrc(&["eval", node, text])
        .out
        .trim()
        .to_owned()
}

const EARLIER: &str = r#"[["1.0"],["1.0"]]"#;
const LATER: &str = r#"[[up,"1.0"],[up,"1.0"]]"#;

/// Looks at the code of both without pause; a pair that was the same before and after its second half was looked at is
/// one that was there.
const OBSERVER: &str = "register(observer, spawn(fun() -> (fun Sweep(Seen) -> \
    Foo = foo_server:module_info(md5), Bar = bar_server:module_info(md5), \
    Now = case foo_server:module_info(md5) of Foo -> [{Foo, Bar}]; _ -> [] end, \
    Pairs = lists:usort(Now ++ Seen), \
    receive {tell, To} -> To ! {pairs, length(Pairs)} after 0 -> ok end, \
    Sweep(Pairs) end)([]) end)), ok";
const PAIRS: &str = "observer ! {tell, self()}, receive {pairs, Count} -> Count end";

#[test]
fn nobody_sees_one_in_the_new_version_and_the_other_in_the_old() {
    let packages = Packages::installed();
    let _node = servers_wait(&packages);
    let pairs = || packages.host.erlrc(&["eval", "n1", PAIRS]).out;
    packages.host.erlrc(&["eval", "n1", OBSERVER]).is("ok\n", 0);
    assert_eq!(pairs(), "1\n");
    let run = trigger(&packages);
    assert_eq!(states(&packages, "n1"), LATER);
    assert_eq!(pairs(), "2\n");
    run.is("erlrc-upgrade: Upgrading 'bar foo': (n1) changed\n", 0);
}

#[test]
fn a_state_that_cannot_be_converted_takes_all_of_them_back() {
    let packages = Packages::installed();
    let _node = servers_wait(&packages);
    packages.break_code_change("n1");
    trigger(&packages)
        .is(
            "erlrc-upgrade: Upgrading 'bar foo': (n1) script_failed\n",
            1,
        )
        .says("n1: rolled back: bar 1.0, foo 1.0 run on, nothing is lost\n")
        .says("erlrc-maint: foo: it is what failed on n1; as they were: bar\n");
    assert_eq!(states(&packages, "n1"), EARLIER);
    packages.mend_code_change("n1");
    assert_eq!(trigger(&packages).status, 0);
    assert_eq!(states(&packages, "n1"), LATER);
}

#[test]
fn the_history_of_each_tells_what_it_was_changed_with() {
    let packages = Packages::installed();
    let _node = servers_wait(&packages);
    assert_eq!(trigger(&packages).status, 0);
    for app in ["foo", "bar"] {
        let run = packages.host.erlrc(&["history", app, "--json"]);
        for text in ["\"together\":[\"bar\",\"foo\"]", "\"outcome\":\"upgraded\""] {
            assert!(run.out.replace([' ', '\n'], "").contains(text), "{run:?}");
        }
    }
}

/// `foo` runs in one version and `bar` in 1.0, on two nodes.
fn two_nodes(packages: &Packages, vsn: &str) -> [Node; 2] {
    batch_mode(packages);
    for app in ["foo", "new"] {
        packages
            .host
            .file(&format!("applications/{app}"), "", 0o644);
    }
    let nodes = ["n1", "n2"].map(|name| packages.host.node(name));
    packages.unpack(vsn);
    packages.deb(vsn, "postinst configure").is("", 0);
    packages.unpack_bar_server("1.0");
    packages.deb_bar("1.0", "postinst configure").is("", 0);
    let lines =
        ["n1", "n2"].map(|node| format!("erlrc-start: Starting 'bar foo': ({node}) changed\n"));
    trigger(packages).is(&lines.concat(), 0);
    nodes
}

/// One run brings `foo` from 2.0 to 1.0, `bar` from 1.0 to 2.0, and `new`, in this order.
#[track_caller]
fn one_run(order: [&str; 3]) {
    let packages = Packages::new();
    let _nodes = two_nodes(&packages, "2.0");
    for app in order {
        match app {
            "foo" => {
                packages.begin_upgrade("2.0", "1.0");
                packages.deb("2.0", "postrm upgrade 1.0-1").is("", 0);
                packages.take_away("2.0");
                packages.deb("1.0", "postinst configure 2.0-1").is("", 0);
            }
            "bar" => bar_is_installed(&packages),
            app => {
                packages.unpack_library(app, "1.0", "{applications, [kernel, stdlib, bar]}");
                packages
                    .deb_of(app, "1.0", "postinst configure", &[])
                    .is("", 0);
            }
        }
    }
    let lines = ["n1", "n2"]
        .map(|node| format!("erlrc-change: Changing 'foo bar new': ({node}) changed\n"));
    trigger(&packages).is(&lines.concat(), 0);
    for node in ["n1", "n2"] {
        assert_eq!(states(&packages, node), r#"[[down,"2.0"],[up,"1.0"]]"#);
        assert_eq!(packages.runs_of("new", node), "1.0");
    }
    trigger(&packages).is("", 0);
}

#[test]
fn up_down_and_new_in_one_run() {
    one_run(["foo", "bar", "new"]);
}

#[test]
fn new_up_and_down_in_one_run() {
    one_run(["new", "bar", "foo"]);
}

#[test]
fn a_node_that_fails_has_all_of_it_old_and_another_one_has_all_of_it_new() {
    let packages = Packages::new();
    let _nodes = two_nodes(&packages, "1.0");
    both_are_installed(&packages);
    packages.break_code_change("n2");
    let lines = [
        "erlrc-upgrade: Upgrading 'bar foo': (n1) changed\n",
        "erlrc-upgrade: Upgrading 'bar foo': (n2) script_failed\n",
    ];
    trigger(&packages)
        .is(&lines.concat(), 1)
        .says("erlrc-maint: foo: it is what failed on n2; as they were: bar\n");
    assert_eq!(
        [states(&packages, "n1"), states(&packages, "n2")],
        [LATER, EARLIER]
    );
    packages.mend_code_change("n2");
    let run = trigger(&packages);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.out
            .starts_with("erlrc-upgrade: Upgrading 'bar foo': (n2) changed\n"),
        "{run:?}"
    );
    assert_eq!(
        [states(&packages, "n1"), states(&packages, "n2")],
        [LATER, LATER]
    );
}
