//! Determines what a module is. The generator, the checks of a plan and (through the engine) the
//! node all use this one answer.

use super::facts::{Function, NewModule};
use super::reason::Reason;
use crate::term::{Atom, Term};

/// The kind of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleKind {
    /// The callback module of a supervisor, with the reason why it counts as one.
    Supervisor(Reason),
    /// The callback module of a `gen_server`.
    Server,
    /// The callback module of a `gen_statem` or `gen_fsm`.
    StateMachine,
    /// The callback module of a `gen_event`.
    EventHandler,
    /// A special process: it answers system messages itself.
    Special,
    /// A module with a behaviour of the application's own, which may be based on one of those
    /// above.
    Custom,
    /// No process keeps a state for it.
    Plain,
}

/// The signs that the kind is determined from.
pub struct Signs<'a> {
    /// The module.
    pub module: &'a Atom,
    /// Its behaviours; `None` if its attributes are stripped.
    pub behaviours: Option<Vec<Atom>>,
    /// Whether it exports a function.
    pub exports: &'a dyn Fn(&str, u32) -> bool,
    /// Which of `start_link/2` and `start_link/3` it calls; `None` if its calls are not known, as
    /// for code that is only loaded.
    pub start_links: Option<&'a [(Atom, u32)]>,
}

/// The behaviours of supervisors.
const SUPERVISORS: [&str; 3] = [
    "supervisor",
    "Elixir.Supervisor",
    "Elixir.DynamicSupervisor",
];

/// Functions that no supervisor exports, but a server that starts supervisors does.
const NOT_OF_SUPERVISORS: [(&str, u32); 5] = [
    ("handle_call", 3),
    ("handle_event", 2),
    ("handle_event", 4),
    ("callback_mode", 0),
    ("system_code_change", 4),
];

/// The functions that convert a state, in the order in which reports name them.
pub const CODE_CHANGES: [(&str, u32); 3] = [
    ("code_change", 3),
    ("code_change", 4),
    ("system_code_change", 4),
];

/// The behaviours of a module with these attributes.
pub fn behaviours(attributes: &[(Atom, Term)]) -> Vec<Atom> {
    let named = attributes
        .iter()
        .filter(|(name, _)| matches!(name.as_str(), "behaviour" | "behavior"));
    named.flat_map(|(_, value)| atoms(value)).collect()
}

fn atoms(list: &Term) -> Vec<Atom> {
    let elements = list.elements().unwrap_or_default();
    let atoms = elements.iter().filter_map(Term::as_atom);
    atoms.cloned().collect()
}

impl ModuleKind {
    /// Determines the kind. `listed` are modules and behaviours that count as supervisors too.
    pub fn of(signs: &Signs<'_>, listed: &[Atom]) -> Self {
        if listed.contains(signs.module) {
            return Self::Supervisor(Reason::Listed);
        }
        let named = signs.behaviours.as_deref().unwrap_or_default();
        if let Some(name) = named.iter().find(|name| is_supervisor(name, listed)) {
            return Self::Supervisor(Reason::Behaviour(name.clone()));
        }
        if let Some(kind) = named.iter().find_map(Self::of_behaviour) {
            return kind;
        }
        if let Some(reason) = signs.supervises(listed) {
            return Self::Supervisor(reason);
        }
        signs.by_exports().unwrap_or_else(|| {
            let bridge = |name: &Atom| *name == *"supervisor_bridge" || *name == *"application";
            match named.iter().all(bridge) {
                true => Self::Plain,
                false => Self::Custom,
            }
        })
    }

    /// The kind of a module of the later version.
    pub fn of_new(module: &Atom, new: &NewModule, listed: &[Atom]) -> Self {
        let calls = new.interface.calls.is_some();
        let signs = Signs {
            module,
            behaviours: new.attributes.as_deref().map(behaviours),
            exports: &|name, arity| new.interface.exports(name, arity),
            start_links: calls.then_some(&new.start_links),
        };
        Self::of(&signs, listed)
    }

    fn of_behaviour(name: &Atom) -> Option<Self> {
        match name.as_str() {
            "gen_server" | "Elixir.GenServer" => Some(Self::Server),
            "gen_statem" | "gen_fsm" => Some(Self::StateMachine),
            "gen_event" => Some(Self::EventHandler),
            _ => None,
        }
    }

    /// Whether it is a supervisor.
    pub fn supervises(&self) -> bool {
        matches!(self, Self::Supervisor(_))
    }

    /// Whether a process may keep a state for it by means of a behaviour.
    pub fn keeps_state(&self) -> bool {
        !matches!(self, Self::Supervisor(_) | Self::Special | Self::Plain)
    }

    /// Its name, as the engine answers it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Supervisor(_) => "supervisor",
            Self::Server => "server",
            Self::StateMachine => "state_machine",
            Self::EventHandler => "event_handler",
            Self::Special => "special",
            Self::Custom => "custom",
            Self::Plain => "plain",
        }
    }
}

fn is_supervisor(name: &Atom, listed: &[Atom]) -> bool {
    SUPERVISORS.contains(&name.as_str()) || listed.contains(name)
}

impl Signs<'_> {
    /// Why it counts as a supervisor although no behaviour says so: its attributes are stripped, or
    /// its calls are not known.
    fn supervises(&self, listed: &[Atom]) -> Option<Reason> {
        let exports = |&(name, arity): &(&str, u32)| (self.exports)(name, arity);
        if !exports(&("init", 1)) || NOT_OF_SUPERVISORS.iter().any(exports) {
            return None;
        }
        match (self.start_links, &self.behaviours) {
            (Some(_), Some(_)) => None,
            (Some(calls), None) => {
                let started = calls.iter().find(|(name, _)| is_supervisor(name, listed));
                started.map(|(module, arity)| {
                    Reason::Calls(module.clone(), function("start_link", *arity))
                })
            }
            (None, _) => Some(Reason::Exports(function("init", 1))),
        }
    }

    fn by_exports(&self) -> Option<ModuleKind> {
        let kinds = [
            ("system_code_change", 4, ModuleKind::Special),
            ("callback_mode", 0, ModuleKind::StateMachine),
            ("handle_call", 3, ModuleKind::Server),
            ("handle_event", 2, ModuleKind::EventHandler),
        ];
        let found = kinds
            .into_iter()
            .find(|(name, arity, _)| (self.exports)(name, *arity));
        found.map(|(_, _, kind)| kind)
    }
}

fn function(name: &'static str, arity: u32) -> Function {
    Function {
        name: Atom::of(name),
        arity,
    }
}

/// What kind of instruction a module needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A supervisor, with the reason why it counts as one.
    Supervisor(Reason),
    /// `code_change` must be called in its processes; the function that it exports.
    Update(Function),
    /// Loading it is enough.
    Plain,
}

/// The kind of instruction that a module of the later version needs.
pub fn kind(module: &Atom, new: &NewModule, listed: &[Atom]) -> Kind {
    if let ModuleKind::Supervisor(reason) = ModuleKind::of_new(module, new, listed) {
        return Kind::Supervisor(reason);
    }
    let exported = CODE_CHANGES
        .iter()
        .find(|(name, arity)| new.interface.exports(name, *arity));
    exported.map_or(Kind::Plain, |&(name, arity)| {
        Kind::Update(function(name, arity))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module: its behaviours (none: stripped), its exports, the modules whose `start_link/3` it calls
    /// (none: not known).
    #[track_caller]
    fn case(
        behaviours: Option<&[&str]>,
        exports: &[(&str, u32)],
        calls: Option<&[&str]>,
        expected: &str,
    ) {
        let atom = |name: &&str| Atom::new(name).unwrap();
        let calls: Option<Vec<_>> =
            calls.map(|calls| calls.iter().map(|name| (atom(name), 3)).collect());
        let signs = Signs {
            module: &Atom::of("m"),
            behaviours: behaviours.map(|names| names.iter().map(atom).collect()),
            exports: &|name, arity| exports.contains(&(name, arity)),
            start_links: calls.as_deref(),
        };
        let kind = ModuleKind::of(&signs, &[Atom::of("pool_sup")]);
        assert_eq!(kind.name(), expected);
    }

    const INIT: &[(&str, u32)] = &[("init", 1)];
    const NOTHING: Option<&[&str]> = Some(&[]);

    #[test]
    fn a_behaviour_tells_a_supervisor_whoever_asks() {
        for name in [
            "supervisor",
            "Elixir.Supervisor",
            "Elixir.DynamicSupervisor",
            "pool_sup",
        ] {
            case(Some(&[name]), INIT, NOTHING, "supervisor");
            case(Some(&[name]), INIT, None, "supervisor");
        }
        case(Some(&["supervisor_bridge"]), INIT, NOTHING, "plain");
    }

    #[test]
    fn without_attributes_the_calls_tell_a_supervisor() {
        case(None, INIT, Some(&["supervisor"]), "supervisor");
        case(None, INIT, Some(&["gen_server"]), "plain");
        let server = &[("init", 1), ("handle_call", 3)];
        case(None, server, Some(&["supervisor"]), "server");
    }

    #[test]
    fn of_loaded_code_without_a_behaviour_the_exports_tell() {
        case(None, INIT, None, "supervisor");
        case(Some(&[]), INIT, None, "supervisor");
        case(Some(&["gen_server"]), INIT, None, "server");
        let machine = &[("init", 1), ("callback_mode", 0)];
        case(Some(&[]), machine, None, "state_machine");
    }

    #[test]
    fn servers_machines_handlers_and_special_processes_are_told_apart() {
        case(Some(&["Elixir.GenServer"]), INIT, NOTHING, "server");
        case(Some(&["gen_statem"]), INIT, NOTHING, "state_machine");
        case(Some(&["gen_event"]), INIT, NOTHING, "event_handler");
        let special = &[("init", 1), ("system_code_change", 4)];
        case(Some(&[]), special, NOTHING, "special");
        case(Some(&["ranch_protocol"]), &[], NOTHING, "custom");
        case(Some(&[]), &[("start", 0)], NOTHING, "plain");
    }
}
