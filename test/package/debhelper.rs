//! Debian source packages: the skeleton, and the add-on of debhelper that it uses.

use crate::project::{Project, Run, member, run, says, text};
use std::os::unix::fs::symlink;

const SPEC: &str = r#"maintainer = "Jane Doe <jane@example.org>"
recommends = ["adduser"]
migrate = "fields"
[[files]]
source = "foo.conf"
path = "/etc/foo.conf"
[[links]]
path = "/usr/bin/foo"
target = "true"
[scripts]
postinst = "post.sh"
prerm = "post.sh"
"#;

/// A project with its `debian`, and the programs that a build of it needs on the search path.
fn source_package() -> Project {
    let project = Project::new(SPEC);
    project.file("foo.conf", "a = 1\n");
    project.file("post.sh", "echo own\n");
    project.file("bin/.keep", "");
    for name in ["erlrc", "dh_erlrc"] {
        symlink(env!("CARGO_BIN_EXE_erlrc"), project.path("bin").join(name)).expect("a link");
    }
    let run = project.package(&["--emit", ".", "foo"]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    project
}

fn in_project(project: &Project, program: &str, arguments: &[&str]) -> Run {
    let path = std::env::var("PATH").expect("a search path");
    let mut command = project.command(program);
    command
        .args(arguments)
        .env("PATH", format!("{}:{path}", text(&project.path("bin"))))
        .env(
            "PERL5LIB",
            concat!(env!("CARGO_MANIFEST_DIR"), "/packaging"),
        );
    run(&mut command)
}

#[test]
fn the_skeleton_builds_the_same_package() {
    let project = source_package();
    // Its build dependency is what this test is made from.
    let built = in_project(&project, "dpkg-buildpackage", &["-us", "-uc", "-b", "-d"]);
    assert_eq!(built.status, Some(0), "{}{}", built.out, built.err);
    let deb = project.path("../erlang-foo_1.0~rc1-1_all.deb");
    let control = member(&deb, "control");
    let direct = member(&project.made("deb"), "control");
    for field in [
        "Depends",
        "Recommends",
        "Suggests",
        "Provides",
        "Multi-Arch",
        "Homepage",
        "Description",
    ] {
        let of = |text: &str| {
            let found = text
                .lines()
                .find(|line| line.starts_with(&format!("{field}: ")));
            found.map(str::to_owned)
        };
        assert!(of(&control).is_some(), "{field}: {control}");
        assert_eq!(of(&control), of(&direct), "{field}");
    }
    let files = |deb: &std::path::Path| {
        let listed = says("dpkg-deb", &["--contents", text(deb)]);
        let mut names: Vec<String> = listed
            .lines()
            .filter(|line| !line.starts_with('d'))
            .map(|line| {
                line.split_whitespace()
                    .skip(5)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .map(|name| name.trim_start_matches("./").to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(files(&deb), files(&project.made("deb")));
    assert_eq!(
        member(&deb, "conffiles"),
        "/etc/erlrc.d/applications/foo\n/etc/foo.conf\n"
    );
}

fn nothing_written(project: &Project) -> String {
    let debian = project.path("debian");
    format!(
        "nothing written: {} has all files already\n",
        debian.display()
    )
}

#[test]
fn what_a_person_wrote_is_left_alone() {
    let project = source_package();
    let mine = "Source: mine\n\nPackage: erlang-foo\n";
    project.file("debian/control", mine);
    let run = project.package(&["--emit", ".", "foo"]);
    assert_eq!((run.status, run.out), (Some(0), nothing_written(&project)));
    let control = std::fs::read_to_string(project.path("debian/control")).expect("the file");
    assert_eq!(control, mine);
}

#[test]
fn a_second_package_of_a_source_is_asked_for_in_words() {
    let project = source_package();
    let before = std::fs::read_to_string(project.path("debian/control")).expect("the file");
    let run = project.package(&["--emit", ".", "bar"]);
    assert_eq!(run.status, Some(1));
    assert!(
        run.err.contains("add to it:\n\nPackage: erlang-bar\n"),
        "{}",
        run.err
    );
    let after = std::fs::read_to_string(project.path("debian/control")).expect("the file");
    assert_eq!(before, after);
    let stanza = run.err.split_once("\n\n").expect("a stanza").1;
    project.file("debian/control", &format!("{before}\n{stanza}"));
    let again = project.package(&["--emit", ".", "bar"]);
    assert_eq!(
        (again.status, again.out),
        (Some(0), nothing_written(&project))
    );
}

#[test]
fn the_packages_of_one_source_depend_on_each_other() {
    let project = Project::new("");
    project.file(
        "debian/control",
        "Source: both\n\nPackage: one\n\nPackage: two\n",
    );
    project.file("debian/one.erlrc", "# the application\nfoo\n");
    project.file("debian/two.erlrc", "bar\n");
    project.file("debian/one.prerm.debhelper", "# others\n");
    project.file("debian/one.substvars", "misc:Depends=\nerlrc:Depends=old\n");
    let run_it = || {
        run(project.command(env!("CARGO_BIN_EXE_erlrc")).args([
            "debhelper",
            "-v",
            "-O--parallel",
            "-a",
        ]))
    };
    let first = run_it();
    assert_eq!(first.status, Some(0), "{}", first.err);
    assert_eq!(
        first.out,
        "\tdh_erlrc: foo in one\n\tdh_erlrc: bar in two\n"
    );
    let read = |name: &str| std::fs::read_to_string(project.path(name)).expect(name);
    let once = (
        read("debian/one.prerm.debhelper"),
        read("debian/one.substvars"),
    );
    assert_eq!(
        once.1,
        "misc:Depends=
erlrc:Pre-Depends=
erlrc:Depends=erlang-base (>= 1:25), two (>= 2.1), erlang-crypto (>= 1:25)
erlrc:Suggests=erlang-opt, erlrc
erlrc:Provides=erlang-app-foo (= 1.0~rc1)
"
    );
    assert!(
        once.0.starts_with("# Automatically added by dh_erlrc\nif "),
        "{}",
        once.0
    );
    assert!(
        once.0
            .ends_with("# End automatically added section\n# others\n"),
        "{}",
        once.0
    );
    assert_eq!(read("debian/two/etc/erlrc.d/applications/bar"), "");
    // A second run changes nothing.
    assert_eq!(run_it().status, Some(0));
    assert_eq!(
        once,
        (
            read("debian/one.prerm.debhelper"),
            read("debian/one.substvars")
        )
    );
}
