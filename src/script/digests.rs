//! The digests of an application's modules, to be compared with those of loaded code.

use std::path::{Path, PathBuf};

use super::error::ScriptError;
use super::survey;
use crate::beam::{BeamError, Module, Reader};
use crate::term::Atom;

/// A module and its digest, or why it has none.
pub type ModuleDigest = (Atom, Result<[u8; 16], BeamError>);

/// The digest of every module in `dir/ebin`, sorted by name, as `beam_lib:md5/1` has it and, for loaded
/// code, `module_info(md5)`.
pub fn module_digests(dir: &Path) -> Result<Vec<ModuleDigest>, ScriptError> {
    let ebin = dir.join("ebin");
    let mut names = survey::beams(&ebin, |_| true)?;
    names.sort_unstable();
    let mut reader = Reader::new();
    let mut digests = Vec::with_capacity(names.len());
    for name in names {
        // A file whose name no atom can have is no module.
        let Some(module) = Atom::new(&name) else {
            continue;
        };
        let digest = digest(&mut reader, ebin.join(format!("{name}.beam")), &name);
        digests.push((module, digest));
    }
    Ok(digests)
}

fn digest(reader: &mut Reader, file: PathBuf, name: &str) -> Result<[u8; 16], BeamError> {
    reader.read(file.as_path())?;
    let module = Module::parse(reader.bytes())?;
    let found = module.name()?;
    if found != name {
        let module = Atom::new(&found).ok_or(BeamError::BadChunk { chunk: "AtU8" })?;
        return Err(BeamError::WrongName { module });
    }
    module.md5()
}
