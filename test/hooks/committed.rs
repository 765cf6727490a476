//! Calls that follow when every node has committed.

use crate::host::fixtures::erlc_into;
use crate::host::{Host, Node};
use std::fs;

/// Application `bank` in a version, whose module has this behind its `-export`.
fn bank(host: &Host, vsn: &str, more: &str) -> String {
    let dir = host.path(&format!("lib/bank-{vsn}"));
    let ebin = dir.join("ebin");
    fs::create_dir_all(&ebin).expect("a directory");
    let text = format!("-module(bank). -export([vsn/0, transform/0]). {more} vsn() -> {vsn}.\n");
    let source = host.file("bank.erl", &text, 0o644);
    erlc_into(&ebin, &["+debug_info", &source.display().to_string()]);
    let specification = format!(
        "{{application, bank, [{{vsn, \"{vsn}\"}}, {{modules, [bank]}}, {{registered, []}},
          {{applications, [kernel, stdlib]}}]}}."
    );
    fs::write(ebin.join("bank.app"), specification).expect("the .app");
    dir.display().to_string()
}

/// Two nodes of one mnesia cluster with a table of accounts, and the application in its first version.
fn two(host: &Host, first: &str) -> [Node; 2] {
    let nodes = ["n1", "n2"].map(|name| host.node(name));
    let ask = |node: &str, text: &str| host.erlrc(&["eval", node, text]);
    for node in ["n1", "n2"] {
        ask(node, "mnesia:start()").is("ok\n", 0);
    }
    let join = "[_, Host] = string:lexemes(atom_to_list(node()), \"@\"),
        {ok, [_]} = mnesia:change_config(extra_db_nodes, [list_to_atom(\"n2@\" ++ Host)]),
        {atomic, ok} = mnesia:create_table(account, [{ram_copies, mnesia:system_info(running_db_nodes)},
            {attributes, [id, name]}]),
        mnesia:dirty_write({account, 1, ann})";
    ask("n1", join).is("ok\n", 0);
    host.erlrc(&["start", "bank", "1", first]).is(
        "erlrc-start: Starting 'bank': (n1) started (n2) started\n",
        0,
    );
    nodes
}

/// The module that the page on shared tables shows, in version 2 of the application.
fn with_tables(host: &Host) -> String {
    let page = include_str!("../../docs/howto/tables.md");
    let shown = page.lines().skip_while(|line| !line.contains("-module"));
    let shown = shown.take_while(|line| line.is_empty() || line.starts_with("    "));
    let text: String = shown.map(|line| format!("{line}\n")).collect();
    let second = bank(host, "2", "transform() -> ok.");
    let ebin = host.path("lib/bank-2/ebin");
    let source = host.file("bank_tables.erl", &text, 0o644);
    erlc_into(&ebin, &["+debug_info", &source.display().to_string()]);
    let specification = fs::read_to_string(ebin.join("bank.app")).expect("the .app");
    let specification = specification.replace("[bank]", "[bank, bank_tables]");
    fs::write(ebin.join("bank.app"), specification).expect("the .app");
    second
}

#[test]
fn a_table_that_two_nodes_share_is_transformed_when_both_have_committed() {
    let host = Host::new();
    let one = bank(&host, "1", "transform() -> ok.");
    let second = with_tables(&host);
    let _nodes = two(&host, &one);
    let arguments = ["upgrade", "bank", "1", "2", &one, &second];
    let run = host.erlrc(&[&arguments[..], &["--dry-run"]].concat());
    assert!(
        run.out
            .contains("call {bank_tables,transform,[]} when every node has committed"),
        "{run:?}"
    );
    host.erlrc(&arguments).is(
        "erlrc-upgrade: Upgrading 'bank': (n1) upgraded (n2) upgraded\n",
        0,
    );
    for node in ["n1", "n2"] {
        let row = host.erlrc(&["eval", node, "mnesia:dirty_read(account, 1)"]);
        row.is("[{account,1,ann,none}]\n", 0);
    }
}

#[test]
fn a_call_that_fails_on_a_node_is_told_and_takes_nothing_back() {
    let host = Host::new();
    let one = bank(&host, "1", "transform() -> ok.");
    let calls = "-erlrc_apply({committed, {bank, transform, []}}). transform() -> exit(no_room).";
    let next = bank(&host, "2", calls);
    let _nodes = ["n1", "n2"].map(|name| host.node(name));
    host.erlrc(&["start", "bank", "1", &one]);
    let run = host.erlrc(&["upgrade", "bank", "1", "2", &one, &next]);
    run.is(
        "erlrc-upgrade: Upgrading 'bank': (n1) upgraded (n2) upgraded\n",
        0,
    );
    for node in ["n1", "n2"] {
        let text = format!("{node}: bank:transform/0, called after the commit, failed: no_room");
        run.says(&text);
        host.erlrc(&["eval", node, "bank:vsn()"]).is("2\n", 0);
    }
}

#[test]
fn a_plan_that_would_call_nothing_is_refused() {
    let host = Host::new();
    let one = bank(&host, "1", "transform() -> ok.");
    let calls = "-erlrc_apply({committed, {bank, transfrom, []}}). transform() -> ok.";
    let next = bank(&host, "2", calls);
    let _node = host.node("n1");
    host.erlrc(&["start", "bank", "1", &one]);
    let run = host.erlrc(&["upgrade", "bank", "1", "2", &one, &next]);
    assert_eq!(run.status, 1, "{run:?}");
    run.says("bank:transfrom/0 is to be called when every node has committed");
    host.erlrc(&["eval", "n1", "bank:vsn()"]).is("1\n", 0);
}
