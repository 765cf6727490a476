//! Parses what apt is about to do, as it tells `DPkg::Pre-Install-Pkgs` hooks: apt.conf(5).

use std::path::PathBuf;

/// A package that is about to be unpacked over an installed version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Its name.
    pub package: String,
    /// The version that is installed.
    pub old: String,
    /// The version that is to be installed.
    pub new: String,
    /// The file.
    pub deb: PathBuf,
}

/// apt uses another version of this format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreflightError {
    /// The first line is not `VERSION 3`.
    #[error(
        "apt says {0:?}, not VERSION 3; set DPkg::Tools::Options::/usr/bin/erlrc::Version \"3\""
    )]
    Version(String),
}

/// The packages that are replaced. After the version come the configuration of apt, up to an empty
/// line, and then a line for each package: name, old version, its architecture and multi-arch, `<`,
/// `=` or `>`, new version, its architecture and multi-arch, and the file or `**CONFIGURE**` or
/// `**REMOVE**`. Other lines are ignored: later versions of apt may write them.
pub fn replaced(text: &str) -> Result<Vec<Unpacked>, PreflightError> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if first.trim_end() != "VERSION 3" {
        let said = first.chars().take(80).collect();
        return Err(PreflightError::Version(said));
    }
    let packages = lines.skip_while(|line| !line.is_empty());
    Ok(packages.filter_map(package).collect())
}

fn package(line: &str) -> Option<Unpacked> {
    // A file name may contain spaces, the other fields do not.
    let fields: Vec<&str> = line.splitn(9, ' ').collect();
    let [package, old, _, _, _, new, _, _, action] = fields.as_slice() else {
        return None;
    };
    let deb = PathBuf::from(action);
    let replaces = *old != "-" && *new != "-" && deb.is_absolute();
    replaces.then(|| Unpacked {
        package: (*package).to_owned(),
        old: (*old).to_owned(),
        new: (*new).to_owned(),
        deb,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_unpacked_over_another_version_counts() {
        let text = "VERSION 3\nAPT::Architecture=amd64\nDir=/\n\n\
            foo 1.0-1 all no < 2.0-1 all no /var/cache/apt/archives/foo_2.0-1_all.deb\n\
            new - - none < 1.0-1 all no /var/cache/apt/archives/new_1.0-1_all.deb\n\
            gone 1.0-1 all no > - - none **REMOVE**\n\
            foo 1.0-1 all no < 2.0-1 all no **CONFIGURE**\n\
            later words\n";
        let expected = Unpacked {
            package: "foo".to_owned(),
            old: "1.0-1".to_owned(),
            new: "2.0-1".to_owned(),
            deb: "/var/cache/apt/archives/foo_2.0-1_all.deb".into(),
        };
        assert_eq!(replaced(text), Ok(vec![expected]));
        assert_eq!(replaced("VERSION 3\n\n"), Ok(vec![]));
    }

    #[test]
    fn another_version_of_the_words_is_an_error() {
        assert!(replaced("VERSION 2\n\n").is_err());
        assert!(replaced("").is_err());
    }
}
