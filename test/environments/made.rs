//! What is made, and that nodes run from it and from nothing else.

use crate::host::Host;
use crate::tree::{self, json, make};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Evaluates `code` on a node that `starter` starts; what it prints.
fn run(starter: &Path, code: &str) -> String {
    let mut command = Command::new(starter);
    for name in ["ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "ERL_LIBS"] {
        command.env_remove(name);
    }
    command.env("ERL_CRASH_DUMP_SECONDS", "0");
    command.args(["-noshell", "-boot", "start_sasl", "-eval"]);
    let code = format!("{code}, halt().");
    let output = command.arg(code).stdin(Stdio::null()).output();
    let output = output.expect("the starter runs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// Every file that the node has loaded, open or mapped, its code path, and the program of its helper.
const USED: &str = "
    ok = application:ensure_started(crypto), [code:ensure_loaded(list_to_atom(M)) || {M, _, _} <- code:all_available()],
    Os = os:getpid(), \"x\\n\" = os:cmd(\"echo x\"), {ok, _} = inet:gethostbyname(\"localhost\"),
    Link = fun(F) -> case file:read_link_all(F) of {ok, T} -> T; _ -> \"\" end end,
    {ok, Maps} = file:open(\"/proc/self/maps\", [read]),
    Lines = fun Next() -> case file:read_line(Maps) of {ok, L} -> [L | Next()]; eof -> [] end end,
    Mapped = [lists:last(string:lexemes(L, \" \\n\")) || L <- Lines()],
    Open = [Link(F) || F <- filelib:wildcard(\"/proc/\" ++ Os ++ \"/fd/*\")],
    Children = [Link(\"/proc/\" ++ P ++ \"/exe\") || P <- string:lexemes(os:cmd(\"ps -o pid= --ppid \" ++ Os), \" \\n\")],
    [io:format(\"~ts~n\", [F]) || F <- [code:root_dir() | code:get_path()] ++ Mapped ++ Open ++ Children,
     is_list(F), F =/= \"\"]";

#[test]
fn a_node_uses_nothing_of_the_tree_that_its_environment_was_made_from() {
    let host = Host::without_epmd();
    let environment = make(&host, tree::root(), &["crypto"]);
    let used = run(&environment.join("bin/erl"), USED);
    let lines: Vec<&str> = used.lines().collect();
    assert_eq!(lines[0], environment.display().to_string());
    let programs = ["/beam.smp", "/erl_child_setup", "/crypto.so"];
    for program in programs {
        let is_it =
            |line: &&&str| line.ends_with(program) && Path::new(line).starts_with(&environment);
        assert!(lines.iter().any(|line| is_it(&line)), "{program}: {used}");
    }
    let of_tree = lines
        .iter()
        .find(|line| Path::new(line).starts_with(tree::root()));
    assert_eq!(of_tree, None);
}

#[test]
fn it_starts_through_links_and_by_relative_names_and_starts_peers_of_its_own() {
    let host = Host::without_epmd();
    let environment = make(&host, tree::root(), &[]);
    let (current, link) = (host.path("current"), host.path("bin/an-erl"));
    symlink(&environment, &current).expect("a link");
    symlink("../current/bin/erl", &link).expect("a link");
    let root = environment.display().to_string();
    let print = "io:format(\"~ts\", [code:root_dir()])";
    assert_eq!(run(&current.join("bin/erl"), print), root);
    assert_eq!(run(&link, print), root);
    let peer = "{ok, P, _} = peer:start(#{connection => standard_io}),
        io:format(\"~ts\", [peer:call(P, code, root_dir, [])])";
    assert_eq!(run(&link, peer), root);
    let mut relative = Command::new("./erl");
    let relative = relative.current_dir(environment.join("bin"));
    let relative = relative.args(["-noshell", "-eval", &format!("{print}, halt().")]);
    let output = relative.stdin(Stdio::null()).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), root);
}

#[test]
fn it_is_small_linked_and_read_only_whatever_the_mask_is() {
    let host = Host::without_epmd();
    let copy = tree::copy(&host, "tree");
    let mut masked = Command::new("sh");
    masked.args(["-c", "umask 077; exec \"$@\"", "sh"]);
    let command = host.command(&["env", "--json", "make", "--from"]);
    masked
        .arg(command.get_program())
        .args(command.get_args())
        .arg(&copy);
    masked
        .env("ERLRC_ENVIRONMENTS", host.path("env"))
        .env("ERLRC_APPS", host.path("apps"));
    let made = tree::read(&crate::host::Run::of(masked.output().expect("it runs")));
    assert_eq!(made["copied"], 0);
    let environment = PathBuf::from(made["dir"].as_str().expect("a directory"));
    let same = |path: &str| {
        let number = |root: &Path| fs::metadata(root.join(path)).expect("a file").ino();
        number(&environment) == number(&copy)
    };
    assert!(same("bin/start.boot"));
    let mut open = vec![environment.clone(), host.path("env")];
    while let Some(path) = open.pop() {
        let metadata = path.symlink_metadata().expect("a file");
        let mode = metadata.permissions().mode() & 0o777;
        if path == host.path("env") {
            assert_eq!(mode, 0o755);
        } else if metadata.is_dir() {
            assert_eq!(mode, 0o555, "{}", path.display());
            open.extend(
                fs::read_dir(&path)
                    .expect("a directory")
                    .flatten()
                    .map(|e| e.path()),
            );
        } else {
            assert!(
                metadata.is_file() && mode & 0o444 == 0o444,
                "{}",
                path.display()
            );
        }
    }
    assert!(!environment.join("lib").join("sasl-0").exists());
    let src = fs::read_dir(tree::lib(&environment, "stdlib"))
        .expect("stdlib")
        .flatten();
    let parts: Vec<_> = src.map(|part| tree::name(&part.path())).collect();
    assert_eq!(parts, ["ebin"]);
}

#[test]
fn what_others_can_write_is_copied() {
    let host = Host::without_epmd();
    let copy = tree::copy(&host, "tree");
    let open = tree::lib(&copy, "kernel").join("ebin/inet.beam");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o664)).expect("a mode");
    let special = tree::emulator(&copy).join("heart");
    fs::set_permissions(&special, fs::Permissions::from_mode(0o4755)).expect("a mode");
    let from = copy.display().to_string();
    let made = json(&host, &["make", "--from", &from]);
    assert_eq!(made["copied"], 2);
    let environment = PathBuf::from(made["dir"].as_str().expect("a directory"));
    fs::write(&open, "other").expect("a file");
    let name = tree::name(&environment);
    let check = json(&host, &["check", &name]);
    assert_eq!(check["environments"][0]["verdict"], "behind");
    let heart = tree::emulator(&environment).join("heart");
    assert_eq!(fs::metadata(heart).expect("a file").mode() & 0o7777, 0o555);
}

#[test]
fn what_an_application_outside_of_otp_needs_comes_in_and_it_stays_outside() {
    let host = Host::without_epmd();
    let dir = host.path("lib/tally-1.0");
    fs::create_dir_all(dir.join("ebin")).expect("a directory");
    let app =
        "{application, tally, [{vsn, \"1.0\"}, {applications, [kernel, stdlib, crypto, nope]},
        {optional_applications, [nope]}]}.";
    fs::write(dir.join("ebin/tally.app"), app).expect("a file");
    let metadata = format!("{{tally, \"1.0\", {:?}}}.", dir.display().to_string());
    host.file("apps/tally", &metadata, 0o644);
    let from = tree::root().display().to_string();
    let made = json(&host, &["make", "tally", "--from", &from]);
    assert_eq!(made["outside"], serde_json::json!(["tally"]));
    let applications = made["applications"].as_object().expect("applications");
    let names: Vec<&String> = applications.keys().collect();
    assert_eq!(names, ["crypto", "kernel", "sasl", "stdlib"]);
    fs::write(dir.join("ebin/tally.app"), app.replace("[nope]}]", "[]}]")).expect("a file");
    let run = host.erlrc(&["env", "make", "tally", "beta", "--from", &from]);
    assert_eq!(run.status, 1);
    run.says("there is no application beta; tally needs nope, which is not there\n  hint: ");
}

#[test]
fn a_directory_without_otp_is_named_with_what_is_missing() {
    let host = Host::without_epmd();
    let here = host.path("home").display().to_string();
    let run = host.erlrc(&["env", "make", "--from", &here]);
    assert_eq!(run.status, 1);
    run.says("holds no OTP tree: no lib and no erts-VERSION below it");
    let copy = tree::copy(&host, "tree");
    fs::remove_file(tree::emulator(&copy).join("erl_child_setup")).expect("a file");
    let run = host.erlrc(&["env", "make", "--from", &copy.display().to_string()]);
    assert_eq!(run.status, 1);
    run.says("erl_child_setup is not there");
    assert_eq!(tree::names(&host), Vec::<String>::new());
}
