//! Versions keep their order on the way into packages, as dpkg sees it.

use crate::project::{MAINTAINER, Project, member, run};
use erlrc::application::vsn;
use erlrc::package::version::{PackageVersion, vsn_of};
use proptest::prelude::*;
use std::cmp::Ordering;
use std::process::Command;

fn dpkg(a: &str, b: &str) -> Ordering {
    let holds = |relation| {
        let mut command = Command::new("dpkg");
        let status = command
            .args(["--compare-versions", a, relation, b])
            .status();
        status.expect("dpkg runs").success()
    };
    match (holds("lt"), holds("eq")) {
        (true, _) => Ordering::Less,
        (false, true) => Ordering::Equal,
        (false, false) => Ordering::Greater,
    }
}

/// Semantic versions: numbers, a candidate, what identifies the build.
fn semantic() -> impl Strategy<Value = String> {
    let candidate = prop_oneof![
        3 => Just(String::new()),
        1 => "-(rc|alpha|beta)\\.?[0-9]{0,2}",
    ];
    let build = prop_oneof![3 => Just(String::new()), 1 => "\\+[a-c0-9]{1,3}"];
    ("[0-9]{1,2}(\\.[0-9]{1,2}){0,2}", candidate, build).prop_map(|(a, b, c)| a + &b + &c)
}

/// Versions with a patch after a hyphen, as Debian's own have it; few enough to meet their equals. Patch
/// 0 is none to OTP applications, and a later package to dpkg.
fn patched() -> impl Strategy<Value = String> {
    let patch = prop_oneof![Just(String::new()), "-[1-3]".prop_map(|text| text)];
    ("[01](\\.[01])?", patch).prop_map(|(a, b)| a + &b)
}

fn packaged(vsn: &str) -> PackageVersion {
    PackageVersion::of_vsn(vsn, "1").expect("a version of a package")
}

fn check(a: &str, b: &str) -> Result<(), TestCaseError> {
    let (x, y) = (packaged(a), packaged(b));
    prop_assert_eq!(dpkg(&x.deb(), &y.deb()), vsn::compare(a, b), "{} {}", a, b);
    // A package satisfies `>=` exactly where the application does.
    let satisfied = dpkg(&x.deb(), &y.deb_at_least()).is_ge();
    prop_assert_eq!(satisfied, vsn::compare(a, b).is_ge(), "{} >= {}", a, b);
    for vsn in [a, b] {
        prop_assert_eq!(vsn_of(&packaged(vsn).deb()), vsn);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_order_of_semantic_versions_is_kept(a in semantic(), b in semantic()) {
        check(&a, &b)?;
    }

    #[test]
    fn the_order_of_patched_versions_is_kept(a in patched(), b in patched()) {
        check(&a, &b)?;
    }
}

#[test]
fn a_revision_counts_within_a_version_alone() {
    let of = |vsn, revision| {
        PackageVersion::of_vsn(vsn, revision)
            .expect("a version")
            .deb()
    };
    assert_eq!(dpkg(&of("1.0", "1"), &of("1.0", "2")), Ordering::Less);
    assert_eq!(dpkg(&of("1.0-rc1", "9"), &of("1.0", "1")), Ordering::Less);
    assert_eq!(dpkg(&of("1.0", "9"), &of("1.0.1", "1")), Ordering::Less);
}

/// In a release the version is part of the directory's name; several may lie there.
#[test]
fn siblings_are_found_under_names_with_versions() {
    let project = Project::new(MAINTAINER);
    let rename = |from: &str, to: &str| {
        std::fs::rename(project.path(from), project.path(to)).expect("a directory");
    };
    rename("bar", "bar-2.1");
    project.application("bar", "2.9", "");
    rename("bar", "bar-2.9");
    project.application("bar", "2.10", "");
    rename("bar", "bar-2.10");
    project.application("bar_none", "7", "");
    rename("bar_none", "bar-none-7");
    let control = member(&project.made("deb"), "control");
    assert!(control.contains("erlang-bar (>= 2.10)"), "{control}");
    let postinst = member(&project.made("deb"), "postinst");
    assert!(postinst.contains("bar>=2.10"), "{postinst}");
}

#[test]
fn whoever_has_an_address_has_a_name() {
    let project = Project::new("");
    let mut command = project.command(env!("CARGO_BIN_EXE_erlrc"));
    command.args(["package", "--output", "out", "foo"]);
    let made = run(command.env("DEBEMAIL", "jane@example.org"));
    assert_eq!((made.status, made.err.as_str()), (Some(0), ""));
    let control = member(
        std::path::Path::new(&project.path(made.out.trim_end())),
        "control",
    );
    let maintainer = control
        .lines()
        .find(|line| line.starts_with("Maintainer: "));
    let maintainer = maintainer.expect("a maintainer");
    assert!(maintainer.ends_with(" <jane@example.org>"), "{maintainer}");
    assert!(!maintainer.contains("Unknown"), "{maintainer}");
}

/// OTP 29 does not load what OTP 25 makes of the end of such a pattern; later compilers make something else of it.
#[test]
fn modules_that_a_later_release_does_not_load_bound_the_release() {
    let project = Project::new(MAINTAINER);
    let compile = |source: &str| {
        project.file("foo/src/foo.erl", source);
        let mut command = project.command("erlc");
        let compiled = run(command.args(["-o", "foo/ebin", "foo/src/foo.erl"]));
        assert_eq!(compiled.status, Some(0), "{}", compiled.out);
        member(&project.made("deb"), "control")
    };
    let control = compile("-module(foo).\n-export([f/1]).\nf(<<_:32>>) -> ok.\n");
    assert!(!control.contains("<<"), "{control}");
    let mut erl = project.command("erl");
    let release = "io:put_chars(erlang:system_info(otp_release)), halt().";
    let release = run(erl.args(["-noshell", "-eval", release])).out;
    let control = compile("-module(foo).\n-export([f/1]).\nf(<<X:32, _/binary>>) -> X.\n");
    let bound = "Depends: erlang-base (>= 1:25), erlang-base (<< 1:29~), ";
    assert_eq!(control.contains(bound), release == "25", "{control}");
}
