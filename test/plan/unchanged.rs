//! Unchanged applications: what is built anew from the same source gives nothing to say.

use crate::pairs::plan_of;
use crate::support;
use erlrc::plan::Surroundings;
use std::fs;
use std::path::{Path, PathBuf};

/// Compiles applications of the OTP under test anew from their debug information: `APP-again` as it was,
/// `APP-other` without optimisation, so that the code differs and its meaning does not.
const REBUILD: &str = "
    [Dir | Names] = init:get_plain_arguments(),
    Compile = fun(Beam, To, Options) ->
        {ok, {_, [{abstract_code, {raw_abstract_v1, Forms}}]}} = beam_lib:chunks(Beam, [abstract_code]),
        {ok, _, Binary} = compile:forms(Forms, [debug_info | Options]),
        ok = file:write_file(filename:join(To, filename:basename(Beam)), Binary) end,
    Copy = fun(Name, Kind, Options) ->
        From = filename:join(code:lib_dir(list_to_atom(Name)), \"ebin\"),
        To = filename:join([Dir, Kind, Name, \"ebin\"]),
        ok = filelib:ensure_dir(filename:join(To, \"x\")),
        {ok, _} = file:copy(filename:join(From, Name ++ \".app\"), filename:join(To, Name ++ \".app\")),
        [Compile(Beam, To, Options) || Beam <- filelib:wildcard(From ++ \"/*.beam\")] end,
    [Copy(Name, Kind, Options) || Name <- Names,
        {Kind, Options} <- [{\"again\", []}, {\"other\", [no_ssa_opt, no_copt]}]],
    halt(0).";

fn rebuilt(names: &[&str], dir: &Path) {
    let output = support::erl()
        .args(["-noshell", "-eval", REBUILD, "-extra"])
        .arg(dir)
        .args(names)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_only_is_built_anew_gives_nothing_to_say() {
    let names = ["sasl", "eunit", "tftp", "ftp", "et"];
    let dir = tempfile::tempdir().unwrap();
    rebuilt(&names, dir.path());
    let around = Surroundings::default();
    let mut changed = 0;
    for name in names {
        let of = |kind: &str| -> PathBuf { dir.path().join(kind).join(name) };
        let same = plan_of(name, &of("again"), &of("again"), &around);
        assert!(
            same.findings.is_empty() || name == "sasl",
            "{:#?}",
            same.findings
        );
        assert_eq!(same.modules.changed.len(), 0);
        let app = fs::read_to_string(of("other").join(format!("ebin/{name}.app"))).unwrap();
        let later = app
            .replacen("{vsn, \"", "{vsn, \"9", 1)
            .replacen("{vsn,\"", "{vsn,\"9", 1);
        fs::write(of("other").join(format!("ebin/{name}.app")), later).unwrap();
        let other = plan_of(name, &of("again"), &of("other"), &around);
        changed += other.modules.changed.len();
        let said = other
            .findings
            .iter()
            .filter(|f| !matches!(&*f.kind, "funs_kept" | "system_application"));
        assert_eq!(said.count(), 0, "{name}: {:#?}", other.findings);
    }
    assert!(changed > 20, "the code differs: {changed}");
}
