//! Mutated modules: whatever is in a file, reading it ends, with an answer or an error.
//!
//! `ERLRC_FUZZ_SECONDS` says how long (default 2); a failure prints the seed of its mutation, which
//! `ERLRC_TEST_SEED` repeats.

mod support;

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use erlrc::beam::{Chunks, Module, compare_code, read};
use erlrc::script::{Options, make_appup};
use erlrc::term::{Atom, Limits, external};
use flate2::{Compression, write::GzEncoder};
use support::application::{Demo, dir};

/// xorshift64*: enough to choose what to break.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] = random.next().to_le_bytes()[0],
            1 => bytes.truncate(at),
            // The high bytes of lengths and counts.
            2 => bytes[at..].iter_mut().take(4).for_each(|byte| *byte = 0xff),
            3 => bytes[at..].iter_mut().take(4).for_each(|byte| *byte = 0),
            4 => bytes[at] ^= 1 << random.below(8),
            _ => {
                let from = random.below(bytes.len());
                let part: Vec<_> = bytes[from..].iter().take(16).copied().collect();
                bytes.splice(at..at, part);
            }
        }
        if bytes.is_empty() {
            return;
        }
    }
}

/// Everything that is ever asked of a module.
fn read_all(bytes: &[u8], whole: &Chunks<'_>) {
    let Ok(module) = Module::parse(bytes) else {
        return;
    };
    let _ = (
        module.name(),
        module.md5(),
        module.exports(),
        module.imports(),
    );
    let _ = (module.has_on_load(), compare_code(module.chunks(), whole));
    let _ = module
        .attributes()
        .map(|bytes| external::decode(bytes, &Limits::default()));
}

fn duration() -> Duration {
    let seconds = std::env::var("ERLRC_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(2.0))
}

fn seed() -> u64 {
    let seed = std::env::var("ERLRC_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1)
}

#[test]
fn no_mutation_of_a_module_is_too_much() {
    let root = tempfile::tempdir().unwrap();
    let source = "-behaviour(gen_server). -knit_depends([lists]). -on_load(l/0).
        -export([init/1, handle_call/3, handle_cast/2, code_change/3]).
        l() -> ok.
        init(X) -> F = fun(Y) -> {X, Y, 1.5, \"text\", #{a => <<\"bin\">>}} end, {ok, F(lists:sum([1, X]))}.
        handle_call(_, _, S) -> {reply, S, S}.
        handle_cast(_, S) -> {noreply, S}.
        code_change(_, S, _) -> {ok, S}.";
    let demo = |vsn| {
        Demo::new(root.path(), vsn)
            .module("m", source)
            .build(&["+debug_info"])
    };
    let (old, new) = (demo("1"), demo("2"));
    let file = dir(&new).join("ebin/m.beam");
    let sound = fs::read(&file).unwrap();
    let whole = Chunks::parse(&sound).unwrap();
    let end = Instant::now() + duration();
    let mut seed = seed();
    while Instant::now() < end {
        seed += 1;
        // Shown when the test fails.
        println!("ERLRC_TEST_SEED={}", seed - 1);
        let mut bytes = sound.clone();
        mutate(&mut bytes, &mut Random(seed));
        read_all(&bytes, &whole);
        if seed.is_multiple_of(16) {
            fs::write(&file, &bytes).unwrap();
            let _ = make_appup(&Atom::of("demo"), &old, &new, &Options::default());
        }
    }
}

#[test]
fn what_unpacks_without_end_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut packed = GzEncoder::new(file.reopen().unwrap(), Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..70 {
        packed.write_all(&zeros).unwrap();
    }
    packed.finish().unwrap();
    assert_eq!(
        read(file.path()).unwrap_err().reason().to_string(),
        "too_large"
    );
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let error = |path: &str| read(path.as_ref()).unwrap_err().reason().to_string();
    assert_eq!(error("/dev/zero"), "not_a_regular_file");
    assert_eq!(error("/"), "not_a_regular_file");
    assert_eq!(error("/nonexistent/m.beam"), "enoent");
}
