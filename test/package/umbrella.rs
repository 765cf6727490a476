//! Projects of several applications: each becomes a package, and knows the versions of the others.

use crate::project::{MAINTAINER, Project, member};
use std::path::Path;

const DESK: &str = "{description, \"The desk\"}, {applications, [kernel, stdlib, orders, cowlib]}";

/// What rebar3 leaves of an umbrella of two applications that need one of somebody else's.
fn umbrella() -> Project {
    let project = Project::new(MAINTAINER);
    project.file("shop/rebar.config", "{deps, [cowlib]}.\n");
    project.file("shop/LICENSE", "Whoever wants it may have it.\n");
    project.file("shop/erlrc.toml", &format!("otp = 25\n{MAINTAINER}"));
    project.file("shop/apps/desk/src/desk.app.src", "");
    project.file("shop/apps/orders/src/orders.app.src", "");
    project.file(
        "shop/apps/orders/erlrc.toml",
        &format!("otp = 25\nsection = \"net\"\n{MAINTAINER}"),
    );
    let lib = "shop/_build/default/lib";
    project.built(lib, "desk", "desk", "1.0.0", DESK);
    project.built(
        lib,
        "orders",
        "orders",
        "1.2.0",
        "{description, \"Orders\"}",
    );
    project.built(
        lib,
        "cowlib",
        "cowlib",
        "2.12.1",
        "{description, \"Not ours\"}",
    );
    project
}

#[track_caller]
fn packages(project: &Project, arguments: &[&str]) -> Vec<String> {
    let run = project.package(arguments);
    assert_eq!(run.status, Some(0), "{}", run.err);
    run.out.lines().map(str::to_owned).collect()
}

#[test]
fn each_application_of_an_umbrella_becomes_a_package() {
    let project = umbrella();
    let made = packages(&project, &["--output", "out", "shop"]);
    let names: Vec<_> = made
        .iter()
        .filter_map(|file| Path::new(file).file_name()?.to_str())
        .collect();
    assert_eq!(
        names,
        [
            "erlang-desk_1.0.0-1_all.deb",
            "erlang-orders_1.2.0-1_all.deb"
        ]
    );
    let control = |place: usize| member(Path::new(&made[place]), "control");
    assert!(
        control(0).contains("erlang-cowlib (>= 2.12.1), erlang-orders (>= 1.2.0)"),
        "{}",
        control(0)
    );
    // The specification beside the sources comes before the project's.
    assert!(control(0).contains("Section: libs") && control(1).contains("Section: net"));
}

#[test]
fn versions_of_siblings_count_however_their_directories_are_called() {
    let project = Project::new(MAINTAINER);
    for (dir, app, vsn) in [
        ("desk", "desk", "1.0.0"),
        ("orders-1.1.0", "orders", "1.1.0"),
        ("orders-1.3.0", "orders", "1.3.0"),
        ("cowlib.git", "cowlib", "2.12.1"),
        ("orders.old", "orders", "9.0.0"),
    ] {
        project.built("lib", dir, app, vsn, if app == "desk" { DESK } else { "" });
    }
    let made = packages(&project, &["--output", "out", "lib/desk"]);
    let control = member(Path::new(&made[0]), "control");
    let expected = "erlang-cowlib (>= 2.12.1), erlang-orders (>= 1.3.0)";
    assert!(control.contains(expected), "{control}");
}

#[test]
fn an_umbrella_that_is_not_compiled_makes_nothing() {
    let project = umbrella();
    std::fs::remove_dir_all(project.path("shop/_build/default/lib/orders")).expect("it goes");
    let run = project.package(&["--output", "out", "shop"]);
    assert_eq!((run.status, run.out.as_str()), (Some(1), ""), "{}", run.err);
    assert!(
        run.err.contains("apps/orders") && run.err.contains("rebar3 compile"),
        "{}",
        run.err
    );
    let run = project.package(&["--emit", "shop", "shop/nothing"]);
    assert!(run.err.contains("no ebin"), "{}", run.err);
}
