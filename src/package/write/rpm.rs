//! Writes an `.rpm`, without a signature: that is the repository's.

use crate::package::assemble::Package;
use crate::package::entry::Entry;
use crate::package::error::Error;
use crate::package::relation::{Comparison, Relation, RelationKind};
use crate::package::script::Scriptlet;
use rpm::{BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder};
use std::path::{Path, PathBuf};

/// Writes the package into `dir` and returns the file.
pub fn write(package: Package, dir: &Path) -> Result<PathBuf, Error> {
    let file = dir.join(format!(
        "{}-{}-{}.{}.rpm",
        package.name,
        package.version.rpm(),
        package.version.revision,
        package.architecture.rpm
    ));
    let bytes = archive(package).map_err(|error| Error::Rpm(Box::new(error)))?;
    super::put(dir, &file, &bytes).map_err(|source| Error::Write {
        file: file.clone(),
        source,
    })?;
    Ok(file)
}

/// The bytes of the file.
pub fn archive(package: Package) -> Result<Vec<u8>, rpm::Error> {
    let time = u32::try_from(package.time).unwrap_or(u32::MAX);
    let version = package.version.rpm();
    let (architecture, summary) = (package.architecture.rpm, &package.summary);
    let mut builder = PackageBuilder::new(
        &package.name,
        &version,
        &package.license,
        architecture,
        summary,
    );
    let config = BuildConfig::v4()
        .compression(CompressionWithLevel::Gzip(9))
        .source_date(time);
    builder
        .using_config(config)
        .release(&package.version.revision)
        .description(&package.description)
        .packager(&package.maintainer)
        .build_host("localhost");
    if package.version.epoch > 0 {
        builder.epoch(package.version.epoch);
    }
    if let Some(page) = &package.homepage {
        builder.url(page);
    }
    add_relations(&mut builder, &package);
    add_scriptlets(&mut builder, &package);
    add_entries(&mut builder, package)?;
    let mut bytes = Vec::new();
    builder.build()?.write(&mut bytes)?;
    Ok(bytes)
}

fn add_relations(builder: &mut PackageBuilder, package: &Package) {
    for (kind, relations) in &package.relations {
        for relation in relations {
            let Some(dependency) = dependency(relation) else {
                continue;
            };
            if *kind == RelationKind::PreDepends {
                // Requires(pre): is there before %pre runs.
                builder.requires(Dependency::script_pre(&dependency.name));
            }
            match kind {
                RelationKind::PreDepends | RelationKind::Depends => builder.requires(dependency),
                RelationKind::Recommends => builder.recommends(dependency),
                RelationKind::Suggests => builder.suggests(dependency),
                // rpm has no word for `Breaks`: both cannot be there.
                RelationKind::Conflicts | RelationKind::Breaks => builder.conflicts(dependency),
                RelationKind::Replaces => builder.obsoletes(dependency),
                RelationKind::Provides => builder.provides(dependency),
            };
        }
    }
    for library in &package.libraries {
        builder.requires(Dependency::any(library));
    }
}

/// The first of the alternatives: rpm's own way to say "or" is younger than many of its users.
fn dependency(relation: &Relation) -> Option<Dependency> {
    let target = relation.alternatives.first()?;
    let name = target.package.as_str();
    Some(match &target.version {
        None => Dependency::any(name),
        Some((Comparison::Earlier, version)) => Dependency::less(name, version),
        Some((Comparison::AtMost, version)) => Dependency::less_eq(name, version),
        Some((Comparison::Equal, version)) => Dependency::eq(name, version),
        Some((Comparison::AtLeast, version)) => Dependency::greater_eq(name, version),
        Some((Comparison::Later, version)) => Dependency::greater(name, version),
    })
}

fn add_scriptlets(builder: &mut PackageBuilder, package: &Package) {
    for scriptlet in Scriptlet::ALL {
        let own = package.scriptlets.get(&scriptlet).map(String::as_str);
        let text = scriptlet.text(&package.contents, own);
        match scriptlet {
            Scriptlet::Pre => builder.pre_install_script(text),
            Scriptlet::Post => builder.post_install_script(text),
            Scriptlet::Preun => builder.pre_uninstall_script(text),
            Scriptlet::Postun => builder.post_uninstall_script(text),
            Scriptlet::Posttrans => builder.post_trans_script(text),
        };
    }
    for (path, text) in &package.file_triggers {
        builder.trans_file_trigger_in(path, None, text.as_str());
    }
}

/// All entries, and those of the directories above them that are the package's alone.
fn add_entries(builder: &mut PackageBuilder, package: Package) -> Result<(), rpm::Error> {
    let mut own: Vec<String> = vec![format!("/usr/share/doc/{}", package.name)];
    let applications = package.contents.applications.iter();
    own.extend(applications.map(|(_, _, dir)| dir.clone()));
    let is_own = |path: &str| {
        own.iter()
            .any(|dir| format!("{path}/").starts_with(&format!("{dir}/")))
    };
    for (path, entry) in package.entries.with_parents().iter() {
        match entry {
            Entry::Directory { mode } if is_own(path) || package.entries.has(path) => {
                builder.with_dir_entry(options(FileOptions::dir(path), *mode))?;
            }
            Entry::Directory { .. } => {}
            Entry::Link { target } => {
                builder.with_symlink(FileOptions::symlink(path, target))?;
            }
            Entry::File {
                content,
                mode,
                conffile,
            } => {
                let options = options(FileOptions::new(path), *mode);
                let options = if *conffile {
                    options.config().noreplace()
                } else {
                    options
                };
                builder.with_file_contents(content.clone(), options)?;
            }
        }
    }
    Ok(())
}

fn options(options: rpm::FileOptionsBuilder, mode: u32) -> rpm::FileOptionsBuilder {
    options.permissions(u16::try_from(mode).unwrap_or(0o644))
}
