//! The effects of a function beside computing its value, as its instructions show them: what the
//! function, and every function of its module that it calls, sends, receives and calls in other
//! modules.
//!
//! Conservative: a call that is not known to be harmless counts as an effect.

use std::collections::{BTreeSet, HashMap};

use super::chunks::number;
use super::harmless::is_harmless;
use super::instructions::{Instruction, Operand, body, walk};
use super::literals::literals;
use super::{BeamError, Chunk, Module};
use crate::term::{Atom, Term};

/// An effect that other processes may notice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It sends a message.
    Send,
    /// It receives messages.
    Receive,
    /// It calls a function whose name is determined at run time.
    Apply,
    /// It calls this function of another module, or one that its own module lacks.
    Call(String, String, usize),
}

/// The effects of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The effects in order, each once.
    pub effects: BTreeSet<Effect>,
    /// Whether it calls funs. Funs that it creates itself are analysed; as long as no fun is passed
    /// in with an argument, [`Effects::effects`] is complete.
    pub calls_funs: bool,
}

/// The effects of an exported function; `None` if it is not exported.
pub fn effects(
    module: &Module<'_>,
    function: &str,
    arity: usize,
) -> Result<Option<Effects>, BeamError> {
    let graph = Graph::new(module)?;
    let entry = graph.exported(function, arity)?;
    entry.map(|entry| graph.reachable(entry)).transpose()
}

const FUNC_INFO: u8 = 2;
const CALL: [u8; 3] = [4, 5, 6];
const CALL_EXT: [u8; 3] = [7, 8, 78];
const BIF0: u8 = 9;
const BIF1: u8 = 10;
const BIF2: u8 = 11;
const GC_BIF: [u8; 3] = [124, 125, 152];
const BIF3: u8 = 185;
const SEND: u8 = 20;
const RECEIVE: [u8; 6] = [21, 22, 23, 24, 25, 26];
const CALL_FUN: [u8; 2] = [75, 178];
const MAKE_FUN: [u8; 2] = [103, 171];
const APPLY: [u8; 2] = [112, 113];
/// An instruction of compilers long before OTP 25, which no compiler emits any more.
const MAKE_FUN_OLD: u8 = 76;

/// The effects of one function by itself.
#[derive(Debug, Default)]
struct Body {
    calls: BTreeSet<usize>,
    imports: BTreeSet<usize>,
    effects: BTreeSet<Effect>,
    calls_funs: bool,
}

/// The functions of a module by their entry labels, with the calls between them.
struct Graph<'m, 'a> {
    module: &'m Module<'a>,
    bodies: Vec<Body>,
    by_label: HashMap<usize, usize>,
    imports: Vec<(String, String, usize)>,
}

impl<'m, 'a> Graph<'m, 'a> {
    fn new(module: &'m Module<'a>) -> Result<Self, BeamError> {
        let imports = module.imports()?;
        let imports = imports
            .into_iter()
            .map(|(module, name, arity)| (module.into_owned(), name.into_owned(), arity));
        let mut graph = Self {
            module,
            bodies: Vec::new(),
            by_label: HashMap::new(),
            imports: imports.collect(),
        };
        let lambdas = graph.lambdas();
        let code = body(module.chunks().require(Chunk::Code)?).ok_or(bad(Chunk::Code))?;
        walk(code, |instruction| graph.add(instruction, &lambdas)).ok_or(bad(Chunk::Code))?;
        Ok(graph)
    }

    /// The entry labels of the module's funs.
    fn lambdas(&self) -> Vec<usize> {
        const ENTRY: usize = 24;
        const LABEL: usize = 8;
        let table = self.module.chunks().get(Chunk::FunT);
        let entries = table.and_then(|table| table.get(4..)).unwrap_or_default();
        let label = |entry: &[u8]| number(&entry[LABEL..]).unwrap_or_default();
        entries.chunks_exact(ENTRY).map(label).collect()
    }

    fn add(&mut self, instruction: &Instruction, lambdas: &[usize]) {
        const LABEL: u8 = 1;
        let opcode = instruction.opcode;
        if opcode == FUNC_INFO {
            self.bodies.push(Body::default());
            return;
        }
        // The label before `func_info` belongs to the previous function; nothing calls it.
        let Some(last) = self.bodies.len().checked_sub(1) else {
            return;
        };
        let first = instruction.operand(0);
        if let (LABEL, Some(Operand::Number(label))) = (opcode, first) {
            self.by_label.insert(label, last);
        }
        let body = &mut self.bodies[last];
        match opcode {
            _ if CALL.contains(&opcode) => {
                if let Some(Operand::Label(label)) = instruction.operand(1) {
                    body.calls.insert(label);
                }
            }
            _ if let Some(place) = import_place(opcode) => {
                if let Some(Operand::Number(import)) = instruction.operand(place) {
                    body.imports.insert(import);
                }
            }
            _ if MAKE_FUN.contains(&opcode) => match first {
                Some(Operand::Number(fun)) if fun < lambdas.len() => {
                    body.calls.insert(lambdas[fun]);
                }
                _ => {
                    body.effects.insert(Effect::Apply);
                }
            },
            SEND => {
                body.effects.insert(Effect::Send);
            }
            _ if RECEIVE.contains(&opcode) => {
                body.effects.insert(Effect::Receive);
            }
            _ if APPLY.contains(&opcode) || opcode == MAKE_FUN_OLD => {
                body.effects.insert(Effect::Apply);
            }
            _ if CALL_FUN.contains(&opcode) => body.calls_funs = true,
            _ => {}
        }
    }

    fn exported(&self, function: &str, arity: usize) -> Result<Option<usize>, BeamError> {
        let exports = self.module.chunks().require(Chunk::ExpT)?;
        for entry in exports.get(4..).unwrap_or_default().chunks_exact(12) {
            let field = |at: usize| number(&entry[at..]).unwrap_or_default();
            if field(4) == arity && self.module.atoms().get(field(0))? == function {
                return Ok(self.by_label.get(&field(8)).copied());
            }
        }
        Ok(None)
    }

    fn reachable(&self, entry: usize) -> Result<Effects, BeamError> {
        let mut effects = Effects::default();
        let mut seen = BTreeSet::from([entry]);
        let mut open = vec![entry];
        let own = self.module.name()?;
        while let Some(body) = open.pop().and_then(|function| self.bodies.get(function)) {
            effects.effects.extend(body.effects.iter().cloned());
            effects.calls_funs |= body.calls_funs;
            let mut called: Vec<usize> = Vec::new();
            for label in &body.calls {
                called.extend(self.by_label.get(label));
            }
            for &import in &body.imports {
                let Some((module, name, arity)) = self.imports.get(import) else {
                    return Err(bad(Chunk::ImpT));
                };
                match (*module == *own).then(|| self.exported(name, *arity)) {
                    Some(function) => called.extend(function?),
                    None if is_harmless(module, name, *arity) => {
                        effects.calls_funs |= module != "erlang";
                    }
                    None => {
                        let call = Effect::Call(module.clone(), name.clone(), *arity);
                        effects.effects.insert(call);
                    }
                }
            }
            open.extend(called.into_iter().filter(|function| seen.insert(*function)));
        }
        // No instruction creates a literal `fun m:f/1`.
        if effects.calls_funs && self.has_literal_funs() {
            effects.effects.insert(Effect::Apply);
        }
        Ok(effects)
    }

    /// Whether a literal may be an external fun. Its tag may also be part of another term.
    fn has_literal_funs(&self) -> bool {
        let chunks = self.module.chunks();
        chunks.get(Chunk::LitT).is_some()
            && literals(chunks).is_none_or(|unpacked| has_export(&unpacked))
    }
}

/// Which operand of a call of another module names the import.
fn import_place(opcode: u8) -> Option<usize> {
    match opcode {
        _ if CALL_EXT.contains(&opcode) => Some(1),
        BIF0 => Some(0),
        BIF1 | BIF2 | BIF3 => Some(1),
        _ if GC_BIF.contains(&opcode) => Some(2),
        _ => None,
    }
}

/// An external fun begins with its tag and the tag of an atom, which no text does.
fn has_export(literals: &[u8]) -> bool {
    const EXPORT: u8 = 113;
    const ATOMS: [u8; 4] = [100, 115, 118, 119];
    literals
        .windows(2)
        .any(|pair| pair[0] == EXPORT && ATOMS.contains(&pair[1]))
}

fn bad(chunk: Chunk) -> BeamError {
    BeamError::BadChunk {
        chunk: chunk.name(),
    }
}

impl Effects {
    /// `#{effects => [send | 'receive' | apply | {Module, Function, Arity}], calls_funs => boolean()}`.
    pub fn term(&self) -> Term {
        let effects = self.effects.iter().map(Effect::term);
        let calls_funs = if self.calls_funs { "true" } else { "false" };
        Term::Map(vec![
            (Term::atom("effects"), Term::list(effects)),
            (Term::atom("calls_funs"), Term::atom(calls_funs)),
        ])
    }
}

impl Effect {
    fn term(&self) -> Term {
        match self {
            Self::Send => Term::atom("send"),
            Self::Receive => Term::atom("receive"),
            Self::Apply => Term::atom("apply"),
            Self::Call(module, function, arity) => {
                // They are taken from the atoms of the module.
                let name = |text| Atom::new(text).map_or(Term::NIL, Term::Atom);
                let arity = i64::try_from(*arity).unwrap_or_default();
                Term::tuple([name(module), name(function), Term::Integer(arity)])
            }
        }
    }
}
