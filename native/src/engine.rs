//! Functions of the engine about single files and terms.

#![forbid(unsafe_code)]

use rustler::NifResult;

use crate::encode::Answer;
use crate::{decode, stack};

/// `round_trip(Term) -> {ok, Term}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn round_trip(term: decode::Value) -> NifResult<Answer> {
    Ok(Answer(stack::run(|| Ok(term.0))?))
}
