//! What `erlrc history` prints.

use super::*;

fn record(nodes: &[(&str, &str)]) -> Record {
    let json = json!({"version": 1, "time": "2026-03-01T12:00:00.250Z", "who": {"uid": 0, "parent": "bash"},
        "operation": "upgrade", "application": "egerl", "from": "4.0.1", "to": "4.1.0", "status": 0, "duration_us": 20_500,
        "later": true,
        "nodes": nodes.iter().map(|(node, outcome)| json!({"node": node, "outcome": outcome, "status": 0,
            "report": {"evaluator": "transactional", "instructions": 3, "pause": 1500, "stages": {"commit": 90}}}))
            .collect::<Vec<_>>()});
    serde_json::from_value(json).expect("a record")
}

#[test]
fn the_table_says_what_happened_in_a_line() {
    let records = [
        record(&[("n1", "upgraded")]),
        record(&[("n1", "upgraded"), ("n2", "node_down"), ("n3", "upgraded")]),
    ];
    let expected = "\
ID        TIME (UTC)           OPERATION  APPLICATION  VERSION         PAUSE   OUTCOME
05e9f1b0  2026-03-01 12:00:00  upgrade    egerl        4.0.1 -> 4.1.0  1.5 ms  upgraded (n1)
05e9f1b0  2026-03-01 12:00:00  upgrade    egerl        4.0.1 -> 4.1.0  1.5 ms  upgraded (n1, n3), node_down (n2)
";
    assert_eq!(short(&records), expected);
    assert_eq!(short(&[]), "");
}

#[test]
fn who_did_not_go_back_is_named() {
    let mut back = record(&[("n1", "upgraded"), ("n2", "upgraded"), ("n3", "failed")]);
    back.undone = record(&[("n2", "reverted"), ("n1", "reverted")]).nodes;
    assert_eq!(outcome(&back), "upgraded (n1, n2), failed (n3), undone");
    back.undone[0].status = 6;
    assert_eq!(
        outcome(&back),
        "upgraded (n1, n2), failed (n3), not_undone (n2), undone (n1)"
    );
}

#[test]
fn the_long_form_says_all() {
    let expected = "\
05e9f1b0 2026-03-01T12:00:00.250Z upgrade egerl 4.0.1 -> 4.1.0
  by uid 0, bash; status 0 after 20 ms
  n1: upgraded
    3 instructions, 0 modules, 0 processes, longest pause 1.5 ms (transactional)
    commit 90 us
";
    assert_eq!(long(&record(&[("n1", "upgraded")])), expected);
}

#[test]
fn since_takes_a_time_or_how_long_ago() {
    assert_eq!(
        since("2026-03-01"),
        Ok(Time::parse("2026-03-01").expect("a time"))
    );
    let ago = |text| Time::now().since(since(text).expect("a time")).as_secs();
    assert!((7200..7210).contains(&ago("2h")) && (1_209_600..1_209_610).contains(&ago("2w")));
    for text in ["", "h", "2", "2y", "-2h", "99999999999999999999d"] {
        assert!(since(text).is_err(), "{text}");
    }
}

#[test]
fn text_of_others_cannot_control_the_terminal() {
    let mut evil = record(&[("n1", "up\u{1b}[2Jgraded")]);
    evil.from = Some("\u{9b}1".to_owned());
    evil.nodes[0].reason = Some("a\nb\u{7}".to_owned());
    let text = format!("{}{}", short(&[evil.clone()]), long(&evil));
    assert!(
        !text.chars().any(|c| c.is_control() && c != '\n'),
        "{text:?}"
    );
}
