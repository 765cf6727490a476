//! `erlrc release`: releases of real applications, and nodes that boot them by OTP's own boot script.
//!
//! `ERLRC_TEST_ERL` names another `erl` than the one on the path.

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

mod boot;
mod control;
mod current;
mod howto;
mod made;
mod nodes;
mod refused;
mod reset;
mod shop;
mod trial;
mod trial_interrupted;
