//! apt: what it would do, and the run itself.

use super::error::RunError;
use crate::snapshot::{SnapshotError, Tag, host};
use std::path::Path;
use std::process::Child;

/// The variable that tells hooks which run they belong to.
pub const RUN_ID: &str = "ERLRC_RUN_ID";

const PROGRAM: &str = "apt-get";

/// What is asked of apt before it changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preflight {
    /// The plan, and nothing more.
    Only,
    /// It begins only where all is hot.
    Strict,
    /// It begins whatever the plan says.
    Warn,
}

impl Preflight {
    /// The word on the command line of the hook.
    pub fn word(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::Strict => "strict",
            Self::Warn => "warn",
        }
    }

    /// What the word means.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Only, Self::Strict, Self::Warn];
        all.into_iter().find(|one| one.word() == word)
    }
}

/// The packages that are asked for. An option of apt is none.
pub fn words(words: &[String]) -> Result<(), RunError> {
    let is_word = |word: &&String| {
        let first = word.chars().next();
        let begins = first.is_some_and(|c| c.is_ascii_alphanumeric() || c == '/' || c == '.');
        begins && !word.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    match words.iter().find(|word| !is_word(word)) {
        Some(word) => Err(RunError::Word(word.clone())),
        None => Ok(()),
    }
}

/// Whether apt would change anything.
pub fn would_change(packages: &[String]) -> Result<bool, RunError> {
    let mut command = host::apt_get()?;
    command.args(["-s", "install", "--"]).args(packages);
    let printed = host::checked(PROGRAM, host::run(&mut command, PROGRAM))?;
    let begins = ["Inst ", "Remv ", "Purg ", "Conf "];
    let is_change = |line: &str| begins.iter().any(|word| line.starts_with(word));
    Ok(printed.lines().any(is_change))
}

/// Starts apt-get. `erlrc` is this command, which apt calls before it changes anything; `verdict` is the file into which that
/// writes what the plan says.
pub fn start(
    packages: &[String],
    id: &Tag,
    preflight: Preflight,
    (erlrc, verdict): (&Path, &Path),
) -> Result<Child, RunError> {
    let (erlrc, verdict) = (erlrc.display(), verdict.display());
    let word = preflight.word();
    let mut command = host::apt_get()?;
    command
        .arg("-o")
        .arg(format!(
            "DPkg::Pre-Install-Pkgs::={erlrc} maint apt-preflight {word} -- {verdict}"
        ))
        .arg("-o")
        .arg(format!("DPkg::Tools::Options::{erlrc}::Version=3"))
        .arg("install")
        .arg("--")
        .args(packages)
        .env(RUN_ID, id.as_str());
    let started = command.spawn();
    Ok(started.map_err(|source| SnapshotError::NotAsked {
        program: PROGRAM,
        source,
    })?)
}

/// Waits for its end.
pub fn wait(mut apt: Child) -> Result<(), RunError> {
    Ok(host::ended(PROGRAM, apt.wait())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_apt_are_no_packages() {
        let case = |word: &str| words(&[word.to_owned()]).is_ok();
        for good in [
            "a",
            "a=1:2~x",
            "a-",
            "a+",
            "a:amd64",
            "./a.deb",
            "/srv/a.deb",
            "a/sid",
        ] {
            assert!(case(good), "{good}");
        }
        for bad in [
            "",
            "-y",
            "--reinstall",
            "-oDir=/",
            "a b",
            "a\n",
            "~ninstalled",
            "?x",
            "+a",
        ] {
            assert!(!case(bad), "{bad}");
        }
    }

    #[test]
    fn modes_have_names() {
        for mode in [Preflight::Only, Preflight::Strict, Preflight::Warn] {
            assert_eq!(Preflight::parse(mode.word()), Some(mode));
        }
        assert_eq!(Preflight::parse("x"), None);
    }
}
