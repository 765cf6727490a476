//! Native libraries that an upgrade does not load: the hook and the history say so.

use crate::host::Host;
use crate::host::fixtures::{compile_library, erlc_into};
use std::fs;

/// Application `nat` in a version: the number that its module answers, and files below `priv` with their content.
fn nat(host: &Host, vsn: &str, number: u8, files: &[(&str, &str)]) -> String {
    let dir = host.path(&format!("lib/nat-{vsn}"));
    let ebin = dir.join("ebin");
    fs::create_dir_all(&ebin).expect("a directory");
    let text = format!(
        "-module(nat).\n-export([f/0, init/1]).\nf() -> {number}.\ninit(File) -> erlang:load_nif(File, 0).\n"
    );
    let source = host.file("nat.erl", &text, 0o644);
    erlc_into(&ebin, &[&source.display().to_string()]);
    for (name, content) in files {
        let file = dir.join("priv").join(name);
        fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        fs::write(file, content).expect("a library");
    }
    let specification = format!(
        "{{application, nat, [{{vsn, \"{vsn}\"}}, {{modules, [nat]}}, {{registered, []}}, {{applications, [kernel, stdlib]}}]}}."
    );
    fs::write(ebin.join("nat.app"), specification).expect("the .app");
    dir.display().to_string()
}

#[test]
fn a_library_that_nothing_loads_again_is_named() {
    let host = Host::new();
    let _node = host.node("n1");
    let versions = [
        nat(&host, "1", 1, &[("n.so", "one")]),
        nat(&host, "2", 1, &[("n.so", "two")]),
        // Its module is another, and loads it.
        nat(&host, "3", 3, &[("n.so", "three")]),
        // Nobody of the application loads them.
        nat(&host, "4", 3, &[("n.so", "three"), ("x86/d.so.1", "one")]),
        nat(&host, "5", 3, &[("n.so", "three"), ("x86/d.so.1", "two")]),
        nat(&host, "6", 3, &[("n.so", "three"), ("x86/d.so.1", "two")]),
    ];
    host.erlrc(&["start", "nat", "1", &versions[0]]);
    let kept = "the earlier library stays loaded";
    let said = [
        Some((
            "priv/n.so differs, and nat, which loads native code, does not",
            kept,
        )),
        None,
        None,
        Some(("priv/x86/d.so.1 differs", kept)),
        None,
    ];
    for (step, said) in said.into_iter().enumerate() {
        let (old, new) = (&versions[step], &versions[step + 1]);
        let (from, to) = ((step + 1).to_string(), (step + 2).to_string());
        let run = host.erlrc(&["upgrade", "nat", &from, &to, old, new]);
        run.is("erlrc-upgrade: Upgrading 'nat': (n1) upgraded\n", 0);
        match said {
            Some((file, kept)) => {
                assert!(run.err.contains(file) && run.err.contains(kept), "{run:?}")
            }
            None => assert!(!run.err.contains("differ"), "{run:?}"),
        }
    }
    let history = host.erlrc(&["history", "nat", "-l"]);
    assert_eq!(history.out.matches(kept).count(), 2, "{history:?}");
}

/// A library with the functions of `nat`, of which nothing is known but that it is mapped.
fn compiled(host: &Host, vsn: &str) {
    let source = host.file(
        "nat.c",
        &format!(
            "#include <erl_nif.h>\n\
             static ERL_NIF_TERM f(ErlNifEnv *e, int c, const ERL_NIF_TERM v[]) {{ return enif_make_int(e, {vsn}); }}\n\
             static ErlNifFunc functions[] = {{{{\"f\", 0, f}}}};\n\
             ERL_NIF_INIT(nat, functions, NULL, NULL, NULL, NULL)\n"
        ),
        0o644,
    );
    compile_library(&source, &host.path(&format!("lib/nat-{vsn}/priv/n.so")));
}

#[test]
fn status_and_doctor_name_a_library_that_runs_on() {
    let host = Host::new();
    let _node = host.node("n1");
    let versions = [
        nat(&host, "1", 1, &[("n.so", "")]),
        nat(&host, "2", 1, &[("n.so", "")]),
    ];
    compiled(&host, "1");
    compiled(&host, "2");
    host.erlrc(&["start", "nat", "1", &versions[0]]);
    let path = format!("{}/priv/n", versions[0]);
    let load = format!("code:ensure_loaded(nat), nat:init(\"{path}\"), nat:f()");
    host.erlrc(&["eval", "n1", &load]).is("1\n", 0);
    host.erlrc(&["upgrade", "nat", "1", "2", &versions[0], &versions[1]])
        .is("erlrc-upgrade: Upgrading 'nat': (n1) upgraded\n", 0);
    let said = format!(
        "nat: an earlier native library runs on: {path}.so; a restart of the node loads that of 2"
    );
    let status = host.erlrc(&["status", "nat"]);
    assert!(
        status.status == 1 && status.out.contains(&said),
        "{status:?}"
    );
    let doctor = host.erlrc(&["doctor"]);
    assert!(
        doctor.out.contains("an earlier native library runs on"),
        "{doctor:?}"
    );
}
