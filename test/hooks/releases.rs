//! A node that was started by a release's own boot script: what a restart of it goes back to.

use crate::host::fixtures::clean;
use crate::host::{Host, erl, foo};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// Makes version `vsn` of the release `shop` with that of `foo`; its boot script without the extension.
fn release(host: &Host, vsn: &str, of_foo: &str) -> String {
    let directory = host.path("shop/releases").join(vsn);
    fs::create_dir_all(&directory).expect("a directory");
    let script = directory.join("start").display().to_string();
    let make = format!(
        "[application:load(sasl)], Vsn = fun(App) -> {{ok, V}} = application:get_key(App, vsn), V end, \
         Apps = [{{App, Vsn(App)}} || App <- [kernel, stdlib, sasl]] ++ [{{foo, \"{of_foo}\"}}], \
         Release = {{release, {{\"shop\", \"{vsn}\"}}, {{erts, erlang:system_info(version)}}, Apps}}, \
         ok = file:write_file(\"{script}.rel\", io_lib:format(\"~p.~n\", [Release])), \
         {{ok, _, _}} = systools:make_script(\"{script}\", [silent, local, {{path, [\"{}/ebin\"]}}]), halt().",
        foo(of_foo)
    );
    let mut command = clean(Command::new(erl()));
    command.args(["-noshell", "-eval", &make]);
    assert!(command.status().expect("erl runs").success());
    script
}

fn status(host: &Host) -> (Value, i32) {
    let run = host.erlrc(&["status", "foo", "--json"]);
    let json: Value = serde_json::from_str(&run.out).expect("JSON");
    let app = json["nodes"][0]["applications"][0].clone();
    (app, run.status)
}

fn findings(host: &Host, arguments: &[&str]) -> Vec<Value> {
    let run = host.erlrc(&[&["plan", "foo", "--json"], arguments].concat());
    let json: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(run.status, 0, "{json}");
    let all = json["plans"][0]["findings"].as_array().cloned();
    let mut all = all.expect("findings");
    all.retain(|finding| finding["kind"] == "restart_goes_back");
    all
}

#[test]
fn a_release_goes_back_to_its_own_version_when_it_is_restarted() {
    let host = Host::new();
    let script = release(&host, "1", "1.0");
    host.listed("n1");
    let _node = host.start(&["-sname", "n1", "-boot", &script]);
    let (app, code) = status(&host);
    assert_eq!((&app["running"], code), (&json!("1.0"), 0), "{app}");
    assert_eq!(app["after_restart"], Value::Null);
    let found = findings(&host, &["--to", &foo("2.0")]);
    let text = "A restart of the node goes back to 1.0, the version in its release shop 1.";
    assert_eq!((found.len(), &found[0]["text"]), (1, &json!(text)));
    assert_eq!(found[0]["severity"], "warning");
    let (old, new) = (foo("1.0"), foo("2.0"));
    host.erlrc(&["upgrade", "foo", "1.0", "2.0", &old, &new]);
    let (app, code) = status(&host);
    let script = format!("{script}.boot");
    let after = json!({"vsn": "1.0", "release": "shop 1", "script": script});
    assert_eq!((&app["after_restart"], code), (&after, 0), "{app}");
    let note = "foo: a restart goes back to 1.0 (release shop 1); install one with 2.0 first\n";
    for command in ["status", "describe"] {
        let out = host.erlrc(&[command, "foo"]).out;
        assert!(out.contains(note), "{out}");
        assert!(out.lines().all(|line| line.len() <= 80), "{out}");
    }
    let page = host.path("page.html").display().to_string();
    host.erlrc(&["status", "--html", &page]);
    let page = fs::read_to_string(page).expect("a page");
    assert!(page.contains(note.trim_end()), "{page}");
    // What it came from, there is no more to be said about.
    assert_eq!(findings(&host, &["--to", &old]), [] as [Value; 0]);
}

#[test]
fn a_release_that_was_installed_since_is_what_a_restart_begins() {
    let host = Host::new();
    let script = release(&host, "1", "1.0");
    release(&host, "2", "2.0");
    host.file("shop/releases/start_erl.data", "13.1 1\n", 0o644);
    host.listed("n1");
    let _node = host.start(&["-sname", "n1", "-boot", &script]);
    let (old, new) = (foo("1.0"), foo("2.0"));
    host.erlrc(&["upgrade", "foo", "1.0", "2.0", &old, &new]);
    let after = |host: &Host| status(host).0["after_restart"]["release"].clone();
    assert_eq!(after(&host), "shop 1");
    host.file("shop/releases/start_erl.data", "13.1 2\n", 0o644);
    assert_eq!(after(&host), Value::Null);
    let found = findings(&host, &["--to", &old]);
    assert_eq!(found.len(), 1, "{found:?}");
    // What cannot be read is not known, and nothing is said of it.
    host.file("shop/releases/start_erl.data", "13.1 3\n", 0o644);
    assert_eq!(after(&host), Value::Null);
    host.file("shop/releases/start_erl.data", "13.1 1\n", 0o644);
    host.file("shop/releases/1/start.boot", "no term", 0o644);
    assert_eq!(after(&host), Value::Null);
}

#[test]
fn a_node_that_boots_packages_has_no_version_of_its_own() {
    let host = Host::new();
    host.file("applications/foo", "", 0o644);
    let metadata = |vsn: &str| format!("{{foo, \"{vsn}\", \"{}\"}}.\n", foo(vsn));
    host.file("apps/foo", &metadata("1.0"), 0o644);
    host.listed("n1");
    let path = format!("{}/ebin", foo("1.0"));
    let boot = ["-boot", "start_sasl", "-s", "erlrc_boot", "boot"];
    let _node = host.start(&[&["-sname", "n1", "-pa", &path], &boot[..]].concat());
    host.file("apps/foo", &metadata("2.0"), 0o644);
    assert_eq!(findings(&host, &[]), [] as [Value; 0]);
    host.erlrc(&["upgrade", "foo"]);
    let (app, code) = status(&host);
    assert_eq!((&app["running"], code), (&json!("2.0"), 0), "{app}");
    assert_eq!(app["after_restart"], Value::Null);
}
