//! A finding: what a person should know before an upgrade, and what to do about it.
//!
//! What the engine finds in files and what a node finds in its processes have the same shape, so that a
//! plan is one list: [`Finding::parse`] reads those of a node.

use super::verdict::Verdict;
use crate::term::{Term, print};
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it before.
    Warning,
    /// Something breaks, in the upgrade or after it.
    Error,
}

impl Severity {
    /// What a finding of this severity means, unless it says otherwise.
    fn verdict(self) -> Verdict {
        match self {
            Self::Info => Verdict::Hot,
            Self::Warning => Verdict::HotWithWarnings,
            Self::Error => Verdict::WouldFail,
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        [Self::Info, Self::Warning, Self::Error]
            .into_iter()
            .find(|severity| severity.to_string() == name)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What a person should know before an upgrade, and what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What kind it is: a stable name.
    pub kind: Cow<'static, str>,
    /// How much it matters.
    pub severity: Severity,
    /// What the upgrade comes to because of it.
    pub verdict: Verdict,
    /// The module, application, process or file that it is about.
    pub subject: String,
    /// What and where, in one sentence.
    pub text: String,
    /// What to do.
    pub advice: String,
    /// The same for machines, by kind.
    pub details: Map<String, Value>,
}

impl Finding {
    /// A finding of this kind and severity.
    pub fn new(kind: &'static str, severity: Severity, subject: impl fmt::Display) -> Self {
        Self {
            kind: Cow::Borrowed(kind),
            severity,
            verdict: severity.verdict(),
            subject: subject.to_string(),
            text: String::new(),
            advice: String::new(),
            details: Map::new(),
        }
    }

    /// Good to know.
    pub fn info(kind: &'static str, subject: impl fmt::Display) -> Self {
        Self::new(kind, Severity::Info, subject)
    }

    /// To look at before.
    pub fn warning(kind: &'static str, subject: impl fmt::Display) -> Self {
        Self::new(kind, Severity::Warning, subject)
    }

    /// What breaks.
    pub fn error(kind: &'static str, subject: impl fmt::Display) -> Self {
        Self::new(kind, Severity::Error, subject)
    }

    /// What and where, in one sentence without a period.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// What to do, without a period.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// What the upgrade comes to because of it.
    #[must_use]
    pub fn means(mut self, verdict: Verdict) -> Self {
        self.verdict = verdict;
        self
    }

    /// A detail for machines.
    #[must_use]
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// Text and advice in a line.
    pub fn sentence(&self) -> String {
        let [text, advice] = [&self.text, &self.advice].map(|text| text.trim_end_matches('.'));
        match advice {
            "" => text.to_owned(),
            advice => format!("{text}: {advice}"),
        }
    }

    /// The finding in a node's answer: `#{kind, severity, subject, text, advice, details}`, and `verdict`
    /// where it is not what the severity says. `None` where it is none.
    pub fn parse(term: &Term) -> Option<Self> {
        let text = |key| {
            let value = term.get(key)?;
            let atom = value.as_atom().map(|atom| Cow::Borrowed(atom.as_str()));
            atom.or_else(|| value.as_text()).map(Cow::into_owned)
        };
        let severity = Severity::of_name(&text("severity")?)?;
        let verdict = text("verdict").and_then(|name| Verdict::of_name(&name));
        Some(Self {
            kind: Cow::Owned(text("kind")?),
            severity,
            verdict: verdict.unwrap_or(severity.verdict()),
            subject: text("subject")?,
            text: text("text")?,
            advice: text("advice").unwrap_or_default(),
            details: details(term.get("details")),
        })
    }
}

fn details(term: Option<&Term>) -> Map<String, Value> {
    let Some(Term::Map(pairs)) = term else {
        return Map::new();
    };
    let pair = |(key, value): &(Term, Term)| {
        let key = key
            .as_atom()
            .map_or_else(|| key.to_string(), |atom| atom.to_string());
        (key, json(value))
    };
    pairs.iter().map(pair).collect()
}

/// A term of a node as JSON: numbers, text and lists as such, anything else as Erlang prints it.
fn json(term: &Term) -> Value {
    match term {
        Term::Integer(number) => Value::from(*number),
        Term::Atom(atom) => atom
            .as_str()
            .parse()
            .map_or_else(|_| Value::from(atom.as_str()), Value::Bool),
        Term::Binary(bytes) => Value::from(String::from_utf8_lossy(bytes)),
        Term::List(elements) => elements.iter().map(json).collect(),
        Term::Map(_) => Value::Object(details(Some(term))),
        term => Value::from(print::compact(term)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::text;

    fn parse(source: &str) -> Option<Finding> {
        Finding::parse(&text::parse(source).unwrap())
    }

    #[test]
    fn a_finding_of_a_node_is_read() {
        let finding = parse(
            "#{kind => lingering, severity => warning, subject => <<\"foo\">>, text => <<\"t\">>, \
             advice => <<\"a\">>, details => #{pids => [<<\"<0.1.0>\">>], count => 1, on => true}}",
        )
        .unwrap();
        assert_eq!(finding.kind, "lingering");
        assert_eq!(finding.verdict, Verdict::HotWithWarnings);
        assert_eq!(finding.details["pids"][0], "<0.1.0>");
        assert_eq!(finding.details["count"], 1);
        assert_eq!(finding.details["on"], true);
    }

    #[test]
    fn a_verdict_of_its_own_counts_and_what_is_no_finding_is_none() {
        let of = "severity => error, kind => k, subject => <<>>, text => <<>>";
        let finding = parse(&format!("#{{{of}, verdict => restart_application}}")).unwrap();
        assert_eq!(finding.verdict, Verdict::RestartApplication);
        assert_eq!(
            parse(&format!("#{{{of}}}")).unwrap().verdict,
            Verdict::WouldFail
        );
        assert_eq!(parse("#{kind => k}"), None);
        assert_eq!(parse("[]"), None);
    }
}
