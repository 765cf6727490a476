//! Two versions of an application of many modules, made of those of the installed OTP.
//!
//! Real code of 10 to 30 KB a module, under new names. Of the later version's modules 30 % differ in
//! their code, 35 % were built again from the same code (debug information differs), 35 % are the
//! same files; one in a hundred is new, one in a hundred of the earlier ones is gone.

use std::fs;
use std::path::{Path, PathBuf};

use erlrc::script::{Side, Version};

/// The version numbers.
pub const OLD: &str = "1.0";
/// The version numbers.
pub const NEW: &str = "2.0";

const SIZES: std::ops::Range<usize> = 10_000..30_000;

/// Both versions.
pub struct Pair {
    /// The earlier one.
    pub old: PathBuf,
    /// The later one.
    pub new: PathBuf,
}

impl Pair {
    /// Makes `count` modules below `root`.
    pub fn make(root: &Path, beams: &[Vec<u8>], count: usize) -> Self {
        let dir = |vsn| root.join(format!("many{count}-{vsn}"));
        let pair = Self {
            old: dir(OLD),
            new: dir(NEW),
        };
        fs::create_dir_all(pair.old.join("ebin")).expect("a directory");
        fs::create_dir_all(pair.new.join("ebin")).expect("a directory");
        let (mut in_old, mut in_new) = (Vec::new(), Vec::new());
        for number in 0..count {
            let name = format!("m{number:06}");
            let module = rename(&beams[number % beams.len()], &name);
            let write = |dir: &Path, bytes: &[u8]| {
                fs::write(dir.join(format!("ebin/{name}.beam")), bytes).expect("a file");
            };
            if number % 100 != 0 {
                write(&pair.old, &module);
                in_old.push(name.clone());
            }
            if number % 100 != 1 {
                write(&pair.new, &later(&module, number));
                in_new.push(name.clone());
            }
        }
        specification(&pair.old, OLD, &in_old);
        specification(&pair.new, NEW, &in_new);
        pair
    }

    /// As the engine takes them.
    pub fn versions(&self) -> (Version, Version) {
        let version = |vsn: &str, dir: &Path| Version {
            vsn: vsn.to_owned(),
            side: Side::Directory(dir.to_owned()),
        };
        (version(OLD, &self.old), version(NEW, &self.new))
    }

    /// Every module file of both.
    pub fn files(&self) -> Vec<PathBuf> {
        let list = |dir: &Path| fs::read_dir(dir.join("ebin")).expect("a directory");
        let files = list(&self.old)
            .chain(list(&self.new))
            .map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = files
            .filter(|file| file.extension().is_some_and(|e| e == "beam"))
            .collect();
        files.sort();
        files
    }
}

/// Modules of OTP that are large enough and not too large.
pub fn beams(lib: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for application in [
        "stdlib",
        "kernel",
        "compiler",
        "sasl",
        "syntax_tools",
        "inets",
        "ssl",
        "mnesia",
    ] {
        let dirs = fs::read_dir(lib).expect("the libraries of OTP");
        let dirs = dirs.filter_map(Result::ok).map(|entry| entry.path());
        let prefix = format!("{application}-");
        let named = |dir: &PathBuf| {
            dir.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(&prefix))
        };
        for dir in dirs.filter(named) {
            let Ok(files) = fs::read_dir(dir.join("ebin")) else {
                continue;
            };
            let mut files: Vec<_> = files
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .collect();
            files.sort();
            let beams = files
                .iter()
                .filter(|file| file.extension().is_some_and(|e| e == "beam"));
            let beams = beams.filter_map(|file| fs::read(file).ok());
            found.extend(
                beams.filter(|bytes| SIZES.contains(&bytes.len()) && bytes.starts_with(b"FOR1")),
            );
        }
    }
    assert!(
        found.len() > 20,
        "the installed OTP has too few modules to make others of"
    );
    found
}

fn later(module: &[u8], number: usize) -> Vec<u8> {
    match number % 20 {
        // 30 %: something that the code contains.
        0..6 => edit(module, b"StrT", |content| {
            content.extend_from_slice(b"new!")
        }),
        // 35 %: something that it does not.
        6..13 => edit(module, b"CInf", |content| {
            if let Some(last) = content.last_mut() {
                *last ^= 1;
            }
        }),
        _ => module.to_vec(),
    }
}

/// The module under another name, shorter than 16 characters: the first atom is its name.
fn rename(module: &[u8], name: &str) -> Vec<u8> {
    edit(module, b"AtU8", |content| {
        let compact = content[0] & 0x80 != 0;
        let length = |byte: u8| usize::from(if compact { byte >> 4 } else { byte });
        assert!(
            !compact || content[4] & 8 == 0,
            "a name of 16 characters or more"
        );
        let end = 5 + length(content[4]);
        let short = u8::try_from(name.len()).expect("a short name");
        let mut first = vec![if compact { short << 4 } else { short }];
        first.extend_from_slice(name.as_bytes());
        content.splice(4..end, first);
    })
}

/// The module with one chunk changed.
fn edit(module: &[u8], id: &[u8; 4], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = b"BEAM".to_vec();
    let mut rest = &module[12..];
    while rest.len() >= 8 {
        let size = u32::from_be_bytes(rest[4..8].try_into().expect("four bytes")) as usize;
        let mut content = rest[8..8 + size].to_vec();
        if &rest[..4] == id {
            change(&mut content);
        }
        body.extend_from_slice(&rest[..4]);
        body.extend_from_slice(
            &u32::try_from(content.len())
                .expect("a small chunk")
                .to_be_bytes(),
        );
        body.extend_from_slice(&content);
        body.resize(body.len().next_multiple_of(4), 0);
        rest = rest.get(8 + size.next_multiple_of(4)..).unwrap_or_default();
    }
    let mut whole = b"FOR1".to_vec();
    whole.extend_from_slice(
        &u32::try_from(body.len())
            .expect("a small module")
            .to_be_bytes(),
    );
    whole.extend_from_slice(&body);
    whole
}

fn specification(dir: &Path, vsn: &str, modules: &[String]) {
    let text = format!(
        "{{application, many, [{{description, \"\"}}, {{vsn, \"{vsn}\"}}, {{registered, []}}, \
         {{applications, [kernel, stdlib]}}, {{modules, [{}]}}]}}.\n",
        modules.join(",")
    );
    fs::write(dir.join("ebin/many.app"), text).expect("a file");
}
