//! `erlrc env`: environments made of real OTP trees, nodes that run from them, and what becomes of both.
//!
//! `ERLRC_TEST_ERL` names another `erl` than the one on the path: its tree is the one that they are made from.

#[path = "../hooks/host.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the tests of the hooks"
)]
mod host;
#[path = "../support/otp.rs"]
mod otp;
#[path = "../support/schema.rs"]
#[allow(dead_code, reason = "shared with the tests of the hooks")]
mod schema;

mod check;
mod hostile;
mod howto;
mod made;
mod removed;
mod several;
mod tree;
mod unfit;
