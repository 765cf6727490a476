//! A pair for every finding, and pairs for none.

mod code;
mod files;
mod shipped;
mod states;
mod storage;
mod supervisors;

use crate::pairs::{Built, check, pair, with};
use erlrc::plan::{Severity, Surroundings};
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

#[test]
fn an_appup_that_is_not_meant_so_is_a_warning() {
    let pairs = shipped::shipped().into_iter();
    let pairs: Vec<_> = pairs
        .filter(|pair| ["appup_terms", "appup_vsn"].contains(&pair.name))
        .collect();
    let built = Built::new(&pairs);
    let said = pairs.iter().map(|pair| {
        let plan = built.plan(pair, &Surroundings::default());
        let [finding] = plan.findings.try_into().unwrap();
        assert_eq!(
            (finding.severity, &*finding.subject),
            (Severity::Warning, "demo")
        );
        (finding.kind.into_owned(), finding.text)
    });
    let terms =
        "the appup that is shipped holds 3 terms, of which OTP's tools read the first alone";
    let vsn = "the appup that is shipped says that it is for version 2.1, and the application is version 2.0";
    let [(first, about_terms), (second, about_vsn)] = &said.collect::<Vec<_>>()[..] else {
        panic!("two pairs")
    };
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("appup_terms", "appup_vsn")
    );
    assert_eq!(about_terms, terms);
    assert!(about_vsn.starts_with(vsn), "{about_vsn}");
}
