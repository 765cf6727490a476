//! The packages of the rows: `erlrc package` makes them, once each; some get a further part in a script, as those of real
//! packages have.

use crate::fixture::{Fixture, run};
use crate::host::{PACKAGES, top};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

/// Where the packages are made; `host::PACKAGES` in the roots.
pub fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("a directory");
        let client = top().join("test/packages/sources/matrix_client.erl");
        run(Command::new("erlc").arg("-o").arg(&directory).arg(client));
        directory
    })
}

/// The file of erlrc's own package, as the roots see it: what `make deb` makes of what was built, or `ERLRC_TEST_DEB` names.
pub fn erlrc() -> &'static str {
    static FILE: OnceLock<String> = OnceLock::new();
    FILE.get_or_init(|| match std::env::var_os("ERLRC_TEST_DEB") {
        Some(file) => inside(Path::new(&file)),
        None => inside(&own()[0]),
    })
}

/// The same for rpm.
pub fn erlrc_rpm() -> &'static str {
    static FILE: OnceLock<String> = OnceLock::new();
    FILE.get_or_init(|| inside(&own()[1]))
}

/// Both, made in one go.
fn own() -> &'static [PathBuf; 2] {
    static FILES: OnceLock<[PathBuf; 2]> = OnceLock::new();
    FILES.get_or_init(|| {
        let build = top().join("packaging/build");
        let made = run(Command::new(build).arg("all").arg(directory()));
        let files: Vec<_> = made.lines().map(PathBuf::from).collect();
        files.try_into().expect("a .deb and an .rpm")
    })
}

/// An rpm that provides what Debian's own packages have brought: rpm knows nothing of them.
pub fn debian_rpm() -> &'static str {
    static FILE: OnceLock<String> = OnceLock::new();
    FILE.get_or_init(|| made_of_debian("25.2"))
}

fn made_of_debian(erlang: &str) -> String {
    let asked = run(Command::new("rpm")
        .args(["-q", "--requires", "-p"])
        .arg(&own()[1]));
    let own = |name: &&str| name.starts_with("rpmlib(") || name.starts_with("config(");
    let mut provided: Vec<String> = vec!["/bin/sh".to_owned()];
    for line in asked.lines().filter(|line| !own(line)) {
        let name = line.split(' ').next().unwrap_or_default();
        provided.push(match name.strip_prefix("erlang-") {
            Some(_) => format!("{name} = {erlang}"),
            None => name.to_owned(),
        });
    }
    let work = tempfile::tempdir_in(directory()).expect("a directory");
    let specification = work.path().join("debian.spec");
    let text = format!(
        "Name: debian\nVersion: {erlang}\nRelease: 1\nSummary: what is there\nLicense: none\nBuildArch: noarch\n\
         Provides: {}\n%description\nWhat is there.\n%files\n",
        provided.join(", ")
    );
    fs::write(&specification, text).expect("the specification");
    run(Command::new("rpmbuild")
        .arg("-bb")
        .arg("--define")
        .arg(format!("_topdir {}", work.path().display()))
        .arg(&specification));
    inside(
        &work
            .path()
            .join(format!("RPMS/noarch/debian-{erlang}-1.noarch.rpm")),
    )
}

/// The package of a later version of erlrc, in which every module is another one.
pub fn next_erlrc() -> &'static str {
    static FILE: OnceLock<String> = OnceLock::new();
    FILE.get_or_init(|| {
        let made = directory().join("erlrc-next.deb");
        let script = top().join("test/packages/next-erlrc");
        run(Command::new(script)
            .arg(directory().join(base(erlrc())))
            .arg(&made));
        inside(&made)
    })
}

fn base(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// Replaces every `{APP VSN TRAIT...}` by the file of that package, and `{rpm APP VSN TRAIT...}` by that of the rpm.
pub fn replaced(line: &str) -> String {
    let mut parts = line.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('}') {
            Some((words, rest)) if is_package(words) => text += &(file(words) + rest),
            _ => text += &format!("{{{part}"),
        }
    }
    text
}

/// Shell and Erlang have braces of their own.
fn is_package(words: &str) -> bool {
    let mut words = words.trim_start_matches("rpm ").split(' ');
    let sign = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_name = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase()) && word.bytes().all(sign)
    };
    let is_vsn = |word: &str| word.starts_with(|byte: char| byte.is_ascii_digit());
    words.next().is_some_and(is_name) && words.next().is_some_and(is_vsn)
}

type Cell = Arc<OnceLock<String>>;

fn file(words: &str) -> String {
    static FILES: Mutex<Option<HashMap<String, Cell>>> = Mutex::new(None);
    let cell = {
        let mut files = FILES.lock().expect("whole files");
        Arc::clone(
            files
                .get_or_insert_default()
                .entry(words.to_owned())
                .or_default(),
        )
    };
    cell.get_or_init(|| make(words)).clone()
}

fn make(words: &str) -> String {
    let (format, fixture) = match words.strip_prefix("rpm ") {
        Some(rest) => ("rpm", Fixture::parse(rest)),
        None => ("deb", Fixture::parse(words)),
    };
    let work = tempfile::tempdir_in(directory()).expect("a directory");
    let built = work.path().join(&fixture.app);
    fixture.build(&built);
    let erlrc = env!("CARGO_BIN_EXE_erlrc");
    let specification = work.path().join("erlrc.toml");
    fs::write(&specification, fixture.package()).expect("the specification");
    let made = run(Command::new(erlrc)
        .args(["package", "--format", format, "--spec"])
        .arg(specification)
        .arg("--output")
        .arg(work.path())
        .arg(&built));
    let made = PathBuf::from(made.trim());
    extended(&made, &fixture, work.path());
    let name = words.replace([' ', '=', ':', '>', '<', '/'], "_");
    let target = directory().join(format!("{name}.{format}"));
    fs::rename(&made, &target).expect("the package");
    inside(&target)
}

/// The traits that change a package as `erlrc package` made it: `break=SCRIPT:ARGUMENT` lets a further part of that script
/// fail, `block=SCRIPT:ARGUMENT` stops it there until `/tmp/go` is there, `owns=FILE` adds a file.
fn extended(made: &Path, fixture: &Fixture, work: &Path) {
    let part = |value: &str, what: &str| {
        let (script, argument) = value.split_once(':').expect("SCRIPT:ARGUMENT");
        (
            script.to_owned(),
            format!("case \"$1\" in {argument}) {what} ;; esac\n"),
        )
    };
    let fails = fixture
        .values("break")
        .map(|value| part(value, "echo broken >&2; exit 1"));
    let stops = fixture.values("block").map(|value| {
        part(
            value,
            "if ! test -e /tmp/go; then touch /tmp/blocked; sleep 1000; fi",
        )
    });
    let parts: Vec<_> = fails.chain(stops).collect();
    if parts.is_empty() && fixture.value("owns").is_none() {
        return;
    }
    let tree = work.join("tree");
    run(Command::new("dpkg-deb").arg("-R").args([made, &tree]));
    for (script, part) in parts {
        let file = tree.join("DEBIAN").join(script);
        let text = fs::read_to_string(&file).unwrap_or_else(|_| "#!/bin/sh\nset -e\n".to_owned());
        fs::write(&file, text + &part).expect("the script");
        run(Command::new("chmod").arg("755").arg(&file));
    }
    for file in fixture.values("owns") {
        let file = tree.join(file.trim_start_matches('/'));
        fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        fs::write(file, "").expect("a file");
    }
    run(Command::new("dpkg-deb")
        .args(["-Znone", "--root-owner-group", "-b"])
        .args([&tree, made]));
}

fn inside(file: &Path) -> String {
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    if file.parent() != Some(directory()) {
        fs::copy(file, directory().join(name)).expect("a copy");
    }
    format!("{PACKAGES}/{name}")
}
