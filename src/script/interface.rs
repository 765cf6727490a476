//! What is told of a module: from its file, or from the code that is loaded.

use std::sync::Arc;

use super::names::Names;
use crate::appup::facts::{Call, Function, Interface, NewModule};
use crate::beam::{BeamError, Chunk, Chunks, Module};
use crate::term::{Atom, Limits, Term, external};

/// Code that is loaded in a node, as it tells of itself.
#[derive(Clone, Debug)]
pub struct LoadedModule {
    /// Its name.
    pub name: Atom,
    /// `module_info(md5)`.
    pub md5: [u8; 16],
    /// `module_info(exports)`, sorted.
    pub exports: Arc<[Function]>,
    /// `module_info(attributes)`.
    pub attributes: Vec<(Atom, Term)>,
}

impl LoadedModule {
    /// What it offers; what it uses is not known.
    pub fn interface(&self) -> Interface {
        Interface {
            exports: self.exports.clone(),
            calls: None,
            names: Vec::new(),
        }
    }

    /// As a module of the later version. Where it has no attribute at all they have been stripped: the
    /// compiler always writes `vsn`.
    pub fn new_module(&self) -> NewModule {
        NewModule {
            interface: self.interface(),
            attributes: (!self.attributes.is_empty()).then(|| self.attributes.clone()),
            ..NewModule::default()
        }
    }
}

/// What the earlier version of a module offers and uses. `new` is what the later one does, and `same`
/// tells which chunks of both are the same: where all are that count, the module need not be read.
pub fn old_interface<'b>(
    old: impl FnOnce() -> Result<Module<'b>, BeamError>,
    names: &Names,
    new: &Interface,
    same: impl Fn(Chunk) -> bool,
) -> Result<Interface, BeamError> {
    let same_atoms = same(Chunk::AtU8) && same(Chunk::Atom);
    let (same_exports, same_imports) = (
        same_atoms && same(Chunk::ExpT),
        same_atoms && same(Chunk::ImpT),
    );
    if same_exports && same_imports {
        return Ok(Interface {
            names: Vec::new(),
            ..new.clone()
        });
    }
    let module = old()?;
    let exports = if same_exports {
        new.exports.clone()
    } else {
        exports(&module)?
    };
    let calls = if same_imports {
        new.calls.clone()
    } else {
        Some(Known::new(&module, names).uses()?.calls.into())
    };
    Ok(Interface {
        exports,
        calls,
        names: Vec::new(),
    })
}

/// All that is told of the later version of a module.
pub fn new_module(module: &Module<'_>, names: &Names) -> Result<NewModule, BeamError> {
    let known = Known::new(module, names);
    let Uses {
        calls,
        start_links,
        loads_nif,
    } = known.uses()?;
    let mut names: Vec<_> = known
        .positions
        .iter()
        .copied()
        .filter(|&at| at != NONE)
        .collect();
    names.sort_unstable();
    names.dedup();
    Ok(NewModule {
        interface: Interface {
            exports: exports(module)?,
            calls: Some(calls.into()),
            names,
        },
        attributes: steering(module)?,
        start_links,
        loads_nif,
        on_load: module.has_on_load(),
    })
}

/// The functions that a module exports, sorted.
pub fn exports(module: &Module<'_>) -> Result<Arc<[Function]>, BeamError> {
    let functions = module.exports()?;
    let mut exports = Vec::with_capacity(functions.len());
    for (name, arity) in functions {
        exports.push(Function {
            name: atom(&name)?,
            arity: small(arity)?,
        });
    }
    exports.sort_unstable();
    Ok(exports.into())
}

/// The attributes that generation asks for: those of a module that has none of them are not even
/// decoded.
fn steering(module: &Module<'_>) -> Result<Option<Vec<(Atom, Term)>>, BeamError> {
    const MARKS: [&[u8]; 3] = [b"behavio", b"knit_", b"erlrc_"];
    let marked = |bytes: &[u8]| {
        MARKS
            .iter()
            .any(|mark| bytes.windows(mark.len()).any(|window| window == *mark))
    };
    match module.attributes() {
        // Compressed, it may hide them.
        Some(bytes) if bytes.get(1) != Some(&b'P') && !marked(bytes) => Ok(Some(Vec::new())),
        _ => attributes(module.chunks()),
    }
}

/// The attributes of a module, `None` where they have been stripped.
pub fn attributes(chunks: &Chunks<'_>) -> Result<Option<Vec<(Atom, Term)>>, BeamError> {
    let Some(bytes) = chunks.get(Chunk::Attr) else {
        return Ok(None);
    };
    let bad = || BeamError::BadChunk {
        chunk: Chunk::Attr.name(),
    };
    let pairs = external::decode(bytes, &Limits::default()).map_err(|_| bad())?;
    let pairs = pairs.into_elements().map_err(|_| bad())?;
    let pairs = pairs
        .into_iter()
        .map(|pair| attribute(pair).ok_or_else(bad));
    pairs.collect::<Result<_, _>>().map(Some)
}

fn attribute(pair: Term) -> Option<(Atom, Term)> {
    let Term::Tuple(pair) = pair else { return None };
    match <[Term; 2]>::try_from(pair).ok()? {
        [Term::Atom(name), value] => Some((name, value)),
        _ => None,
    }
}

fn atom(text: &str) -> Result<Atom, BeamError> {
    Atom::new(text).ok_or(BeamError::BadChunk {
        chunk: Chunk::AtU8.name(),
    })
}

fn small(arity: usize) -> Result<u32, BeamError> {
    u32::try_from(arity).map_err(|_| BeamError::BadChunk {
        chunk: Chunk::ExpT.name(),
    })
}

const NONE: u32 = u32::MAX;

/// A module and which of its atoms are names of the application's modules.
struct Known<'m, 'a> {
    module: &'m Module<'a>,
    // By number of atom, from 1; the module itself is not among them.
    positions: Vec<u32>,
}

#[derive(Default)]
struct Uses {
    calls: Vec<Call>,
    start_links: Vec<(Atom, u32)>,
    loads_nif: bool,
}

impl<'m, 'a> Known<'m, 'a> {
    fn new(module: &'m Module<'a>, names: &Names) -> Self {
        let texts = module.atoms().bytes();
        let own = texts.first();
        let position = |text: &&[u8]| {
            let other = Some(text) != own;
            other
                .then(|| names.position(text))
                .flatten()
                .unwrap_or(NONE)
        };
        Self {
            module,
            positions: texts.iter().map(position).collect(),
        }
    }

    fn uses(&self) -> Result<Uses, BeamError> {
        let atoms = self.module.atoms();
        let texts = atoms.bytes();
        let bad = BeamError::BadChunk {
            chunk: Chunk::ImpT.name(),
        };
        let mut uses = Uses::default();
        for [module, name, arity] in self.module.import_numbers()? {
            let (Some(at), Some(name_at)) = (module.checked_sub(1), name.checked_sub(1)) else {
                return Err(bad);
            };
            let (Some(&position), Some(&text)) = (self.positions.get(at), texts.get(name_at))
            else {
                return Err(bad);
            };
            if position != NONE {
                let function = Function {
                    name: atom(&atoms.get(name)?)?,
                    arity: small(arity)?,
                };
                uses.calls.push(Call {
                    module: position,
                    function,
                });
            }
            match text {
                b"start_link" if arity == 2 || arity == 3 => {
                    uses.start_links
                        .push((atom(&atoms.get(module)?)?, small(arity)?));
                }
                b"load_nif" => uses.loads_nif |= arity == 2 && texts[at] == b"erlang",
                _ => {}
            }
        }
        Ok(uses)
    }
}
