//! The erlrc engine inside the Erlang VM: decode, one call of the core, encode.
//!
//! One function here for each of `erlrc_engine`'s, each on a dirty scheduler: `DirtyIo` when it
//! reads files, `DirtyCpu` otherwise. What is decided is decided in the core: no logic here.
//! Resource types are not to be used: they are what makes a library impossible to upgrade.

#[cfg(panic = "abort")]
compile_error!(
    "erlrc_nif needs panic = \"unwind\": with \"abort\" a panic takes the whole VM down"
);

mod appup;
mod atoms;
mod decode;
mod encode;
mod engine;
mod entry;
mod etf;
mod inclusion;
mod shadow;
mod stack;
