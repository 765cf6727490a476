//! `erlrc eval`.

use crate::host::Host;

#[test]
fn values_output_and_errors_go_where_they_belong() {
    let host = Host::new();
    let _node = host.node("n1");
    let eval = |text: &str| host.erlrc(&["eval", "n1", text]);
    eval("1 + 1").is("2\n", 0);
    eval("X = 6, Y = 7, X * Y.").is("42\n", 0);
    eval("% a comment\n[$a, $b] % another.").is("\"ab\"\n", 0);
    eval("\"Grüße\"").is("\"Grüße\"\n", 0);
    eval("io:put_chars([20154, 10]), list_to_atom([20154])").is("人\n'人'\n", 0);
    eval("io:format(\"hällo~n\"), done").is("hällo\ndone\n", 0);
    eval("fun() -> 1 end, self(), #{a => make_ref()}, ok").is("ok\n", 0);
    eval("1 +").is("", 1).says("erlrc: line 1: syntax error");
    eval("\"open").is("", 1).says("unterminated");
    eval("").is("", 1).says("syntax error");
    eval("1 / 0")
        .is("", 1)
        .says("exception error: an error occurred when evaluating an arithmetic");
    eval("throw({value, 1})")
        .is("", 1)
        .says("exception throw: {value,1}");
    eval("exit(kill)").is("", 1).says("exception exit: kill");
    eval("exit(self(), kill), timer:sleep(1000)")
        .is("", 1)
        .says("killed");
}

#[test]
fn what_a_node_prints_cannot_drive_the_terminal() {
    let host = Host::new();
    let _node = host.node("n1");
    host.erlrc(&[
        "eval",
        "n1",
        "io:put_chars([27, \"[2Jx\", 155, \"31m\\n\"]), list_to_atom([27])",
    ])
    .is("[2Jx31m\n'\\e'\n", 0);
}

#[test]
fn much_output_arrives_in_order_and_before_the_value() {
    let host = Host::new();
    let _node = host.node("n1");
    let run = host.erlrc(&[
        "eval",
        "n1",
        "[io:format(\"~b~n\", [N]) || N <- lists:seq(1, 20000)], end_",
    ]);
    let expected: String = (1..=20000).map(|n| format!("{n}\n")).collect();
    assert_eq!(run.status, 0);
    assert!(run.out.starts_with(&expected), "not in order");
}

#[test]
fn a_large_value_arrives_and_a_huge_one_is_refused() {
    let host = Host::new();
    let _node = host.node("n1");
    let run = host.erlrc(&["eval", "n1", "lists:duplicate(1000000, $a)"]);
    assert_eq!((run.out.len(), run.status), (1_000_003, 0));
    host.erlrc(&["eval", "n1", "io:put_chars(binary:copy(<<97>>, 70000000))"])
        .is("", 1)
        .says("more than the");
}

#[test]
fn the_node_may_be_named_with_or_without_its_host() {
    let host = Host::new();
    let _node = host.start(&["-name", "n1@127.0.0.1"]);
    host.listed("n1@127.0.0.1");
    host.erlrc(&["eval", "n1", "node()"])
        .is("'n1@127.0.0.1'\n", 0);
    host.erlrc(&["eval", "n1@127.0.0.1", "ok"]).is("ok\n", 0);
    host.erlrc(&["eval", "n1@elsewhere", "ok"])
        .is("", 1)
        .says("there is no entry for the node");
    host.listed("n1@127.0.0.2");
    host.erlrc(&["eval", "n1", "ok"])
        .is("", 1)
        .says("n1 may be n1@127.0.0.1 or n1@127.0.0.2");
}

#[test]
fn a_node_that_is_down_has_no_value() {
    let host = Host::without_epmd();
    host.listed("n1");
    host.erlrc(&["eval", "n1", "ok"])
        .is("", 1)
        .says("the node is down");
}

#[test]
fn machines_get_json() {
    let host = Host::new();
    let _node = host.node("n1");
    let run = host.erlrc(&["--json", "eval", "n1", "io:format(\"x\"), {a, \"b\"}"]);
    assert_eq!(run.status, 0, "{run:?}");
    let value: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    let node = value["node"].as_str().expect("a node");
    assert!(node.starts_with("n1@"), "{node} is no full name");
    let expected = serde_json::json!({"kind": "eval", "version": 1, "node": node, "output": "x", "value": "{a,\"b\"}"});
    assert_eq!(value, expected);
    let run = host.erlrc(&["--json", "eval", "n2", "ok"]);
    let error: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!((&error["status"], run.status), (&serde_json::json!(1), 1));
}

#[test]
fn expressions_can_come_from_standard_input() {
    use std::io::Write;
    let host = Host::new();
    let _node = host.node("n1");
    let mut child = host
        .command(&["eval", "n1", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("erlrc runs");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"1 + 1")
        .expect("a reader");
    assert_eq!(child.wait_with_output().expect("an end").stdout, b"2\n");
}
