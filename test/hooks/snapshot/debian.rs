//! A package state of one's own: dpkg and apt of this system, on a database, a cache and a repository in the host's directory.

use crate::host::{Host, Run};
use crate::schema::Schemas;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

pub struct Debian {
    pub host: Host,
    schemas: Schemas,
}

impl Debian {
    pub fn new() -> Self {
        let debian = Self {
            host: Host::without_epmd(),
            schemas: Schemas::read(),
        };
        for dir in [
            "dpkg/info",
            "dpkg/updates",
            "installed",
            "repository",
            "apt/etc/apt.conf.d",
            "apt/state/lists/partial",
            "apt/cache/archives/partial",
        ] {
            fs::create_dir_all(debian.host.path(dir)).expect("directories");
        }
        let path = |name: &str| debian.host.path(name).display().to_string();
        debian.host.file("dpkg/status", "", 0o644);
        debian.host.file("dpkg/available", "", 0o644);
        let configuration = format!(
            "Dir::Etc \"{}\";\nDir::State \"{}\";\nDir::State::status \"{}\";\nDir::Cache \"{}\";\n\
             APT::Sandbox::User \"root\";\nDir::Log \"{}\";\n",
            path("apt/etc"),
            path("apt/state"),
            path("dpkg/status"),
            path("apt/cache"),
            path("apt"),
        );
        debian.host.file("apt/apt.conf", &configuration, 0o644);
        let source = format!("deb [trusted=yes] file:{} ./\n", path("repository"));
        debian.host.file("apt/etc/sources.list", &source, 0o644);
        debian
    }

    /// The package file `NAME_VERSION_all.deb` of an application, with `text` as what is in its one file.
    pub fn deb(&self, name: &str, version: &str, text: &str) -> PathBuf {
        let tree = self.host.path(&format!("tree-{name}"));
        let _ = fs::remove_dir_all(&tree);
        let apps = self.host.path("apps");
        let metadata = tree.join(apps.strip_prefix("/").expect("an absolute path"));
        fs::create_dir_all(&metadata).expect("directories");
        fs::create_dir_all(tree.join("DEBIAN")).expect("directories");
        fs::write(metadata.join(name), text).expect("a file");
        let digest = format!("{:x}", md5::compute(text));
        let file = metadata.join(name);
        let listed = file.strip_prefix(&tree).expect("below the tree");
        let list = format!("{digest}  {}\n", listed.display());
        fs::write(tree.join("DEBIAN/md5sums"), list).expect("a file");
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Jane <jane@example.org>\nDescription: {text}\n"
        );
        fs::write(tree.join("DEBIAN/control"), control).expect("a file");
        let deb = self.host.path(&format!("{name}_{version}_all.deb"));
        let words = ["--root-owner-group", "-Znone", "-b"];
        self.run(Command::new("dpkg-deb").args(words).arg(&tree).arg(&deb));
        deb
    }

    /// Installs a package file, and lets it have installed its application where the command looks for one.
    pub fn install(&self, name: &str, version: &str, text: &str) -> PathBuf {
        let deb = self.deb(name, version, text);
        fs::write(self.host.path(&format!("apps/{name}")), text).expect("a file");
        self.dpkg(&["-i", &deb.display().to_string()]);
        deb
    }

    pub fn dpkg(&self, words: &[&str]) {
        let installed = self.host.path("installed");
        self.run(
            Command::new("dpkg")
                .arg("--force-not-root,bad-path,downgrade")
                .arg("--log=/dev/null")
                .arg(format!("--instdir={}", installed.display()))
                .args(words),
        );
    }

    /// Puts a package file into apt's archive cache.
    pub fn cache(&self, deb: &PathBuf) {
        let name = deb.file_name().expect("a name");
        fs::copy(deb, self.host.path("apt/cache/archives").join(name)).expect("a copy");
    }

    /// Makes these package files all that the repository has.
    pub fn publish(&self, debs: &[&PathBuf]) {
        let mut index = String::new();
        for deb in debs {
            let name = deb.file_name().expect("a name").to_str().expect("text");
            fs::copy(deb, self.host.path("repository").join(name)).expect("a copy");
            let control = self.run(Command::new("dpkg-deb").arg("-f").arg(deb));
            let sum = self.run(Command::new("sha256sum").arg(deb));
            let sum = sum.split(' ').next().expect("a sum");
            let size = fs::metadata(deb).expect("a file").len();
            writeln!(
                index,
                "{control}Filename: ./{name}\nSize: {size}\nSHA256: {sum}\n"
            )
            .expect("text");
        }
        self.host.file("repository/Packages", &index, 0o644);
        self.run(Command::new("apt-get").args(["-q", "update"]));
    }

    /// Runs a command on this package state; what it prints.
    #[track_caller]
    pub fn run(&self, command: &mut Command) -> String {
        self.environment(command);
        let output = command.output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {text}{errors}");
        text
    }

    fn environment(&self, command: &mut Command) {
        command
            .env("DPKG_ADMINDIR", self.host.path("dpkg"))
            .env("APT_CONFIG", self.host.path("apt/apt.conf"))
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C");
    }

    /// `erlrc snapshot` with these words, yet to be run.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.host.command(&[&["snapshot"], words].concat());
        self.environment(&mut command);
        command
    }

    pub fn snapshot(&self, words: &str) -> Run {
        let words: Vec<&str> = words.split(' ').collect();
        Run::of(self.command(&words).output().expect("erlrc runs"))
    }

    /// What it tells machines, which is what its schema says.
    #[track_caller]
    pub fn json(&self, words: &str, status: i32) -> Value {
        let run = self.snapshot(&format!("{words} --json"));
        assert_eq!(run.status, status, "{words}: {}{}", run.out, run.err);
        let value: Value = serde_json::from_str(&run.out).expect("JSON");
        assert_eq!(
            self.schemas.errors(&value),
            Vec::<String>::new(),
            "{value:#}"
        );
        value
    }

    /// The origins of the package files of a snapshot, `none` where none is kept.
    #[track_caller]
    pub fn origins(&self, tag: &str) -> String {
        let value = self.json(&format!("show {tag}"), 0);
        let packages = value["packages"].as_array().expect("packages");
        let origin = |one: &Value| one["file"]["origin"].as_str().unwrap_or("none").to_owned();
        packages.iter().map(origin).collect::<Vec<_>>().join(" ")
    }

    /// What is in the directory of snapshots, without the lock and the pool.
    pub fn left(&self) -> Vec<String> {
        let mut names = names(&self.host.path("state/snapshots"));
        names.retain(|name| name != ".lock" && name != "pool");
        names
    }

    pub fn pool(&self) -> Vec<String> {
        names(&self.host.path("state/snapshots/pool"))
    }
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
