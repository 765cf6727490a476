//! `erlrc make-boot-script`: what a node boots from it is tested by the boot suites.

use crate::host::{Host, erl, erlrc_ebin};

#[test]
fn the_files_are_written_and_named() {
    let host = Host::without_epmd();
    let (name, erl, ebin) = (host.path("boot").display().to_string(), erl(), erlrc_ebin());
    let erl = erl.display().to_string();
    let options = ["--erl", &erl, "--path", &ebin];
    let files = format!("{name}.rel\n{name}.script\n{name}.boot\n");
    let make = |arguments: &[&str]| {
        host.erlrc(&[["make-boot-script"].as_slice(), &options, arguments].concat())
    };
    make(&["--dry-run", &name, "crypto,ssl"]).is(&files, 0);
    assert!(!host.path("boot.boot").exists());
    make(&[&name, "crypto,ssl"]).is(&files, 0);
    let release = std::fs::read_to_string(host.path("boot.rel")).expect("a release");
    assert!(
        release.contains("crypto") && release.contains("erlrc"),
        "{release}"
    );
    make(&[&name, "no_such_application"])
        .is("", 1)
        .says("no_such_application");
    make(&[&name, "'crypto',halt()"])
        .is("", 2)
        .says("an application is named");
}
