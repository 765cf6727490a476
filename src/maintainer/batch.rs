//! The end of a run in batch mode: every application that waits is taken to the version that is installed by now,
//! what is new is started, and what is removed is stopped, each node as a whole or not at all (`together`).

use super::carry::{Carrier, ITSELF};
use super::part::{Waiting, nodes};
use super::session::{Session, Subject};
use super::survey::survey;
use super::together::whole;
use crate::appup::Direction;
use crate::identity::NodeName;
use crate::installed;
use crate::maint::{
    Action, Change, Changing, Format, Record, Version, decide, order, stop_at_the_end,
};
use crate::outcome::Class;
use crate::term::Atom;

/// Does what waits; the class of the worst answer. The session is one without batch mode: the applications could not
/// wait for it any longer.
pub fn run_batch(session: &Session<'_>) -> Class {
    if session.sets_wait() {
        return Class::Done;
    }
    let mut waiting = waiting(session);
    let mut class = Class::Done;
    for node in &nodes(&waiting) {
        class = class.worse(whole(node, &mut waiting));
    }
    if class == Class::Done {
        for one in &mut waiting {
            class = class.worse(one.carrier.carry_out(&one.rest));
        }
    }
    if class == Class::Done {
        session.tell_of_sets(&waiting);
    }
    session.lenient(class)
}

/// Whether something waits that has to be done before these applications are stopped. Nothing can wait any longer when
/// erlrc itself is removed. Under rpm, where stops do not wait, it is what runs in a version which needs one of these
/// applications, or includes it, until it has been taken to its new version.
pub fn is_in_the_way(session: &Session<'_>, subjects: &[Subject]) -> bool {
    let journal = session.log.journal();
    let itself = |subject: &Subject| subject.application.as_str() == ITSELF;
    if subjects.iter().any(itself) {
        return journal.queued().next().is_some();
    }
    if session.call.format == Format::Deb {
        return false;
    }
    let waits = |record: &Record| {
        let application = Atom::new(&record.application);
        application.is_some_and(|application| {
            subjects
                .iter()
                .all(|subject| subject.application != application)
                && needs(session, &application, subjects)
        })
    };
    journal.queued().any(waits)
}

/// Whether a version of `application` that is kept for the nodes that run it needs one of the others.
fn needs(session: &Session<'_>, application: &Atom, subjects: &[Subject]) -> bool {
    let kept = session.stash.of(application.as_str()).into_iter();
    let mut versions = kept.filter_map(|kept| installed::shipped(application, &kept.dir).ok());
    versions.any(|version| {
        let mut needed = version
            .applications
            .iter()
            .chain(&version.included_applications);
        needed.any(|needed| {
            subjects
                .iter()
                .any(|subject| subject.application == *needed)
        })
    })
}

/// What the journal says that waits, in the order in which it is done.
fn waiting<'a>(session: &'a Session<'_>) -> Vec<Waiting<'a>> {
    let mut found = Vec::new();
    for record in session.log.journal().queued() {
        let Some(subject) = subject(record) else {
            continue;
        };
        let goes = record.to.is_none();
        let minimums = session.log.journal().minimums(&subject.application);
        let (host, facts) = survey(session, &subject, &minimums);
        let to = facts.installed_version().clone();
        let actions = match goes {
            true => stop_at_the_end(&facts),
            false => decide(session.call, &facts),
        };
        let (swaps, rest): (Vec<Action>, Vec<Action>) = actions
            .into_iter()
            .partition(|action| matches!(action, Action::Swap { .. }));
        let mut changes = Vec::new();
        for swap in swaps {
            if let Action::Swap { nodes, change } = swap {
                changes.extend(nodes.into_iter().map(|node| (node, change.clone())));
            }
        }
        let changing = changing(&subject.application, &to, &changes);
        let carrier = Carrier::new(session, &subject, facts, host);
        found.push((
            changing,
            Waiting {
                carrier,
                changes,
                rest,
            },
        ));
    }
    let (changing, found): (Vec<Changing>, Vec<Waiting<'a>>) = found.into_iter().unzip();
    let mut found: Vec<Option<Waiting<'a>>> = found.into_iter().map(Some).collect();
    let in_order = order(&changing).into_iter();
    in_order
        .filter_map(|place| found.get_mut(place)?.take())
        .collect()
}

fn subject(record: &Record) -> Option<Subject> {
    let to = record.to.as_ref().or(record.from.as_ref())?;
    Some(Subject {
        application: Atom::new(&record.application)?,
        version: Version {
            vsn: to.vsn.clone(),
            dir: to.dir.clone()?,
        },
    })
}

fn changing(application: &Atom, to: &Version, changes: &[(NodeName, Change)]) -> Changing {
    let needs = installed::shipped(application, &to.dir).map(|found| {
        let included = found.included_applications;
        found.applications.into_iter().chain(included).collect()
    });
    let direction = changes.first().map(|(_, change)| change.direction);
    Changing {
        application: application.clone(),
        needs: needs.unwrap_or_default(),
        direction: direction.unwrap_or(Direction::Up),
    }
}
