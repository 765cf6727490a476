//! Every key of a specification, explained: what the parser accepts, and what `erlrc init` writes.

/// A key, or a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it says, and what holds without it; lines of a comment.
    pub text: &'static str,
    /// An example in TOML, which holds for an application `APP`.
    pub example: &'static str,
}

const fn key(name: &'static str, text: &'static str, example: &'static str) -> Key {
    Key {
        name,
        text,
        example,
    }
}

/// The keys; in TOML tables come last.
pub const KEYS: [Key; 38] = [
    key(
        "name",
        "The package's name. Else prefix and the application's name.",
        "name = \"erlang-APP\"",
    ),
    key(
        "prefix",
        "What names of packages begin with: this one's, and those of dependencies that nobody knows.",
        "prefix = \"erlang-\"",
    ),
    key(
        "version",
        "In place of the application's vsn.",
        "version = \"1.0.0\"",
    ),
    key(
        "epoch",
        "Before the version, where its order was changed once.",
        "epoch = 1",
    ),
    key(
        "revision",
        "Counts the packages that are made of one version. Else 1.",
        "revision = \"1\"",
    ),
    key(
        "maintainer",
        "Who makes the package. Else DEBFULLNAME and DEBEMAIL in the environment.",
        "maintainer = \"Jane Doe <jane@example.org>\"",
    ),
    key("section", "Debian's section.", "section = \"libs\""),
    key("priority", "Debian's priority.", "priority = \"optional\""),
    key(
        "homepage",
        "The project's page. Else the first of the application's links.",
        "homepage = \"https://example.org\"",
    ),
    key(
        "summary",
        "One line. Else the application's description.",
        "summary = \"what it is\"",
    ),
    key(
        "description",
        "More lines.",
        "description = \"What it does, in some sentences.\"",
    ),
    key(
        "license",
        "The licence. Else the application's licenses.",
        "license = \"Apache-2.0\"",
    ),
    key(
        "copyright",
        "A file with copyright and licence. Else LICENSE or COPYING beside the application.",
        "copyright = \"LICENSE\"",
    ),
    key(
        "otp",
        "The oldest release of OTP that can run it. Else the one whose compiler built it.",
        "otp = 25",
    ),
    key(
        "libdir",
        "Where applications are installed.",
        "libdir = \"/usr/lib/erlang/lib\"",
    ),
    key(
        "register",
        "Whether nodes start the application when they boot.",
        "register = true",
    ),
    key(
        "migrate",
        "Whether erlrc converts states that no code_change converts, field by field, on the way to this version and\n\
         back: \"none\", \"fields\", or \"lossy\" where values may be lost. Else the registration, the node and\n\
         erlrc.conf have the choice.",
        "migrate = \"fields\"",
    ),
    key(
        "pre-depends",
        "Whether what it depends on must be configured before it is unpacked.",
        "pre-depends = false",
    ),
    key(
        "multi-arch",
        "Debian's Multi-Arch.",
        "multi-arch = \"foreign\"",
    ),
    key("sources", "Whether src is shipped.", "sources = false"),
    key(
        "exclude",
        "Files of the application that are not shipped; * stands for anything.",
        "exclude = [\"priv/*.o\"]",
    ),
    key(
        "depends",
        "Packages beside those that follow from the application's applications.",
        "depends = [\"adduser\", \"libc6 (>= 2.36)\"]",
    ),
    key(
        "recommends",
        "As depends, for what is missed in rare cases alone.",
        "recommends = []",
    ),
    key(
        "suggests",
        "As depends, for what may be of use.",
        "suggests = []",
    ),
    key(
        "conflicts",
        "What cannot be installed beside it.",
        "conflicts = []",
    ),
    key(
        "breaks",
        "What does not work any more beside it.",
        "breaks = []",
    ),
    key(
        "replaces",
        "Packages whose files it takes over.",
        "replaces = []",
    ),
    key("provides", "What it can stand in for.", "provides = []"),
    key(
        "triggers",
        "Lines of Debian's file triggers.",
        "triggers = [\"interest-noawait /usr/lib/APP\"]",
    ),
    key(
        "dependencies",
        "The package of an application that this one depends on; \"\" for none.\n\
         Else the one that owns it on this host, else prefix and its name.",
        "[dependencies]\nlager = \"erlang-lager (>= 3.9)\"",
    ),
    key(
        "minimum",
        "The least version of an application that it depends on. Else the one it was built against.",
        "[minimum]\nlager = \"3.9.0\"",
    ),
    key(
        "scripts",
        "Files with shell commands for maintainer scripts, beside the call of erlrc: preinst, postinst, prerm,\n\
         postrm; for rpm pre, post, preun, postun, posttrans.",
        "[scripts]\npostinst = \"packaging/postinst.sh\"",
    ),
    key(
        "files",
        "More files, or all below a directory: source, from here, and path; mode, else 0755 for programs and\n\
         0644; conffile, else true below /etc; format, \"deb\" or \"rpm\" where one alone has it.",
        "[[files]]\nsource = \"config/APP.conf\"\npath = \"/etc/APP.conf\"\nmode = \"0640\"",
    ),
    key(
        "links",
        "Symbolic links.",
        "[[links]]\npath = \"/usr/bin/APP\"\ntarget = \"../lib/APP/bin/APP\"",
    ),
    key(
        "directories",
        "Directories that are empty, or have a mode of their own.",
        "[[directories]]\npath = \"/var/lib/APP\"\nmode = \"0750\"",
    ),
    key(
        "file-triggers",
        "What rpm runs at the end of transactions that install files whose paths begin so.",
        "[[file-triggers]]\npath = \"/usr/lib/APP\"\nscript = \"packaging/trigger.sh\"",
    ),
    key(
        "deb",
        "Keys for one format alone, and rpm the same.",
        "[deb]\nsection = \"net\"\n[rpm]\nname = \"erlang-APP\"",
    ),
    key(
        "applications",
        "Keys for one application alone, where a project has several.",
        "[applications.APP]\nregister = false",
    ),
];

/// A specification that says nothing, and explains everything that one can say about `application`.
pub fn template(application: &str) -> String {
    let head = "# What is to be said about the package of this application that it does not say itself. Every key has a\n\
                # default, and here each is commented out; `erlrc package --help` tells how packages are made.\n";
    KEYS.iter().fold(head.to_owned(), |mut text, key| {
        text.push('\n');
        for line in key.text.lines() {
            text.push_str(&format!("# {line}\n"));
        }
        for line in key.example.replace("APP", application).lines() {
            text.push_str(&format!("#{line}\n"));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Format;
    use crate::package::spec::SpecFile;
    use crate::term::Atom;
    use tempfile::TempDir;

    fn read(text: &str, format: Format) -> String {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("erlrc.toml");
        std::fs::write(&file, text).unwrap();
        let spec = SpecFile::read(&file).unwrap().unwrap();
        match spec.spec(&Atom::of("foo"), format) {
            Ok(spec) => format!("{spec:?}"),
            Err(error) => error.to_string(),
        }
    }

    /// The template with all that it comments out in force.
    fn in_force(text: &str) -> String {
        let lines = text.lines();
        let line = |line: &str| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => key.to_owned(),
            _ => line.to_owned(),
        };
        lines.map(|text| line(text) + "\n").collect()
    }

    #[test]
    fn a_template_says_nothing() {
        for format in [Format::Deb, Format::Rpm] {
            assert_eq!(read(&template("foo"), format), read("", format));
        }
    }

    #[test]
    fn every_example_is_one_that_the_parser_reads() {
        for format in [Format::Deb, Format::Rpm] {
            let all = read(&in_force(&template("foo")), format);
            assert!(all.starts_with("PackageSpec"), "{all}");
        }
        for key in KEYS {
            let nothing = read("", Format::Deb);
            let one = read(&key.example.replace("APP", "foo"), Format::Deb);
            assert!(one.starts_with("PackageSpec"), "{}: {one}", key.name);
            let is_default = key.example.ends_with("[]") || one == nothing;
            let says_default = [
                "prefix",
                "section",
                "priority",
                "libdir",
                "register",
                "pre-depends",
                "sources",
            ];
            let only_of_rpm = ["file-triggers"];
            let may = key.example.ends_with("[]")
                || says_default.contains(&key.name)
                || only_of_rpm.contains(&key.name);
            assert!(
                may || !is_default,
                "{}: the example changes nothing",
                key.name
            );
        }
    }
}
