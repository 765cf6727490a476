//! Who called a hook: a person, a maintainer script, a program.

use serde::{Deserialize, Serialize};
use std::path::Path;

/// The caller of a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The effective user of the hook.
    pub uid: u32,
    /// That user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user who became that one with sudo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_user: Option<String>,
    /// The name of the calling process, as the kernel keeps it: at most 15 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The maintainer script that called the hook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    /// The run of `erlrc apply` that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// A maintainer script, as dpkg names it in the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The package.
    pub package: String,
    /// `preinst`, `postinst`, `prerm` or `postrm`.
    pub name: String,
}

impl Who {
    /// The caller of this process, as far as the system shows it.
    pub fn calling() -> Self {
        let uid = rustix::process::getuid().as_raw();
        Self {
            uid,
            user: user_name(Path::new("/etc/passwd"), uid),
            parent: rustix::process::getppid().and_then(|pid| command(pid.as_raw_nonzero().get())),
            ..Self::default()
        }
    }

    /// A short description for a person.
    pub fn in_words(&self) -> String {
        let user = self
            .user
            .clone()
            .unwrap_or_else(|| format!("uid {}", self.uid));
        let user = match &self.sudo_user {
            Some(person) => format!("{person} as {user}"),
            None => user,
        };
        match (&self.script, &self.parent) {
            (Some(script), _) => format!("{user}, {} of {}", script.name, script.package),
            (None, Some(parent)) => format!("{user}, {parent}"),
            (None, None) => user,
        }
    }
}

/// The name of the user of this process, if the system knows it.
pub fn full_name() -> Option<String> {
    let uid = rustix::process::getuid().as_raw();
    full_name_in(Path::new("/etc/passwd"), uid)
}

fn full_name_in(passwd: &Path, uid: u32) -> Option<String> {
    let line = line_of(passwd, uid)?;
    // The name is followed by commas with a room and telephone numbers.
    let name = line.split(':').nth(4)?.split(',').next()?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

fn user_name(passwd: &Path, uid: u32) -> Option<String> {
    let line = line_of(passwd, uid)?;
    line.split(':').next().map(str::to_owned)
}

/// Reads the file only: a directory service could take longer than the hook, or hang.
fn line_of(passwd: &Path, uid: u32) -> Option<String> {
    let text = std::fs::read_to_string(passwd).ok()?;
    let uid = uid.to_string();
    let of_uid = |line: &&str| line.split(':').nth(2) == Some(&uid);
    text.lines().find(of_uid).map(str::to_owned)
}

fn command(pid: i32) -> Option<String> {
    let name = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_as_passwd_has_them() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("passwd");
        std::fs::write(
            &file,
            "root:x:0:0::/:/bin/sh\n\nbroken\nerl:x:10:1::/:/bin/sh\n",
        )
        .expect("a file");
        let case = |uid, name: Option<&str>| assert_eq!(user_name(&file, uid).as_deref(), name);
        case(0, Some("root"));
        case(10, Some("erl"));
        case(1, None);
        assert_eq!(user_name(&directory.path().join("none"), 0), None);
    }

    #[test]
    fn people_are_named_without_room_and_telephone() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("passwd");
        let text = "jane:x:7:7:Jane Doe,12,555:/:/bin/sh\nerl:x:10:1:,,,:/:/bin/sh\n";
        std::fs::write(&file, text).expect("a file");
        assert_eq!(full_name_in(&file, 7).as_deref(), Some("Jane Doe"));
        assert_eq!(full_name_in(&file, 10), None);
        assert_eq!(full_name_in(&file, 11), None);
    }

    #[test]
    fn the_caller_has_a_name() {
        let who = Who::calling();
        assert_eq!(who.uid, rustix::process::getuid().as_raw());
        assert!(who.parent.is_some_and(|name| !name.is_empty()));
    }

    #[test]
    fn a_caller_is_told_in_a_few_words() {
        let script = Script {
            package: "egerl".to_owned(),
            name: "postinst".to_owned(),
        };
        let mut who = Who {
            user: Some("root".to_owned()),
            parent: Some("bash".to_owned()),
            ..Who::default()
        };
        assert_eq!(who.in_words(), "root, bash");
        who.sudo_user = Some("kim".to_owned());
        who.script = Some(script);
        assert_eq!(who.in_words(), "kim as root, postinst of egerl");
        assert_eq!(
            Who {
                uid: 7,
                ..Who::default()
            }
            .in_words(),
            "uid 7"
        );
    }
}
