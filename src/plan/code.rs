//! One module's file, taken apart as far as a plan needs it.

use super::Depth;
use crate::appup::facts::Function;
use crate::appup::{ModuleKind, Signs, behaviours};
use crate::beam::{BeamError, Chunk, Chunks, Module, Reader, Releases};
use crate::forms::{Anatomy, Debug};
use crate::script::attributes;
use crate::term::Atom;
use std::collections::BTreeSet;
use std::path::Path;

/// A call of another module's function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// The module.
    pub module: Atom,
    /// The function.
    pub function: Function,
}

/// What a module's file tells.
#[derive(Debug)]
pub struct Code {
    /// The module.
    pub module: Atom,
    /// What it exports.
    pub exports: BTreeSet<Function>,
    /// What it calls of other modules.
    pub imports: BTreeSet<Call>,
    /// How many local funs it has.
    pub funs: usize,
    /// The releases of OTP that load it.
    pub releases: Releases,
    /// What its debug information says.
    pub debug: Debug<Anatomy>,
}

impl Code {
    /// The module in the bytes of an uncompressed file. Debug information takes most of the time: where
    /// changes alone are looked at, that of modules that have no processes is left.
    pub fn parse(bytes: &[u8], depth: Depth, supervisors: &[Atom]) -> Result<Self, BeamError> {
        let chunks = Chunks::parse(bytes)?;
        let module = Module::new(chunks)?;
        let name = atom(&module.name()?)?;
        let (exports, imports) = (exports(&module)?, imports(&module)?);
        let kind = kind(&name, &chunks, (&exports, &imports), supervisors)?;
        let has_processes = || {
            let changes = |function: &Function| function.name == *"code_change";
            kind != ModuleKind::Plain || exports.iter().any(changes)
        };
        let debug = match depth {
            Depth::Changes if !has_processes() => Debug::Absent,
            _ => Anatomy::read(chunks.get(Chunk::Dbgi), &kind),
        };
        Ok(Self {
            module: name,
            funs: funs(&chunks),
            releases: Releases::of(&chunks),
            debug,
            exports,
            imports,
        })
    }

    /// Whether it exports the function.
    pub fn has(&self, name: &str, arity: u32) -> bool {
        has(&self.exports, name, arity)
    }
}

impl Code {
    /// Whether it loads native code.
    pub fn loads_nif(&self) -> bool {
        let call = |call: &Call| {
            let (name, arity) = (&call.function.name, call.function.arity);
            call.module == *"erlang" && *name == *"load_nif" && arity == 2
        };
        self.imports.iter().any(call)
    }
}

/// What a module exports, read from its file.
pub fn exports_of(file: &Path, reader: &mut Reader) -> Result<BTreeSet<Function>, BeamError> {
    reader.read(file)?;
    exports(&Module::parse(reader.bytes())?)
}

fn exports(module: &Module<'_>) -> Result<BTreeSet<Function>, BeamError> {
    let exports = module.exports()?;
    exports
        .iter()
        .map(|(name, arity)| function(name, *arity))
        .collect()
}

fn imports(module: &Module<'_>) -> Result<BTreeSet<Call>, BeamError> {
    let imports = module.imports()?;
    let calls = imports.iter().map(|(module, name, arity)| {
        Ok(Call {
            module: atom(module)?,
            function: function(name, *arity)?,
        })
    });
    calls.collect()
}

/// The function of this name and arity.
pub fn function(name: &str, arity: usize) -> Result<Function, BeamError> {
    let bad = BeamError::BadChunk {
        chunk: Chunk::ExpT.name(),
    };
    let arity = u32::try_from(arity).map_err(|_| bad)?;
    Ok(Function {
        name: atom(name)?,
        arity,
    })
}

/// The atom of a text in a module's atom table.
pub fn atom(text: &str) -> Result<Atom, BeamError> {
    Atom::new(text).ok_or(BeamError::BadChunk {
        chunk: Chunk::AtU8.name(),
    })
}

/// What a module is, by its attributes, its exports and its calls.
fn kind(
    module: &Atom,
    chunks: &Chunks<'_>,
    (exports, imports): (&BTreeSet<Function>, &BTreeSet<Call>),
    supervisors: &[Atom],
) -> Result<ModuleKind, BeamError> {
    let starts = |call: &&Call| call.function.name == *"start_link";
    let starts = imports.iter().filter(starts);
    let starts: Vec<_> = starts
        .map(|call| (call.module.clone(), call.function.arity))
        .filter(|(_, arity)| matches!(arity, 2 | 3))
        .collect();
    let signs = Signs {
        module,
        behaviours: attributes(chunks)?.as_deref().map(behaviours),
        exports: &|name, arity| has(exports, name, arity),
        start_links: Some(&starts),
    };
    Ok(ModuleKind::of(&signs, supervisors))
}

fn has(exports: &BTreeSet<Function>, name: &str, arity: u32) -> bool {
    exports
        .iter()
        .any(|function| function.name == *name && function.arity == arity)
}

fn funs(chunks: &Chunks<'_>) -> usize {
    let count = chunks
        .get(Chunk::FunT)
        .and_then(|bytes| bytes.first_chunk());
    let count = count.map_or(0, |bytes| u32::from_be_bytes(*bytes));
    usize::try_from(count).unwrap_or(0)
}
