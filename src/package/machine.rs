//! Native code in a package: its architecture, and the libraries that it needs.

use super::relation::Relation;
use elf::ElfBytes;
use elf::abi;
use elf::endian::AnyEndian;
use std::collections::BTreeMap;

/// An architecture, by its names in dpkg and rpm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// dpkg's name.
    pub deb: &'static str,
    /// rpm's name.
    pub rpm: &'static str,
}

/// Code that runs on every architecture.
pub const ALL: Architecture = Architecture {
    deb: "all",
    rpm: "noarch",
};

/// The properties of a file of native code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Native {
    /// The machine that it is for.
    pub architecture: Architecture,
    /// Whether it is 64-bit code, which rpm puts into the names of libraries.
    pub wide: bool,
    /// The libraries that it needs, each with the symbol versions that it requires.
    pub libraries: BTreeMap<String, Vec<String>>,
}

/// Why native code cannot be packaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NativeError {
    /// The file begins as native code but is not valid.
    #[error("is no sound ELF file")]
    Unsound,
    /// No architecture of Debian is known for the machine.
    #[error("is for the machine {machine}, which is not known")]
    Machine {
        /// The number of the machine in ELF.
        machine: u16,
    },
}

/// The properties of a file, if it is native code.
pub fn read(bytes: &[u8]) -> Result<Option<Native>, NativeError> {
    if !bytes.starts_with(b"\x7fELF") {
        return Ok(None);
    }
    let file = ElfBytes::<AnyEndian>::minimal_parse(bytes).map_err(|_| NativeError::Unsound)?;
    let architecture = architecture(&file).ok_or(NativeError::Machine {
        machine: file.ehdr.e_machine,
    })?;
    let libraries = libraries(&file).ok_or(NativeError::Unsound)?;
    Ok(Some(Native {
        architecture,
        wide: file.ehdr.class == elf::file::Class::ELF64,
        libraries,
    }))
}

fn architecture(file: &ElfBytes<AnyEndian>) -> Option<Architecture> {
    let header = &file.ehdr;
    let little = header.endianness == AnyEndian::Little;
    let wide = header.class == elf::file::Class::ELF64;
    // EF_ARM_ABI_FLOAT_HARD: floating-point numbers are passed in registers.
    let hard_float = header.e_flags & 0x400 != 0;
    let (deb, rpm) = match (header.e_machine, wide, little) {
        (abi::EM_X86_64, true, true) => ("amd64", "x86_64"),
        (abi::EM_386, ..) => ("i386", "i686"),
        (abi::EM_AARCH64, _, true) => ("arm64", "aarch64"),
        (abi::EM_ARM, ..) if hard_float => ("armhf", "armv7hl"),
        (abi::EM_ARM, ..) => ("armel", "armv5tel"),
        (abi::EM_PPC64, _, true) => ("ppc64el", "ppc64le"),
        (abi::EM_S390, true, false) => ("s390x", "s390x"),
        (abi::EM_RISCV, true, _) => ("riscv64", "riscv64"),
        (abi::EM_MIPS, true, true) => ("mips64el", "mips64el"),
        (abi::EM_LOONGARCH, true, _) => ("loong64", "loongarch64"),
        _ => return None,
    };
    Some(Architecture { deb, rpm })
}

fn libraries(file: &ElfBytes<AnyEndian>) -> Option<BTreeMap<String, Vec<String>>> {
    let mut found = BTreeMap::new();
    let common = file.find_common_data().ok()?;
    let (Some(dynamic), Some(strings)) = (common.dynamic, common.dynsyms_strs) else {
        return Some(found);
    };
    for entry in dynamic.iter().filter(|entry| entry.d_tag == abi::DT_NEEDED) {
        let name = strings.get(usize::try_from(entry.d_val()).ok()?).ok()?;
        found.insert(plain(name)?, Vec::new());
    }
    let versions = file.symbol_version_table().ok()?;
    let (Some(versions), Some(symbols)) = (versions, common.dynsyms) else {
        return Some(found);
    };
    for index in 0..symbols.len() {
        // A symbol without a version of its own is an error here, and there is nothing to require.
        if let Ok(Some(needed)) = versions.get_requirement(index) {
            let names = found.entry(plain(needed.file)?).or_default();
            let name = plain(needed.name)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    found.values_mut().for_each(|names| names.sort());
    Some(found)
}

/// Checks a name for use in a control file.
fn plain(name: &str) -> Option<String> {
    let sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    (!name.is_empty() && name.chars().all(sign)).then(|| name.to_owned())
}

impl Native {
    /// Debian's relations to the libraries; `owners` are the packages that own them on this host.
    pub fn deb(&self, owners: &BTreeMap<String, String>) -> Vec<Relation> {
        let mut found = Vec::new();
        let mut libc: Option<Vec<u32>> = None;
        for (library, versions) in &self.libraries {
            if is_libc(library) {
                let newest = versions.iter().filter_map(|version| glibc(version)).max();
                libc = libc.max(newest.or(Some(Vec::new())));
            } else if let Some(package) = known(library).or(owners.get(library).map(String::as_str))
            {
                found.push(Relation::any(package));
            }
        }
        found.extend(libc.map(|version| match version.as_slice() {
            [] => Relation::any("libc6"),
            numbers => {
                let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
                Relation::at_least("libc6", numbers.join("."))
            }
        }));
        found.sort_by_key(ToString::to_string);
        found.dedup();
        found
    }

    /// The libraries whose package only the host can name.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        let names = self.libraries.keys().map(String::as_str);
        names.filter(|library| !is_libc(library) && known(library).is_none())
    }

    /// rpm's names of what the libraries provide: `libc.so.6(GLIBC_2.34)(64bit)`.
    pub fn rpm(&self) -> Vec<String> {
        let width = if self.wide { "(64bit)" } else { "" };
        let mut found = Vec::new();
        for (library, versions) in &self.libraries {
            let bare = if width.is_empty() { "" } else { "()" };
            found.push(format!("{library}{bare}{width}"));
            let versioned = versions.iter();
            found.extend(versioned.map(|version| format!("{library}({version}){width}")));
        }
        found
    }
}

/// The libraries in the package of glibc.
fn is_libc(library: &str) -> bool {
    let stem = library.split(".so").next().unwrap_or_default();
    matches!(
        stem,
        "libc" | "libm" | "libdl" | "libpthread" | "librt" | "libutil" | "libresolv"
    ) || stem.starts_with("ld-")
        || stem == "ld64"
}

fn known(library: &str) -> Option<&'static str> {
    match library {
        "libgcc_s.so.1" => Some("libgcc-s1"),
        "libstdc++.so.6" => Some("libstdc++6"),
        _ => None,
    }
}

fn glibc(version: &str) -> Option<Vec<u32>> {
    let numbers = version.strip_prefix("GLIBC_")?.split('.');
    numbers.map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_says_what_it_needs() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let native = read(&bytes).unwrap().unwrap();
        assert!(native.libraries.contains_key("libc.so.6"));
        let relations = native.deb(&BTreeMap::new());
        assert!(
            relations
                .iter()
                .any(|relation| relation.to_string().starts_with("libc6 (>= 2.")),
            "{relations:?}"
        );
        assert!(
            native
                .rpm()
                .iter()
                .any(|name| name.starts_with("libc.so.6(GLIBC_2."))
        );
    }

    #[test]
    fn versions_of_glibc_count_by_value() {
        let native = Native {
            architecture: ALL,
            wide: true,
            libraries: BTreeMap::from([
                (
                    "libc.so.6".to_owned(),
                    vec!["GLIBC_2.4".to_owned(), "GLIBC_2.34".to_owned()],
                ),
                ("libm.so.6".to_owned(), vec!["GLIBC_2.29".to_owned()]),
                ("libcrypto.so.3".to_owned(), Vec::new()),
            ]),
        };
        let owners = BTreeMap::from([("libcrypto.so.3".to_owned(), "libssl3".to_owned())]);
        let relations: Vec<_> = native
            .deb(&owners)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(relations, ["libc6 (>= 2.34)", "libssl3"]);
        assert_eq!(native.unknown().collect::<Vec<_>>(), ["libcrypto.so.3"]);
    }

    #[test]
    fn what_is_no_native_code_is_left_alone_and_a_broken_file_refused() {
        assert_eq!(read(b"#!/bin/sh\n"), Ok(None));
        assert_eq!(read(b"\x7fELF"), Err(NativeError::Unsound));
        let mut bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        bytes.truncate(64);
        assert_eq!(read(&bytes), Err(NativeError::Unsound));
    }
}
