//! Versions of applications as versions of packages, and back.
//!
//! What dpkg takes is in deb-version(7). The order is kept: of two applications' versions the one
//! that [`vsn::compare`] has later gives the later package. Where that cannot be said in a package's
//! version, it is refused.

use crate::application::vsn;

/// The version of a package: `[epoch:]upstream-revision`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageVersion {
    /// Before everything else; 0 is not written.
    pub epoch: u32,
    /// The application's version, as packages write it.
    pub upstream: String,
    /// Counts the packages that were made of one version of the application.
    pub revision: String,
}

/// Why a version cannot be that of a package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// dpkg asks for a digit at the start.
    #[error("the version {vsn:?} does not start with a digit")]
    NoDigit {
        /// The version.
        vsn: String,
    },
    /// A character that neither dpkg nor rpm takes.
    #[error("the version {vsn:?} has the character {character:?}, which no package's version has")]
    Character {
        /// The version.
        vsn: String,
        /// The first such character.
        character: char,
    },
    /// An epoch that is no number of 31 bits.
    #[error("the version {vsn:?} has an epoch that is too large")]
    Epoch {
        /// The version.
        vsn: String,
    },
    /// A revision that is no such thing.
    #[error("the revision {revision:?} is not of letters, digits and the signs + . ~")]
    Revision {
        /// The revision.
        revision: String,
    },
}

impl PackageVersion {
    /// The version of a package of this version of an application.
    pub fn of_vsn(vsn: &str, revision: &str) -> Result<Self, VersionError> {
        let text = vsn::tilde_pre_releases(vsn);
        let (epoch, upstream) = vsn::split_epoch(&text);
        let epoch: i32 = epoch.parse().map_err(|_| VersionError::Epoch {
            vsn: vsn.to_owned(),
        })?;
        check_upstream(vsn, upstream)?;
        let signs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '~');
        if revision.is_empty() || !revision.chars().all(signs) {
            let revision = revision.to_owned();
            return Err(VersionError::Revision { revision });
        }
        Ok(Self {
            epoch: epoch.unsigned_abs(),
            upstream: upstream.to_owned(),
            revision: revision.to_owned(),
        })
    }

    /// As dpkg has it.
    pub fn deb(&self) -> String {
        match self.epoch {
            0 => self.deb_without_epoch(),
            epoch => format!("{epoch}:{}", self.deb_without_epoch()),
        }
    }

    /// As it stands in the names of files.
    pub fn deb_without_epoch(&self) -> String {
        format!("{}-{}", self.upstream, self.revision)
    }

    /// What stands in `(>= …)`: every package of this version or a later one.
    pub fn deb_at_least(&self) -> String {
        // Without a revision the last hyphen of the upstream version would begin one.
        let revision = if self.upstream.contains('-') {
            "-0"
        } else {
            ""
        };
        match self.epoch {
            0 => format!("{}{revision}", self.upstream),
            epoch => format!("{epoch}:{}{revision}", self.upstream),
        }
    }

    /// What stands in `(<< …)`: later than every package of this version, and earlier than any of a later one.
    pub fn deb_next(&self) -> String {
        let revision = if self.upstream.contains('-') {
            "-0"
        } else {
            ""
        };
        match self.epoch {
            0 => format!("{}.~next{revision}", self.upstream),
            epoch => format!("{epoch}:{}.~next{revision}", self.upstream),
        }
    }

    /// rpm's `Version`: a hyphen ends it there, and `^` is what comes after a release.
    pub fn rpm(&self) -> String {
        self.upstream.replace('-', "^")
    }

    /// `[epoch:]version`, as it stands in rpm's relations.
    pub fn rpm_at_least(&self) -> String {
        match self.epoch {
            0 => self.rpm(),
            epoch => format!("{epoch}:{}", self.rpm()),
        }
    }
}

/// The version of the application in a package of the version `deb`: without epoch, revision and the
/// marks of repacked sources, release candidates with their hyphen.
pub fn vsn_of(deb: &str) -> String {
    let (_, text) = vsn::split_epoch(deb);
    let upstream = text.rsplit_once('-').map_or(text, |(upstream, _)| upstream);
    let repacked = ["+dfsg", "+ds"].iter().filter_map(|mark| {
        let (before, after) = upstream.split_once(mark)?;
        let number = after.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        number.then_some(before)
    });
    let upstream = repacked.min_by_key(|text| text.len()).unwrap_or(upstream);
    let mut parts = upstream.split('~');
    let mut vsn = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        vsn.push(if vsn::is_pre_release(part) { '-' } else { '~' });
        vsn.push_str(part);
    }
    vsn
}

fn check_upstream(vsn: &str, upstream: &str) -> Result<(), VersionError> {
    let vsn = vsn.to_owned();
    let known = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '~' | '-');
    if let Some(character) = upstream.chars().find(|c| !known(c)) {
        return Err(VersionError::Character { vsn, character });
    }
    if !upstream.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(VersionError::NoDigit { vsn });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(vsn: &str, deb: &str, at_least: &str, rpm: &str) {
        let version = PackageVersion::of_vsn(vsn, "1").unwrap();
        let found = (
            version.deb(),
            version.deb_at_least(),
            version.rpm_at_least(),
        );
        assert_eq!(
            found,
            (deb.to_owned(), at_least.to_owned(), rpm.to_owned()),
            "{vsn}"
        );
    }

    #[test]
    fn versions_are_written_as_packages_write_them() {
        case("1.0", "1.0-1", "1.0", "1.0");
        case("1.0-rc1", "1.0~rc1-1", "1.0~rc1", "1.0~rc1");
        case(
            "2.0.0-beta.2+b5",
            "2.0.0~beta.2+b5-1",
            "2.0.0~beta.2+b5",
            "2.0.0~beta.2+b5",
        );
        case("1.0-2", "1.0-2-1", "1.0-2-0", "1.0^2");
        case("3:1.0", "3:1.0-1", "3:1.0", "3:1.0");
        case("1.0~x", "1.0~x-1", "1.0~x", "1.0~x");
    }

    #[test]
    fn packages_versions_are_read_back() {
        for (deb, vsn) in [
            ("1.0-1", "1.0"),
            ("1:1.0~rc1-2", "1.0-rc1"),
            ("1.0", "1.0"),
            ("1.0-2-1", "1.0-2"),
            ("3.9.2+dfsg1-4+b1", "3.9.2"),
            ("3.9.2+ds-1", "3.9.2"),
            ("1.0~git1-1", "1.0~git1"),
            ("1.0+dfsgx-1", "1.0+dfsgx"),
        ] {
            assert_eq!(vsn_of(deb), vsn, "{deb}");
        }
    }

    #[test]
    fn what_no_package_can_be_called_is_refused() {
        let fails = |vsn: &str, revision: &str| PackageVersion::of_vsn(vsn, revision).unwrap_err();
        assert!(matches!(fails("v1", "1"), VersionError::NoDigit { .. }));
        assert!(matches!(fails("", "1"), VersionError::NoDigit { .. }));
        assert!(matches!(fails("git", "1"), VersionError::NoDigit { .. }));
        for vsn in ["1_0", "1 0", "1\n0", "1/0", "1é", "1:2:3"] {
            assert!(
                matches!(fails(vsn, "1"), VersionError::Character { .. }),
                "{vsn}"
            );
        }
        assert!(matches!(
            fails("99999999999:1", "1"),
            VersionError::Epoch { .. }
        ));
        for revision in ["", "1-1", "1\n", "é"] {
            assert!(matches!(
                fails("1", revision),
                VersionError::Revision { .. }
            ));
        }
    }
}
