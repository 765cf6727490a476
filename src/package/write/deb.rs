//! Writes a `.deb`: deb(5).

use super::control::control;
use super::document;
use crate::package::assemble::Package;
use crate::package::entry::{Entries, Entry};
use crate::package::error::Error;
use crate::package::script::Script;
use flate2::{Compression, GzBuilder, write::GzEncoder};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes the package into `dir` and returns the file.
pub fn write(package: Package, dir: &Path) -> Result<PathBuf, Error> {
    let file = dir.join(format!(
        "{}_{}_{}.deb",
        package.name,
        package.version.deb_without_epoch(),
        package.architecture.deb
    ));
    let failed = |source| Error::Write {
        file: file.clone(),
        source,
    };
    let bytes = archive(package).map_err(failed)?;
    super::put(dir, &file, &bytes).map_err(failed)?;
    Ok(file)
}

/// The bytes of the file.
pub fn archive(mut package: Package) -> io::Result<Vec<u8>> {
    let changelog = gzip(document::changelog(&package).as_bytes())?;
    let path = format!("/usr/share/doc/{}/changelog.Debian.gz", package.name);
    // A changelog of the package's own stays.
    let _ = package.entries.add(path, Entry::file(changelog));
    let control = gzip(&tar(&members(&package), package.time)?)?;
    let data = gzip(&tar(&package.entries.with_parents(), package.time)?)?;
    let mut archive = ar::Builder::new(Vec::new());
    let members: [(&[u8], &[u8]); 3] = [
        (b"debian-binary", b"2.0\n"),
        (b"control.tar.gz", &control),
        (b"data.tar.gz", &data),
    ];
    for (name, content) in members {
        let mut header = ar::Header::new(name.to_vec(), content.len() as u64);
        header.set_mode(0o100_644);
        header.set_mtime(package.time.unsigned_abs());
        archive.append(&header, content)?;
    }
    archive.into_inner()
}

/// What is in `control.tar`.
fn members(package: &Package) -> Entries {
    let mut members = Entries::default();
    let mut add = |name: &str, text: String, mode| {
        let entry = Entry::File {
            content: text.into_bytes(),
            mode,
            conffile: false,
        };
        let added = members.add(format!("/{name}"), entry);
        added.expect("every member has a name of its own");
    };
    add("control", control(package), 0o644);
    add("md5sums", md5sums(&package.entries), 0o644);
    let conffiles: String = package
        .entries
        .conffiles()
        .map(|path| format!("{path}\n"))
        .collect();
    if !conffiles.is_empty() {
        add("conffiles", conffiles, 0o644);
    }
    if !package.triggers.is_empty() {
        add("triggers", package.triggers.join("\n") + "\n", 0o644);
    }
    for script in Script::ALL {
        let own = package.scripts.get(&script).map(String::as_str);
        add(script.name(), script.text(&package.contents, own), 0o755);
    }
    members
}

/// As dh_md5sums: of what dpkg does not look after itself.
fn md5sums(entries: &Entries) -> String {
    let line = |(path, entry): (&str, &Entry)| match entry {
        Entry::File {
            content,
            conffile: false,
            ..
        } => Some(format!(
            "{:x}  {}\n",
            md5::compute(content),
            path.trim_start_matches('/')
        )),
        _ => None,
    };
    entries.iter().filter_map(line).collect()
}

/// The entries below `.`, all of user and group 0 and of one time.
fn tar(entries: &Entries, time: i64) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let top = Entry::Directory { mode: 0o755 };
    for (path, entry) in std::iter::once(("", &top)).chain(entries.iter()) {
        let mut header = tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        header.set_mtime(time.unsigned_abs());
        header.set_size(0);
        let path = format!(".{path}");
        match entry {
            Entry::Directory { mode } => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(*mode);
                archive.append_data(&mut header, format!("{path}/"), io::empty())?;
            }
            Entry::Link { target } => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                archive.append_link(&mut header, path, target)?;
            }
            Entry::File { content, mode, .. } => {
                header.set_mode(*mode);
                header.set_size(content.len() as u64);
                archive.append_data(&mut header, path, content.as_slice())?;
            }
        }
    }
    archive.into_inner()
}

/// Without name and time, as `gzip -9n`.
fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed: GzEncoder<_> = GzBuilder::new().write(Vec::new(), Compression::best());
    packed.write_all(bytes)?;
    packed.finish()
}
