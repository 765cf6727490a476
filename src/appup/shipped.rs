//! The appup that an application ships.
//!
//! A shipped appup is used or refused, never replaced: its author knows more than a generator. It
//! is read as OTP's tools read it (`systools_relup`): of several terms the first counts, and an
//! appup that names another version than the `.app` file is used, with a warning.

use pcre2::bytes::RegexBuilder;

use super::after_commit::long_form;
use super::check;
use super::instruction::Direction;
use super::warning::Warning;
use crate::term::Term;

/// A shipped appup, `{Vsn, [{From, Instructions}], [{To, Instructions}]}`.
#[derive(Clone, Debug)]
pub struct Shipped {
    /// Warnings about it.
    pub warnings: Vec<Warning>,
    up: Vec<(Version, Vec<Term>)>,
    down: Vec<(Version, Vec<Term>)>,
}

/// The other version of a script.
#[derive(Clone, Debug)]
enum Version {
    /// Exactly this version.
    Exact(String),
    /// All versions that a regular expression matches as a whole.
    Pattern(Vec<u8>),
}

/// Errors of a shipped appup.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ShippedError {
    /// The file holds no term.
    #[error("holds no term")]
    Empty,
    /// The term is not `{Vsn, [{From, Instructions}], [{To, Instructions}]}`.
    #[error("not of the form {{Vsn, UpFrom, DownTo}}")]
    NotAnAppup,
    /// An entry is not a version and a list of instructions.
    #[error("the script {script} is not of the form {{Vsn, Instructions}}")]
    BadScript {
        /// The entry.
        script: Term,
    },
    /// An instruction is not one of appup(5) or relup(5).
    #[error("{instruction} is no instruction")]
    BadInstruction {
        /// The instruction.
        instruction: Term,
    },
    /// A regular expression is not valid.
    #[error("{pattern} is no regular expression")]
    BadPattern {
        /// The regular expression.
        pattern: Term,
    },
}

impl ShippedError {
    /// The reason as a term, without the file.
    pub fn reason(&self) -> Term {
        let tagged = |tag, value: Term| Term::tuple([Term::atom(tag), value]);
        match self {
            Self::Empty => tagged("term_count", Term::Integer(0)),
            Self::NotAnAppup => Term::atom("not_an_appup"),
            Self::BadScript { script } => tagged("bad_script", script.clone()),
            Self::BadInstruction { instruction } => tagged("bad_instruction", instruction.clone()),
            Self::BadPattern { pattern } => tagged("bad_pattern", pattern.clone()),
        }
    }
}

impl Shipped {
    /// Parses the terms of an appup file of version `vsn`.
    pub fn from_terms(terms: Vec<Term>, vsn: &str) -> Result<Self, ShippedError> {
        let count = terms.len();
        let mut warnings = Vec::new();
        warnings.extend((count > 1).then_some(Warning::AppupTerms { count }));
        let Term::Tuple(fields) = terms.into_iter().next().ok_or(ShippedError::Empty)? else {
            return Err(ShippedError::NotAnAppup);
        };
        let [found, up, down] =
            <[Term; 3]>::try_from(fields).map_err(|_| ShippedError::NotAnAppup)?;
        let found = found.as_string().ok_or(ShippedError::NotAnAppup)?;
        warnings.extend((found != vsn).then(|| Warning::AppupVsn {
            vsn: vsn.to_owned(),
            found: found.into_owned(),
        }));
        Ok(Self {
            warnings,
            up: scripts(up)?,
            down: scripts(down)?,
        })
    }

    /// The instructions from (up) or to (down) the version `other`, if there are any: those of the
    /// first entry that names or matches it. They have been checked.
    pub fn script(
        &self,
        direction: Direction,
        other: &str,
    ) -> Result<Option<&[Term]>, ShippedError> {
        let scripts = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        for (version, instructions) in scripts {
            if !version.covers(other)? {
                continue;
            }
            if let Some(bad) = instructions
                .iter()
                .find(|instruction| !check::is_instruction(instruction))
            {
                return Err(ShippedError::BadInstruction {
                    instruction: bad.clone(),
                });
            }
            return Ok(Some(instructions));
        }
        Ok(None)
    }
}

fn scripts(term: Term) -> Result<Vec<(Version, Vec<Term>)>, ShippedError> {
    let scripts = term.into_elements().map_err(|_| ShippedError::NotAnAppup)?;
    scripts.into_iter().map(script).collect()
}

fn script(script: Term) -> Result<(Version, Vec<Term>), ShippedError> {
    let parts = script.as_pair().and_then(|(version, instructions)| {
        let version = match version {
            Term::Binary(pattern) => Version::Pattern(pattern.clone()),
            version => Version::Exact(version.as_string()?.into_owned()),
        };
        let instructions = instructions.elements()?.into_owned();
        let instructions = instructions.into_iter().map(long_form).collect();
        Some((version, instructions))
    });
    parts.ok_or(ShippedError::BadScript { script })
}

/// The limit on the steps of a match. OTP gives up too, later, and also takes that for no match.
const LIMITS: &str = "(*LIMIT_MATCH=1000000)(*LIMIT_DEPTH=10000)(*LIMIT_HEAP=16384)";

impl Version {
    // As systools_relup:appup_search_for_version/2: the first match must cover the whole version.
    fn covers(&self, vsn: &str) -> Result<bool, ShippedError> {
        let pattern = match self {
            Self::Exact(version) => return Ok(version == vsn),
            Self::Pattern(pattern) => pattern,
        };
        let bad = || ShippedError::BadPattern {
            pattern: Term::Binary(pattern.clone()),
        };
        let text = std::str::from_utf8(pattern).map_err(|_| bad())?;
        let regex = RegexBuilder::new()
            .utf(true)
            .build(&format!("{LIMITS}{text}"));
        let regex = regex.map_err(|_| bad())?;
        let found = regex.find(vsn.as_bytes()).unwrap_or_default();
        Ok(found.is_some_and(|found| found.as_bytes() == vsn.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Limits, text};

    fn shipped(source: &str) -> Result<Shipped, ShippedError> {
        let terms = text::parse_all(source.as_bytes(), &Limits::default()).unwrap();
        Shipped::from_terms(terms, "2.0")
    }

    fn script(appup: &str, other: &str) -> Result<Option<String>, String> {
        let found = shipped(appup).and_then(|appup| {
            Ok(appup
                .script(Direction::Up, other)?
                .map(|script| Term::list(script.to_vec()).to_string()))
        });
        found.map_err(|error| error.reason().to_string())
    }

    #[track_caller]
    fn covers(pattern: &str, other: &str, expected: bool) {
        let appup = format!("{{\"2.0\",[{{{pattern},[restart_new_emulator]}}],[]}}.");
        assert_eq!(script(&appup, other).unwrap().is_some(), expected);
    }

    #[test]
    fn a_string_is_that_version_alone() {
        covers("\"1.0\"", "1.0", true);
        covers("\"1.0\"", "1.0.1", false);
        covers("\"1..\"", "1.0", false);
    }

    #[test]
    fn a_binary_is_a_regular_expression_that_matches_the_whole() {
        covers("<<\"1\\\\.[0-9]+\">>", "1.25", true);
        covers("<<\"1\\\\.[0-9]+\">>", "1.25.1", false);
        covers("<<\"^1\\\\.0(?:\\\\.\\\\d+)?$\">>", "1.0.7", true);
        // The first match counts: like OTP, this does not try for a longer one.
        covers("<<\"1\\\\.0|1\\\\.0\\\\.1\">>", "1.0.1", false);
        covers("<<\".*\">>", "", true);
    }

    #[test]
    fn the_first_entry_that_covers_the_version_counts() {
        let appup = "{\"2.0\",[{<<\"1.*\">>,[{load_module,a}]},{\"1.0\",[{load_module,b}]}],[]}.";
        assert_eq!(script(appup, "1.0").unwrap().unwrap(), "[{load_module,a}]");
        assert_eq!(script(appup, "0.9"), Ok(None));
    }

    #[test]
    fn a_pattern_that_takes_for_ever_does_not_match() {
        let appup = "{\"2.0\",[{<<\"(a+)+$\">>,[]}],[]}.";
        assert_eq!(script(appup, &format!("{}b", "a".repeat(200))), Ok(None));
    }

    #[test]
    fn of_several_terms_the_first_counts() {
        let appup = "{\"2.0\",[{\"1.0\",[{load_module,a}]}],[]}. {\"2.0\",[{\"1.0\",[]}],[]}. x.";
        assert_eq!(script(appup, "1.0").unwrap().unwrap(), "[{load_module,a}]");
        let warnings = shipped(appup).unwrap().warnings;
        assert_eq!(warnings, [Warning::AppupTerms { count: 3 }]);
    }

    #[test]
    fn calls_after_the_commit_are_read_in_their_short_form() {
        let appup = |call| format!("{{\"2.0\",[{{\"1.0\",[{{apply_after_commit,{call}}}]}}],[]}}.");
        assert_eq!(
            script(&appup("{m,f,[]}"), "1.0").unwrap().unwrap(),
            "[{apply,{erlrcdynamic,apply_after_commit,[m,f,[]]}}]"
        );
        assert_eq!(
            script(&appup("{m,f}"), "1.0").unwrap_err(),
            "{bad_instruction,{apply_after_commit,{m,f}}}"
        );
    }

    #[test]
    fn one_for_another_version_is_used_with_a_warning() {
        let appup = "{\"2.1\",[{\"1.0\",[{load_module,a}]}],[]}.";
        assert_eq!(script(appup, "1.0").unwrap().unwrap(), "[{load_module,a}]");
        let (vsn, found) = ("2.0".to_owned(), "2.1".to_owned());
        let warnings = shipped(appup).unwrap().warnings;
        assert_eq!(warnings, [Warning::AppupVsn { vsn, found }]);
        assert_eq!(shipped("{\"2.0\",[],[]}.").unwrap().warnings, []);
    }

    #[test]
    fn what_is_broken_is_an_error() {
        let error = |appup: &str| script(appup, "1.0").unwrap_err();
        assert_eq!(error(""), "{term_count,0}");
        assert_eq!(error("{\"2.0\",[]}."), "not_an_appup");
        assert_eq!(error("x. {\"2.0\",[],[]}."), "not_an_appup");
        assert_eq!(
            error("{\"2.0\",[{\"1.0\",[{load,a}]}],[]}."),
            "{bad_instruction,{load,a}}"
        );
        assert_eq!(
            error("{\"2.0\",[{\"1.0\",a}],[]}."),
            "{bad_script,{\"1.0\",a}}"
        );
        assert_eq!(
            error("{\"2.0\",[{<<\"(\">>,[]}],[]}."),
            "{bad_pattern,<<\"(\">>}"
        );
    }
}
