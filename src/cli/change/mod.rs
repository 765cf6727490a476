//! The short forms of upgrade, downgrade and undo: from what each node runs to what is installed, or was named.
//!
//! All applications that are named are changed as one. Nodes that run the same versions from the same directories are
//! changed together, all or none; nodes on different versions one group after the other, each from where it is.

mod still;

pub use still::{Still, tell, unchanged};

use super::arguments::{Apps, application, directory, vsn};
use super::hook::operation::{self, Operation, Step};
use super::hook::request::versions;
use super::hook::{self, Answer, Asker, HookArguments, Options, Round};
use super::resolution::{self, Known, Version};
use super::{Common, Failure, Status, nodes, status};
use crate::appup::Direction;
use crate::history::NodeRecord;
use crate::identity::NodeName;
use crate::outcome::Outcome;
use crate::rendezvous::{Entries, Entry, RendezvousError};
use crate::term::{Atom, Term};
use std::path::{Path, PathBuf};

/// An application, and the version that is to run; what is installed, where none is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The application.
    pub application: Atom,
    /// The version.
    pub vsn: Option<String>,
}

/// Reads `APP` or `APP=VSN`.
pub fn wanted(text: &str) -> Result<Wanted, Failure> {
    let wrong = |why: String| Failure::new(Status::Usage, format!("{text}: {why}"));
    let (name, version) = match text.split_once('=') {
        Some((name, version)) => (name, Some(vsn(version).map_err(wrong)?)),
        None => (text, None),
    };
    Ok(Wanted {
        application: application(name).map_err(wrong)?,
        vsn: version,
    })
}

/// Whether `words` are the long form, `APP VSN VSN [DIR DIR]`, and not several applications: a version is no name of an
/// application, or at least none that this host knows.
pub fn is_long(words: &[String], common: &Common) -> bool {
    let [_, second, ..] = words else {
        return false;
    };
    let apps = Apps::of_environment().apps;
    let known = |name: Atom| resolution::is_known_to_host(&name, common, &apps);
    let names = words.iter().any(|word| word.contains('='));
    !names && matches!(words.len(), 3 | 5) && !application(second).is_ok_and(known)
}

/// The long form.
type Long = (Atom, [String; 2], [Option<PathBuf>; 2]);

/// Reads it; says which of the words is none.
pub fn long(words: &[String]) -> Result<Long, Failure> {
    let wrong = |why: String| Failure::new(Status::Usage, why);
    let name = |word: &String| application(word).map_err(|why| wrong(format!("{word}: {why}")));
    let version = |word: &String| vsn(word).map_err(|why| wrong(format!("{word}: {why}")));
    let dir = |word: &String| directory(word).map_err(|why| wrong(format!("{word}: {why}")));
    match words {
        [app, one, other] => Ok((name(app)?, [version(one)?, version(other)?], [None, None])),
        [app, one, other, dir_of_one, dir_of_other] => Ok((
            name(app)?,
            [version(one)?, version(other)?],
            [Some(dir(dir_of_one)?), Some(dir(dir_of_other)?)],
        )),
        _ => Err(wrong(
            "two versions, with both directories or none".to_owned(),
        )),
    }
}

/// How it is to be done.
pub struct Change<'a> {
    /// What the person called: `upgrade`, `downgrade` or `undo`.
    pub command: &'static str,
    /// What the command line says of nodes and time.
    pub hook: &'a HookArguments,
    /// How upgrades are carried out.
    pub options: &'a Options,
    /// What holds for every command.
    pub common: &'a Common,
}

/// From where to where an application goes on a node.
#[derive(Clone, PartialEq)]
struct Way {
    application: Atom,
    from: Version,
    to: Version,
}

/// Nodes on which the same applications go the same way, all of them as one.
struct Group {
    ways: Vec<Way>,
    entries: Entries,
}

/// Of each node the ways that its applications go.
type Ways<'a> = Vec<(&'a NodeName, Vec<Way>)>;

/// What a node has of an application, or why it does not say.
type Said = Result<Known, Box<Answer>>;

impl Change<'_> {
    /// Takes every node to what is wanted.
    pub fn to(&self, wanted: &[Wanted]) -> Result<Status, Failure> {
        if hook::skipped() {
            return Ok(Status::Done);
        }
        let entries = nodes::entries(self.common, &self.hook.connection)?;
        let mut status = Status::Done;
        if entries.is_empty() || wanted.is_empty() {
            status = self.nothing(&entries);
        }
        let mut ways: Ways = entries.iter().map(|(name, _)| (name, Vec::new())).collect();
        for one in wanted {
            status = status.worse(self.one(one, &entries, &mut ways)?);
        }
        for group in groups(ways, &entries) {
            if matches!(status, Status::Done | Status::Unreachable) {
                status = status.worse(self.group(&group));
            }
        }
        if !self.hook.dry_run {
            status::refresh(self.common, &self.hook.connection);
        }
        Ok(status)
    }

    /// Says that there is nothing to do, why, and which nodes do not answer.
    fn nothing(&self, entries: &Entries) -> Status {
        let silent = self.silent(entries);
        let inventory =
            crate::installed::inventory(&self.common.root, &Apps::of_environment().apps);
        let why = match (inventory.installed.is_empty(), silent.is_empty()) {
            (true, _) => "no package says what is installed; erlrc upgrade APP=VSN names it",
            (false, true) => "every node runs what is installed",
            (false, false) => "every node that answers runs what is installed",
        };
        let text = match entries.is_empty() {
            true => nodes::none(self.common, &self.hook.connection),
            false => format!("nothing to do: {why}"),
        };
        self.common.output().text(&format!("{text}\n"));
        if silent.is_empty() {
            self.unchanged(None, &[], Status::Done);
        }
        self.say(None, &silent)
    }

    /// The applications of which a node runs another version than is installed.
    pub fn pending(&self) -> Result<Vec<Wanted>, Failure> {
        let apps = Apps::of_environment().apps;
        let inventory = crate::installed::inventory(&self.common.root, &apps);
        let entries = nodes::entries(self.common, &self.hook.connection)?;
        let differs = |name: &Atom, installed: &str| {
            let said = entries.iter().filter_map(|(_, entry)| entry.as_ref().ok());
            let mut running = said.filter_map(|entry| self.ask(entry, name).ok()?.running);
            running.any(|running| running != installed)
        };
        let installed = inventory.installed.into_values();
        let pending = installed.filter(|found| differs(&found.application, &found.vsn));
        Ok(pending
            .map(|found| Wanted {
                application: found.application,
                vsn: None,
            })
            .collect())
    }

    /// What each node that answers runs of an application.
    pub fn running(&self, application: &Atom) -> Result<Vec<(NodeName, Option<String>)>, Failure> {
        let entries = nodes::entries(self.common, &self.hook.connection)?;
        let said = entries.into_iter().filter_map(|(node, entry)| {
            let known = self.ask(&entry.ok()?, application).ok()?;
            Some((node, known.running))
        });
        Ok(said.collect())
    }

    /// What each node has of an application.
    fn said<'e>(&self, entries: &'e Entries, application: &Atom) -> Vec<(&'e NodeName, Said)> {
        let one = |(node, entry): &'e (NodeName, Result<Entry, RendezvousError>)| match entry {
            Ok(entry) => (node, self.ask(entry, application)),
            Err(error) => (node, Err(Box::new(Answer::entry_refused(error)))),
        };
        entries.iter().map(one).collect()
    }

    /// The nodes that do not answer, whatever they are asked.
    fn silent(&self, entries: &Entries) -> Vec<Still> {
        let Some(erlrc) = Atom::new("erlrc") else {
            return Vec::new();
        };
        let said = self.said(entries, &erlrc).into_iter();
        said.filter_map(|(node, said)| Some(Still::of_answer(node, *said.err()?)))
            .collect()
    }

    fn ask(&self, entry: &Entry, application: &Atom) -> Said {
        let asker = Asker {
            connection: &self.hook.connection,
        };
        let answers = asker.query(entry, vec![versions(application)])?;
        let answer = answers.into_iter().next().flatten();
        Ok(Known::of_answer(&answer.unwrap_or(Term::NIL)))
    }

    /// Finds from where to where `wanted` goes on each node.
    fn one(
        &self,
        wanted: &Wanted,
        entries: &Entries,
        ways: &mut Ways<'_>,
    ) -> Result<Status, Failure> {
        let name = &wanted.application;
        let apps = Apps::of_environment().apps;
        let said = self.said(entries, name);
        let has = |(_, said): &(_, Said)| said.as_ref().is_ok_and(Known::is_anything);
        if !resolution::is_known_to_host(name, self.common, &apps) && !said.iter().any(has) {
            return Err(resolution::nowhere(name));
        }
        let mut still = Vec::new();
        for (node, said) in said {
            match said {
                Err(answer) => still.push(Still::of_answer(node, *answer)),
                Ok(known) => match self.way(wanted, &known, &apps)? {
                    None => still.push(Still::of_known(node, known)),
                    Some((from, to)) => {
                        let application = name.clone();
                        let of = ways.iter_mut().filter(|(of, _)| *of == node);
                        let way = Way {
                            application,
                            from,
                            to,
                        };
                        // Who names an application twice means it once.
                        of.filter(|(_, ways)| ways.iter().all(|one| one.application != *name))
                            .for_each(|(_, ways)| ways.push(way.clone()));
                    }
                },
            }
        }
        Ok(self.say(Some(name), &still))
    }

    /// From where to where a node goes; none where it has nothing to do.
    fn way(
        &self,
        wanted: &Wanted,
        known: &Known,
        apps: &Path,
    ) -> Result<Option<(Version, Version)>, Failure> {
        let name = &wanted.application;
        let Some(running) = &known.running else {
            return Ok(None);
        };
        if wanted.vsn.as_ref() == Some(running) {
            return Ok(None);
        }
        let to = known.target(name, wanted.vsn.as_deref(), apps);
        let hint = "its package has to be installed, or the long form names both directories";
        let to = match (to, &wanted.vsn) {
            (Ok(to), _) => to,
            (Err(failure), Some(_)) => return Err(failure.hint(hint)),
            // Nothing else is installed: what runs is all there is.
            (Err(_), None) => return Ok(None),
        };
        if to.vsn == *running {
            return Ok(None);
        }
        let gone = || Version {
            vsn: running.clone(),
            dir: known.origin.clone().unwrap_or_default(),
        };
        let from = known.old_side(name).unwrap_or_else(gone);
        Ok(Some((from, to)))
    }

    /// Says which nodes are not changed; the worst of their statuses.
    fn say(&self, name: Option<&Atom>, still: &[Still]) -> Status {
        still::tell(self.command, name, still, self.hook, self.common)
    }

    fn unchanged(&self, name: Option<&Atom>, nodes: &[&NodeRecord], status: Status) {
        unchanged(self.command, name, (nodes, status), self.hook, self.common);
    }

    /// All applications of a group as one; one after the other where a node has an erlrc that knows no sets.
    fn group(&self, group: &Group) -> Status {
        let changes: Vec<Operation> = group.ways.iter().map(|way| self.operation(way)).collect();
        let Some(together) = Operation::together(changes.clone(), self.options) else {
            return Status::Done;
        };
        // A node that cannot keep the way back open is not asked application by application either.
        if changes.len() > 1
            && self.options.provisional.is_none()
            && let Some(node) = self.without_sets(&group.entries, &together)
        {
            let text = format!(
                "{node} has an older erlrc: the applications are changed one after the other, not as one\n"
            );
            self.common.output().text(&text);
            return self.one_by_one(&group.entries, &changes);
        }
        self.round(&group.entries, together)
    }

    fn one_by_one(&self, entries: &Entries, changes: &[Operation]) -> Status {
        let mut status = Status::Done;
        for one in changes {
            if matches!(status, Status::Done | Status::Unreachable) {
                status = status.worse(self.round(entries, one.clone()));
            }
        }
        status
    }

    fn operation(&self, way: &Way) -> Operation {
        let side = |version: &Version| operation::Version {
            vsn: version.vsn.clone(),
            dir: (!version.dir.as_os_str().is_empty()).then(|| version.dir.clone()),
        };
        let (from, to) = (side(&way.from), side(&way.to));
        Operation {
            application: way.application.clone(),
            step: match way.from.way_to(&way.to) {
                Direction::Up => Step::Upgrade { from, to },
                Direction::Down => Step::Downgrade { from, to },
            },
            options: self.options.clone(),
        }
    }

    /// A node that refuses the question what it would do with several applications, for it does not know it.
    fn without_sets<'e>(&self, entries: &'e Entries, together: &Operation) -> Option<&'e NodeName> {
        let asker = Asker {
            connection: &self.hook.connection,
        };
        let is_old = |entry: &Entry| {
            let question = together.dry_run(self.hook.connection.node_timeout);
            let answers = asker.query(entry, vec![question]).ok()?;
            let answer = Answer::parse(&answers.into_iter().next().flatten()?)?;
            (answer.outcome == Outcome::BadRequest).then_some(())
        };
        let mut readable = entries
            .iter()
            .filter_map(|(name, entry)| Some((name, entry.as_ref().ok()?)));
        readable.find_map(|(name, entry)| is_old(entry).map(|()| name))
    }

    fn round(&self, entries: &Entries, operation: Operation) -> Status {
        let outcome = Round::new(self.hook, self.common).over(entries, &[operation]);
        outcome.map_or(Status::Done, |outcome| outcome.class.into())
    }
}

/// Nodes that go the same ways belong together.
fn groups(ways: Ways<'_>, entries: &Entries) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for ((_, ways), (name, entry)) in std::iter::zip(ways, entries) {
        let Ok(entry) = entry else { continue };
        if ways.is_empty() {
            continue;
        }
        let entry = (name.clone(), Ok(entry.clone()));
        match groups.iter_mut().find(|group| group.ways == ways) {
            Some(group) => group.entries.push(entry),
            None => groups.push(Group {
                ways,
                entries: vec![entry],
            }),
        }
    }
    groups
}
