//! Functions of the engine about modules under another name.

#![forbid(unsafe_code)]

use erlrc::beam::{self, BeamError, Module};
use erlrc::term::{Atom, Term};
use rustler::{Error, NifResult};

use crate::decode::{Path, Value};
use crate::encode::Answer;
use crate::stack;

/// `shadow(File, Name, [{Function, Arity}]) ->
/// {ok, {Beam, [#{effects, calls_funs} | not_exported]}} | {error, Reason}`.
#[rustler::nif(schedule = "DirtyIo")]
fn shadow(file: Path, name: Value, functions: Value) -> NifResult<Answer> {
    let answer = stack::run(move || {
        let name = name.0.as_atom()?.clone();
        let functions = functions.0.elements()?.into_owned();
        let functions: Option<Vec<_>> = functions.iter().map(function).collect();
        let made = made(&file.0, &name, &functions?);
        Some(made.map_err(|error| error.reason()))
    })?;
    answer.map(Answer::new).ok_or(Error::BadArg)
}

fn function(pair: &Term) -> Option<(Atom, usize)> {
    let (name, arity) = pair.as_pair()?;
    Some((
        name.as_atom()?.clone(),
        usize::try_from(arity.as_integer()?).ok()?,
    ))
}

fn made(
    file: &std::path::Path,
    name: &Atom,
    functions: &[(Atom, usize)],
) -> Result<Term, BeamError> {
    let bytes = beam::read(file)?;
    let module = Module::parse(&bytes)?;
    let shadow = beam::shadow(&bytes, name.as_str())?;
    let effects = functions.iter().map(|(function, arity)| {
        let effects = beam::effects(&module, function.as_str(), *arity)?;
        Ok(effects.map_or(Term::atom("not_exported"), |effects| effects.term()))
    });
    let effects = effects.collect::<Result<Vec<_>, BeamError>>()?;
    Ok(Term::tuple([Term::binary(shadow), Term::List(effects)]))
}
