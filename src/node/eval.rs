//! Evaluation of Erlang text on a node: for people, never for hooks.
//!
//! The node scans, parses and evaluates the text and prints the value; only text comes back, so that
//! it does not matter which kinds of terms a later OTP has.

use super::{Call, Deadline, Node, NodeError, Stage};
use crate::term::Term;

/// What an evaluation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evaluation {
    /// The value, as text.
    Value(String),
    /// Why there is none, as the Erlang shell would have said it.
    Error(String),
}

/// Evaluated on the node with `Text` bound to what the person wrote. A `throw` must not get out: `rex`
/// would pass it off as a value.
const EVALUATOR: &str = r#"
    Print = fun(Format, Arguments) ->
        unicode:characters_to_binary(io_lib:format(Format, Arguments))
    end,
    Complain = fun({Location, Module, Description}) ->
        Where = case Location of {Line, _} -> Line; _ -> Location end,
        {error, Print("line ~p: ~ts", [Where, Module:format_error(Description)])}
    end,
    case erl_scan:string(unicode:characters_to_list(Text)) of
        {ok, Tokens, _} ->
            Ended = case lists:reverse(Tokens) of
                [{dot, _} | _] -> Tokens;
                Reversed -> lists:reverse([{dot, 1} | Reversed])
            end,
            case erl_parse:parse_exprs(Ended) of
                {ok, Forms} ->
                    try erl_eval:exprs(Forms, []) of
                        {value, Value, _} -> {ok, Print("~tp", [Value])}
                    catch
                        Class:Reason:Stack ->
                            Ours = fun(Module, _, _) -> lists:member(Module, [erl_eval, erpc, rpc]) end,
                            Options = #{stack_trim_fun => Ours},
                            Said = erl_error:format_exception(Class, Reason, Stack, Options),
                            {error, Print("~ts", [Said])}
                    end;
                {error, Fault} -> Complain(Fault)
            end;
        {error, Fault, _} -> Complain(Fault)
    end.
"#;

impl Node {
    /// Evaluates `text`; what it prints goes to `output` as it comes, in UTF-8.
    pub fn eval(
        &mut self,
        text: &str,
        deadline: Deadline,
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<Evaluation, NodeError> {
        let forms = self.evaluator(deadline)?;
        // The line end ends a comment or a dot that may be the last of the text.
        let binding = Term::tuple([Term::atom("Text"), Term::binary(format!("{text}\n"))]);
        let arguments = vec![forms, Term::list([binding])];
        let call = Call {
            module: "erl_eval",
            function: "exprs",
            arguments,
        };
        let answer = self.call_with_output(call, deadline, output)?;
        evaluation(&answer).ok_or(NodeError::Malformed {
            stage: Stage::Call,
            source: None,
        })
    }

    /// [`EVALUATOR`] as the node's own scanner and parser have it.
    fn evaluator(&mut self, deadline: Deadline) -> Result<Term, NodeError> {
        let source = Term::string(EVALUATOR);
        let scan = Call {
            module: "erl_scan",
            function: "string",
            arguments: vec![source],
        };
        let tokens = self.ok(scan, deadline)?;
        let parse = Call {
            module: "erl_parse",
            function: "parse_exprs",
            arguments: vec![tokens],
        };
        self.ok(parse, deadline)
    }

    /// The second element of the tuple `{ok, _, …}` that `call` returns.
    fn ok(&mut self, call: Call, deadline: Deadline) -> Result<Term, NodeError> {
        match self.call(call, deadline)?.as_tagged("ok") {
            Some([value, ..]) => Ok(value.clone()),
            _ => Err(NodeError::Malformed {
                stage: Stage::Call,
                source: None,
            }),
        }
    }
}

/// `{value, {ok | error, Text}, Bindings}`.
fn evaluation(answer: &Term) -> Option<Evaluation> {
    let [value, _] = answer.as_tagged("value")? else {
        return None;
    };
    match value.as_tuple()? {
        [tag, Term::Binary(text)] => {
            let text = String::from_utf8_lossy(text).into_owned();
            Some(if tag.is_atom("ok") {
                Evaluation::Value(text)
            } else {
                Evaluation::Error(text)
            })
        }
        _ => None,
    }
}
