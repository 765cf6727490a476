//! Native code: by what it is loaded, what it needs, and which versions of symbols it has.

use crate::package::machine::{self, Architecture, NativeError};
use elf::ElfBytes;
use elf::abi;
use elf::endian::AnyEndian;
use elf::gnu_symver::VerDefIterator;
use std::collections::BTreeMap;

/// A program or a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The machine that runs it.
    pub architecture: Architecture,
    /// The dynamic linker; none in libraries and in what is linked statically.
    pub interpreter: Option<String>,
    /// `DT_RPATH`: where its libraries are looked for, and those of its libraries.
    pub rpath: Vec<String>,
    /// `DT_RUNPATH`: where its own libraries are looked for.
    pub runpath: Vec<String>,
    /// The libraries that it needs, each with the symbol versions that it asks for.
    pub needs: BTreeMap<String, Vec<String>>,
    /// The symbol versions that it defines.
    pub provides: Vec<String>,
}

/// What the bytes of a file say, if it is native code.
pub fn read(bytes: &[u8]) -> Result<Option<Object>, NativeError> {
    let Some(native) = machine::read(bytes)? else {
        return Ok(None);
    };
    let file = ElfBytes::<AnyEndian>::minimal_parse(bytes).map_err(|_| NativeError::Unsound)?;
    Ok(Some(Object {
        architecture: native.architecture,
        interpreter: interpreter(&file).ok_or(NativeError::Unsound)?,
        rpath: paths(&file, abi::DT_RPATH).ok_or(NativeError::Unsound)?,
        runpath: paths(&file, abi::DT_RUNPATH).ok_or(NativeError::Unsound)?,
        needs: native.libraries,
        provides: provides(&file).ok_or(NativeError::Unsound)?,
    }))
}

/// The outer `None` is for what is not sound.
fn interpreter(file: &ElfBytes<AnyEndian>) -> Option<Option<String>> {
    let segments = file.segments();
    let mut segments = segments.iter().flat_map(|segments| segments.iter());
    let Some(segment) = segments.find(|segment| segment.p_type == abi::PT_INTERP) else {
        return Some(None);
    };
    let text = file.segment_data(&segment).ok()?;
    let text = text.split(|byte| *byte == 0).next()?;
    Some(Some(String::from_utf8(text.to_vec()).ok()?))
}

fn paths(file: &ElfBytes<AnyEndian>, tag: i64) -> Option<Vec<String>> {
    let common = file.find_common_data().ok()?;
    let (Some(dynamic), Some(strings)) = (common.dynamic, common.dynsyms_strs) else {
        return Some(Vec::new());
    };
    let mut found = Vec::new();
    for entry in dynamic.iter().filter(|entry| entry.d_tag == tag) {
        let text = strings.get(usize::try_from(entry.d_val()).ok()?).ok()?;
        found.extend(text.split(':').map(str::to_owned));
    }
    Some(found)
}

fn provides(file: &ElfBytes<AnyEndian>) -> Option<Vec<String>> {
    let Some(headers) = file.section_headers() else {
        return Some(Vec::new());
    };
    let mut headers_of = headers.iter();
    let Some(header) = headers_of.find(|header| header.sh_type == abi::SHT_GNU_VERDEF) else {
        return Some(Vec::new());
    };
    let strings = headers.get(usize::try_from(header.sh_link).ok()?).ok()?;
    let strings = file.section_data_as_strtab(&strings).ok()?;
    let (data, _) = file.section_data(&header).ok()?;
    let (endian, class) = (file.ehdr.endianness, file.ehdr.class);
    let definitions = VerDefIterator::new(endian, class, u64::from(header.sh_info), 0, data);
    let mut found = Vec::new();
    for (_, mut names) in definitions {
        // The first is the version's own name, the others those of its parents.
        let name = names.next()?;
        let name = strings.get(usize::try_from(name.vda_name).ok()?).ok()?;
        found.push(name.to_owned());
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_says_what_it_needs() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let object = read(&bytes).unwrap().unwrap();
        assert!(object.needs.contains_key("libc.so.6"));
        let interpreter = object.interpreter.unwrap();
        assert!(interpreter.contains("ld-linux"), "{interpreter}");
        let linker = read(&std::fs::read(interpreter).unwrap()).unwrap().unwrap();
        assert!(linker.provides.contains(&"GLIBC_PRIVATE".to_owned()));
        assert_eq!(linker.interpreter, None);
    }

    #[test]
    fn other_files_are_none_and_torn_ones_refused() {
        assert_eq!(read(b"#!/bin/sh\n"), Ok(None));
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for length in [4, 16, 64, 100] {
            assert!(read(&bytes[..length]).is_err(), "{length}");
        }
    }
}
