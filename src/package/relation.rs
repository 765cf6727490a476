//! What one package says about another: `erlang-base (>= 1:25)`.

use std::fmt;

/// A package and, if need be, which of its versions; or one of several such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Any of these will do; the first is the one to install.
    pub alternatives: Vec<Target>,
}

/// One package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The package.
    pub package: String,
    /// How its version compares, and with which.
    pub version: Option<(Comparison, String)>,
}

/// How a version compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<<`
    Earlier,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `>=`
    AtLeast,
    /// `>>`
    Later,
}

/// The fields of a package that hold relations, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelationKind {
    /// Must be configured before this one is unpacked.
    PreDepends,
    /// Must be configured before this one is.
    Depends,
    /// Is installed with it by default.
    Recommends,
    /// Makes it more useful.
    Suggests,
    /// Must not be there.
    Conflicts,
    /// Must be deconfigured before.
    Breaks,
    /// Its files may be overwritten.
    Replaces,
    /// Is there when this one is.
    Provides,
}

impl RelationKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::PreDepends,
        Self::Depends,
        Self::Recommends,
        Self::Suggests,
        Self::Conflicts,
        Self::Breaks,
        Self::Replaces,
        Self::Provides,
    ];

    /// The field's name in a control file.
    pub fn field(self) -> &'static str {
        match self {
            Self::PreDepends => "Pre-Depends",
            Self::Depends => "Depends",
            Self::Recommends => "Recommends",
            Self::Suggests => "Suggests",
            Self::Conflicts => "Conflicts",
            Self::Breaks => "Breaks",
            Self::Replaces => "Replaces",
            Self::Provides => "Provides",
        }
    }
}

impl Relation {
    /// Any version of `package`.
    pub fn any(package: impl Into<String>) -> Self {
        Self::one(package, None)
    }

    /// `package` in this version or a later one.
    pub fn at_least(package: impl Into<String>, version: impl Into<String>) -> Self {
        Self::one(package, Some((Comparison::AtLeast, version.into())))
    }

    /// `package` in an earlier version.
    pub fn earlier(package: impl Into<String>, version: impl Into<String>) -> Self {
        Self::one(package, Some((Comparison::Earlier, version.into())))
    }

    /// `package` in this version.
    pub fn equal(package: impl Into<String>, version: impl Into<String>) -> Self {
        Self::one(package, Some((Comparison::Equal, version.into())))
    }

    fn one(package: impl Into<String>, version: Option<(Comparison, String)>) -> Self {
        let package = package.into();
        Self {
            alternatives: vec![Target { package, version }],
        }
    }

    /// The relation in a text as control files have it: `a (>= 1.0) | b`.
    pub fn parse(text: &str) -> Option<Self> {
        let alternatives = text.split('|').map(Target::parse);
        Some(Self {
            alternatives: alternatives.collect::<Option<_>>()?,
        })
    }
}

impl Target {
    fn parse(text: &str) -> Option<Self> {
        let (package, version) = match text.split_once('(') {
            None => (text.trim(), None),
            Some((package, rest)) => {
                let inside = rest.trim_end().strip_suffix(')')?;
                (package.trim(), Some(Comparison::split(inside.trim())?))
            }
        };
        let sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-' | '_' | ':');
        let sound =
            package.starts_with(|c: char| c.is_ascii_alphanumeric()) && package.chars().all(sign);
        sound.then(|| Self {
            package: package.to_owned(),
            version,
        })
    }
}

impl Comparison {
    const ALL: [Self; 5] = [
        Self::Earlier,
        Self::AtMost,
        Self::AtLeast,
        Self::Later,
        Self::Equal,
    ];

    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Earlier => "<<",
            Self::AtMost => "<=",
            Self::Equal => "=",
            Self::AtLeast => ">=",
            Self::Later => ">>",
        }
    }

    fn split(text: &str) -> Option<(Self, String)> {
        let mut signs = Self::ALL.iter();
        let (comparison, version) =
            signs.find_map(|c| Some((*c, text.strip_prefix(c.sign())?.trim())))?;
        let sign = |c: char| {
            c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '~' | ':' | '^' | '-' | '_')
        };
        let sound = !version.is_empty() && version.chars().all(sign);
        sound.then(|| (comparison, version.to_owned()))
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, target) in self.alternatives.iter().enumerate() {
            let between = if number == 0 { "" } else { " | " };
            write!(f, "{between}{target}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        match &self.version {
            None => Ok(()),
            Some((comparison, version)) => write!(f, " ({} {version})", comparison.sign()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_read_back_as_they_are_written() {
        for text in [
            "a",
            "erlang-base (>= 1:25)",
            "a (<< 1~rc1) | b (= 2-1)",
            "libc6:any (<= 2.36)",
            "a (>> 1)",
        ] {
            assert_eq!(
                Relation::parse(text).map(|r| r.to_string()).as_deref(),
                Some(text)
            );
        }
        let spaced = Relation::parse(" a(>=1)|b ").map(|relation| relation.to_string());
        assert_eq!(spaced.as_deref(), Some("a (>= 1) | b"));
    }

    #[test]
    fn what_is_no_relation_is_refused() {
        for text in [
            "",
            "a b",
            "a (1)",
            "a (>= )",
            "a (>= 1",
            "a, b",
            "a\nX: y",
            "-a",
            "a |",
            "a (>= 1\n)x",
        ] {
            assert_eq!(Relation::parse(text), None, "{text:?}");
        }
    }
}
