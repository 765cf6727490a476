//! Rounds over nodes that are made up: every way in which a node can fail, in milliseconds.

mod fake;

use super::operation::{Operation, Step, Version};
use super::{Answer, Event, Limits, Open, Purpose, Round};
use crate::identity::NodeName;
use crate::term::Atom;
use fake::{End, Fake, Fakes, Traits, Way};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

/// What came of an upgrade of nodes that go these ways.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// `outcome/class` of each node.
    answers: Vec<String>,
    /// The same of those that were taken back, in this order, by name.
    back: Vec<String>,
    /// Those that were left as they are.
    left: Vec<String>,
    /// What is to be known of nodes that were changed.
    warnings: Vec<String>,
    /// What they run at the end.
    running: Vec<&'static str>,
    calls: Vec<Vec<String>>,
    reasons: Vec<String>,
    took: Duration,
}

fn name(place: usize) -> NodeName {
    NodeName::parse(&format!("n{}", place + 1)).expect("a name")
}

fn round(ways: &[(Way, Traits)], tolerated: Option<usize>) -> Seen {
    carried_out(ways, tolerated, upgrade())
}

fn carried_out(ways: &[(Way, Traits)], tolerated: Option<usize>, operation: Operation) -> Seen {
    let fakes = Fakes {
        nodes: RefCell::new(BTreeMap::new()),
        now: Cell::new(Duration::ZERO),
    };
    for (place, &(way, traits)) in ways.iter().enumerate() {
        let fake = Fake {
            way,
            traits,
            running: "1",
            held: false,
            asked: 0,
            lost: false,
            calls: Vec::new(),
        };
        fakes.nodes.borrow_mut().insert(name(place), fake);
    }
    let names: Vec<NodeName> = (0..ways.len()).map(name).collect();
    let reach = &fakes;
    let tolerates = |node: &NodeName, _: &Answer| tolerated.map(name).as_ref() == Some(node);
    let round = Round {
        reach: &reach,
        limits: Limits {
            whole: Duration::from_secs(300),
            node: Duration::from_secs(60),
        },
        purpose: Purpose::Perform,
        gate: &Open,
        tolerates: &tolerates,
    };
    let (mut back, mut left, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    let outcomes = round.over(&names, &[operation], &mut |event| match event {
        Event::TakenBack { node, answer } => back.push(format!("{node} {}", word(answer))),
        Event::Left { node, .. } => left.push(node.to_string()),
        Event::Warning { node, text } => warnings.push(format!("{node} {text}")),
        _ => {}
    });
    let nodes = fakes.nodes.into_inner();
    let reason = |answer: &Answer| answer.reason.clone().unwrap_or_default();
    Seen {
        answers: outcomes.answers.iter().map(|(_, a)| word(a)).collect(),
        back,
        left,
        warnings,
        running: nodes.values().map(|fake| fake.running).collect(),
        calls: nodes.values().map(|fake| fake.calls.clone()).collect(),
        reasons: outcomes.answers.iter().map(|(_, a)| reason(a)).collect(),
        took: fakes.now.get(),
    }
}

fn word(answer: &Answer) -> String {
    format!("{}/{:?}", answer.outcome, answer.class)
}

fn upgrade() -> Operation {
    let version = |vsn: &str| Version {
        vsn: vsn.to_owned(),
        dir: None,
    };
    let step = Step::Upgrade {
        from: version("1"),
        to: version("2"),
    };
    Operation::new(Atom::of("foo"), step)
}

fn plain(ways: &[Way]) -> Seen {
    let ways: Vec<_> = ways.iter().map(|&way| (way, Traits::default())).collect();
    round(&ways, None)
}

#[track_caller]
fn case(ways: &[Way], answers: &[&str], running: &[&str]) -> Seen {
    let seen = plain(ways);
    assert_eq!(seen.answers, answers, "{ways:?}");
    assert_eq!(seen.running, running, "{ways:?}");
    seen
}

const UP: &str = "upgraded/Done";

#[test]
fn all_are_changed_and_confirmed() {
    let seen = case(&[Way::Does; 3], &[UP, UP, UP], &["2", "2", "2"]);
    let confirmed = |calls: &Vec<String>| calls.iter().any(|call| call == "confirm");
    let confirmed: Vec<bool> = seen.calls.iter().map(confirmed).collect();
    assert_eq!(confirmed, [true, true, false], "the last one holds nothing");
}

fn provisional(ways: &[(Way, Traits)]) -> Seen {
    let mut operation = upgrade();
    operation.options.provisional = Some(Duration::from_secs(60));
    carried_out(ways, None, operation)
}

#[test]
fn what_is_provisional_is_held_by_all_and_confirmed_by_nobody() {
    let called = |seen: &Seen, name: &str| -> Vec<bool> {
        let calls = seen.calls.iter();
        calls
            .map(|calls| calls.iter().any(|call| call == name))
            .collect()
    };
    let ways = [(Way::Does, Traits::default()); 3];
    let seen = provisional(&ways);
    assert_eq!(
        (seen.answers, seen.running),
        (vec![UP.to_owned(); 3], vec!["2"; 3])
    );
    assert!(seen.warnings.is_empty());
    let seen = provisional(&ways);
    assert_eq!(called(&seen, "prolong"), [true; 3]);
    assert_eq!(called(&seen, "confirm"), [false; 3]);
    let alone = provisional(&ways[..1]);
    assert_eq!(
        [called(&alone, "prolong"), called(&alone, "confirm")],
        [[false], [false]]
    );
}

#[test]
fn a_node_that_knows_nothing_provisional_keeps_all_from_beginning() {
    let old = Traits {
        old: true,
        ..Traits::default()
    };
    let new = Traits::default();
    let numbers = Traits {
        numbers: true,
        ..new
    };
    for (ways, answers) in [
        (vec![(Way::Does, old)], vec!["too_old/Refused"]),
        (
            vec![(Way::Does, new), (Way::Does, numbers)],
            vec!["not_tried/Absent", "too_old/Refused"],
        ),
        (
            vec![(Way::Does, new), (Way::Does, old)],
            vec!["not_tried/Absent", "too_old/Refused"],
        ),
        (
            vec![(Way::Does, old), (Way::Does, new)],
            vec!["too_old/Refused", "not_tried/Absent"],
        ),
    ] {
        let seen = provisional(&ways);
        assert_eq!(seen.answers, answers);
        assert!(seen.running.iter().all(|vsn| *vsn == "1"), "{seen:?}");
        assert!(
            seen.reasons
                .iter()
                .any(|why| why.contains("leave --provisional out"))
        );
    }
}

#[test]
fn one_that_fails_takes_back_what_is_provisional() {
    let failing = (Way::Fails, Traits::default());
    let seen = provisional(&[(Way::Does, Traits::default()), failing]);
    assert_eq!(seen.answers, [UP, "script_failed/RolledBack"]);
    assert_eq!(
        (seen.back, seen.running),
        (vec!["n1 reverted/Done".to_owned()], vec!["1", "1"])
    );
}

/// Such a node has lost its way back: it says so, and nobody takes it for open.
#[test]
fn one_that_does_not_hold_is_named() {
    let forgets = Traits {
        forgets: true,
        ..Traits::default()
    };
    let seen = provisional(&[(Way::Does, forgets), (Way::Does, Traits::default())]);
    assert_eq!(
        seen.warnings,
        ["n1 the way back is not open there: the new version stays"]
    );
}

#[test]
fn one_that_would_refuse_keeps_all_from_beginning() {
    let not_tried = "not_tried/Absent";
    for place in 0..3 {
        let mut ways = [Way::Does; 3];
        let mut answers = [not_tried; 3];
        (ways[place], answers[place]) = (Way::Refuses, "version_mismatch/Refused");
        case(&ways, &answers, &["1", "1", "1"]);
    }
}

#[test]
fn one_that_fails_takes_those_before_it_back() {
    let failed = ["script_failed/RolledBack", "not_tried/Absent"];
    case(&[Way::Fails, Way::Does], &failed, &["1", "1"]);
    let ways = [Way::Does, Way::Does, Way::Fails];
    let seen = case(&ways, &[UP, UP, failed[0]], &["1", "1", "1"]);
    assert_eq!(seen.back, ["n2 reverted/Done", "n1 reverted/Done"]);
    let ways = [Way::Does, Way::Breaks, Way::Does];
    let broken = "not_rolled_back/NotRolledBack";
    let seen = case(&ways, &[UP, broken, failed[1]], &["1", "1", "1"]);
    assert_eq!(seen.back, ["n1 reverted/Done"]);
}

#[test]
fn one_that_is_not_there_or_cannot_be_spoken_to_is_no_failure() {
    let answers = ["node_down/Absent", UP, "entry_refused/Unreachable"];
    let ways = [Way::Down, Way::Does, Way::Closed];
    case(&ways, &answers, &["1", "2", "1"]);
}

#[test]
fn the_end_of_a_lost_operation_is_learnt_from_it() {
    let ways = [Way::Lost, Way::Hangs, Way::ServerDies];
    for way in ways {
        for after in [0, 1, 40] {
            let well = way(End::Well(after));
            case(&[well], &[UP], &["2"]);
            let seen = case(&[Way::Does, well], &[UP, UP], &["2", "2"]);
            assert_eq!(seen.back, [""; 0], "{well:?}");
            let badly = way(End::Badly(after));
            let failed = "script_failed/RolledBack";
            case(&[badly], &[failed], &["1"]);
            let seen = case(&[Way::Does, badly], &[UP, failed], &["1", "1"]);
            assert_eq!(seen.back, ["n1 reverted/Done"], "{badly:?}");
        }
    }
}

#[test]
fn an_operation_that_never_reached_the_node_has_failed() {
    for (way, outcome) in [
        (Way::Lost(End::Never), "lost/RolledBack"),
        (Way::Hangs(End::Never), "timed_out/RolledBack"),
        (Way::ServerDies(End::Never), "call_failed/RolledBack"),
    ] {
        let seen = case(&[Way::Does, way], &[UP, outcome], &["1", "1"]);
        assert!(seen.reasons[1].ends_with("the node runs 1 now"), "{seen:?}");
    }
}

#[test]
fn nobody_is_taken_back_while_another_may_be_on_its_way() {
    for end in [End::Endless, End::Silence] {
        for (way, outcome) in [
            (Way::Lost(end), "lost/Unresolved"),
            (Way::Hangs(end), "timed_out/Unresolved"),
            (Way::ServerDies(end), "call_failed/Unresolved"),
        ] {
            let ways = [Way::Does, way, Way::Does];
            let answers = [UP, outcome, "not_tried/Absent"];
            let seen = case(&ways, &answers, &["2", "1", "1"]);
            assert_eq!(seen.left, ["n1"], "{way:?}");
            assert_eq!(seen.back, [""; 0], "{way:?}");
            assert!(seen.reasons[1].contains("at work on it"), "{seen:?}");
            assert!(seen.took >= Duration::from_secs(60), "{seen:?}");
            assert!(seen.took <= Duration::from_secs(301), "{seen:?}");
        }
    }
}

#[test]
fn nobody_is_taken_back_where_the_doubt_was_tolerated() {
    let ways = [Way::Does, Way::Lost(End::Silence), Way::Fails];
    let ways = ways.map(|way| (way, Traits::default()));
    let seen = round(&ways, Some(1));
    let failed = "script_failed/RolledBack";
    assert_eq!(seen.answers, [UP, "lost/Unresolved", failed]);
    assert_eq!(
        (seen.left, seen.running),
        (vec!["n1".to_owned()], vec!["2", "1", "1"])
    );
}

#[test]
fn a_node_that_is_stopped_is_told_from_one_that_dies() {
    let stopped = "node_stopped/Absent";
    let seen = case(
        &[Way::Does, Way::Lost(End::Stop)],
        &[UP, stopped],
        &["2", "1"],
    );
    assert_eq!(seen.back, [""; 0]);
    let died = "node_died/NotRolledBack";
    let seen = case(
        &[Way::Does, Way::Lost(End::Death)],
        &[UP, died],
        &["1", "1"],
    );
    assert_eq!(seen.back, ["n1 reverted/Done"]);
}

#[test]
fn an_older_node_is_waited_for_until_it_does_nothing() {
    let old = Traits {
        old: true,
        ..Traits::default()
    };
    for (end, answer, running) in [
        (End::Well(9), UP, "2"),
        (End::Badly(9), "lost/RolledBack", "1"),
        (End::Never, "lost/RolledBack", "1"),
        (End::Endless, "lost/Unresolved", "1"),
    ] {
        let seen = round(&[(Way::Lost(end), old)], None);
        assert_eq!(
            (seen.answers, seen.running),
            (vec![answer.to_owned()], vec![running])
        );
    }
    // It is asked to keep its way back open all the same.
    let seen = round(&[(Way::Does, old), (Way::Fails, old)], None);
    assert_eq!(seen.running, ["1", "1"]);
}

#[test]
fn without_a_way_back_the_reverse_is_asked_for() {
    let forgets = Traits {
        forgets: true,
        ..Traits::default()
    };
    let fails = (Way::Fails, Traits::default());
    let seen = round(&[(Way::Does, forgets), fails], None);
    assert_eq!(seen.back, ["n1 downgraded/Done"]);
    assert_eq!(seen.running, ["1", "1"]);
    let stuck = Traits {
        stuck: true,
        ..forgets
    };
    let seen = round(&[(Way::Does, stuck), fails], None);
    assert_eq!(seen.back, ["n1 script_failed/NotRolledBack"]);
    assert_eq!(seen.running, ["2", "1"]);
}

#[test]
fn a_way_back_that_fails_is_said_to_have_failed() {
    let stuck = Traits {
        stuck: true,
        ..Traits::default()
    };
    let seen = round(&[(Way::Does, stuck), (Way::Fails, Traits::default())], None);
    assert_eq!(seen.back, ["n1 not_rolled_back/NotRolledBack"]);
}

#[test]
fn what_is_tolerated_ends_nothing() {
    let ways = [Way::Does, Way::Fails, Way::Does].map(|way| (way, Traits::default()));
    let seen = round(&ways, Some(1));
    assert_eq!(seen.answers, [UP, "script_failed/RolledBack", UP]);
    assert_eq!(seen.running, ["2", "1", "2"]);
}

#[test]
fn one_that_is_down_before_it_is_confirmed_is_told_of() {
    let dies = Traits {
        dies: true,
        ..Traits::default()
    };
    let seen = round(&[(Way::Does, dies), (Way::Does, Traits::default())], None);
    assert_eq!(seen.answers, [UP, UP]);
    assert_eq!(seen.warnings, ["n1 the node was changed and is down now"]);
}
