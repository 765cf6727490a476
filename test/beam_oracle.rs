//! Oracle: what the engine reads out of every module of the installed OTP is what `beam_lib` reads.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use erlrc::beam::{Module, read};
use erlrc::term::{Atom, Limits, Term, external, text};

fn set(mut elements: Vec<String>) -> String {
    elements.sort();
    hex(&md5::compute(elements.join("\n")).0)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
}

fn facts(path: &str) -> Vec<String> {
    let bytes = read(Path::new(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let module = Module::parse(&bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
    let exports = module.exports().expect(path);
    let imports = module.imports().expect(path);
    vec![
        path.to_owned(),
        module.name().expect(path).into_owned(),
        hex(&module.md5().expect(path)),
        set(exports.iter().map(|(f, a)| format!("{f}/{a}")).collect()),
        set(imports
            .iter()
            .map(|(m, f, a)| format!("{m}:{f}/{a}"))
            .collect()),
    ]
}

/// `expected` is as `beam_lib` has them: values of one name in one list, sorted by name.
#[track_caller]
fn attributes(path: &str, expected: &str) {
    let bytes = read(Path::new(path)).unwrap();
    let module = Module::parse(&bytes).unwrap();
    let Some(found) = module.attributes() else {
        assert_eq!(expected, "stripped", "{path}");
        return;
    };
    let found = external::decode(found, &Limits::default()).unwrap();
    let mut merged = BTreeMap::<Atom, Vec<Term>>::new();
    for pair in found.elements().unwrap().iter() {
        let (name, values) = pair.as_pair().expect(path);
        let values = values.elements().expect(path).into_owned();
        merged
            .entry(name.as_atom().expect(path).clone())
            .or_default()
            .extend(values);
    }
    let merged = merged
        .into_iter()
        .map(|(name, values)| Term::tuple([name.into(), values.into()]));
    assert_eq!(
        Term::list(merged),
        text::parse(expected).expect(path),
        "{path}"
    );
}

#[test]
fn every_module_of_otp_reads_as_beam_lib_reads_it() {
    let scratch = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("test/beam_oracle.erl");
    support::compile(&source, scratch.path());
    let out = scratch.path().join("facts");
    let dir = scratch.path().to_str().unwrap();
    support::call(scratch.path(), "beam_oracle", &[out.to_str().unwrap(), dir]);
    let lines = std::fs::read_to_string(&out).unwrap();
    let count = lines.lines().count();
    assert!(count > 500, "only {count} modules found");
    for line in lines.lines() {
        let expected: Vec<_> = line.split('\t').collect();
        assert_eq!(facts(expected[0]), expected[..5], "{}", expected[0]);
        attributes(expected[0], expected[5]);
    }
}
