//! `erlrc plan --from-deb`: packages as `erlrc package` makes them, and packages that nobody should have made.

use crate::host::{Host, Run, foo};
use std::fs;
use std::path::Path;
use tar::{Builder, EntryType, Header};

/// A host with a directory of its own for what is unpacked.
fn host() -> Host {
    let host = Host::new();
    fs::create_dir(host.path("tmp")).unwrap();
    host
}

/// Runs it with that directory. Whatever comes of it, nothing is left there.
#[track_caller]
fn plan(host: &Host, arguments: &[&str]) -> Run {
    let mut command = host.command(&[&["plan"], arguments].concat());
    command.env("TMPDIR", host.path("tmp"));
    let run = Run::of(command.output().unwrap());
    assert_eq!(fs::read_dir(host.path("tmp")).unwrap().count(), 0);
    run
}

/// The package of a built application.
fn package(host: &Host, dir: &str) -> String {
    let spec = "maintainer = \"Jane Doe <jane@example.org>\"\notp = 25\n";
    let spec = host.file("erlrc.toml", spec, 0o644);
    let (spec, out) = (
        spec.display().to_string(),
        host.path("out").display().to_string(),
    );
    let run = host.erlrc(&["package", "--spec", &spec, "--output", &out, dir]);
    assert_eq!(run.status, 0, "{run:?}");
    run.out.trim_end().to_owned()
}

#[test]
fn a_package_is_held_against_what_a_node_runs() {
    let host = host();
    host.readable();
    let _node = host.node("n1");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")]);
    let deb = package(&host, &foo("2.0"));
    let asked = |arguments: &[&str]| plan(&host, &[arguments, &["--from-deb", &deb]].concat());
    let run = asked(&[]);
    let title = "foo 1.0 -> 2.0 on n1: hot\n";
    assert!(run.out.starts_with(title), "{run:?}");
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    // Tried on the live state: the node has read what was unpacked.
    host.erlrc(&[
        "eval",
        "n1",
        "gen_server:call(foo_server, {note, poisoned})",
    ]);
    let poisoned = asked(&["foo", "--json"]);
    let whole: serde_json::Value = serde_json::from_str(&poisoned.out).unwrap();
    assert_eq!(whole["verdict"], "would_fail", "{whole:#}");
    assert_eq!(
        whole["plans"][0]["to"]["dir"],
        "/usr/lib/erlang/lib/foo-2.0"
    );
    let failing = |finding: &serde_json::Value| finding["kind"] == "code_change_would_fail";
    let findings = whole["plans"][0]["findings"].as_array().unwrap();
    assert!(findings.iter().any(failing), "{whole:#}");
    host.erlrc(&["eval", "n1", "foo_server:history()"])
        .is("[poisoned,\"1.0\"]\n", 0);
    asked(&["bar"])
        .is("", 1)
        .says("the package holds no application bar");
}

#[test]
fn without_a_node_the_version_that_runs_has_to_be_named() {
    let host = host();
    let deb = package(&host, &foo("2.0"));
    let none = "no node to ask; --from names the version that runs and asks none\n";
    plan(&host, &["--from-deb", &deb]).is(none, 0);
    let run = plan(&host, &["--from", &foo("1.0"), "--from-deb", &deb]);
    assert!(run.out.starts_with("foo 1.0 -> 2.0: hot\n"), "{run:?}");
    let both = ["--from-deb", &deb, "--to", &foo("2.0")];
    assert_eq!(plan(&host, &both).status, 2);
}

/// A package with these members in its content: type, name and content or target.
fn hostile(host: &Host, members: &[(EntryType, &str, &str)]) -> String {
    let mut content = Builder::new(Vec::new());
    for (kind, name, text) in members {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o4755);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        let linked = matches!(kind, EntryType::Symlink | EntryType::Link);
        let text = if linked {
            header.set_link_name(text).unwrap();
            ""
        } else {
            text
        };
        header.set_size(text.len() as u64);
        header.set_cksum();
        content.append(&header, text.as_bytes()).unwrap();
    }
    let control = Builder::new(Vec::new()).into_inner().unwrap();
    let content = content.into_inner().unwrap();
    write(host, &[("control.tar", &control), ("data.tar", &content)])
}

fn write(host: &Host, members: &[(&str, &[u8])]) -> String {
    let file = host.path("hostile.deb");
    let mut archive = ar::Builder::new(fs::File::create(&file).unwrap());
    for (name, bytes) in [&[("debian-binary", &b"2.0\n"[..])], members].concat() {
        let header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        archive.append(&header, bytes).unwrap();
    }
    file.display().to_string()
}

fn spec(modules: &str) -> String {
    format!("{{application, foo, [{{vsn, \"2.0\"}}, {{modules, [{modules}]}}]}}.\n")
}

#[test]
fn what_is_no_file_of_an_application_never_comes_into_being() {
    let host = host();
    let secret = host.file("secret", "cookie", 0o600).display().to_string();
    let app = spec("foo_server, foo_sup");
    let deb = hostile(
        &host,
        &[
            (EntryType::Regular, "./lib/foo-2.0/ebin/foo.app", &app),
            (
                EntryType::Symlink,
                "./lib/foo-2.0/ebin/foo_server.beam",
                &secret,
            ),
            (EntryType::Fifo, "./lib/foo-2.0/ebin/foo_sup.beam", ""),
            (EntryType::Symlink, "./lib/foo-3.0", "/"),
            (
                EntryType::Link,
                "./lib/foo-2.0/ebin/other.app",
                "/etc/passwd",
            ),
        ],
    );
    let run = plan(&host, &["--from", &foo("1.0"), "--from-deb", &deb]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.out.contains("missing_beam"), "{run:?}");
    assert!(!format!("{run:?}").contains("cookie"), "{run:?}");
}

/// A package with a file of an application in each of these directories.
fn with_directories(host: &Host, directories: impl Iterator<Item = String>) -> String {
    let mut content = Builder::new(Vec::new());
    for directory in directories {
        let mut header = Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o644);
        let name = format!("./{directory}/ebin/foo.app");
        content.append_data(&mut header, name, &[][..]).unwrap();
    }
    let control = Builder::new(Vec::new()).into_inner().unwrap();
    let content = content.into_inner().unwrap();
    write(host, &[("control.tar", &control), ("data.tar", &content)])
}

#[test]
fn directories_are_bounded_in_depth_and_number() {
    let host = host();
    let refused = |deb: &str, why: &str| {
        plan(&host, &["--from", &foo("1.0"), "--from-deb", deb])
            .is("", 1)
            .says(why);
    };
    let deep = |count: usize| std::iter::once(vec!["d"; count].join("/"));
    let why = "a file of it lies deeper than one of an application would";
    refused(&with_directories(&host, deep(15)), why);
    refused(&with_directories(&host, deep(1500)), why);
    let none = "the package holds no application";
    refused(&with_directories(&host, deep(14)), none);
    let many = with_directories(&host, (0..10_001).map(|number| format!("d{number}")));
    refused(&many, "it has more directories than applications may have");
}

#[test]
fn what_a_killed_command_unpacked_goes_with_the_next() {
    let host = host();
    let deb = package(&host, &foo("2.0"));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    host.entry("n1", &format!("{}\nport={port}\n", crate::host::COOKIE));
    let unpacked = || {
        let names = fs::read_dir(host.path("tmp")).unwrap();
        names.flatten().map(|entry| entry.path()).next()
    };
    let kill = || {
        let mut command = host.command(&["plan", "--from-deb", &deb, "--connect-timeout", "100"]);
        let mut process = command.env("TMPDIR", host.path("tmp")).spawn().unwrap();
        // It waits for a node that does not speak, and has unpacked before that.
        let connection = silent.accept().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        drop(connection);
        assert!(unpacked().is_some());
    };
    kill();
    plan(&host, &["--from", &foo("1.0"), "--from-deb", &deb]);
    kill();
    let mut doctor = host.command(&["doctor", "--yes", "--connect-timeout", "1"]);
    fs::remove_file(host.path("nodes/n1")).unwrap();
    doctor.env("TMPDIR", host.path("tmp")).output().unwrap();
    assert_eq!(unpacked(), None);
}

#[test]
fn a_package_that_is_none_is_refused_in_words() {
    let host = host();
    let app = spec("");
    let of = |members: &[(EntryType, &str, &str)]| hostile(&host, members);
    let from = foo("1.0");
    let refused = |deb: &str, why: &str| {
        plan(&host, &["--from", &from, "--from-deb", deb])
            .is("", 1)
            .says(why);
    };
    refused("/nonexistent.deb", "is no package that dpkg-deb can unpack");
    let outside = of(&[(EntryType::Regular, "../../ebin/foo.app", &app)]);
    refused(&outside, "a file of it would lie outside of it");
    let absolute = of(&[(EntryType::Regular, "/tmp/erlrc/ebin/foo.app", &app)]);
    refused(&absolute, "a file of it would lie outside of it");
    refused(&of(&[]), "the package holds no application");
    let several = of(&[
        (EntryType::Regular, "./lib/foo-2.0/ebin/foo.app", &app),
        (EntryType::Regular, "./lib/bar-1.0/ebin/bar.app", &app),
    ]);
    refused(&several, "the package holds several applications: bar, foo");
    let broken = of(&[(EntryType::Regular, "./lib/foo-2.0/ebin/foo.app", "{applic")]);
    refused(&broken, "foo.app");
    refused(&write(&host, &[("control.tar", b"x")]), "can unpack");
    let garbage = write(&host, &[("control.tar", b""), ("data.tar", &[7; 5000])]);
    refused(&garbage, "cannot be read");
    truncated(&package(&host, &foo("2.0")), |deb| {
        let run = plan(&host, &["--from", &from, "--from-deb", deb]);
        assert_eq!((run.status, run.out.as_str()), (1, ""), "{run:?}");
    });
}

/// The package, cut off at several places.
fn truncated(deb: &str, check: impl Fn(&str)) {
    let bytes = fs::read(deb).unwrap();
    let short = Path::new(deb).with_extension("short.deb");
    for part in 1..8 {
        fs::write(&short, &bytes[..bytes.len() * part / 8]).unwrap();
        check(&short.display().to_string());
    }
}
