//! The input of generation: the modules of both versions, compared.

use std::sync::Arc;

use crate::term::{Atom, Term};

/// Both versions of an application.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The application.
    pub application: Atom,
    /// The earlier version.
    pub earlier: String,
    /// The later version.
    pub later: String,
    /// The start module of the later version, if there is one.
    pub start: Option<StartModule>,
    /// The modules of the later version in the order of its `.app` file, then those of only the
    /// earlier version in the order of its own.
    pub modules: Vec<ModuleFacts>,
}

/// The start module: the key `mod` of the later version.
#[derive(Clone, Debug)]
pub struct StartModule {
    /// The module.
    pub module: Atom,
    /// The argument of its `start/2`.
    pub args: Term,
    /// Whether it exports `version_change/2` in the later version.
    pub version_change: bool,
}

/// One module.
#[derive(Clone, Debug)]
pub struct ModuleFacts {
    /// Its name.
    pub name: Atom,
    /// In which versions it is, and whether it differs.
    pub state: ModuleState,
}

/// In which versions a module is, and whether it differs.
#[derive(Clone, Debug)]
pub enum ModuleState {
    /// Only in the later version.
    Added(Box<NewModule>),
    /// Only in the earlier version.
    Removed,
    /// In both versions, and equal: it is not replaced.
    Unchanged,
    /// In both versions, and to be loaded again.
    Changed(Box<ChangedModule>),
    /// The version that would have to be loaded has no file of it: it is left out.
    Missing,
}

/// A module that is loaded again.
#[derive(Clone, Debug)]
pub struct ChangedModule {
    /// What differs.
    pub change: Change,
    /// The module in the earlier version.
    pub old: Interface,
    /// The module in the later version.
    pub new: NewModule,
}

/// What differs between the two versions of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The code.
    pub code: bool,
    /// These attributes; `vsn` and others that depend only on the build never count.
    pub attributes: Vec<Atom>,
    /// There is no earlier file to compare with.
    pub old_missing: bool,
}

impl Change {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        !self.code && self.attributes.is_empty() && !self.old_missing
    }
}

/// A module of the later version.
#[derive(Clone, Debug, Default)]
pub struct NewModule {
    /// What it exports and calls.
    pub interface: Interface,
    /// Its attributes; `None` if they are stripped.
    pub attributes: Option<Vec<(Atom, Term)>>,
    /// Which of `start_link/2` and `start_link/3` it calls: module and arity.
    pub start_links: Vec<(Atom, u32)>,
    /// It calls `erlang:load_nif/2`.
    pub loads_nif: bool,
    /// It has an `-on_load` function.
    pub on_load: bool,
}

/// What a module exports, and what it uses of the application's other modules. Parts that are equal
/// in both versions are shared.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    /// The functions that it exports, sorted.
    pub exports: Arc<[Function]>,
    /// Its calls; `None` if they are not known, as for code that is only loaded.
    pub calls: Option<Arc<[Call]>>,
    /// The modules whose name it contains as an atom, as indices into [`Facts::modules`].
    pub names: Vec<u32>,
}

impl Interface {
    /// Whether it exports the function.
    pub fn exports(&self, name: &str, arity: u32) -> bool {
        let wanted =
            |function: &Function| (function.name.as_str(), function.arity).cmp(&(name, arity));
        self.exports.binary_search_by(wanted).is_ok()
    }

    /// The functions that this one exports and `other` does not.
    pub fn exports_beyond<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = &'a Function> + 'a {
        let exports: &[_] = if Arc::ptr_eq(&self.exports, &other.exports) {
            &[]
        } else {
            &self.exports
        };
        exports
            .iter()
            .filter(|function| other.exports.binary_search(function).is_err())
    }
}

/// A function of a module that the context determines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Function {
    /// Its name.
    pub name: Atom,
    /// Its arity.
    pub arity: u32,
}

/// A call of another module's function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The module, as an index into [`Facts::modules`].
    pub module: u32,
    /// The function.
    pub function: Function,
}
