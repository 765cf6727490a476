//! What no release is made of, and releases that are not what was written.

use crate::host::Host;
use crate::shop::{json, library, release, tally};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[track_caller]
fn refuses(host: &Host, apps: &str, text: &str) {
    let run = release(host, &["make", "shop", "9", "--apps", apps]);
    run.is("", 1).says(text);
    assert!(!host.path("services/shop/releases/9").exists());
}

#[test]
fn sets_that_cannot_run_are_refused() {
    let host = Host::without_epmd();
    tally(&host, "1.0");
    library(&host, "bad", "1", "{applications, [kernel, stdlib, nope]}");
    library(&host, "over", "1", "{applications, [kernel, stdlib, bad]}");
    library(&host, "one", "1", "{applications, [kernel, stdlib, two]}");
    library(&host, "two", "1", "{applications, [kernel, stdlib, one]}");
    library(&host, "in_one", "1", "{included_applications, [inner]}");
    library(&host, "in_two", "1", "{included_applications, [inner]}");
    library(&host, "inner", "1", "");
    refuses(&host, "bad", "bad needs nope, which is nowhere to be found");
    refuses(
        &host,
        "over",
        "bad needs nope, which is nowhere to be found",
    );
    refuses(&host, "nope", "nope is nowhere to be found");
    refuses(&host, "one", "circular dependency: one, two");
    refuses(
        &host,
        "in_one,in_two",
        "'inner' is included by 'in_one' and by 'in_two'",
    );
    refuses(
        &host,
        "tally=1.0,tally=1.1",
        "tally is asked for in two versions, 1.0 and 1.1",
    );
    refuses(
        &host,
        "tally=2",
        "tally 2 is nowhere to be found; there is 1.0",
    );
    refuses(
        &host,
        "kernel=1",
        "kernel 1 is nowhere to be found; there is",
    );
    let ebin = host.path("lib/tally-1.0/ebin/tally.app");
    fs::write(ebin, "{application, tally, [").expect("a file");
    refuses(&host, "tally", "tally.app");
}

#[test]
fn names_that_would_lead_elsewhere_are_a_matter_of_usage() {
    let host = Host::without_epmd();
    for (service, version) in [
        ("../shop", "1"),
        ("shop", "../1"),
        ("shop", "."),
        ("shop", "1.tmp"),
        (".shop", "1"),
        ("sh op", "1"),
        ("shop", "1\u{1b}"),
    ] {
        let run = release(&host, &["make", service, version, "--apps", "sasl"]);
        assert_eq!(run.status, 2, "{service} {version}: {run:?}");
    }
    assert_eq!(release(&host, &["make", "shop", "1"]).status, 2);
    assert!(!host.path("services").exists());
}

#[track_caller]
fn is_refused_while_open(host: &Host, dir: &Path) {
    let mode = |mode| fs::set_permissions(dir, Permissions::from_mode(mode)).expect("a mode");
    for open in [0o775, 0o757] {
        mode(open);
        for arguments in [
            &["make", "shop", "2", "--apps", "tally"][..],
            &["show", "shop", "1"],
            &["default", "shop", "1"],
            &["diff", "shop", "1", "1"],
        ] {
            let run = release(host, arguments);
            run.is("", 1).says("can be written by group or others");
        }
    }
    mode(0o755);
    release(host, &["show", "shop", "1"]);
}

#[test]
fn directories_that_others_can_write_into_are_refused() {
    let host = Host::without_epmd();
    tally(&host, "1.0");
    json(&host, &["make", "shop", "1", "--apps", "tally"]);
    for name in ["services", "services/shop", "services/shop/releases"] {
        is_refused_while_open(&host, &host.path(name));
    }
    assert_eq!(release(&host, &["show", "shop", "1"]).status, 0);
    fs::create_dir_all(host.path("state/services/shop")).expect("a directory");
    let open = Permissions::from_mode(0o777);
    fs::set_permissions(host.path("state/services/shop"), open).expect("a mode");
    let run = release(&host, &["default", "shop", "1"]);
    run.is("", 1).says("can be written by group or others");
}

#[test]
fn a_release_that_is_not_what_was_written_is_named() {
    let host = Host::without_epmd();
    tally(&host, "1.0");
    let dir = host.path("services/shop/releases/1");
    let spoilt = |spoil: &dyn Fn()| {
        json(&host, &["make", "shop", "1", "--apps", "tally"]);
        for below in ["", "apps"] {
            let open = Permissions::from_mode(0o755);
            fs::set_permissions(dir.join(below), open).expect("a mode");
        }
        spoil();
        let run = release(&host, &["show", "shop", "1"]);
        assert_eq!(run.status, 1, "{run:?}");
        let listed = release(&host, &["list", "shop"]);
        assert!(
            listed.status == 1 && listed.out.contains("shop"),
            "{listed:?}"
        );
        assert_eq!(release(&host, &["default", "shop", "1"]).status, 1);
        let run = release(&host, &["make", "shop", "1", "--apps", "tally"]);
        assert_eq!(run.status, 1, "{run:?}");
        let run = release(&host, &["remove", "--yes", "shop", "1"]);
        run.is("shop 1: removed\n", 0);
    };
    let replace = |name: &str, text: &str| {
        fs::remove_file(dir.join(name)).expect("a file");
        fs::write(dir.join(name), text).expect("a file");
    };
    spoilt(&|| replace("apps/tally", "{tally,\"1.0\",\"/tmp\"}.\n"));
    spoilt(&|| replace("release", ""));
    spoilt(&|| replace("MANIFEST", "nonsense\n"));
    spoilt(&|| fs::remove_file(dir.join("MANIFEST")).expect("a file"));
    spoilt(&|| fs::remove_file(dir.join("apps/tally")).expect("a file"));
    spoilt(&|| fs::write(dir.join("more"), "").expect("a file"));
    spoilt(&|| std::os::unix::fs::symlink("/etc/passwd", dir.join("more")).expect("a link"));
}

#[test]
fn while_another_command_is_at_work_nothing_is_changed() {
    let host = Host::without_epmd();
    tally(&host, "1.0");
    json(&host, &["make", "shop", "1", "--apps", "tally"]);
    let lock = File::open(host.path("services/shop/releases")).expect("a directory");
    lock.lock().expect("a lock");
    for arguments in [
        &["make", "shop", "2", "--apps", "tally"][..],
        &["default", "shop", "1"],
        &["remove", "--yes", "shop", "1"],
    ] {
        let run = release(&host, arguments);
        run.is("", 1)
            .says("another command changes the releases of shop");
    }
    assert_eq!(release(&host, &["show", "shop", "1"]).status, 0);
    drop(lock);
    release(&host, &["remove", "--yes", "shop", "1"]).is("shop 1: removed\n", 0);
}
