//! Applications with native code.

use crate::project::{MAINTAINER, Project, member, run, says, text};
use std::process::Command;

/// Needs the libraries of C and of mathematics.
pub const SOURCE: &str = "#include <math.h>\n#include <stdio.h>\n\
    double foo(double x) { puts(\"foo\"); return pow(x, x); }\n";

/// Compiles `foo.c` into a library in foo's `priv`.
#[track_caller]
pub fn compile(project: &Project) {
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-s", "-Wl,-z,relro,-z,now", "-o"]);
    let run = run(cc
        .arg(project.path("foo/priv/foo.so"))
        .arg(project.path("foo.c"))
        .arg("-lm"));
    assert_eq!(run.status, Some(0), "{}", run.err);
}

#[test]
fn native_code_decides_the_architecture_and_the_libraries() {
    let project = Project::new(MAINTAINER);
    project.file("foo.c", SOURCE);
    compile(&project);
    let deb = project.made("deb");
    let architecture = says("dpkg", &["--print-architecture"]);
    let control = member(&deb, "control");
    assert!(
        control.contains(&format!("\nArchitecture: {architecture}")),
        "{control}"
    );
    assert!(!control.contains("Multi-Arch"), "{control}");
    // pow(3) has a version of its own since glibc 2.29.
    assert!(control.contains("libc6 (>= 2.29)"), "{control}");
    let requires = says("rpm", &["-qp", "--requires", text(&project.made("rpm"))]);
    assert!(
        requires.contains("libm.so.6(GLIBC_2.29)(64bit)\n"),
        "{requires}"
    );
    assert!(requires.contains("libm.so.6()(64bit)\n"), "{requires}");
}

#[test]
fn one_package_is_for_one_architecture() {
    let project = Project::new(MAINTAINER);
    project.file("foo.c", "int foo(void) { return 1; }\n");
    compile(&project);
    let mut other = std::fs::read(project.path("foo/priv/foo.so")).expect("a library");
    // e_machine: the other one of x86-64 and ARM of 64 bits.
    let machine: u16 = if cfg!(target_arch = "aarch64") {
        62
    } else {
        183
    };
    other[18..20].copy_from_slice(&machine.to_le_bytes());
    std::fs::write(project.path("foo/priv/other.so"), other).expect("a library");
    let run = project.package(&["foo"]);
    assert_eq!(run.status, Some(1));
    assert!(run.err.contains("native code for"), "{}", run.err);
}
