//! Names of snapshots. They are names of directories: what they may hold is few.

use crate::record::Time;
use serde::{Deserialize, Serialize};
use std::fmt;

/// So long may one be.
const LONGEST: usize = 64;
/// The directory beside the snapshots.
pub const POOL: &str = "pool";

/// The name of a snapshot: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`, and not `pool`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Tag(String);

/// Why a text is no name of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Nothing.
    #[error("a tag has one character at least")]
    Empty,
    /// Too much.
    #[error("a tag has at most {LONGEST} characters")]
    Long,
    /// Other characters.
    #[error(
        "a tag begins with a letter or digit and holds letters, digits, '.', '_' and '-' alone (ASCII)"
    )]
    Characters,
    /// The name of what is beside the snapshots.
    #[error("'{POOL}' is the directory of package files, take another tag")]
    Pool,
}

impl Tag {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match text.as_bytes() {
            [] => Err(TagError::Empty),
            [first, rest @ ..]
                if !(first.is_ascii_alphanumeric() && rest.iter().all(|byte| is_inner(*byte))) =>
            {
                Err(TagError::Characters)
            }
            bytes if bytes.len() > LONGEST => Err(TagError::Long),
            _ if text == POOL => Err(TagError::Pool),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The tag of a snapshot that nobody named: `PREFIX20260131T120000Z`, the time in UTC; with `.2` and so on behind
    /// it where that is taken.
    pub fn of_time(prefix: &str, time: Time, is_taken: impl Fn(&Self) -> bool) -> Self {
        let time = time.to_string();
        let second = time.split('.').next().unwrap_or_default();
        let plain: String = second.chars().filter(|c| !"-:".contains(*c)).collect();
        let first = Self(format!("{prefix}{plain}Z"));
        let later = (2..u32::MAX).map(|number| Self(format!("{first}.{number}")));
        let mut all = std::iter::once(first.clone()).chain(later);
        all.find(|tag| !is_taken(tag)).unwrap_or(first)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Tag {
    type Error = TagError;

    fn try_from(text: String) -> Result<Self, TagError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_directories_and_nothing_else_are_tags() {
        for text in [
            "a",
            "0",
            "before-deploy",
            "v1.2_3",
            "pool2",
            "Pool",
            &"x".repeat(64),
        ] {
            assert_eq!(
                Tag::parse(text).map(|tag| tag.to_string()),
                Ok(text.to_owned())
            );
        }
        let wrong = [
            ("", TagError::Empty),
            (".", TagError::Characters),
            ("..", TagError::Characters),
            (".hidden", TagError::Characters),
            ("-n", TagError::Characters),
            ("_a", TagError::Characters),
            ("a/b", TagError::Characters),
            ("../etc", TagError::Characters),
            ("a b", TagError::Characters),
            ("a\n", TagError::Characters),
            ("a\0", TagError::Characters),
            ("é", TagError::Characters),
            ("a\u{202e}", TagError::Characters),
            ("pool", TagError::Pool),
            (&"x".repeat(65), TagError::Long),
        ];
        for (text, error) in wrong {
            assert_eq!(Tag::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_time_names_what_nobody_named() {
        let time = Time::parse("2026-01-31T12:00:07.999").expect("a time");
        let tag = |prefix: &str, taken: &[&str]| {
            let tag = Tag::of_time(prefix, time, |tag| taken.contains(&tag.as_str()));
            assert_eq!(Tag::parse(tag.as_str()), Ok(tag.clone()));
            tag.to_string()
        };
        assert_eq!(tag("", &[]), "20260131T120007Z");
        assert_eq!(
            tag("before-", &["20260131T120007Z"]),
            "before-20260131T120007Z"
        );
        assert_eq!(
            tag("", &["20260131T120007Z", "20260131T120007Z.2"]),
            "20260131T120007Z.3"
        );
    }

    proptest! {
        #[test]
        fn a_tag_is_one_name_of_a_directory(text in ".{0,80}") {
            if let Ok(tag) = Tag::parse(&text) {
                let path = std::path::Path::new(tag.as_str());
                prop_assert!(path.components().count() == 1 && path.file_name().is_some());
            }
        }
    }
}
