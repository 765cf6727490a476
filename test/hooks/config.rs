//! Every setting, where it comes from, and what is wrong with it.

use crate::host::Host;
use serde_json::{Value, json};

fn settings(host: &Host) -> Vec<Value> {
    let run = host.erlrc(&["config", "--json"]);
    let whole: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(
        (&whole["kind"], &whole["version"]),
        (&json!("config"), &json!(1))
    );
    whole["settings"].as_array().expect("a list").clone()
}

#[test]
fn each_setting_says_where_it_comes_from() {
    let host = Host::new();
    let conf = host.file("erlrc.conf", "% ours\n{batch, true}.\n", 0o644);
    host.file("applications/foo", "{enabled, false}.", 0o644);
    host.listed("n1");
    let erlrc = crate::host::erlrc_ebin();
    let _node = host.start(&["-sname", "n1", "-pa", &erlrc, "-erlrc", "max_pause", "200"]);
    let all = settings(&host);
    let find = |key: &str| all.iter().find(|one| one["key"] == key).expect("a setting");
    let batch = find("batch");
    assert_eq!(
        (&batch["value"], &batch["line"]),
        (&json!("true"), &json!(2))
    );
    assert_eq!(batch["file"], json!(conf));
    assert_eq!(
        (&find("strict")["value"], &find("strict")["source"]),
        (&json!("false"), &json!("default"))
    );
    assert_eq!(find("foo enabled")["value"], "false");
    assert_eq!(find("max_pause")["value"], "200");
    assert_eq!(find("max_pause")["source"], "environment of erlrc on n1");
    assert_eq!(find("ERLRC_NODE_TIMEOUT")["source"], "default");
    assert_eq!(find("ERLRC_ROOT")["source"], "environment");
    let check = host.erlrc(&["config", "check"]);
    assert!(
        check.out.starts_with("all well: ") && check.status == 0,
        "{check:?}"
    );
}

#[test]
fn what_is_wrong_is_named_with_file_and_line_and_status_1() {
    let host = Host::new();
    host.file(
        "erlrc.conf",
        "{batch, true}.\n{strikt, true}.\n{strict, maybe}.\n",
        0o644,
    );
    host.file("applications/foo", "{enabled, perhaps}.", 0o644);
    host.file("apps/foo", "{bar, \"1.0\", \"/bar\"}.", 0o644);
    host.listed("n1");
    let erlrc = crate::host::erlrc_ebin();
    let _node = host.start(&[
        "-sname",
        "n1",
        "-pa",
        &erlrc,
        "-erlrc",
        "max_pause",
        "soon",
        "maxpause",
        "1",
    ]);
    let check = host.erlrc(&["config", "check"]);
    check.is("", 1);
    for text in [
        "erlrc.conf:2: strikt: not known, and passed over; known are batch, strict, apt_preflight, migrate, metrics",
        "erlrc.conf:3: strict: strict must be true or false",
        "applications/foo:1: foo enabled: ",
        "apps/foo",
        "environment of erlrc on n1: max_pause: must be milliseconds",
        "environment of erlrc on n1: maxpause: no key that erlrc knows",
    ] {
        check.says(text);
    }
    let mut command = host.command(&["config", "check"]);
    let run = crate::host::Run::of(command.env("ERLRC_RROOT", "/x").output().expect("it runs"));
    run.says("environment: ERLRC_RROOT: no variable that erlrc knows");
}
