//! Releases of what a Debian package depends on.

use crate::host::Host;
use crate::shop::{json, library, own, release, tally};

#[track_caller]
fn depends(host: &Host, version: &str, depends: &str) -> serde_json::Value {
    let text = format!("Package: shop\nDepends: {depends}\n");
    let file = host.file("control", &text, 0o644).display().to_string();
    json(host, &["make", "shop", version, "--from-control", &file])
}

#[test]
fn the_versions_are_those_that_the_dependencies_allow() {
    let host = Host::without_epmd();
    for vsn in ["1.0", "1.1", "1.1.1", "1.2"] {
        tally(&host, vsn);
    }
    library(&host, "p1_xml", "3", "");
    let made = depends(&host, "1", "tally (>= 1.1), tally (<< 1.1.~next), adduser");
    assert_eq!(own(&made), ["tally 1.1 temporary"]);
    assert_eq!(made["passed_over"], serde_json::json!(["adduser"]));
    let made = depends(
        &host,
        "2",
        "tally (>= 1.1.1-1), tally (<< 1.2), erlang-p1-xml, ${misc:Depends}",
    );
    assert_eq!(own(&made), ["p1_xml 3 temporary", "tally 1.1.1 temporary"]);
    let made = depends(&host, "3", "tally (= 1.0-2), erlang-base (>= 1:25)");
    assert_eq!(own(&made), ["tally 1.0 temporary"]);
}

#[test]
fn what_the_dependencies_do_not_allow_is_refused() {
    let host = Host::without_epmd();
    tally(&host, "1.0");
    let refuses = |text: &str, says: &str| {
        let file = host.file("control", text, 0o644).display().to_string();
        let run = release(&host, &["make", "shop", "1", "--from-control", &file]);
        run.is("", 1).says(says);
    };
    let depends = |text: &str| format!("Package: shop\nDepends: {text}\n");
    refuses(
        &depends("tally (>= 2)"),
        "tally >= 2 is nowhere to be found; there is 1.0",
    );
    refuses(
        &depends("tally (= 1.0), tally (= 2.0)"),
        "tally is asked for in two versions",
    );
    refuses(
        &depends("erlang-base (>= 1:99)"),
        "it depends on erlang-base (>= 1:99), and OTP",
    );
    refuses(&depends("tally (1.0)"), "\"tally (1.0)\" is no dependency");
    refuses(
        "Package: a\n\nPackage: b\n",
        "it describes a, b, and none is called shop",
    );
    let run = release(
        &host,
        &["make", "shop", "1", "--from-control", "/nonexistent"],
    );
    run.is("", 1).says("cannot read /nonexistent");
    let run = release(&host, &["make", "shop", "1", "--from-control", "/dev/zero"]);
    run.is("", 1).says("is not a regular file");
}
