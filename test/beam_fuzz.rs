//! Mutated modules: whatever is in a file, reading it ends, with an answer or an error.
//!
//! `ERLRC_FUZZ_SECONDS` says how long (default 2).

mod support;

use std::fs;
use std::io::Write as _;

use erlrc::beam::{Chunks, Module, compare_code, effects, read, shadow};
use erlrc::script::{Options, make_appup};
use erlrc::term::{Atom, Limits, external};
use flate2::{Compression, write::GzEncoder};
use support::application::{Demo, dir};
use support::mutate::{Mutator, fuzz, memory_is_bounded};

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
    let _ = (shadow(bytes, "m$trial"), effects(&module, "code_change", 3));
    let _ = module
        .attributes()
        .map(|bytes| external::decode(bytes, &Limits::default()));
}

/// Chunks, and what lengths and counts may be.
const DICTIONARY: &[&[u8]] = &[
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\0",
    b"\0\0\0\x01",
    b"FOR1",
    b"BEAM",
    b"AtU8",
    b"Atom",
    b"ImpT",
    b"ExpT",
    b"FunT",
    b"Attr",
    b"Code",
    b"\x1f\x8b",
    b"\x95",
    b"\x17\xf8",
];

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
    let seeds = [sound.clone()];
    let mut count = 0_u32;
    fuzz(&mut Mutator::new(7, &seeds, DICTIONARY), |bytes| {
        read_all(bytes, &whole);
        count += 1;
        if count.is_multiple_of(16) {
            fs::write(&file, bytes).unwrap();
            let _ = make_appup(&Atom::of("demo"), &old, &new, &Options::default());
        }
    });
    memory_is_bounded();
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
