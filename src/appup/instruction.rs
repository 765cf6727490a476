//! High-level instructions, as appup(5) describes them, of the kinds that generation makes.

use super::after_commit;
use crate::term::{Atom, Term};

/// The direction of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the earlier to the later version.
    Up,
    /// From the later to the earlier version.
    Down,
}

impl Direction {
    /// `up` or `down`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What happens to processes that run old code: see `soft_purge` and `brutal_purge` in appup(5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purge {
    /// They keep running.
    Soft,
    /// They are killed.
    #[default]
    Brutal,
}

impl Purge {
    fn term(self) -> Term {
        match self {
            Self::Soft => Term::atom("soft_purge"),
            Self::Brutal => Term::atom("brutal_purge"),
        }
    }
}

/// How long a process may take to be suspended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// The default of `sys`: five seconds.
    Default,
    /// As long as it takes.
    Infinity,
    /// This many milliseconds.
    Milliseconds(u64),
}

impl Timeout {
    fn term(&self) -> Term {
        match self {
            Self::Default => Term::atom("default"),
            Self::Infinity => Term::atom("infinity"),
            Self::Milliseconds(n) => {
                i64::try_from(*n).map_or_else(|_| Term::atom("infinity"), Term::Integer)
            }
        }
    }
}

/// A call of a function.
#[derive(Clone, Debug)]
pub struct Mfa {
    /// Its module.
    pub module: Atom,
    /// Its name.
    pub function: Atom,
    /// Its arguments.
    pub args: Vec<Term>,
}

impl Mfa {
    /// `{Module, Function, Args}`.
    pub fn term(&self) -> Term {
        Term::Tuple(self.fields())
    }

    fn fields(&self) -> Vec<Term> {
        let (module, function) = (self.module.clone(), self.function.clone());
        vec![
            Term::Atom(module),
            Term::Atom(function),
            Term::List(self.args.clone()),
        ]
    }
}

/// A high-level instruction.
#[derive(Clone, Debug)]
pub enum Instruction {
    /// Loads a module that is not in the version before.
    AddModule(Atom),
    /// Deletes a module that is not in the version after.
    DeleteModule(Atom),
    /// Loads a module without suspending its processes.
    LoadModule {
        /// The module.
        module: Atom,
        /// What happens to old code before and after loading.
        purge: (Purge, Purge),
        /// Modules that are replaced together with it.
        depends: Vec<Atom>,
    },
    /// Loads a module and calls `code_change` in its processes.
    Update {
        /// The module.
        module: Atom,
        /// Whether it is a supervisor, whose processes change after loading in both directions.
        supervisor: bool,
        /// How long its processes may take to be suspended.
        timeout: Timeout,
        /// The last argument of `code_change`.
        extra: Term,
        /// What happens to old code before and after loading.
        purge: (Purge, Purge),
        /// Modules that are replaced together with it.
        depends: Vec<Atom>,
    },
    /// Calls a function.
    Apply(Mfa),
    /// Calls a function when every node has committed.
    AfterCommit(Mfa),
}

impl Instruction {
    /// The shortest form of the instruction.
    pub fn term(&self) -> Term {
        match self {
            Self::AddModule(module) => {
                Term::tuple([Term::atom("add_module"), Term::Atom(module.clone())])
            }
            Self::DeleteModule(module) => {
                Term::tuple([Term::atom("delete_module"), Term::Atom(module.clone())])
            }
            Self::LoadModule {
                module,
                purge,
                depends,
            } => load_module(module, *purge, depends),
            Self::Update { .. } => self.update(),
            Self::Apply(mfa) => Term::tuple([Term::atom("apply"), mfa.term()]),
            Self::AfterCommit(mfa) => after_commit::instruction(mfa.fields()),
        }
    }

    fn update(&self) -> Term {
        let Self::Update {
            module,
            supervisor,
            timeout,
            extra,
            purge,
            depends,
        } = self
        else {
            return self.term();
        };
        let mut fields = vec![Term::atom("update"), Term::Atom(module.clone())];
        let usual = *purge == Default::default();
        let change = Term::tuple([Term::atom("advanced"), extra.clone()]);
        let purge = [purge.0.term(), purge.1.term()];
        match (supervisor, timeout, usual) {
            (true, Timeout::Default, true) if depends.is_empty() => {
                fields.push(Term::atom("supervisor"))
            }
            (false, Timeout::Default, true) if depends.is_empty() => fields.push(change),
            (false, Timeout::Default, true) => fields.extend([change, modules(depends)]),
            (false, Timeout::Default, false) => {
                fields.push(change);
                fields.extend(purge);
                fields.push(modules(depends));
            }
            (supervisor, timeout, _) => {
                fields.extend(supervisor.then(|| Term::atom("static")));
                fields.extend([timeout.term(), change]);
                fields.extend(purge);
                fields.push(modules(depends));
            }
        }
        Term::Tuple(fields)
    }
}

fn load_module(module: &Atom, purge: (Purge, Purge), depends: &[Atom]) -> Term {
    let mut fields = vec![Term::atom("load_module"), Term::Atom(module.clone())];
    if purge != Default::default() {
        fields.extend([purge.0.term(), purge.1.term(), modules(depends)]);
    } else if !depends.is_empty() {
        fields.push(modules(depends));
    }
    Term::Tuple(fields)
}

fn modules(names: &[Atom]) -> Term {
    Term::List(names.iter().cloned().map(Term::Atom).collect())
}
