//! A host with applications of which releases are made.

use crate::host::fixtures::erlc_into;
use crate::host::{Host, Run};
use crate::otp::root;
use crate::schema::Schemas;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Installs a library application: `keys` go into its specification.
pub fn library(host: &Host, name: &str, vsn: &str, keys: &str) -> PathBuf {
    let dir = host.path(&format!("lib/{name}-{vsn}"));
    fs::create_dir_all(dir.join("ebin")).expect("a directory");
    let keys = match keys {
        "" => String::new(),
        keys => format!(", {keys}"),
    };
    let applications = match keys.contains("{applications") {
        true => "",
        false => ", {applications, [kernel, stdlib]}",
    };
    let text = format!(
        "{{application, {name}, [{{description, \"{name}\"}}, {{vsn, \"{vsn}\"}}, {{modules, []}}, {{registered, []}}{applications}{keys}]}}.\n"
    );
    fs::write(dir.join(format!("ebin/{name}.app")), text).expect("the .app");
    dir
}

/// Installs tally: an application with a process that says its version.
pub fn tally(host: &Host, vsn: &str) -> PathBuf {
    let keys = "{applications, [kernel, stdlib]}, {mod, {tally, []}}";
    let dir = library(host, "tally", vsn, keys);
    let source = format!(
        "-module(tally). -behaviour(application). -behaviour(supervisor).
         -export([start/2, stop/1, init/1, vsn/0]).
         start(_, _) -> supervisor:start_link({{local, tally_sup}}, ?MODULE, []).
         stop(_) -> ok.
         init([]) -> {{ok, {{#{{}}, []}}}}.
         vsn() -> \"{vsn}\".\n"
    );
    let source = host.file("tally.erl", &source, 0o644);
    erlc_into(&dir.join("ebin"), &[&source.display().to_string()]);
    let file = dir.join("ebin/tally.app");
    let text = fs::read_to_string(&file).expect("the .app");
    fs::write(file, text.replace("{modules, []}", "{modules, [tally]}")).expect("the .app");
    dir
}

/// The host with the releases 1, of tally 1.0 and low, and 2, of tally 1.1 and high.
pub fn with_releases(host: Host) -> Host {
    tally(&host, "1.0");
    tally(&host, "1.1");
    library(&host, "low", "1", "");
    library(&host, "high", "1", "");
    json(&host, &["make", "shop", "1", "--apps", "tally=1.0,low"]);
    json(&host, &["make", "shop", "2", "--apps", "tally=1.1,high"]);
    host
}

/// Runs `erlrc release` with these arguments; `make` looks for applications in `lib` of the host, and uses the OTP under
/// test.
#[track_caller]
pub fn release(host: &Host, arguments: &[&str]) -> Run {
    let (libs, otp) = (host.path("lib"), root());
    let (libs, otp) = (libs.display().to_string(), otp.display().to_string());
    let mut all = vec!["release"];
    all.extend(arguments);
    if arguments.contains(&"make") {
        all.extend(["--lib", &libs]);
        if !arguments.contains(&"--env") {
            all.extend(["--env", &otp]);
        }
    }
    let mut command = host.command(&all);
    // Beside other work a node may be slow to accept.
    command.env("ERLRC_CONNECT_TIMEOUT", "60");
    Run::of(command.output().expect("erlrc runs"))
}

/// What a command prints with `--json`; it holds what its schema says.
#[track_caller]
pub fn json(host: &Host, arguments: &[&str]) -> Value {
    let run = release(host, &[&["--json"], arguments].concat());
    let value: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"));
    let found = Schemas::read().errors(&value);
    assert_eq!(found, Vec::<String>::new(), "{value:#}");
    value
}

/// The applications of a value with their versions and how they start.
pub fn members(value: &Value) -> Vec<String> {
    let members = value["applications"].as_array().expect("applications");
    let text = |member: &Value, key: &str| member[key].as_str().expect("text").to_owned();
    let line = |member: &Value| {
        let (name, vsn) = (text(member, "application"), text(member, "vsn"));
        format!("{name} {vsn} {}", text(member, "start"))
    };
    members.iter().map(line).collect()
}

/// The same but for those of OTP.
pub fn own(value: &Value) -> Vec<String> {
    let mut members = members(value);
    members.retain(|line| {
        !["kernel ", "stdlib ", "sasl "]
            .iter()
            .any(|name| line.starts_with(name))
    });
    members
}
