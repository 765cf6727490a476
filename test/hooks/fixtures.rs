//! What is compiled for the nodes: erlrc itself, and the application `foo` in two versions.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The `erl` under test.
pub fn erl() -> PathBuf {
    std::env::var_os("ERLRC_TEST_ERL").map_or_else(|| PathBuf::from("erl"), PathBuf::from)
}

fn erlc() -> PathBuf {
    let beside = erl().parent().map(|directory| directory.join("erlc"));
    beside
        .filter(|erlc| erlc.is_file())
        .unwrap_or_else(|| PathBuf::from("erlc"))
}

pub fn clean(mut command: Command) -> Command {
    for name in [
        "ERL_AFLAGS",
        "ERL_FLAGS",
        "ERL_ZFLAGS",
        "ERL_LIBS",
        "ERLRC_SKIP",
    ] {
        command.env_remove(name);
    }
    command
}

/// The directory of application `foo` in a version that the fixtures have.
pub fn foo(vsn: &str) -> String {
    fixtures().join(format!("foo-{vsn}")).display().to_string()
}

/// The directory of application `bar`, which is `foo` by another name.
#[allow(dead_code, reason = "not every test wants it")]
pub fn bar(vsn: &str) -> String {
    static DIRECTORY: OnceLock<tempfile::TempDir> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for vsn in ["1.0", "2.0"] {
            compile_server(
                &directory.path().join(format!("bar-{vsn}")),
                "bar",
                vsn,
                &[],
            );
        }
        directory
    });
    directory
        .path()
        .join(format!("bar-{vsn}"))
        .display()
        .to_string()
}

/// The same version 1.0 from another source, whose server has a function more.
#[allow(dead_code, reason = "not every test wants it")]
pub fn rebuilt_foo() -> String {
    fixtures().join("rebuilt/foo-1.0").display().to_string()
}

/// The modules of erlrc.
pub fn erlrc_ebin() -> String {
    fixtures().join("erlrc/ebin").display().to_string()
}

/// erlrc and `foo` in two versions, compiled once.
fn fixtures() -> &'static Path {
    static FIXTURES: OnceLock<tempfile::TempDir> = OnceLock::new();
    FIXTURES
        .get_or_init(|| {
            let directory = tempfile::tempdir().expect("a temporary directory");
            compile_erlrc(&directory.path().join("erlrc"));
            for vsn in ["1.0", "2.0"] {
                compile_foo(&directory.path().join(format!("foo-{vsn}")), vsn, &[]);
            }
            let rebuilt = directory.path().join("rebuilt/foo-1.0");
            compile_foo(&rebuilt, "1.0", &["-DREBUILT"]);
            directory
        })
        .path()
}

fn compile_erlrc(directory: &Path) {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (ebin, private) = (directory.join("ebin"), directory.join("priv"));
    fs::create_dir_all(&ebin).expect("a directory");
    fs::create_dir_all(&private).expect("a directory");
    let rooms = fs::read_dir(top.join("erlang/src")).expect("the rooms");
    let sources = rooms.flat_map(|room| {
        let room = room.expect("a room").path();
        fs::read_dir(room)
            .expect("the sources")
            .map(|file| file.expect("a file").path())
    });
    // The behaviours come first: the others name them.
    let (behaviours, others): (Vec<PathBuf>, Vec<PathBuf>) = sources
        .filter(|path| path.extension().is_some_and(|extension| extension == "erl"))
        .partition(|path| {
            path.ends_with("erlrc_evaluator.erl") || path.ends_with("erlrcsupnotify.erl")
        });
    for sources in [behaviours, others] {
        let sources = sources.iter().map(|path| path.display().to_string());
        let arguments: Vec<String> = ["-pa".to_owned(), ebin.display().to_string()]
            .into_iter()
            .chain(sources)
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        erlc_into(&ebin, &arguments);
    }
    fs::copy(top.join("erlang/erlrc.app.src"), ebin.join("erlrc.app")).expect("the .app");
    fs::copy(library(top), private.join("erlrc_nif.so")).expect("the library");
}

/// The engine's library, of the same profile as the command.
fn library(top: &Path) -> PathBuf {
    let directory = Path::new(env!("CARGO_BIN_EXE_erlrc"))
        .parent()
        .expect("a directory");
    let mut build = Command::new(env!("CARGO"));
    build
        .current_dir(top)
        .args(["build", "--quiet", "--package", "erlrc_nif"]);
    if directory.ends_with("release") {
        build.arg("--release");
    }
    assert!(
        build.status().expect("cargo runs").success(),
        "the library does not build"
    );
    directory.join("liberlrc_nif.so")
}

const SERVER: &str = "
-module(foo_server).
-behaviour(gen_server).
-export([start_link/0, history/0, linger/0, init/1, handle_call/3, handle_cast/2, code_change/3]).
-ifdef(REBUILT).
-export([rebuilt/0]).
-endif.
start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).
history() -> gen_server:call(?MODULE, history).
linger() -> receive stop -> ?VSN end.
init([]) -> {ok, [?VSN]}.
handle_call(history, _, State) -> {reply, State, State};
handle_call({note, Note}, _, State) -> {reply, ok, [Note | State]};
handle_call(wait, _, State) -> receive go -> {reply, ok, State} end.
handle_cast(_, State) -> {noreply, State}.
code_change(_, [poisoned | _], _) ->
    error(poisoned);
code_change(Vsn, State, _) ->
    false = persistent_term:get(foo_broken, false),
    case Vsn of {down, _} -> {ok, [down | State]}; _ -> {ok, [up | State]} end.
-ifdef(REBUILT).
rebuilt() -> true.
-endif.
";
const SUPERVISOR: &str = "
-module(foo_sup).
-behaviour(supervisor).
-behaviour(application).
-export([start/2, stop/1, init/1]).
start(_, _) -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).
stop(_) -> ok.
init([]) -> {ok, {#{}, [#{id => server, start => {foo_server, start_link, []}}]}}.
";

fn compile_foo(directory: &Path, vsn: &str, options: &[&str]) {
    compile_server(directory, "foo", vsn, options);
}

/// An application with a server below a supervisor; all its names begin with its own.
fn compile_server(directory: &Path, app: &str, vsn: &str, options: &[&str]) {
    let ebin = directory.join("ebin");
    fs::create_dir_all(&ebin).expect("a directory");
    for (name, text) in [("foo_server", SERVER), ("foo_sup", SUPERVISOR)] {
        let (name, text) = (name.replace("foo", app), text.replace("foo", app));
        let source = directory.join(format!("{name}.erl"));
        fs::File::create(&source)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .expect("a source");
        let (macros, source) = (format!("-DVSN=\"{vsn}\""), source.display().to_string());
        erlc_into(&ebin, &[options, &[&macros, &source]].concat());
    }
    let specification = format!(
        "{{application, foo, [{{description, \"foo\"}}, {{vsn, \"{vsn}\"}}, \
         {{modules, [foo_server, foo_sup]}}, {{registered, [foo_sup, foo_server]}}, \
         {{applications, [kernel, stdlib]}}, {{mod, {{foo_sup, []}}}}]}}.\n"
    );
    let specification = specification.replace("foo", app);
    fs::write(ebin.join(format!("{app}.app")), specification).expect("the .app");
}

pub fn erlc_into(ebin: &Path, arguments: &[&str]) {
    let output = clean(Command::new(erlc()))
        .arg("-o")
        .arg(ebin)
        .args(arguments)
        .output()
        .expect("erlc runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// Compiles native functions, for the system whose `erl` this is.
pub fn compile_library(source: &Path, object: &Path) {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    let root = ROOT.get_or_init(|| {
        let text = "io:put_chars(code:root_dir()), halt().";
        let output = Command::new(erl())
            .args(["-noshell", "-eval", text])
            .output();
        let root = String::from_utf8(output.expect("erl runs").stdout);
        PathBuf::from(root.expect("a path"))
    });
    let compiler = Command::new("cc")
        .args(["-w", "-shared", "-fPIC", "-I"])
        .arg(root.join("usr/include"))
        .arg("-o")
        .args([object, source])
        .status();
    assert!(compiler.expect("cc runs").success());
}
