//! What the `.app` file says, and what is on disk.

use super::code::lib;
use crate::pairs::{Pair, Side, pair, with};

pub fn keys(keys: &str) -> Side {
    let body = "-export([f/0]).\nf() -> 1.";
    Side {
        keys: keys.to_owned(),
        ..lib(body)
    }
}

pub fn files() -> Vec<Pair> {
    let one = || lib("-export([f/0]).\nf() -> 1.");
    let two = || lib("-export([f/0]).\nf() -> 2.");
    let extra = || {
        with(&[
            ("demo_lib", "-export([f/0]).\nf() -> 1."),
            ("demo_extra", ""),
        ])
    };
    let env = |pairs: &str| keys(&format!("{{env, [{pairs}]}}, "));
    vec![
        pair(
            "environment",
            env("{a, 1}, {b, 2}, {c, 3}"),
            env("{a, 1}, {b, 3}, {d, 4}"),
        )
        .finds("environment_added", "demo")
        .finds("environment_removed", "demo")
        .finds("environment_default", "demo"),
        pair(
            "same_environment",
            env("{b, 2}, {a, 1}"),
            env("{a, 1}, {b, 2}"),
        ),
        pair(
            "dependency",
            one(),
            Side {
                applications: vec!["crypto"],
                ..one()
            },
        )
        .finds("dependency_added", "crypto"),
        pair(
            "optional",
            one(),
            Side {
                applications: vec!["crypto"],
                keys: "{optional_applications, [crypto]}, ".into(),
                ..one()
            },
        ),
        pair(
            "same_version",
            one(),
            Side {
                vsn: Some("1.0"),
                ..two()
            },
        )
        .finds("same_version", "demo")
        .comes_to("hot_with_warnings"),
        pair(
            "unlisted",
            one(),
            Side {
                unlisted: vec!["demo_extra"],
                ..extra()
            },
        )
        .finds("unlisted_beam", "demo_extra")
        .comes_to("hot_with_warnings"),
        pair(
            "unlisted_before",
            Side {
                unlisted: vec!["demo_extra"],
                ..extra()
            },
            Side {
                unlisted: vec!["demo_extra"],
                ..extra()
            },
        ),
        pair(
            "missing",
            one(),
            Side {
                missing: vec!["demo_gone"],
                ..one()
            },
        )
        .finds("missing_beam", "demo_gone")
        .comes_to("would_fail"),
        pair(
            "missing_before",
            Side {
                missing: vec!["demo_gone"],
                ..one()
            },
            Side {
                missing: vec!["demo_gone"],
                ..two()
            },
        ),
    ]
}
