//! The facts that an event needs.

use super::locate::{Locator, Work};
use super::reach::Reach;
use super::registrations::{self, Registrations};
use super::{Directories, Error, Warning};
use crate::application::Application;
use crate::inclusion::{self, Facts, Loaded, Specification};
use crate::term::Atom;
use foldhash::HashSet;
use std::collections::HashMap;
use std::path::PathBuf;

/// What is asked, in terms of what is on disk.
#[derive(Clone, Debug)]
pub enum Event {
    /// Run everything that is registered.
    Boot,
    /// Start the version of an application that is in a directory.
    Start {
        /// The application.
        application: Atom,
        /// Its version.
        vsn: String,
        /// Its directory, the one that holds `ebin`.
        dir: PathBuf,
    },
    /// Stop an application.
    Stop(Atom),
    /// Take an application to another version, whose specification, overrides put over it, this is.
    Upgrade(Box<Application>),
    /// Do all of this to several applications.
    Change {
        /// Go to these versions.
        upgrade: Vec<Application>,
        /// Run: application, version, directory.
        start: Vec<(Atom, String, PathBuf)>,
        /// Run no more.
        stop: Vec<Atom>,
    },
}

/// What a node says of itself.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// The loaded applications.
    pub loaded: Vec<Loaded>,
    /// `applications` as they were before they were rewritten.
    pub original: HashMap<Atom, Vec<Atom>>,
    /// The applications that run themselves.
    pub running: Vec<Atom>,
    /// The applications that an operation has stopped since.
    pub stopped: Vec<Atom>,
}

/// The facts and the event, as [`inclusion::transition`] takes them.
#[derive(Debug)]
pub struct Survey {
    /// The facts.
    pub facts: Facts,
    /// The event.
    pub event: inclusion::Event,
    /// What somebody should know.
    pub warnings: Vec<Warning>,
}

/// Reads what `event` needs to be answered on `node`.
pub fn survey(directories: &Directories, node: Node, event: Event) -> Result<Survey, Error> {
    let applications = directories.applications();
    let Registrations {
        enabled,
        overridden,
        mut warnings,
    } = match &event {
        Event::Boot => registrations::all(&applications)?,
        Event::Start { .. } => Registrations::default(),
        // Only what is loaded can have been included.
        Event::Stop(_) | Event::Upgrade(_) | Event::Change { .. } => {
            let loaded = node.loaded.iter().map(|loaded| loaded.name.clone());
            registrations::among(&applications, loaded)
        }
    };
    let locator = match &event {
        Event::Boot => Locator::for_many(directories, overridden),
        _ => Locator::new(directories),
    };
    let mut reach = Reach::new(&locator, directories.threads, loaded_names(&node));
    let event = reached(&mut reach, &node, &enabled, event)?;
    warnings.append(&mut reach.warnings);
    let specifications = std::mem::take(&mut reach.specifications);
    let facts = Facts {
        loaded: node.loaded,
        original: node.original,
        running: node.running,
        stopped: node.stopped,
        registered: enabled,
        specifications,
    };
    Ok(Survey {
        facts,
        event,
        warnings,
    })
}

fn loaded_names(node: &Node) -> HashSet<Atom> {
    node.loaded
        .iter()
        .map(|loaded| loaded.name.clone())
        .collect()
}

/// Reads what `event` starts from and all that this reaches.
fn reached(
    reach: &mut Reach<'_, '_>,
    node: &Node,
    enabled: &[Atom],
    event: Event,
) -> Result<inclusion::Event, Error> {
    let event = match event {
        Event::Boot => {
            reach.read(enabled.iter().cloned());
            inclusion::Event::Boot
        }
        Event::Start {
            application,
            vsn,
            dir,
        } => {
            if !node.loaded.iter().any(|loaded| loaded.name == application) {
                start(reach, &application, vsn, dir)?;
            }
            inclusion::Event::Start(application)
        }
        Event::Stop(application) => inclusion::Event::Stop(application),
        Event::Upgrade(application) => {
            let named = application.applications.iter();
            reach.read(named.chain(&application.included_applications).cloned());
            inclusion::Event::Upgrade(application)
        }
        Event::Change {
            upgrade,
            start,
            stop,
        } => inclusion::Event::Change(change(reach, node, upgrade, start, stop)?),
    };
    // What is loaded and does not run may come to, and then needs these.
    for loaded in &node.loaded {
        let original = node
            .original
            .get(&loaded.name)
            .unwrap_or(&loaded.applications);
        reach.read(
            original
                .iter()
                .chain(&loaded.included_applications)
                .cloned(),
        );
    }
    Ok(event)
}

fn change(
    reach: &mut Reach<'_, '_>,
    node: &Node,
    upgrade: Vec<Application>,
    starts: Vec<(Atom, String, PathBuf)>,
    stop: Vec<Atom>,
) -> Result<inclusion::Change, Error> {
    let mut names = Vec::new();
    for (application, vsn, dir) in starts {
        if !node.loaded.iter().any(|loaded| loaded.name == application) {
            start(reach, &application, vsn, dir)?;
        }
        names.push(application);
    }
    for application in &upgrade {
        let named = application.applications.iter();
        reach.read(named.chain(&application.included_applications).cloned());
    }
    Ok(inclusion::Change {
        upgrade,
        start: names,
        stop,
    })
}

fn start(
    reach: &mut Reach<'_, '_>,
    application: &Atom,
    vsn: String,
    dir: PathBuf,
) -> Result<(), Error> {
    let mut work = Work::default();
    let (found, ebin) = reach.locator().inside(application, &dir, &mut work)?;
    if found.vsn != vsn {
        return Err(Error::VersionMismatch {
            application: application.clone(),
            dir,
            wanted: vsn,
            found: found.vsn,
        });
    }
    reach.take(
        application.clone(),
        Specification::Found {
            application: Box::new(found),
            ebin,
        },
    );
    Ok(())
}
