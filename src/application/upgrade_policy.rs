//! The upgrade policy: what to do if an upgrade cannot be hot, `{upgrade_policy, [hot,
//! restart_application, defer]}`.

use crate::term::Term;

/// A way to bring a node to another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Replace the code without a restart.
    Hot,
    /// Stop the old version and start the new one; its state is lost.
    RestartApplication,
    /// Keep running the old version, whose files are kept in the stash, until the node is
    /// restarted.
    Defer,
}

/// The ways to try, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradePolicy(Vec<Strategy>);

impl Default for UpgradePolicy {
    fn default() -> Self {
        Self(vec![Strategy::Hot, Strategy::Defer])
    }
}

impl UpgradePolicy {
    /// Parses a list of words; `None` if it is not such a list, or empty.
    pub fn from_term(term: &Term) -> Option<Self> {
        let words = term.elements()?;
        let strategies: Option<Vec<Strategy>> = words
            .iter()
            .map(|word| match word.as_atom()?.as_str() {
                "hot" => Some(Strategy::Hot),
                "restart_application" => Some(Strategy::RestartApplication),
                "defer" => Some(Strategy::Defer),
                _ => None,
            })
            .collect();
        strategies
            .filter(|strategies| !strategies.is_empty())
            .map(Self)
    }

    /// The first way.
    pub fn first(&self) -> Strategy {
        self.0.first().copied().unwrap_or(Strategy::Hot)
    }

    /// The way to try after `strategy`; `None` if it was the last one, which makes it a failure.
    pub fn after(&self, strategy: Strategy) -> Option<Strategy> {
        let tried = self.0.iter().position(|&known| known == strategy)?;
        self.0.get(tried + 1).copied()
    }

    /// Whether a node may keep running the old version.
    pub fn defers(&self) -> bool {
        self.0.contains(&Strategy::Defer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Limits, text};

    fn policy(source: &str) -> Option<UpgradePolicy> {
        let terms = text::parse_all(source.as_bytes(), &Limits::default()).expect("a term");
        UpgradePolicy::from_term(&terms[0])
    }

    #[test]
    fn each_strategy_follows_the_one_before_it() {
        let all = policy("[hot, restart_application, defer].").expect("a policy");
        assert_eq!(all.after(Strategy::Hot), Some(Strategy::RestartApplication));
        assert_eq!(
            all.after(Strategy::RestartApplication),
            Some(Strategy::Defer)
        );
        assert_eq!(all.after(Strategy::Defer), None);
        let strict = policy("[hot].").expect("a policy");
        assert_eq!(
            (strict.after(Strategy::Hot), strict.defers()),
            (None, false)
        );
        assert_eq!(
            UpgradePolicy::default().after(Strategy::Hot),
            Some(Strategy::Defer)
        );
        assert_eq!(
            policy("[restart_application].").map(|policy| policy.first()),
            Some(Strategy::RestartApplication)
        );
    }

    #[test]
    fn what_is_no_list_of_its_words_is_no_policy() {
        for source in ["[].", "hot.", "[warm].", "[hot, 1]."] {
            assert_eq!(policy(source), None, "{source}");
        }
    }
}
