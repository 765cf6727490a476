//! The package of `foo` on a host, unpacked and taken away as dpkg does it.

use crate::host::fixtures::bar;
use crate::host::{Host, Node, Run, foo};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A host with a directory of applications.
pub struct Packages {
    pub host: Host,
}

impl Packages {
    pub fn new() -> Self {
        let host = Host::new();
        fs::create_dir(host.path("lib")).expect("a directory");
        Self { host }
    }

    /// A host on which `foo` 1.0 is installed and registered.
    pub fn installed() -> Self {
        let packages = Self::new();
        packages.host.file("applications/foo", "", 0o644);
        packages.unpack("1.0");
        packages
    }

    /// The same with a node that runs it.
    pub fn running() -> (Self, Node) {
        let packages = Self::installed();
        let node = packages.host.node("n1");
        packages.start("n1", "1.0");
        (packages, node)
    }

    pub fn dir(&self, vsn: &str) -> PathBuf {
        self.host.path(&format!("lib/foo-{vsn}"))
    }

    /// Where `vsn` is kept.
    pub fn stash(&self, vsn: &str) -> PathBuf {
        self.host.path(&format!("stash/foo-{vsn}"))
    }

    /// Puts the files of `vsn` where they belong, and the metadata in the place of the others.
    pub fn unpack(&self, vsn: &str) {
        self.unpack_from(&foo(vsn), vsn);
    }

    /// The same with the bytes of another directory.
    pub fn unpack_from(&self, source: &str, vsn: &str) {
        copy(source, &self.dir(vsn));
        self.metadata(vsn);
    }

    /// Installs a `bar` that is `foo` by another name, and says so.
    pub fn unpack_bar_server(&self, vsn: &str) {
        let dir = self.host.path(&format!("lib/bar-{vsn}"));
        copy(&bar(vsn), &dir);
        let text = format!("{{bar, \"{vsn}\", \"{}\"}}.\n", dir.display());
        self.host.file("apps/bar", &text, 0o644);
    }

    /// Says that `vsn` is installed.
    pub fn metadata(&self, vsn: &str) {
        let text = format!("{{foo, \"{vsn}\", \"{}\"}}.\n", self.dir(vsn).display());
        self.host.file("apps/foo", &text, 0o644);
    }

    /// Installs `bar`, which has no modules and needs `foo`, and says so.
    pub fn unpack_bar(&self, vsn: &str) {
        self.unpack_bar_with(vsn, "{applications, [kernel, stdlib, foo]}");
    }

    /// The same with these keys.
    pub fn unpack_bar_with(&self, vsn: &str, keys: &str) {
        self.unpack_library("bar", vsn, keys);
    }

    /// Installs an application without modules, and says so.
    pub fn unpack_library(&self, application: &str, vsn: &str, keys: &str) {
        let dir = self.host.path(&format!("lib/{application}-{vsn}"));
        fs::create_dir_all(dir.join("ebin")).expect("a directory");
        let specification = format!(
            "{{application, {application}, [{{vsn, \"{vsn}\"}}, {{modules, []}}, {{registered, []}}, {keys}]}}.\n"
        );
        let file = dir.join(format!("ebin/{application}.app"));
        fs::write(file, specification).expect("the .app");
        let text = format!("{{{application}, \"{vsn}\", \"{}\"}}.\n", dir.display());
        self.host.file(&format!("apps/{application}"), &text, 0o644);
    }

    /// Takes the files of `vsn` away.
    pub fn take_away(&self, vsn: &str) {
        fs::remove_dir_all(self.dir(vsn)).expect("it was there");
    }

    /// Takes the package away.
    pub fn remove(&self, vsn: &str) {
        self.take_away(vsn);
        fs::remove_file(self.host.path("apps/foo")).expect("it was there");
    }

    /// Calls a script of version `own` with dpkg's arguments: `postrm upgrade 2.0-1`.
    pub fn deb(&self, own: &str, call: &str) -> Run {
        Run::of(
            self.call("deb", own, call, &[])
                .output()
                .expect("erlrc runs"),
        )
    }

    pub fn rpm(&self, own: &str, call: &str) -> Run {
        Run::of(
            self.call("rpm", own, call, &[])
                .output()
                .expect("erlrc runs"),
        )
    }

    /// The same for `bar`.
    pub fn deb_bar(&self, own: &str, call: &str) -> Run {
        self.deb_bar_with(own, call, &[])
    }

    /// The same with more arguments.
    pub fn deb_bar_with(&self, own: &str, call: &str, more: &[&str]) -> Run {
        self.deb_of("bar", own, call, more)
    }

    /// The same for another application.
    pub fn deb_of(&self, application: &str, own: &str, call: &str, more: &[&str]) -> Run {
        let dir = self.host.path(&format!("lib/{application}-{own}"));
        let app = format!("{application}={own}={}", dir.display());
        Run::of(
            self.script("deb", &app, call, more)
                .output()
                .expect("erlrc runs"),
        )
    }

    /// The call, yet to be made.
    pub fn call(&self, format: &str, own: &str, call: &str, more: &[&str]) -> Command {
        let app = format!("foo={own}={}", self.dir(own).display());
        self.script(format, &app, call, more)
    }

    fn script(&self, format: &str, app: &str, call: &str, more: &[&str]) -> Command {
        let mut words = call.split_whitespace();
        let script = words.next().expect("a script");
        let mut arguments = vec!["maint", format, script, "--app", app];
        arguments.extend(more);
        arguments.push("--");
        arguments.extend(words);
        let mut command = self.host.command(&arguments);
        // The machine that runs the tests may have a policy of its own.
        command.env("ERLRC_POLICY_RC", self.host.path("policy-rc.d"));
        // And a dpkg that would not know these packages.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env(
            "PATH",
            format!("{}:{path}", self.host.path("bin").display()),
        );
        command
    }

    /// Starts `foo` in a version on a node.
    pub fn start(&self, node: &str, vsn: &str) {
        let dir = self.dir(vsn).display().to_string();
        let start = format!("erlrcdynamic:start(foo, \"{vsn}\", \"{dir}\")");
        self.host.erlrc(&["eval", node, &start]).is("started\n", 0);
    }

    /// From now on the server of `foo` fails to change its code, and nobody foresees it.
    pub fn break_code_change(&self, node: &str) {
        let text =
            "application:set_env(erlrc, preflight, off), persistent_term:put(foo_broken, true)";
        self.host.erlrc(&["eval", node, text]).is("ok\n", 0);
    }

    /// From now on it does not.
    pub fn mend_code_change(&self, node: &str) {
        let text = "persistent_term:erase(foo_broken)";
        self.host.erlrc(&["eval", node, text]).is("true\n", 0);
    }

    /// What runs of `foo` on a node.
    pub fn runs(&self, node: &str) -> String {
        self.runs_of("foo", node)
    }

    /// What runs of an application on a node.
    pub fn runs_of(&self, application: &str, node: &str) -> String {
        let text = format!(
            "case lists:keyfind({application}, 1, application:which_applications()) of \
             {{_, _, V}} -> list_to_atom(V); _ -> none end"
        );
        let out = self.host.erlrc(&["eval", node, &text]).out;
        out.trim().trim_matches('\'').to_owned()
    }

    /// The state that the server of `foo` has carried along.
    pub fn history(&self, node: &str) -> String {
        self.host.erlrc(&["eval", node, "foo_server:history()"]).out
    }

    /// The states of all records in the journal, in order.
    pub fn journal(&self) -> Vec<String> {
        let text = fs::read_to_string(self.host.path("state/journal")).unwrap_or_default();
        let json = |line: &str| line.splitn(3, ' ').nth(2).map(str::to_owned);
        let state = |json: String| {
            let record: serde_json::Value = serde_json::from_str(&json).expect("JSON");
            record["state"].as_str().expect("a state").to_owned()
        };
        text.lines().filter_map(json).map(state).collect()
    }

    /// The calls of an upgrade up to the moment when both versions are there.
    pub fn begin_upgrade(&self, from: &str, to: &str) {
        self.deb(from, &format!("prerm upgrade {to}-1")).is("", 0);
        self.deb(to, &format!("preinst upgrade {from}-1 {to}-1"))
            .is("", 0);
        self.unpack(to);
    }

    /// The same from 1.0 to 2.0, and the swap, which one node carries out hot.
    pub fn swap(&self) {
        self.begin_upgrade("1.0", "2.0");
        self.deb("1.0", "postrm upgrade 2.0-1")
            .is(&upgrading("(n1) upgraded"), 0);
    }

    /// dpkg goes back: the files of 2.0 are taken away, the metadata is that of 1.0.
    pub fn put_back(&self) {
        self.take_away("2.0");
        self.metadata("1.0");
    }
}

fn copy(source: &str, dir: &Path) {
    for file in fs::read_dir(Path::new(source).join("ebin")).expect("an application") {
        let file = file.expect("a file");
        let to = dir.join("ebin").join(file.file_name());
        fs::create_dir_all(to.parent().expect("a directory")).expect("a directory");
        // By another name and renamed, as dpkg does it: links to the old content keep it.
        let new = to.with_extension("dpkg-new");
        fs::copy(file.path(), &new).expect("a copy");
        fs::rename(new, to).expect("a file");
    }
}

/// The line of an upgrade.
pub fn upgrading(outcome: &str) -> String {
    format!("erlrc-upgrade: Upgrading 'foo': {outcome}\n")
}

/// The line of a downgrade.
pub fn downgrading(outcome: &str) -> String {
    format!("erlrc-downgrade: Downgrading 'foo': {outcome}\n")
}

/// The line of a start.
pub fn starting(outcome: &str) -> String {
    format!("erlrc-start: Starting 'foo': {outcome}\n")
}

/// The line of a stop.
pub fn stopping(outcome: &str) -> String {
    format!("erlrc-stop: Stopping 'foo': {outcome}\n")
}
