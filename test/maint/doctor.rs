//! What is found and mended when no package manager runs.

use crate::host::Run;
use crate::package::{Packages, upgrading};
use std::fs;

fn doctor(packages: &Packages, arguments: &[&str]) -> Run {
    let mut command = packages
        .host
        .command(&[arguments, &["doctor", "--yes"]].concat());
    let path = std::env::var("PATH").unwrap_or_default();
    command.env(
        "PATH",
        format!("{}:{path}", packages.host.path("bin").display()),
    );
    command.env("ERLRC_POLICY_RC", packages.host.path("policy-rc.d"));
    Run::of(command.output().expect("erlrc runs"))
}

/// The kinds of what is found.
fn kinds(packages: &Packages) -> Vec<String> {
    let mut command = packages.host.command(&["--json", "doctor"]);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env(
        "PATH",
        format!("{}:{path}", packages.host.path("bin").display()),
    );
    let run = Run::of(command.output().expect("erlrc runs"));
    let report: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    let findings = report["findings"].as_array().expect("a list");
    let kind = |finding: &serde_json::Value| finding["kind"].as_str().expect("a kind").to_owned();
    findings.iter().map(kind).collect()
}

/// The package managers of this host know of nothing.
fn unowned(packages: &Packages) {
    fs::create_dir_all(packages.host.path("bin")).expect("a directory");
    for name in ["dpkg-query", "rpm"] {
        packages
            .host
            .file(&format!("bin/{name}"), "#!/bin/sh\nexit 1\n", 0o755);
    }
}

/// They know of the directory of this version, and of nothing else.
fn owned(packages: &Packages, vsn: &str) {
    unowned(packages);
    let dir = packages.dir(vsn).display().to_string();
    let text = format!("#!/bin/sh\ntest \"$2\" = {dir}\n");
    packages.host.file("bin/dpkg-query", &text, 0o755);
}

#[test]
fn a_sound_host_has_nothing_to_say() {
    let (packages, _node) = Packages::running();
    doctor(&packages, &[]).is("all well: 1 node, 1 application\n", 0);
}

#[test]
fn a_node_left_behind_is_brought_to_what_is_installed() {
    let (packages, _node) = Packages::running();
    packages.begin_upgrade("1.0", "2.0");
    packages.take_away("1.0");
    // dpkg was killed before it called anything else.
    assert_eq!(kinds(&packages), ["version_mismatch"]);
    assert_eq!(packages.runs("n1"), "1.0");
    let run = doctor(&packages, &[]);
    let text = "warning: n1 runs foo 1.0, 2.0 is installed\n  mended\n";
    run.is(&[upgrading("(n1) upgraded"), text.to_owned()].concat(), 0);
    assert_eq!(packages.history("n1"), "[up,\"1.0\"]\n");
    doctor(&packages, &[]).is("all well: 1 node, 1 application\n", 0);
    assert!(!packages.stash("1.0").exists());
}

#[test]
fn a_directory_that_a_killed_dpkg_left_is_removed_if_it_is_ours() {
    let packages = Packages::installed();
    unowned(&packages);
    let _node = packages.host.node("n1");
    packages.start("n1", "1.0");
    packages.swap();
    // Killed, and 1.0 installed over it.
    packages.deb("1.0", "preinst upgrade 2.0-1 1.0-1");
    packages.metadata("1.0");
    packages.deb("2.0", "postrm upgrade 1.0-1");
    packages.deb("1.0", "postinst configure 1.0-1");
    assert_eq!(packages.runs("n1"), "1.0");
    assert_eq!(kinds(&packages), ["orphan_directory"]);
    doctor(&packages, &[]).is(
        &format!(
            "error: {} holds foo, and no package says so; a node that boots without erlrc may \
             take it for what is installed\n  mended\n",
            packages.dir("2.0").display()
        ),
        0,
    );
    assert!(!packages.dir("2.0").exists() && packages.dir("1.0").exists());
}

#[test]
fn what_a_person_put_there_is_named_and_stays() {
    let packages = Packages::installed();
    owned(&packages, "1.0");
    packages.unpack("2.0");
    packages.metadata("1.0");
    let poison = packages.dir("3.0").join("ebin");
    fs::create_dir_all(&poison).expect("a directory");
    fs::write(poison.join("foo.appup"), "").expect("a file");
    let run = doctor(&packages, &[]);
    assert_eq!(run.status, 1);
    assert!(
        run.out.contains("if nobody needs it, move it away"),
        "{}",
        run.out
    );
    assert!(
        run.out.contains("holds an appup of foo and nothing else"),
        "{}",
        run.out
    );
    assert!(packages.dir("2.0").exists() && packages.dir("3.0").exists());
}

#[test]
fn everything_else_has_a_name_too() {
    let packages = Packages::installed();
    packages.host.file("applications/gone", "", 0o644);
    packages.take_away("1.0");
    fs::create_dir_all(packages.host.path("stash/.unfinished-foo-0.9")).expect("a directory");
    fs::create_dir_all(packages.host.path("stash/foo-0.8/ebin")).expect("a directory");
    packages.host.entry("n1", "wrong");
    let _node = packages.host.start(&["-sname", "n1"]);
    let expected = [
        "incomplete_package",
        "damaged_stash",
        "unreachable_node",
        "unfinished_stash",
        "registration_without_package",
    ];
    assert_eq!(kinds(&packages), expected);
}

#[test]
fn the_directories_of_a_developer_are_no_fault() {
    let packages = Packages::installed();
    unowned(&packages);
    let _node = packages.host.node("n1");
    packages.start("n1", "1.0");
    packages.unpack("2.0");
    packages.metadata("1.0");
    let run = doctor(&packages, &[]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.out.starts_with("info: ") && !run.out.contains("rm "),
        "{run:?}"
    );
    assert!(
        run.out
            .contains("nothing needs to be done; to run it: erlrc upgrade foo=2.0\n"),
        "{run:?}"
    );
    packages
        .host
        .erlrc(&["upgrade", "foo=2.0"])
        .is("erlrc-upgrade: Upgrading 'foo': (n1) upgraded\n", 0);
    packages.metadata("2.0");
    let run = doctor(&packages, &[]);
    assert!(
        run.out.contains("to run it: erlrc downgrade foo=1.0\n"),
        "{run:?}"
    );
}

#[test]
fn a_registration_is_no_orphan_where_a_node_has_the_application() {
    let (packages, node) = Packages::running();
    fs::remove_file(packages.host.path("apps/foo")).expect("removed");
    assert!(kinds(&packages).is_empty());
    // It could be the same with a node that is down: the advice is to ask again, and not to remove anything.
    drop(node);
    let run = doctor(&packages, &[]);
    assert_eq!(kinds(&packages), ["registration_without_package"]);
    assert!(run.out.contains("ask again when its node is up"), "{run:?}");
    let _node = packages.host.node("n1");
    let run = doctor(&packages, &[]);
    assert!(
        run.out.contains("or remove the registration: rm "),
        "{run:?}"
    );
    let file = packages.host.path("applications/foo");
    fs::remove_file(file).expect("removed");
    doctor(&packages, &[]).is("all well: 1 node, 0 applications\n", 0);
}

#[test]
fn what_was_mistyped_is_named_with_its_file() {
    let (packages, _node) = Packages::running();
    let conf = packages
        .host
        .file("erlrc.conf", "{batch, true}.\n{strikt, true}.\n", 0o644);
    let place = conf.display();
    let run = doctor(&packages, &[]);
    assert_eq!(
        (run.status, kinds(&packages)),
        (1, vec!["mistaken_file".to_owned()])
    );
    assert!(
        run.out
            .contains(&format!("error: {place}:2: strikt: not known")),
        "{run:?}"
    );
    packages.host.file("erlrc.conf", "{strict true}.\n", 0o644);
    assert!(doctor(&packages, &[]).out.contains(&format!("{place}:1: ")));
    packages.host.file("erlrc.conf", "{strict, true}.\n", 0o644);
    packages
        .host
        .file("applications/foo", "{enabled false}.", 0o644);
    assert_eq!(kinds(&packages), ["mistaken_file"]);
    packages
        .host
        .file("applications/foo", "{enabled, false}.", 0o644);
    let run = doctor(&packages, &[]);
    assert_eq!(
        (run.status, kinds(&packages)),
        (1, vec!["disabled".to_owned()])
    );
    assert!(
        run.out.contains("the next boot does not start it"),
        "{run:?}"
    );
}

#[test]
fn nothing_is_mended_that_nobody_agreed_to() {
    let (packages, _node) = Packages::running();
    packages.begin_upgrade("1.0", "2.0");
    packages.take_away("1.0");
    let run = packages.host.erlrc(&["doctor"]);
    assert_eq!((run.status, packages.runs("n1").as_str()), (1, "1.0"));
    assert!(run.out.contains("erlrc doctor --yes mends it"), "{run:?}");
}

#[test]
fn a_hung_node_is_not_told_to_look_at_its_cookie() {
    let packages = Packages::installed();
    let node = packages.host.node("n1");
    node.signal("STOP");
    let run = packages.host.erlrc(&["doctor", "--connect-timeout", "0.5"]);
    assert!(
        run.out.contains("does not answer: look at its log") && !run.out.contains("cookie"),
        "{run:?}"
    );
}

#[test]
fn what_died_is_named_and_the_advice_helps() {
    let (packages, _node) = Packages::running();
    let die = "R = monitor(process, foo_sup), exit(whereis(foo_sup), kill), receive {'DOWN', R, _, _, _} -> ok end";
    packages.host.erlrc(&["eval", "n1", die]).is("ok\n", 0);
    crate::host::eventually("it is down", || kinds(&packages) == ["not_running"]);
    let run = doctor(&packages, &[]);
    let advice = "then: erlrc start foo 1.0 --node n1";
    assert!(run.status == 1 && run.out.contains(advice), "{run:?}");
    let words: Vec<&str> = advice.split(' ').skip(2).collect();
    assert_eq!(packages.host.erlrc(&words).status, 0);
    doctor(&packages, &[]).is("all well: 1 node, 1 application\n", 0);
}
