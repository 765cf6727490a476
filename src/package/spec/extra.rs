//! What a package holds beside the application.

use super::Format;
use super::table::{SpecError, Table};
use std::path::PathBuf;

/// A file from elsewhere, or all the files below a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraFile {
    /// Where it is, relative to the specification.
    pub source: PathBuf,
    /// Where it is installed.
    pub path: String,
    /// Its permissions; else 0755 where its owner may execute it, 0644 where not.
    pub mode: Option<u32>,
    /// Whether it is the administrator's to change; else what is below `/etc` is.
    pub conffile: Option<bool>,
    /// The one format whose packages have it; else all.
    pub format: Option<Format>,
}

/// Commands for the end of every transaction of rpm that installs files below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTrigger {
    /// What the paths begin with.
    pub path: String,
    /// The file with the commands, which get the paths on standard input.
    pub script: PathBuf,
}

/// A symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraLink {
    /// Where it is.
    pub path: String,
    /// Where it leads.
    pub target: String,
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraDirectory {
    /// Where it is.
    pub path: String,
    /// Its permissions.
    pub mode: u32,
}

impl ExtraFile {
    pub(super) fn from_table(table: &mut Table) -> Result<Option<Self>, SpecError> {
        let source = table.text("source")?.map(PathBuf::from);
        let path = table.path("path")?;
        let (mode, conffile) = (table.mode("mode")?, table.truth("conffile")?);
        let format = table.format("format")?;
        Ok(source.zip(path).map(|(source, path)| Self {
            source,
            path,
            mode,
            conffile,
            format,
        }))
    }
}

impl FileTrigger {
    pub(super) fn from_table(table: &mut Table) -> Result<Option<Self>, SpecError> {
        let script = table.text("script")?.map(PathBuf::from);
        let path = table.path("path")?;
        Ok(path.zip(script).map(|(path, script)| Self { path, script }))
    }
}

impl ExtraLink {
    pub(super) fn from_table(table: &mut Table) -> Result<Option<Self>, SpecError> {
        let path = table.path("path")?;
        let target = table.text("target")?.filter(|target| !target.is_empty());
        Ok(path.zip(target).map(|(path, target)| Self { path, target }))
    }
}

impl ExtraDirectory {
    pub(super) fn from_table(table: &mut Table) -> Result<Option<Self>, SpecError> {
        let (path, mode) = (table.path("path")?, table.mode("mode")?.unwrap_or(0o755));
        Ok(path.map(|path| Self { path, mode }))
    }
}
