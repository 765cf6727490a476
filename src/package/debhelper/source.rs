//! A Debian source package to begin with: `debian/` for people who build their packages with
//! `dpkg-buildpackage`.

use super::staging::put;
use crate::package::assemble::Package;
use crate::package::entry::Entry;
use crate::package::error::Error;
use crate::package::relation::{Relation, RelationKind};
use crate::package::script::Script;
use crate::package::spec::PackageSpec;
use crate::package::tree::lexical;
use crate::package::write::document;
use std::path::{Path, PathBuf};

/// How a project is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Build {
    Rebar3,
    Mix,
    Make,
    /// It is there already.
    Done,
}

impl Build {
    /// By what is in the project's directory.
    fn of(project: &Path) -> Self {
        let has = |name: &str| project.join(name).is_file();
        if has("rebar.config") {
            Self::Rebar3
        } else if has("mix.exs") {
            Self::Mix
        } else if has("erlang.mk") {
            Self::Make
        } else {
            Self::Done
        }
    }

    fn depends(self) -> &'static str {
        match self {
            Self::Rebar3 => ",\n erlang-dev,\n rebar3",
            Self::Mix => ",\n erlang-dev,\n elixir",
            Self::Make => ",\n erlang-dev",
            Self::Done => "",
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::Rebar3 => "rebar3 compile",
            Self::Mix => "MIX_ENV=prod mix compile --no-deps-check",
            Self::Make => "$(MAKE)",
            Self::Done => "true",
        }
    }
}

/// What the skeleton is made of.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// The binary package.
    pub package: &'a Package,
    /// Its specification.
    pub spec: &'a PackageSpec,
    /// The project, which gets the directory `debian`.
    pub project: &'a Path,
    /// The built application, relative to the project.
    pub application: String,
    /// The files that the specification names: from where, relative to the project, to where.
    pub files: Vec<(String, String, u32)>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Emitted {
    /// The files that were written.
    pub files: Vec<PathBuf>,
    /// What a person has to add to a `debian/control` that was there before: it knows nothing of the package.
    pub missing: Option<String>,
}

/// Writes `debian/` below the project; a file that is there is left alone.
pub fn write(source: &Source<'_>) -> Result<Emitted, Error> {
    let package = source.package;
    let name = &package.name;
    let build = Build::of(source.project);
    let mut files = vec![
        ("control".to_owned(), control(source, build), 0o644),
        ("rules".to_owned(), rules(source, build), 0o755),
        ("changelog".to_owned(), document::changelog(package), 0o644),
        (
            "copyright".to_owned(),
            document::copyright(package, application(package), None),
            0o644,
        ),
        (
            "source/format".to_owned(),
            "3.0 (quilt)\n".to_owned(),
            0o644,
        ),
        (
            format!("{name}.erlrc"),
            format!("{}\n", source.application),
            0o644,
        ),
    ];
    let links = source.spec.links.iter();
    let links: String = links
        .map(|link| {
            // dh_link takes both as paths from the root.
            let target = Path::new(&link.path).with_file_name("").join(&link.target);
            format!("{} {}\n", lexical(&target).display(), link.path)
        })
        .collect();
    let directories = source.spec.directories.iter();
    let directories: String = directories
        .map(|directory| format!("{}\n", directory.path))
        .collect();
    let triggers: String = package
        .triggers
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    for (kind, text) in [
        ("links", links),
        ("dirs", directories),
        ("triggers", triggers),
    ] {
        if !text.is_empty() {
            files.push((format!("{name}.{kind}"), text, 0o644));
        }
    }
    for (script, own) in &package.scripts {
        files.push((
            format!("{name}.{}", script.name()),
            script_text(*script, own),
            0o755,
        ));
    }
    let mut written = Vec::new();
    let before = std::fs::read_to_string(source.project.join("debian/control"));
    let missing = before
        .is_ok_and(|control| !has_stanza(&control, name))
        .then(|| stanza(source));
    for (file, text, mode) in files {
        let path = source.project.join("debian").join(file);
        if !path.exists() {
            let content = text.into_bytes();
            put(
                &path,
                &Entry::File {
                    content,
                    mode,
                    conffile: false,
                },
            )?;
            written.push(path);
        }
    }
    Ok(Emitted {
        files: written,
        missing,
    })
}

/// Whether a control file has a stanza of this package.
fn has_stanza(control: &str, name: &str) -> bool {
    control.lines().any(|line| {
        let package = line.split_once(':');
        package.is_some_and(|(field, value)| {
            field.eq_ignore_ascii_case("package") && value.trim() == name
        })
    })
}

fn application(package: &Package) -> &str {
    let first = package.contents.applications.first();
    first.map_or("", |(name, ..)| name)
}

fn control(source: &Source<'_>, build: Build) -> String {
    let package = source.package;
    let homepage = package.homepage.as_ref();
    let homepage = homepage.map_or_else(String::new, |page| format!("Homepage: {page}\n"));
    format!(
        "Source: {name}\nSection: {section}\nPriority: {priority}\nMaintainer: {maintainer}\n\
         Build-Depends:\n debhelper-compat (= 13),\n dh-sequence-erlrc{depends}\n\
         Standards-Version: 4.6.2\nRules-Requires-Root: no\n{homepage}\n{stanza}",
        name = package.name,
        section = package.section,
        priority = package.priority,
        maintainer = package.maintainer,
        depends = build.depends(),
        stanza = stanza(source),
    )
}

/// Of the binary package.
fn stanza(source: &Source<'_>) -> String {
    let package = source.package;
    let multi_arch = package.multi_arch.as_ref();
    let multi_arch = multi_arch.map_or_else(String::new, |value| format!("Multi-Arch: {value}\n"));
    let architecture = if package.architecture.deb == "all" {
        "all"
    } else {
        "any"
    };
    let mut relations = String::new();
    for kind in RelationKind::ALL {
        let own = source.spec.relations.get(&kind).into_iter().flatten();
        let mut texts: Vec<String> = own.map(Relation::to_string).collect();
        texts.splice(0..0, variables(kind).iter().map(|text| (*text).to_owned()));
        if !texts.is_empty() {
            relations.push_str(&format!("{}: {}\n", kind.field(), texts.join(", ")));
        }
    }
    format!(
        "Package: {name}\nArchitecture: {architecture}\n{multi_arch}{relations}\
         Description: {summary}\n{description}",
        name = package.name,
        summary = package.summary,
        description = document::description(&package.description),
    )
}

/// What debhelper and dh_erlrc find out.
fn variables(kind: RelationKind) -> &'static [&'static str] {
    match kind {
        RelationKind::PreDepends => &["${misc:Pre-Depends}", "${erlrc:Pre-Depends}"],
        RelationKind::Depends => &["${misc:Depends}", "${shlibs:Depends}", "${erlrc:Depends}"],
        RelationKind::Suggests => &["${erlrc:Suggests}"],
        RelationKind::Provides => &["${erlrc:Provides}"],
        _ => &[],
    }
}

fn rules(source: &Source<'_>, build: Build) -> String {
    let name = &source.package.name;
    let mut installs = String::new();
    for (from, to, mode) in &source.files {
        installs.push_str(&format!(
            "\tinstall -D -m {mode:04o} {from} debian/{name}{to}\n"
        ));
    }
    for directory in &source.spec.directories {
        let (path, mode) = (&directory.path, directory.mode);
        installs.push_str(&format!("\tinstall -d -m {mode:04o} debian/{name}{path}\n"));
    }
    if installs.is_empty() {
        installs.push_str("\ttrue\n");
    }
    format!(
        "#!/usr/bin/make -f\n\
         # The applications that debian/{name}.erlrc lists are installed by dh_erlrc.\n\
         export HOME = $(CURDIR)/debian/.home\n\n\
         %:\n\tdh $@\n\n\
         override_dh_auto_configure:\n\n\
         override_dh_auto_build:\n\tmkdir -p $(HOME)\n\t{}\n\n\
         override_dh_auto_test:\n\n\
         override_dh_auto_install:\n{installs}\n\
         override_dh_auto_clean:\n\trm -rf debian/.home\n",
        build.command()
    )
}

/// A script of the package's own, which debhelper puts the call of erlrc into.
fn script_text(script: Script, own: &str) -> String {
    let own = own.trim_end();
    match script {
        Script::Preinst | Script::Postinst => {
            format!("#!/bin/sh\nset -e\n\n#DEBHELPER#\n\n{own}\n")
        }
        Script::Prerm | Script::Postrm => format!("#!/bin/sh\nset -e\n\n{own}\n\n#DEBHELPER#\n"),
    }
}
