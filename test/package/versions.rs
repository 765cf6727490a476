//! Versions keep their order on the way into packages, as dpkg sees it.

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
