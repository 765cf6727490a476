//! The arguments of the engine's functions as terms: what a node asks with.

use std::path::PathBuf;

use super::opt_in::{Converts, Way};
use super::{Appup, LoadedModule, Options, Side, Version};
use crate::application::Application;
use crate::appup::facts::Function;
use crate::appup::{Direction, ModuleKind, Signs};
use crate::migration::Choice;
use crate::term::{Atom, Term};

/// `{Vsn, Dir}` or `{Vsn, {loaded, Spec, [{Module, Md5, Exports, Attributes}]}}`.
pub fn version(term: &Term) -> Option<Version> {
    let (vsn, side) = term.as_pair()?;
    let vsn = vsn.as_text()?.into_owned();
    let side = match side.as_tagged("loaded") {
        Some([spec, modules]) => {
            let application = Application::from_term(spec.clone()).ok()?;
            let modules = modules.elements()?;
            let modules = modules.iter().map(loaded).collect::<Option<_>>()?;
            Side::Loaded(Box::new(application), modules)
        }
        _ => Side::Directory(path(side)?),
    };
    Some(Version { vsn, side })
}

/// The name of the kind of a module, asked with `{Module, Exports, Behaviours}` as loaded code has them and
/// the modules and behaviours that count as supervisors too.
pub fn module_kind(module: &Term, supervisors: &Term) -> Option<&'static str> {
    let [name, exports, behaviours] = module.as_tuple()? else {
        return None;
    };
    let exports = functions(exports)?;
    let signs = Signs {
        module: name.as_atom()?,
        behaviours: Some(atoms(behaviours)?),
        exports: &|name, arity| {
            let wanted = |f: &Function| (f.name.as_str(), f.arity).cmp(&(name, arity));
            exports.binary_search_by(wanted).is_ok()
        },
        start_links: None,
    };
    Some(ModuleKind::of(&signs, &atoms(supervisors)?).name())
}

/// `up` or `down`.
pub fn direction(term: &Term) -> Option<Direction> {
    match term.as_atom()?.as_str() {
        "up" => Some(Direction::Up),
        "down" => Some(Direction::Down),
        _ => None,
    }
}

/// `#{unchanged_modules => skip | reload, supervisors => [Module], appup => shipped | generated,
/// root => Dir, migrate | asked => none | fields | lossy, evaluator => Name, way_back => boolean()}`; other keys are of
/// other callers.
pub fn options(term: &Term) -> Option<Options> {
    let Term::Map(pairs) = term else { return None };
    let mut options = Options::default();
    for (key, value) in pairs {
        match key.as_atom().map(Atom::as_str) {
            Some("unchanged_modules") => {
                options.reload_unchanged = match value.as_atom()?.as_str() {
                    "reload" => true,
                    "skip" => false,
                    _ => return None,
                }
            }
            Some("supervisors") => options.supervisors = atoms(value)?,
            Some("appup") => {
                options.appup = match value.as_atom()?.as_str() {
                    "shipped" => Appup::Shipped,
                    "generated" => Appup::Generated,
                    _ => return None,
                }
            }
            Some("migrate") => options.migrate.node = Some(Choice::of_term(value)?),
            Some("asked") => options.migrate.asked = Some(Choice::of_term(value)?),
            Some("evaluator") if value.is_atom("release_handler") => {
                options.migrate.evaluator = Converts::Nothing;
            }
            Some("way_back") if value.is_atom("true") => options.migrate.way = Way::Back,
            Some("root") => {
                options.root = Some(path(value)?);
                options.migrate.root.clone_from(&options.root);
            }
            _ => {}
        }
    }
    Some(options)
}

/// A file or directory, as a binary or a string.
pub fn path(term: &Term) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let bytes = match term {
        Term::Binary(bytes) => bytes.clone(),
        term => term.as_string()?.into_owned().into_bytes(),
    };
    // What the operating system would take for the end of the name.
    (!bytes.contains(&0)).then(|| PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

fn loaded(term: &Term) -> Option<LoadedModule> {
    let [name, md5, exports, attributes] = term.as_tuple()? else {
        return None;
    };
    Some(LoadedModule {
        name: name.as_atom()?.clone(),
        md5: md5.as_binary()?.try_into().ok()?,
        exports: functions(exports)?.into(),
        attributes: pairs(attributes)?,
    })
}

/// Functions, sorted.
fn functions(term: &Term) -> Option<Vec<Function>> {
    let functions = term.elements()?;
    let mut functions = functions.iter().map(function).collect::<Option<Vec<_>>>()?;
    functions.sort_unstable();
    Some(functions)
}

fn pairs(term: &Term) -> Option<Vec<(Atom, Term)>> {
    term.elements()?.iter().map(attribute).collect()
}

fn function(term: &Term) -> Option<Function> {
    let (name, arity) = term.as_pair()?;
    let arity = u32::try_from(arity.as_integer()?).ok()?;
    Some(Function {
        name: name.as_atom()?.clone(),
        arity,
    })
}

fn attribute(term: &Term) -> Option<(Atom, Term)> {
    let (name, value) = term.as_pair()?;
    Some((name.as_atom()?.clone(), value.clone()))
}

fn atoms(term: &Term) -> Option<Vec<Atom>> {
    term.elements()?
        .iter()
        .map(|element| element.as_atom().cloned())
        .collect()
}
