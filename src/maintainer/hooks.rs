//! What a maintainer script needs of the outside: nodes, the package manager, and people.
//!
//! The command line implements this for real nodes by the rounds of the hooks, the tests for nodes that are made up.

use crate::cluster::operation::Operation;
use crate::cluster::{Answer, Outcomes};
use crate::identity::NodeName;
use crate::node::Call;
use crate::rendezvous::{Entries, Entry};
use crate::term::{Atom, Term};

/// Which answers do not end a round: what happens to that node is decided afterwards.
pub type Tolerates<'a> = &'a dyn Fn(&NodeName, &Answer) -> bool;

/// The outside.
pub trait Hooks {
    /// The entries of the nodes of this host; none where they cannot be read, which people are told.
    fn entries(&self) -> Entries;

    /// The answers of the node of `entry` to `calls`; `None` to a call that it cannot carry out.
    ///
    /// # Errors
    /// The node does not answer.
    fn query(&self, entry: &Entry, calls: Vec<Call>) -> Result<Vec<Option<Term>>, Box<Answer>>;

    /// Does `operations` on the nodes of `entries`, as [`crate::cluster::Round::over`] has it, and tells people;
    /// `None` where there is no operation.
    fn round(
        &self,
        entries: &Entries,
        operations: &[Operation],
        tolerates: Tolerates<'_>,
    ) -> Option<Outcomes>;

    /// What the node of `entry` would answer to `operation`; nothing is changed.
    fn foresee(&self, entry: &Entry, operation: &Operation) -> Answer;

    /// Tells people about nodes to which nothing was done; the answers are as if `operation` had been asked for.
    fn say(&self, operation: &Operation, answers: Vec<(NodeName, Answer)>);

    /// Has the node of `entry` load all modules of its erlrc, whose files are about to be removed.
    fn load_modules(&self, entry: &Entry);

    /// Whether the policy of the host allows starting `application` now.
    fn may_start(&self, application: &Atom) -> bool;

    /// Has the package manager call erlrc at the end of its run; whether it will.
    fn call_at_the_end(&self) -> bool;

    /// A sentence on nodes that run and have no entry, if there are any.
    fn unlisted(&self) -> Option<String>;

    /// Tells people what is to be known of `application`.
    fn complain(&self, application: &Atom, text: &str);

    /// Tells people about a file that is passed over.
    fn warn(&self, text: &str);
}
