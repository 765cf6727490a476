//! Conversions between definitions, written as source and read as debug information.

use super::*;
use crate::term::{external, text};

/// Forms of `-record` definitions and `init/1`, written in the abstract format.
fn forms(source: &str) -> Forms {
    let terms = text::parse(source).expect("forms");
    let whole = Term::tuple([
        Term::atom("debug_info_v1"),
        Term::atom("erl_abstract_code"),
        Term::tuple([terms, Term::NIL]),
    ]);
    match Forms::read(Some(&external::encode(&whole))) {
        crate::forms::Debug::Known(forms) => forms,
        other => panic!("{other:?}"),
    }
}

/// A gen_server whose state is a record with these fields, beside other definitions.
fn server(fields: &str, others: &str) -> (Forms, Anatomy) {
    let init = "{function,9,init,1,[{clause,9,[{var,9,'_'}],[],[{tuple,9,[{atom,9,ok},{record,9,state,[]}]}]}]}";
    let forms = forms(&format!(
        "[{{attribute,1,record,{{state,[{fields}]}}}},{others}{init}]"
    ));
    let anatomy = Anatomy::of(&forms, &crate::appup::ModuleKind::Server);
    (forms, anatomy)
}

fn plain(name: &str) -> String {
    format!("{{record_field,1,{{atom,1,{name}}}}}")
}

fn with_default(name: &str, default: &str) -> String {
    format!("{{record_field,1,{{atom,1,{name}}},{default}}}")
}

fn typed(field: &str, declared: &str) -> String {
    format!("{{typed_record_field,{field},{declared}}}")
}

fn migrate(
    before: &(Forms, Anatomy),
    after: &(Forms, Anatomy),
    loss: Loss,
) -> Result<Option<Migration>, Vec<Obstacle>> {
    between(
        &Atom::of("server"),
        Version {
            forms: &before.0,
            anatomy: &before.1,
        },
        Version {
            forms: &after.0,
            anatomy: &after.1,
        },
        &after.1,
        loss,
    )
}

#[track_caller]
fn case(before: &(Forms, Anatomy), after: &(Forms, Anatomy), expected: &str) {
    let found = migrate(before, after, Loss::Refused).expect("no obstacle");
    let found = found.map_or("none".to_owned(), |found| found.term().to_string());
    assert_eq!(found, expected);
}

#[track_caller]
fn obstacle(before: &(Forms, Anatomy), after: &(Forms, Anatomy), expected: &str) {
    let found = migrate(before, after, Loss::Refused).expect_err("an obstacle");
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, [expected]);
}

#[test]
fn fields_are_found_by_name_and_new_ones_get_their_default() {
    let before = server(&[plain("a"), plain("b")].join(","), "");
    let after = server(
        &[
            plain("b"),
            with_default("n", "{op,1,'-',{integer,1,1}}"),
            plain("a"),
            plain("u"),
        ]
        .join(","),
        "",
    );
    case(
        &before,
        &after,
        "{server,{record,state},#{state => {3,[{kept,3,same},{default,-1},{kept,2,same},{default,undefined}]}}}",
    );
}

#[test]
fn the_same_definition_is_no_migration() {
    let same = || server(&plain("a"), "");
    case(&same(), &same(), "none");
}

#[test]
fn a_lost_field_is_an_obstacle_unless_loss_is_allowed() {
    let before = server(&[plain("a"), plain("b")].join(","), "");
    let after = server(&plain("a"), "");
    obstacle(&before, &after, "the value of state.b would be lost");
    let found = migrate(&before, &after, Loss::Allowed).expect("allowed");
    assert_eq!(found.expect("a migration").lost, ["state.b"]);
}

#[test]
fn a_default_that_is_a_call_is_an_obstacle() {
    let before = server(&plain("a"), "");
    let now = "{call,1,{atom,1,now},[]}";
    let after = server(&[plain("a"), with_default("t", now)].join(","), "");
    obstacle(&before, &after, "the default of state.t has to be computed");
    let inside = format!("{{tuple,1,[{{atom,1,x}},{now}]}}");
    let after = server(&[plain("a"), with_default("t", &inside)].join(","), "");
    obstacle(&before, &after, "the default of state.t has to be computed");
}

#[test]
fn another_declared_type_is_an_obstacle() {
    let of = |kind: &str| {
        let declared = format!("{{type,1,{kind},[]}}");
        server(&[typed(&plain("a"), &declared), plain("b")].join(","), "")
    };
    let gains = server(
        &[
            typed(&plain("a"), "{type,2,map,any}"),
            plain("b"),
            plain("c"),
        ]
        .join(","),
        "",
    );
    obstacle(&of("list"), &gains, "the declared type of state.a changes");
}

const ITEM: &str = "{attribute,1,record,{item,[{record_field,1,{atom,1,k}}]}},";
const WIDER: &str = "{attribute,1,record,{item,[{record_field,1,{atom,1,k}},{record_field,1,{atom,1,v},{integer,1,7}}]}},";
const RECORD: &str = "{type,1,record,[{atom,1,item}]}";

#[test]
fn declared_types_lead_to_records_inside() {
    let of = |declared: &str, item: &str| server(&typed(&plain("a"), declared), item);
    let item = "item => {2,[{kept,2,same},{default,7}]}";
    for (declared, how) in [
        (RECORD.to_owned(), "{record,item}"),
        (
            format!("{{type,1,list,[{RECORD}]}}"),
            "{elements,{record,item}}",
        ),
        (
            format!("{{type,1,union,[{{atom,1,undefined}},{RECORD}]}}"),
            "{record,item}",
        ),
        (
            format!("{{type,1,map,[{{type,1,map_field_assoc,[{{type,1,atom,[]}},{RECORD}]}}]}}"),
            "{values,{record,item}}",
        ),
    ] {
        let expected =
            format!("{{server,{{record,state}},#{{{item},state => {{2,[{{kept,2,{how}}}]}}}}}}");
        case(&of(&declared, ITEM), &of(&declared, WIDER), &expected);
    }
}

#[test]
fn a_named_type_is_followed_and_a_cycle_ends() {
    let types = "{attribute,1,type,{items,{type,1,list,[{type,1,record,[{atom,1,item}]}]},[]}},\
                 {attribute,1,type,{loop,{user_type,1,loop,[]},[]}},";
    let of = |name: &str, item: &str| {
        let declared = format!("{{user_type,1,{name},[]}}");
        server(&typed(&plain("a"), &declared), &format!("{types}{item}"))
    };
    let found = migrate(&of("items", ITEM), &of("items", WIDER), Loss::Refused);
    assert!(found.expect("no obstacle").is_some());
    case(&of("loop", ITEM), &of("loop", WIDER), "none");
}

#[test]
fn a_record_that_no_type_leads_to_is_an_obstacle() {
    let tuple = format!("{{type,1,tuple,[{{type,1,atom,[]}},{RECORD}]}}");
    let before = server(&[typed(&plain("a"), &tuple), plain("b")].join(","), ITEM);
    let after = server(
        &[typed(&plain("a"), &tuple), plain("b"), plain("c")].join(","),
        WIDER,
    );
    obstacle(
        &before,
        &after,
        "#item{} changes inside the state, and no declared type leads to it",
    );
}

fn map_server(pairs: &str) -> (Forms, Anatomy) {
    let forms = forms(&format!(
        "[{{function,9,init,1,[{{clause,9,[{{var,9,'_'}}],[],[{{tuple,9,[{{atom,9,ok}},{{map,9,[{pairs}]}}]}}]}}]}}]"
    ));
    let anatomy = Anatomy::of(&forms, &crate::appup::ModuleKind::Server);
    (forms, anatomy)
}

fn pair(key: &str, value: &str) -> String {
    format!("{{map_field_assoc,9,{{atom,9,{key}}},{value}}}")
}

#[test]
fn a_map_of_fixed_keys_gains_and_loses() {
    let before = map_server(&[pair("a", "{integer,9,1}"), pair("b", "{nil,9}")].join(","));
    let after = map_server(&[pair("a", "{integer,9,2}"), pair("c", "{nil,9}")].join(","));
    obstacle(&before, &after, "the value of map.b would be lost");
    let found = migrate(&before, &after, Loss::Allowed).expect("allowed");
    let found = found.expect("a migration").term().to_string();
    assert_eq!(found, "{server,{map,[{c,[]}],[b]},#{}}");
    let computed = map_server(&[pair("a", "{integer,9,2}"), pair("c", "{var,9,'X'}")].join(","));
    let kept = map_server(&pair("a", "{integer,9,2}"));
    obstacle(&kept, &computed, "the default of map.c has to be computed");
}

#[test]
fn the_source_has_both_ways() {
    let before = server(&[plain("a"), plain("b")].join(","), "");
    let after = server(
        &[plain("a"), plain("b"), with_default("n", "{integer,1,0}")].join(","),
        "",
    );
    let up = migrate(&before, &after, Loss::Allowed).unwrap().unwrap();
    let down = between(
        &Atom::of("server"),
        Version {
            forms: &after.0,
            anatomy: &after.1,
        },
        Version {
            forms: &before.0,
            anatomy: &before.1,
        },
        &after.1,
        Loss::Allowed,
    );
    let text = source::code_change(&up, down.unwrap().as_ref(), "1.0");
    let expected = "\
%% Converts the states of server between version 1.0 and the next one, field by field.
code_change({down, _Vsn}, State, _Extra) ->
    {ok, down_state(State)};
code_change(_Vsn, State, _Extra) ->
    {ok, up_state(State)}.

up_state({state, F1, F2}) ->
    {state, F1, F2, 0};
up_state(Other) ->
    Other.

down_state({state, F1, F2, _F3}) ->
    {state, F1, F2};
down_state(Other) ->
    Other.
";
    assert_eq!(text.as_deref(), Some(expected));
}

/// Each definition names the next one twice: what they come to has no bound, the look at them has.
#[test]
fn definitions_that_name_one_another_again_and_again_are_refused() {
    let twice = |kind: &str, of: &str| format!("{{{kind},1,[{of},{of}]}}");
    let defaults: String = (0..25)
        .map(|n| {
            let next = format!("{{record,1,r{},[]}}", n + 1);
            let field = with_default("f", &twice("tuple", &next));
            format!("{{attribute,1,record,{{r{n},[{field}]}}}},")
        })
        .collect();
    let last = "{attribute,1,record,{r25,[]}},";
    let others = format!("{defaults}{last}");
    let before = server(&plain("a"), &others);
    let after = server(
        &[plain("a"), with_default("b", "{record,1,r0,[]}")].join(","),
        &others,
    );
    let refused = "its types and defaults name one another too often";
    obstacle(&before, &after, refused);
    let many = ["{user_type,1,t,[]}"; 12].join(",");
    let types = format!("{{attribute,1,type,{{t,{{type,1,union,[{many}]}},[]}}}},");
    let of = |fields: &[String]| server(&fields.join(","), &types);
    let declared = typed(&plain("a"), "{user_type,1,t,[]}");
    obstacle(
        &of(std::slice::from_ref(&declared)),
        &of(&[declared.clone(), plain("b")]),
        refused,
    );
}

/// A chain of records is followed without a stack.
#[test]
fn a_chain_of_records_is_followed_to_its_end() {
    let chain = |last: &str| -> String {
        let links = (0..20_000).map(|n| {
            let next = format!("{{type,1,record,[{{atom,1,r{}}}]}}", n + 1);
            let field = typed(&plain("f"), &next);
            format!("{{attribute,1,record,{{r{n},[{field}]}}}},")
        });
        let links: String = links.collect();
        format!("{links}{{attribute,1,record,{{r20000,[{last}]}}}},")
    };
    let state = typed(&plain("a"), "{type,1,record,[{atom,1,r0}]}");
    let (before, after) = (
        server(&state, &chain(&plain("x"))),
        server(&state, &chain(&[plain("x"), plain("y")].join(","))),
    );
    let found = migrate(&before, &after, Loss::Refused).expect("no obstacle");
    assert_eq!(found.expect("a migration").records.len(), 20_002);
}
