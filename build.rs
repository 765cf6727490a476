//! Links the command statically to glibc, where that can be had: to load a dynamic linker, libc, libm
//! and libgcc_s takes as long as all that a hook does before it speaks to a node.
//!
//! `-C target-feature=+crt-static` would do the same to everything that is built with it, procedural
//! macros and the NIF's library among them, which both have to be shared objects. Here it is the
//! command alone, in every profile, whoever calls cargo. The command must do without what a static
//! glibc loads at run time, which is the name services.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What rustc links to by `-l`, and the archives that take its place.
const LIBRARIES: [(&str, &[&str]); 7] = [
    ("gcc_s", &["libgcc_eh.a", "libgcc.a"]),
    ("c", &["libc.a", "libgcc_eh.a", "libgcc.a"]),
    ("m", &["libm.a"]),
    ("dl", &["libdl.a"]),
    ("pthread", &["libpthread.a"]),
    ("rt", &["librt.a"]),
    ("util", &["libutil.a"]),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") != "linux" || target("ENV") != "gnu" {
        return;
    }
    let directory = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("static");
    if stand_ins(&directory).is_some() {
        println!("cargo::rustc-link-arg-bins=-static-pie");
        println!("cargo::rustc-link-arg-bins=-L{}", directory.display());
    }
}

/// Fills a directory with linker scripts that are found before the shared libraries of the same names;
/// none where an archive is missing.
fn stand_ins(directory: &Path) -> Option<()> {
    let compiler = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let find = |file: &&str| -> Option<String> {
        let asked = Command::new(&compiler)
            .arg(format!("-print-file-name={file}"))
            .output()
            .ok()?;
        let path = String::from_utf8(asked.stdout).ok()?.trim().to_owned();
        // What is not found is repeated.
        Path::new(&path).is_absolute().then_some(path)
    };
    find(&"rcrt1.o")?;
    fs::create_dir_all(directory).ok()?;
    for (name, archives) in LIBRARIES {
        let paths: Option<Vec<String>> = archives.iter().map(find).collect();
        let script = format!("GROUP({})\n", paths?.join(" "));
        fs::write(directory.join(format!("lib{name}.so")), script).ok()?;
    }
    Some(())
}
