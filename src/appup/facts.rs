//! What generation is told: the modules of both versions, compared.

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
    /// The start module of the later version, if it has one.
    pub start: Option<StartModule>,
    /// The modules: those of the later version in the order of its `.app`, then those that only the
    /// earlier one has, in the order of that.
    pub modules: Vec<ModuleFacts>,
}

/// `mod` of the later version.
#[derive(Clone, Debug)]
pub struct StartModule {
    /// The module.
    pub module: Atom,
    /// The argument of its `start/2`.
    pub args: Term,
    /// Whether the later one exports `version_change/2`.
    pub version_change: bool,
}

/// One module.
#[derive(Clone, Debug)]
pub struct ModuleFacts {
    /// Its name.
    pub name: Atom,
    /// Where it is and whether it differs.
    pub state: ModuleState,
}

/// Where a module is and whether it differs.
#[derive(Clone, Debug)]
pub enum ModuleState {
    /// In the later version alone.
    Added(Box<NewModule>),
    /// In the earlier version alone.
    Removed,
    /// The same in both: not touched.
    Unchanged,
    /// In both and to be loaded again.
    Changed(Box<ChangedModule>),
    /// There is no file of it in the version that would have to be loaded: left out.
    Missing,
}

/// A module that is loaded again.
#[derive(Clone, Debug)]
pub struct ChangedModule {
    /// What differs.
    pub change: Change,
    /// The earlier one.
    pub old: Interface,
    /// The later one.
    pub new: NewModule,
}

/// What differs between the two sides of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Its code.
    pub code: bool,
    /// These attributes, `vsn` and others that tell of the build alone never among them.
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
    /// What it offers and what it uses.
    pub interface: Interface,
    /// Its attributes, `None` where they have been stripped.
    pub attributes: Option<Vec<(Atom, Term)>>,
    /// The functions `start_link/2` and `start_link/3` that it calls: module and arity.
    pub start_links: Vec<(Atom, u32)>,
    /// It calls `erlang:load_nif/2`.
    pub loads_nif: bool,
    /// It has an `-on_load` function.
    pub on_load: bool,
}

/// What a module offers to others and what it uses of the application's modules. Both sides of a module
/// share what is the same.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    /// The functions that it exports, sorted.
    pub exports: Arc<[Function]>,
    /// Its calls; `None` where they are not known, as those of code that is only loaded.
    pub calls: Option<Arc<[Call]>>,
    /// The modules whose name it has as an atom, as positions in [`Facts::modules`].
    pub names: Vec<u32>,
}

impl Interface {
    /// Whether it exports the function.
    pub fn exports(&self, name: &str, arity: u32) -> bool {
        let wanted =
            |function: &Function| (function.name.as_str(), function.arity).cmp(&(name, arity));
        self.exports.binary_search_by(wanted).is_ok()
    }

    /// The functions that it exports and another does not.
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

/// A function of a module that the context names.
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
    /// The module, as a position in [`Facts::modules`].
    pub module: u32,
    /// The function.
    pub function: Function,
}
