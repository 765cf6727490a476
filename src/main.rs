//! The `erlrc` command.

fn main() {}
