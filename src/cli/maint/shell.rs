//! The outside of [`crate::maintainer`], for real nodes: rounds of the hooks, dpkg, standard error.

use super::policy_rc;
use crate::cli::hook::operation::Operation;
use crate::cli::hook::{self, Answer, HookArguments, Report, Round, query};
use crate::cli::nodes::{self, connect};
use crate::cli::{Common, output};
use crate::cluster::Outcomes;
use crate::identity::NodeName;
use crate::maint::Format;
use crate::maintainer::{Hooks, Tolerates};
use crate::node::{Call, Deadline};
use crate::rendezvous::{Entries, Entry};
use crate::term::{Atom, Term};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The trigger of erlrc's own package that ends a run in batch mode.
const TRIGGER: &str = "erlrc-batch";

/// The command line of one call.
pub struct Shell<'a> {
    format: Format,
    hook: &'a HookArguments,
    common: &'a Common,
    started: Instant,
}

impl<'a> Shell<'a> {
    /// That of a call which begins now.
    pub fn new(format: Format, hook: &'a HookArguments, common: &'a Common) -> Self {
        Self {
            format,
            hook,
            common,
            started: Instant::now(),
        }
    }
}

impl Hooks for Shell<'_> {
    fn entries(&self) -> Entries {
        nodes::entries(self.common, &self.hook.connection).unwrap_or_else(|failure| {
            output::error_text(&failure.text());
            Entries::new()
        })
    }

    fn query(&self, entry: &Entry, calls: Vec<Call>) -> Result<Vec<Option<Term>>, Box<Answer>> {
        query(entry, &self.hook.connection, calls)
    }

    fn round(
        &self,
        entries: &Entries,
        operations: &[Operation],
        tolerates: Tolerates<'_>,
    ) -> Option<Outcomes> {
        let round = Round {
            arguments: self.hook,
            output: self.common.output(),
            state: &self.common.state,
            started: self.started,
            tolerates,
        };
        round.over(entries, operations)
    }

    fn foresee(&self, entry: &Entry, operation: &Operation) -> Answer {
        hook::foresee(entry, self.hook, operation)
    }

    fn say(&self, operation: &Operation, answers: Vec<(NodeName, Answer)>) {
        let mut report = Report::new(operation, false, self.common.output());
        for (node, answer) in answers {
            report.node(&node, answer);
        }
        report.end_line();
        report.finish();
    }

    fn load_modules(&self, entry: &Entry) {
        let connection = &self.hook.connection;
        if let Ok(mut node) = connect(entry, connection) {
            let load = Call {
                module: "erlrc_node",
                function: "load_modules",
                arguments: Vec::new(),
            };
            let _ = node.call(load, Deadline::after(connection.connect_timeout));
        }
    }

    fn may_start(&self, application: &Atom) -> bool {
        policy_rc::may_start(application.as_str())
    }

    /// rpm calls erlrc by itself.
    fn call_at_the_end(&self) -> bool {
        if self.format == Format::Rpm {
            return true;
        }
        let mut trigger = Command::new("dpkg-trigger");
        trigger.args(["--no-await", TRIGGER]).stdin(Stdio::null());
        trigger.stdout(Stdio::null());
        trigger.status().is_ok_and(|status| status.success())
    }

    fn unlisted(&self) -> Option<String> {
        let (common, connection) = (self.common, &self.hook.connection);
        let entries = nodes::entries(common, connection).unwrap_or_default();
        nodes::unlisted(&entries, common, connection)
    }

    fn complain(&self, application: &Atom, text: &str) {
        let line = format!("erlrc-maint: {application}: {text}");
        output::error_text(&format!("{}\n", output::printable(&line)));
    }

    fn warn(&self, text: &str) {
        self.common.output().warning(text);
    }
}
