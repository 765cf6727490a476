use super::*;
use crate::term::text::parse;

#[track_caller]
fn float(value: f64, expected: &str) {
    assert_eq!(compact(&Term::Float(value)), expected);
}

#[test]
fn floats_are_shortest_as_in_otp() {
    float(0.1, "0.1");
    float(1.0e22, "1.0e22");
    float(100.0, "100.0");
    float(1.0e5, "1.0e5");
    float(123_456.0, "123456.0");
    float(0.001, "0.001");
    float(1.0e-4, "0.0001");
    float(1.2e-4, "1.2e-4");
    float(1500.0, "1.5e3");
    float(-1.25e-7, "-1.25e-7");
    float(0.0, "0.0");
    float(9_007_199_254_740_992.0, "9.007199254740992e15");
}

#[test]
fn wide_terms_are_broken_below_each_other() {
    let text = "{\"2.0\",\n [{\"1.0\",\n   [{add_module,a},\n    {load_module,b}]}],\n []}";
    assert_eq!(pretty(&parse(text).expect("a term"), 24), text);
}

#[test]
fn a_string_that_looks_like_a_coding_comment_does_not_declare_one() {
    let terms = [Term::string("% coding: latin-1 å")];
    let limits = crate::term::Limits::default();
    let read = |file: String| crate::term::text::parse_all(file.as_bytes(), &limits);
    assert_eq!(read(file(&terms)), Ok(terms.to_vec()));
    assert_ne!(read(format!("{}.", terms[0])), Ok(terms.to_vec()));
    assert!(!file(&[Term::string("% coding: utf-8 å")]).starts_with('%'));
}

#[test]
fn small_elements_are_side_by_side() {
    let term = parse("{modules,[aaa,bbb,ccc,ddd,eee]}").expect("a term");
    assert_eq!(
        pretty(&term, 12),
        "{modules,\n [aaa,bbb,\n  ccc,ddd,\n  eee]}"
    );
}
