//! Input that must not become a package.

use crate::project::{MAINTAINER, Project};
use std::os::unix::fs::symlink;

/// `foo` is refused with these words, and nothing is left behind.
#[track_caller]
fn refused(spec: &str, change: impl Fn(&Project), words: &str) {
    let project = Project::new(&format!("{MAINTAINER}{spec}"));
    change(&project);
    let run = project.package(&["--format", "all", "--output", "out", "foo"]);
    assert_eq!(run.status, Some(1), "{}{}", run.out, run.err);
    assert!(run.err.contains(words), "{}", run.err);
    assert!(
        !run.err
            .trim_end()
            .chars()
            .any(|c| c.is_control() && c != '\n'),
        "{:?}",
        run.err
    );
    assert!(!project.path("out").exists());
}

fn described(vsn: &str, keys: &str) -> impl Fn(&Project) {
    let (vsn, keys) = (vsn.to_owned(), keys.to_owned());
    move |project| project.application("foo", &vsn, &keys)
}

#[test]
fn an_application_that_no_package_can_hold() {
    refused(
        "",
        |project| std::fs::remove_dir_all(project.path("foo/ebin")).expect("removed"),
        "no ebin",
    );
    refused(
        "",
        |project| project.file("foo/ebin/baz.app", "x"),
        "several .app files",
    );
    refused(
        "",
        |project| project.file("foo/ebin/foo.app", "{application, foo, ["),
        "foo.app",
    );
    refused(
        "",
        |project| project.file("foo/ebin/foo.app", "{application, bar, []}."),
        "foo.app",
    );
    refused("", described("1.0\\n2", ""), "vsn");
    refused("", described("../../etc", ""), "vsn");
    refused("", described("1.0=/etc", ""), "vsn");
    refused("", described("", ""), "vsn");
    refused("", described("v1.0", ""), "does not start with a digit");
    refused("", described("1_0", ""), "which no package's version has");
    refused(
        "",
        described("1.0", "{description, \"a\\nPre-Depends: evil\"}"),
        "description",
    );
    let rename = |project: &Project| {
        let (from, to) = (
            project.path("foo/ebin/foo.app"),
            project.path("foo/ebin/Foo x.app"),
        );
        std::fs::rename(from, to).expect("renamed");
    };
    refused("", rename, "name \"Foo x\"");
}

#[test]
fn files_that_lead_elsewhere() {
    for target in [
        "/etc/passwd",
        "../../../bar/ebin/bar.app",
        "nowhere",
        "../../foo/../bar",
    ] {
        let link =
            |project: &Project| symlink(target, project.path("foo/priv/link")).expect("a link");
        refused("", link, "leads out of the application");
    }
    let newline = |project: &Project| project.file("foo/priv/a\nb", "");
    refused("", newline, "a name that is no plain text");
    let pipe = |project: &Project| {
        let made = std::process::Command::new("mkfifo")
            .arg(project.path("foo/priv/pipe"))
            .status();
        assert!(made.expect("mkfifo").success());
    };
    refused("", pipe, "neither a regular file nor a link");
    let huge = |project: &Project| {
        let file = std::fs::File::create(project.path("foo/priv/huge")).expect("a file");
        file.set_len(300 << 20).expect("a sparse file");
    };
    refused("", huge, "larger than 256 MiB");
    let native = |project: &Project| project.file("foo/priv/x.so", "\u{7f}ELF and no more");
    refused("", native, "is no sound ELF file");
    let deep = |project: &Project| project.file(&format!("foo/priv/{}x", "d/".repeat(40)), "");
    refused("", deep, "too deep");
}

#[test]
fn a_link_within_the_application_is_kept() {
    let project = Project::new(MAINTAINER);
    symlink("data/one", project.path("foo/priv/link")).expect("a link");
    // Build tools link to these from elsewhere.
    let (from, to) = (project.path("foo/include"), project.path("elsewhere"));
    std::fs::rename(&from, &to).expect("renamed");
    symlink(&to, &from).expect("a link");
    let listed = crate::project::says(
        "dpkg-deb",
        &["--contents", project.made("deb").to_str().expect("text")],
    );
    assert!(listed.contains("priv/link -> data/one\n"), "{listed}");
    assert!(listed.contains("include/foo.hrl\n"), "{listed}");
}

#[test]
fn a_specification_that_says_what_cannot_be() {
    let unchanged = |_: &Project| {};
    for (spec, words) in [
        ("nmae = \"x\"", "unknown key nmae"),
        ("name = \"Big_Name\"", "is no name of a package"),
        ("name = \"x y\"", "is no name of a package"),
        ("name = \"../../x\"", "is no name of a package"),
        ("summary = \"a\\nb\"", "summary is not text on one line"),
        (
            "homepage = \"a\\u001b[2J\"",
            "homepage is not text on one line",
        ),
        ("revision = \"1-2\"", "revision"),
        ("epoch = -1", "epoch is not a number"),
        ("depends = [\"a, b\"]", "depends is not a list of relations"),
        (
            "depends = [\"${shlibs:Depends}\"]",
            "depends is not a list of relations",
        ),
        (
            "multi-arch = \"maybe\"",
            "is neither no, same, foreign nor allowed",
        ),
        ("libdir = \"/usr/../etc\"", "libdir is not an absolute path"),
        ("[[files]]\nsource = \"nowhere\"\npath = \"/x\"", "nowhere"),
        (
            "[[files]]\nsource = \"erlrc.toml\"\npath = \"/usr/lib/erlrc/apps/foo\"",
            "two entries",
        ),
        ("[scripts]\npostinst = \"nowhere\"", "nowhere"),
        ("x = [", "erlrc.toml"),
    ] {
        refused(spec, unchanged, words);
    }
    let project = Project::new("maintainer = \"nobody\"");
    let run = project.package(&["foo"]);
    assert!(run.err.contains("is not `Name <address>`"), "{}", run.err);
}
