//! The erlrc engine inside the Erlang VM: decode, one call of the core, encode.
