//! Hostile inputs by mutation of sound ones: what cargo-fuzz would do, on stable and always the same.

use std::fs;
use std::time::{Duration, Instant};

/// Makes inputs out of seeds. The same number gives the same inputs in the same order.
pub struct Mutator<'a> {
    state: u64,
    seeds: &'a [Vec<u8>],
    /// Pieces that mean something in the format.
    dictionary: &'a [&'a [u8]],
}

impl<'a> Mutator<'a> {
    pub fn new(number: u64, seeds: &'a [Vec<u8>], dictionary: &'a [&'a [u8]]) -> Self {
        assert!(!seeds.is_empty() && !dictionary.is_empty());
        Self {
            state: number | 1,
            seeds,
            dictionary,
        }
    }

    /// The next input: a seed with one to eight changes, more often with few.
    pub fn input(&mut self) -> Vec<u8> {
        let mut input = self.seed().to_vec();
        let most = [0, 0, 1, 2, 7][self.below(5)];
        for _ in 0..=self.below(most + 1) {
            self.change(&mut input);
        }
        input
    }

    fn seed(&mut self) -> &'a [u8] {
        let number = self.below(self.seeds.len());
        &self.seeds[number]
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let (from, to) = self.range(input.len());
        match self.below(9) {
            0 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] ^= 1 << self.below(8);
            }
            1 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] = self.below(256) as u8;
            }
            2 | 3 => {
                let piece = self.dictionary[self.below(self.dictionary.len())];
                input.splice(from..from, piece.iter().copied());
            }
            4 => {
                let piece = self.dictionary[self.below(self.dictionary.len())];
                input.splice(from..to, piece.iter().copied());
            }
            5 => drop(input.drain(from..to)),
            6 => {
                let copy = input[from..to].to_vec();
                let at = self.below(input.len() + 1);
                input.splice(at..at, copy);
            }
            7 => {
                let other = self.seed();
                let (start, end) = self.range(other.len());
                input.splice(from..to, other[start..end].iter().copied());
            }
            _ if self.below(4) == 0 => input.truncate(from),
            _ => input.extend_from_slice(self.seed()),
        }
    }

    /// A short range, more often than a long one.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length + 1);
        let most = if self.below(4) == 0 { length } else { 8 };
        (from, (from + self.below(most + 1)).min(length))
    }

    /// A number below `bound`, or 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // xorshift64*, G. Marsaglia and S. Vigna.
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        (number as usize) % bound.max(1)
    }
}

/// How long one input may take: far more than any needs, far less than what hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// Gives inputs to `check` for `ERLRC_FUZZ_SECONDS` seconds (default 2), at least a thousand.
pub fn fuzz(mutator: &mut Mutator<'_>, mut check: impl FnMut(&[u8])) {
    let seconds = std::env::var("ERLRC_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(2));
    let mut count = 0;
    while count < 1000 || Instant::now() < end {
        let input = mutator.input();
        let start = Instant::now();
        check(&input);
        assert!(start.elapsed() < PATIENCE, "hangs: {input:?}");
        count += 1;
    }
}

/// The most memory that this process has taken so far stays below that, whatever was read.
#[track_caller]
pub fn memory_is_bounded() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.unwrap().trim().trim_end_matches(" kB").parse::<u64>();
    assert!(kibibytes.unwrap() < 300 << 10, "{line:?}");
}
