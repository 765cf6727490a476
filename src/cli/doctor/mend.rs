//! Mends what is safe to mend.

use crate::cli::Status;
use crate::cli::hook::{Answer, called_off, chain, open, request};
use crate::cli::maint::Session;
use crate::cli::nodes;
use crate::environment::content;
use crate::maint::{Checkup, Finding, Repair, State};
use crate::maintainer::Note;
use crate::outcome::Outcome;
use crate::term::Atom;
use std::collections::BTreeMap;
use std::path::Path;

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mended {
    /// It is as it should be.
    Done,
    /// It is not.
    Failed(String),
}

/// Mends each of `findings`; `None` where there is nothing that could be done. Nodes come first: what
/// is kept is kept for them.
pub fn mend(session: &Session<'_>, checkup: &Checkup, findings: &[Finding]) -> Vec<Option<Mended>> {
    let mut reconciled: BTreeMap<Atom, Mended> = BTreeMap::new();
    for finding in findings {
        if let Some(Repair::Reconcile(name)) = &finding.repair
            && !reconciled.contains_key(name)
        {
            reconciled.insert(name.clone(), bring(session, checkup, name));
        }
    }
    let one = |finding: &Finding| {
        Some(match finding.repair.as_ref()? {
            Repair::Reconcile(name) => reconciled.get(name)?.clone(),
            Repair::Discard(dir) => discard(session, dir),
            Repair::Remove(dir) => remove(dir),
            Repair::Close(name) => {
                session.engine.log.note(State::Done, name, Note::default());
                Mended::Done
            }
            Repair::Settle(node, name) => settle(session, node, name),
        })
    };
    findings.iter().map(one).collect()
}

/// To the version that is installed, where it can be had hot.
fn bring(session: &Session<'_>, checkup: &Checkup, name: &Atom) -> Mended {
    let package = checkup
        .packages
        .iter()
        .find(|package| package.application == *name);
    let Some(package) = package else {
        return Mended::Failed("no package has it".to_owned());
    };
    let (class, all) = session.engine.reconcile(name, &package.version);
    match (Status::from(class), all) {
        (Status::Done, true) => Mended::Done,
        (Status::Done, false) => Mended::Failed("the node must be restarted".to_owned()),
        (status, _) => Mended::Failed(status.meaning().to_owned()),
    }
}

/// The node does it, and says whether the application is of one version by then.
fn settle(session: &Session<'_>, node: &str, name: &Atom) -> Mended {
    let connection = &session.hook.connection;
    let failed = |why: String| Mended::Failed(why);
    let entries = match nodes::entries(session.common, connection) {
        Ok(entries) => entries,
        Err(failure) => return failed(failure.text()),
    };
    let entry = entries
        .into_iter()
        .find(|(found, _)| found.to_string() == node);
    let Some((_, Ok(entry))) = entry else {
        return failed(format!("{node} is not there any more"));
    };
    let mut link = match open(&entry, connection) {
        Ok(link) => link,
        Err(answer) => return failed(answer.outcome.to_string()),
    };
    let patience = connection.node_timeout;
    let answer = link.call(request::settle(name, patience), called_off(patience));
    match answer.map(|term| Answer::parse(&term)) {
        Ok(Some(answer)) if answer.outcome == Outcome::Settled => Mended::Done,
        Ok(Some(answer)) => failed(answer.reason.unwrap_or_else(|| answer.outcome.to_string())),
        Ok(None) => failed("the node's answer is not understood".to_owned()),
        Err(error) => failed(chain(&error)),
    }
}

/// Already gone where bringing the nodes to what is installed has settled it.
fn discard(session: &Session<'_>, dir: &Path) -> Mended {
    match session.engine.stash.discard(dir) {
        Ok(()) => Mended::Done,
        Err(error) => Mended::Failed(chain(&error)),
    }
}

fn remove(dir: &Path) -> Mended {
    // Read-only ones too.
    match content::remove(dir) {
        Ok(()) => Mended::Done,
        Err(error) => Mended::Failed(chain(&error)),
    }
}
