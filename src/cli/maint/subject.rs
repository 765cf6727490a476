//! The applications that a maintainer script names.

use crate::cli::arguments::{application, vsn};
use crate::cli::{Failure, Status};
use crate::maint::{Minimum, Version};
use crate::maintainer::Subject;
use crate::release;
use std::path::PathBuf;

/// Reads `APP=VSN=DIR`.
pub fn parse(text: &str) -> Result<Subject, Failure> {
    let wrong = |why: &str| Failure::new(Status::Usage, format!("--app {text}: {why}"));
    let mut parts = text.splitn(3, '=');
    let (Some(name), Some(version), Some(dir)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong("not of the form APP=VSN=DIR"));
    };
    let dir = PathBuf::from(dir);
    if !dir.is_absolute() {
        return Err(wrong("the directory is not absolute"));
    }
    Ok(Subject {
        application: application(name).map_err(|why| wrong(&why))?,
        version: Version {
            vsn: vsn(version).map_err(|why| wrong(&why))?,
            dir,
        },
    })
}

/// Reads `SERVICE=VSN`.
pub fn set(text: &str) -> Result<(&str, &str), Failure> {
    let parts = text.split_once('=');
    let sound = |(service, vsn): &(&str, &str)| release::is_name(service) && release::is_name(vsn);
    let wrong = || {
        let text = format!("--set {text}: not of the form SERVICE=VSN");
        Failure::new(Status::Usage, text)
    };
    parts.filter(sound).ok_or_else(wrong)
}

/// Reads each `APP>=VSN`.
pub fn minimums(texts: &[String]) -> Result<Vec<Minimum>, Failure> {
    let one = |text: &String| {
        let wrong = |why: &str| Failure::new(Status::Usage, format!("--min {text}: {why}"));
        let parts = text.split_once(">=");
        let (name, least) = parts.ok_or_else(|| wrong("not of the form APP>=VSN"))?;
        Ok(Minimum {
            application: application(name).map_err(|why| wrong(&why))?,
            vsn: vsn(least).map_err(|why| wrong(&why))?,
        })
    };
    texts.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_three_parts() {
        let subject = parse("foo=1.0-rc1+x=/lib/a=b").expect("a subject");
        assert_eq!(subject.application.as_str(), "foo");
        assert_eq!(subject.version.vsn, "1.0-rc1+x");
        assert_eq!(subject.version.dir, PathBuf::from("/lib/a=b"));
        for text in [
            "foo",
            "foo=1.0",
            "foo=1.0=lib",
            "Foo=1.0=/lib",
            "foo=../1=/lib",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_minimum_has_two() {
        let found = minimums(&["bar>=2.0".to_owned()]).expect("a minimum");
        assert_eq!(
            (found[0].application.as_str(), found[0].vsn.as_str()),
            ("bar", "2.0")
        );
        assert!(minimums(&["bar=2.0".to_owned()]).is_err());
    }
}
