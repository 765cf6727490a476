//! Taking turns: every way of doing a piece of work once in each round, so that what disturbs the
//! machine disturbs all of them alike. Ratios are made within a round, then the median is taken.

use std::time::{Duration, Instant};

/// A way of doing the work, which says how long it took.
pub type Way<'a> = (&'static str, Box<dyn FnMut() -> Duration + 'a>);

/// The times of all ways in all rounds.
pub struct Times {
    rounds: Vec<Vec<Duration>>,
    names: Vec<&'static str>,
}

/// Times a call.
pub fn time<R>(work: impl FnOnce() -> R) -> Duration {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed()
}

/// The processor time of a call, that of the kernel included: what it costs, where the machine is busy
/// with others' work too.
pub fn cpu_time<R>(work: impl FnOnce() -> R) -> Duration {
    let now = || rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let start = now();
    std::hint::black_box(work());
    Duration::try_from(now() - start).expect("time goes on")
}

/// Runs all ways `rounds` times, after a round that does not count.
pub fn take_turns(ways: &mut [Way<'_>], rounds: usize) -> Times {
    let names = ways.iter().map(|(name, _)| *name).collect();
    let mut round = || ways.iter_mut().map(|(_, way)| way()).collect();
    let _: Vec<_> = round();
    Times {
        rounds: (0..rounds).map(|_| round()).collect(),
        names,
    }
}

impl Times {
    fn index(&self, name: &str) -> usize {
        let found = self.names.iter().position(|other| *other == name);
        found.unwrap_or_else(|| panic!("nothing was measured as {name}"))
    }

    /// The median time of a way, in milliseconds.
    pub fn milliseconds(&self, name: &str) -> f64 {
        let index = self.index(name);
        median(
            self.rounds
                .iter()
                .map(|round| round[index].as_secs_f64() * 1e3)
                .collect(),
        )
    }

    /// The median of how many times longer `a` takes than `b`.
    pub fn ratio(&self, a: &str, b: &str) -> f64 {
        let (a, b) = (self.index(a), self.index(b));
        median(
            self.rounds
                .iter()
                .map(|round| round[a].as_secs_f64() / round[b].as_secs_f64())
                .collect(),
        )
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// The most memory that this process ever had, in MB.
pub fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) / 1024.0
}

/// What another process of this program prints when it is run with `arguments`: for memory, which is
/// told of a whole process.
pub fn in_a_process(arguments: &[&str]) -> f64 {
    let program = std::env::current_exe().expect("a program has a file");
    let output = std::process::Command::new(program)
        .args(arguments)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("{arguments:?}: {text}"))
}
