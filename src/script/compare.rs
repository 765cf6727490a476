//! One module of both versions compared, and the facts that come out.
//!
//! Whole files are read into buffers that are used again, and compared as bytes first: most modules of
//! two versions are the same file. Only those that differ are taken apart.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::interface::{self, LoadedModule};
use super::names::Names;
use crate::appup::Warning;
use crate::appup::facts::{Change, ChangedModule, Interface, ModuleState, NewModule};
use crate::beam::{
    BeamError, BeamFileError, Chunk, Chunks, Module, Reader, compare_code, module_md5,
};
use crate::file::Place;
use crate::term::{Atom, Term};

/// Where the modules of a version are.
#[derive(Debug)]
pub enum Source<'a> {
    /// In the files of a directory, which is open.
    Ebin(PathBuf, OwnedFd),
    /// In a node.
    Loaded(HashMap<&'a Atom, &'a LoadedModule>),
}

/// Compares modules, one after the other.
#[derive(Debug)]
pub struct Comparer<'a> {
    /// Both versions.
    pub sides: &'a Sides<'a>,
    old: Reader,
    new: Reader,
    file: String,
}

/// Both versions of an application.
#[derive(Debug)]
pub struct Sides<'a> {
    /// The earlier version.
    pub earlier: &'a str,
    /// The later version.
    pub later: &'a str,
    /// Its modules.
    pub old: Source<'a>,
    /// Its modules.
    pub new: Source<'a>,
    /// The modules of both by name.
    pub names: Names,
    /// Whether modules are loaded again that do not differ.
    pub reload: bool,
}

/// Which versions list a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Both.
    Both,
    /// The later one.
    Later,
    /// The earlier one.
    Earlier,
}

/// What is found about a module.
#[derive(Debug)]
pub struct Found {
    /// Where it is and whether it differs.
    pub state: ModuleState,
    /// What a person should know.
    pub warnings: Vec<Warning>,
}

/// A module as one side has it.
enum Content<'b> {
    File(Chunks<'b>),
    Loaded(&'b LoadedModule),
}

impl<'a> Comparer<'a> {
    /// One for these versions.
    pub fn new(sides: &'a Sides<'a>) -> Self {
        Self {
            sides,
            old: Reader::new(),
            new: Reader::new(),
            file: String::new(),
        }
    }

    /// Compares the module.
    pub fn compare(&mut self, name: &Atom, presence: Presence) -> Result<Found, BeamFileError> {
        let mut warnings = Vec::new();
        let state = match presence {
            Presence::Both => self.both(name, &mut warnings)?,
            Presence::Later => self.later(name, &mut warnings)?,
            Presence::Earlier => self.earlier(name, &mut warnings)?,
        };
        Ok(Found { state, warnings })
    }

    fn both(
        &mut self,
        name: &Atom,
        warnings: &mut Vec<Warning>,
    ) -> Result<ModuleState, BeamFileError> {
        let new_there = self.read_new(name)?;
        let old_there = self.read_old(name)?;
        if !new_there {
            warnings.push(missing(self.sides.later, name));
            return Ok(ModuleState::Missing);
        }
        if !old_there {
            // What is not loaded will be loaded from its new file.
            if matches!(self.sides.old, Source::Loaded(_)) {
                return Ok(ModuleState::Unchanged);
            }
            warnings.push(missing(self.sides.earlier, name));
        }
        let files = matches!(
            (&self.sides.old, &self.sides.new),
            (Source::Ebin(..), Source::Ebin(..))
        );
        if files && old_there && !self.sides.reload && self.old.raw() == self.new.raw() {
            return Ok(ModuleState::Unchanged);
        }
        let new = self.content(name, Of::New)?;
        let old = if old_there {
            Some(self.content(name, Of::Old)?)
        } else {
            None
        };
        let change = match &old {
            Some(old) => change(old, &new).map_err(|error| self.at(name, error))?,
            None => Change {
                old_missing: true,
                ..Change::default()
            },
        };
        if change.is_empty() && !self.sides.reload {
            return Ok(ModuleState::Unchanged);
        }
        let facts = self.facts(&new, name)?;
        let old = match &old {
            Some(old) => self.old_facts(old, &new, &facts.interface, name)?,
            None => Interface::default(),
        };
        Ok(ModuleState::Changed(Box::new(ChangedModule {
            change,
            old,
            new: facts,
        })))
    }

    fn old_facts(
        &self,
        old: &Content<'_>,
        new: &Content<'_>,
        facts: &Interface,
        name: &Atom,
    ) -> Result<Interface, BeamFileError> {
        let chunks = match old {
            Content::File(chunks) => chunks,
            Content::Loaded(module) => return Ok(module.interface()),
        };
        let same = |chunk| match new {
            Content::File(new) => chunks.get(chunk) == new.get(chunk),
            Content::Loaded(_) => false,
        };
        // Where the atoms are the same, so is the name, which has been looked at.
        interface::old_interface(|| named(*chunks, name), &self.sides.names, facts, same)
            .map_err(|error| self.error(name, Of::Old, error))
    }

    fn later(
        &mut self,
        name: &Atom,
        warnings: &mut Vec<Warning>,
    ) -> Result<ModuleState, BeamFileError> {
        if self.read_new(name)? {
            let new = self.content(name, Of::New)?;
            return Ok(ModuleState::Added(Box::new(self.facts(&new, name)?)));
        }
        warnings.push(missing(self.sides.later, name));
        Ok(ModuleState::Missing)
    }

    // Going down it is loaded again, so its file must be sound.
    fn earlier(
        &mut self,
        name: &Atom,
        warnings: &mut Vec<Warning>,
    ) -> Result<ModuleState, BeamFileError> {
        if self.read_old(name)? {
            if let Content::File(chunks) = self.content(name, Of::Old)? {
                named(chunks, name).map_err(|error| self.error(name, Of::Old, error))?;
            }
            return Ok(ModuleState::Removed);
        }
        warnings.push(missing(self.sides.earlier, name));
        Ok(ModuleState::Missing)
    }

    /// The facts of a module of the later version, whether or not it is listed; `None` where there is
    /// none.
    pub fn new_module(&mut self, name: &Atom) -> Result<Option<NewModule>, BeamFileError> {
        if !self.read_new(name)? {
            return Ok(None);
        }
        let new = self.content(name, Of::New)?;
        self.facts(&new, name).map(Some)
    }

    fn facts(&self, new: &Content<'_>, name: &Atom) -> Result<NewModule, BeamFileError> {
        match new {
            Content::File(chunks) => named(*chunks, name)
                .and_then(|module| interface::new_module(&module, &self.sides.names))
                .map_err(|error| self.error(name, Of::New, error)),
            Content::Loaded(module) => Ok(module.new_module()),
        }
    }

    fn read_old(&mut self, name: &Atom) -> Result<bool, BeamFileError> {
        read(&self.sides.old, name, &mut self.file, &mut self.old)
    }

    fn read_new(&mut self, name: &Atom) -> Result<bool, BeamFileError> {
        read(&self.sides.new, name, &mut self.file, &mut self.new)
    }

    fn content(&self, name: &Atom, side: Of) -> Result<Content<'_>, BeamFileError> {
        let (source, reader) = match side {
            Of::Old => (&self.sides.old, &self.old),
            Of::New => (&self.sides.new, &self.new),
        };
        if let Source::Loaded(modules) = source
            && let Some(module) = modules.get(name)
        {
            return Ok(Content::Loaded(module));
        }
        let chunks = Chunks::parse(reader.bytes());
        chunks
            .map(Content::File)
            .map_err(|error| self.error(name, side, error))
    }

    fn error(&self, name: &Atom, side: Of, source: BeamError) -> BeamFileError {
        let source_of = match side {
            Of::Old => &self.sides.old,
            Of::New => &self.sides.new,
        };
        let file = match source_of {
            Source::Ebin(ebin, _) => ebin.join(format!("{name}.beam")),
            Source::Loaded(_) => PathBuf::from(name.as_str()),
        };
        BeamFileError { file, source }
    }

    /// An error of either side; the one that is a file is named.
    fn at(&self, name: &Atom, source: BeamError) -> BeamFileError {
        let side = if matches!(self.sides.new, Source::Ebin(..)) {
            Of::New
        } else {
            Of::Old
        };
        self.error(name, side, source)
    }
}

#[derive(Clone, Copy)]
enum Of {
    Old,
    New,
}

fn read(
    source: &Source<'_>,
    name: &Atom,
    file: &mut String,
    reader: &mut Reader,
) -> Result<bool, BeamFileError> {
    let (ebin, dir) = match source {
        Source::Ebin(ebin, dir) => (ebin, dir),
        Source::Loaded(modules) => return Ok(modules.contains_key(name)),
    };
    // In place: a name for each module would be an allocation for each module.
    file.clear();
    file.push_str(name.as_str());
    file.push_str(".beam");
    match reader.read(Place::inside(dir.as_fd(), Path::new(&*file))) {
        Ok(()) => Ok(true),
        Err(BeamError::Unreadable { posix: "enoent" }) => Ok(false),
        Err(source) => Err(BeamFileError {
            file: ebin.join(&*file),
            source,
        }),
    }
}

fn named<'b>(chunks: Chunks<'b>, name: &Atom) -> Result<Module<'b>, BeamError> {
    let module = Module::new(chunks)?;
    let found = module.name()?;
    if found == name.as_str() {
        return Ok(module);
    }
    let found = Atom::new(&found).ok_or(BeamError::BadChunk {
        chunk: Chunk::AtU8.name(),
    })?;
    Err(BeamError::WrongName { module: found })
}

fn missing(vsn: &str, module: &Atom) -> Warning {
    Warning::MissingBeam {
        vsn: vsn.to_owned(),
        module: module.clone(),
    }
}

fn change(old: &Content<'_>, new: &Content<'_>) -> Result<Change, BeamError> {
    let code = match (old, new) {
        (Content::File(old), Content::File(new)) => !compare_code(old, new).is_empty(),
        (old, new) => md5(old)? != md5(new)?,
    };
    Ok(Change {
        code,
        attributes: changed_attributes(old, new)?,
        old_missing: false,
    })
}

fn md5(content: &Content<'_>) -> Result<[u8; 16], BeamError> {
    match content {
        Content::File(chunks) => module_md5(chunks),
        Content::Loaded(module) => Ok(module.md5),
    }
}

// Where one side is stripped there is nothing to compare.
fn changed_attributes(old: &Content<'_>, new: &Content<'_>) -> Result<Vec<Atom>, BeamError> {
    if let (Content::File(old), Content::File(new)) = (old, new)
        && old.get(Chunk::Attr) == new.get(Chunk::Attr)
    {
        return Ok(Vec::new());
    }
    let (Some(old), Some(new)) = (attributes(old)?, attributes(new)?) else {
        return Ok(Vec::new());
    };
    let of = |attributes: &[(Atom, Term)], name: &Atom| -> Vec<Term> {
        let of_name = attributes.iter().filter(|(other, _)| other == name);
        of_name.map(|(_, value)| value.clone()).collect()
    };
    let mut names: Vec<_> = old.iter().chain(&new).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let differs =
        |name: &&Atom| !OF_THE_BUILD.contains(&name.as_str()) && of(&old, name) != of(&new, name);
    Ok(names.into_iter().filter(differs).cloned().collect())
}

/// Attributes that say when, where and from what a module was built, and nothing of what it does.
const OF_THE_BUILD: [&str; 6] = [
    "vsn",
    "app_vsn",
    "compile",
    "compile_info",
    "dialyzer",
    "external_resource",
];

fn attributes(content: &Content<'_>) -> Result<Option<Vec<(Atom, Term)>>, BeamError> {
    match content {
        Content::File(chunks) => interface::attributes(chunks),
        Content::Loaded(module) => Ok(module.new_module().attributes),
    }
}
