//! What is found and mended when no package manager runs.

use crate::host::Run;
use crate::package::{Packages, upgrading};
use std::fs;

fn doctor(packages: &Packages, arguments: &[&str]) -> Run {
    let mut command = packages.host.command(&[arguments, &["doctor"]].concat());
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
    let mut command = packages.host.command(&["--json", "doctor", "--dry-run"]);
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

#[test]
fn a_sound_host_has_nothing_to_say() {
    let packages = Packages::installed();
    let _node = packages.host.node("n1");
    packages.start("n1", "1.0");
    doctor(&packages, &[]).is("", 0);
}

#[test]
fn a_node_left_behind_is_brought_to_what_is_installed() {
    let packages = Packages::installed();
    let _node = packages.host.node("n1");
    packages.start("n1", "1.0");
    packages.begin_upgrade("1.0", "2.0");
    packages.take_away("1.0");
    // dpkg was killed before it called anything else.
    assert_eq!(kinds(&packages), ["version_mismatch"]);
    assert_eq!(packages.runs("n1"), "1.0");
    let run = doctor(&packages, &[]);
    let text = "warning: n1 runs foo 1.0, 2.0 is installed\n  mended\n";
    run.is(&[upgrading("(n1) upgraded"), text.to_owned()].concat(), 0);
    assert_eq!(packages.history("n1"), "[up,\"1.0\"]\n");
    doctor(&packages, &[]).is("", 0);
    assert!(!packages.stash("1.0").exists());
}

#[test]
fn a_directory_that_a_killed_dpkg_left_is_removed_if_it_is_ours() {
    let packages = Packages::installed();
    unowned(&packages);
    let _node = packages.host.node("n1");
    packages.start("n1", "1.0");
    packages.begin_upgrade("1.0", "2.0");
    packages
        .deb("1.0", "postrm upgrade 2.0-1")
        .is(&upgrading("(n1) upgraded"), 0);
    // Killed, and 1.0 installed over it.
    packages.deb("1.0", "preinst upgrade 2.0-1 1.0-1");
    packages.metadata("1.0");
    packages.deb("2.0", "postrm upgrade 1.0-1");
    packages.deb("1.0", "postinst configure 1.0-1");
    assert_eq!(packages.runs("n1"), "1.0");
    assert_eq!(kinds(&packages), ["orphan_directory"]);
    doctor(&packages, &[]).is(
        &format!(
            "error: {} holds foo, and no package says so; a node that boots may take it for what is \
             installed\n  mended\n",
            packages.dir("2.0").display()
        ),
        0,
    );
    assert!(!packages.dir("2.0").exists() && packages.dir("1.0").exists());
}

#[test]
fn what_a_person_put_there_is_named_and_stays() {
    let packages = Packages::installed();
    unowned(&packages);
    packages.unpack("2.0");
    packages.metadata("1.0");
    let poison = packages.dir("3.0").join("ebin");
    fs::create_dir_all(&poison).expect("a directory");
    fs::write(poison.join("foo.appup"), "").expect("a file");
    let run = doctor(&packages, &[]);
    assert_eq!(run.status, 1);
    assert!(run.out.contains("if nobody needs it: rm -r"), "{}", run.out);
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
