//! The texts in a package, to the letter.

use crate::project::{MAINTAINER, Project, member, says, text};

const SPEC: &str = r#"maintainer = "Jane Doe <jane@example.org>"
depends = ["adduser"]
[[files]]
source = "foo.conf"
path = "/etc/foo.conf"
[[links]]
path = "/usr/bin/foo"
target = "../lib/erlang/lib/foo-1.0-rc1/priv/data/one"
[[directories]]
path = "/var/lib/foo"
mode = "0750"
[scripts]
postinst = "post.sh"
"#;

fn project() -> Project {
    let project = Project::new(SPEC);
    project.file("foo.conf", "a = 1\n");
    project.file("post.sh", "echo configured\n");
    project
}

#[test]
fn the_control_files() {
    let project = project();
    let deb = project.made("deb");
    assert!(
        text(&deb).ends_with("/out/erlang-foo_1.0~rc1-1_all.deb"),
        "{deb:?}"
    );
    assert_eq!(
        member(&deb, "control"),
        "Package: erlang-foo
Version: 1.0~rc1-1
Architecture: all
Maintainer: Jane Doe <jane@example.org>
Installed-Size: 29
Depends: erlang-base (>= 1:25), erlang-bar (>= 2.1), erlang-crypto (>= 1:25), adduser
Suggests: erlang-opt, erlrc
Provides: erlang-app-foo (= 1.0~rc1)
Section: libs
Priority: optional
Multi-Arch: foreign
Homepage: https://foo.example
Description: Counts what passes by
 This package holds the OTP application foo. Where erlrc is installed, the
 Erlang nodes of the host that run it follow every upgrade of the package
 without a restart.
"
    );
    assert_eq!(
        member(&deb, "conffiles"),
        "/etc/erlrc.d/applications/foo\n/etc/foo.conf\n"
    );
    for script in ["preinst", "prerm", "postrm"] {
        assert_eq!(
            member(&deb, script),
            format!(
                "#!/bin/sh
set -e

if [ -z \"${{DPKG_ROOT:-}}\" ] && command -v erlrc >/dev/null; then
    erlrc maint deb {script} \\
        --app 'foo=1.0-rc1=/usr/lib/erlang/lib/foo-1.0-rc1' \\
        --min 'bar>=2.1' \\
        -- \"$@\" >&2 \\
        || case $? in
        2 | 126 | 127) echo \"erlrc: this erlrc does not serve the package, its nodes are left alone\" >&2 ;;
        *) exit $? ;;
        esac
fi
"
            )
        );
    }
    assert!(member(&deb, "postinst").ends_with("fi\n\necho configured\n"));
}

#[test]
fn the_files() {
    let project = project();
    let deb = project.made("deb");
    let listed = says("dpkg-deb", &["--contents", text(&deb)]);
    let listed: Vec<String> = listed
        .lines()
        .filter(|line| !line.ends_with("/./") && !line.starts_with("drwxr-xr-x"))
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(fields[3], "2023-11-14", "{line}");
            format!("{} {} {}", fields[0], fields[1], fields[5..].join(" "))
        })
        .collect();
    assert_eq!(
        listed,
        [
            "-rw-r--r-- root/root etc/erlrc.d/applications/foo",
            "-rw-r--r-- root/root etc/foo.conf",
            "lrwxrwxrwx root/root usr/bin/foo -> ../lib/erlang/lib/foo-1.0-rc1/priv/data/one",
            "-rw-r--r-- root/root usr/lib/erlang/lib/foo-1.0-rc1/ebin/foo.app",
            "-rw-r--r-- root/root usr/lib/erlang/lib/foo-1.0-rc1/include/foo.hrl",
            "-rw-r--r-- root/root usr/lib/erlang/lib/foo-1.0-rc1/priv/data/one",
            "-rw-r--r-- root/root usr/lib/erlrc/apps/foo",
            "-rw-r--r-- root/root usr/share/doc/erlang-foo/changelog.Debian.gz",
            "-rw-r--r-- root/root usr/share/doc/erlang-foo/copyright",
            "drwxr-x--- root/root var/lib/foo/",
        ]
    );
    let root = project.path("root");
    says("dpkg-deb", &["--extract", text(&deb), text(&root)]);
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect(path);
    assert_eq!(
        read("usr/lib/erlrc/apps/foo"),
        "{foo,\"1.0-rc1\",\"/usr/lib/erlang/lib/foo-1.0-rc1\"}.\n"
    );
    assert_eq!(read("etc/erlrc.d/applications/foo"), "");
}

/// What the application says itself stays; the specification has the last word.
#[test]
fn the_choice_of_migrations_is_in_the_package() {
    let terms = "{erlrc, [{migrate, lossy}, {maintainer, \"Jane Doe <jane@example.org>\"}]}.\n";
    let unpacked = |project: &Project| {
        project.file("rebar.config", terms);
        let run = project.package(&["--spec", "rebar.config", "foo"]);
        assert_eq!(run.status, Some(0), "{}", run.err);
        let root = project.path("root");
        let deb = run.out.trim().to_owned();
        says("dpkg-deb", &["--extract", &deb, text(&root)]);
        let file = root.join("usr/lib/erlang/lib/foo-1.0-rc1/priv/foo.migration");
        std::fs::read_to_string(file).expect("a file")
    };
    let project = Project::new("");
    assert_eq!(unpacked(&project), "{migrate, lossy}.\n");
    project.file("foo/priv/foo.migration", "{migrate, none}.\n");
    assert_eq!(
        unpacked(&project),
        "{migrate, none}.\n\n{migrate, lossy}.\n"
    );
}

#[test]
fn a_package_of_every_form_of_specification() {
    let project = Project::new("");
    let terms = "{deps, []}.\n{erlrc, [{prefix, \"\"}, {otp, 25}, {revision, \"3\"}, {register, false}, \
                 {maintainer, \"Jane Doe <jane@example.org>\"}]}.\n";
    project.file("rebar.config", terms);
    let run = project.package(&["--spec", "rebar.config", "--json", "foo"]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let made: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(
        (&made["package"], &made["vsn"]),
        (&"foo".into(), &"1.0~rc1-3".into())
    );
    let deb = project.path("foo_1.0~rc1-3_all.deb");
    assert!(member(&deb, "control").contains("bar (>= 2.1)"));
    let listed = says("dpkg-deb", &["--contents", text(&deb)]);
    assert!(!listed.contains("applications/foo"), "{listed}");
    // What is asked for wins.
    let run = project.package(&["--spec", "rebar.config", "--revision", "4", "foo"]);
    assert!(run.out.ends_with("/foo_1.0~rc1-4_all.deb\n"), "{}", run.out);
}

#[test]
fn the_release_that_compiled_the_modules_is_the_oldest_one() {
    let project = Project::new(MAINTAINER);
    project.file("erlrc.toml", MAINTAINER);
    project.file("foo.erl", "-module(foo).\n-export([f/0]).\nf() -> 1.\n");
    crate::support::compile(&project.path("foo.erl"), &project.path("foo/ebin"));
    let release = "io:put_chars(erlang:system_info(otp_release)), halt().";
    let output = crate::support::erl()
        .args(["-noshell", "-eval", release])
        .output()
        .expect("erl");
    let release = String::from_utf8(output.stdout).expect("digits");
    let control = member(&project.made("deb"), "control");
    assert!(
        control.contains(&format!("erlang-base (>= 1:{release})")),
        "{control}"
    );
}
