//! How an upgrade or a downgrade is to be carried out.

use crate::migration::Choice;
use crate::script;
use crate::script::opt_in::{Converts, Way};
use crate::term::Term;
use std::fmt;
use std::time::Duration;

/// What the hooks `upgrade` and `downgrade` take beside versions.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The evaluator that runs the script; by default the node's own choice
    #[arg(long, value_enum, value_name = "NAME")]
    pub evaluator: Option<Evaluator>,
    /// Refuse, with status 4, where the transactional evaluator foresees that processes stand still for longer, in milliseconds; 0: where any would stand
    #[arg(long, value_name = "MS")]
    pub max_pause: Option<u32>,
    /// What to do where the plan foresees a failure; by default the setting of the node, else strict
    #[arg(long, value_enum, value_name = "MODE")]
    pub preflight: Option<Mode>,
    /// Go on whatever the plan says: the same as --preflight warn
    #[arg(long, conflicts_with = "preflight")]
    pub force: bool,
    /// Generate the script even where the later version ships an appup
    #[arg(long)]
    pub generate: bool,
    #[command(flatten)]
    /// Whether states are converted.
    pub migration: Migration,
    /// For how long the node is to keep the way back open.
    #[arg(skip)]
    pub hold: Option<Hold>,
    /// How long a person has to confirm, before everything goes back.
    #[arg(skip)]
    pub provisional: Option<Duration>,
    /// The release to which this leads, where it is on trial.
    #[arg(skip)]
    pub release: Option<ReleaseName>,
    /// Whether this takes an upgrade back.
    #[arg(skip)]
    pub way: Way,
}

/// A release of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseName {
    /// The service.
    pub service: String,
    /// The version of the release.
    pub release: String,
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.service, self.release)
    }
}

/// How a node keeps a way back open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// For how long.
    pub time: Duration,
    /// What it does when the time is over.
    pub over: Over,
}

/// What a node does whose way back nobody has settled in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The new version stays.
    Confirm,
    /// It goes back.
    Revert,
}

impl Hold {
    /// A number, as every version understands it; where the node is to go back by itself a pair, which a node refuses that
    /// would stay.
    pub fn term(self) -> Term {
        let time = Term::Integer(milliseconds(self.time));
        match self.over {
            Over::Confirm => time,
            Over::Revert => Term::tuple([time, Term::binary("revert")]),
        }
    }
}

/// Whether states are converted by erlrc.
#[derive(clap::Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Migration {
    /// Convert states that no code_change converts, field by field, as the debug information of both versions has them
    #[arg(long)]
    pub migrate: bool,
    /// With --migrate: drop the values of fields that the other version does not have
    #[arg(long, requires = "migrate")]
    pub allow_loss: bool,
}

impl Migration {
    /// What was chosen; `None` leaves it to others.
    pub fn choice(self) -> Option<Choice> {
        self.migrate.then_some(match self.allow_loss {
            true => Choice::Lossy,
            false => Choice::Fields,
        })
    }
}

/// What a finding means to a hook.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "snake_case")]
pub enum Mode {
    /// Refuse an upgrade that would fail or lose states
    Strict,
    /// Warn and go on
    Warn,
    /// Make no plan
    Off,
}

impl Mode {
    fn term(self) -> Term {
        Term::binary(match self {
            Self::Strict => "strict",
            Self::Warn => "warn",
            Self::Off => "off",
        })
    }

    /// The mode that a node's environment names.
    pub fn of_term(term: &Term) -> Option<Self> {
        match term.as_atom()?.as_str() {
            "strict" => Some(Self::Strict),
            "warn" => Some(Self::Warn),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// The evaluators of a node.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "snake_case")]
pub enum Evaluator {
    /// All at once or not at all
    Transactional,
    /// OTP's own
    ReleaseHandler,
}

impl Options {
    /// The key `options` of a request, where there is something to say.
    pub fn term(&self) -> Option<Term> {
        let evaluator = self.evaluator.map(|evaluator| match evaluator {
            Evaluator::Transactional => Term::atom("transactional"),
            Evaluator::ReleaseHandler => Term::atom("release_handler"),
        });
        let max_pause = self.max_pause.map(|pause| Term::Integer(pause.into()));
        let hold = self.hold.map(Hold::term);
        let release = self.release.as_ref();
        let release = release.map(|release| Term::binary(release.to_string()));
        let appup = self.generate.then(|| Term::atom("generated"));
        let pairs = [
            ("evaluator", evaluator),
            ("appup", appup),
            ("max_pause", max_pause),
            ("hold", hold),
            ("release", release),
            ("migrate", self.migration.choice().map(migrate)),
            (
                "way_back",
                (self.way == Way::Back).then(|| Term::atom("true")),
            ),
            ("preflight", self.mode().map(Mode::term)),
        ];
        let pairs: Vec<(Term, Term)> = pairs
            .into_iter()
            .filter_map(|(key, value)| Some((Term::atom(key), value?)))
            .collect();
        (!pairs.is_empty()).then(|| Term::map(pairs))
    }

    /// What is chosen of a script: `of_node` is what the node says, and what is said here counts before that.
    pub fn of_script(&self, of_node: script::Options) -> script::Options {
        let mut scripts = of_node;
        scripts.migrate.asked = self.migration.choice();
        scripts.migrate.way = self.way;
        match self.evaluator {
            Some(Evaluator::Transactional) => scripts.migrate.evaluator = Converts::States,
            Some(Evaluator::ReleaseHandler) => scripts.migrate.evaluator = Converts::Nothing,
            None => {}
        }
        if self.generate {
            scripts.appup = script::Appup::Generated;
        }
        scripts
    }

    /// What a finding means, where that is said: `--force` is a word for one of the modes.
    pub fn mode(&self) -> Option<Mode> {
        self.force.then_some(Mode::Warn).or(self.preflight)
    }

    /// The options of the way back: how long it takes does not matter any more.
    pub fn of_reverse(&self) -> Self {
        Self {
            evaluator: self.evaluator,
            generate: self.generate,
            // Nothing may keep a node from going back.
            preflight: Some(Mode::Off),
            // What came by the migration goes with it.
            migration: Migration {
                allow_loss: self.migration.migrate,
                ..self.migration
            },
            way: Way::Back,
            ..Self::default()
        }
    }
}

fn migrate(choice: Choice) -> Term {
    Term::binary(choice.name())
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
