//! Applications made of source text, compiled once for each version.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use erlrc::script::{Options, Side, Version, make_appup};
use erlrc::term::{Atom, Term, text};

/// A version of the application `demo` below a directory.
pub struct Demo<'a> {
    root: &'a Path,
    vsn: &'a str,
    modules: Vec<(&'a str, String)>,
    keys: String,
}

impl<'a> Demo<'a> {
    /// An empty one.
    pub fn new(root: &'a Path, vsn: &'a str) -> Self {
        Self {
            root,
            vsn,
            modules: Vec::new(),
            keys: String::new(),
        }
    }

    /// With a module: what follows its `-module` line.
    pub fn module(mut self, name: &'a str, body: &str) -> Self {
        self.modules
            .push((name, format!("-module({name}).\n{body}\n")));
        self
    }

    /// With more keys in its `.app`, each ended by a comma.
    pub fn keys(mut self, keys: &str) -> Self {
        self.keys.push_str(keys);
        self
    }

    /// Writes and compiles it. `options` are the compiler's.
    #[track_caller]
    pub fn build(self, options: &[&str]) -> Version {
        let (version, sources) = self.write();
        compile(&sources, &dir(&version).join("ebin"), options);
        version
    }

    /// Writes it: `ebin` lacks the modules, the files returned are their sources.
    pub fn write(self) -> (Version, Vec<PathBuf>) {
        let dir = self.root.join(format!("demo-{}", self.vsn));
        let ebin = dir.join("ebin");
        let src = dir.join("src");
        fs::create_dir_all(&ebin).unwrap();
        fs::create_dir_all(&src).unwrap();
        let names: Vec<_> = self.modules.iter().map(|(name, _)| *name).collect();
        let mut app = format!("{{application, demo, [{{vsn, \"{}\"}}, ", self.vsn);
        write!(
            app,
            "{{description, \"\"}}, {{registered, []}}, {}",
            self.keys
        )
        .unwrap();
        writeln!(
            app,
            "{{applications, [kernel, stdlib]}}, {{modules, [{}]}}]}}.",
            names.join(",")
        )
        .unwrap();
        fs::write(ebin.join("demo.app"), app).unwrap();
        let mut sources = Vec::new();
        for (name, source) in &self.modules {
            let file = src.join(format!("{name}.erl"));
            fs::write(&file, source).unwrap();
            sources.push(file);
        }
        let side = Side::Directory(dir);
        (
            Version {
                vsn: self.vsn.to_owned(),
                side,
            },
            sources,
        )
    }
}

#[track_caller]
fn compile(sources: &[PathBuf], ebin: &Path, options: &[&str]) {
    if sources.is_empty() {
        return;
    }
    let output = super::erlc()
        .args(options)
        .arg("-o")
        .arg(ebin)
        .args(sources)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// The application's directory.
pub fn dir(version: &Version) -> &Path {
    match &version.side {
        Side::Directory(dir) => dir,
        Side::Loaded(..) => panic!("loaded versions have no directory"),
    }
}

/// The generated appup.
#[track_caller]
pub fn appup(old: &Version, new: &Version) -> Term {
    let demo = Atom::of("demo");
    make_appup(&demo, old, new, &Options::default())
        .unwrap()
        .appup()
}

/// Compares the generated appup with an expected one.
#[track_caller]
pub fn expect(old: &Version, new: &Version, up: &str, down: &str) {
    let expected = format!(
        "{{\"{}\",[{{\"{}\",{up}}}],[{{\"{}\",{down}}}]}}",
        new.vsn, old.vsn, old.vsn
    );
    let expected = text::parse(&expected).unwrap();
    assert_eq!(appup(old, new), expected);
}
