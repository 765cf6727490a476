//! A pair for every finding, and pairs for none.

mod code;
mod files;
mod shipped;
mod states;
mod storage;
mod supervisors;

use crate::pairs::{Built, check, pair, with};
use erlrc::plan::Surroundings;
pub use states::{TRIVIAL, record, server};

#[test]
fn every_finding_is_where_it_should_be_and_nowhere_else() {
    let pairs = [
        states::states(),
        supervisors::supervisors(),
        code::code(),
        files::files(),
        shipped::shipped(),
        storage::storage(),
    ]
    .concat();
    let built = Built::new(&pairs);
    for pair in &pairs {
        check(pair, &built.plan(pair, &Surroundings::default()));
    }
    let kinds: std::collections::BTreeSet<_> = pairs
        .iter()
        .flat_map(|pair| &pair.expected)
        .map(|(kind, _)| kind)
        .collect();
    assert!(kinds.len() > 20, "{kinds:?}");
}

#[test]
fn the_later_version_converts_its_states_on_the_way_down() {
    let of =
        |fields: &str, change: &str| with(&[("demo_server", &server(&record(fields), change))]);
    let both = "code_change({down, _}, {state, A, _}, _) -> {ok, {state, A}};\n\
                code_change(_, {state, A}, _) -> {ok, {state, A, 0}}.";
    let pairs = [
        pair("there_and_back", of("a", TRIVIAL), of("a, b = 0", both)),
        pair("up_alone", of("a", both), of("a, b = 0", TRIVIAL)),
    ];
    let built = Built::new(&pairs);
    let found = pairs.each_ref().map(|pair| {
        let plan = built.plan_down(pair, &Surroundings::default());
        plan.findings
            .iter()
            .any(|finding| finding.kind == "state_not_migrated")
    });
    assert_eq!(found, [false, true]);
}
