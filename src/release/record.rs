//! A release as a term: the file `release`.
//!
//! `{release, 1, #{service := binary(), version := binary(), otp := binary(), erts := binary(), environment => binary(),
//! applications := [{App, Vsn, Digest :: binary(), permanent | temporary | load}], from := packages,
//! made := #{at := Seconds}}}`. The applications are in start order. A later form is another number; keys that are not
//! known are passed over.

use super::is_name;
use crate::application::is_application_name;
use crate::term::{Atom, Term, print};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The form of the term.
const FORM: i64 = 1;

/// What a release says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The service.
    pub service: String,
    /// The version of the release.
    pub version: String,
    /// The version of OTP.
    pub otp: String,
    /// The version of the emulator.
    pub erts: String,
    /// The name of the environment that it runs from.
    pub environment: Option<String>,
    /// Its applications in start order.
    pub applications: Vec<Member>,
    /// When it was made, in seconds since 1970.
    pub made: u64,
}

/// An application of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which one.
    pub application: Atom,
    /// Its version.
    pub vsn: String,
    /// The digest of its files.
    pub digest: String,
    /// How it is started.
    pub start: Start,
    /// Its directory, which stands in a file of its own.
    pub dir: PathBuf,
}

/// How an application is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The node ends when it ends.
    Permanent,
    /// The node goes on when it ends.
    Temporary,
    /// It is loaded: another application includes it.
    Load,
}

impl Start {
    const ALL: [Self; 3] = [Self::Permanent, Self::Temporary, Self::Load];

    /// The word of a release file of OTP.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Temporary => "temporary",
            Self::Load => "load",
        }
    }
}

impl Release {
    /// Whether both name the same set, whenever they were made.
    pub fn is_same(&self, other: &Self) -> bool {
        let timeless = |release: &Self| Self {
            made: 0,
            ..release.clone()
        };
        timeless(self) == timeless(other)
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let pair = |key: &'static str, value: &str| (Term::atom(key), Term::binary(value));
        let mut pairs = vec![
            pair("service", &self.service),
            pair("version", &self.version),
            pair("otp", &self.otp),
            pair("erts", &self.erts),
        ];
        let environment = self.environment.iter();
        pairs.extend(environment.map(|name| pair("environment", name)));
        let members = Term::list(self.applications.iter().map(Member::term));
        let at = Term::Integer(i64::try_from(self.made).unwrap_or_default());
        pairs.extend([
            (Term::atom("applications"), members),
            (Term::atom("from"), Term::atom("packages")),
            (Term::atom("made"), Term::map(vec![(Term::atom("at"), at)])),
        ]);
        let form = Term::Integer(FORM);
        print::file(&[Term::tuple([Term::atom("release"), form, Term::map(pairs)])])
    }

    /// The release that `term` is, whose applications are in the directories `dirs`.
    pub fn from_term(term: &Term, dirs: &BTreeMap<String, PathBuf>) -> Option<Self> {
        let [form, keys] = <&[Term; 2]>::try_from(term.as_tagged("release")?).ok()?;
        if form.as_integer() != Some(FORM) {
            return None;
        }
        let text = |key: &str| {
            let text = keys.get(key)?.as_text()?;
            is_name(&text).then(|| text.into_owned())
        };
        let environment = match keys.get("environment") {
            None => None,
            Some(_) => Some(text("environment")?),
        };
        let listed = keys.get("applications")?.elements()?;
        let members = listed.iter().map(|term| Member::from_term(term, dirs));
        let made = keys.get("made")?.get("at")?.as_integer()?;
        Some(Self {
            service: text("service")?,
            version: text("version")?,
            otp: text("otp")?,
            erts: text("erts")?,
            environment,
            applications: members.collect::<Option<_>>()?,
            made: u64::try_from(made).ok()?,
        })
    }

    /// The release file of OTP, rel(5).
    pub fn rel(&self) -> String {
        let name = Term::tuple([Term::string(&self.service), Term::string(&self.version)]);
        let erts = Term::tuple([Term::atom("erts"), Term::string(&self.erts)]);
        let members = self.applications.iter().map(|member| {
            Term::tuple([
                Term::Atom(member.application.clone()),
                Term::string(&member.vsn),
                Term::atom(member.start.as_str()),
            ])
        });
        let members = Term::list(members);
        print::file(&[Term::tuple([Term::atom("release"), name, erts, members])])
    }
}

impl Member {
    /// The text of the file that says where it is: the metadata that packages ship.
    pub fn metadata(&self) -> String {
        let dir = self.dir.to_string_lossy();
        print::file(&[Term::tuple([
            Term::Atom(self.application.clone()),
            Term::string(&self.vsn),
            Term::string(&dir),
        ])])
    }

    fn term(&self) -> Term {
        Term::tuple([
            Term::Atom(self.application.clone()),
            Term::string(&self.vsn),
            Term::binary(&self.digest),
            Term::atom(self.start.as_str()),
        ])
    }

    fn from_term(term: &Term, dirs: &BTreeMap<String, PathBuf>) -> Option<Self> {
        let [application, vsn, digest, start] = <&[Term; 4]>::try_from(term.as_tuple()?).ok()?;
        let application = application.as_atom()?;
        let digest = digest.as_text()?;
        let is_digest = digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut starts = Start::ALL.into_iter();
        let sound = is_application_name(application.as_str()) && is_digest;
        sound.then_some(())?;
        Some(Self {
            dir: dirs.get(application.as_str())?.clone(),
            vsn: vsn.as_string()?.into_owned(),
            digest: digest.into_owned(),
            start: starts.find(|known| start.is_atom(known.as_str()))?,
            application: application.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Limits, text};

    fn release() -> Release {
        let member = |name: &'static str, start| Member {
            application: Atom::of(name),
            vsn: "1.0".to_owned(),
            digest: "0af1".to_owned(),
            start,
            dir: format!("/lib/{name}-1.0").into(),
        };
        Release {
            service: "shop".to_owned(),
            version: "2011.2".to_owned(),
            otp: "25.2.3".to_owned(),
            erts: "13.1.5".to_owned(),
            environment: Some("otp-25.2.3-6f1c0a".to_owned()),
            applications: vec![
                member("kernel", Start::Permanent),
                member("tally", Start::Temporary),
                member("inner", Start::Load),
            ],
            made: 1_795_964_092,
        }
    }

    fn read(source: &str) -> Option<Release> {
        let terms = text::parse_all(source.as_bytes(), &Limits::default()).unwrap();
        let names = ["kernel", "tally", "inner"].into_iter();
        let dirs = names.map(|name| (name.to_owned(), format!("/lib/{name}-1.0").into()));
        Release::from_term(&terms[0], &dirs.collect())
    }

    #[test]
    fn what_was_written_is_read() {
        let mut release = release();
        assert_eq!(read(&release.text()), Some(release.clone()));
        release.environment = None;
        assert_eq!(read(&release.text()), Some(release));
    }

    #[test]
    fn a_later_key_is_passed_over_and_another_form_is_not_read() {
        let text = release().text();
        let more = text.replacen("#{", "#{later => [1], ", 1);
        assert_eq!(read(&more), Some(release()));
        for (from, to) in [
            ("{release,1,", "{release,2,"),
            ("\"2011.2\"", "\"../2011.2\""),
            ("temporary", "often"),
            ("{tally,", "{till,"),
            ("<<\"0af1\">>", "<<\"zzz\">>"),
            ("{tally,\"1.0\",", "{tally,1.0,"),
        ] {
            let text = text.split_whitespace().collect::<String>();
            assert!(text.contains(from), "{from} is not in {text}");
            assert_eq!(read(&text.replacen(from, to, 1)), None, "{to}");
        }
    }

    #[test]
    fn a_set_is_the_same_whenever_it_was_made() {
        let later = Release {
            made: 7,
            ..release()
        };
        assert!(later.is_same(&release()) && later != release());
        let mut moved = release();
        moved.applications[1].dir = "/elsewhere".into();
        assert!(!moved.is_same(&release()));
    }

    #[test]
    fn the_release_file_is_that_of_otp() {
        let text: String = release().rel().split_whitespace().collect();
        let expected = "{release,{\"shop\",\"2011.2\"},{erts,\"13.1.5\"},[{kernel,\"1.0\",permanent},\
                        {tally,\"1.0\",temporary},{inner,\"1.0\",load}]}.";
        assert_eq!(text, expected);
    }
}
