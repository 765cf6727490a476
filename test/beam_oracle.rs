//! Oracle: what the engine reads out of every module of the installed OTP is what `beam_lib` reads.

mod support;

use std::fmt::Write as _;
use std::path::Path;

use erlrc::beam::{Module, read};

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
    }
}
