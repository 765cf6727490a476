//! What apt is told before it changes anything.

use crate::host::Run;
use crate::package::Packages;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

/// A package of `foo` 2.0, with an appup if one is given.
fn deb(packages: &Packages, appup: Option<&str>) -> String {
    let root = packages.host.path("package");
    let dir = packages.dir("2.0");
    packages.unpack("2.0");
    if let Some(appup) = appup {
        fs::write(dir.join("ebin/foo.appup"), appup).expect("an appup");
    }
    let metadata = fs::read(packages.host.path("apps/foo")).expect("metadata");
    let inside = |path: &std::path::Path| root.join(path.strip_prefix("/").expect("absolute"));
    let apps = inside(&packages.host.path("apps"));
    let lib = inside(dir.parent().expect("a directory"));
    for directory in [&apps, &lib, &root.join("DEBIAN")] {
        fs::create_dir_all(directory).expect("a directory");
    }
    fs::write(apps.join("foo"), metadata).expect("metadata");
    fs::rename(&dir, lib.join("foo-2.0")).expect("moved");
    let control =
        "Package: foo\nVersion: 2.0-1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: foo\n";
    fs::write(root.join("DEBIAN/control"), control).expect("control");
    packages.metadata("1.0");
    let file = packages.host.path("foo_2.0-1_all.deb");
    let mut build = Command::new("dpkg-deb");
    build
        .args(["--root-owner-group", "-b"])
        .arg(&root)
        .arg(&file)
        .stdout(Stdio::null());
    assert!(build.status().expect("dpkg-deb runs").success());
    file.display().to_string()
}

fn preflight(packages: &Packages, text: &str) -> Run {
    let mut command = packages.host.command(&["maint", "apt-preflight"]);
    command.env("ERLRC_APPS", packages.host.path("apps"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("erlrc runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // One that is off ends without reading.
    let _ = stdin.write_all(text.as_bytes());
    drop(stdin);
    Run::of(child.wait_with_output().expect("an end"))
}

fn upgrade(deb: &str) -> String {
    format!("VERSION 3\nAPT::Architecture=all\n\nfoo 1.0-1 all no < 2.0-1 all no {deb}\n")
}

#[test]
fn what_is_hot_is_not_spoken_of() {
    let (packages, _node) = Packages::running();
    let deb = deb(&packages, None);
    packages
        .host
        .file("erlrc.conf", "{apt_preflight, strict}.\n", 0o644);
    let run = preflight(&packages, &upgrade(&deb));
    run.is("", 0);
    assert_eq!(run.err, "");
}

#[test]
fn what_is_not_is_said_and_vetoed_where_that_is_wanted() {
    let (packages, _node) = Packages::running();
    let appup = "{\"2.0\", [{\"1.0\", [restart_new_emulator]}], [{\"1.0\", []}]}.\n";
    let text = upgrade(&deb(&packages, Some(appup)));
    let line = "erlrc-preflight: n1: foo 1.0 -> 2.0: the emulator needs a restart";
    preflight(&packages, &text).is("", 0).says(line);
    packages
        .host
        .file("erlrc.conf", "{apt_preflight, strict}.\n", 0o644);
    preflight(&packages, &text).is("", 5).says(line);
    packages
        .host
        .file("erlrc.conf", "{apt_preflight, off}.\n", 0o644);
    let off = preflight(&packages, &text);
    off.is("", 0);
    assert_eq!(off.err, "");
    assert_eq!(packages.runs("n1"), "1.0");
}

#[test]
fn words_that_are_not_understood_veto_in_strict_mode_alone() {
    let packages = Packages::installed();
    preflight(&packages, "VERSION 2\n\n")
        .is("", 0)
        .says("not VERSION 3");
    preflight(&packages, &upgrade("/nowhere.deb"))
        .is("", 0)
        .says("cannot be unpacked");
    packages
        .host
        .file("erlrc.conf", "{apt_preflight, strict}.\n", 0o644);
    preflight(&packages, "VERSION 2\n\n").is("", 1);
}

/// The files of both versions say nothing against it; processes of the node do.
#[test]
fn what_a_live_node_says_is_vetoed_before_anything_changes() {
    let (packages, _node) = Packages::running();
    let text = upgrade(&deb(&packages, None));
    packages
        .host
        .file("erlrc.conf", "{apt_preflight, strict}.\n", 0o644);
    let eval = |text: &str| {
        packages.host.erlrc(&["eval", "n1", text]).is("ok\n", 0);
    };
    let vetoed = |status: i32, said: &str| {
        let run = preflight(&packages, &text);
        let line = "erlrc-preflight: n1: foo 1.0 -> 2.0: ";
        assert!(
            run.err.starts_with(line) && run.err.contains(said),
            "{run:?}"
        );
        assert_eq!(run.status, status, "{run:?}");
        assert_eq!(packages.runs("n1"), "1.0");
    };
    let passes = || {
        let run = preflight(&packages, &text);
        assert_eq!((run.status, run.err.as_str()), (0, ""), "{run:?}");
    };
    passes();
    // A state that code_change does not take.
    eval("gen_server:call(foo_server, {note, poisoned})");
    vetoed(1, "code_change fails for the state of 1 process");
    eval("sys:replace_state(foo_server, fun(S) -> tl(S) end), ok");
    passes();
    // A process that has not left the code before this one.
    let linger = "register(lingers, spawn(foo_server, linger, [])), {module, _} = code:load_file(foo_server), ok";
    eval(linger);
    vetoed(1, "foo_server");
    eval("R = monitor(process, lingers), lingers ! stop, receive {'DOWN', R, _, _, _} -> ok end");
    passes();
    // With a warning alone apt goes on.
    eval("gen_server:call(foo_server, {note, poisoned})");
    packages
        .host
        .file("erlrc.conf", "{apt_preflight, warn}.\n", 0o644);
    preflight(&packages, &text)
        .is("", 0)
        .says("code_change fails for the state of 1 process");
}
