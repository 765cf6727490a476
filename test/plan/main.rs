//! Plans of pairs of versions: every finding appears where it should and nowhere else.

#[path = "../support/mod.rs"]
mod support;

mod corpus;
mod elixir;
mod migrations;
mod pairs;
mod schema;
mod surroundings;
mod unchanged;
