//! `erlrc eval`: evaluates what a person wrote, on one node.

use super::arguments::node_name;
use super::{Common, Connection, Failure, Status, nodes, output};
use crate::identity::NodeName;
use crate::node::{Deadline, Evaluation, NodeError};
use serde_json::json;

/// Arguments of `erlrc eval`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Prints the value as the Erlang shell would; what the expressions print comes before it. Errors go to
standard error with status 1, as does a node that is down.

JSON: {\"kind\": \"eval\", \"version\": 1, \"node\", \"value\", \"output\"}, with error in place of value where evaluation failed.

Examples:
  erlrc eval n1 'application:which_applications()'
  erlrc eval n1@host 'X = 6, Y = 7, X * Y.'
  echo 'erlang:memory(total)' | erlrc eval n1 -")]
#[command(mut_arg("only", |only| only.hide(true)))]
pub struct Arguments {
    /// The node, as its entry is named; the host may be left out
    #[arg(value_parser = node_name, value_name = "NODE")]
    target: NodeName,
    /// The expressions, or - to read them from standard input
    #[arg(allow_hyphen_values = true)]
    expressions: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, thiserror::Error)]
enum EvalError {
    #[error("cannot speak to {node}")]
    Node { node: NodeName, source: NodeError },
    #[error("cannot read standard input")]
    Input { source: std::io::Error },
}

/// Evaluates and prints.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let out = common.output();
    let text = text(arguments)?;
    let entries = nodes::entries(common, &arguments.connection)?;
    let entry = nodes::lookup(&arguments.target, entries)
        .map_err(|error| nodes::not_found(error, common, &arguments.connection))?;
    entry
        .warnings
        .iter()
        .for_each(|warning| out.warning(warning));
    let failed = |source: NodeError| {
        let status = status(&source);
        Failure::new(
            status,
            EvalError::Node {
                node: arguments.target.clone(),
                source,
            },
        )
    };
    let mut node = nodes::connect(&entry, &arguments.connection).map_err(failed)?;
    let deadline = Deadline::after(arguments.connection.node_timeout);
    let mut printed = Vec::new();
    let evaluation = node
        .eval(&text, deadline, &mut |bytes| {
            if out.is_json() {
                let room = OUTPUT_LIMIT - printed.len();
                printed.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            } else {
                out.text(&output::printable_lines(&String::from_utf8_lossy(bytes)));
            }
        })
        .map_err(failed)?;
    if printed.len() == OUTPUT_LIMIT {
        out.warning(&format!("the output is cut after {OUTPUT_LIMIT} bytes"));
    }
    let printed = String::from_utf8_lossy(&printed);
    let name = node
        .peer()
        .map_or_else(|| entry.name.to_string(), str::to_owned);
    Ok(report(&name, common, evaluation, &printed))
}

/// How much output is kept for machines, which get it in one piece.
const OUTPUT_LIMIT: usize = 16 * 1024 * 1024;

fn text(arguments: &Arguments) -> Result<String, Failure> {
    if arguments.expressions != "-" {
        return Ok(arguments.expressions.clone());
    }
    std::io::read_to_string(std::io::stdin())
        .map_err(|source| Failure::new(Status::Failed, EvalError::Input { source }))
}

fn report(node: &str, common: &Common, evaluation: Evaluation, printed: &str) -> Status {
    let out = common.output();
    match evaluation {
        Evaluation::Value(text) => {
            out.envelope(
                "eval",
                1,
                &json!({"node": node, "value": text, "output": printed}),
            );
            out.text(&format!("{}\n", output::printable_lines(&text)));
            Status::Done
        }
        Evaluation::Error(text) => {
            out.envelope(
                "eval",
                1,
                &json!({"node": node, "error": text, "output": printed}),
            );
            output::error_text(&format!("erlrc: {}\n", output::printable_lines(&text)));
            Status::Failed
        }
    }
}

/// A node that is down has no value: what is nothing to do for a hook is an error here.
fn status(error: &NodeError) -> Status {
    match error {
        NodeError::Down { .. } | NodeError::CallFailed { .. } | NodeError::TooLarge { .. } => {
            Status::Failed
        }
        _ => Status::Unreachable,
    }
}
