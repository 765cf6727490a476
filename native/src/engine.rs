//! Functions of the engine about single files and terms.

#![forbid(unsafe_code)]

use crate::{decode, encode};

/// `round_trip(Term) -> {ok, Term}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn round_trip(term: decode::Value) -> encode::Answer {
    encode::Answer(Ok(term.0))
}
