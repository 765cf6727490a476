//! The specification of a package: what is to be said about it that the application does not say
//! itself. Every key has a default.
//!
//! One table, written as terms (`{erlrc, [...]}` in `rebar.config`) or as TOML (`erlrc.toml`), which
//! is read as the same terms. Nothing but `file` does I/O.

mod extra;
mod file;
mod keys;
mod table;

pub use extra::{ExtraDirectory, ExtraFile, ExtraLink, FileTrigger};
pub use file::SpecFile;
pub use keys::{KEYS, Key, template};
pub use table::SpecError;

use super::relation::{Relation, RelationKind};
use super::script::{Script, Scriptlet};
pub use crate::maint::Format;
use crate::migration::Choice;
use crate::term::{Atom, Term};
use std::collections::BTreeMap;
use std::path::PathBuf;
use table::Table;

/// Where OTP looks for applications on every system that the hooks know.
const LIB_DIR: &str = "/usr/lib/erlang/lib";

/// What is specified about a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageSpec {
    /// The package's name; else `prefix` and the application's.
    pub name: Option<String>,
    /// What names of packages begin with, this one's and those of applications that nobody knows.
    pub prefix: String,
    /// In place of the application's version.
    pub version: Option<String>,
    /// Before the version.
    pub epoch: Option<u32>,
    /// After the version.
    pub revision: Option<String>,
    /// `Name <address>`.
    pub maintainer: Option<String>,
    /// Debian's section.
    pub section: String,
    /// Debian's priority.
    pub priority: String,
    /// The project's page; else the first of the application's `links`.
    pub homepage: Option<String>,
    /// One line; else the application's `description`.
    pub summary: Option<String>,
    /// More lines.
    pub description: Option<String>,
    /// The licence; else the application's `licenses`.
    pub license: Option<String>,
    /// A file with copyright and licence; else `LICENSE` beside the application.
    pub copyright: Option<PathBuf>,
    /// The oldest OTP release that can run it; else the one whose compiler built it.
    pub otp: Option<u32>,
    /// Where applications are installed.
    pub lib_dir: String,
    /// Whether the application is registered, so that nodes start it.
    pub register: bool,
    /// Whether states are converted on the way to this version, and back from it.
    pub migrate: Option<Choice>,
    /// Whether siblings must be configured before this one is unpacked.
    pub pre_depends: bool,
    /// Debian's `Multi-Arch`.
    pub multi_arch: Option<String>,
    /// Whether `src` is shipped.
    pub sources: bool,
    /// Files of the application that are not shipped; `*` stands for anything.
    pub exclude: Vec<String>,
    /// For an application the packages to depend on: none drops the dependency.
    pub dependencies: BTreeMap<Atom, Vec<Relation>>,
    /// For an application the least version; else the one built against.
    pub minimum: BTreeMap<Atom, String>,
    /// Relations beside those that come from the application.
    pub relations: BTreeMap<RelationKind, Vec<Relation>>,
    /// Files from elsewhere.
    pub files: Vec<ExtraFile>,
    /// Symbolic links.
    pub links: Vec<ExtraLink>,
    /// Directories, empty or with a mode of their own.
    pub directories: Vec<ExtraDirectory>,
    /// Files with shell commands for maintainer scripts, beside the call of erlrc.
    pub scripts: BTreeMap<Script, PathBuf>,
    /// The same for the scriptlets of rpm.
    pub scriptlets: BTreeMap<Scriptlet, PathBuf>,
    /// Lines of Debian's `triggers`.
    pub triggers: Vec<String>,
    /// What rpm runs at the end of transactions.
    pub file_triggers: Vec<FileTrigger>,
}

impl PackageSpec {
    /// What holds for `application` in this format, of a list of pairs.
    ///
    /// The tables `deb` and `rpm` hold for one format alone, those below `applications` for one
    /// application alone; what is more particular wins.
    pub fn from_terms(terms: &Term, application: &Atom, format: Format) -> Result<Self, SpecError> {
        let mut table = Table::of(terms)?;
        let own = table.take_table("applications")?;
        let mut own = own.take_own(application.as_str())?;
        let layers = [table.take_format(format)?, own.take_format(format)?];
        let [common, particular] = layers;
        let mut table = table.under(common).under(own).under(particular);
        table.only(&KEYS.map(|key| key.name))?;
        let mut spec = Self::from_table(&mut table)?;
        table.finish()?;
        spec.files
            .retain(|file| file.format.is_none_or(|own| own == format));
        Ok(spec)
    }

    fn from_table(table: &mut Table) -> Result<Self, SpecError> {
        let mut scripts = table.take_table("scripts")?;
        let spec = Self {
            scripts: Self::scripts(&mut scripts, Script::ALL.map(|own| (own, own.name())))?,
            scriptlets: Self::scripts(&mut scripts, Scriptlet::ALL.map(|own| (own, own.name())))?,
            name: table.text("name")?,
            prefix: table.text("prefix")?.unwrap_or("erlang-".to_owned()),
            version: table.text("version")?,
            epoch: table.number("epoch")?,
            revision: table.text("revision")?,
            maintainer: table.text("maintainer")?,
            section: table.text("section")?.unwrap_or("libs".to_owned()),
            priority: table.text("priority")?.unwrap_or("optional".to_owned()),
            homepage: table.text("homepage")?,
            summary: table.text("summary")?,
            description: table.lines("description")?,
            license: table.text("license")?,
            copyright: table.text("copyright")?.map(PathBuf::from),
            otp: table.number("otp")?,
            lib_dir: table.path("libdir")?.unwrap_or(LIB_DIR.to_owned()),
            register: table.truth("register")?.unwrap_or(true),
            migrate: table.choice("migrate")?,
            pre_depends: table.truth("pre-depends")?.unwrap_or(false),
            multi_arch: table.text("multi-arch")?,
            sources: table.truth("sources")?.unwrap_or(false),
            exclude: table.texts("exclude")?,
            dependencies: table.relations_of("dependencies")?,
            minimum: table.texts_of("minimum")?,
            relations: Self::relations(table)?,
            files: table.tables("files", ExtraFile::from_table)?,
            links: table.tables("links", ExtraLink::from_table)?,
            directories: table.tables("directories", ExtraDirectory::from_table)?,
            triggers: table.texts("triggers")?,
            file_triggers: table.tables("file-triggers", FileTrigger::from_table)?,
        };
        scripts.finish()?;
        Ok(spec)
    }

    fn relations(table: &mut Table) -> Result<BTreeMap<RelationKind, Vec<Relation>>, SpecError> {
        let mut relations = BTreeMap::new();
        // `pre-depends` is a choice; what a package always needs first is rare enough to be `depends`.
        for kind in RelationKind::ALL.into_iter().skip(1) {
            relations.insert(kind, table.relations(&kind.field().to_lowercase())?);
        }
        Ok(relations)
    }

    fn scripts<S: Ord, const N: usize>(
        files: &mut Table,
        names: [(S, &str); N],
    ) -> Result<BTreeMap<S, PathBuf>, SpecError> {
        let mut scripts = BTreeMap::new();
        for (script, name) in names {
            if let Some(file) = files.text(name)? {
                scripts.insert(script, PathBuf::from(file));
            }
        }
        Ok(scripts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::text;

    fn read(terms: &str, format: Format) -> Result<PackageSpec, SpecError> {
        PackageSpec::from_terms(&text::parse(terms).unwrap(), &Atom::of("foo"), format)
    }

    #[track_caller]
    fn fails(terms: &str, expected: &str) {
        assert_eq!(
            read(terms, Format::Deb).unwrap_err().to_string(),
            expected,
            "{terms}"
        );
    }

    #[test]
    fn everything_has_a_default() {
        let spec = read("[]", Format::Deb).unwrap();
        assert_eq!(spec.prefix, "erlang-");
        assert_eq!(spec.lib_dir, "/usr/lib/erlang/lib");
        assert!(spec.register && !spec.pre_depends && !spec.sources);
        assert!(spec.name.is_none() && spec.files.is_empty());
    }

    #[test]
    fn what_is_more_particular_wins() {
        let terms = "[{name, \"a\"}, {section, \"x\"}, {deb, [{section, \"y\"}, {name, \"b\"}]}, \
            {applications, [{foo, [{name, \"c\"}, {rpm, [{name, \"d\"}]}]}, {bar, [{name, \"e\"}]}]}]";
        let deb = read(terms, Format::Deb).unwrap();
        assert_eq!((deb.name.as_deref(), &*deb.section), (Some("c"), "y"));
        let rpm = read(terms, Format::Rpm).unwrap();
        assert_eq!((rpm.name.as_deref(), &*rpm.section), (Some("d"), "x"));
    }

    #[test]
    fn keys_become_fields() {
        let spec = read(
            "[{depends, [\"adduser\", \"libc6 (>= 2.36)\"]}, {'pre-depends', true}, {otp, 26},
              {dependencies, [{bar, \"baz (>= 2) | qux\"}, {old, []}]}, {minimum, [{bar, \"1.0\"}]},
              {files, [[{source, \"x\"}, {path, \"/usr/bin/x\"}, {mode, \"0755\"}]]},
              {links, [[{path, \"/usr/bin/y\"}, {target, \"x\"}]]},
              {directories, [[{path, \"/var/lib/x\"}, {mode, 8#700}]]},
              {scripts, [{postinst, \"post.sh\"}]}, {triggers, [\"interest-noawait /x\"]}]",
            Format::Deb,
        )
        .unwrap();
        assert!(spec.pre_depends);
        assert_eq!(spec.otp, Some(26));
        assert_eq!(spec.relations[&RelationKind::Depends].len(), 2);
        assert_eq!(
            spec.dependencies[&Atom::of("bar")],
            [Relation::parse("baz (>= 2) | qux").unwrap()]
        );
        assert!(spec.dependencies[&Atom::of("old")].is_empty());
        assert_eq!(spec.minimum[&Atom::of("bar")], "1.0");
        assert_eq!(spec.files[0].mode, Some(0o755));
        assert_eq!(spec.links[0].target, "x");
        assert_eq!(spec.directories[0].mode, 0o700);
        assert_eq!(spec.scripts[&Script::Postinst], PathBuf::from("post.sh"));
    }

    #[test]
    fn what_is_for_one_format_is_not_in_the_other() {
        let terms = "[{files, [[{source, \"x\"}, {path, \"/x\"}, {format, \"deb\"}], [{source, \"y\"}, {path, \"/y\"}]]},
              {rpm, [{scripts, [{post, \"post.sh\"}]},
                     {'file-triggers', [[{path, \"/usr/lib/x\"}, {script, \"trigger\"}]]}]}]";
        let rpm = read(terms, Format::Rpm).unwrap();
        assert_eq!(rpm.files.len(), 1);
        assert_eq!(rpm.scriptlets[&Scriptlet::Post], PathBuf::from("post.sh"));
        assert_eq!(rpm.file_triggers[0].path, "/usr/lib/x");
        let deb = read(terms, Format::Deb).unwrap();
        assert_eq!(deb.files.len(), 2);
        assert!(deb.scriptlets.is_empty() && deb.file_triggers.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        fails("foo", "is no table");
        fails("[{nmae, \"x\"}]", "has the unknown key nmae");
        fails("[{name, 1}]", "name is not text on one line");
        fails(
            "[{summary, \"a\\nPre-Depends: b\"}]",
            "summary is not text on one line",
        );
        fails("[{description, \"a\\tb\\e\"}]", "description is not text");
        fails("[{register, yes}]", "register is neither true nor false");
        fails("[{otp, \"x\"}]", "otp is not a number");
        fails(
            "[{depends, [\"a b\"]}]",
            "depends is not a list of relations like \"a (>= 1.0)\"",
        );
        fails(
            "[{files, [[{path, \"/x\"}]]}]",
            "files lacks the key source",
        );
        fails(
            "[{files, [[{source, \"x\"}, {path, \"/x\"}, {format, \"dbe\"}]]}]",
            "format is neither deb nor rpm",
        );
        fails(
            "[{files, [[{source, \"x\"}, {path, \"/x/../y\"}]]}]",
            "path is not an absolute path without . and ..",
        );
        fails(
            "[{directories, [[{path, \"/x\"}, {mode, \"07777\"}]]}]",
            "mode is not an octal mode of at most 0777",
        );
        fails(
            "[{scripts, [{config, \"x\"}]}]",
            "has the unknown key config",
        );
        fails("[{deb, [{nmae, \"x\"}]}]", "has the unknown key nmae");
    }
}
