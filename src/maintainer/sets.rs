//! The sets of the services whose packages are installed: while there is one, a run is changed at its end, and nothing
//! of it before all that the sets name is installed.

use super::part::Waiting;
use super::session::Session;
use super::survey::metadata;
use crate::installed;
use crate::maint::{Moment, NodeState, ServiceSet};
use crate::outcome::Class;
use crate::term::Atom;
use std::path::Path;

/// The sets in a directory, by service. Files that hold none, as those that dpkg is about to replace, are left out.
pub fn sets(dir: &Path) -> Vec<ServiceSet> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let set = |path: &Path| {
        let terms = installed::consult(path).ok()?;
        let [term] = terms.as_slice() else {
            return None;
        };
        let set = ServiceSet::from_term(term)?;
        let named = path.file_name().is_some_and(|name| *name == *set.service);
        named.then_some(set)
    };
    let found = entries.filter_map(|entry| set(&entry.path()));
    let mut found: Vec<ServiceSet> = found.collect();
    found.sort_by(|one, other| one.service.cmp(&other.service));
    found
}

impl Session<'_> {
    /// Does what a script of the package of `service` is called for: a set that is not installed as a whole fails the
    /// package; a whole one is what the end of the run goes by.
    pub fn perform_set(&self, service: &str, vsn: &str) -> Class {
        if self.call.moment == Moment::Configure {
            let sets = sets(&self.sets).into_iter();
            let mut own = sets.filter(|set| set.service == service && set.vsn == vsn);
            if own.any(|set| !self.is_whole(&set)) {
                return Class::Refused;
            }
        }
        let ends = !matches!(self.call.moment, Moment::Nothing | Moment::Prepare);
        let waits = self.log.journal().queued().next().is_some();
        if ends && waits && !self.hooks.call_at_the_end() {
            let text = "dpkg-trigger failed; run `erlrc maint deb trigger` when the packages are configured";
            self.hooks.warn(text);
        }
        Class::Done
    }

    /// Whether what waits has to wait on, for a set is not installed as a whole; people are told of it.
    pub(super) fn sets_wait(&self) -> bool {
        let waits = self.log.journal().queued().next().is_some();
        let sets = if waits { sets(&self.sets) } else { Vec::new() };
        // Each of them is told of.
        sets.iter().filter(|set| !self.is_whole(set)).count() > 0
    }

    fn is_whole(&self, set: &ServiceSet) -> bool {
        let installed = |name: &Atom| Some(metadata(&self.apps, name)?.vsn);
        let missing = set.missing(installed);
        if let (Some(service), false) = (Atom::new(&set.service), missing.is_empty()) {
            let text = format!(
                "{} waits, no node changes: {}; install the set, or remove the package of the service",
                set.vsn,
                missing.join(", ")
            );
            self.hooks.complain(&service, &text);
        }
        missing.is_empty()
    }

    /// Tells of the sets of which something has changed, and which every node runs now as far as it runs them.
    pub(super) fn tell_of_sets(&self, changed: &[Waiting<'_>]) {
        for set in sets(&self.sets) {
            let is_named =
                |one: &&Waiting<'_>| set.applications.contains_key(&one.carrier.application);
            let runs = |one: &Waiting<'_>| {
                let wanted = set.applications.get(&one.carrier.application);
                one.carrier.states().all(|state| match state {
                    NodeState::Running(vsn) => Some(vsn) == wanted,
                    NodeState::Idle => true,
                    NodeState::Unknown => false,
                })
            };
            let mut named = changed.iter().filter(is_named).peekable();
            let service = Atom::new(&set.service).filter(|_| named.peek().is_some());
            if let (Some(service), true) = (service, named.all(runs)) {
                self.hooks.complain(&service, &format!("{} runs", set.vsn));
            }
        }
    }
}
