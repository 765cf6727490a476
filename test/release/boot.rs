//! OTP's own boot script of a release: a node that is started by it runs the set.

use crate::host::{Host, erl, fixtures::clean};
use crate::otp::root;
use crate::shop::{json, library, members, release, tally};
use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// What a node prints that boots by this script and evaluates `print`.
fn booted(erl: impl AsRef<OsStr>, boot: &str, print: &str) -> String {
    let mut command = clean(Command::new(erl));
    let boot = boot.trim_end_matches(".boot");
    command.args(["-noinput", "-boot", boot, "-eval", print]);
    let output = command.stdin(Stdio::null()).output().expect("erl runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_node_boots_the_set_by_the_script_of_systools() {
    let host = Host::without_epmd();
    tally(&host, "1.0");
    library(
        &host,
        "outer",
        "2",
        "{applications, [kernel, stdlib, tally]}, {included_applications, [inner]}",
    );
    library(&host, "inner", "1", "");
    let made = json(&host, &["make", "shop", "1.0", "--apps", "outer", "--rel"]);
    let boot = made["boot"].as_str().expect("a boot script");
    let print = "Running = [{A, V} || {A, _, V} <- application:which_applications()],
        Loaded = [{A, V} || {A, _, V} <- application:loaded_applications()],
        io:format(\"~0p~n~0p~n~s~n~0p~n\", [lists:sort(Running), lists:sort(Loaded -- Running), tally:vsn(),
            init:script_id()]),
        halt().";
    let text = booted(erl(), boot, print);
    let lines: Vec<&str> = text.lines().collect();
    let mut expected: Vec<String> = members(&made)
        .iter()
        .filter(|line| !line.ends_with(" load"))
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            format!("{{{},\"{}\"}}", words[0], words[1])
        })
        .collect();
    expected.sort();
    let running = format!("[{}]", expected.join(","));
    let id = "{\"shop\",\"1.0\"}";
    assert_eq!(
        lines,
        [running.as_str(), "[{inner,\"1\"}]", "1.0", id],
        "{text}"
    );
}

#[test]
fn what_systools_refuses_is_refused_and_leaves_nothing() {
    let host = Host::without_epmd();
    // Two applications with a module of the same name.
    for name in ["one", "two"] {
        let dir = library(&host, name, "1", "");
        let file = dir.join(format!("ebin/{name}.app"));
        let text = std::fs::read_to_string(&file).expect("the .app");
        let text = text.replace("{modules, []}", "{modules, [the_same]}");
        std::fs::write(file, text).expect("the .app");
    }
    let arguments = ["make", "shop", "1", "--apps", "one,two"];
    let run = release(&host, &[&arguments[..], &["--rel"]].concat());
    run.is("", 1)
        .says("systools makes no boot script of it; no release was made");
    run.says("the_same");
    let left = std::fs::read_dir(host.path("services/shop/releases")).expect("a directory");
    assert_eq!(left.count(), 0);
    json(&host, &arguments);
    let run = release(&host, &[&arguments[..], &["--rel"]].concat());
    run.is("", 1).says("shop 1 exists, without a boot script");
}

#[test]
fn what_a_boot_script_cannot_start_is_refused() {
    let host = Host::without_epmd();
    library(&host, "outer", "1", "{included_applications, [inner]}");
    library(&host, "inner", "1", "");
    library(
        &host,
        "other",
        "1",
        "{applications, [kernel, stdlib, inner]}",
    );
    let arguments = ["make", "shop", "1", "--apps", "outer,other"];
    let run = release(&host, &[&arguments[..], &["--rel"]].concat());
    run.is("", 1)
        .says("other depends on inner, which another application includes");
    json(&host, &arguments);
}

#[test]
fn an_environment_boots_its_release() {
    let host = Host::without_epmd();
    tally(&host, "1.0");
    let from = root().display().to_string();
    let run = host.erlrc(&["env", "make", "--json", "--from", &from]);
    let environment: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    let name = environment["name"].as_str().expect("a name");
    let made = json(
        &host,
        &[
            "make", "shop", "1.0", "--apps", "tally", "--rel", "--env", name,
        ],
    );
    let boot = made["boot"].as_str().expect("a boot script");
    let dir = host.path("services/shop/releases/1.0/env/bin/erl");
    let print = "io:format(\"~s ~s\", [tally:vsn(), code:root_dir()]), halt().";
    let expected = format!("1.0 {}", environment["dir"].as_str().expect("a directory"));
    assert_eq!(booted(dir, boot, print), expected);
}
