//! The erlrc engine: what must be known and decided to start, stop, upgrade and downgrade OTP
//! applications in running nodes.
//!
//! The modules in reading order:
//!
//! * [`term`]: Erlang terms as values, as text and in the external format.
//!
//! Nothing here prints, and nothing but the `cli` feature reads the environment.
#![warn(missing_docs)]

pub mod term;
