//! Functions of the engine about scripts and the modules they come from.

#![forbid(unsafe_code)]

use erlrc::appup::SYSTEM_APPLICATIONS;
use erlrc::script::{self, arguments};
use erlrc::term::Term;
use rustler::{Error, NifResult};

use crate::decode::{Path, Value};
use crate::encode::Answer;
use crate::stack;

/// `make_appup(App, Old, New, Options) -> {ok, #{appup, reasons, warnings}} | {error, Reason}`.
#[rustler::nif(schedule = "DirtyIo")]
fn make_appup(app: Value, old: Value, new: Value, options: Value) -> NifResult<Answer> {
    let answer = stack::run(move || {
        let app = app.0.as_atom()?.clone();
        let (old, new) = (arguments::version(&old.0)?, arguments::version(&new.0)?);
        let options = arguments::options(&options.0)?;
        let generated = script::make_appup(&app, &old, &new, &options);
        Some(
            generated
                .map(|generated| generated.term())
                .map_err(|error| error.reason()),
        )
    })?;
    answer.map(Answer::new).ok_or(Error::BadArg)
}

/// `upgrade_script(App, Old, New, Direction, Options) ->
/// {ok, #{source, instructions, reasons, warnings}} | {error, Reason}`.
#[rustler::nif(schedule = "DirtyIo")]
fn upgrade_script(
    app: Value,
    old: Value,
    new: Value,
    direction: Value,
    options: Value,
) -> NifResult<Answer> {
    let answer = stack::run(move || {
        let app = app.0.as_atom()?.clone();
        let (old, new) = (arguments::version(&old.0)?, arguments::version(&new.0)?);
        let direction = arguments::direction(&direction.0)?;
        let options = arguments::options(&options.0)?;
        let script = script::upgrade_script(&app, &old, &new, direction, &options);
        Some(
            script
                .map(|script| script.term())
                .map_err(|error| error.reason()),
        )
    })?;
    answer.map(Answer::new).ok_or(Error::BadArg)
}

/// `module_digests(Dir) -> {ok, [{Module, Md5 | {error, Reason}}]} | {error, Reason}`.
#[rustler::nif(schedule = "DirtyIo")]
fn module_digests(dir: Path) -> NifResult<Answer> {
    let answer = stack::run(move || {
        let digests = script::module_digests(&dir.0).map_err(|error| error.reason())?;
        Ok(Term::list(digests.into_iter().map(|(module, digest)| {
            let digest = match digest {
                Ok(md5) => Term::binary(md5),
                Err(error) => Term::tuple([Term::atom("error"), error.reason()]),
            };
            Term::tuple([Term::Atom(module), digest])
        })))
    })?;
    Ok(Answer::new(answer))
}

/// `module_kind({Module, Exports, Behaviours}, Supervisors) -> {ok, Kind}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn module_kind(module: Value, supervisors: Value) -> NifResult<Answer> {
    let answer = stack::run(move || {
        let kind = arguments::module_kind(&module.0, &supervisors.0)?;
        Some(Ok(Term::atom(kind)))
    })?;
    answer.map(Answer::new).ok_or(Error::BadArg)
}

/// `system_applications() -> {ok, [App]}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn system_applications() -> Answer {
    let names = SYSTEM_APPLICATIONS.into_iter().map(Term::atom);
    Answer::new(Ok(Term::list(names)))
}
