//! `erlrc plan`: what a node says of itself, and what it comes to.

use crate::host::{Host, foo};

#[test]
fn a_plan_asks_the_node_and_changes_nothing() {
    let host = Host::new();
    let _node = host.node("n1");
    host.listed("n2");
    let (old, new) = (foo("1.0"), foo("2.0"));
    let plan = || host.erlrc(&["plan", "foo"]);
    let down = "foo on n2: node_down\n";
    let not_running = "the application does not run there: an upgrade would start it";
    plan().is(&format!("foo on n1: not_running: {not_running}\n{down}"), 0);
    host.erlrc(&["start", "foo", "1.0", &old]);
    let found = plan();
    assert!(
        found.out.starts_with("foo 1.0 -> 2.0 on n1: hot\n"),
        "{}",
        found.out
    );
    assert!(found.out.ends_with(down), "{}", found.out);
    let update = "{update,foo_server,infinity,{advanced,[]},brutal_purge,brutal_purge,[]}";
    assert!(found.out.contains(update), "{}", found.out);
    assert_eq!(found.status, 0);
    host.erlrc(&["eval", "n1", "foo_server:history()"])
        .is("[\"1.0\"]\n", 0);
    host.erlrc(&["upgrade", "foo", "1.0", "2.0", &old, &new]);
    let back = host.erlrc(&["plan", "foo", "1.0", "--node", "n1"]);
    assert!(
        back.out.starts_with("foo 2.0 -> 1.0 on n1: hot\n"),
        "{}",
        back.out
    );
}

#[test]
fn json_has_the_node_s_own_steps_and_what_is_around() {
    let host = Host::new();
    let _node = host.node("n1");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")]);
    let run = host.erlrc(&["plan", "foo", "--to", &foo("2.0"), "--json"]);
    let whole: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let plan = &whole["plans"][0];
    assert_eq!(plan["node"], "n1");
    assert_eq!(
        plan["node_steps"][0],
        "run the script, generated, 1 instructions"
    );
    assert!(plan["looked_at"].as_u64().unwrap() > 50, "{plan}");
    assert_eq!(plan["findings"][0]["kind"], "state_unknown", "{plan}");
    assert_eq!(
        (&whole["verdict"], &whole["status"]),
        (&"hot".into(), &0.into())
    );
}

#[test]
fn what_is_nowhere_is_said() {
    let host = Host::new();
    let _node = host.node("n1");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")]);
    let run = host.erlrc(&["plan", "foo", "9"]);
    run.is(
        "foo on n1: no_plan: version 9 of foo is nowhere to be found\n",
        1,
    );
    host.erlrc(&["plan", "foo", "--node", "n9"])
        .is("", 1)
        .says("there is no entry for the node n9");
}
