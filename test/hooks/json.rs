//! What every command prints for machines, held against the schemas: in success, in refusal, where it is called wrongly.

use crate::host::{Host, foo};
use crate::pages;
use crate::schema::Schemas;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// A host where foo 1.0 is registered and installed and a node is up, and what the commands need besides.
struct Place {
    host: Host,
    schemas: Schemas,
    seen: BTreeSet<String>,
    called: BTreeSet<String>,
}

impl Place {
    fn new() -> Self {
        let host = Host::new();
        let metadata = format!("{{foo, \"1.0\", \"{}\"}}.\n", foo("1.0"));
        fs::write(host.path("apps/foo"), metadata).expect("a file");
        fs::create_dir(host.path("debian")).expect("a directory");
        host.file(
            "debian/control",
            "Source: foo\n\nPackage: erlang-foo\nArchitecture: all\n",
            0o644,
        );
        host.file(
            "debian/erlang-foo.erlrc",
            &format!("{}\n", foo("1.0")),
            0o644,
        );
        Self {
            host,
            schemas: Schemas::read(),
            seen: BTreeSet::new(),
            called: BTreeSet::new(),
        }
    }

    /// Runs a command; what it prints is values that their schemas know, of these kinds.
    #[track_caller]
    fn tells(&mut self, arguments: &str, kinds: &[&str], status: i32) -> Vec<Value> {
        let words: Vec<&str> = arguments.split(' ').collect();
        let mut command = self.host.command(&[&["--json"], &words[..]].concat());
        command
            .env("DEBEMAIL", "jane@example.org")
            .env("ERLRC_CONNECT_TIMEOUT", "60")
            .current_dir(self.host.path(""));
        let output = command.output().expect("erlrc runs");
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments}: {out}{err}"
        );
        let read =
            |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{arguments}: {line}"));
        let values: Vec<Value> = out.lines().map(read).collect();
        let told: Vec<&str> = values
            .iter()
            .filter_map(|value| value["kind"].as_str())
            .collect();
        assert_eq!(told, kinds, "{arguments}: {out}");
        for value in &values {
            assert_eq!(
                self.schemas.errors(value),
                Vec::<String>::new(),
                "{arguments}: {value:#}"
            );
            let said = &value["status"];
            assert!(
                !said.is_number() || *said == status || values.len() > 1,
                "{arguments}: {value:#}"
            );
        }
        self.seen.extend(told.into_iter().map(str::to_owned));
        self.called.insert(words[0].to_owned());
        values
    }

    /// The same in an error that is one value.
    #[track_caller]
    fn refuses(&mut self, arguments: &str, status: i32) {
        let told = self.tells(arguments, &["error"], status);
        assert_eq!(told[0]["status"], status, "{arguments}");
    }

    fn commands(&self) -> BTreeSet<String> {
        pages::commands(&self.host).into_iter().collect()
    }
}

/// A package of this system in the version that is installed: nothing is to be done for it.
fn installed() -> String {
    let mut command = std::process::Command::new("dpkg-query");
    let output = command.args(["-W", "-f", "${Package}=${Version}", "dpkg"]);
    let output = output.output().expect("dpkg-query runs");
    String::from_utf8(output.stdout).expect("a version")
}

#[test]
fn every_command_tells_machines_what_its_schema_says() {
    let mut place = Place::new();
    let _node = place.host.node("n1");
    let (one, two) = (foo("1.0"), foo("2.0"));
    std::fs::create_dir_all(place.host.path("project/src")).expect("directories");
    place.host.file("project/rebar.config", "", 0o644);
    place.host.file("project/src/till.app.src", "", 0o644);
    let installed = installed();
    for (arguments, kinds) in [
        ("enable --now foo", &["registration", "operation"][..]),
        ("start foo 1.0", &["operation"]),
        ("status", &["status"]),
        ("status --all foo", &["status"]),
        ("list --all", &["list"]),
        ("describe foo", &["describe"]),
        ("check", &["check"]),
        ("plan foo 2.0", &["plan"]),
        ("upgrade --dry-run foo=2.0", &["operation"]),
        ("upgrade --provisional 3600 foo=2.0", &["operation"]),
        ("confirm foo", &["operation"]),
        ("undo --yes foo", &["operation"]),
        ("downgrade foo=1.0", &["operation"]),
        ("upgrade", &["operation"]),
        ("restart foo", &["operation", "operation"]),
        ("eval n1 1", &["eval"]),
        ("config", &["config"]),
        ("config check", &["config"]),
        ("doctor", &["doctor"]),
        ("history", &["history"]),
        ("disable --now foo", &["registration", "operation"]),
        ("restart foo", &["operation"]),
        ("stop foo 1.0", &["operation"]),
        ("boot-order", &["boot_order"]),
        ("make-boot-script --dry-run boot", &["boot_script"]),
        ("debhelper", &["debhelper"]),
        ("completions zsh", &["completions"]),
        ("man man", &["man"]),
        ("env make", &["environment_made"]),
        ("env list", &["environments"]),
        ("env check", &["environment_check"]),
        ("env clean", &["environments_removed"]),
        ("snapshot create --keep none a", &["snapshot"]),
        ("snapshot list", &["snapshots"]),
        ("snapshot diff a", &["snapshot_difference"]),
        ("snapshot create b", &["snapshot"]),
        ("snapshot restore -n b", &["snapshot_restored"]),
        ("snapshot drop a", &["snapshot_dropped"]),
        (&format!("apply {installed}"), &["run"]),
        ("revert --when-due", &[]),
        ("runs", &["runs"]),
        ("release make shop 1.0 --apps sasl", &["release_made"]),
        ("release make shop 1.1 --apps crypto", &["release_made"]),
        ("release list", &["releases"]),
        ("release show shop 1.0", &["release"]),
        ("release default shop 1.0", &["release_current"]),
        ("release current shop", &["release_current"]),
        ("release diff shop 1.0 1.1", &["release_diff"]),
        ("release remove --yes shop 1.1", &["release_removed"]),
        ("release plan shop", &["operation"]),
        (
            "release upgrade shop 1.0",
            &["operation", "release_current"],
        ),
        (&format!("make-appup foo 1.0 2.0 {one} {two}"), &["appup"]),
        (
            &format!("make-migration foo 1.0 2.0 {one} {two}"),
            &["migration"],
        ),
        (
            &format!("package --format all --output out {one}"),
            &["package", "package"],
        ),
        (&format!("package --emit new {one}"), &["packaging"]),
        ("init project", &["init"]),
    ] {
        place.tells(arguments, kinds, 0);
    }
    // The node was not booted by erlrc.
    place.tells("boot-order --timings", &["boot_times"], 1);
    let written = place.tells("history", &["history"], 0)[0]["records"]
        .as_array()
        .map_or(0, Vec::len);
    place.tells("logs", &vec!["log"; written], 0);
    place.refuses("status fooo", 1);
    assert_eq!(place.called, place.commands());
    let kinds: BTreeSet<String> = place
        .schemas
        .kinds()
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(place.seen, kinds, "every schema was held against something");
}

#[test]
fn every_command_tells_machines_why_it_refuses() {
    let mut place = Place::new();
    let _node = place.host.node("n1");
    let nowhere = "/nonexistent";
    place
        .host
        .file("debian/erlang-foo.erlrc", "nobody\n", 0o644);
    place.tells("start foo 1.0", &["operation"], 0);
    for arguments in [
        "upgrade fooo",
        "upgrade foo=7",
        "downgrade fooo",
        "undo --yes foo",
        "confirm foo",
        "restart fooo",
        "enable fooo",
        "disable fooo",
        "describe fooo",
        "check fooo",
        "logs fooo",
        "history fooo",
        "status fooo",
        "plan fooo",
        "plan foo --node nope",
        "list --node nope",
        "doctor --node nope",
        "config --node nope",
        "eval nope 1",
        "man /proc/nobody",
        "env make nope",
        "env destroy otp-nope",
        "snapshot show nope",
        "snapshot restore nope",
        "apply nope-nope",
        "runs nope",
        "revert nope",
        "release make shop 1.0 --apps nope",
        "release list nope",
        "release show shop 1.0",
        "release current shop",
        "release default shop 1.0",
        "release diff shop 1.0 1.1",
        "release remove --yes shop 1.0",
        "release plan shop",
        "release upgrade shop 1.0",
        "release downgrade shop 1.0",
        "boot-order --lib debian/control",
        "make-boot-script --erl /nonexistent x",
        "debhelper",
        &format!("make-appup foo 1 2 {nowhere} {nowhere}"),
        &format!("make-migration foo 1 2 {nowhere} {nowhere}"),
        &format!("package {nowhere}"),
        &format!("init {nowhere}"),
    ] {
        place.refuses(arguments, 1);
    }
    place.tells("start foo 9.9", &["operation"], 1);
    place.tells("stop foo 9.9", &["operation"], 1);
    place.tells("eval n1 error(x)", &["eval"], 1);
    place.tells("check", &["check"], 0);
    place.called.insert("completions".to_owned());
    assert_eq!(
        place.called,
        place.commands(),
        "completions alone cannot be refused"
    );
}

#[test]
fn every_command_tells_machines_that_it_is_called_wrongly() {
    let mut place = Place::new();
    for command in place.commands() {
        place.refuses(&format!("{command} --color sometimes"), 2);
    }
    place.refuses("nonsense", 2);
    place.refuses("upgrade foo 1 2 3", 2);
}

#[test]
fn a_host_without_nodes_has_values_for_machines_too() {
    let mut place = Place::new();
    for (arguments, kind) in [
        ("start foo 1.0", "operation"),
        ("upgrade foo", "operation"),
        ("upgrade --all", "operation"),
        ("status", "status"),
        ("list", "list"),
        ("check", "check"),
        ("doctor", "doctor"),
        ("plan foo", "plan"),
        ("history", "history"),
    ] {
        place.tells(arguments, &[kind], 0);
    }
    place.host.entry("gone", "cookie\n");
    for (arguments, kind, status) in [
        ("status", "status", 0),
        ("upgrade foo", "operation", 0),
        ("check", "check", 1),
    ] {
        place.tells(arguments, &[kind], status);
    }
}

#[test]
fn a_value_that_is_not_what_its_schema_says_is_found() {
    let schemas = Schemas::read();
    let mut value = serde_json::json!({"kind": "check", "version": 1, "well": true, "nodes": 1, "applications": 0,
        "findings": [], "checks": [], "peers": [], "waited_ms": 3, "status": 0});
    assert_eq!(schemas.errors(&value), Vec::<String>::new());
    value["waited"] = 1.into();
    value["findings"] = serde_json::json!([7]);
    assert_eq!(schemas.errors(&value).len(), 2);
    value["kind"] = "nobody".into();
    assert_eq!(schemas.errors(&value).len(), 1);
}
