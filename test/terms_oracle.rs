//! Oracle: what the engine reads is what `file:consult/1` reads, and what it prints `file:consult/1`
//! reads back unchanged.

mod support;

use erlrc::term::text::ParseError;
use erlrc::term::{Limits, Term, external, print, text};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::path::{Path, PathBuf};
use support::mutate::Mutator;
use support::terms::{DICTIONARY, config, term, texts};

/// What `file:consult/1` reads in `files`, or in all that belong to OTP: path and terms, or that
/// there are none.
#[track_caller]
fn consult(files: Option<&[PathBuf]>) -> Vec<(PathBuf, Option<Vec<Term>>)> {
    let scratch = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("test/terms_oracle.erl");
    support::compile(&source, scratch.path());
    let (out, list) = (scratch.path().join("out"), scratch.path().join("list"));
    let mut args = vec![out.to_str().unwrap()];
    if let Some(files) = files {
        let paths: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
        std::fs::write(&list, paths.join("\n")).unwrap();
        args.push(list.to_str().unwrap());
    }
    support::call(scratch.path(), "terms_oracle", &args);
    let records = std::fs::read(&out).unwrap();
    let mut rest = &records[..];
    let mut results = Vec::new();
    while !rest.is_empty() {
        let path = PathBuf::from(std::str::from_utf8(record(&mut rest)).unwrap());
        let term = external::decode(record(&mut rest), &Limits::default());
        let term = term.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let terms = term
            .as_tagged("ok")
            .map(|terms| terms[0].elements().unwrap().into_owned());
        results.push((path, terms));
    }
    results
}

/// The next bytes after their length.
fn record<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let (length, after) = rest.split_first_chunk::<4>().unwrap();
    let (record, after) = after.split_at(u32::from_be_bytes(*length) as usize);
    *rest = after;
    record
}

fn read(bytes: &[u8]) -> Result<Vec<Term>, ParseError> {
    text::parse_all(bytes, &Limits::default())
}

fn release() -> u32 {
    let output = support::erl()
        .args(["-noinput", "-boot", "start_clean", "-eval"])
        .arg("io:put_chars(erlang:system_info(otp_release)), halt().")
        .output()
        .expect("erl runs");
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("a release")
}

/// Writes each content to a file of its own.
fn written(dir: &Path, contents: &[Vec<u8>]) -> Vec<PathBuf> {
    let files: Vec<_> = (0..contents.len())
        .map(|number| dir.join(number.to_string()))
        .collect();
    for (file, content) in files.iter().zip(contents) {
        std::fs::write(file, content).unwrap();
    }
    files
}

#[test]
fn every_file_of_otp_reads_as_file_consult_reads_it() {
    let files = consult(None);
    assert!(files.len() > 50, "only {} files found", files.len());
    for (path, expected) in files {
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(read(&bytes).ok(), expected, "{}", path.display());
        let printed = print::file(&expected.clone().unwrap_or_default());
        assert_eq!(
            read(printed.as_bytes()).ok(),
            expected,
            "{}",
            path.display()
        );
    }
}

#[test]
fn what_is_printed_or_encoded_is_read_back_by_otp() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[25; 32]);
    let mut runner = TestRunner::new_with_rng(config(1), rng);
    let terms: Vec<Term> = (0..3000)
        .map(|_| term().new_tree(&mut runner).unwrap().current())
        .collect();
    let texts: Vec<Vec<u8>> = terms
        .iter()
        .map(|term| {
            format!(
                "{term}.\n{}",
                print::file_with_coding(std::slice::from_ref(term))
            )
            .into_bytes()
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let files = written(dir.path(), &texts);
    for (file, term) in files.iter().zip(&terms) {
        std::fs::write(file.with_extension("etf"), external::encode(term)).unwrap();
    }
    for ((_, found), term) in consult(Some(&files)).into_iter().zip(terms) {
        assert_eq!(found, Some(vec![term.clone(), term.clone(), term]));
    }
}

/// Where releases differ from each other, the engine takes what any of them takes.
fn is_disputed(text: &str, release: u32) -> bool {
    let based_float = text.split('#').skip(1).any(|after| {
        let digits = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        digits.starts_with('.')
    });
    match release {
        ..27 => {
            text.contains('~') || text.contains("\"\"\"") || text.contains("\\^?") || based_float
        }
        27.. => {
            let adjacent = text.contains("\"\"");
            let words = text.contains("maybe") || text.contains("else");
            adjacent || words || text.contains("\\^") || (release < 28 && based_float)
        }
    }
}

#[test]
fn mutated_texts_read_as_file_consult_reads_them() {
    let release = release();
    let seeds = texts();
    let mut mutator = Mutator::new(u64::from(release), &seeds, DICTIONARY);
    let mut texts = seeds.clone();
    texts.extend((0..6000).map(|_| mutator.input()));
    let dir = tempfile::tempdir().unwrap();
    let results = consult(Some(&written(dir.path(), &texts)));
    let (mut sound, mut broken, mut disputed) = (0, 0, 0);
    for ((_, expected), bytes) in results.into_iter().zip(&texts) {
        let found = read(bytes);
        if found.as_ref().ok() == expected.as_ref() {
            *(if expected.is_some() {
                &mut sound
            } else {
                &mut broken
            }) += 1;
            continue;
        }
        let text = String::from_utf8_lossy(bytes);
        assert!(
            is_disputed(&text, release),
            "{text}\n---\nwe read {found:?}\nOTP {release} reads {expected:?}"
        );
        disputed += 1;
    }
    let counts = format!("{sound} sound, {broken} broken, {disputed} disputed");
    println!("OTP {release}: {counts}");
    assert!(
        sound > 500 && broken > 2000 && disputed < 500,
        "too few compared: {counts}"
    );
}
