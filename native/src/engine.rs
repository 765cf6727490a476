//! Functions of the engine about single files, versions and terms.

#![forbid(unsafe_code)]

use std::cmp::Ordering;

use erlrc::application;
use rustler::{Atom, NifResult};

use crate::encode::Answer;
use crate::{decode, stack};

/// `round_trip(Term) -> {ok, Term}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn round_trip(term: decode::Value) -> NifResult<Answer> {
    Ok(Answer::new(stack::run(|| Ok(term.0))?))
}

mod order {
    rustler::atoms! { lt, eq, gt }
}

/// `compare_vsn(A, B) -> lt | eq | gt`.
#[rustler::nif(schedule = "DirtyCpu")]
fn compare_vsn(a: decode::Text, b: decode::Text) -> NifResult<Atom> {
    Ok(
        match stack::run(|| application::vsn::compare(&a.0, &b.0))? {
            Ordering::Less => order::lt(),
            Ordering::Equal => order::eq(),
            Ordering::Greater => order::gt(),
        },
    )
}

/// `vsn() -> Vsn`: the version of the library.
#[rustler::nif(schedule = "DirtyCpu")]
fn vsn() -> &'static [u8] {
    env!("CARGO_PKG_VERSION").as_bytes()
}
