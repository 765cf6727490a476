//! `erlrc boot-order`: what a node would start, in which order and why, without a node; or what one did start, and how
//! long that took.

mod chart;
mod measured;
mod order;
mod picture;

use super::arguments::{Apps, directory};
use super::{Common, Connection, Failure, Output, Status};
use crate::inclusion::{self, Loaded};
use crate::installed::{self, Directories, Event, Node};
use crate::term::Atom;
use order::BootOrder;
use serde_json::json;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Arguments of `erlrc boot-order`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Reads what is registered in applications/ of the root directory and the .app files that this reaches.
kernel and stdlib, which every node runs before it boots, are not listed. Warnings and what is skipped
go to standard error.

With --timings or --node it is not planned: each node tells what its last boot started, when each application
was begun after the beginning of the boot (AFTER), and how long it took (TOOK), its modules included.

JSON: {\"kind\": \"boot_order\", \"version\": 1, \"order\", \"skipped\", \"warnings\", \"critical_path\"}, or {\"kind\":
\"boot_times\", \"version\": 1, \"nodes\": [{\"node\", \"state\", \"reason\", \"boot\": {\"time\", \"took_us\", \"jobs\",
\"schedulers\", \"applications\", \"critical_path\"}}]}.

Examples:
  erlrc boot-order
  erlrc boot-order --root ./root --lib _build/default/lib --lib /usr/lib/erlang/lib
  erlrc boot-order --dot | dot -Tsvg > boot.svg
  erlrc boot-order --timings
  erlrc boot-order --node shop --critical-path
  erlrc boot-order --node shop --svg boot.svg")]
pub struct Arguments {
    /// Directory of applications, each in APP or APP-VSN below it; the first one that has an
    /// application counts. By default those of ERL_LIBS, then OTP's own, /usr/lib/erlang/lib, then Elixir's
    #[arg(long, value_name = "DIR", value_parser = directory)]
    lib: Vec<PathBuf>,
    #[command(flatten)]
    packages: Apps,
    /// Print what the last boot of each node started, what took longest first
    #[arg(long)]
    timings: bool,
    /// Print what the boot waits for: the application that starts last, what that one waits for, and so on
    #[arg(long, conflicts_with_all = ["json", "dot"])]
    critical_path: bool,
    /// Print the order as a graph that Graphviz draws
    #[arg(long, conflicts_with = "json")]
    dot: bool,
    /// Draw the order into a file; of a boot that has been, over time
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

/// OTP's own.
const LIBRARY: &str = "/usr/lib/erlang/lib";
/// Those of Elixir, which nodes find there as well.
const ELIXIR: [&str; 2] = ["/usr/lib/elixir/lib", "/usr/share/elixir/lib"];

/// Lines are not indented further: a chain may have thousands.
const DEEPEST: usize = 30;

#[derive(Debug, thiserror::Error)]
enum BootOrderError {
    #[error("cannot read {}", dir.display())]
    Library {
        dir: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write {}", file.display())]
    Picture {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error("no node has told of a boot that started anything")]
    NoBoot,
    #[error("several nodes have booted, and one picture shows one boot")]
    SeveralNodes,
    #[error("{count} applications are too many for a drawing")]
    TooMany { count: usize },
}

/// Plans the boot and prints it.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    if arguments.timings || !arguments.connection.only.is_empty() {
        return measured::run(arguments, common);
    }
    let out = common.output();
    let order = plan(arguments, common)?;
    for warning in &order.warnings {
        out.warning(warning);
    }
    if let Some(file) = &arguments.svg {
        draw(&order, file)?;
    }
    if arguments.dot && !out.is_json() {
        out.text(&picture::dot(&order));
    } else if arguments.critical_path {
        let steps = order.critical_path();
        out.text(&chain(
            steps
                .iter()
                .map(|step| format!("{} {}", step.name, step.vsn)),
        ));
    } else {
        print(&order, out);
    }
    Ok(Status::Done)
}

fn plan(arguments: &Arguments, common: &Common) -> Result<BootOrder, Failure> {
    let libs = libraries(&arguments.lib, std::env::var_os("ERL_LIBS"));
    let mut path = Vec::new();
    for dir in &libs {
        let failed = |source| BootOrderError::Library {
            dir: dir.clone(),
            source,
        };
        path.extend(code_path(dir).map_err(|error| Failure::new(Status::Failed, failed(error)))?);
    }
    let directories = Directories {
        root: common.root.clone(),
        apps: arguments.packages.apps.clone(),
        path,
        libs,
        threads: installed::threads(),
    };
    let survey = installed::survey(&directories, emulator(), Event::Boot)
        .map_err(|error| Failure::new(Status::Failed, error))?;
    let registered = survey.facts.registered.clone();
    let transition = inclusion::transition(survey.facts, &survey.event)
        .map_err(|error| Failure::new(Status::Failed, error))?;
    let warnings = survey.warnings.iter().map(ToString::to_string).collect();
    Ok(BootOrder::new(transition, registered, warnings))
}

/// The directories of applications, as `erl` has them: those of `ERL_LIBS` come first, and one of them that is not
/// there is none. Whoever names some by hand means these.
fn libraries(named: &[PathBuf], variable: Option<OsString>) -> Vec<PathBuf> {
    match named.is_empty() {
        true => libraries_with(Path::new(LIBRARY), variable),
        false => named.to_vec(),
    }
}

/// The same where `otp` is the directory of OTP's own applications.
pub fn libraries_with(otp: &Path, variable: Option<OsString>) -> Vec<PathBuf> {
    let variable = variable.unwrap_or_default();
    let added = std::env::split_paths(&variable).filter(|dir| dir.is_dir());
    let elixir = ELIXIR.map(PathBuf::from).into_iter();
    let elixir = elixir.filter(|dir| dir.is_dir());
    added.chain([otp.to_owned()]).chain(elixir).collect()
}

/// The directories of modules below `dir`, as a node has them on its code path.
pub fn code_path(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut path = Vec::new();
    for entry in fs::read_dir(dir)? {
        path.push(entry?.path().join("ebin"));
    }
    path.sort_unstable();
    Ok(path)
}

/// A node before it boots: kernel and stdlib run.
fn emulator() -> Node {
    let names = ["kernel", "stdlib"].map(Atom::of);
    let loaded = names.clone().map(|name| Loaded {
        name,
        applications: Vec::new(),
        included_applications: Vec::new(),
        optional_applications: Vec::new(),
    });
    Node {
        loaded: loaded.into(),
        running: names.into(),
        ..Node::default()
    }
}

fn draw(order: &BootOrder, file: &Path) -> Result<(), Failure> {
    let Some(svg) = picture::svg(order) else {
        let count = order.applications.len();
        let error = BootOrderError::TooMany { count };
        let hint = "erlrc boot-order --dot prints a graph that Graphviz draws";
        return Err(Failure::new(Status::Failed, error).hint(hint));
    };
    fs::write(file, svg).map_err(|source| {
        let file = file.to_owned();
        Failure::new(Status::Failed, BootOrderError::Picture { file, source })
    })
}

/// One line for each, what comes later under what waits for it.
fn chain(steps: impl Iterator<Item = String>) -> String {
    let line = |(depth, step): (usize, String)| {
        let step = super::output::printable(&step);
        match depth {
            0 => format!("{step}\n"),
            _ => format!("{}`-{step}\n", "  ".repeat(depth.min(DEEPEST) - 1)),
        }
    };
    steps.enumerate().map(line).collect()
}

fn print(order: &BootOrder, out: Output) {
    if out.is_json() {
        let path = order.critical_path();
        let path: Vec<&str> = path.iter().map(|step| step.name.as_str()).collect();
        let plan = json!({
            "critical_path": path,
            "order": order.applications,
            "skipped": order.skipped,
            "warnings": order.warnings,
        });
        return out.envelope("boot_order", 1, &plan);
    }
    let started = order
        .applications
        .iter()
        .filter(|application| application.included_by.is_none());
    for (place, application) in started.enumerate() {
        let (name, vsn) = (&application.name, &application.vsn);
        out.text(&super::output::printable(&format!(
            "{:>3}  {name} {vsn}  {}",
            place + 1,
            order.why(application)
        )));
        out.text("\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tempfile::TempDir;

    /// Applications `NAME: keys`, one a line, those with a star registered.
    fn installed(lines: &str) -> (TempDir, Arguments, Common) {
        let dir = TempDir::new().unwrap();
        let registrations = dir.path().join("root/applications");
        fs::create_dir_all(&registrations).unwrap();
        for line in lines.lines() {
            let (name, keys) = line.trim().split_once(':').unwrap();
            let bare = name.trim_start_matches('*');
            if bare != name {
                fs::write(registrations.join(bare), "").unwrap();
            }
            let ebin = dir.path().join(format!("lib/{bare}-1.0/ebin"));
            fs::create_dir_all(&ebin).unwrap();
            let text = format!("{{application, {bare}, [{{vsn, \"1.0\"}}{keys}]}}.");
            fs::write(ebin.join(format!("{bare}.app")), text).unwrap();
        }
        let arguments = Arguments {
            lib: vec![dir.path().join("lib")],
            packages: Apps {
                apps: dir.path().join("apps"),
            },
            timings: false,
            critical_path: false,
            dot: false,
            svg: None,
            connection: connection(),
        };
        let root = dir.path().join("root");
        let common = Common {
            json: false,
            quiet: false,
            verbose: false,
            color: crate::cli::colours::When::default(),
            state: root.join("state"),
            root,
        };
        (dir, arguments, common)
    }

    fn connection() -> Connection {
        Connection {
            only: Vec::new(),
            run: PathBuf::from("/nonexistent"),
            connect_timeout: Duration::from_secs(1),
            node_timeout: Duration::from_secs(1),
            epmd_port: 1,
        }
    }

    fn order(lines: &str) -> BootOrder {
        let (_dir, arguments, common) = installed(lines);
        plan(&arguments, &common).unwrap()
    }

    const NESTED: &str = "*bar: , {included_applications, [foo]}
        foo: , {applications, [kernel, low]}, {included_applications, [deep]}
        deep:
        *baz: , {applications, [stdlib, foo, low]}
        low:";

    #[test]
    fn every_application_says_why_it_is_started() {
        let order = order(NESTED);
        let lines: Vec<String> = order
            .applications
            .iter()
            .map(|application| format!("{}: {}", application.name, order.why(application)))
            .collect();
        assert_eq!(
            lines,
            [
                "low: dependency of baz, foo",
                "bar: registered; includes foo (dependency of baz)",
                "foo: dependency of baz; includes deep",
                "deep: ",
                "baz: registered",
            ]
        );
    }

    #[test]
    fn the_critical_path_is_the_longest_chain_in_the_plan() {
        let path = |lines: &str| -> Vec<String> {
            let order = order(lines);
            let steps = order.critical_path();
            steps.iter().map(|step| step.name.clone()).collect()
        };
        // What is included starts with its includer: baz waits for bar, which waits for what foo needs.
        assert_eq!(path(NESTED), ["baz", "bar", "low"]);
        assert_eq!(path("*a:\n*b:"), ["a"]);
        assert!(path("low:").is_empty());
        let chain = super::chain(["c 1", "b 1", "a 1"].map(str::to_owned).into_iter());
        assert_eq!(chain, "c 1\n`-b 1\n  `-a 1\n");
    }

    #[test]
    fn the_graph_leaves_out_what_follows() {
        let dot = picture::dot(&order(NESTED));
        assert!(dot.contains("\"bar\" -> \"foo\" [style=dashed, label=\"includes\"];"));
        assert!(dot.contains("\"baz\" -> \"foo\";") && dot.contains("\"foo\" -> \"low\";"));
        assert!(!dot.contains("\"baz\" -> \"low\";"), "{dot}");
    }

    #[test]
    fn the_drawing_names_every_application() {
        let svg = picture::svg(&order(NESTED)).unwrap();
        for name in ["bar", "foo", "deep", "baz", "low"] {
            assert!(svg.contains(&format!(">{name}<")), "{svg}");
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let lines: Vec<String> = (0..200).map(|i| format!("*a{i}:")).collect();
        let order = order(&lines.join("\n"));
        let failure = draw(&order, Path::new("/nonexistent/file")).unwrap_err();
        assert_eq!(failure.status(), Status::Failed);
        assert!(failure.text().contains("--dot"), "{}", failure.text());
    }

    #[test]
    fn what_erl_libs_names_is_added_to_the_library_of_otp() {
        let dir = TempDir::new().unwrap();
        let there = dir.path().to_owned();
        let variable = format!("{}:/nowhere:", there.display());
        let otp = PathBuf::from(LIBRARY);
        let libraries = |named: &[PathBuf]| libraries(named, Some(variable.clone().into()));
        assert_eq!(libraries(&[])[..2], [there.clone(), otp.clone()]);
        assert_eq!(libraries(&["/x".into()]), [PathBuf::from("/x")]);
        let without = super::libraries(&[], None);
        assert_eq!(without[0], otp);
        let elixir = Path::new(ELIXIR[0]);
        assert_eq!(without[1..].contains(&elixir.into()), elixir.is_dir());
    }

    #[test]
    fn an_unsound_boot_fails() {
        let (_dir, arguments, common) = installed("*a: , {applications, [a]}");
        let failure = plan(&arguments, &common).unwrap_err();
        assert!(
            failure.text().contains("circular dependency: a"),
            "{}",
            failure.text()
        );
    }

    #[test]
    fn what_is_gone_is_skipped_with_a_warning() {
        let (_dir, arguments, common) = installed("*a:");
        fs::write(common.root.join("applications/gone"), "").unwrap();
        let order = plan(&arguments, &common).unwrap();
        assert_eq!((order.skipped.len(), order.warnings.len()), (1, 1));
    }
}
