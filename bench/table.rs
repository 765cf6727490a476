//! Engine, Erlang baselines and floor side by side, as the tables of the README: `make bench`.
//!
//! With arguments it prints those tables alone whose name starts with one of them.

mod common;
mod environment;
mod hook;
mod host;

use std::cell::RefCell;

use common::appup::Work;
use common::erlang::{self, Erlang};
use common::measure::{Way, cpu_time, in_a_process, peak_memory, take_turns};
use common::modules;

const SIZES: [(usize, usize); 3] = [(100, 15), (1_000, 11), (10_000, 5)];

fn main() {
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    if let ["peak", way, old, new] = arguments[..] {
        return peak(way, old, new);
    }
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|a| name.starts_with(a));
    if wanted("appup") {
        appup();
    }
    if wanted("boot") {
        common::boot::table();
    }
    if wanted("environment") {
        environment::table();
    }
    if wanted("hook") {
        hook::table();
    }
    // By bench/host.
    if arguments.contains(&"host") {
        host::table();
    }
}

/// Run in a process of its own.
fn peak(way: &str, old: &str, new: &str) {
    let work = Work::found(old, new);
    match way {
        "ours" => drop(work.ours(1)),
        "floor" => drop(work.floor(1)),
        _ => {}
    }
    println!("{}", peak_memory());
}

fn appup() {
    let root = tempfile::tempdir().expect("a temporary directory");
    let beams = modules::beams(&erlang::library_dir());
    let baselines = RefCell::new(Erlang::start(root.path(), "appup_baseline"));
    println!(
        "| appup of | ours, 1 thread | 2 threads | floor, 1 thread | 2 threads | tuned Erlang | beam_lib |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut ratios = Vec::new();
    for (size, rounds) in SIZES {
        let work = Work::make(root.path(), &beams, size);
        let mut ways: Vec<Way<'_>> = vec![
            ("floor", Box::new(|| work.time_floor(1))),
            ("ours", Box::new(|| work.time_ours(1))),
            ("floor2", Box::new(|| work.time_floor(2))),
            ("ours2", Box::new(|| work.time_ours(2))),
            ("floor CPU", Box::new(|| cpu_time(|| work.floor(1)))),
            ("ours CPU", Box::new(|| cpu_time(|| work.ours(1)))),
            (
                "tuned",
                Box::new(|| work.erlang(&mut baselines.borrow_mut(), "tuned")),
            ),
            (
                "beam_lib",
                Box::new(|| work.erlang(&mut baselines.borrow_mut(), "beam_lib")),
            ),
        ];
        let times = take_turns(&mut ways, rounds);
        let ms = |name| format!("{:.2} ms", times.milliseconds(name));
        println!(
            "| {size} modules | {} | {} | {} | {} | {} | {} |",
            ms("ours"),
            ms("ours2"),
            ms("floor"),
            ms("floor2"),
            ms("tuned"),
            ms("beam_lib")
        );
        let [old, new] =
            [&work.pair().old, &work.pair().new].map(|dir| dir.to_str().expect("UTF-8"));
        let memory = |way| in_a_process(&["peak", way, old, new]);
        ratios.push(format!(
            "| {size} modules | {:.2}x | {:.2}x | {:.2}x | {:.1}x | {:.1}x | {:.1} MB ({:.1} MB) |",
            times.ratio("ours", "floor"),
            times.ratio("ours CPU", "floor CPU"),
            times.ratio("ours2", "floor"),
            times.ratio("tuned", "ours"),
            times.ratio("beam_lib", "ours"),
            memory("ours"),
            memory("floor"),
        ));
    }
    println!(
        "\n| appup of | ours / floor | by CPU time | 2 threads / floor | tuned / ours | beam_lib / ours | memory (floor) |"
    );
    println!("|---|---|---|---|---|---|---|");
    for row in ratios {
        println!("{row}");
    }
}
