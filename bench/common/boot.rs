//! Many applications, and the ways of finding out in which order they start.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use erlrc::inclusion::{self, Action};
use erlrc::installed::{self, Directories, Event, Node};

use super::erlang::Erlang;
use super::measure::{Way, take_turns};
use super::{floor, measure};

/// So many modules does an application name, which makes its `.app` file a good kilobyte long.
const MODULES: usize = 26;

/// Installed and registered applications.
pub struct Boot {
    root: PathBuf,
    path: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Boot {
    /// Installs `count` applications below `dir`. Each but the first depends on up to four earlier
    /// ones; every twentieth includes one that nobody else does, which is registered too.
    pub fn make(dir: &Path, count: usize) -> Self {
        let root = dir.join(format!("boot{count}"));
        let registrations = root.join("applications");
        fs::create_dir_all(&registrations).expect("a directory");
        let (mut path, mut files) = (Vec::new(), Vec::new());
        for number in 0..count {
            let ebin = root.join(format!("lib/{}-1.{number}/ebin", name(number)));
            fs::create_dir_all(&ebin).expect("a directory");
            let file = ebin.join(format!("{}.app", name(number)));
            fs::write(&file, specification(number)).expect("a file");
            fs::write(registrations.join(name(number)), "").expect("a file");
            path.push(ebin);
            files.push(file);
        }
        Self { root, path, files }
    }

    /// Ours, from the directories to the actions.
    pub fn ours(&self, threads: usize) -> usize {
        let directories = Directories {
            root: self.root.clone(),
            apps: self.root.join("apps"),
            path: self.path.clone(),
            libs: vec![self.root.join("lib")],
            threads,
        };
        let survey = installed::survey(&directories, Node::default(), Event::Boot);
        let survey = survey.expect("sound applications");
        let transition = inclusion::transition(survey.facts, &survey.event);
        let actions = transition.expect("a sound boot").actions;
        let starts = actions
            .iter()
            .filter(|action| matches!(action, Action::Start(_)));
        starts.count()
    }

    /// The floor.
    pub fn floor(&self, threads: usize) -> u64 {
        floor::read_all(&self.files, threads)
    }

    /// What one would write in Erlang; how many it starts has to be what ours does.
    pub fn erlang(&self, erlang: &mut Erlang) -> Duration {
        let root = self.root.display();
        let expected = self.ours(1).to_string();
        assert_eq!(erlang.ask(&format!("count {root}")), expected);
        erlang.time(&format!("time {root}"))
    }

    /// Ours, timed.
    pub fn time_ours(&self, threads: usize) -> Duration {
        measure::time(|| self.ours(threads))
    }

    /// The floor, timed.
    pub fn time_floor(&self, threads: usize) -> Duration {
        measure::time(|| self.floor(threads))
    }
}

/// Registers and installs `count` applications below `root`, by packages with metadata, that do nothing; the files that
/// say so.
pub fn idle(root: &Path, count: usize) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for number in 0..count {
        let name = name(number);
        let directory = root.join(format!("lib/{name}-1.0"));
        let ebin = directory.join("ebin");
        fs::create_dir_all(&ebin).expect("a directory");
        let text = format!(
            "{{application, {name}, [{{vsn, \"1.0\"}}, {{modules, []}}, {{applications, [kernel, stdlib]}}]}}.\n"
        );
        fs::write(ebin.join(format!("{name}.app")), text).expect("a file");
        let text = format!("{{{name}, \"1.0\", \"{}\"}}.\n", directory.display());
        for (place, text) in [("applications", ""), ("apps", &text)] {
            let file = root.join(place).join(&name);
            fs::write(&file, text).expect("a file");
            files.push(file);
        }
    }
    files.sort();
    files
}

/// Prints the table of the boot plan.
pub fn table() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let baseline = RefCell::new(Erlang::start(root.path(), "boot_baseline"));
    println!(
        "| boot plan of | ours, 1 thread | 2 threads | floor, 1 thread | 2 threads | tuned Erlang \
         | ours / floor | 2 threads / floor | tuned / ours |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (size, rounds) in [(100, 15), (1_000, 11), (10_000, 5)] {
        let work = Boot::make(root.path(), size);
        let mut ways: Vec<Way<'_>> = vec![
            ("floor", Box::new(|| work.time_floor(1))),
            ("ours", Box::new(|| work.time_ours(1))),
            ("floor2", Box::new(|| work.time_floor(2))),
            ("ours2", Box::new(|| work.time_ours(2))),
            (
                "tuned",
                Box::new(|| work.erlang(&mut baseline.borrow_mut())),
            ),
        ];
        let times = take_turns(&mut ways, rounds);
        let ms = |name| format!("{:.2} ms", times.milliseconds(name));
        println!(
            "| {size} applications | {} | {} | {} | {} | {} | {:.2}x | {:.2}x | {:.1}x |",
            ms("ours"),
            ms("ours2"),
            ms("floor"),
            ms("floor2"),
            ms("tuned"),
            times.ratio("ours", "floor"),
            times.ratio("ours2", "floor"),
            times.ratio("tuned", "ours"),
        );
    }
}

fn name(number: usize) -> String {
    format!("app{number:05}")
}

fn specification(number: usize) -> String {
    let name_of = name;
    let name = name(number);
    let is_included = |number: usize| number % 20 == 3;
    let mut needed = Vec::new();
    for step in [1, 7, 50, 400] {
        let other = number
            .checked_sub(step)
            .filter(|other| !is_included(*other));
        needed.extend(other.map(name_of));
    }
    let included = match number % 20 {
        4 => name_of(number - 1),
        _ => String::new(),
    };
    let mut modules = String::new();
    for module in 0..MODULES {
        let comma = if module == 0 { "" } else { "," };
        let _ = write!(modules, "{comma}\n             {name}_module_{module}");
    }
    format!(
        "%% Application {number}.\n{{application, {name},\n [{{description, \"The application {name}\"}},\n  \
         {{vsn, \"1.{number}\"}},\n  {{modules, [{modules}]}},\n  {{registered, [{name}_sup, {name}_server]}},\n  \
         {{applications, [{}]}},\n  {{included_applications, [{included}]}},\n  \
         {{env, [{{port, 8080}}, {{timeout, 5000}}, {{name, \"{name}\"}}]}},\n  \
         {{mod, {{{name}_app, []}}}}]}}.\n",
        needed.join(", ")
    )
}
