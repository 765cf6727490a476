//! The release of a service that nodes try: written down before the first node is asked, and gone when the release has
//! become current or the nodes have gone back.
//!
//! The way back itself, and the time after which it is gone, are the nodes'. What is here tells the next command what was
//! begun, whatever became of the one before.

use super::error::{ReleaseError, refused, unusable};
use super::store::{Locked, Store, make_below, suffixed, write};
use crate::environment::content;
use crate::trust;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;

/// The name of the file.
const TRIAL: &str = "trial";
/// The form of the file.
const FORM: u32 = 1;

/// A release that is on trial. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    form: u32,
    /// The version of the release.
    pub release: String,
    /// The release that was current when it began.
    pub from: String,
    /// When it began.
    #[serde(rename = "begun_ms")]
    pub begun: u64,
    /// When the nodes go back; `None` until all of them are through.
    #[serde(rename = "until_ms")]
    pub until: Option<u64>,
    /// The nodes.
    pub nodes: Vec<String>,
}

impl Trial {
    /// One that begins now.
    pub fn new(release: &str, from: &str, begun: u64, nodes: Vec<String>) -> Self {
        Self {
            form: FORM,
            release: release.to_owned(),
            from: from.to_owned(),
            begun,
            until: None,
            nodes,
        }
    }

    /// How far it has come at the time `now`, where `current` is the current release.
    pub fn stage(&self, current: Option<&str>, now: u64) -> Stage {
        match self.until {
            _ if current == Some(self.release.as_str()) => Stage::Committed,
            None => Stage::Begun,
            Some(until) if now < until => Stage::OnTrial(until),
            Some(until) => Stage::Over(until),
        }
    }
}

/// How far a trial has come, as the host knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not all nodes are known to be through.
    Begun,
    /// The nodes go back at this time.
    OnTrial(u64),
    /// They went back at this time, unless they could not.
    Over(u64),
    /// The release is current, and not all of what follows that is done.
    Committed,
}

impl Store {
    /// The release of a service that is on trial.
    pub fn trial(&self, service: &str) -> Result<Option<Trial>, ReleaseError> {
        let file = self.state.join(service).join(TRIAL);
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| unusable(&file, error))?,
        };
        let read = serde_json::from_str::<Trial>(&text).ok();
        let known = read.filter(|trial| trial.form == FORM && super::is_name(&trial.release));
        let odd = || refused(&file, "does not say which release is on trial");
        known.map(Some).ok_or_else(odd)
    }

    /// The services that have a release on trial, or whose file cannot be read.
    pub fn trials(&self) -> Vec<(String, Result<Trial, ReleaseError>)> {
        let mut names = crate::file::names(&self.state);
        names.retain(|name| super::is_name(name));
        names.sort_unstable();
        let one = |name: String| Some((self.trial(&name).transpose()?, name));
        let found = names.into_iter().filter_map(one);
        found.map(|(trial, name)| (name, trial)).collect()
    }
}

impl Locked<'_> {
    /// Writes down what is on trial, in the place of what was so before.
    pub fn set_trial(&self, trial: &Trial) -> Result<(), ReleaseError> {
        make_below(&self.store.state, &[&self.service])?;
        let dir = self.store.state.join(&self.service);
        let file = dir.join(TRIAL);
        let new = suffixed(&file, ".new");
        content::remove(&new)?;
        let text = serde_json::to_string(trial).unwrap_or_default();
        write(&new, &format!("{text}\n"))?;
        fs::rename(&new, &file).map_err(|error| unusable(&file, error))?;
        Ok(trust::sync(&dir)?)
    }

    /// Nothing is on trial any more.
    pub fn end_trial(&self) -> Result<(), ReleaseError> {
        let dir = self.store.state.join(&self.service);
        let file = dir.join(TRIAL);
        match fs::remove_file(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            removed => removed.map_err(|error| unusable(&file, error))?,
        }
        Ok(trust::sync(&dir)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::store::Pointer;

    fn trial() -> Trial {
        let nodes = vec!["n1".to_owned()];
        Trial::new("2", "1", 5, nodes)
    }

    #[test]
    fn what_is_on_trial_is_what_was_written_last() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("services"), dir.path().join("state"));
        assert_eq!(store.trial("shop").unwrap(), None);
        let locked = store.lock("shop").unwrap();
        locked.set_trial(&trial()).unwrap();
        let until = Trial {
            until: Some(9),
            ..trial()
        };
        locked.set_trial(&until).unwrap();
        assert_eq!(store.trial("shop").unwrap(), Some(until));
        assert_eq!(store.trials().len(), 1);
        assert_eq!(store.pointer("shop", Pointer::Current).unwrap(), None);
        locked.end_trial().unwrap();
        locked.end_trial().unwrap();
        assert_eq!(store.trial("shop").unwrap(), None);
    }

    #[test]
    fn the_stage_is_told_by_the_link_and_the_time() {
        let until = Trial {
            until: Some(9),
            ..trial()
        };
        assert_eq!(trial().stage(Some("1"), 6), Stage::Begun);
        assert_eq!(until.stage(Some("1"), 8), Stage::OnTrial(9));
        assert_eq!(until.stage(Some("1"), 9), Stage::Over(9));
        assert_eq!(until.stage(Some("2"), 6), Stage::Committed);
        assert_eq!(trial().stage(None, 6), Stage::Begun);
    }

    #[test]
    fn a_file_that_says_something_else_is_no_trial() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("services"), dir.path().join("state"));
        let locked = store.lock("shop").unwrap();
        locked.set_trial(&trial()).unwrap();
        let file = dir.path().join("state/shop/trial");
        let whole = fs::read_to_string(&file).unwrap();
        let others = [
            "".to_owned(),
            "{}".to_owned(),
            whole[..whole.len() / 2].to_owned(),
            whole.replace("\"form\":1", "\"form\":2"),
            whole.replace("\"release\":\"2\"", "\"release\":\"../2\""),
        ];
        for text in others {
            fs::remove_file(&file).unwrap();
            fs::write(&file, &text).unwrap();
            let error = store.trial("shop").unwrap_err().to_string();
            assert!(error.ends_with("does not say which release is on trial"));
            assert!(store.trials()[0].1.is_err());
        }
    }
}
